/*
 * The monitor of a cage that runs a program (program.h); as monitor.c, but for 64-bit code, and for
 * 32-bit code that the same process runs by the host's own code segment for it. It
 * unmaps all there is, keeps one descriptor, guest RAM's, has every system call but its own become
 * SIGSYS, and then hands each stop to the VMM. prctl(2) PR_SET_SYSCALL_USER_DISPATCH, seccomp(2).
 */
#include "engine/direct/program.h"
#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

#define S ((struct program_shared *)CAGE_SHARED)

#define SI_CODE         8 /* offsets in siginfo_t */
#define SI_ARCH         28
#define SYS_BY_DISPATCH 2 /* SYS_USER_DISPATCH */
#define SUD_SET         59
#define SUD_ON          1
#define SET_THREAD_AREA 243 /* i386's number */

long monitor_call32(long nr, uint32_t a);
long monitor_call(long nr, long a, long b, long c, long d, long e, long f);
void monitor_main(void);
void monitor_signal(int sig, const uint8_t *info, struct cage_ucontext *uc);
extern const uint8_t monitor_text[], monitor_text_end[], monitor_restore[];
extern const uint8_t monitor_syscall_end[], monitor_return_end[], monitor_int80_end[];

asm(".text\n"
    ".globl _start\n"
    "_start:\n"
    "   movl $9, %eax\n" /* mmap(CAGE_SHARED, len, RW, SHARED|FIXED, CAGE_FD_SHARED, 0) */
    "   movabsq $0x7e0000000000, %rdi\n"
    "   movl $0x20000, %esi\n"
    "   movl $3, %edx\n"
    "   movl $0x11, %r10d\n"
    "   movl $3, %r8d\n"
    "   xorl %r9d, %r9d\n"
    "   syscall\n"
    "   movabsq $0x7e0000020000, %rsp\n"
    "   cmpq %rdi, %rax\n"
    "   jne 1f\n"
    "   call monitor_main\n"
    "1: ud2\n"
    ".globl monitor_call, monitor_syscall_end\n"
    "monitor_call:\n"
    "   movq %rdi, %rax\n"
    "   movq %rsi, %rdi\n"
    "   movq %rdx, %rsi\n"
    "   movq %rcx, %rdx\n"
    "   movq %r8, %r10\n"
    "   movq %r9, %r8\n"
    "   movq 8(%rsp), %r9\n"
    "   syscall\n"
    "monitor_syscall_end:\n"
    "   ret\n"
    ".globl monitor_call32, monitor_int80_end\n"
    "monitor_call32:\n"
    "   pushq %rbx\n"
    "   movl %edi, %eax\n"
    "   movl %esi, %ebx\n"
    "   int $0x80\n"
    "monitor_int80_end:\n"
    "   popq %rbx\n"
    "   ret\n"
    ".globl monitor_restore, monitor_return_end\n"
    "monitor_restore:\n"
    "   movl $15, %eax\n"
    "   syscall\n"
    "monitor_return_end:\n"
    "   ud2\n");

static long call3(long nr, long a, long b, long c)
{
    return monitor_call(nr, a, b, c, 0, 0, 0);
}

static void must(bool ok)
{
    while (!ok)
        asm volatile("ud2"); /* the VMM sees the process die */
}

/* A descriptor as set_thread_area has it, by way of the page that 32 bits can name. */
static long tls_set(const void *desc)
{
    uint8_t *page = (uint8_t *)CAGE_SHARED + CAGE_SHARED_LEN - 4096;

    __builtin_memcpy(page, desc, 16);
    return monitor_call32(SET_THREAD_AREA, (uint32_t)PROGRAM_DESC);
}

/* ---- taking turns ---- */

static bool mine(void)
{
    return __atomic_load_n(&S->turn, __ATOMIC_ACQUIRE) == CAGE_TURN_CAGE;
}

