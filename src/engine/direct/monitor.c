/*
 * The monitor: the whole program of the cage, freestanding, linked at CAGE_MONITOR (monitor.ld).
 * It unmaps all there is, maps guest RAM and the code view, lets go of every descriptor, forbids
 * itself system calls, and from then on only handles signals: each hands the stopped guest to the
 * VMM, waits for its turn, and goes back by rt_sigreturn. Linux ABI: x86-64 psABI appendix A,
 * rt_sigaction(2), sigaltstack(2), seccomp(2), modify_ldt(2).
 */
#include "engine/direct/cage.h"
#include <asm/ldt.h>
#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

#define S ((struct cage_shared *)CAGE_SHARED)

long monitor_call(long nr, long a, long b, long c, long d, long e, long f);
void monitor_main(void);
void monitor_signal(int sig, void *info, struct cage_ucontext *uc);
extern const uint8_t monitor_text[], monitor_text_end[], monitor_entry[], monitor_restore[];
extern const uint8_t monitor_syscall_end[], monitor_return_end[];

/* The kernel enters here with a stack that is about to go; and signals with one that stays. */
asm(".text\n"
    ".globl _start\n"
    "_start:\n"
    "   movl $" /* mmap(CAGE_SHARED, len, RW, SHARED|FIXED, CAGE_FD_SHARED, 0) */
    "9, %eax\n"
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
    ".globl monitor_restore, monitor_return_end\n"
    "monitor_restore:\n"
    "   movl $15, %eax\n"
    "   syscall\n"
    "monitor_return_end:\n"
    "   ud2\n"
    /* The kernel leaves DS, ES, FS and GS as the guest had them, and sigreturn takes them as they
     * are. 64-bit code doesn't mind what is in them. */
    ".globl monitor_entry\n"
    "monitor_entry:\n"
    "   subq $8, %rsp\n"
    "   call monitor_signal\n"
    "   addq $8, %rsp\n"
    "   movabsq $0x7e0000000000, %rax\n"
    "   movw 28(%rax), %es\n"
    "   movw 34(%rax), %ds\n"
    "   movw 36(%rax), %fs\n"
    "   movw 38(%rax), %gs\n"
    "   ret\n");
_Static_assert(offsetof(struct cage_shared, sel) == 28 && CAGE_SHARED == 0x7e0000000000 &&
                   CAGE_SHARED_LEN == 0x20000 && CAGE_FD_SHARED == 3 && __NR_mmap == 9 &&
                   __NR_rt_sigreturn == 15,
               "as in the assembly above");

static long call3(long nr, long a, long b, long c)
{
    return monitor_call(nr, a, b, c, 0, 0, 0);
}

static _Noreturn void give_up(void)
{
    for (;;)
        asm volatile("ud2"); /* the VMM sees the process die */
}

static void must(bool ok)
{
    if (!ok)
        give_up();
}

/* ---- taking turns ---- */

static bool mine(void)
{
    return __atomic_load_n(&S->turn, __ATOMIC_ACQUIRE) == CAGE_TURN_CAGE;
}

static void turn_wait(void)
{
    if (cage_spin(&S->spin, &S->turn, CAGE_TURN_CAGE, S->spin_ticks))
        return;
    while (!mine()) {
        __atomic_store_n(&S->cage_sleeps, 1, __ATOMIC_SEQ_CST);
        if (!mine())
            monitor_call(__NR_futex, (long)&S->turn, FUTEX_WAIT, CAGE_TURN_VMM, 0, 0, 0);
        __atomic_store_n(&S->cage_sleeps, 0, __ATOMIC_SEQ_CST);
    }
}

static void turn_give(uint32_t sig)
{
    S->sig = sig;
    __atomic_store_n(&S->turn, CAGE_TURN_VMM, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&S->vmm_sleeps, __ATOMIC_SEQ_CST))
        call3(__NR_futex, (long)&S->turn, FUTEX_WAKE, 1);
    turn_wait();
}

static void op_serve(struct cage_op *op)
{
    long rc = 0;

    if (op->kind == CAGE_OP_PROTECT)
        rc = call3(__NR_mprotect, (long)op->at, (long)op->len, op->prot);
    else
        rc = call3(__NR_modify_ldt, 0x11, (long)op->desc, sizeof(op->desc));
    if (rc)
        S->failed++;
}

