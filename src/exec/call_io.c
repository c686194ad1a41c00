/*
 * Reading and writing: straight between the program's pages and what its descriptor stands for, a
 * chunk at a time. Descriptors: dup, pipe, fcntl, ioctl.
 */
#include "exec/call.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK_IOVS 256
#define CHUNK      (CHUNK_IOVS * SPACE_PAGE)
#define COUNT_MAX  0x7ffff000ull /* as Linux */
#define TERMIOS    36            /* sizeof struct termios as the kernel has it */
#define FCNTL_SETS (O_APPEND | O_NONBLOCK)

/* Linux sends SIGPIPE, which ends a program that neither ignores, blocks nor handles it. */
static int64_t pipe_gone(struct prog *p)
{
    if (!p->sig_handler[SIGPIPE] && !(p->sig_mask >> (SIGPIPE - 1) & 1))
        prog_die(p, SIGPIPE);
    return -EPIPE;
}

/* A pipe that is empty or full stays so: the one thread that could change it waits here. */
static int64_t pipe_stuck(struct prog *p, const struct file *f)
{
    if (!f->pipe || (f->flags & O_NONBLOCK))
        return -EAGAIN;
    return prog_refuse(p, prog_nr(p), "nobody is at the pipe's other end", -EDEADLK);
}

int64_t io_move(struct prog *p, struct file *f, uint64_t at, uint64_t len, bool write, int64_t off)
{
    struct iovec iov[CHUNK_IOVS];
    uint64_t done = 0, left = len < COUNT_MAX ? len : COUNT_MAX;

    do { /* a chunk each time */
        uint64_t part = left < CHUNK ? left : CHUNK;
        int n = space_hold(&p->space, at + done, &part, !write, iov, CHUNK_IOVS);
        int64_t r = n;

        if (n >= 0)
            r = write ? file_write(f, iov, n, off < 0 ? -1 : off + (int64_t)done)
                      : file_read(f, iov, n, off < 0 ? -1 : off + (int64_t)done);
        if (r == -EPIPE)
            r = pipe_gone(p);
        if (r == -EAGAIN && !done)
            r = pipe_stuck(p, f);
        if (r < 0)
            return done ? (int64_t)done : r;
        if (!write)
            space_written(&p->space, at + done, (uint64_t)r);
        prog_bytes(p, !write, (uint64_t)r);
        done += (uint64_t)r;
        left -= (uint64_t)r;
        if ((uint64_t)r < part || (f->stream && !write))
            break;
    } while (left);
    return (int64_t)done;
}

/* An offset that a call names; so far from the end of numbers that none overflows by a length. */
static bool offset_fits(uint64_t off)
{
    return off <= INT64_MAX / 2;
}

static int64_t io_call(struct prog *p, const uint64_t a[6], bool write, int64_t off)
{
    struct file *f = prog_file(p, a[0]);

    return f ? io_move(p, f, a[1], a[2], write, off) : -EBADF;
}

int64_t call_read(struct prog *p, const uint64_t a[6])
{
    return io_call(p, a, false, -1);
}

int64_t call_write(struct prog *p, const uint64_t a[6])
{
    return io_call(p, a, true, -1);
}

int64_t call_pread(struct prog *p, const uint64_t a[6])
{
    return offset_fits(a[3]) ? io_call(p, a, false, (int64_t)a[3]) : -EINVAL;
}

int64_t call_pwrite(struct prog *p, const uint64_t a[6])
{
    return offset_fits(a[3]) ? io_call(p, a, true, (int64_t)a[3]) : -EINVAL;
}

/* Lengths that are negative as Linux has them are refused before anything moves. */
static bool iov_sane(struct prog *p, uint64_t at, uint64_t n)
{
    uint64_t max = p->abi->word == 8 ? INT64_MAX : INT32_MAX, len;

    for (uint64_t i = 0; i < n; i++, at += 2 * p->abi->word) /* at most IOV_MAX */
        if (!prog_get_word(p, at + p->abi->word, &len) && len > max)
            return false;
    return true;
}

static int64_t iov_call(struct prog *p, const uint64_t a[6], bool write, int64_t off)
{
    struct file *f = prog_file(p, a[0]);
    uint64_t at = a[1], base, len;
    int64_t done = 0;

    if (!f)
        return -EBADF;
    if (a[2] > IOV_MAX)
        return -EINVAL;
    if (!iov_sane(p, at, a[2]))
        return -EINVAL;
    for (uint64_t i = 0; i < a[2]; i++, at += 2 * p->abi->word) { /* at most IOV_MAX */
        int64_t r;

        if (prog_get_word(p, at, &base) || prog_get_word(p, at + p->abi->word, &len))
            return done ? done : -EFAULT;
        if (!len)
            continue;
        r = io_move(p, f, base, len, write, off < 0 ? -1 : off + done);
        if (r < 0)
            return done ? done : r;
        done += r;
        if ((uint64_t)r < len || (f->stream && !write))
            break;
    }
    return done;
}

int64_t call_readv(struct prog *p, const uint64_t a[6])
{
    return iov_call(p, a, false, -1);
}

