/*
 * The i386 ABI of Linux: numbers as in <asm/unistd_32.h>, INT 0x80 or SYSENTER, arguments in EBX
 * ECX EDX ESI EDI EBP. What differs from x86-64 is here: 32-bit words, times and offsets, 64-bit
 * values in two registers, older structures. Users and groups are taken as 32 bits only where the
 * call says so; the 16-bit calls of old are not served.
 */
#include "exec/call.h"
#include <asm/unistd_32.h>
#include <errno.h>
#include <limits.h>

#define PAIR(lo, hi) ((uint64_t)(lo) | (uint64_t)(hi) << 32)

static uint64_t sign(uint64_t v)
{
    return (uint64_t)(int64_t)(int32_t)v;
}

static int64_t i386_lseek(struct prog *p, const uint64_t a[6])
{
    int64_t at = call_lseek(p, (const uint64_t[6]){a[0], sign(a[1]), a[2]});

    return at > INT32_MAX ? -EOVERFLOW : at;
}

/* _llseek(fd, high, low, result, whence) */
static int64_t i386_llseek(struct prog *p, const uint64_t a[6])
{
    int64_t at = call_lseek(p, (const uint64_t[6]){a[0], PAIR(a[2], a[1]), a[4]});
    uint8_t b[8];

    if (at < 0)
        return at;
    le64_put(b, (uint64_t)at);
    return space_write(&p->space, a[3], b, sizeof(b));
}

static int64_t i386_pread64(struct prog *p, const uint64_t a[6])
{
    return call_pread(p, (const uint64_t[6]){a[0], a[1], a[2], PAIR(a[3], a[4])});
}

static int64_t i386_pwrite64(struct prog *p, const uint64_t a[6])
{
    return call_pwrite(p, (const uint64_t[6]){a[0], a[1], a[2], PAIR(a[3], a[4])});
}

static int64_t i386_mmap2(struct prog *p, const uint64_t a[6])
{
    return call_mmap(p, (const uint64_t[6]){a[0], a[1], a[2], a[3], a[4], a[5] * SPACE_PAGE});
}

/* mmap's six arguments are in memory. */
static int64_t i386_mmap(struct prog *p, const uint64_t a[6])
{
    uint64_t v[6];

    for (unsigned i = 0; i < 6; i++)
        if (prog_get_word(p, a[0] + i * 4, &v[i]))
            return -EFAULT;
    return call_mmap(p, v);
}

static int64_t i386_truncate(struct prog *p, const uint64_t a[6])
{
    return call_truncate(p, (const uint64_t[6]){a[0], sign(a[1])});
}

static int64_t i386_truncate64(struct prog *p, const uint64_t a[6])
{
    return call_truncate(p, (const uint64_t[6]){a[0], PAIR(a[1], a[2])});
}

static int64_t i386_ftruncate(struct prog *p, const uint64_t a[6])
{
    return call_ftruncate(p, (const uint64_t[6]){a[0], sign(a[1])});
}

static int64_t i386_ftruncate64(struct prog *p, const uint64_t a[6])
{
    return call_ftruncate(p, (const uint64_t[6]){a[0], PAIR(a[1], a[2])});
}

static int64_t i386_fallocate(struct prog *p, const uint64_t a[6])
{
    return call_fallocate(p, (const uint64_t[6]){a[0], a[1], PAIR(a[2], a[3]), PAIR(a[4], a[5])});
}

static int64_t i386_waitpid(struct prog *p, const uint64_t a[6])
{
    return call_wait4(p, a);
}

/* struct stat64 of i386: 96 bytes, packed. */
static int put_stat(struct prog *p, uint64_t at, const struct stat *st)
{
    uint8_t b[96] = {0};

    le64_put(b, st->st_dev);
    le32_put(b + 12, (uint32_t)st->st_ino);
    le32_put(b + 16, st->st_mode);
    le32_put(b + 20, (uint32_t)st->st_nlink);
    le32_put(b + 24, st->st_uid);
    le32_put(b + 28, st->st_gid);
    le64_put(b + 32, st->st_rdev);
    le64_put(b + 44, (uint64_t)st->st_size);
    le32_put(b + 52, (uint32_t)st->st_blksize);
    le64_put(b + 56, (uint64_t)st->st_blocks);
    le32_put(b + 64, (uint32_t)st->st_atim.tv_sec);
    le32_put(b + 68, (uint32_t)st->st_atim.tv_nsec);
    le32_put(b + 72, (uint32_t)st->st_mtim.tv_sec);
    le32_put(b + 76, (uint32_t)st->st_mtim.tv_nsec);
    le32_put(b + 80, (uint32_t)st->st_ctim.tv_sec);
    le32_put(b + 84, (uint32_t)st->st_ctim.tv_nsec);
    le64_put(b + 88, st->st_ino);
    return space_write(&p->space, at, b, sizeof(b));
}

#define CALL(name, fn)   [__NR_##name] = {#name, fn, false}
#define NARROW(name, fn) [__NR_##name] = {#name, fn, true}

