/*
 * What a hostile client tries on the 9P server: names, links, "..", files that are none, what the
 * host moves meanwhile, messages that are none, and more of everything than there is. Beside the
 * share is a file "secret", which it must not get by any of it.
 */
#include "p9_world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const bad_names[] = {"",          ".",    "/",   "d/deep", "/etc",
                                        "../beside", "d/..", "./f", "f/",     "../share/f"};

static void names(void **state)
{
    struct world *w = *state;
    char longest[257];

    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
    for (unsigned i = 0; i <= ARRAY_LEN(bad_names); i++) {
        /* and ".." where it names nothing to walk to */
        const char *n = i < ARRAY_LEN(bad_names) ? bad_names[i] : "..";

        if (i < ARRAY_LEN(bad_names))
            assert_int_equal(walk(w, ROOT, 2, n), -EINVAL);
        assert_int_equal(ask(w, LCREATE, "dsddd", ROOT, n, 2, 0644, 0), -EINVAL);
        assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, n, 0755, 0), -EINVAL);
        assert_int_equal(ask(w, SYMLINK, "dssd", ROOT, n, "x", 0), -EINVAL);
        assert_int_equal(ask(w, MKNOD, "dsdddd", ROOT, n, S_IFREG | 0600, 0, 0, 0), -EINVAL);
        assert_int_equal(ask(w, LINK, "dds", ROOT, 1, n), -EINVAL);
        assert_int_equal(ask(w, RENAME, "dds", 1, ROOT, n), -EINVAL);
        assert_int_equal(ask(w, RENAMEAT, "dsds", ROOT, n, ROOT, "x"), -EINVAL);
        assert_int_equal(ask(w, RENAMEAT, "dsds", ROOT, "f", ROOT, n), -EINVAL);
        assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, n, 0), -EINVAL);
        assert_int_equal(ask(w, UNLINKAT, "dsd", ROOT, n, 0x200), -EINVAL);
    }
    /* A NUL in the middle; 255 bytes and one more; what only looks odd is a name like any other. */
    assert_int_equal(ask(w, WALK, "ddwt", ROOT, 2, 1, 5, "f\0abc"), -EINVAL);
    memset(longest, 'n', 256);
    longest[256] = 0;
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, longest, 0755, 0), -ENAMETOOLONG);
    longest[255] = 0;
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, longest, 0755, 0), 0);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "a\nb", 0755, 0), 0);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "...", 0755, 0), 0);
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "\xff\xc3\xa4 \\", 0755, 0), 0);
    assert_int_equal(walk(w, ROOT, 2, "\xff\xc3\xa4 \\"), 0);
    assert_true(there(w, "share/a\nb"));
    assert_int_equal(faccessat(w->at, "x", F_OK, 0), -1);
}

static void upwards(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 20; i++) { /* as often as it likes: the root stays the root */
        assert_int_equal(walk(w, ROOT, 1, ".."), 0);
        assert_int_equal(le64_get(w->body + 2 + 5), w->root_ino);
        assert_int_equal(ask(w, CLUNK, "d", 1), 0);
    }
    assert_int_equal(ask(w, WALK, "ddwsss", ROOT, 1, 3, "..", "..", "beside"), 0);
    assert_int_equal(le16_get(w->body), 2);
    assert_int_equal(ask(w, CLUNK, "d", 1), -EBADF);
    assert_int_equal(ask(w, WALK, "ddwssss", ROOT, 1, 4, "d", "..", "..", "f"), 0);
    assert_int_equal(le16_get(w->body), 4); /* the share's f */
    assert_int_equal(walk(w, 1, 2, ".."), -ENOTDIR);
}

