/*
 * The process: one, with one thread. Signal dispositions are kept and told, but no signal is ever
 * delivered to a handler; one that the program sends to itself ends it, if that is the default.
 */
#include "exec/call.h"
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RANDOM_MAX 256
#define UTS_FIELD  65
#define TLS_FIRST  12 /* GDT_ENTRY_TLS_MIN of a 64-bit kernel */

int64_t call_zero(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return 0;
}

int64_t call_absent(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return -ENOSYS;
}

int64_t call_exit(struct prog *p, const uint64_t a[6])
{
    prog_exit(p, (int)a[0]);
    return 0;
}

int64_t call_getpid(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return CALL_PID;
}

int64_t call_getpgid(struct prog *p, const uint64_t a[6])
{
    (void)p;
    return !(int)a[0] || (int)a[0] == CALL_PID ? CALL_PID : -ESRCH;
}

int64_t call_getppid(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return 1;
}

int64_t call_getuid(struct prog *p, const uint64_t a[6])
{
    (void)a;
    return p->uid;
}

int64_t call_getgid(struct prog *p, const uint64_t a[6])
{
    (void)a;
    return p->gid;
}

int64_t call_getgroups(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return 0;
}

int64_t call_wait4(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return -ECHILD;
}

int64_t call_uname(struct prog *p, const uint64_t a[6])
{
    struct utsname u;
    char b[6 * UTS_FIELD] = {0};

    uname(&u);
    snprintf(b, UTS_FIELD, "Linux");
    snprintf(b + UTS_FIELD, UTS_FIELD, "viaduct");
    snprintf(b + 2 * UTS_FIELD, UTS_FIELD, "%s", u.release);
    snprintf(b + 3 * UTS_FIELD, UTS_FIELD, "viaduct exec");
    snprintf(b + 4 * UTS_FIELD, UTS_FIELD, "%s", p->abi->machine);
    snprintf(b + 5 * UTS_FIELD, UTS_FIELD, "(none)");
    return space_write(&p->space, a[0], b, sizeof(b));
}

int64_t call_arch_prctl(struct prog *p, const uint64_t a[6])
{
    bool user = a[1] < p->abi->top;

    switch ((int)a[0]) {
    case ARCH_SET_FS:
        if (!user)
            return -EPERM;
        p->fs = a[1];
        p->set_fs = true;
        return 0;
    case ARCH_SET_GS:
        if (!user)
            return -EPERM;
        p->gs = a[1];
        p->set_gs = true;
        return 0;
    case ARCH_GET_FS: return prog_put_word(p, a[1], p->fs);
    case ARCH_GET_GS: return prog_put_word(p, a[1], p->gs);
    default: return -EINVAL;
    }
}

/* struct user_desc: entry number, base, limit, bits. SDM volume 3, 3.4.5. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t bits)
{
    uint64_t d = (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16;

    d |= (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
    d |= 0xf0ull << 40 | 1ull << 40; /* present, ring 3, a segment, accessed */
    if (!(bits >> 3 & 1))            /* read_exec_only */
        d |= 2ull << 40;             /* writable */
    if (bits >> 4 & 1)               /* limit_in_pages */
        d |= 1ull << 55;
    if (bits & 1) /* seg_32bit */
        d |= 1ull << 54;
    return d;
}

/* Bits of struct user_desc as <asm/ldt.h> has them. Two forms mean that there is to be none; else
 * it is a 32-bit data segment that is there. Linux takes those that grow down, too. */
enum {
    DESC_32 = 1,
    DESC_CONTENTS = 6,
    DESC_NOT_PRESENT = 0x20,
    DESC_ALL = 0x7f,
    DESC_EMPTY = 0x28
};

static bool desc_none(const uint8_t b[16])
{
    uint32_t bits = le32_get(b + 12) & DESC_ALL;

    return !le32_get(b + 4) && !le32_get(b + 8) && (!bits || bits == DESC_EMPTY);
}

int64_t call_set_thread_area(struct prog *p, const uint64_t a[6])
{
    uint8_t b[16];
    uint32_t entry, bits;
    bool none;
    int err;

    if (space_read(&p->space, a[0], b, sizeof(b)))
        return -EFAULT;
    entry = le32_get(b);
    bits = le32_get(b + 12);
    none = desc_none(b);
    if (!none && (bits & (DESC_32 | DESC_CONTENTS | DESC_NOT_PRESENT)) != DESC_32)
        return -EINVAL;
    if (entry == UINT32_MAX) {
        for (entry = 0; entry < PROG_TLS && p->tls[entry]; entry++)
            ;
        if (entry == PROG_TLS)
            return -ESRCH;
        entry += TLS_FIRST;
    }
    if (entry < TLS_FIRST || entry >= TLS_FIRST + PROG_TLS)
        return -EINVAL;
    le32_put(b, entry);
    if (space_write(&p->space, a[0], b, 4))
        return -EFAULT;
    err = prog_tls(p, entry - TLS_FIRST,
                   none ? 0 : descriptor(le32_get(b + 4), le32_get(b + 8), bits));
    p->set_tls = true;
    return err;
}