static const struct call table[] = {
    CALL(exit, call_exit),
    CALL(read, call_read),
    CALL(write, call_write),
    CALL(open, call_open),
    CALL(close, call_close),
    CALL(waitpid, i386_waitpid),
    CALL(creat, call_creat),
    CALL(link, call_link),
    CALL(unlink, call_unlink),
    CALL(chdir, call_chdir),
    CALL(time, call_time),
    CALL(chmod, call_chmod),
    CALL(lseek, i386_lseek),
    CALL(getpid, call_getpid),
    CALL(access, call_access),
    CALL(sync, call_zero),
    CALL(kill, call_kill),
    CALL(rename, call_rename),
    CALL(mkdir, call_mkdir),
    CALL(rmdir, call_rmdir),
    CALL(dup, call_dup),
    CALL(pipe, call_pipe),
    CALL(times, call_times),
    CALL(brk, call_brk),
    CALL(ioctl, call_ioctl),
    CALL(fcntl, call_fcntl),
    CALL(umask, call_umask),
    CALL(dup2, call_dup2),
    CALL(getppid, call_getppid),
    CALL(getpgrp, call_getpid),
    CALL(getrusage, call_getrusage),
    NARROW(gettimeofday, call_gettimeofday),
    CALL(symlink, call_symlink),
    CALL(readlink, call_readlink),
    CALL(mmap, i386_mmap),
    CALL(munmap, call_munmap),
    CALL(truncate, i386_truncate),
    CALL(ftruncate, i386_ftruncate),
    CALL(fchmod, call_fchmod),
    CALL(wait4, call_wait4),
    CALL(sysinfo, call_sysinfo),
    CALL(fsync, call_fsync),
    CALL(uname, call_uname),
    CALL(mprotect, call_mprotect),
    CALL(getpgid, call_getpgid),
    CALL(fchdir, call_fchdir),
    CALL(_llseek, i386_llseek),
    NARROW(_newselect, call_select),
    CALL(readv, call_readv),
    CALL(writev, call_writev),
    CALL(getsid, call_getpgid),
    CALL(fdatasync, call_fsync),
    CALL(sched_yield, call_zero),
    NARROW(nanosleep, call_nanosleep),
    CALL(mremap, call_mremap),
    CALL(poll, call_poll),
    CALL(prctl, call_prctl),
    CALL(rt_sigaction, call_rt_sigaction),
    CALL(rt_sigprocmask, call_rt_sigprocmask),
    CALL(pread64, i386_pread64),
    CALL(pwrite64, i386_pwrite64),
    CALL(getcwd, call_getcwd),
    CALL(sigaltstack, call_sigaltstack),
    NARROW(sendfile, call_sendfile),
    CALL(ugetrlimit, call_getrlimit),
    CALL(mmap2, i386_mmap2),
    CALL(truncate64, i386_truncate64),
    CALL(ftruncate64, i386_ftruncate64),
    CALL(stat64, call_stat),
    CALL(lstat64, call_lstat),
    CALL(fstat64, call_fstat),
    CALL(lchown32, call_lchown),
    CALL(getuid32, call_getuid),
    CALL(getgid32, call_getgid),
    CALL(geteuid32, call_getuid),
    CALL(getegid32, call_getgid),
    CALL(getgroups32, call_getgroups),
    CALL(fchown32, call_fchown),
    CALL(chown32, call_chown),
    CALL(madvise, call_madvise),
    CALL(getdents64, call_getdents64),
    CALL(fcntl64, call_fcntl),
    CALL(gettid, call_getpid),
    CALL(tkill, call_tkill),
    CALL(sendfile64, call_sendfile),
    NARROW(futex, call_futex),
    CALL(set_thread_area, call_set_thread_area),
    CALL(fadvise64, call_zero),
    CALL(exit_group, call_exit),
    CALL(set_tid_address, call_set_tid_address),
    NARROW(clock_gettime, call_clock_gettime),
    NARROW(clock_getres, call_clock_getres),
    NARROW(clock_nanosleep, call_clock_nanosleep),
    CALL(statfs64, call_statfs),
    CALL(fstatfs64, call_fstatfs),
    CALL(tgkill, call_tgkill),
    CALL(fadvise64_64, call_zero),
    CALL(openat, call_openat),
    CALL(mkdirat, call_mkdirat),
    CALL(fchownat, call_fchownat),
    CALL(fstatat64, call_fstatat),
    CALL(unlinkat, call_unlinkat),
    CALL(renameat, call_renameat),
    CALL(linkat, call_linkat),
    CALL(symlinkat, call_symlinkat),
    CALL(readlinkat, call_readlinkat),
    CALL(fchmodat, call_fchmodat),
    CALL(faccessat, call_faccessat),
    NARROW(pselect6, call_pselect6),
    NARROW(ppoll, call_ppoll),
    CALL(set_robust_list, call_zero),
    NARROW(utimensat, call_utimensat),
    CALL(fallocate, i386_fallocate),
    CALL(dup3, call_dup3),
    CALL(pipe2, call_pipe2),
    CALL(preadv, call_preadv),
    CALL(pwritev, call_pwritev),
    CALL(prlimit64, call_prlimit64),
    CALL(renameat2, call_renameat2),
    CALL(getrandom, call_getrandom),
    CALL(statx, call_statx),
    CALL(arch_prctl, call_absent),
    CALL(rseq, call_absent),
    CALL(clock_gettime64, call_clock_gettime),
    CALL(clock_getres_time64, call_clock_getres),
    CALL(clock_nanosleep_time64, call_clock_nanosleep),
    CALL(utimensat_time64, call_utimensat),
    CALL(pselect6_time64, call_pselect6),
    CALL(ppoll_time64, call_ppoll),
    CALL(futex_time64, call_futex),
    CALL(faccessat2, call_faccessat2),
};
_Static_assert(ARRAY_LEN(table) <= PROG_CALLS_MAX, "a row for each call");

const struct abi abi_i386 = {
    .name = "i386",
    .call = table,
    .calls = ARRAY_LEN(table),
    .word = 4,
    .top = 0xffffe000,
    .pie = 0x56555000,
    .platform = "i686",
    .machine = "i686",
    .ways = 1u << TRAP_INT80 | 1u << TRAP_SYSENTER,
    .put_stat = put_stat,
};