static void turn_give(uint32_t sig)
{
    S->sig = sig;
    __atomic_store_n(&S->turn, CAGE_TURN_VMM, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&S->vmm_sleeps, __ATOMIC_SEQ_CST))
        call3(__NR_futex, (long)&S->turn, FUTEX_WAKE, 1);
    if (cage_spin(&S->spin, &S->turn, CAGE_TURN_CAGE, S->spin_ticks))
        return;
    while (!mine()) {
        __atomic_store_n(&S->cage_sleeps, 1, __ATOMIC_SEQ_CST);
        if (!mine())
            call3(__NR_futex, (long)&S->turn, FUTEX_WAIT, CAGE_TURN_VMM);
        __atomic_store_n(&S->cage_sleeps, 0, __ATOMIC_SEQ_CST);
    }
}

static void op_serve(const struct program_op *op)
{
    long rc = 0;

    switch (op->kind) {
    case PROGRAM_OP_MAP:
        rc = monitor_call(__NR_mmap, (long)op->at, 4096, op->prot, MAP_SHARED | MAP_FIXED,
                          CAGE_FD_RAM, (long)op->offset) != (long)op->at;
        break;
    case PROGRAM_OP_FORGET:
        rc = call3(__NR_munmap, 0, (long)(S->narrow ? PROGRAM_DESC : CAGE_MONITOR), 0);
        break;
    case PROGRAM_OP_FS: rc = call3(__NR_arch_prctl, ARCH_SET_FS, (long)op->at, 0); break;
    case PROGRAM_OP_TLS: rc = tls_set(&op->at); break;
    case PROGRAM_OP_GS: rc = call3(__NR_arch_prctl, ARCH_SET_GS, (long)op->at, 0); break;
    default: break;
    }
    if (rc)
        S->failed = 1;
}

/* On the signal stack, all signals blocked. */
void monitor_signal(int sig, const uint8_t *info, struct cage_ucontext *uc)
{
    S->frame = (uint64_t)uc;
    S->arch = le32_get(info + SI_CODE) == SYS_BY_DISPATCH ? le32_get(info + SI_ARCH) : 0;
    for (;;) {
        turn_give((uint32_t)sig);
        for (uint32_t i = 0; i < S->ops && i < PROGRAM_OPS; i++)
            op_serve(&S->op[i]);
        if (S->resume && !S->failed)
            return;
        sig = CAGE_SIG_NONE;
    }
}

/* ---- starting ---- */

static void maps_make(void)
{
    uint64_t text_end = ((uint64_t)monitor_text_end + 4095) & ~4095ull;

    must(!call3(__NR_munmap, 0, (long)monitor_text, 0));
    must(!call3(__NR_munmap, (long)text_end, (long)(CAGE_SHARED - text_end), 0));
    must(!call3(__NR_munmap, CAGE_SHARED + CAGE_SHARED_LEN,
                (long)(CAGE_TOP - CAGE_SHARED - CAGE_SHARED_LEN), 0));
    if (S->narrow)
        must(monitor_call(__NR_mmap, (long)PROGRAM_DESC, 4096, PROT_READ, MAP_SHARED | MAP_FIXED,
                          CAGE_FD_SHARED, CAGE_SHARED_LEN - 4096) == (long)PROGRAM_DESC);
    must(!call3(__NR_close_range, 0, CAGE_FD_SHARED, 0));
    must(!call3(__NR_close_range, CAGE_FD_RAM + 1, 0xffffffff, 0));
}

static void signals_take(void)
{
    static const uint8_t which[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGUSR1};
    struct sigaction sa = {0};
    stack_t ss = {.ss_sp = (void *)(CAGE_SHARED + 0x4000), .ss_size = CAGE_SHARED_LEN - 0x5000};

    sa.sa_handler = (__sighandler_t)(uintptr_t)monitor_signal;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | 0x04000000 /* SA_RESTORER */;
    sa.sa_restorer = (__sigrestore_t)(uintptr_t)monitor_restore;
    sa.sa_mask = ~0ul;
    must(!call3(__NR_sigaltstack, (long)&ss, 0, 0));
    for (unsigned i = 0; i < sizeof(which); i++)
        must(!monitor_call(__NR_rt_sigaction, which[i], (long)&sa, 0, 8, 0, 0));
}

/* ---- system calls ---- */

#define LOAD(field, half)                                                                          \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + (half)*4)
#define IS(value, then, otherwise)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
#define NARROW                        12
#define LOW(text)                     ((uint32_t)(uint64_t)(text))
#define BELOW(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, otherwise, then)