/* Every way to use a link that points out: as text only. */
static void links(void **state)
{
    static const char *const out[] = {"../beside/secret", "../beside", "..", "/",
                                      "/etc/passwd",      "f",         "d",  "/proc/self/fd/0",
                                      "/proc/self/root"};
    struct world *w = *state;

    for (unsigned i = 0; i < ARRAY_LEN(out); i++) {
        size_t len = strlen(out[i]);

        assert_int_equal(ask(w, SYMLINK, "dssd", ROOT, "l", out[i], 0), 0);
        assert_int_equal(w->body[0], 2);
        assert_int_equal(ask(w, WALK, "ddwss", ROOT, 1, 2, "l", "secret"), 0);
        assert_int_equal(le16_get(w->body), 1); /* a link is no way to anywhere */
        assert_int_equal(walk(w, ROOT, 1, "l"), 0);
        assert_int_equal(ask(w, READLINK, "d", 1), 0);
        assert_int_equal(le16_get(w->body), len);
        assert_memory_equal(w->body + 2, out[i], len);
        assert_int_equal(walk(w, 1, 2, "passwd"), -ENOTDIR);
        assert_int_equal(walk(w, 1, 2, ".."), -ENOTDIR);
        for (uint32_t flags = 0; flags < 3; flags++)
            assert_int_equal(ask(w, LOPEN, "dd", 1, flags), -ELOOP);
        assert_int_equal(ask(w, LOPEN, "dd", 1, 01000), -ELOOP);
        for (uint32_t excl = 0; excl <= 0200; excl += 0200)
            assert_int_equal(ask(w, LCREATE, "dsddd", ROOT, "l", 0102 | excl, 0644, 0),
                             excl ? -EEXIST : -ELOOP);
        assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "l", 0755, 0), -EEXIST);
        assert_int_equal(ask(w, MKDIR, "dsdd", 1, "x", 0755, 0), -ENOTDIR);
        assert_int_equal(ask(w, UNLINKAT, "dsd", 1, "secret", 0), -ENOTDIR);
        assert_int_equal(ask(w, LINK, "dds", ROOT, 1, "hard"), -EPERM);
        assert_int_equal(ask(w, SETATTR, "dddddqqqqq", 1, 1, 0777, 0, 0, 0ll, 0ll, 0ll, 0ll, 0ll),
                         -EPERM);
        assert_int_equal(ask(w, SETATTR, "dddddqqqqq", 1, 8, 0, 0, 0, 0ll, 0ll, 0ll, 0ll, 0ll),
                         -EINVAL);
        assert_int_equal(ask(w, REMOVE, "d", 1), 0); /* the link, not what it says */
    }
    assert_int_equal(ask(w, SYMLINK, "dssd", ROOT, "l", "", 0), -ENOENT);
    assert_int_equal(ask(w, SYMLINK, "dstd", ROOT, "l", 3, "a\0b", 0), -EINVAL);
    assert_true(file_is(w, "beside/secret", "secret\n"));
    assert_true(file_is(w, "share/f", "a file\n"));
    assert_int_equal(ask(w, READLINK, "d", ROOT), -EINVAL);
}

/* Whatever has a driver or a peer behind it is looked at, never opened; nothing here waits. */
static void not_files(void **state)
{
    static const char *const name[] = {"fifo", "socket", "null"};
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct world *w = *state;
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    unsigned n = 2;

    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket", w->share);
    assert_int_equal(bind(s, (void *)&sun, sizeof(sun)), 0);
    assert_int_equal(mkfifoat(w->at, "share/fifo", 0666), 0);
    if (!mknodat(w->at, "share/null", S_IFCHR | 0666, 1 << 8 | 3)) /* by root only */
        n++;
    for (unsigned i = 0; i < n; i++) {
        for (uint32_t flags = 0; flags < 3; flags++) {
            assert_int_equal(walk_open(w, 1, name[i], flags), -EPERM);
            assert_int_equal(ask(w, CLUNK, "d", 1), 0);
            assert_int_equal(walk(w, ROOT, 2, NULL), 0);
            assert_int_equal(ask(w, LCREATE, "dsddd", 2, name[i], flags, 0644, 0), -EPERM);
            assert_int_equal(ask(w, CLUNK, "d", 2), 0);
        }
        assert_int_equal(walk(w, ROOT, 1, name[i]), 0);
        assert_int_equal(ask(w, GETATTR, "dq", 1, -1ll), 0);
        assert_int_equal(ask(w, READ, "dqd", 1, 0ll, 1), -EBADF);
        assert_int_equal(ask_data(w, 1, 0, "x", 1), -EBADF);
        assert_int_equal(ask(w, SETATTR, "dddddqqqqq", 1, 8, 0, 0, 0, 0ll, 0ll, 0ll, 0ll, 0ll),
                         -EINVAL);
        assert_int_equal(ask(w, REMOVE, "d", 1), 0);
    }
    close(s);
}

