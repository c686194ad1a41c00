/*
 * The native side: a sequence runs in this process, on the real CPU, with all registers loaded. It
 * ends by a signal (UD2, or an earlier fault), whose frame holds the whole state.
 */
#include "core/types.h"
#include "diff.h"
#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { TICK_MS = 100, TICKS = 5, CS_USER32 = 0x23, DS_USER = 0x2b, CS_USER = 0x33 };

static struct {
    uint8_t *data, *code, *rounds; /* writable aliases */
    struct sigaction old[32];
    volatile bool running;
    volatile unsigned ticks; /* of this run: see tick */
    bool caught;
    struct outcome *out;
} nat;

/* Used by the assembly below. */
struct enter {
    uint64_t gpr[16], rip, rflags, fs, gs;
    uint8_t fx[FX_SIZE] __attribute__((aligned(64)));
};
extern struct enter native_in;
extern uint64_t native_rsp, native_fs, native_gs;
extern struct far {
    uint32_t off;
    uint16_t sel;
} native_far;
struct enter native_in;
uint64_t native_rsp, native_fs, native_gs;
extern uint16_t native_ds, native_es, native_ss;
uint16_t native_ds, native_es, native_ss;
struct far native_far;
void native_enter(void);
void native_enter32(void);
void native_back(void);
__asm__(".text\n"
        "native_enter:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n sub $8, %rsp\n"
        "mov %rsp, native_rsp(%rip)\n"
        "rdfsbase %rax\n mov %rax, native_fs(%rip)\n"
        "rdgsbase %rax\n mov %rax, native_gs(%rip)\n"
        "lea native_in(%rip), %rdi\n"
        "fxrstor64 192(%rdi)\n"
        "mov 144(%rdi), %rax\n wrfsbase %rax\n"
        "mov 152(%rdi), %rax\n wrgsbase %rax\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
        "mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
        "mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n mov 88(%rdi), %r11\n"
        "mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
        "push 136(%rdi)\n popf\n"
        "mov 32(%rdi), %rsp\n mov 56(%rdi), %rdi\n"
        "jmp *native_in+128(%rip)\n"
        /* the same into compatibility mode; FS and GS stay ours */
        "native_enter32:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n sub $8, %rsp\n"
        "mov %rsp, native_rsp(%rip)\n"
        "rdfsbase %rax\n mov %rax, native_fs(%rip)\n"
        "rdgsbase %rax\n mov %rax, native_gs(%rip)\n"
        "mov native_ds(%rip), %ds\n mov native_es(%rip), %es\n"
        "lea native_in(%rip), %rdi\n"
        "mov 128(%rdi), %eax\n mov %eax, native_far(%rip)\n"
        "fxrstor64 192(%rdi)\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
        "mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
        "push 136(%rdi)\n popf\n"
        "mov native_ss(%rip), %ss\n mov 32(%rdi), %rsp\n mov 56(%rdi), %rdi\n"
        "ljmp *native_far(%rip)\n"
        "native_back:\n"
        "fninit\n cld\n"
        "add $8, %rsp\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

_Static_assert(offsetof(struct enter, rip) == 128 && offsetof(struct enter, fx) == 192, "asm");

static const int greg_order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};

/* FS and AC are the sequence's on entry: no stack protector, nothing misaligned before. */
__attribute__((no_stack_protector)) static void leave(ucontext_t *uc)
{
    __asm__ volatile("pushf\n andl $~0x40000, (%%rsp)\n popf\n wrfsbase %0\n wrgsbase %1"
                     :
                     : "r"(native_fs), "r"(native_gs)
                     : "memory", "cc");
    nat.running = false;
    struct outcome *o = nat.out;
    greg_t *g = uc->uc_mcontext.gregs;
    for (unsigned i = 0; i < 16; i++)
        o->at.gpr[i] = (uint64_t)g[greg_order[i]];
    o->at.rip = (uint64_t)g[REG_RIP];
    o->at.rflags = (uint64_t)g[REG_EFL];
    o->vector = (int)g[REG_TRAPNO];
    o->error = (uint32_t)g[REG_ERR];
    o->cr2 = (uint64_t)g[REG_CR2];
    memcpy(o->at.fx, uc->uc_mcontext.fpregs, FX_SIZE);
    nat.caught = true;
    g[REG_RIP] = (greg_t)(uintptr_t)native_back;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000) | CS_USER | (greg_t)DS_USER << 48;
    g[REG_RSP] = (greg_t)native_rsp;
    g[REG_EFL] = 0x202;
    uc->uc_mcontext.fpregs->mxcsr = 0x1f80;
}

__attribute__((no_stack_protector)) static void handler(int sig, siginfo_t *info, void *ctx)
{
    if (nat.running)
        leave(ctx);
    else
        nat.old[sig].sa_sigaction(sig, info, ctx);
}