/*
 * All calls from elsewhere than the monitor are SIGSYS by dispatch. From its own two SYSCALL
 * instructions seccomp allows: rt_sigreturn; FUTEX_WAIT and FUTEX_WAKE on the turn; mmap of guest
 * RAM, shared, from `low` on; munmap; arch_prctl. For 32-bit programs its INT 0x80 may be
 * set_thread_area of the one page, and arch_prctl may not be. Each acts on the cage alone.
 */
static void calls_forbid(void)
{
    struct sock_filter f[] = {
        /* NARROW of these, for 32-bit programs only */
        LOAD(arch, 0),
        IS(AUDIT_ARCH_I386, 0, NARROW - 2),
        LOAD(nr, 0),
        IS(SET_THREAD_AREA, 0, 7),
        LOAD(args[0], 0),
        IS((uint32_t)PROGRAM_DESC, 0, 5),
        LOAD(instruction_pointer, 1),
        IS((uint32_t)(CAGE_MONITOR >> 32), 0, 3),
        LOAD(instruction_pointer, 0),
        IS(LOW(monitor_int80_end), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        /* of all */
        LOAD(arch, 0),
        IS(AUDIT_ARCH_X86_64, 0, 28),
        LOAD(instruction_pointer, 1),
        IS((uint32_t)(CAGE_MONITOR >> 32), 0, 26),
        LOAD(nr, 0),
        IS(__NR_rt_sigreturn, 21, 0),
        IS(__NR_munmap, 18, 0),
        IS(S->narrow ? __NR_munmap : __NR_arch_prctl, 17, 0),
        IS(__NR_futex, 10, 0),
        IS(__NR_mmap, 0, 20),
        /* mmap */
        LOAD(args[3], 0),
        IS(MAP_SHARED | MAP_FIXED, 0, 18),
        LOAD(args[4], 0),
        IS(CAGE_FD_RAM, 0, 16),
        LOAD(args[5], 1),
        IS(0, 0, 14),
        LOAD(args[5], 0),
        BELOW((uint32_t)S->low, 12, 0),
        BPF_STMT(BPF_JMP | BPF_JA, 6),
        /* futex: a WAIT or a WAKE on the turn */
        LOAD(args[1], 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, FUTEX_WAKE, 9, 0),
        LOAD(args[0], 0),
        IS((uint32_t)CAGE_SHARED, 0, 7),
        LOAD(args[0], 1),
        IS((uint32_t)(CAGE_SHARED >> 32), 0, 5),
        /* where it comes from */
        LOAD(instruction_pointer, 0),
        IS(LOW(monitor_syscall_end), 2, 3),
        LOAD(instruction_pointer, 0),
        IS(LOW(monitor_return_end), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    unsigned from = S->narrow ? 0 : NARROW;
    struct sock_fprog prog = {(unsigned short)(sizeof(f) / sizeof(*f) - from), f + from};

    must(!call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&prog));
}

/* The program's calls come here, but for those of the monitor itself. */
static void calls_divert(void)
{
    uint64_t text = (uint64_t)monitor_text;

    must(!monitor_call(__NR_prctl, SUD_SET, SUD_ON, (long)text, (long)monitor_text_end - (long)text,
                       0, 0));
    must(!monitor_call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
}

/* 32-bit code needs data segments, which the frames of 64-bit signals leave alone; and a host
 * whose kernel has 32-bit calls: an empty descriptor is a try. */
static void narrow_begin(void)
{
    static const uint32_t empty[4] = {PROGRAM_TLS_FIRST, 0, 0, 0x28};

    asm volatile("movl %0, %%ds\n movl %0, %%es" ::"r"(PROGRAM_SS));
    must(!tls_set(empty));
}

void monitor_main(void)
{
    struct rlimit64 none = {0, 0};

    must(!monitor_call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0));
    must(call3(__NR_getppid, 0, 0, 0) == (long)S->parent);
    must(!monitor_call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0));
    must(!monitor_call(__NR_prlimit64, 0, RLIMIT_CORE, (long)&none, 0, 0, 0));
    maps_make();
    signals_take();
    calls_divert();
    calls_forbid();
    if (S->narrow)
        narrow_begin();
    S->ready = 1;
    asm volatile("hlt"); /* the first stop: the VMM puts the program's registers into its frame */
    must(false);
}