/* The host moves a directory away: what was reached in it stays, nothing new is. */
static void moved_away(void **state)
{
    struct world *w = *state;

    file_put(w, "share/d/g", "g\n");
    assert_int_equal(walk(w, ROOT, 1, "d"), 0);
    assert_int_equal(ask(w, WALK, "ddwss", ROOT, 2, 2, "d", "g"), 0);
    assert_int_equal(ask(w, LOPEN, "dd", 2, 2), 0);
    assert_int_equal(renameat(w->at, "share/d", w->at, "beside/d"), 0);
    assert_int_equal(ask(w, READ, "dqd", 2, 0ll, 10), 0);
    assert_int_equal(walk(w, 1, 3, "g"), -ESTALE);
    assert_int_equal(walk(w, 1, 3, ".."), -ESTALE);
    assert_int_equal(ask(w, WALK, "ddwss", 1, 3, 2, "..", "secret"), -ESTALE);
    assert_int_equal(ask(w, LCREATE, "dsddd", 1, "n", 2, 0644, 0), -ESTALE);
    assert_int_equal(ask(w, MKDIR, "dsdd", 1, "n", 0755, 0), -ESTALE);
    assert_int_equal(ask(w, SYMLINK, "dssd", 1, "n", "x", 0), -ESTALE);
    assert_int_equal(ask(w, MKNOD, "dsdddd", 1, "n", S_IFREG, 0, 0, 0), -ESTALE);
    assert_int_equal(ask(w, LINK, "dds", 1, 2, "n"), -ESTALE);
    assert_int_equal(ask(w, UNLINKAT, "dsd", 1, "g", 0), -ESTALE);
    assert_int_equal(ask(w, RENAMEAT, "dsds", 1, "g", ROOT, "g"), -ESTALE);
    assert_int_equal(ask(w, RENAMEAT, "dsds", ROOT, "f", 1, "f"), -ESTALE);
    assert_int_equal(ask(w, RENAME, "dds", 2, ROOT, "g"), -ESTALE);
    assert_int_equal(ask(w, REMOVE, "d", 2), -ESTALE);
    assert_true(file_is(w, "beside/d/g", "g\n"));
    assert_int_equal(renameat(w->at, "beside/d", w->at, "share/e"), 0); /* and back */
    assert_int_equal(walk(w, 1, 3, "g"), 0);
    /* The root itself may be moved: it is what it was. */
    assert_int_equal(renameat(w->at, "share", w->at, "elsewhere"), 0);
    assert_int_equal(ask(w, WALK, "ddwss", ROOT, 4, 2, "e", "g"), 0);
    assert_int_equal(ask(w, REMOVE, "d", 4), 0);
    assert_false(there(w, "elsewhere/e/g"));
    renameat(w->at, "elsewhere", w->at, "share");
}

struct race {
    struct world *w;
    bool stop;
    unsigned turns;
};