int64_t call_set_tid_address(struct prog *p, const uint64_t a[6])
{
    (void)p;
    (void)a;
    return CALL_PID;
}

/* ---- signals: kept, not delivered ---- */

/* A pipe without a reader is the program's affair, not viaduct's; and what ends viaduct, as ^C,
 * goes to its other thread. */
void prog_thread_begin(void)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSYS); /* a call that the jail forbids says which it was */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* struct sigaction as kernels have it: handler, flags, restorer, then 8 bytes of mask. */
int64_t call_rt_sigaction(struct prog *p, const uint64_t a[6])
{
    unsigned word = p->abi->word, size = 3 * word + 8;
    uint8_t b[32] = {0};
    uint64_t was, sig = (uint32_t)a[0];

    if (!sig || sig >= PROG_SIGS || a[3] != 8)
        return -EINVAL;
    if (a[1] && (sig == SIGKILL || sig == SIGSTOP))
        return -EINVAL;
    was = p->sig_handler[sig];
    if (a[1]) {
        uint64_t handler;

        if (space_read(&p->space, a[1], b, size) || prog_get_word(p, a[1], &handler))
            return -EFAULT;
        p->sig_handler[sig] = handler;
        memset(b, 0, sizeof(b));
    }
    if (!a[2])
        return 0;
    le64_put(b, was);
    return space_write(&p->space, a[2], b, size);
}

int64_t call_rt_sigprocmask(struct prog *p, const uint64_t a[6])
{
    uint64_t was = p->sig_mask, set;
    uint8_t b[8];

    if (a[3] != 8)
        return -EINVAL;
    if (a[1]) {
        if (space_read(&p->space, a[1], b, sizeof(b)))
            return -EFAULT;
        set = le64_get(b);
        switch ((int)a[0]) {
        case SIG_BLOCK: p->sig_mask |= set; break;
        case SIG_UNBLOCK: p->sig_mask &= ~set; break;
        case SIG_SETMASK: p->sig_mask = set; break;
        default: return -EINVAL;
        }
    }
    le64_put(b, was);
    return a[2] ? space_write(&p->space, a[2], b, sizeof(b)) : 0;
}

/* No stack was ever set that a signal would run on. */
int64_t call_sigaltstack(struct prog *p, const uint64_t a[6])
{
    uint8_t b[24] = {0};

    le32_put(b + p->abi->word, 2); /* SS_DISABLE */
    return a[1] ? space_write(&p->space, a[1], b, 3 * p->abi->word) : 0;
}

static int64_t signal_self(struct prog *p, uint64_t sig)
{
    if (sig >= PROG_SIGS)
        return -EINVAL;
    if (!sig || p->sig_handler[sig] == 1 || sig == SIGCHLD || sig == SIGCONT || sig == SIGURG ||
        sig == SIGWINCH)
        return 0;
    if (p->sig_handler[sig])
        return prog_refuse(p, prog_nr(p), "no signal is delivered to a handler", -ENOSYS);
    if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
        return prog_refuse(p, prog_nr(p), "nobody could let it go on", -ENOSYS);
    prog_die(p, (int)sig);
    return 0;
}

static int64_t signal_to(struct prog *p, uint64_t pid, uint64_t sig)
{
    int to = (int)pid;

    if (!to || to == CALL_PID || to == -CALL_PID)
        return signal_self(p, (uint32_t)sig);
    return -ESRCH; /* there is nobody else */
}

int64_t call_kill(struct prog *p, const uint64_t a[6])
{
    return signal_to(p, a[0], a[1]);
}

int64_t call_tkill(struct prog *p, const uint64_t a[6])
{
    return signal_to(p, a[0], a[1]);
}

int64_t call_tgkill(struct prog *p, const uint64_t a[6])
{
    return (int)a[0] == CALL_PID ? signal_to(p, a[1], a[2]) : -ESRCH;
}

/* ---- the rest ---- */

int64_t call_getrandom(struct prog *p, const uint64_t a[6])
{
    uint8_t b[RANDOM_MAX];
    size_t n = a[1] < RANDOM_MAX ? (size_t)a[1] : RANDOM_MAX;

    if (getrandom(b, n, 0) != (ssize_t)n)
        return -EAGAIN;
    return space_write(&p->space, a[0], b, n) ? -EFAULT : (int64_t)n;
}

