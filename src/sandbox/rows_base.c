/*
 * System calls that most roles need: memory, the loop, threads, the terminal. Names and arguments
 * as in syscalls(2); each row has its reason. What is not in a list ends the process.
 */
#include "sandbox/impl.h"
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define CLOCK_UNSEEN "the vDSO answers, unless the host's clock is one that it can't read"

/* The first is not for who reads no stream, nor what the user types: "few" is core without it. */
static const struct box_row core[] = {
    {CALL(read), .why = "events, terminals, sockets and files that are open"},
    {CALL(write), .why = "the same, and messages"},
    {CALL(close), .why = "what is done with"},
    {CALL(futex), .why = "locks and sleeping vCPUs"},
    {CALL(mmap), ONLY(WHEN_BITS(2, PROT_EXEC, 0)), .why = "memory, never to be executed"},
    {CALL(munmap), .why = "memory given back"},
    {CALL(brk), .why = "malloc"},
    {CALL(mremap), ONLY(WHEN(3, MREMAP_MAYMOVE)), .why = "realloc of what is large"},
    {CALL(rt_sigreturn), .why = "back from a signal", .unseen = "only where a signal was handled"},
    {CALL(exit_group), .why = "the end"},
    {CALL(sysinfo), .why = "glibc's qsort asks how much memory there is"},
    {CALL(openat), ONLY(WHEN(0, (uint32_t)AT_FDCWD), WHEN(2, O_RDONLY | O_CLOEXEC)),
     .answer = ENOENT,
     .why = "glibc's free may look for /proc/sys/vm/overcommit_memory, and does without"},
    {CALL(restart_syscall), .why = "a sleep goes on after SIGSTOP and SIGCONT",
     .unseen = "the kernel makes this call by itself, when a stopped process goes on"},
    {CALL(clock_gettime), .why = "time", .unseen = CLOCK_UNSEEN},
};

static const struct box_row loop[] = {
    {CALL(epoll_pwait2), .why = "sleep until a descriptor or a time"},
    {CALL(epoll_wait), .why = "the same, on kernels before 5.11",
     .unseen = "only kernels without epoll_pwait2"},
    {CALL(epoll_ctl), .why = "which descriptors"},
    {CALL(prctl), ONLY(WHEN(0, PR_SET_TIMERSLACK)), .why = "guests' timers are fine"},
};

/* fork is a clone without CLONE_VM: it is not here. */
#define SIGSETXID 33 /* glibc's nptl/descr.h */
/* MADV_GUARD_* of Linux 6.13, by number: Debian 12's headers are older. */
#define GUARD_INSTALL 102
#define GUARD_REMOVE  103
#define THREAD        (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static const struct box_row threads[] = {
    {CALL(clone), ONLY(WHEN_BITS(0, THREAD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, THREAD)),
     .why = "a thread of this process, never another process"},
    {CALL(clone3), .answer = ENOSYS,
     .why = "its flags are in memory, where no filter sees them: glibc then uses clone"},
    {CALL(rt_sigprocmask), .why = "a thread chooses its signals"},
    {CALL(set_robust_list), .why = "a thread begins"},
    {CALL(rseq), .why = "a thread begins"},
    {CALL(mprotect), ONLY(WHEN_BITS(2, PROT_EXEC, 0)), .why = "a stack's guard page"},
    {CALL(madvise), ONLY(WHEN(2, MADV_DONTNEED)), .why = "a stack's memory goes back"},
    {CALL(sched_getaffinity), ONLY(WHEN(0, 0)),
     .why = "malloc counts CPUs when the ninth thread wants memory of its own"},
    {CALL(madvise), ONLY(WHEN(2, GUARD_INSTALL)), .why = "a stack's guard, from glibc 2.42 on",
     .unseen = LATER_GLIBC},
    {CALL(madvise), ONLY(WHEN(2, GUARD_REMOVE)), .why = "the same", .unseen = LATER_GLIBC},
    {CALL(exit), .why = "a thread ends"},
    {CALL(rt_sigaction), ONLY(WHEN(0, SIGSETXID)),
     .why = "glibc's own signal, before the first thread"},
    {CALL(prctl), ONLY(WHEN(0, PR_SET_NAME)), .why = "threads have names"},
};

static const struct box_row terminal[] = {
    {CALL(ioctl), ONLY(WHEN(1, TCGETS)), .why = "is stdout a terminal"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETSW)), .why = "the user gets the terminal back as it was"},
    {CALL(ioctl), ONLY(WHEN(1, TIOCGWINSZ)), .why = "the size of its window"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "stdio asks what stdout is"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
};

static const struct box_row output[] = {
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "stdio asks what it writes to"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
};

static const struct box_row chr[] = {
    {CALL(poll), .why = "may it be written"},
};

static const struct box_row report[] = {
    {CALL(lseek), .why = "/proc/self/smaps is read anew"},
};

const struct box_list box_lists_base[] = {
    [BOX_CORE] = BOX_LIST("core", core),
    [BOX_LOOP] = BOX_LIST("loop", loop),
    [BOX_THREADS] = BOX_LIST("threads", threads),
    [BOX_TERMINAL] = BOX_LIST("terminal", terminal),
    [BOX_OUTPUT] = BOX_LIST("output", output),
    [BOX_CHR] = BOX_LIST("chr", chr),
    [BOX_REPORT] = BOX_LIST("report", report),
    [BOX_FEW] = {"few", core + 1, ARRAY_LEN(core) - 1},
};
