/* Files by name: opening, looking, listing. All names go through root.h. */
#include "core/ledger.h"
#include "exec/call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OPEN_KNOWN                                                                                 \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC |         \
     O_SYNC | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_PATH | O_TMPFILE)
#define DENTS     (32u << 10)
#define FILE_ROWS 64 /* files that have a row of their own; later ones share one */

/* What the host's file system is told: its own caching needs no orders from here. */
static int64_t open_dev(struct prog *p, int dev, int flags)
{
    struct file *f;

    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    if (dev < 0)
        f = file_small((enum file_small)(-1 - dev), flags);
    else if (prog_disk_readonly(p, (unsigned)dev) && (flags & O_ACCMODE) != O_RDONLY)
        return -EROFS;
    else
        f = prog_disk(p, (unsigned)dev, flags);
    return prog_install(p, f, flags & O_CLOEXEC);
}

static struct ledger_row *row_for(struct prog *p, const char *path)
{
    bool own = p->file_rows < FILE_ROWS;

    if (own && !ledger_find(p->ledger, LEDGER_FILE, p->name, path))
        p->file_rows++;
    return ledger_row(p->ledger, LEDGER_FILE, p->name, own ? path : "others");
}

/* A directory keeps its name, for names relative to it. */
static int dress(struct prog *p, struct file *f, const char *path)
{
    struct stat st;

    if (fstat(f->fd, &st))
        return -errno;
    f->stream = S_ISFIFO(st.st_mode);
    if (!S_ISDIR(st.st_mode)) {
        f->row = row_for(p, path);
        return 0;
    }
    f->dir = malloc(PROG_PATH_MAX);
    return f->dir ? root_name(&p->root, f->fd, f->dir, PROG_PATH_MAX) : -ENOMEM;
}

int64_t call_openat(struct prog *p, const uint64_t a[6])
{
    int flags = (int)a[2] & OPEN_KNOWN, fd, dev, err;
    struct prog_path path;
    struct file *f;

    err = prog_path(p, (int)a[0], a[1], &path);
    if (err)
        return err;
    dev = prog_dev(p, path.text);
    if (dev != PROG_NO_DEV)
        return open_dev(p, dev, flags);
    fd = root_open_at(&p->root, path.text, flags, (mode_t)a[3]);
    if (fd < 0)
        return fd;
    f = file_host(fd, flags);
    if (!f)
        return -ENOMEM;
    err = dress(p, f, path.text);
    if (err) {
        file_put(f);
        return err;
    }
    return prog_install(p, f, flags & O_CLOEXEC);
}

/* What a path names, followed or not, or with AT_EMPTY_PATH the descriptor itself. */
static int stat_at(struct prog *p, int dirfd, uint64_t at, int flags, struct stat *st)
{
    struct prog_path path;
    int fd, err = prog_path(p, dirfd, at, &path), dev;
    struct file *f = file_at(&p->files, dirfd);

    if (err == -ENOENT && (flags & AT_EMPTY_PATH)) {
        if (dirfd != AT_FDCWD)
            return f ? f->ops->stat(f, st) : -EBADF;
        snprintf(path.text, sizeof(path.text), "%s", p->cwd);
        err = 0;
    }
    if (err)
        return err;
    dev = prog_dev(p, path.text);
    if (dev != PROG_NO_DEV) {
        f = dev < 0 ? file_small((enum file_small)(-1 - dev), 0) : prog_disk(p, (unsigned)dev, 0);
        err = f ? f->ops->stat(f, st) : -ENOMEM;
        file_put(f);
        return err;
    }
    fd = root_find(&p->root, path.text, !(flags & AT_SYMLINK_NOFOLLOW));
    if (fd < 0)
        return fd;
    err = fstat(fd, st) ? -errno : 0;
    close(fd);
    return err;
}

int64_t call_fstat(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);
    struct stat st;
    int err = f ? f->ops->stat(f, &st) : -EBADF;

    return err ? err : p->abi->put_stat(p, a[1], &st);
}

int64_t call_fstatat(struct prog *p, const uint64_t a[6])
{
    struct stat st;
    int err = stat_at(p, (int)a[0], a[1], (int)a[3], &st);

    return err ? err : p->abi->put_stat(p, a[2], &st);
}

static void statx_time(uint8_t *at, const struct timespec *ts)
{
    le64_put(at, (uint64_t)ts->tv_sec);
    le32_put(at + 8, (uint32_t)ts->tv_nsec);
}