static uint64_t limit_of(const struct prog *p, uint64_t which)
{
    switch (which) {
    case RLIMIT_NOFILE: return FILE_FDS_MAX;
    case RLIMIT_STACK: return 8ull << 20;
    case RLIMIT_DATA:
    case RLIMIT_AS: return p->ram.size;
    case RLIMIT_NPROC: return 1;
    case RLIMIT_CORE: return 0;
    default: return RLIM64_INFINITY;
    }
}

int64_t call_prlimit64(struct prog *p, const uint64_t a[6])
{
    uint8_t b[16];

    if ((int)a[0] && (int)a[0] != CALL_PID)
        return -ESRCH;
    if (a[1] >= RLIM_NLIMITS)
        return -EINVAL;
    if (a[2])
        return -EPERM; /* they are viaduct's */
    le64_put(b, limit_of(p, a[1]));
    le64_put(b + 8, limit_of(p, a[1]));
    return a[3] ? space_write(&p->space, a[3], b, sizeof(b)) : 0;
}

int64_t call_getrlimit(struct prog *p, const uint64_t a[6])
{
    uint64_t v = limit_of(p, a[0]);

    if (a[0] >= RLIM_NLIMITS)
        return -EINVAL;
    if (p->abi->word == 4 && v > UINT32_MAX)
        v = UINT32_MAX;
    return prog_put_word(p, a[1], v) || prog_put_word(p, a[1] + p->abi->word, v) ? -EFAULT : 0;
}

/* With one thread, a wait is either not needed or never ends by another. */
int64_t call_futex(struct prog *p, const uint64_t a[6])
{
    int op = (int)a[1] & FUTEX_CMD_MASK;
    struct timespec ts;
    uint8_t b[4];
    int err;

    if (op == FUTEX_WAKE || op == FUTEX_WAKE_BITSET)
        return 0;
    if (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET)
        return prog_refuse(p, prog_nr(p), "there is one thread only", -ENOSYS);
    if (space_read(&p->space, a[0], b, sizeof(b)))
        return -EFAULT;
    if (le32_get(b) != (uint32_t)a[2])
        return -EAGAIN;
    if (!a[3])
        return prog_refuse(p, prog_nr(p), "nobody would ever wake it", -EDEADLK);
    if (prog_get_time(p, a[3], &ts))
        return -EFAULT;
    err = clock_nanosleep(a[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC,
                          op == FUTEX_WAIT ? 0 : TIMER_ABSTIME, &ts, NULL);
    return err ? -err : -ETIMEDOUT;
}

/* struct sysinfo: uptime, loads[3], totalram, freeram, shared, buffers, swap, free swap (words),
 * u16 procs, (padding), total and free high memory, u32 unit. */
int64_t call_sysinfo(struct prog *p, const uint64_t a[6])
{
    unsigned w = p->abi->word;
    uint8_t b[112] = {0};
    struct timespec ts;
    uint64_t unused = (p->space.pages - p->space.fresh + p->space.frees) * SPACE_PAGE;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    le32_put(b, (uint32_t)ts.tv_sec);
    le32_put(b + 4 * w, (uint32_t)(p->ram.size / SPACE_PAGE));
    le32_put(b + 5 * w, (uint32_t)(unused / SPACE_PAGE));
    le16_put(b + 10 * w, 1);
    le32_put(b + (w == 8 ? 104 : 52), (uint32_t)SPACE_PAGE);
    return space_write(&p->space, a[0], b, w == 8 ? 112 : 64);
}

/* struct rusage: user and system time (two timevals), then 14 words of counts. */
int64_t call_getrusage(struct prog *p, const uint64_t a[6])
{
    uint64_t at = a[1];
    struct rusage u;

    if (getrusage(RUSAGE_THREAD, &u))
        return -errno;
    if ((int)a[0] < RUSAGE_CHILDREN || (int)a[0] > RUSAGE_THREAD)
        return -EINVAL;
    if ((int)a[0] == RUSAGE_CHILDREN)
        memset(&u, 0, sizeof(u)); /* there are none */
    const uint64_t v[4] = {(uint64_t)u.ru_utime.tv_sec, (uint64_t)u.ru_utime.tv_usec,
                           (uint64_t)u.ru_stime.tv_sec, (uint64_t)u.ru_stime.tv_usec};
    for (unsigned i = 0; i < 18; i++)
        if (prog_put_word(p, at + i * p->abi->word, i < 4 ? v[i] : 0))
            return -EFAULT;
    return 0;
}

int64_t call_prctl(struct prog *p, const uint64_t a[6])
{
    char name[16] = {0};

    switch ((int)a[0]) {
    case PR_SET_NAME: return 0;
    case PR_GET_NAME:
        snprintf(name, sizeof(name), "%s", p->name);
        return space_write(&p->space, a[1], name, sizeof(name));
    case PR_GET_DUMPABLE: return 0;
    default: return -EINVAL;
    }
}
