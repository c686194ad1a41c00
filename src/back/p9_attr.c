/*
 * 9P2000.L: getattr, setattr, statfs, readlink, readdir: what the host says of its files, as it
 * says it. Owners are the host's numbers; a guest can't give a file to anybody else, nor set the
 * bits by which a program would run as its owner.
 */
#include "back/p9_server.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GETATTR_BASIC = 0x7ff }; /* all up to blocks; no time of birth, generation, version */
enum {
    SET_MODE = 1,
    SET_UID = 2,
    SET_GID = 4,
    SET_SIZE = 8,
    SET_ATIME = 0x10,
    SET_MTIME = 0x20,
    SET_ATIME_TO = 0x80,
    SET_MTIME_TO = 0x100,
};
enum { FILE_MODE = 0777, DIR_MODE = 01777, NSEC = 1000000000 };

static void put_time(struct p9_out *out, const struct timespec *t)
{
    p9_put64(out, (uint64_t)t->tv_sec);
    p9_put64(out, (uint64_t)t->tv_nsec);
}

int p9_tgetattr(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    struct stat st;

    p9_u64(in); /* which of them: all come, at no cost */
    if (p9_end(in))
        return -EINVAL;
    if (!f)
        return -EBADF;
    if (fstat(f->fd, &st))
        return -errno;
    p9_put64(out, GETATTR_BASIC);
    p9_put_qid(out, s, &st);
    p9_put32(out, st.st_mode);
    p9_put32(out, st.st_uid);
    p9_put32(out, st.st_gid);
    p9_put64(out, st.st_nlink);
    p9_put64(out, st.st_rdev);
    p9_put64(out, (uint64_t)st.st_size);
    p9_put64(out, (uint64_t)st.st_blksize);
    p9_put64(out, (uint64_t)st.st_blocks);
    put_time(out, &st.st_atim);
    put_time(out, &st.st_mtim);
    put_time(out, &st.st_ctim);
    for (unsigned i = 0; i < 4; i++) /* birth in two fields, generation, data version */
        p9_put64(out, 0);
    return 0;
}

/* ---- setattr ---- */

struct attrs {
    uint32_t valid, mode, uid, gid;
    uint64_t size;
    struct {
        uint64_t sec, nsec;
    } atime, mtime;
};

static int set_size(const struct p9_server *s, const struct p9_fid *f, uint64_t size)
{
    int fd = f->fd, err;

    if (!S_ISREG(f->type))
        return S_ISDIR(f->type) ? -EISDIR : -EINVAL;
    if (size > INT64_MAX)
        return -EFBIG;
    if (!f->open || f->access == O_RDONLY)
        fd = p9_reopen(s, f->fd, O_WRONLY);
    if (fd < 0)
        return fd;
    err = ftruncate(fd, (off_t)size) ? -errno : 0;
    if (fd != f->fd)
        close(fd);
    return err;
}

static int set_mode(const struct p9_server *s, const struct p9_fid *f, mode_t mode)
{
    char name[16];

    if (!S_ISREG(f->type) && !S_ISDIR(f->type))
        return -EPERM;
    p9_fd_name(name, f->fd);
    mode &= S_ISDIR(f->type) ? DIR_MODE : FILE_MODE;
    return fchmodat(s->proc, name, mode, 0) ? -errno : 0;
}

static struct timespec time_of(uint64_t sec, uint64_t nsec, bool set, bool given)
{
    struct timespec t = {.tv_nsec = set ? UTIME_NOW : UTIME_OMIT};

    if (set && given)
        t = (struct timespec){(time_t)sec, (long)nsec};
    return t;
}

static int set_times(const struct p9_fid *f, const struct attrs *a)
{
    const struct timespec t[2] = {
        time_of(a->atime.sec, a->atime.nsec, a->valid & SET_ATIME, a->valid & SET_ATIME_TO),
        time_of(a->mtime.sec, a->mtime.nsec, a->valid & SET_MTIME, a->valid & SET_MTIME_TO)};

    return utimensat(f->fd, "", t, AT_EMPTY_PATH) ? -errno : 0;
}

/* To whom it belongs already, or nobody. */
static int owner_same(const struct p9_fid *f, const struct attrs *a)
{
    struct stat st;

    if (fstat(f->fd, &st))
        return -errno;
    if (a->valid & SET_UID && a->uid != st.st_uid && a->uid != UINT32_MAX)
        return -EPERM;
    return a->valid & SET_GID && a->gid != st.st_gid && a->gid != UINT32_MAX ? -EPERM : 0;
}

/* All that can be judged is, before the first of them is set. */
static int attrs_set(const struct p9_server *s, const struct p9_fid *f, const struct attrs *a)
{
    int err = 0;

    if (a->atime.nsec >= NSEC || a->mtime.nsec >= NSEC)
        return -EINVAL;
    if (a->valid & (SET_UID | SET_GID))
        err = owner_same(f, a);
    if (!err && a->valid & SET_SIZE)
        err = set_size(s, f, a->size);
    if (!err && a->valid & SET_MODE)
        err = set_mode(s, f, a->mode);
    if (!err && a->valid & (SET_ATIME | SET_MTIME))
        err = set_times(f, a);
    return err;
}