int64_t call_writev(struct prog *p, const uint64_t a[6])
{
    return iov_call(p, a, true, -1);
}

/* preadv, pwritev: the offset comes as two words; on 64 bits the low one is all of it. */
static int64_t iov_offset(const struct prog *p, const uint64_t a[6])
{
    return (int64_t)(p->abi->word == 8 ? a[3] : a[3] | a[4] << 32);
}

int64_t call_preadv(struct prog *p, const uint64_t a[6])
{
    int64_t off = iov_offset(p, a);

    return offset_fits((uint64_t)off) ? iov_call(p, a, false, off) : -EINVAL;
}

int64_t call_pwritev(struct prog *p, const uint64_t a[6])
{
    int64_t off = iov_offset(p, a);

    return offset_fits((uint64_t)off) ? iov_call(p, a, true, off) : -EINVAL;
}

int64_t call_lseek(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);

    if (!f || (f->flags & O_PATH))
        return -EBADF;
    if (f->dir && p->abi->word == 4)
        return file_entry_seek(f, (int)a[2] == SEEK_SET ? (int64_t)a[1] : -1);
    return f->ops->seek(f, (int64_t)a[1], (int)a[2]);
}

/* sendfile(out, in, offset, count): by way of a buffer here. */
static int64_t send(struct prog *p, struct file *out, struct file *in, int64_t off, uint64_t left)
{
    const size_t room = 64 << 10;
    uint8_t *buf = malloc(room);
    int64_t done = 0, r = 0;

    if (!buf)
        return -ENOMEM;
    while (left) { /* until a short read or write */
        struct iovec iov = {buf, left < room ? left : room};
        int64_t got = file_read(in, &iov, 1, off < 0 ? -1 : off + done);

        iov.iov_len = got > 0 ? (size_t)got : 0;
        r = got > 0 ? file_write(out, &iov, 1, -1) : got;
        if (got > 0 && r < got && off < 0) /* what was read and not taken is still to be read */
            in->ops->seek(in, (r > 0 ? r : 0) - got, SEEK_CUR);
        if (r <= 0)
            break;
        done += r, left -= (uint64_t)r;
        prog_bytes(p, false, (uint64_t)r);
        if (r < got)
            break;
    }
    free(buf);
    if (r == -EPIPE)
        r = pipe_gone(p);
    return done ? done : r;
}

int64_t call_sendfile(struct prog *p, const uint64_t a[6])
{
    struct file *out = prog_file(p, a[0]), *in = prog_file(p, a[1]);
    unsigned size = p->now->narrow ? 4 : 8;
    uint8_t b[8] = {0};
    int64_t off = -1, r;

    if (!out || !in)
        return -EBADF;
    if (in->dir || in->stream)
        return -EINVAL;
    if (a[2]) {
        if (space_read(&p->space, a[2], b, size))
            return -EFAULT;
        off = (int64_t)le64_get(b);
        if (!offset_fits((uint64_t)off))
            return -EINVAL;
    }
    r = send(p, out, in, off, a[3] < COUNT_MAX ? a[3] : COUNT_MAX);
    if (a[2] && r > 0) {
        le64_put(b, (uint64_t)(off + r));
        if (space_write(&p->space, a[2], b, size))
            return -EFAULT;
    }
    return r;
}

int64_t call_fsync(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);

    if (!f || (f->flags & O_PATH))
        return -EBADF;
    return f->ops->sync ? f->ops->sync(f) : -EINVAL;
}

int64_t call_ftruncate(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);

    if (!f)
        return -EBADF;
    if ((f->flags & O_ACCMODE) == O_RDONLY || f->fd < 0)
        return -EINVAL;
    return ftruncate(f->fd, (off_t)a[1]) ? -errno : 0;
}