/* Every TICK_MS of CPU time: a run that takes TICKS of them never ends. */
__attribute__((no_stack_protector)) static void tick(int sig, siginfo_t *info, void *ctx)
{
    (void)sig, (void)info;
    unsigned n = nat.ticks + 1;
    nat.ticks = n;
    if (n == TICKS && nat.running) {
        leave(ctx);
        nat.caught = false;
    } else if (n == TICKS) {
        guest_kick();
    } else if (n == 20 * TICKS) { /* not even a kick helps */
        static const char text[] = "diff_insn: the engine hangs\n";
        _exit(write(2, text, sizeof(text) - 1) < 0 ? 3 : 2);
    }
}

void native_watch(void)
{
    nat.ticks = 0;
}

bool native_late(void)
{
    return nat.ticks >= TICKS;
}

static uint8_t *map_twice(uint64_t at, size_t len, int prot)
{
    int fd = memfd_create("diff", 0);
    if (fd < 0 || ftruncate(fd, (off_t)len) < 0 ||
        mmap((void *)(uintptr_t)at, len, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) ==
            MAP_FAILED)
        goto bad;
    uint8_t *rw = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (rw != MAP_FAILED)
        return rw;
bad:
    perror("diff_insn: mmap");
    exit(2);
}

/* After the engine has installed its own handlers: ours come first. */
void native_signals(void)
{
    static const int sync[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigset_t set;
    sigfillset(&sa.sa_mask);
    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof(sync) / sizeof(sync[0]); i++) {
        struct sigaction old;
        sigaction(sync[i], &sa, &old);
        if (old.sa_sigaction != handler)
            nat.old[sync[i]] = old;
        sigaddset(&set, sync[i]);
    }
    struct itimerval every = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}};
    sa.sa_sigaction = tick;
    sigaction(SIGPROF, &sa, NULL);
    setitimer(ITIMER_PROF, &every, NULL);
    sigaddset(&set, SIGPROF);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void segment(unsigned sel, uint32_t base, uint32_t len, unsigned contents)
{
    struct user_desc d = {.entry_number = sel >> 3,
                          .base_addr = base,
                          .limit = len - 1,
                          .contents = contents & 3,
                          .useable = 1};
    if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)))
        perror("diff_insn: modify_ldt");
}

void native_open(void)
{
    segment(SEL16_CS, CODE_AT, CODE_LEN, MODIFY_LDT_CONTENTS_CODE);
    segment(SEL16_SS, DATA_AT, DATA_LEN, MODIFY_LDT_CONTENTS_DATA);
    segment(SEL16_DS, DATA_AT, DS_LEN16, MODIFY_LDT_CONTENTS_DATA);
    segment(SEL16_ES, DATA_AT, DATA_LEN, MODIFY_LDT_CONTENTS_DATA);
    nat.data = map_twice(DATA_AT, DATA_LEN, PROT_READ | PROT_WRITE);
    nat.code = map_twice(CODE_AT, CODE_LEN, PROT_READ | PROT_EXEC);
    nat.rounds = map_twice(ROUNDS_AT, PAGE, PROT_READ | PROT_WRITE);
    mprotect((void *)(uintptr_t)DATA_AT, PAGE, PROT_READ);
    (void)*(volatile uint8_t *)(uintptr_t)DATA_AT; /* present, for the error code of a write */
}

void native_run(const struct seq *s, const uint8_t *code, unsigned len, struct outcome *o)
{
    uint8_t *page[DATA_LEN / PAGE];
    for (unsigned i = 0; i < DATA_LEN / PAGE; i++)
        o->page[i] = page[i] = nat.data + i * PAGE;
    gen_memory(s, page);
    le32_put(nat.rounds, ROUNDS);
    memcpy(nat.code + s->start, code, len);
    memcpy(native_in.gpr, s->in.gpr, sizeof(native_in.gpr));
    native_in.rip = (s->bits == 16 ? 0 : CODE_AT) + s->start;
    native_far.sel = s->bits == 16 ? SEL16_CS : CS_USER32;
    native_ds = s->bits == 16 ? SEL16_DS : DS_USER;
    native_es = s->bits == 16 ? SEL16_ES : DS_USER;
    native_ss = s->bits == 16 ? SEL16_SS : DS_USER;
    native_in.rflags = s->in.rflags;
    native_in.fs = s->in.fs_base;
    native_in.gs = s->in.gs_base;
    memcpy(native_in.fx, s->in.fx, FX_SIZE);
    nat.out = o;
    nat.caught = false;
    native_watch();
    nat.running = true;
    if (s->bits == 64)
        native_enter();
    else
        native_enter32();
    if (!nat.caught) {
        o->vector = -1;
        snprintf(o->why, sizeof(o->why), "%s",
                 native_late() ? "runs for ever" : "came back without a signal");
    }
}
