/* The path policy: openat2(2). Host files are only ever reached through here. */
#include "exec/root.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TRIES 8 /* an open with O_CREAT against others that make and unlink the name */

static int root_judge(const struct root *r, const char *dir, struct error *err)
{
    int fd = root_find(r, ".", true);
    struct statfs fs;

    if (fd == -ENOSYS)
        return error_set(err, -ENOSYS, "--root needs openat2 (Linux 5.6)");
    if (fd < 0 || fstatfs(fd, &fs))
        return error_set(err, -EINVAL, "--root %s: %s", dir, strerror(fd < 0 ? -fd : errno));
    close(fd);
    if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
        return error_set(err, -EINVAL, "--root %s: must be a directory of files", dir);
    return 0;
}

int root_open(struct root *r, const char *dir, bool readonly, struct error *err)
{
    *r = (struct root){.fd = -1, .self = -1, .readonly = readonly};
    if (!dir)
        return 0;
    r->fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->fd < 0)
        return error_set(err, -errno, "--root %s: %s", dir, strerror(errno));
    r->self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->self < 0)
        return error_set(err, -errno, "--root needs /proc: %s", strerror(errno));
    return root_judge(r, dir, err);
}

void root_close(struct root *r)
{
    if (r->fd >= 0)
        close(r->fd);
    if (r->self >= 0)
        close(r->self);
    r->fd = r->self = -1;
}

static int open_in(const struct root *r, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .mode = flags & O_CREAT ? mode & ROOT_MODE : 0,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd;

    if (r->fd < 0)
        return -ENOENT;
    fd = syscall(SYS_openat2, r->fd, *path ? path : ".", &how, sizeof(how));
    return fd < 0 ? -errno : (int)fd;
}

int root_find(const struct root *r, const char *path, bool follow)
{
    return open_in(r, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
}

/* What the O_PATH descriptor stands for, if it is a kind that may be opened. Judged first: opening
 * a device node does something by itself. */
static int reopen(const struct root *r, int path, int flags)
{
    char name[16];
    struct stat st;
    int fd;

    if (fstat(path, &st))
        return -errno;
    if (S_ISLNK(st.st_mode))
        return -ELOOP;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISFIFO(st.st_mode))
        return -ENXIO;
    snprintf(name, sizeof(name), "%d", path);
    flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW);
    fd = openat(r->self, name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (!(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags & O_APPEND);
    return fd;
}

static bool changes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

static int open_once(const struct root *r, const char *path, int flags, mode_t mode)
{
    int found = root_find(r, path, !(flags & O_NOFOLLOW)), fd;

    if (found == -ENOENT && (flags & O_CREAT) && !r->readonly)
        return open_in(r, path, (flags & ~O_NOFOLLOW) | O_CREAT | O_EXCL | O_NOCTTY | O_NONBLOCK,
                       mode);
    if (found < 0)
        return found;
    fd = (flags & O_CREAT) && (flags & O_EXCL) ? -EEXIST : reopen(r, found, flags);
    close(found);
    return fd;
}

int root_open_at(const struct root *r, const char *path, int flags, mode_t mode)
{
    int fd = -EEXIST;

    if (flags & O_PATH)
        return open_in(r, path, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW), 0);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    if (r->readonly && changes(flags & ~O_CREAT))
        return -EROFS;
    for (int i = 0; i < TRIES && fd == -EEXIST; i++) {
        fd = open_once(r, path, flags, mode);
        if (flags & O_EXCL)
            break;
    }
    return fd;
}

int root_parent(const struct root *r, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    *name = slash ? slash + 1 : path;
    if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
        return -EINVAL;
    if (r->readonly)
        return -EROFS;
    if (snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path) >=
        (int)sizeof(dir))
        return -ENAMETOOLONG;
    return open_in(r, dir, O_PATH | O_DIRECTORY, 0);
}

static int fd_path(const struct root *r, int fd, char *buf, size_t room)
{
    char name[16];
    ssize_t n;

    snprintf(name, sizeof(name), "%d", fd);
    n = readlinkat(r->self, name, buf, room);
    if (n < 0)
        return -errno;
    if ((size_t)n == room)
        return -ENAMETOOLONG;
    buf[n] = 0;
    return (int)n;
}

int root_name(const struct root *r, int fd, char *buf, size_t room)
{
    char top[PATH_MAX], whole[PATH_MAX];
    int t = fd_path(r, r->fd, top, sizeof(top)), n = fd_path(r, fd, whole, sizeof(whole));

    if (t < 0 || n < 0)
        return t < 0 ? t : n;
    if (t == 1)
        t = 0; /* the root is "/" itself */
    if (n < t || memcmp(top, whole, (size_t)t) || (whole[t] && whole[t] != '/'))
        return -ENOENT; /* moved out of the root meanwhile */
    if ((size_t)(n - t) >= room)
        return -ENAMETOOLONG;
    memcpy(buf, whole + t, (size_t)(n - t) + 1);
    return 0;
}
