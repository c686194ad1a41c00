/*
 * What viaduct-vnc gives up before it hears of a viewer: the right to gain any by execve, and all
 * system calls but the listed ones (seccomp(2), libseccomp's seccomp_rule_add(3)); any other ends
 * it. Whoever takes it over has the screen in view, what a user at the seat has, and no more.
 */
#include "cli/seat_view.h"
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct call {
    const char *name, *why;
};

static const struct call calls[] = {
    {"poll", "who has something to say"},
    {"select", "libvncserver: the same"},
    {"pselect6", "… by another libc"},
    {"accept4", "viewers"},
    {"getpeername", "libvncserver: who is it"},
    {"setsockopt", "libvncserver: TCP_NODELAY"},
    {"recvmsg", "what to show, from the seat"},
    {"recvfrom", "libvncserver: is it a WebSocket"},
    {"read", "viewers' messages"},
    {"write", "screens"},
    {"sendto", "keys and motion, to the seat"},
    {"shutdown", "a viewer is sent away"},
    {"close", "viewers, screens that are mapped"},
    {"newfstatat", "how long a screen is"},
    {"fstat", "… by another libc"},
    {"munmap", "screens; memory"},
    {"mremap", "memory"},
    {"madvise", "memory"},
    {"brk", "memory"},
    {"futex", "libvncserver's locks"},
    {"clock_gettime", "libvncserver's time, where there is no vDSO"},
    {"gettimeofday", "the same"},
    {"getrandom", "zlib's and libc's tables"},
    {"restart_syscall", "poll, after a stop"},
    {"exit_group", "the end"},
};

/* Of these some: memory that is never code; flags of a socket, and a screen's seals. */
static int allow_some(scmp_filter_ctx f)
{
    static const int command[] = {F_GETFL, F_SETFL, F_GET_SEALS};
    /* A viewer that speaks WebSocket has libgcrypt look for its configuration and for syslog. */
    static const int refused[] = {SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(socket)};
    int err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

    for (size_t i = 0; i < ARRAY_LEN(command) && !err; i++)
        err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                               SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)command[i], 0));
    for (size_t i = 0; i < ARRAY_LEN(refused) && !err; i++)
        err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    return err;
}

int seat_vnc_jail(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int err = f ? allow_some(f) : -ENOMEM;

    for (size_t i = 0; i < ARRAY_LEN(calls) && !err; i++)
        err = seccomp_rule_add(f, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(calls[i].name), 0);
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        err = -errno;
    return err ? err : seccomp_load(f); /* f stays: letting it go might want a forbidden call */
}
