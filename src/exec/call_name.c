/* Changing names and attributes: always by a directory found inside the root, and a last name. */
#include "exec/call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct name {
    struct prog_path path;
    const char *last;
    bool slash; /* there was one behind it: only a directory may be meant */
    int dir;    /* O_PATH descriptor */
};

/* Trailing slashes are no part of a name: mkdir("a/") makes a. */
static int name_find(struct prog *p, uint64_t dirfd, uint64_t at, struct name *n)
{
    int err = prog_path(p, (int)dirfd, at, &n->path);
    size_t len;

    if (err)
        return err;
    len = strlen(n->path.text);
    n->slash = n->path.text[len - 1] == '/';
    for (; len > 1 && n->path.text[len - 1] == '/'; len--)
        n->path.text[len - 1] = 0;
    n->dir = root_parent(&p->root, n->path.text, &n->last);
    return n->dir < 0 ? n->dir : 0;
}

/* Of names that must exist: as Linux, a slash behind what is no directory is an error. */
static int name_of_dir(struct prog *p, const struct name *n)
{
    struct stat st;
    int fd = n->slash ? root_find(&p->root, n->path.text, false) : -1, err = 0;

    if (!n->slash)
        return 0;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) || !S_ISDIR(st.st_mode))
        err = -ENOTDIR;
    close(fd);
    return err;
}

/* name_find of a name that must exist. */
static int name_found(struct prog *p, uint64_t dirfd, uint64_t at, struct name *n)
{
    int err = name_find(p, dirfd, at, n);

    if (err)
        return err;
    err = name_of_dir(p, n);
    if (err)
        close(n->dir);
    return err;
}

static int64_t name_end(struct name *n, int r)
{
    int64_t err = r ? -errno : 0;

    close(n->dir);
    return err;
}

int64_t call_unlinkat(struct prog *p, const uint64_t a[6])
{
    struct name n;
    int err = (int)a[2] & ~AT_REMOVEDIR ? -EINVAL : name_found(p, a[0], a[1], &n);

    return err ? err : name_end(&n, unlinkat(n.dir, n.last, (int)a[2]));
}

int64_t call_mkdirat(struct prog *p, const uint64_t a[6])
{
    struct name n;
    int err = name_find(p, a[0], a[1], &n);

    return err ? err : name_end(&n, mkdirat(n.dir, n.last, (mode_t)a[2] & ROOT_MODE));
}

int64_t call_symlinkat(struct prog *p, const uint64_t a[6])
{
    char target[PROG_PATH_MAX];
    struct name n;
    int err = space_string(&p->space, a[0], target, sizeof(target));

    err = err < 0 ? err : name_find(p, a[1], a[2], &n);
    return err ? err : name_end(&n, symlinkat(target, n.dir, n.last));
}

int64_t call_renameat2(struct prog *p, const uint64_t a[6])
{
    struct name from, to;
    int err = a[4] & ~3ull ? -EINVAL : name_found(p, a[0], a[1], &from);
    int64_t r;

    if (err)
        return err;
    err = name_find(p, a[2], a[3], &to);
    if (err) {
        close(from.dir);
        return err;
    }
    r = name_end(&to,
                 (int)syscall(SYS_renameat2, from.dir, from.last, to.dir, to.last, (unsigned)a[4]));
    close(from.dir);
    return r;
}

/* Never of what a link points to: the last name is not followed. */
int64_t call_linkat(struct prog *p, const uint64_t a[6])
{
    struct name from, to;
    int err = name_found(p, a[0], a[1], &from);
    int64_t r;

    if (err)
        return err;
    err = name_find(p, a[2], a[3], &to);
    if (err) {
        close(from.dir);
        return err;
    }
    r = name_end(&to, linkat(from.dir, from.last, to.dir, to.last, 0));
    close(from.dir);
    return r;
}

/* What attributes are changed of: an O_PATH descriptor, by the name it has in /proc. */
static int path_for(struct prog *p, uint64_t dirfd, uint64_t at, bool follow, char *buf,
                    size_t room)
{
    struct prog_path path;
    int fd, err = prog_path(p, (int)dirfd, at, &path);

    if (err)
        return err;
    if (p->root.readonly)
        return -EROFS;
    fd = root_find(&p->root, path.text, follow);
    if (fd >= 0)
        snprintf(buf, room, "%d", fd);
    return fd;
}

int64_t call_fchmodat(struct prog *p, const uint64_t a[6])
{
    char name[16];
    int err, fd = path_for(p, a[0], a[1], true, name, sizeof(name));

    if (fd < 0)
        return fd;
    err = fchmodat(p->root.self, name, (mode_t)a[2] & ROOT_MODE, 0) ? -errno : 0;
    close(fd);
    return err;
}

static struct file *file_to_change(struct prog *p, uint64_t fd, int *err)
{
    struct file *f = prog_file(p, fd);

    *err = !f || (f->flags & O_PATH)     ? -EBADF
           : f->fd < 0 || p->root.fd < 0 ? -EPERM
           : p->root.readonly            ? -EROFS
                                         : 0;
    return f;
}

int64_t call_fchmod(struct prog *p, const uint64_t a[6])
{
    int err;
    struct file *f = file_to_change(p, a[0], &err);

    return err ? err : fchmod(f->fd, (mode_t)a[1] & ROOT_MODE) ? -errno : 0;
}

int64_t call_fchownat(struct prog *p, const uint64_t a[6])
{
    char name[16];
    int err, fd = path_for(p, a[0], a[1], !(a[4] & AT_SYMLINK_NOFOLLOW), name, sizeof(name));

    if (fd < 0)
        return fd;
    err = fchownat(fd, "", (uid_t)a[2], (gid_t)a[3], AT_EMPTY_PATH) ? -errno : 0;
    close(fd);
    return err;
}

int64_t call_fchown(struct prog *p, const uint64_t a[6])
{
    int err;
    struct file *f = file_to_change(p, a[0], &err);

    return err ? err : fchown(f->fd, (uid_t)a[1], (gid_t)a[2]) ? -errno : 0;
}

/* utimensat(dirfd, path or NULL, times or NULL, flags) */
int64_t call_utimensat(struct prog *p, const uint64_t a[6])
{
    unsigned size = p->now->narrow ? 8 : 16;
    struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    char name[16];
    int err = 0, fd;

    if (a[2] && (prog_get_time(p, a[2], &ts[0]) || prog_get_time(p, a[2] + size, &ts[1])))
        return -EFAULT;
    if (!a[1]) {
        struct file *f = file_to_change(p, a[0], &err);

        return err ? err : futimens(f->fd, ts) ? -errno : 0;
    }
    fd = path_for(p, a[0], a[1], !(a[3] & AT_SYMLINK_NOFOLLOW), name, sizeof(name));
    if (fd < 0)
        return fd;
    /* A link itself has no such name; Linux takes an empty one since 5.8. */
    err = syscall(SYS_utimensat, fd, "", ts, AT_EMPTY_PATH) ? -errno : 0;
    close(fd);
    return err;
}

int64_t call_umask(struct prog *p, const uint64_t a[6])
{
    unsigned was = p->umask_bits;

    p->umask_bits = (unsigned)a[0] & 0777;
    umask((mode_t)p->umask_bits);
    return was;
}
