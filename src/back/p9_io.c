/*
 * 9P2000.L: lopen, lcreate, read, write, fsync. Flags are Linux's open flags as x86 and the
 * protocol number them. What is opened is what the fid's descriptor names, and only a regular file
 * or a directory: nothing with a driver or a peer behind it.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { /* of the flags, those that mean something to the host's file */
       L_ACCMODE = 3,
       L_EXCL = 0200,
       L_TRUNC = 01000,
       L_APPEND = 02000,
       L_DSYNC = 010000,
       L_DIRECTORY = 0200000,
       L_SYNC = 04000000,
};
enum { IO_HEAD = 24, PAGE = 4096, FILE_MODE = 0777, CREATE_TRIES = 8, PIPE_MIN = 16384 };

/* What the client should read and write at once: whole pages. */
static uint32_t iounit(const struct p9_server *s)
{
    return (s->msize - IO_HEAD) / PAGE * PAGE;
}

static int host_flags(uint32_t flags)
{
    int f = (int)(flags & L_ACCMODE);

    if (flags & L_TRUNC)
        f |= O_TRUNC;
    if (flags & L_APPEND)
        f |= O_APPEND;
    if (flags & L_DSYNC)
        f |= O_DSYNC;
    if (flags & L_SYNC & ~(uint32_t)L_DSYNC)
        f |= O_SYNC;
    return f;
}

static bool writes(uint32_t flags)
{
    return flags & L_ACCMODE || flags & L_TRUNC;
}

/* May it be opened so? 0 or -errno. */
static int flags_judge(const struct p9_server *s, mode_t type, uint32_t flags)
{
    if ((flags & L_ACCMODE) == L_ACCMODE)
        return -EINVAL;
    if (writes(flags) && s->readonly)
        return -EROFS;
    if (flags & L_DIRECTORY && !S_ISDIR(type))
        return -ENOTDIR;
    return S_ISDIR(type) && writes(flags) ? -EISDIR : 0;
}

/* From now on the fid is fd, open. */
static int opened(struct p9_server *s, struct p9_fid *f, int fd, uint32_t flags, struct p9_out *out)
{
    struct stat st;
    int err = fstat(fd, &st) ? -errno : 0;

    if (err) {
        close(fd);
        return err;
    }
    close(f->fd);
    f->fd = fd;
    f->open = true;
    f->access = (int)(flags & L_ACCMODE);
    f->type = st.st_mode & S_IFMT;
    p9_put_qid(out, s, &st);
    p9_put32(out, iounit(s));
    return 0;
}

int p9_tlopen(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    uint32_t flags = p9_u32(in);
    int fd, err = p9_end(in);

    if (err)
        return err;
    if (!f)
        return -EBADF;
    if (f->open)
        return -EINVAL;
    err = flags_judge(s, f->type, flags);
    if (err)
        return err;
    fd = p9_reopen(s, f->fd, host_flags(flags));
    return fd < 0 ? fd : opened(s, f, fd, flags, out);
}

/* ---- lcreate ---- */

/* The file that is there already: a descriptor or -errno. */
static int open_there(struct p9_server *s, int dir, const char *name, uint32_t flags)
{
    struct stat st;
    int fd, look = p9_look(s, dir, name, &st);

    if (look < 0)
        return look;
    fd = flags_judge(s, st.st_mode & S_IFMT, flags);
    if (!fd)
        fd = S_ISDIR(st.st_mode) ? -EISDIR : p9_reopen(s, look, host_flags(flags));
    close(look);
    return fd;
}

/* New, or there: never by following what the last component is. Bound: CREATE_TRIES, as long as
 * somebody makes and removes it by turns. */
