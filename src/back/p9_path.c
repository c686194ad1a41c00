/*
 * Names to descriptors, and never out of the share: the only file of the server that looks names
 * up. The rules are told in p9_server.h. openat2(2) and path_resolution(7); /proc/self/fd as in
 * proc(5): opening an entry there opens what the descriptor names, whatever its names on the host
 * are now.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Another file system mounted in the share is not part of it. */
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)
#define O_LOOK  (O_PATH | O_NOFOLLOW | O_CLOEXEC)

int p9_name(struct p9_in *in, char name[P9_NAME_MAX + 1])
{
    int err = p9_text(in, name, P9_NAME_MAX);

    if (err)
        return err;
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
        return -EINVAL;
    return 0;
}

static bool is_root(const struct p9_server *s, const struct stat *st)
{
    return st->st_dev == s->root_dev && st->st_ino == s->root_ino;
}

/* fstat, for a descriptor just opened: closes it on error. */
static int told(int fd, struct stat *st)
{
    int err;

    if (fd < 0)
        return -errno;
    if (!fstat(fd, st))
        return fd;
    err = -errno;
    close(fd);
    return err;
}

int p9_inside(const struct p9_server *s, int dir)
{
    struct stat st, below;
    int fd, at = dir, err = fstat(dir, &below) ? -errno : 0;

    for (unsigned n = 0; !err && !is_root(s, &below); n++) { /* bound: P9_DEPTH_MAX */
        fd = n < P9_DEPTH_MAX ? told(openat(at, "..", O_LOOK | O_DIRECTORY), &st) : -ENAMETOOLONG;
        if (at != dir)
            close(at);
        at = dir;
        if (fd < 0)
            return fd;
        at = fd;
        if (st.st_dev == below.st_dev && st.st_ino == below.st_ino)
            err = -ESTALE; /* the host's own root: the share is not above */
        below = st;
    }
    if (at != dir)
        close(at);
    return err;
}

/* Without openat2: one component can't leave dir; a mount point shows by its device. */
static int look_plain(int dir, const char *name, struct stat *st)
{
    struct stat above;
    int fd;

    if (fstat(dir, &above))
        return -errno;
    fd = told(openat(dir, name, O_LOOK), st);
    if (fd >= 0 && st->st_dev != above.st_dev) {
        close(fd);
        return -EXDEV;
    }
    return fd;
}

int p9_look(const struct p9_server *s, int dir, const char *name, struct stat *st)
{
    struct open_how how = {.flags = O_LOOK, .resolve = RESOLVE};
    int fd = -1;

    if (!s->openat2)
        return look_plain(dir, name, st);
    for (unsigned n = 0; n < 8; n++) { /* EAGAIN: a rename raced with it. Bound: this many tries */
        fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return told(fd, st);
}

int p9_up(const struct p9_server *s, int dir, struct stat *st)
{
    int err, fd;

    if (fstat(dir, st))
        return -errno;
    fd = told(openat(dir, is_root(s, st) ? "." : "..", O_LOOK | O_DIRECTORY), st);
    err = fd < 0 ? fd : p9_inside(s, fd); /* looked at after it was opened: a rename may race */
    if (err && fd >= 0)
        close(fd);
    return err ? err : fd;
}

void p9_fd_name(char name[16], int fd)
{
    snprintf(name, 16, "%d", fd);
}

int p9_reopen(const struct p9_server *s, int fd, int flags)
{
    char name[16];
    struct stat st;
    int got;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return S_ISLNK(st.st_mode) ? -ELOOP : -EPERM;
    p9_fd_name(name, fd);
    /* NONBLOCK: a lease that somebody has on the file is an error, not a wait */
    got = openat(s->proc, name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return got < 0 ? -errno : got;
}

int p9_dir(struct p9_server *s, struct p9_in *in, struct p9_fid **dir)
{
    *dir = p9_fid_find(s, p9_u32(in));
    if (in->bad)
        return -EINVAL;
    if (!*dir)
        return -EBADF;
    return S_ISDIR((*dir)->type) ? p9_inside(s, (*dir)->fd) : -ENOTDIR;
}

/* ---- a fid's own name ---- */

/* Where fd is, by the host's word. 0 or -errno. */
static int fd_path(const struct p9_server *s, int fd, char path[P9_PATH_MAX])
{
    char name[16];
    ssize_t n;

    p9_fd_name(name, fd);
    n = readlinkat(s->proc, name, path, P9_PATH_MAX);
    if (n < 0)
        return -errno;
    if (n == P9_PATH_MAX)
        return -ENAMETOOLONG;
    path[n] = 0;
    return 0;
}

/* The path of fd from the share's root on, without a '/' before it. */
static int fd_below(const struct p9_server *s, int fd, char path[P9_PATH_MAX])
{
    char root[P9_PATH_MAX];
    int err = fd_path(s, s->root, root);
    size_t n;

    if (!err)
        err = fd_path(s, fd, path);
    if (err)
        return err;
    n = strlen(root);
    if (n == 1) /* "/" */
        n = 0;
    if (strncmp(path, root, n) || path[n] != '/' || !path[n + 1])
        return -ESTALE;
    memmove(path, path + n + 1, strlen(path + n + 1) + 1);
    return 0;
}

/* Is name in dir what fid is? The path was words, and may be old. */
static int same(const struct p9_fid *f, int dir, const char *name)
{
    struct stat want, got;

    if (fstat(f->fd, &want) || fstatat(dir, name, &got, AT_SYMLINK_NOFOLLOW))
        return -errno;
    return want.st_dev == got.st_dev && want.st_ino == got.st_ino ? 0 : -ESTALE;
}

int p9_parent(const struct p9_server *s, const struct p9_fid *f, char name[P9_NAME_MAX + 1])
{
    char path[P9_PATH_MAX], *at = path, *slash;
    int dir, below, err = fd_below(s, f->fd, path);
    struct stat st;

    if (err)
        return err;
    dir = fcntl(s->root, F_DUPFD_CLOEXEC, 0);
    if (dir < 0)
        return -errno;
    for (; (slash = strchr(at, '/')); at = slash + 1) { /* bound: P9_PATH_MAX */
        *slash = 0;
        below = p9_look(s, dir, at, &st);
        close(dir);
        if (below < 0)
            return below;
        dir = below;
    }
    err = strlen(at) > P9_NAME_MAX ? -ENAMETOOLONG : same(f, dir, at);
    if (err) {
        close(dir);
        return err;
    }
    memcpy(name, at, strlen(at) + 1);
    return dir;
}