/* "d" is a directory and a link to ../beside by turns, and one moved out and in again. */
static void *racer(void *arg)
{
    struct race *r = arg;
    int at = r->w->at;

    while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
        renameat2(at, "share/d", at, "share/l", RENAME_EXCHANGE);
        renameat(at, "share/m", at, "beside/m");
        renameat2(at, "share/d", at, "share/l", RENAME_EXCHANGE);
        renameat(at, "beside/m", at, "share/m");
        __atomic_add_fetch(&r->turns, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void race(void **state)
{
    struct world *w = *state;
    struct race r = {.w = w};
    pthread_t t;

    file_put(w, "share/d/secret", "known\n");
    assert_int_equal(symlinkat("../beside", w->at, "share/l"), 0);
    assert_int_equal(mkdirat(w->at, "share/m", 0755), 0);
    assert_int_equal(walk(w, ROOT, 9, "m"), 0);
    assert_int_equal(pthread_create(&t, NULL, racer, &r), 0);
    for (unsigned n = 0;
         n < (w->s ? 5000 : 1000) || __atomic_load_n(&r.turns, __ATOMIC_RELAXED) < 200; n++) {
        int err = ask(w, WALK, "ddwss", ROOT, 1, 2, "d", "secret");

        if (!err && le16_get(w->body) == 2) {
            assert_int_equal(ask(w, LOPEN, "dd", 1, 0), 0);
            assert_int_equal(ask(w, READ, "dqd", 1, 0ll, 10), 0);
            assert_memory_equal(w->body, "\6\0\0\0known\n", 10);
            ask(w, CLUNK, "d", 1);
        }
        /* Up from a directory that moves: to the share's root, or nowhere. */
        err = walk(w, 9, 1, "..");
        if (!err) {
            assert_int_equal(le64_get(w->body + 2 + 5), w->root_ino);
            ask(w, CLUNK, "d", 1);
        } else {
            assert_int_equal(err, -ESTALE);
        }
        err = ask(w, UNLINKAT, "dsd", ROOT, "none", 0);
        assert_int_equal(err, -ENOENT);
    }
    __atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
    pthread_join(t, NULL);
    assert_true(file_is(w, "beside/secret", "secret\n"));
}

/* ---- messages that are none ---- */

static void cut_short(void **state)
{
    struct world *w = *state;
    static const struct {
        uint8_t type;
        uint32_t len;
    } whole[] = {{STATFS, 4},    {LOPEN, 8},     {LCREATE, 18}, {SYMLINK, 12}, {MKNOD, 22},
                 {RENAME, 10},   {READLINK, 4},  {GETATTR, 12}, {SETATTR, 60}, {READDIR, 16},
                 {FSYNC, 8},     {LOCK, 31},     {GETLOCK, 27}, {LINK, 10},    {MKDIR, 14},
                 {RENAMEAT, 12}, {UNLINKAT, 10}, {VERSION, 6},  {ATTACH, 16},  {FLUSH, 2},
                 {WALK, 10},     {READ, 16},     {WRITE, 16},   {CLUNK, 4},    {REMOVE, 4}};

    for (unsigned i = 0; i < ARRAY_LEN(whole); i++)
        for (uint32_t len = 0; len < 80; len++) {
            /* zeros: fid 0, empty strings and numbers of 0; not as long as it should be */
            memset(w->req.msg, 0, sizeof(w->req.msg));
            w->req.msg[4] = whole[i].type;
            w->req.len = P9_HEAD + len;
            w->req.data_len = 0;
            if (len != whole[i].len)
                assert_int_equal(serve(w, P9_HEAD + len), -EINVAL);
        }
    assert_int_equal(walk(w, ROOT, 1, "f"), 0); /* and the session is as it was */
    /* A string that is longer than its message; a size that is not the message's. */
    ask(w, MKDIR, "dsdd", ROOT, "x", 0755, 0);
    assert_true(there(w, "share/x"));
    le16_put(w->req.msg + 11, 0xffff);
    assert_int_equal(serve(w, w->req.len), -EINVAL);
    for (uint32_t size = 0; size < 40; size++)
        if (size != w->req.len)
            assert_int_equal(serve(w, size), -EINVAL);
    assert_int_equal(serve(w, UINT32_MAX), -EINVAL);
    for (unsigned type = 0; type < 256; type++)
        if (type < 8 || (type & 1) || type > 122)
            assert_int_equal(ask(w, (uint8_t)type, "d", 0), -EOPNOTSUPP);
}

/* Random bytes below random types; whatever they do is done in the share. */
static void noise(void **state)
{
    struct world *w = *state;
    uint32_t x = 1;

    for (unsigned n = 0; n < (w->s ? 20000 : 4000); n++) {
        for (unsigned i = P9_HEAD; i < 80; i++) {
            x = x * 1664525 + 1013904223;
            w->req.msg[i] = x >> 29 ? (uint8_t)(x >> 24 & 3) : (uint8_t)(x >> 16);
        }
        w->req.msg[4] = (uint8_t)(x >> 8 & 126);
        w->req.len = P9_HEAD + (x >> 16) % 64;
        w->req.data_len = 0;
        if (w->req.msg[4] != VERSION)
            serve(w, w->req.len);
    }
    assert_true(file_is(w, "beside/secret", "secret\n"));
    assert_int_equal(faccessat(w->at, "share", F_OK, 0), 0);
}

static void little_room(void **state)
{
    struct world *w = *state;

    assert_int_equal(walk_open(w, 1, "f", 0), 0);
    for (uint32_t room = 0; room < 200; room++) {
        w->iov[0].iov_len = w->req.room_len = room;
        memset(w->room, 0xee, 300);
        ask(w, GETATTR, "dq", 1, -1ll);
        assert_int_equal(w->req.err, room < 160 ? -EMSGSIZE : 0);
        assert_int_equal(w->room[room], 0xee);
        ask(w, READ, "dqd", 1, 0ll, 100);
        assert_int_equal(w->req.err, room < 11 ? -EMSGSIZE : 0);
        assert_int_equal(w->room[room], 0xee);
        ask(w, WALK, "ddws", ROOT, 1000 + (int)room, 1, "d");
        assert_int_equal(w->req.err, room < 22 ? -EMSGSIZE : 0);
        assert_int_equal(w->room[room], 0xee);
        ask(w, MKDIR, "dsdd", ROOT, "little", 0755, 0);
        assert_int_equal(w->req.err, room < 20 ? -EMSGSIZE : room == 20 ? 0 : -EEXIST);
        assert_true(room < 20 || there(w, "share/little"));
    }
    w->iov[0].iov_len = w->req.room_len = ROOM;
    /* No reply is longer than agreed. */
    assert_int_equal(ask(w, VERSION, "ds", 4096, "9P2000.L"), 0);
    assert_int_equal(ask(w, ATTACH, "ddssd", ROOT, -1, "root", "", 0), 0);
    assert_int_equal(walk_open(w, 1, "f", 2), 0);
    assert_int_equal(ask(w, SETATTR, "dddddqqqqq", 1, 8, 0, 0, 0, 1ll << 20, 0ll, 0ll, 0ll, 0ll),
                     0);
    assert_int_equal(ask(w, READ, "dqd", 1, 0ll, -1), 0);
    assert_int_equal(le32_get(w->body), 4096 - 11);
    assert_int_equal(ask_data(w, 1, 0, w->room, 4096), -EMSGSIZE);
}

/* ---- more than there is ---- */

static void many_fids(void **state)
{
    struct world *w = *state;
    int lowest = lowest_fd(), err = 0;
    uint32_t n;

    w->s->fids_max = 100;
    for (n = 1; n < 200 && !err; n++)
        err = walk(w, ROOT, n * P9_FID_SETS, "f"); /* all in one set */
    assert_int_equal(err, -EMFILE);
    assert_int_equal(w->s->fids, 100);
    assert_int_equal(ask(w, CLUNK, "d", P9_FID_SETS), 0);
    assert_int_equal(walk(w, ROOT, 7, "d"), 0);
    assert_int_equal(ask(w, VERSION, "ds", 8192, "9P2000.L"), 0);
    assert_in_range(lowest_fd(), 0, lowest); /* none is left behind: the root's own went, too */
}

/* A host out of descriptors: each request fails, none leaks, and all is well with more. */
static void no_descriptors(void **state)
{
    struct world *w = *state;
    struct rlimit was, few;
    int lowest;

    assert_int_equal(walk(w, ROOT, 1, "f"), 0);
    assert_int_equal(walk_open(w, 2, "f", 0), 0);
    assert_int_equal(walk(w, ROOT, 3, NULL), 0);
    assert_int_equal(walk(w, ROOT, 4, "d"), 0);
    lowest = lowest_fd();
    getrlimit(RLIMIT_NOFILE, &was);
    for (int more = 0; more < 3; more++) {
        few = was;
        few.rlim_cur = (rlim_t)(lowest + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        ask(w, WALK, "ddwss", ROOT, 10, 2, "d", "..");
        assert_true(w->req.err == -EMFILE || more);
        ask(w, CLUNK, "d", 10);
        ask(w, LOPEN, "dd", 1, 0);
        assert_true(w->req.err == -EMFILE || more);
        ask(w, LCREATE, "dsddd", 3, "new", 2, 0644, 0);
        assert_true(w->req.err == -EMFILE || more);
        ask(w, MKDIR, "dsdd", 4, "n", 0755, 0);
        assert_true(w->req.err == -EMFILE || more); /* the way up wants one */
        ask(w, ATTACH, "ddssd", 11, -1, "", "", 0);
        assert_true(w->req.err == -EMFILE || more);
        ask(w, CLUNK, "d", 11);
        ask(w, RENAME, "dds", 2, ROOT, "f2");
        assert_true(w->req.err == -EMFILE || more);
        ask(w, RENAME, "dds", 2, ROOT, "f");
        ask(w, LOCK, "dbdqqds", 2, 1, 1, 0ll, 1ll, 42, "guest");
        assert_int_equal(ask(w, READ, "dqd", 2, 0ll, 10), 0); /* what is open works on */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    }
    assert_int_equal(ask(w, VERSION, "ds", 8192, "9P2000.L"), 0);
    assert_in_range(lowest_fd(), 0, lowest);
}

static void too_big(void **state)
{
    struct world *w = *state;
    struct rlimit was, little = {.rlim_cur = 4096};
    uint8_t data[8192] = {0};
    sigset_t xfsz;

    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &xfsz, NULL);
    getrlimit(RLIMIT_FSIZE, &was);
    little.rlim_max = was.rlim_max;
    assert_int_equal(walk_open(w, 1, "f", 2), 0);
    setrlimit(RLIMIT_FSIZE, &little);
    assert_int_equal(ask_data(w, 1, 0, data, sizeof(data)), 0);
    assert_int_equal(le32_get(w->body), 4096); /* as much as there is room for */
    assert_int_equal(ask_data(w, 1, 4096, data, sizeof(data)), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &was);
}

static void too_deep(void **state)
{
    struct world *w = *state;
    int err = 0;
    unsigned n;

    assert_int_equal(walk(w, ROOT, 1, NULL), 0);
    for (n = 0; n < 2 * P9_DEPTH_MAX && !err; n++) {
        err = ask(w, MKDIR, "dsdd", 1, "x", 0755, 0);
        if (!err)
            assert_int_equal(walk(w, 1, 1, "x"), 0);
    }
    assert_int_equal(err, -ENAMETOOLONG);
    assert_in_range(n, P9_DEPTH_MAX, P9_DEPTH_MAX + 2);
    assert_int_equal(walk(w, 1, 1, ".."), -ENAMETOOLONG);
}

static void cancelled(void **state)
{
    struct world *w = *state;

    w->req.cancelled = true;
    assert_int_equal(ask(w, MKDIR, "dsdd", ROOT, "n", 0755, 0), -EINTR);
    w->req.cancelled = false;
    assert_false(there(w, "share/n"));
}

static const struct CMUnitTest tests[] = {
    SHARE(names),          PLAIN(names),          SHARE(upwards),     PLAIN(upwards),
    SHARE(links),          PLAIN(links),          SHARE(not_files),   SHARE(moved_away),
    PLAIN(moved_away),     SHARE(race),           PLAIN(race),        SHARE(cut_short),
    SHARE(noise),          PLAIN(noise),          SHARE(little_room), SHARE(many_fids),
    SHARE(no_descriptors), PLAIN(no_descriptors), SHARE(too_big),     SHARE(too_deep),
    SHARE(cancelled),      JAIL(names),           JAIL(upwards),      JAIL(links),
    JAIL(not_files),       JAIL(moved_away),      JAIL(race),         JAIL(cut_short),
    JAIL(noise),           JAIL(little_room),     JAIL(too_deep),
};

P9_TESTS(tests)
