/*
 * What a program's descriptors stand for: host files, virtual disks, small devices. One struct file
 * an open, shared by dup and by mappings; the operations give -errno as Linux does.
 */
#ifndef EXEC_FILE_H
#define EXEC_FILE_H

#include "core/types.h"
#include <sys/stat.h>
#include <sys/uio.h>

#define FILE_FDS_MAX 256

struct file;
struct ledger_row;

struct file_ops {
    int64_t (*read)(struct file *f, const struct iovec *iov, int n,
                    int64_t at); /* at -1: its own */
    int64_t (*write)(struct file *f, const struct iovec *iov, int n, int64_t at);
    int64_t (*seek)(struct file *f, int64_t off, int whence);
    int (*stat)(struct file *f, struct stat *st);
    int (*sync)(struct file *f);
    void (*close)(struct file *f); /* frees what contains f */
};

struct file {
    const struct file_ops *ops;
    unsigned users;
    int flags;           /* O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH as the program gave them */
    bool pipe;           /* the program made it, so nobody else is at its other end */
    bool stream;         /* a pipe or terminal: a read takes what is there */
    int fd;              /* the host's, or -1: for poll, getdents and the like */
    uint64_t disk_bytes; /* virtual disks: their size; else 0 */
    char *dir;           /* directories: the path below the root, with no slash at its end */
    uint32_t entry; /* directories: which entry comes next, for programs whose offsets are narrow */
    struct ledger_row *row; /* bytes read and written; NULL: not counted by itself */
};

struct file_slot {
    struct file *file;
    bool cloexec;
};

struct file_table {
    struct file_slot slot[FILE_FDS_MAX];
};

static inline void file_get(struct file *f)
{
    if (f)
        f->users++;
}

void file_put(struct file *f); /* NULL is fine */

int64_t file_read(struct file *f, const struct iovec *iov, int n, int64_t at);
int64_t file_write(struct file *f, const struct iovec *iov, int n, int64_t at);
int64_t file_pread(struct file *f, void *buf, size_t len, uint64_t at);

/* The lowest free descriptor from min on gets f: its number, or -EMFILE. Takes f if it worked. */
int file_install(struct file_table *t, struct file *f, int min, bool cloexec);
struct file *file_at(const struct file_table *t, int fd); /* NULL: -EBADF */
int file_close(struct file_table *t, int fd);
void file_close_all(struct file_table *t);

/* Makers: NULL when memory is exhausted (the descriptor is closed then). */
struct file *file_host(int fd, int flags);
enum file_small { FILE_NULL, FILE_ZERO, FILE_RANDOM };
struct file *file_small(enum file_small which, int flags);

#endif
