/* /dev/null, /dev/zero and /dev/urandom, made here: no device node of the host is ever opened. */
#include "exec/file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

struct small {
    struct file file;
    enum file_small which;
};

static const struct {
    unsigned minor;
} small_dev[] = {[FILE_NULL] = {3}, [FILE_ZERO] = {5}, [FILE_RANDOM] = {9}};

static struct small *small_of(struct file *f)
{
    return container_of(f, struct small, file);
}

static int64_t small_read(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    enum file_small which = small_of(f)->which;
    int64_t got = 0;

    (void)at;
    if (which == FILE_NULL)
        return 0;
    for (int i = 0; i < n; i++) {
        size_t len = iov[i].iov_len;

        if (which == FILE_ZERO)
            memset(iov[i].iov_base, 0, len);
        else if (getrandom(iov[i].iov_base, len, 0) != (ssize_t)len)
            return got ? got : -EIO;
        got += (int64_t)len;
    }
    return got;
}

static int64_t small_write(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    int64_t put = 0;

    (void)f;
    (void)at;
    for (int i = 0; i < n; i++)
        put += (int64_t)iov[i].iov_len;
    return put;
}

static int64_t small_seek(struct file *f, int64_t off, int whence)
{
    (void)f;
    (void)off;
    (void)whence;
    return 0;
}

static int small_stat(struct file *f, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_mode = S_IFCHR | 0666;
    st->st_nlink = 1;
    st->st_blksize = 4096;
    st->st_rdev = makedev(1, small_dev[small_of(f)->which].minor);
    return 0;
}

static void small_close(struct file *f)
{
    free(small_of(f));
}

static const struct file_ops small_ops = {
    .read = small_read,
    .write = small_write,
    .seek = small_seek,
    .stat = small_stat,
    .close = small_close,
};

struct file *file_small(enum file_small which, int flags)
{
    struct small *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->file.ops = &small_ops;
    s->file.users = 1;
    s->file.fd = -1;
    s->file.flags = flags;
    s->which = which;
    return &s->file;
}
