/* The 9P server's requests, one by one: what they answer, and what the host then has. */
#include "p9_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static void session(void **state)
{
    struct world *w = *state;

    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
    assert_int_equal(ask(w, VERSION, "ds", 4095, "9P2000.L"), -EMSGSIZE);
    assert_int_equal(ask(w, GETATTR, "dq", 1, -1ll), 0); /* that session goes on */
    assert_int_equal(ask(w, VERSION, "ds", 1 << 30, "9P2000.L"), 0);
    assert_int_equal(le32_get(w->body), P9_MSIZE_MAX);
    if (w->s)
        assert_int_equal(w->s->fids, 0); /* a new one has none */
    assert_int_equal(ask(w, GETATTR, "dq", 1, -1ll), -EBADF);
    assert_int_equal(ask(w, VERSION, "ds", 8192, "9P2000.u"), 0);
    assert_memory_equal(w->body + 4, "\x07\0unknown", 9);
    assert_int_equal(ask(w, ATTACH, "ddssd", 0, -1, "", "", 0), -EPROTO);
    begin(w);
    assert_int_equal(ask(w, ATTACH, "ddssd", 1, 0, "", "", 0), -EINVAL); /* with an afid */
    assert_int_equal(ask(w, ATTACH, "ddssd", 1, -1, "", "/etc", 0), -ENOENT);
    assert_int_equal(ask(w, ATTACH, "ddssd", ROOT, -1, "", "/", 0), -EINVAL); /* in use */
    assert_int_equal(ask(w, ATTACH, "ddssd", 1, -1, "", "/", 1000), 0);
    assert_int_equal(ask(w, AUTH, "dssd", 9, "", "", 0), -EOPNOTSUPP);
    assert_int_equal(ask(w, FLUSH, "w", 7), 0);
    assert_int_equal(ask(w, XATTRWALK, "dds", 1, 2, "user.x"), -EOPNOTSUPP);
    assert_int_equal(ask(w, XATTRCREATE, "dsqd", 1, "user.x", 1ll, 0), -EOPNOTSUPP);
}

static void walks(void **state)
{
    struct world *w = *state;

    file_put(w, "share/d/deep", "");
    assert_int_equal(ask(w, WALK, "ddwss", ROOT, 1, 2, "d", "deep"), 0);
    assert_int_equal(le16_get(w->body), 2);
    assert_int_equal(w->body[2], 0x80);
    assert_int_equal(w->body[15], 0);
    assert_int_equal(walk(w, ROOT, 1, "f"), -EINVAL); /* in use */
    /* Halfway: as far as it came is told, and there is no fid. */
    assert_int_equal(ask(w, WALK, "ddwsss", ROOT, 2, 3, "d", "none", "x"), 0);
    assert_int_equal(le16_get(w->body), 1);
    assert_int_equal(ask(w, CLUNK, "d", 2), -EBADF);
    assert_int_equal(walk(w, ROOT, 2, "none"), -ENOENT);
    assert_int_equal(walk(w, 1, 2, "x"), -ENOTDIR);
    assert_int_equal(walk(w, 77, 2, "f"), -EBADF);
    assert_int_equal(walk(w, ROOT, UINT32_MAX, "f"), -EINVAL);
    /* In place; a second fid for the same; sixteen names and one more. */
    assert_int_equal(walk(w, ROOT, 2, NULL), 0);
    assert_int_equal(walk(w, 2, 2, "d"), 0);
    assert_int_equal(walk(w, 2, 3, "deep"), 0);
    assert_int_equal(ask(w, WALK, "ddwsssssssssssssssss", ROOT, 4, 17, "d", "..", "d", "..", "d",
                         "..", "d", "..", "d", "..", "d", "..", "d", "..", "d", "..", "f"),
                     -EINVAL);
    assert_int_equal(ask(w, WALK, "ddwssssssssssssssss", ROOT, 4, 16, "d", "..", "d", "..", "d",
                         "..", "d", "..", "d", "..", "d", "..", "d", "..", "d", ".."),
                     0);
    assert_int_equal(walk(w, 4, 5, "f"), 0);
}

