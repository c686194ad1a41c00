/* The calls that are served, by what they do; each ABI's table says under which numbers. */
#ifndef EXEC_CALL_H
#define EXEC_CALL_H

#include "exec/prog.h"

#define CALL_PID 1000 /* the one process there is, and its one thread */

/* call_io.c */
call_fn call_read, call_write, call_readv, call_writev, call_pread, call_pwrite, call_preadv,
    call_pwritev, call_lseek, call_sendfile, call_fsync, call_ftruncate, call_pipe2, call_dup,
    call_dup2, call_dup3, call_fcntl, call_close, call_ioctl, call_fallocate;
int64_t io_move(struct prog *p, struct file *f, uint64_t at, uint64_t len, bool write, int64_t off);
/* call_file.c */
call_fn call_openat, call_fstat, call_fstatat, call_statx, call_faccessat, call_faccessat2,
    call_readlinkat, call_getdents64, call_getcwd, call_chdir, call_fchdir, call_fstatfs,
    call_statfs, call_truncate;
int64_t file_entry_seek(struct file *f,
                        int64_t to); /* directories of programs with narrow offsets */
/* call_name.c: changes of names and attributes */
call_fn call_unlinkat, call_mkdirat, call_renameat2, call_linkat, call_symlinkat, call_fchmodat,
    call_fchmod, call_fchownat, call_fchown, call_utimensat, call_umask;
/* call_old.c */
call_fn call_open, call_creat, call_stat, call_lstat, call_access, call_readlink, call_unlink,
    call_rmdir, call_mkdir, call_rename, call_renameat, call_link, call_symlink, call_chmod,
    call_chown, call_lchown, call_pipe;
/* call_mem.c */
call_fn call_mmap, call_munmap, call_mprotect, call_mremap, call_madvise, call_brk;
/* call_time.c */
call_fn call_clock_gettime, call_clock_getres, call_clock_nanosleep, call_nanosleep,
    call_gettimeofday, call_time, call_times;
/* call_poll.c */
call_fn call_poll, call_ppoll, call_select, call_pselect6;
/* call_proc.c */
call_fn call_exit, call_getpid, call_getppid, call_getuid, call_getgid, call_uname, call_arch_prctl,
    call_set_thread_area, call_set_tid_address, call_rt_sigaction, call_rt_sigprocmask,
    call_sigaltstack, call_kill, call_tgkill, call_tkill, call_getrandom, call_prlimit64,
    call_getrlimit, call_futex, call_sysinfo, call_getrusage, call_wait4, call_getgroups,
    call_prctl, call_getpgid;
call_fn call_zero;   /* accepted, with nothing to do */
call_fn call_absent; /* -ENOSYS, not worth a line: every libc asks and does without */

#endif