/* By the monitor's entry, on the signal stack, all signals blocked. */
void monitor_signal(int sig, void *info, struct cage_ucontext *uc)
{
    (void)info;
    S->frame = (uint64_t)uc;
    turn_give((uint32_t)sig);
    for (;;) {
        for (uint32_t i = 0; i < S->ops && i < CAGE_OPS; i++)
            op_serve(&S->op[i]);
        if (S->resume && !S->failed)
            return;
        turn_give(CAGE_SIG_NONE);
    }
}

/* ---- starting ---- */

static void map(uint64_t at, uint64_t len, long prot, long fd)
{
    must(monitor_call(__NR_mmap, (long)at, (long)len, prot, MAP_SHARED | MAP_FIXED, fd, 0) ==
         (long)at);
}

static void maps_make(void)
{
    uint64_t text_end = ((uint64_t)monitor_text_end + 4095) & ~4095ull;

    must(!call3(__NR_munmap, 0, (long)monitor_text, 0));
    must(!call3(__NR_munmap, (long)text_end, (long)(CAGE_SHARED - text_end), 0));
    must(!call3(__NR_munmap, CAGE_SHARED + CAGE_SHARED_LEN,
                (long)(CAGE_TOP - CAGE_SHARED - CAGE_SHARED_LEN), 0));
    map(CAGE_DATA, S->ram, PROT_READ | PROT_WRITE, CAGE_FD_RAM);
    map(CAGE_CODE, S->ram, PROT_NONE, CAGE_FD_CODE);
    for (uint32_t i = 0; i < S->pages && i < CAGE_PAGES; i++)
        map((CAGE_DATA + S->page[i]) & UINT32_MAX, 4096, PROT_READ, CAGE_FD_PAGE + (long)i);
    must(!call3(__NR_close_range, 0, 0xffffffff, 0));
}

static void signals_take(void)
{
    static const uint8_t which[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGUSR1};
    struct sigaction sa = {0};
    stack_t ss = {.ss_sp = (void *)(CAGE_SHARED + 0x4000), .ss_size = CAGE_SHARED_LEN - 0x5000};

    sa.sa_handler = (__sighandler_t)(uintptr_t)monitor_entry;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | 0x04000000 /* SA_RESTORER */;
    sa.sa_restorer = (__sigrestore_t)(uintptr_t)monitor_restore;
    sa.sa_mask = ~0ul;
    must(!call3(__NR_sigaltstack, (long)&ss, 0, 0));
    for (unsigned i = 0; i < sizeof(which); i++)
        must(!monitor_call(__NR_rt_sigaction, which[i], (long)&sa, 0, 8, 0, 0));
}

/* ---- no system calls ---- */

#define LOAD(field, half)                                                                          \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + (half)*4)
#define IS(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
#define LOW(text)                  ((uint32_t)(uint64_t)(text))

/*
 * Allowed, and from the monitor's own two SYSCALL instructions only: rt_sigreturn; FUTEX_WAIT and
 * FUTEX_WAKE on the turn; mprotect below 4 GiB; modify_ldt. All else is SIGSYS, and that is handed
 * to the VMM like any other stop.
 */
static void calls_forbid(void)
{
    struct sock_filter f[] = {
        LOAD(arch, 0),
        IS(AUDIT_ARCH_X86_64, 0, 23),
        LOAD(instruction_pointer, 1),
        IS((uint32_t)(CAGE_MONITOR >> 32), 0, 21),
        LOAD(nr, 0),
        IS(__NR_rt_sigreturn, 16, 0),
        IS(__NR_futex, 3, 0),
        IS(__NR_mprotect, 8, 0),
        IS(__NR_modify_ldt, 0, 16),
        BPF_STMT(BPF_JMP | BPF_JA, 10),
        /* futex: a WAIT or a WAKE on the turn */
        LOAD(args[1], 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, FUTEX_WAKE, 13, 0),
        LOAD(args[0], 0),
        IS((uint32_t)CAGE_SHARED, 0, 11),
        LOAD(args[0], 1),
        IS((uint32_t)(CAGE_SHARED >> 32), 4, 9),
        /* mprotect: below 4 GiB */
        LOAD(args[0], 1),
        IS(0, 0, 7),
        LOAD(args[1], 1),
        IS(0, 0, 5),
        /* where it comes from */
        LOAD(instruction_pointer, 0),
        IS(LOW(monitor_syscall_end), 2, 3),
        LOAD(instruction_pointer, 0),
        IS(LOW(monitor_return_end), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog prog = {sizeof(f) / sizeof(*f), f};

    must(!monitor_call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
    must(!call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&prog));
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
    calls_forbid();
    asm volatile("hlt"); /* the first stop: the VMM puts the guest's registers into its frame */
    give_up();
}