static void files(void **state)
{
    struct world *w = *state;
    char big[8192];

    memset(big, 'x', sizeof(big));
    assert_int_equal(walk_open(w, 1, "f", 2), 0);
    assert_int_equal(le32_get(w->body + 13), 61440);
    assert_int_equal(ask(w, READ, "dqd", 1, 2ll, 100), 0);
    assert_memory_equal(w->body, "\5\0\0\0file\n", 9);
    assert_int_equal(ask(w, READ, "dqd", 1, 1000ll, 100), 0);
    assert_int_equal(le32_get(w->body), 0);
    assert_int_equal(ask_data(w, 1, 2, big, sizeof(big)), 0);
    assert_int_equal(le32_get(w->body), sizeof(big));
    assert_int_equal(ask(w, READ, "dqd", 1, 8190ll, 100), 0);
    assert_memory_equal(w->body, "\4\0\0\0xxxx", 8);
    for (uint32_t len = 1000; len < 64000; len += 9000) { /* by both ways to read */
        assert_int_equal(ask(w, READ, "dqd", 1, 92ll, len), 0);
        assert_int_equal(le32_get(w->body), len < 8102 ? len : 8102);
        assert_memory_equal(w->body + 4, big, le32_get(w->body));
    }
    assert_int_equal(ask(w, READ, "dqd", 1, 9000ll, 60000), 0);
    assert_int_equal(le32_get(w->body), 0);
    assert_int_equal(ask(w, FSYNC, "dd", 1, 0), 0);
    assert_int_equal(ask(w, FSYNC, "dd", 1, 1), 0);
    assert_int_equal(ask(w, LOPEN, "dd", 1, 0), -EINVAL); /* it is */
    assert_int_equal(ask(w, CLUNK, "d", 1), 0);
    assert_int_equal(ask(w, CLUNK, "d", 1), -EBADF);
    /* A reply in pieces, the data across them. */
    assert_int_equal(walk_open(w, 1, "f", 0), 0);
    w->iov[0].iov_len = 13;
    w->iov[1] = (struct iovec){w->room + 13, 20};
    w->req.rooms = 2;
    w->req.room_len = 33;
    assert_int_equal(ask(w, READ, "dqd", 1, 0ll, 1000), 0);
    assert_memory_equal(w->body, "\x16\0\0\0a xxxxxxxxxxxxxxxxxxxx", 26);
    w->req.rooms = 1;
    w->iov[0].iov_len = w->req.room_len = ROOM;
    assert_int_equal(ask_data(w, 1, 0, "no", 2), -EBADF); /* open to read */
    assert_int_equal(ask(w, READ, "dqd", 1, -1ll, 100), -EINVAL);
    assert_int_equal(ask(w, READ, "dqd", ROOT, 0ll, 100), -EBADF);
    assert_int_equal(walk_open(w, 2, "f", 1), 0);
    assert_int_equal(ask(w, READ, "dqd", 2, 0ll, 100), -EBADF); /* open to write */
    assert_int_equal(ask_data(w, 2, INT64_MAX, "no", 2), -EINVAL);
    assert_int_equal(walk_open(w, 3, "f", 3), -EINVAL);
    assert_int_equal(ask(w, LOPEN, "dd", 3, 01001), 0); /* truncating */
    assert_true(file_is(w, "share/f", ""));
}

