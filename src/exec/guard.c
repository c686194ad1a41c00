/*
 * A second line of defence: the thread that serves a program's calls gives up, by seccomp(2), what
 * no call of any program needs. Should one ever get further than it may, there is still no other
 * program to start, no socket, no signal to send, no other process or file system to reach. What
 * files it may touch is root.h's affair.
 */
#include "exec/guard.h"
#include "core/types.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>

static const char *const never[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendto",
    "sendmsg",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "setns",
    "unshare",
    "open_by_handle_at",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "userfaultfd",
    "iopl",
    "ioperm",
    "modify_ldt",
    "personality",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setgroups",
    "capset",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "sethostname",
    "mknod",
    "mknodat",
    "shmget",
    "msgget",
    "semget",
    "io_uring_setup",
    "pidfd_getfd",
};

/* A thread is a clone that shares memory; a process is one that doesn't. */
static int forbid_all(scmp_filter_ctx f)
{
    int err = 0;

    for (unsigned i = 0; i < ARRAY_LEN(never) && !err; i++) {
        int nr = seccomp_syscall_resolve_name(never[i]);

        if (nr != __NR_SCMP_ERROR)
            err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), nr, 0);
    }
    if (!err) /* glibc then uses clone, whose flags can be looked at */
        err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!err)
        err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_VM, 0));
    return err;
}

int guard_thread(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int err = f ? forbid_all(f) : -ENOMEM;

    if (!err)
        err = seccomp_load(f);
    if (f)
        seccomp_release(f);
    return err;
}
