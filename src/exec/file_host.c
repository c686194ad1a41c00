/* Files of the host: what a program opened below its root, its standard streams, pipes. */
#include "exec/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t host_read(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    ssize_t got = at < 0 ? readv(f->fd, iov, n) : preadv(f->fd, iov, n, at);

    return got < 0 ? -errno : got;
}

static int64_t host_write(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    ssize_t put = at < 0 ? writev(f->fd, iov, n) : pwritev(f->fd, iov, n, at);

    return put < 0 ? -errno : put;
}

static int64_t host_seek(struct file *f, int64_t off, int whence)
{
    off_t at = lseek(f->fd, off, whence);

    return at < 0 ? -errno : at;
}

static int host_stat(struct file *f, struct stat *st)
{
    return fstat(f->fd, st) ? -errno : 0;
}

static int host_sync(struct file *f)
{
    return fsync(f->fd) ? -errno : 0;
}

static void host_close(struct file *f)
{
    close(f->fd);
    free(f);
}

static const struct file_ops host_ops = {
    .read = host_read,
    .write = host_write,
    .seek = host_seek,
    .stat = host_stat,
    .sync = host_sync,
    .close = host_close,
};

struct file *file_host(int fd, int flags)
{
    struct file *f = calloc(1, sizeof(*f));

    if (!f) {
        close(fd);
        return NULL;
    }
    f->ops = &host_ops;
    f->users = 1;
    f->fd = fd;
    f->flags = flags;
    return f;
}
