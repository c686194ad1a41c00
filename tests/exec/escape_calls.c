/*
 * Calls that no program has there, and pointers to what is not its own.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Calls that are not served, by number. */
static const long nr[] = {
    SYS_ptrace,
    SYS_socket,
    SYS_connect,
    SYS_execve,
    SYS_execveat,
    SYS_fork,
    SYS_vfork,
    SYS_clone,
    SYS_clone3,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_setns,
    SYS_unshare,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_bpf,
    SYS_io_uring_setup,
    SYS_open_by_handle_at,
    SYS_init_module,
    SYS_kexec_load,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_userfaultfd,
    SYS_memfd_create,
    SYS_perf_event_open,
    SYS_personality,
    SYS_seccomp,
    SYS_setuid,
    SYS_setgroups,
    SYS_shmget,
    SYS_shmat,
    SYS_keyctl,
    SYS_reboot,
    SYS_swapon,
    SYS_timer_create,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_inotify_init,
    SYS_mknodat,
    SYS_splice,
    SYS_vmsplice,
    SYS_openat2,
    SYS_pidfd_open,
    SYS_name_to_handle_at,
    SYS_rt_sigreturn,
    SYS_remap_file_pages,
    335,
    511,
    512,
    1000,
    0x40000000 | SYS_write,
    0x7fffffff,
    0xffffffff,
};

static void calls(void)
{
    for (size_t i = 0; i < sizeof(nr) / sizeof(*nr); i++) {
        errno = 0;
        want("a call", syscall(nr[i], 0, 0, 0, 0, 0, 0), ENOSYS);
    }
    /* Nobody else is there to be hurt. */
    WANT(kill(1, SIGKILL), ESRCH), WANT(kill(getppid(), SIGKILL), ESRCH), WANT(kill(-1, 9), ESRCH);
    WANT(syscall(SYS_tgkill, 1, 1, 9), ESRCH);
    WANT(syscall(SYS_prlimit64, 1, 7, 0, 0), ESRCH);
    WANT(ioctl(0, 0x5412, "x"), ENOTTY); /* TIOCSTI */
}

static void pointers(void)
{
    static char buf[8192];
    int fd = open("scratch", O_RDWR | O_CREAT, 0600);
    void *const where[] = {KERNEL,
                           (void *)-1l,
                           (void *)-4096l,
                           (void *)0x800000000000ul,
                           (void *)(TOP - 2),
                           (void *)TOP,
                           (void *)0x7fffffffffff0000ul,
                           (void *)8,
                           NULL};

    for (size_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
        struct iovec v = {where[i], 4096};

        WANT(syscall(SYS_read, fd, where[i], 4096), EFAULT);
        WANT(syscall(SYS_write, fd, where[i], 4096), EFAULT);
        WANT(syscall(SYS_pread64, fd, where[i], -1l, 0), EFAULT);
        WANT(syscall(SYS_readv, fd, &v, 1), EFAULT);
        WANT(syscall(SYS_writev, fd, where[i], 1), EFAULT);
        WANT(syscall(SYS_open, where[i], O_RDONLY), EFAULT);
        WANT(syscall(SYS_fstat, fd, where[i]), EFAULT);
        WANT(syscall(SYS_uname, where[i]), EFAULT);
        WANT(syscall(SYS_pipe, where[i]), EFAULT);
        WANT(syscall(SYS_getrandom, where[i], 16, 0), EFAULT);
        WANT(syscall(SYS_poll, where[i], 2, 0), EFAULT);
        WANT(syscall(SYS_getdents64, open("dir", O_RDONLY), where[i], 4096), EFAULT);
    }
    if (syscall(SYS_write, fd, buf, -1l) > 1 << 20) /* as far as its memory goes, at the most */
        escaped("a write of everything", 0);
    WANT(syscall(SYS_writev, fd, buf, 1025), EINVAL);
    WANT(syscall(SYS_pread64, open("/dev/zero", O_RDONLY), buf, 4096, INT64_MAX), EINVAL);
    WANT(syscall(SYS_pwrite64, fd, buf, 1, -1l), EINVAL);
    WANT(syscall(SYS_poll, buf, 100000, 0), EINVAL);
    WANT(syscall(SYS_select, 100000, buf, 0, 0, 0), EINVAL);
}

const struct attempt by_calls[] = {
    {"calls", calls, 0},
    {"pointers", pointers, 0},
    {0},
};
