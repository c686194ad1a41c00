/*
 * 9P2000.L: lock, getlock. The guest's POSIX and whole-file locks become locks of the fid's open
 * file on the host (fcntl_locking(2), open file description locks), so that they hold against the
 * host's programs and other machines as well. Nobody waits here: a lock that is taken is answered
 * "blocked", and the client asks again.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_NONE = 2 }; /* type */
enum { STATUS_SUCCESS = 0, STATUS_BLOCKED = 1 };

struct range {
    uint8_t type;
    uint64_t start, length;
    uint32_t proc;
    char client[P9_NAME_MAX + 1];
};

/* 0 or -errno; flags is what stands between type and start in Tlock only. */
static int range_get(struct p9_in *in, bool flags, struct range *r)
{
    int err;

    r->type = p9_u8(in);
    if (flags)
        p9_u32(in);
    r->start = p9_u64(in);
    r->length = p9_u64(in);
    r->proc = p9_u32(in);
    err = p9_text(in, r->client, P9_NAME_MAX);
    if (!err)
        err = p9_end(in);
    if (err)
        return err;
    if (r->type > TYPE_NONE || r->start > INT64_MAX || r->length > INT64_MAX - r->start)
        return -EINVAL;
    return 0;
}

static struct flock flock_of(const struct range *r)
{
    static const short type[] = {
        [TYPE_READ] = F_RDLCK, [TYPE_WRITE] = F_WRLCK, [TYPE_NONE] = F_UNLCK};

    return (struct flock){.l_type = type[r->type],
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)r->start,
                          .l_len = (off_t)r->length};
}

/* flock(2) in the guest wants locks that the file's own descriptor can't take here: exclusive ones
 * on a file open for reading, shared ones on a file open for writing. So all locks of such a fid
 * are another descriptor's. */
static int lock_fd(struct p9_server *s, struct p9_fid *f)
{
    int fd;

    if (f->access == O_RDWR || s->readonly || !S_ISREG(f->type))
        return f->fd;
    if (f->lock_fd < 0) {
        if (s->fids >= s->fids_max)
            return f->fd;
        fd = p9_reopen(s, f->fd, O_RDWR);
        if (fd < 0)
            return f->fd; /* what its mode lets us have */
        f->lock_fd = fd;
        s->fids++; /* it counts as one more */
    }
    return f->lock_fd;
}

/* What both requests begin with: the descriptor that the fid's locks are of, or -errno; what is
 * asked of it in r and l. */
static int lock_begin(struct p9_server *s, struct p9_in *in, bool flags, struct range *r,
                      struct flock *l)
{
    uint32_t id = p9_u32(in);
    int err = range_get(in, flags, r);
    struct p9_fid *f = p9_fid_find(s, id);

    if (err)
        return err;
    *l = flock_of(r);
    return f && f->open ? lock_fd(s, f) : -EBADF;
}

int p9_tlock(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct range r;
    struct flock l;
    int fd = lock_begin(s, in, true, &r, &l);

    if (fd < 0)
        return fd;
    if (!fcntl(fd, F_OFD_SETLK, &l)) {
        p9_put8(out, STATUS_SUCCESS);
        return 0;
    }
    if (errno != EAGAIN && errno != EACCES)
        return errno == EBADF ? -ENOLCK : -errno;
    p9_put8(out, STATUS_BLOCKED);
    return 0;
}

int p9_tgetlock(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    struct range r;
    struct flock l;
    int fd = lock_begin(s, in, false, &r, &l);

    if (fd < 0)
        return fd;
    if (r.type == TYPE_NONE) /* what Linux sends whatever it was asked: any lock that is there */
        l.l_type = F_WRLCK;
    if (fcntl(fd, F_OFD_GETLK, &l))
        return -errno;
    p9_put8(out, l.l_type == F_RDLCK ? TYPE_READ : l.l_type == F_WRLCK ? TYPE_WRITE : TYPE_NONE);
    p9_put64(out, (uint64_t)l.l_start);
    p9_put64(out, (uint64_t)l.l_len);
    p9_put32(out, l.l_pid > 0 ? (uint32_t)l.l_pid : r.proc); /* -1: an open file's, nobody's */
    p9_put_text(out, r.client, strlen(r.client));
    return 0;
}
