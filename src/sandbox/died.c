/*
 * The last words of a process that made a call it may not make. Nothing here may be anything but a
 * system call and plain stores: the process may be in the middle of malloc. A signal that stays
 * blocked or unhandled ends the process all the same (seccomp(2), SECCOMP_RET_TRAP), without words.
 */
#include "sandbox/impl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static const char *const names[] = {
#include "sandbox/syscall_names.inc"
};

/* Set once, before the filter: a handler has no other way to know. */
static char who[64];

static size_t put(char *to, size_t at, size_t room, const char *s)
{
    while (*s && at < room)
        to[at++] = *s++;
    return at;
}

static size_t put_number(char *to, size_t at, size_t room, uint64_t v, unsigned base)
{
    char digits[24];
    unsigned n = sizeof(digits) - 1;

    digits[n] = 0;
    do /* ends: twenty digits at most */
        digits[--n] = "0123456789abcdef"[v % base];
    while (v /= base);
    return put(to, at, room, digits + n);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    unsigned nr = (unsigned)info->si_syscall;
    const char *name = nr < ARRAY_LEN(names) && names[nr] ? names[nr] : "of an unknown name";
    static const int arg[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10};
    const greg_t *g = ((const ucontext_t *)context)->uc_mcontext.gregs;
    char text[256];
    size_t n = put(text, 0, sizeof(text), "\r\nviaduct: error: system call ");

    (void)sig;
    n = put(text, n, sizeof(text), name);
    n = put(text, n, sizeof(text), " (");
    n = put_number(text, n, sizeof(text), nr, 10);
    for (unsigned i = 0; i < ARRAY_LEN(arg); i++) {
        n = put(text, n, sizeof(text), i ? ", 0x" : ": 0x");
        n = put_number(text, n, sizeof(text), (uint64_t)g[arg[i]], 16);
    }
    n = put(text, n, sizeof(text), ") is not in the list of role ");
    n = put(text, n, sizeof(text), who);
    n = put(text, n, sizeof(text), ": a bug, or an attack (docs/containment.md)\r\n");
    if (write(STDERR_FILENO, text, n) < 0) {
        /* Nobody listens: the end is the same. */
    }
    /* SA_RESETHAND has taken this handler away: the same signal again is the end. */
    syscall(SYS_ptrace, -1, 0, 0, 0);
}

int died_prepare(const char *role)
{
    struct sigaction sa = {.sa_sigaction = on_sigsys,
                           .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_ONSTACK)};
    sigset_t only;

    snprintf(who, sizeof(who), "%s", role);
    sigemptyset(&only);
    sigaddset(&only, SIGSYS);
    sigemptyset(&sa.sa_mask);
    if (sigaction(SIGSYS, &sa, NULL))
        return -errno;
    return -pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}