static void creation(void **state)
{
    struct world *w = *state;
    struct stat st;

    umask(0);
    assert_int_equal(walk(w, ROOT, 1, NULL), 0);
    assert_int_equal(ask(w, LCREATE, "dsddd", 1, "new", 02, 06751, 0), 0);
    assert_int_equal(ask_data(w, 1, 0, "hi\n", 3), 0);
    assert_true(file_is(w, "share/new", "hi\n"));
    fstatat(w->at, "share/new", &st, 0);
    assert_int_equal(st.st_mode, S_IFREG | 0751); /* not to run as its owner */
    assert_int_equal(walk(w, ROOT, 2, NULL), 0);
    assert_int_equal(ask(w, LCREATE, "dsddd", 2, "new", 0200, 0644, 0), -EEXIST);
    assert_int_equal(ask(w, LCREATE, "dsddd", 2, "d", 02, 0644, 0), -EISDIR);
    assert_int_equal(ask(w, LCREATE, "dsddd", 2, "new", 02002, 0644, 0), 0); /* there: to append */
    assert_int_equal(ask_data(w, 2, 0, "ho\n", 3), 0);
    assert_true(file_is(w, "share/new", "hi\nho\n"));
    assert_int_equal(ask(w, LCREATE, "dsddd", 1, "x", 02, 0644, 0), -ENOTDIR);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "sub", 07755, 0), 0);
    assert_int_equal(w->body[0], 0x80);
    fstatat(w->at, "share/sub", &st, 0);
    assert_int_equal(st.st_mode, S_IFDIR | 01755);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "sub", 0755, 0), -EEXIST);
    assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, "reg", S_IFREG | 0600, 0, 0, 0), 0);
    assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, "p", S_IFIFO | 0600, 0, 0, 0), -EPERM);
    assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, "p", S_IFCHR | 0600, 1, 3, 0), -EPERM);
    assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, "p", S_IFSOCK | 0600, 0, 0, 0), -EPERM);
    assert_false(there(w, "share/p"));
}

static void attributes(void **state)
{
    struct world *w = *state;
    struct stat st;

    fstatat(w->at, "share/f", &st, 0);
    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
    assert_int_equal(ask(w, GETATTR, "dq", 1, -1ll), 0);
    assert_int_equal(w->len, 153);
    assert_int_equal(le64_get(w->body + 8 + 5), st.st_ino);
    assert_int_equal(le32_get(w->body + 21), st.st_mode);
    assert_int_equal(le32_get(w->body + 25), st.st_uid);
    assert_int_equal(le64_get(w->body + 33), 1);
    assert_int_equal(le64_get(w->body + 49), 7);
    assert_int_equal(le64_get(w->body + 89), st.st_mtim.tv_sec);
    assert_int_equal(ask(w, GETATTR, "dq", 9, -1ll), -EBADF);
}