/* struct statx of <linux/stat.h>: the same in both ABIs. */
int64_t call_statx(struct prog *p, const uint64_t a[6])
{
    uint8_t b[256] = {0};
    struct stat st;
    int err = stat_at(p, (int)a[0], a[1], (int)a[2], &st);

    if (err)
        return err;
    le32_put(b, 0x7ff); /* STATX_BASIC_STATS */
    le32_put(b + 4, (uint32_t)st.st_blksize);
    le32_put(b + 16, (uint32_t)st.st_nlink);
    le32_put(b + 20, st.st_uid);
    le32_put(b + 24, st.st_gid);
    le16_put(b + 28, (uint16_t)st.st_mode);
    le64_put(b + 32, st.st_ino);
    le64_put(b + 40, (uint64_t)st.st_size);
    le64_put(b + 48, (uint64_t)st.st_blocks);
    statx_time(b + 64, &st.st_atim);
    statx_time(b + 96, &st.st_ctim);
    statx_time(b + 112, &st.st_mtim);
    le32_put(b + 128, major(st.st_rdev));
    le32_put(b + 132, minor(st.st_rdev));
    le32_put(b + 136, major(st.st_dev));
    le32_put(b + 140, minor(st.st_dev));
    return space_write(&p->space, a[4], b, sizeof(b));
}

static int64_t access_at(struct prog *p, const uint64_t a[6], int flags)
{
    struct prog_path path;
    int err = prog_path(p, (int)a[0], a[1], &path), fd, dev;

    if (err)
        return err;
    dev = prog_dev(p, path.text);
    if (dev != PROG_NO_DEV)
        return (a[2] & X_OK) ? -EACCES : 0;
    if ((a[2] & W_OK) && p->root.readonly)
        return -EROFS;
    fd = root_find(&p->root, path.text, !(flags & AT_SYMLINK_NOFOLLOW));
    if (fd < 0)
        return fd;
    err = (int)syscall(SYS_faccessat2, fd, "", (int)a[2], AT_EMPTY_PATH | (flags & AT_EACCESS));
    err = err ? -errno : 0;
    close(fd);
    return err;
}

int64_t call_faccessat(struct prog *p, const uint64_t a[6])
{
    return access_at(p, a, 0);
}

int64_t call_faccessat2(struct prog *p, const uint64_t a[6])
{
    return access_at(p, a, (int)a[3]);
}

int64_t call_readlinkat(struct prog *p, const uint64_t a[6])
{
    char text[PROG_PATH_MAX];
    struct prog_path path;
    int err = prog_path(p, (int)a[0], a[1], &path), fd;
    ssize_t n;

    if (err)
        return err;
    if ((int)a[3] <= 0)
        return -EINVAL;
    fd = root_find(&p->root, path.text, false);
    if (fd < 0)
        return fd;
    n = readlinkat(fd, "", text, sizeof(text));
    /* No link: the kernel says ENOENT of an empty name that is none. */
    err = n < 0 ? (errno == ENOENT ? -EINVAL : -errno) : 0;
    close(fd);
    if (err)
        return err;
    if (n > (int)a[3])
        n = (int)a[3];
    return space_write(&p->space, a[2], text, (size_t)n) ? -EFAULT : n;
}

/* File systems' positions in directories have 64 bits, but to a kernel's own 32-bit programs: these
 * get the entry's number instead. */
static void number(struct file *f, uint8_t *buf, int64_t n)
{
    for (int64_t at = 0; at + 19 <= n;) { /* the kernel's own records: d_reclen is never 0 */
        le64_put(buf + at + 8, ++f->entry);
        at += le16_get(buf + at + 16);
    }
}

static int64_t dents(struct file *f, uint8_t *buf, size_t room, bool narrow)
{
    int64_t n = syscall(SYS_getdents64, f->fd, buf, room);

    if (n < 0)
        return -errno;
    if (narrow)
        number(f, buf, n);
    return n;
}

/* lseek to an entry's number: again from the first, an entry at a time. */
int64_t file_entry_seek(struct file *f, int64_t to)
{
    uint8_t buf[19 + 256 + 8];
    off_t at = 0;

    if (to < 0 || to > UINT32_MAX || lseek(f->fd, 0, SEEK_SET) < 0)
        return -EINVAL;
    for (f->entry = 0; f->entry < to; f->entry++) { /* ends with the directory */
        if (syscall(SYS_getdents64, f->fd, buf, sizeof(buf)) <= 0)
            break;
        at = (off_t)le64_get(buf + 8); /* behind the first of those that came */
        lseek(f->fd, at, SEEK_SET);
    }
    return to;
}