static int create(struct p9_server *s, int dir, const char *name, uint32_t flags, mode_t mode)
{
    int fd = -EEXIST;

    for (unsigned n = 0; n < CREATE_TRIES; n++) {
        fd = openat(dir, name, host_flags(flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        fd = fd < 0 ? -errno : fd;
        if (fd != -EEXIST || flags & L_EXCL)
            return fd;
        fd = open_there(s, dir, name, flags);
        if (fd != -ENOENT)
            return fd;
    }
    return fd;
}

int p9_tlcreate(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1];
    struct p9_fid *f;
    int err = p9_dir(s, in, &f), bad = p9_name(in, name), fd;
    uint32_t flags = p9_u32(in);
    mode_t mode = p9_u32(in) & FILE_MODE; /* no set-user-ID, set-group-ID, sticky bits */

    p9_u32(in); /* the group it shall have: the host's rules say that */
    if (bad || p9_end(in))
        return bad ? bad : -EINVAL;
    if (err)
        return err;
    if (f->open || (flags & L_ACCMODE) == L_ACCMODE)
        return -EINVAL;
    fd = create(s, f->fd, name, flags, mode);
    return fd < 0 ? fd : opened(s, f, fd, flags, out);
}

/* ---- read, write ---- */

/* The fid of a read or a write. 0 or -errno. */
static int io_fid(struct p9_server *s, uint32_t id, int not_access, struct p9_fid **f)
{
    *f = p9_fid_find(s, id);
    if (!*f || !(*f)->open || (*f)->access == not_access)
        return -EBADF;
    return S_ISDIR((*f)->type) ? -EISDIR : 0;
}

/* As much as there is up to len into the pipe, page by page and uncopied. Bytes, or -1: none of it
 * (some file systems can't). Whoever empties the pipe does so after each answer. */
static ssize_t file_splice(const struct p9_server *s, int fd, uint64_t len, off_t off)
{
    uint64_t got = 0;
    ssize_t n = 0;

    while (got < len) { /* ends: each turn takes something */
        n = splice(fd, &off, s->pipe, NULL, len - got, 0);
        if (n <= 0)
            break;
        got += (uint64_t)n;
    }
    return got || !n ? (ssize_t)got : -1;
}

static bool long_enough(const struct p9_server *s, uint64_t len)
{
    return s->pipe >= 0 && len >= PIPE_MIN && len <= s->pipe_room;
}

int p9_tread(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    uint32_t id = p9_u32(in);
    uint64_t off = p9_u64(in), len = p9_u32(in), room = in->req->room_len;
    struct iovec part[P9_IOVS];
    struct p9_fid *f;
    int err = p9_end(in);
    ssize_t got = -1;

    if (!err)
        err = io_fid(s, id, O_WRONLY, &f);
    if (err)
        return err;
    room = (room < s->msize ? room : s->msize) - P9_ERROR_LEN;
    len = len < room ? len : room;
    if (off > (uint64_t)INT64_MAX - len)
        return -EINVAL;
    if (long_enough(s, len))
        got = file_splice(s, f->fd, len, (off_t)off);
    out->piped = got > 0;
    if (got < 0)
        got = preadv(f->fd, part, p9_slice(in->req->room, in->req->rooms, P9_ERROR_LEN, len, part),
                     (off_t)off);
    if (got < 0)
        return -errno;
    p9_put32(out, (uint32_t)got);
    out->payload = (uint32_t)got;
    return 0;
}

int p9_twrite(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    uint32_t id = p9_u32(in);
    uint64_t off = p9_u64(in), len = p9_u32(in);
    struct iovec part[P9_IOVS];
    struct p9_fid *f;
    int err = p9_end(in);
    ssize_t put;

    if (!err && len != in->req->data_len)
        err = -EINVAL;
    if (!err)
        err = io_fid(s, id, O_RDONLY, &f);
    if (err)
        return err;
    if (off > (uint64_t)INT64_MAX - len)
        return -EINVAL;
    put = pwritev(f->fd, part, p9_slice(in->req->data, in->req->datas, 0, len, part), (off_t)off);
    if (put < 0)
        return -errno;
    p9_put32(out, (uint32_t)put);
    return 0;
}

int p9_tfsync(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct p9_fid *f = p9_fid_find(s, p9_u32(in));
    uint32_t data_only = p9_u32(in);

    (void)out;
    if (p9_end(in))
        return -EINVAL;
    if (!f || !f->open)
        return -EBADF;
    return (data_only ? fdatasync(f->fd) : fsync(f->fd)) ? -errno : 0;
}