static void setting(void **state)
{
    enum { MODE = 1, UID = 2, GID = 4, SIZE = 8, ATIME = 0x10, MTIME = 0x20, TO = 0x80 | 0x100 };
    struct world *w = *state;
    struct stat st;
    int all;

    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
#define SET(valid, mode, uid, gid, size, nsec)                                                     \
    ask(w, SETATTR, "dddddqqqqq", 1, valid, mode, uid, gid, (long long)(size), 5ll,                \
        (long long)(nsec), 6ll, 7ll)
    assert_int_equal(SET(MODE | SIZE, 0107640, 0, 0, 3, 0), 0);
    assert_true(file_is(w, "share/f", "a f"));
    assert_int_equal(SET(ATIME | MTIME | TO, 0, 0, 0, 0, 8), 0);
    fstatat(w->at, "share/f", &st, 0);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(st.st_atim.tv_sec, 5);
    assert_int_equal(st.st_atim.tv_nsec, 8);
    assert_int_equal(st.st_mtim.tv_sec, 6);
    assert_int_equal(SET(MTIME, 0, 0, 0, 0, 0), 0); /* now */
    fstatat(w->at, "share/f", &st, 0);
    assert_int_equal(st.st_atim.tv_sec, 5);
    assert_true(st.st_mtim.tv_sec > 1000000);
    assert_int_equal(SET(ATIME | TO, 0, 0, 0, 0, 1000000000), -EINVAL);
    assert_int_equal(SET(ATIME | TO, 0, 0, 0, 0, UTIME_OMIT), -EINVAL);
    assert_int_equal(SET(SIZE, 0, 0, 0, -1, 0), -EFBIG);
    /* An owner is not given away, and nothing else of that request is done. */
    all = UID | GID | SIZE;
    assert_int_equal(SET(all, 0, (int)st.st_uid + 1, (int)st.st_gid, 0, 0), -EPERM);
    assert_int_equal(SET(all, 0, (int)st.st_uid, (int)st.st_gid + 1, 0, 0), -EPERM);
    assert_true(file_is(w, "share/f", "a f"));
    assert_int_equal(SET(all, 0, (int)st.st_uid, -1, 1, 0), 0);
    assert_true(file_is(w, "share/f", "a"));
    assert_int_equal(ask(w, CLUNK, "d", 1), 0);
    assert_int_equal(walk(w, ROOT, 1, "d"), 0);
    assert_int_equal(SET(SIZE, 0, 0, 0, 0, 0), -EISDIR);
    assert_int_equal(SET(MODE, 07711, 0, 0, 0, 0), 0);
    fstatat(w->at, "share/d", &st, 0);
    assert_int_equal(st.st_mode, S_IFDIR | 01711);
#undef SET
    assert_int_equal(ask(w, STATFS, "d", 1), 0);
    assert_int_equal(w->len, 60);
    assert_true(le64_get(w->body + 8) > 0);
}

/* All names of a directory, by replies with room for `room` bytes of them. */
static unsigned list(struct world *w, uint32_t room, unsigned *dots)
{
    uint64_t off = 0;
    unsigned names = 0;

    *dots = 0;
    for (unsigned n = 0; n < 2000; n++) {
        uint32_t len;

        assert_int_equal(ask(w, READDIR, "dqd", 1, (long long)off, room), 0);
        len = le32_get(w->body);
        assert_true(len <= room && len + 4 == w->len);
        if (!len)
            return names;
        for (uint32_t at = 4; at < len + 4; names++) {
            uint32_t name = le16_get(w->body + at + 22);

            if (w->body[at + 24] == '.') {
                (*dots)++; /* of the root and what is above: one number */
                assert_int_equal(le64_get(w->body + at + 5), w->root_ino);
                assert_int_equal(w->body[at + 21], 4);
            }
            off = le64_get(w->body + at + 13);
            at += 24 + name;
        }
    }
    return 0;
}

static void directories(void **state)
{
    struct world *w = *state;
    char name[64];
    unsigned dots;

    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "share/name-%u", i);
        file_put(w, name, "");
    }
    assert_int_equal(walk(w, ROOT, 1, NULL), 0);
    assert_int_equal(ask(w, READDIR, "dqd", 1, 0ll, 1000), -EBADF); /* not open */
    assert_int_equal(ask(w, LOPEN, "dd", 1, 2), -EISDIR);
    assert_int_equal(ask(w, LOPEN, "dd", 1, 0200000), 0);
    assert_int_equal(list(w, 60000, &dots), 504);
    assert_int_equal(dots, 2);
    assert_int_equal(list(w, 64, &dots), 504); /* two or three a time */
    assert_int_equal(dots, 2);
    assert_int_equal(ask(w, READDIR, "dqd", 1, 0ll, 10), -EINVAL); /* not one */
    assert_int_equal(ask(w, READDIR, "dqd", 1, -1ll, 1000), -EINVAL);
    ask(w, READDIR, "dqd", 1, 0x123456789abcll,
        1000); /* an offset that is none: as the host likes */
    assert_int_equal(ask(w, READ, "dqd", 1, 0ll, 100), -EISDIR);
    assert_int_equal(walk_open(w, 2, "f", 0), 0);
    assert_int_equal(ask(w, READDIR, "dqd", 2, 0ll, 1000), -ENOTDIR);
    assert_int_equal(walk_open(w, 3, "f", 0200000), -ENOTDIR);
    assert_int_equal(ask(w, FSYNC, "dd", 1, 0), 0);
}

