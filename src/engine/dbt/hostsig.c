/*
 * Guest instructions that run natively may fault natively: division, alignment, floating point.
 * The host's signal is turned into the guest's exception: the interrupted registers are the
 * guest's, the block's fault table says which instruction it was.
 */
/* <ucontext.h> has its own REG_ names for the saved registers: here they are HOST_REG_. */
#define REG_R8  HOST_REG_R8
#define REG_R9  HOST_REG_R9
#define REG_R10 HOST_REG_R10
#define REG_R11 HOST_REG_R11
#define REG_R12 HOST_REG_R12
#define REG_R13 HOST_REG_R13
#define REG_R14 HOST_REG_R14
#define REG_R15 HOST_REG_R15
#define REG_RDI HOST_REG_RDI
#define REG_RSI HOST_REG_RSI
#define REG_RBP HOST_REG_RBP
#define REG_RBX HOST_REG_RBX
#define REG_RDX HOST_REG_RDX
#define REG_RAX HOST_REG_RAX
#define REG_RCX HOST_REG_RCX
#define REG_RSP HOST_REG_RSP
#include <signal.h>
#include <ucontext.h>
#undef REG_R8
#undef REG_R9
#undef REG_R10
#undef REG_R11
#undef REG_R12
#undef REG_R13
#undef REG_R14
#undef REG_R15
#undef REG_RDI
#undef REG_RSI
#undef REG_RBP
#undef REG_RBX
#undef REG_RDX
#undef REG_RAX
#undef REG_RCX
#undef REG_RSP

#include "engine/dbt/dbt.h"
#include "engine/dbt/hostsig.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

/* Which vCPU this thread runs: a signal handler has no other way to know. */
static __thread struct cpu *current;

enum { ALT_STACK = 64 << 10 };

_Noreturn static void land(struct cpu *cpu)
{
    longjmp(cpu->fault_jmp, 1);
}

static const struct fault_site *site_at(const struct block *b, const uint8_t *pc)
{
    for (unsigned i = 0; i < b->faults; i++)
        if (b->fault[i].at == pc)
            return &b->fault[i];
    return NULL;
}

static void take_regs(struct cpu *cpu, const greg_t *g)
{
    static const int order[16] = {HOST_REG_RAX, HOST_REG_RCX, HOST_REG_RDX, HOST_REG_RBX,
                                  HOST_REG_RSP, HOST_REG_RBP, HOST_REG_RSI, HOST_REG_RDI,
                                  HOST_REG_R8,  HOST_REG_R9,  -1,           -1,
                                  HOST_REG_R12, HOST_REG_R13, HOST_REG_R14, HOST_REG_R15};
    for (unsigned i = 0; i < 16; i++)
        if (order[i] >= 0)
            cpu->gpr[i] = (uint64_t)g[order[i]];
}

static void fail(struct cpu *cpu, int sig, const uint8_t *pc, const struct block *b)
{
    snprintf(cpu->why, sizeof(cpu->why),
             "translated code raised signal %d at %+ld of the block at guest RIP 0x%llx", sig,
             b ? (long)(pc - code_at(cpu->dbt, b->hot)) : 0L,
             b ? (unsigned long long)b->rip : 0ull);
    cpu->failed = true;
    cpu->fault.vector = EXC_UD;
}

static bool guest_vector(const struct cpu *cpu, int trapno, uint8_t *vector)
{
    if (trapno == EXC_XM && !(cpu->cr4 & CR4_OSXMMEXCPT))
        trapno = EXC_UD;
    switch (trapno) {
    case EXC_DE:
    case EXC_UD:
    case EXC_GP:
    case EXC_MF:
    case EXC_AC:
    case EXC_XM: *vector = (uint8_t)trapno; return true;
    default: return false;
    }
}

static void die(int sig)
{
    signal(sig, SIG_DFL); /* not ours: let it take its course when the instruction is retried */
}

static void handler(int sig, siginfo_t *info, void *ctx)
{
    ucontext_t *uc = ctx;
    greg_t *g = uc->uc_mcontext.gregs;
    struct cpu *cpu = current;
    const uint8_t *pc = (const uint8_t *)g[REG_RIP];
    uint8_t vector;
    (void)info;
    if (!cpu || pc < cpu->dbt->rx || pc >= cpu->dbt->rx + CODE_HOT + CODE_COLD) {
        die(sig);
        return;
    }
    struct block *b = dbt_block_at(cpu->dbt, (uintptr_t)pc);
    const struct fault_site *s = b ? site_at(b, pc) : NULL;
    take_regs(cpu, g);
    if (!s || !guest_vector(cpu, (int)g[REG_TRAPNO], &vector)) {
        fail(cpu, sig, pc, b);
    } else {
        cpu->rip = b->rip + s->off;
        if (s->lent != FAULT_NONE_LENT)
            cpu->gpr[s->lent] = cpu->scratch[7];
        if (s->flags_host)
            cpu_set_flags_arith(cpu, (uint32_t)g[REG_EFL]);
        if (s->as)
            vector = s->as;
        cpu->fault.vector = vector;
        cpu->fault.has_error = vector == EXC_GP || vector == EXC_AC;
        cpu->fault.error = 0;
    }
    g[REG_RIP] = (greg_t)(uintptr_t)land;
    g[HOST_REG_RDI] = (greg_t)(uintptr_t)cpu;
    g[HOST_REG_RSP] = (greg_t)(cpu->host_rsp - 8);
}

int dbt_thread_enter(struct cpu *cpu)
{
    if (current == cpu)
        return 0;
    static const int sync[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    void *stack = mmap(NULL, ALT_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        return -1;
    stack_t ss = {
        .ss_sp = stack, .ss_size = ALT_STACK, .ss_flags = (int)(1u << 31) /* AUTODISARM */};
    sigset_t all;
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&all);
    sa.sa_mask = all;
    if (sigaltstack(&ss, NULL) < 0)
        return -1;
    for (unsigned i = 0; i < ARRAY_LEN(sync); i++) {
        sigaction(sync[i], &sa, NULL);
        sigdelset(&all, sync[i]);
    }
    sigdelset(&all, SIGSYS); /* the sandbox's: it ends the process, on this stack */
    pthread_sigmask(SIG_SETMASK, &all,
                    NULL); /* nothing else may run on the guest's stack pointer */
    current = cpu;
    return 0;
}
