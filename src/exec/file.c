/* Descriptors: a table of references to open files. */
#include "exec/file.h"
#include "core/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

void file_put(struct file *f)
{
    char *dir;

    if (!f || --f->users)
        return;
    dir = f->dir;
    f->ops->close(f);
    free(dir);
}

int64_t file_read(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    int64_t got;

    if ((f->flags & O_ACCMODE) == O_WRONLY || (f->flags & O_PATH))
        return -EBADF;
    got = f->ops->read ? f->ops->read(f, iov, n, at) : -EINVAL;
    if (f->row)
        ledger_add(f->row, false, got > 0 ? (uint64_t)got : 0);
    return got;
}

int64_t file_write(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    int64_t put;

    if ((f->flags & O_ACCMODE) == O_RDONLY || (f->flags & O_PATH))
        return -EBADF;
    put = f->ops->write ? f->ops->write(f, iov, n, at) : -EINVAL;
    if (f->row)
        ledger_add(f->row, true, put > 0 ? (uint64_t)put : 0);
    return put;
}

int64_t file_pread(struct file *f, void *buf, size_t len, uint64_t at)
{
    struct iovec iov = {buf, len};

    return at > INT64_MAX ? -EINVAL : file_read(f, &iov, 1, (int64_t)at);
}

int file_install(struct file_table *t, struct file *f, int min, bool cloexec)
{
    for (int fd = min < 0 ? 0 : min; fd < FILE_FDS_MAX; fd++)
        if (!t->slot[fd].file) {
            t->slot[fd] = (struct file_slot){f, cloexec};
            return fd;
        }
    return -EMFILE;
}

struct file *file_at(const struct file_table *t, int fd)
{
    return fd >= 0 && fd < FILE_FDS_MAX ? t->slot[fd].file : NULL;
}

int file_close(struct file_table *t, int fd)
{
    struct file *f = file_at(t, fd);

    if (!f)
        return -EBADF;
    t->slot[fd].file = NULL;
    file_put(f);
    return 0;
}

void file_close_all(struct file_table *t)
{
    for (int fd = 0; fd < FILE_FDS_MAX; fd++)
        file_close(t, fd);
}