int64_t call_fallocate(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);

    if (!f || (f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (f->fd < 0)
        return -EOPNOTSUPP;
    return fallocate(f->fd, (int)a[1], (off_t)a[2], (off_t)a[3]) ? -errno : 0;
}

static int64_t pipe_install(struct prog *p, int host, int flags, bool cloexec)
{
    struct file *f = file_host(host, flags);

    if (f)
        f->stream = f->pipe = true;
    return prog_install(p, f, cloexec);
}

int64_t call_pipe2(struct prog *p, const uint64_t a[6])
{
    int fd[2], nonblock = (int)a[1] & O_NONBLOCK;
    bool cloexec = a[1] & O_CLOEXEC;
    int64_t in, out;
    uint8_t b[8];

    if (a[1] & ~(uint64_t)(O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    in = pipe_install(p, fd[0], O_RDONLY | nonblock, cloexec);
    out = pipe_install(p, fd[1], O_WRONLY | nonblock, cloexec);
    le32_put(b, (uint32_t)in);
    le32_put(b + 4, (uint32_t)out);
    if (in >= 0 && out >= 0 && !space_write(&p->space, a[0], b, sizeof(b)))
        return 0;
    if (in >= 0)
        file_close(&p->files, (int)in);
    if (out >= 0)
        file_close(&p->files, (int)out);
    return in < 0 ? in : out < 0 ? out : -EFAULT;
}

static int64_t dup_from(struct prog *p, uint64_t fd, int min, bool cloexec)
{
    struct file *f = prog_file(p, fd);
    int64_t n;

    if (!f)
        return -EBADF;
    n = file_install(&p->files, f, min, cloexec);
    if (n >= 0)
        file_get(f);
    return n;
}

int64_t call_dup(struct prog *p, const uint64_t a[6])
{
    return dup_from(p, a[0], 0, false);
}

static int64_t dup_onto(struct prog *p, uint64_t fd, int to, bool cloexec)
{
    struct file *f = prog_file(p, fd);

    if (!f || to < 0 || to >= FILE_FDS_MAX)
        return -EBADF;
    file_get(f);
    file_close(&p->files, to);
    p->files.slot[to] = (struct file_slot){f, cloexec};
    return to;
}

int64_t call_dup2(struct prog *p, const uint64_t a[6])
{
    if ((int)a[0] == (int)a[1])
        return prog_file(p, a[0]) ? (int)a[0] : -EBADF;
    return dup_onto(p, a[0], (int)a[1], false);
}

int64_t call_dup3(struct prog *p, const uint64_t a[6])
{
    if ((int)a[0] == (int)a[1] || (a[2] & ~(uint64_t)O_CLOEXEC))
        return -EINVAL;
    return dup_onto(p, a[0], (int)a[1], a[2] & O_CLOEXEC);
}

int64_t call_close(struct prog *p, const uint64_t a[6])
{
    return file_close(&p->files, (int)a[0]);
}

static int64_t flags_set(struct file *f, int flags)
{
    int now;

    f->flags = (f->flags & ~FCNTL_SETS) | (flags & FCNTL_SETS);
    if (f->fd < 0 || f->pipe)
        return 0;
    now = fcntl(f->fd, F_GETFL);
    return fcntl(f->fd, F_SETFL, (now & ~FCNTL_SETS) | (flags & FCNTL_SETS)) ? -errno : 0;
}

int64_t call_fcntl(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);
    struct file_slot *slot = f ? &p->files.slot[(int)a[0]] : NULL;

    if (!f)
        return -EBADF;
    switch ((int)a[1]) {
    case F_DUPFD: return a[2] < FILE_FDS_MAX ? dup_from(p, a[0], (int)a[2], false) : -EINVAL;
    case F_DUPFD_CLOEXEC: return a[2] < FILE_FDS_MAX ? dup_from(p, a[0], (int)a[2], true) : -EINVAL;
    case F_GETFD: return slot->cloexec ? FD_CLOEXEC : 0;
    case F_SETFD: slot->cloexec = a[2] & FD_CLOEXEC; return 0;
    case F_GETFL: return f->flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOCTTY);
    case F_SETFL: return flags_set(f, (int)a[2]);
    default: return -EINVAL;
    }
}

static int64_t disk_ioctl(struct prog *p, struct file *f, uint32_t cmd, uint64_t at)
{
    uint8_t b[8];

    switch (cmd) {
    case 0x80081272: /* BLKGETSIZE64, of 64-bit programs */
    case 0x80041272: /* and of 32-bit ones */
        le64_put(b, f->disk_bytes);
        return space_write(&p->space, at, b, 8);
    case BLKGETSIZE: return prog_put_word(p, at, f->disk_bytes / 512);
    case BLKSSZGET: le32_put(b, 512); return space_write(&p->space, at, b, 4);
    case BLKFLSBUF: return f->ops->sync(f);
    default: return -ENOTTY;
    }
}

/* Terminals: only what asks for or sets modes; nothing that types into it (TIOCSTI). */
static int64_t tty_ioctl(struct prog *p, struct file *f, uint32_t cmd, uint64_t at)
{
    uint8_t b[64] = {0};
    size_t in = 0, out = 0;

    switch (cmd) {
    case TCGETS: out = TERMIOS; break;
    case TCSETS:
    case TCSETSW:
    case TCSETSF: in = TERMIOS; break;
    case TIOCGWINSZ: out = 8; break;
    case TIOCGPGRP: le32_put(b, CALL_PID); return space_write(&p->space, at, b, 4);
    case FIONREAD: out = 4; break;
    default: return -ENOTTY;
    }
    if (in && space_read(&p->space, at, b, in))
        return -EFAULT;
    if (ioctl(f->fd, cmd, b))
        return -errno;
    return out ? space_write(&p->space, at, b, out) : 0;
}

int64_t call_ioctl(struct prog *p, const uint64_t a[6])
{
    struct file *f = prog_file(p, a[0]);
    uint32_t cmd = (uint32_t)a[1];

    if (!f)
        return -EBADF;
    if (cmd == FIOCLEX || cmd == FIONCLEX) {
        p->files.slot[(int)a[0]].cloexec = cmd == FIOCLEX;
        return 0;
    }
    if (f->disk_bytes)
        return disk_ioctl(p, f, cmd, a[2]);
    return f->fd >= 0 && f->stream ? tty_ioctl(p, f, cmd, a[2]) : -ENOTTY;
}
