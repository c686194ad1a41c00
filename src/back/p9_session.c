/*
 * 9P2000.L: version, attach, flush, walk, clunk. One session at a time: Tversion ends the one
 * before. There is no authentication: whoever has the device has the share, as the user that runs
 * this.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MSIZE_MIN = 4096, VERSION_MAX = 32, NOFID = -1 };

int p9_tversion(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    static const char ours[] = "9P2000.L", unknown[] = "unknown";
    char theirs[VERSION_MAX + 1];
    uint32_t msize = p9_u32(in);
    int err = p9_text(in, theirs, VERSION_MAX);
    const char *say;

    if (err == -EINVAL || (!err && p9_end(in)))
        return -EINVAL;
    if (msize < MSIZE_MIN)
        return -EMSGSIZE;
    p9_server_forget(s);
    s->msize = msize < P9_MSIZE_MAX ? msize : P9_MSIZE_MAX;
    s->versioned = !err && !strcmp(theirs, ours);
    say = s->versioned ? ours : unknown;
    p9_put32(out, s->msize);
    p9_put_text(out, say, strlen(say));
    return 0;
}

/* A share is one tree: it has no other names than these. */
static bool tree_known(const char *aname)
{
    return !*aname || !strcmp(aname, "/");
}

int p9_tattach(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char uname[P9_NAME_MAX + 1], aname[P9_NAME_MAX + 1];
    uint32_t id = p9_u32(in), afid = p9_u32(in);
    int fd, err = p9_text(in, uname, P9_NAME_MAX);
    struct stat st;

    if (!err)
        err = p9_text(in, aname, P9_NAME_MAX);
    p9_u32(in); /* who it is in the guest: all are the same here */
    if (!err)
        err = p9_end(in);
    if (err)
        return err;
    if (afid != (uint32_t)NOFID || id == (uint32_t)NOFID)
        return -EINVAL;
    if (!tree_known(aname))
        return -ENOENT;
    if (fstat(s->root, &st))
        return -errno;
    fd = fcntl(s->root, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    p9_put_qid(out, s, &st);
    return p9_fid_add(s, id, fd, st.st_mode);
}

/* Requests are served in order, so the one that it names has been answered. */
int p9_tflush(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    (void)s;
    (void)out;
    p9_u16(in);
    return p9_end(in);
}

/* ---- walk ---- */

struct walk {
    int fd; /* how far it has come */
    struct stat st;
    unsigned done, names;
    struct stat seen[P9_WALK_MAX];
};

/* One name on. Another descriptor than before, or -errno with the one before still there. */
static int step(struct p9_server *s, struct walk *w, const char *name)
{
    struct stat st;
    int fd;

    if (!S_ISDIR(w->st.st_mode))
        return -ENOTDIR;
    fd = strcmp(name, "..") ? p9_look(s, w->fd, name, &st) : p9_up(s, w->fd, &st);
    if (fd < 0)
        return fd;
    close(w->fd);
    w->fd = fd;
    w->st = w->seen[w->done++] = st;
    return 0;
}

/* A name of Twalk, which may be "..". */
static int walk_name(struct p9_in *in, char name[P9_NAME_MAX + 1])
{
    const uint8_t *at = in->at;
    int err = p9_text(in, name, P9_NAME_MAX);

    if (err || !strcmp(name, ".."))
        return err;
    in->at = at;
    return p9_name(in, name);
}

/* All names are judged before the first is looked up. Bound: P9_WALK_MAX. */
static int walk_names(struct p9_in in, unsigned names)
{
    char name[P9_NAME_MAX + 1];
    int err = names > P9_WALK_MAX ? -EINVAL : 0;

    while (!err && names--)
        err = walk_name(&in, name);
    return err ? err : p9_end(&in);
}

/* 0, or the -errno of the first name that is not there. */
static int walk_all(struct p9_server *s, struct p9_in *in, struct walk *w)
{
    char name[P9_NAME_MAX + 1];
    int err = 0;

    while (!err && w->done < w->names) {
        walk_name(in, name);
        err = step(s, w, name);
    }
    return err;
}

/* The descriptor a walk starts from: a second one for what the fid names. An open file's would
 * share its locks. */
static int walk_begin(struct p9_server *s, const struct p9_fid *f, struct walk *w)
{
    if (fstat(f->fd, &w->st))
        return -errno;
    w->fd = f->open ? p9_reopen(s, f->fd, O_PATH) : fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    return w->fd >= 0 ? 0 : f->open ? w->fd : -errno;
}

/* Where it came to becomes newid, if that is the end; else only how far it came is told. */
static int walk_end(struct p9_server *s, uint32_t id, uint32_t newid, struct walk *w)
{
    if (w->done < w->names) {
        close(w->fd);
        return 0;
    }
    if (newid == id)
        p9_fid_drop(s, id);
    return p9_fid_add(s, newid, w->fd, w->st.st_mode);
}

int p9_twalk(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    uint32_t id = p9_u32(in), newid = p9_u32(in);
    struct walk w = {.names = p9_u16(in)};
    struct p9_fid *f = p9_fid_find(s, id);
    int err = walk_names(*in, w.names);

    if (err)
        return err;
    if (!f)
        return -EBADF;
    if (P9_HEAD + 2 + w.names * P9_QID_LEN > in->req->room_len)
        return -EMSGSIZE;
    if (newid == (uint32_t)NOFID || (newid != id && p9_fid_find(s, newid)))
        return -EINVAL;
    if (w.names && S_ISDIR(f->type))
        err = p9_inside(s, f->fd);
    if (!err)
        err = walk_begin(s, f, &w);
    if (err)
        return err;
    err = walk_all(s, in, &w);
    if (err && !w.done) {
        close(w.fd);
        return err;
    }
    p9_put16(out, (uint16_t)w.done);
    for (unsigned i = 0; i < w.done; i++)
        p9_put_qid(out, s, &w.seen[i]);
    return walk_end(s, id, newid, &w);
}

int p9_tclunk(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    uint32_t id = p9_u32(in);

    (void)out;
    return p9_end(in) ? -EINVAL : p9_fid_drop(s, id);
}