static void trees(void **state)
{
    struct world *w = *state;

    file_put(w, "share/d/g", "g\n");
    assert_int_equal(walk(w, ROOT, 1, "d"), 0);
    assert_int_equal(walk(w, 1, 2, "g"), 0);
    assert_int_equal(ask(w, RENAMEAT, "dsds", 1, "g", ROOT, "h"), 0);
    assert_true(file_is(w, "share/h", "g\n"));
    /* The fid's own name is found anew for a rename, and for a removal. */
    assert_int_equal(ask(w, RENAME, "dds", 2, 1, "i"), 0);
    assert_true(file_is(w, "share/d/i", "g\n"));
    assert_int_equal(ask(w, RENAME, "dds", ROOT, 1, "root"), -ESTALE);
    assert_int_equal(ask(w, LINK, "dds", ROOT, 2, "l"), 0);
    assert_true(file_is(w, "share/l", "g\n"));
    assert_int_equal(ask(w, LINK, "dds", ROOT, 1, "ld"), -EPERM); /* a directory */
    assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, "d", 0x200), -ENOTEMPTY);
    assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, "d", 0), -EISDIR);
    assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, "l", 1), -EINVAL);
    assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, "l", 0), 0);
    assert_int_equal(ask(w, REMOVE, "d", 2), 0);
    assert_false(there(w, "share/d/i"));
    assert_int_equal(ask(w, REMOVE, "d", 2), -EBADF);
    assert_int_equal(ask(w, REMOVE, "d", 1), 0);
    assert_false(there(w, "share/d"));
    /* One whose file has gone: an error, and the fid is gone all the same. */
    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
    unlinkat(w->at, "share/f", 0);
    assert_int_equal(ask(w, REMOVE, "d", 1), -ENOENT);
    assert_int_equal(ask(w, CLUNK, "d", 1), -EBADF);
}

static void locks(void **state)
{
    enum { RD = 0, WR = 1, UN = 2 };
    struct world *w = *state;
    int host = openat(w->at, "share/f", O_RDWR | O_CLOEXEC);
    struct flock l = {.l_type = F_WRLCK, .l_start = 100, .l_len = 10};

#define LOCKS(fid, type, from, len)                                                                \
    ask(w, LOCK, "dbdqqds", fid, type, 1, (long long)(from), (long long)(len), 42, "guest")
    assert_int_equal(walk_open(w, 1, "f", 2), 0);
    assert_int_equal(walk_open(w, 2, "f", 2), 0);
    assert_int_equal(walk_open(w, 3, "f", 0), 0);
    assert_int_equal(LOCKS(1, WR, 0, 10), 0);
    assert_int_equal(w->body[0], 0);
    assert_int_equal(LOCKS(2, RD, 5, 1), 0);
    assert_int_equal(w->body[0], 1); /* blocked: asked again later */
    assert_int_equal(LOCKS(2, RD, 10, 0), 0);
    assert_int_equal(w->body[0], 0);
    assert_int_equal(fcntl(host, F_OFD_SETLK, &l), -1); /* the host's programs see it */
    assert_int_equal(ask(w, GETLOCK, "dbqqds", 2, WR, 3ll, 1ll, 42, "guest"), 0);
    assert_int_equal(w->body[0], WR);
    assert_int_equal(le64_get(w->body + 1), 0);
    assert_int_equal(le64_get(w->body + 9), 10);
    assert_memory_equal(w->body + 21, "\5\0guest", 7);
    assert_int_equal(ask(w, GETLOCK, "dbqqds", 2, UN, 3ll, 1ll, 42, "guest"), 0);
    assert_int_equal(w->body[0], WR); /* any, as Linux asks */
    assert_int_equal(LOCKS(1, UN, 0, 0), 0);
    assert_int_equal(ask(w, CLUNK, "d", 2), 0); /* and its lock */
    assert_int_equal(ask(w, GETLOCK, "dbqqds", 1, WR, 0ll, 0ll, 42, "guest"), 0);
    assert_int_equal(w->body[0], UN);
    assert_int_equal(fcntl(host, F_OFD_SETLK, &l), 0);
    assert_int_equal(LOCKS(1, WR, 105, 1), 0);
    assert_int_equal(w->body[0], 1);
    /* flock(LOCK_EX) of a file that is open for reading. */
    assert_int_equal(LOCKS(3, WR, 0, 50), 0);
    assert_int_equal(w->body[0], 0);
    assert_int_equal(LOCKS(1, WR, 0, 50), 0);
    assert_int_equal(w->body[0], 1);
    assert_int_equal(ask(w, CLUNK, "d", 3), 0);
    assert_int_equal(LOCKS(1, WR, 0, 50), 0);
    assert_int_equal(w->body[0], 0);
    assert_int_equal(LOCKS(1, 3, 0, 50), -EINVAL);
    assert_int_equal(LOCKS(1, WR, -1, 1), -EINVAL);
    assert_int_equal(LOCKS(1, WR, INT64_MAX, 2), -EINVAL);
    assert_int_equal(LOCKS(ROOT, WR, 0, 1), -EBADF); /* not open */
#undef LOCKS
    close(host);
}