int p9_tsetattr(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    struct attrs a = {.valid = p9_u32(in)};

    (void)out;
    a.mode = p9_u32(in);
    a.uid = p9_u32(in);
    a.gid = p9_u32(in);
    a.size = p9_u64(in);
    a.atime.sec = p9_u64(in);
    a.atime.nsec = p9_u64(in);
    a.mtime.sec = p9_u64(in);
    a.mtime.nsec = p9_u64(in);
    if (p9_end(in))
        return -EINVAL;
    return f ? attrs_set(s, f, &a) : -EBADF;
}

/* ---- statfs, readlink ---- */

int p9_tstatfs(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    struct statfs st;
    uint8_t id[8];

    if (p9_end(in))
        return -EINVAL;
    if (!f)
        return -EBADF;
    if (fstatfs(f->fd, &st))
        return -errno;
    _Static_assert(sizeof(st.f_fsid) == sizeof(id), "f_fsid is two ints");
    memcpy(id, &st.f_fsid, sizeof(id));
    p9_put32(out, (uint32_t)st.f_type);
    p9_put32(out, (uint32_t)st.f_bsize);
    p9_put64(out, st.f_blocks);
    p9_put64(out, st.f_bfree);
    p9_put64(out, st.f_bavail);
    p9_put64(out, st.f_files);
    p9_put64(out, st.f_ffree);
    p9_put64(out, le64_get(id));
    p9_put32(out, (uint32_t)st.f_namelen);
    return 0;
}

/* The text of the link, whatever it says: it means something in the guest, and nothing here. */
int p9_treadlink(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    char text[P9_PATH_MAX];
    ssize_t n;

    if (p9_end(in))
        return -EINVAL;
    if (!f)
        return -EBADF;
    if (!S_ISLNK(f->type))
        return -EINVAL;
    n = readlinkat(f->fd, "", text, sizeof(text));
    if (n < 0)
        return -errno;
    p9_put_text(out, text, (size_t)n);
    return 0;
}

/* ---- readdir ---- */

enum { ENTRY_FIXED = P9_QID_LEN + 8 + 1 + 2 };

static uint32_t entry_put(const struct p9_server *s, uint8_t *to, const struct dirent64 *e,
                          bool in_root)
{
    size_t len = strlen(e->d_name);
    /* What is above the root is none of the guest's business, not even its number. */
    uint64_t ino = in_root && !strcmp(e->d_name, "..") ? s->root_ino : e->d_ino;

    to[0] = e->d_type == DT_DIR ? 0x80 : e->d_type == DT_LNK ? 2 : 0;
    le32_put(to + 1, 0);
    le64_put(to + 5, ino);
    le64_put(to + P9_QID_LEN, (uint64_t)e->d_off);
    to[P9_QID_LEN + 8] = e->d_type;
    le16_put(to + P9_QID_LEN + 9, (uint16_t)len);
    memcpy(to + ENTRY_FIXED, e->d_name, len);
    return ENTRY_FIXED + (uint32_t)len;
}

/* As many of s->dents' len bytes as fit into room bytes of s->dir. */
static uint32_t entries_put(struct p9_server *s, size_t len, uint32_t room, bool in_root)
{
    uint32_t used = 0;

    for (size_t at = 0; at < len;) { /* bound: P9_DIR_BUF bytes that the kernel wrote */
        const struct dirent64 *e = (const void *)(s->dents + at);

        if (ENTRY_FIXED + strlen(e->d_name) > room - used)
            break;
        used += entry_put(s, s->dir + used, e, in_root);
        at += e->d_reclen;
    }
    return used;
}

/* From where the last reply ended, by the host's own cookie: bytes in s->dents, or -errno. */
static long entries_get(struct p9_server *s, const struct p9_fid *f, uint64_t off)
{
    long got;

    if (off > INT64_MAX)
        return -EINVAL;
    if (lseek(f->fd, (off_t)off, SEEK_SET) < 0)
        return -errno;
    got = syscall(SYS_getdents64, f->fd, s->dents, sizeof(s->dents));
    return got < 0 ? -errno : got;
}

int p9_treaddir(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    uint64_t off = p9_u64(in), room = in->req->room_len;
    uint32_t len = p9_u32(in), used;
    struct stat st;
    long got;

    if (p9_end(in))
        return -EINVAL;
    if (!f || !f->open)
        return -EBADF;
    if (!S_ISDIR(f->type))
        return -ENOTDIR;
    room = (room < s->msize ? room : s->msize) - P9_ERROR_LEN;
    room = room < sizeof(s->dir) ? room : sizeof(s->dir);
    len = len < room ? len : (uint32_t)room;
    got = entries_get(s, f, off);
    if (got < 0)
        return (int)got;
    if (fstat(f->fd, &st))
        return -errno;
    used = entries_put(s, (size_t)got, len, st.st_ino == s->root_ino && st.st_dev == s->root_dev);
    if (got && !used)
        return -EINVAL; /* not room for one, as getdents says it */
    p9_copy(in->req->room, in->req->rooms, P9_ERROR_LEN, s->dir, used);
    p9_put32(out, used);
    out->payload = used;
    return 0;
}
