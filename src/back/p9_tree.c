/*
 * 9P2000.L: mkdir, symlink, mknod, link, rename, renameat, unlinkat, remove. Each names one
 * component in a directory that p9_dir has judged, and none of them follows what stands there.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { UNLINK_DIR = 0x200 }; /* AT_REMOVEDIR, as the protocol numbers it */
enum { FILE_MODE = 0777, DIR_MODE = 01777 };

/* The qid of what was just made in dir. */
static int made(struct p9_server *s, int dir, const char *name, struct p9_out *out)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return -errno;
    p9_put_qid(out, s, &st);
    return 0;
}

/* The message's end, then what was wrong before it, in that order. */
static int judged(const struct p9_in *in, int bad_name, int bad_dir)
{
    if (bad_name)
        return bad_name;
    return p9_end(in) ? -EINVAL : bad_dir;
}

int p9_tmkdir(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1];
    struct p9_fid *f;
    int err = p9_dir(s, in, &f), bad = p9_name(in, name);
    mode_t mode = p9_u32(in) & DIR_MODE;

    p9_u32(in); /* group */
    err = judged(in, bad, err);
    if (!err && mkdirat(f->fd, name, mode))
        err = -errno;
    return err ? err : made(s, f->fd, name, out);
}

int p9_tsymlink(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1], text[P9_PATH_MAX];
    struct p9_fid *f;
    int err = p9_dir(s, in, &f), bad = p9_name(in, name);

    if (!bad)
        bad = p9_text(in, text, sizeof(text) - 1);
    p9_u32(in); /* group */
    err = judged(in, bad, err);
    if (!err && symlinkat(text, f->fd, name))
        err = -errno;
    return err ? err : made(s, f->fd, name, out);
}

/* Regular files only: what has a driver or a peer behind it stays a thing of the guest's own. */
int p9_tmknod(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1];
    struct p9_fid *f;
    int fd, err = p9_dir(s, in, &f), bad = p9_name(in, name);
    uint32_t mode = p9_u32(in);

    p9_u64(in); /* major, minor */
    p9_u32(in); /* group */
    err = judged(in, bad, err);
    if (err)
        return err;
    if (!S_ISREG(mode) && mode & S_IFMT)
        return -EPERM;
    fd =
        openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & FILE_MODE);
    if (fd < 0)
        return -errno;
    close(fd);
    return made(s, f->fd, name, out);
}

int p9_tlink(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1], file[16];
    struct p9_fid *dir, *f;
    int err = p9_dir(s, in, &dir), bad;

    (void)out;
    f = p9_fid_find(s, p9_u32(in));
    bad = p9_name(in, name);
    err = judged(in, bad, err);
    if (err)
        return err;
    if (!f)
        return -EBADF;
    if (!S_ISREG(f->type))
        return -EPERM;
    p9_fd_name(file, f->fd);
    return linkat(s->proc, file, dir->fd, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

/* ---- renaming ---- */

int p9_trenameat(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char from[P9_NAME_MAX + 1], to[P9_NAME_MAX + 1];
    struct p9_fid *old, *new;
    int err = p9_dir(s, in, &old), bad = p9_name(in, from), err2 = p9_dir(s, in, &new);

    (void)out;
    if (!bad)
        bad = p9_name(in, to);
    err = judged(in, bad, err ? err : err2);
    if (!err && renameat(old->fd, from, new->fd, to))
        err = -errno;
    return err;
}

int p9_trename(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char from[P9_NAME_MAX + 1], to[P9_NAME_MAX + 1];
    struct p9_fid *f = p9_fid_find(s, p9_u32(in)), *dir;
    int old, err = p9_dir(s, in, &dir), bad = p9_name(in, to);

    (void)out;
    err = judged(in, bad, err);
    if (err)
        return err;
    old = f ? p9_parent(s, f, from) : -EBADF;
    if (old < 0)
        return old;
    err = renameat(old, from, dir->fd, to) ? -errno : 0;
    close(old);
    return err;
}

/* ---- removing ---- */

int p9_tunlinkat(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    char name[P9_NAME_MAX + 1];
    struct p9_fid *f;
    int err = p9_dir(s, in, &f), bad = p9_name(in, name);
    uint32_t flags = p9_u32(in);

    (void)out;
    err = judged(in, bad, err);
    if (err)
        return err;
    if (flags & ~(uint32_t)UNLINK_DIR)
        return -EINVAL;
    return unlinkat(f->fd, name, flags ? AT_REMOVEDIR : 0) ? -errno : 0;
}

static int fid_unlink(struct p9_server *s, const struct p9_fid *f)
{
    char name[P9_NAME_MAX + 1];
    int err, dir = p9_parent(s, f, name);

    if (dir < 0)
        return dir;
    err = unlinkat(dir, name, S_ISDIR(f->type) ? AT_REMOVEDIR : 0) ? -errno : 0;
    close(dir);
    return err;
}

/* The fid is gone afterwards, whatever became of the file. */
int p9_tremove(struct p9_server *s, struct p9_in *in, struct p9_out *out)
{
    uint32_t id = p9_u32(in);
    struct p9_fid *f = p9_fid_find(s, id);
    int err = p9_end(in);

    (void)out;
    if (err)
        return err;
    if (!f)
        return -EBADF;
    err = s->readonly ? -EROFS : fid_unlink(s, f);
    p9_fid_drop(s, id);
    return err;
}