/* struct linux_dirent64 is the same in both ABIs. */
int64_t call_getdents64(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);
    size_t room = a[2] < DENTS ? (size_t)a[2] : DENTS;
    uint8_t *buf;
    int64_t n;

    if (!f || (f->flags & O_PATH))
        return -EBADF;
    if (!f->dir)
        return -ENOTDIR;
    buf = malloc(DENTS);
    if (!buf)
        return -ENOMEM;
    n = dents(f, buf, room, p->abi->word == 4);
    if (n > 0 && space_write(&p->space, a[1], buf, (size_t)n))
        n = -EFAULT;
    if (n > 0)
        prog_bytes(p, true, (uint64_t)n);
    free(buf);
    return n;
}

int64_t call_getcwd(struct prog *p, const uint64_t a[6])
{
    const char *cwd = *p->cwd ? p->cwd : "/";
    size_t n = strlen(cwd) + 1;

    if (n > a[1])
        return -ERANGE;
    return space_write(&p->space, a[0], cwd, n) ? -EFAULT : (int64_t)n;
}

static int64_t chdir_to(struct prog *p, int fd)
{
    char name[PROG_PATH_MAX];
    int err = root_name(&p->root, fd, name, sizeof(name));

    if (!err)
        snprintf(p->cwd, sizeof(p->cwd), "%s", name);
    return err;
}

int64_t call_chdir(struct prog *p, const uint64_t a[6])
{
    struct prog_path path;
    int fd, err = prog_path(p, AT_FDCWD, a[0], &path);
    struct stat st;

    if (err)
        return err;
    fd = root_find(&p->root, path.text, true);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) || !S_ISDIR(st.st_mode))
        err = -ENOTDIR;
    else
        err = (int)chdir_to(p, fd);
    close(fd);
    return err;
}

int64_t call_fchdir(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);

    if (!f || !f->dir)
        return f ? -ENOTDIR : -EBADF;
    return chdir_to(p, f->fd);
}

int64_t call_truncate(struct prog *p, const uint64_t a[6])
{
    struct prog_path path;
    int fd, err = prog_path(p, AT_FDCWD, a[0], &path);

    if (err)
        return err;
    fd = root_open_at(&p->root, path.text, O_WRONLY, 0);
    if (fd < 0)
        return fd;
    err = ftruncate(fd, (off_t)a[1]) ? -errno : 0;
    close(fd);
    return err;
}

/* struct statfs of 64 bits; 32-bit programs have statfs64, packed. */
static int put_statfs(struct prog *p, uint64_t at, const struct statfs *fs)
{
    uint8_t b[84] = {0};

    if (p->abi->word == 8)
        return space_write(&p->space, at, fs, sizeof(*fs));
    le32_put(b, (uint32_t)fs->f_type);
    le32_put(b + 4, (uint32_t)fs->f_bsize);
    le64_put(b + 8, fs->f_blocks);
    le64_put(b + 16, fs->f_bfree);
    le64_put(b + 24, fs->f_bavail);
    le64_put(b + 32, fs->f_files);
    le64_put(b + 40, fs->f_ffree);
    le32_put(b + 56, (uint32_t)fs->f_namelen);
    le32_put(b + 60, (uint32_t)fs->f_frsize);
    return space_write(&p->space, at, b, sizeof(b));
}

int64_t call_fstatfs(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);
    struct statfs fs;

    if (!f)
        return -EBADF;
    if (f->fd < 0 || fstatfs(f->fd, &fs))
        return -ENOSYS;
    return put_statfs(p, a[p->abi->word == 8 ? 1 : 2], &fs);
}

int64_t call_statfs(struct prog *p, const uint64_t a[6])
{
    struct prog_path path;
    struct statfs fs;
    int fd, err = prog_path(p, AT_FDCWD, a[0], &path);

    if (err)
        return err;
    fd = root_find(&p->root, path.text, true);
    if (fd < 0)
        return fd;
    err = fstatfs(fd, &fs) ? -errno : 0;
    close(fd);
    return err ? err : put_statfs(p, a[p->abi->word == 8 ? 1 : 2], &fs);
}