static void readonly(void **state)
{
    struct world *w = *state;

    assert_int_equal(walk_open(w, 1, "f", 0), 0);
    assert_int_equal(ask(w, READ, "dqd", 1, 0ll, 10), 0);
    assert_int_equal(walk_open(w, 2, "f", 1), -EROFS);
    assert_int_equal(ask(w, LOPEN, "dd", 2, 2), -EROFS);
    assert_int_equal(ask(w, LOPEN, "dd", 2, 01000), -EROFS); /* to read, truncating */
    assert_int_equal(ask_data(w, 1, 0, "x", 1), -EROFS);
    assert_int_equal(ask(w, LCREATE, "dsddd", ROOT, "n", 0, 0644, 0), -EROFS);
    assert_int_equal(ask(w, SYMLINK, "dssd", ROOT, "n", "x", 0), -EROFS);
    assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, "n", S_IFREG, 0, 0, 0), -EROFS);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "n", 0755, 0), -EROFS);
    assert_int_equal(ask(w, LINK, "dds", ROOT, 2, "n"), -EROFS);
    assert_int_equal(ask(w, RENAME, "dds", 2, ROOT, "n"), -EROFS);
    assert_int_equal(ask(w, RENAMEAT, "dsds", ROOT, "f", ROOT, "n"), -EROFS);
    assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, "f", 0), -EROFS);
    assert_int_equal(ask(w, SETATTR, "dddddqqqqq", 2, 1, 0600, 0, 0, 0ll, 0ll, 0ll, 0ll, 0ll),
                     -EROFS);
    assert_int_equal(ask(w, REMOVE, "d", 2), -EROFS);
    assert_int_equal(ask(w, CLUNK, "d", 2), -EBADF); /* went with it, as the protocol has it */
    assert_true(file_is(w, "share/f", "a file\n"));
    assert_false(there(w, "share/n"));
}

static const struct CMUnitTest tests[] = {
    SHARE(session),    SHARE(walks),      PLAIN(walks),       SHARE(files),      SHARE(creation),
    SHARE(attributes), SHARE(setting),    SHARE(directories), SHARE(trees),      PLAIN(trees),
    SHARE(locks),      RO(readonly),      JAIL(session),      JAIL(walks),       JAIL(files),
    JAIL(creation),    JAIL(attributes),  JAIL(setting),      JAIL(directories), JAIL(trees),
    JAIL(locks),       RO_JAIL(readonly),
};

P9_TESTS(tests)
