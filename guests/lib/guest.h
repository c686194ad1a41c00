/*
 * The small runtime of the bare-metal guests: console, checks, exit, traps, paging, port access.
 * Guests run from 1 MiB with all memory below 4 GiB mapped at its own address (64-bit guests) or
 * with paging off (32-bit guests), interrupts off, PICs masked.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Selectors of the start-up GDT. The order suits SYSCALL, SYSRET, SYSENTER and SYSEXIT. */
enum {
    SEL_K64 = 0x08, /* 32-bit guests: flat 32-bit code */
    SEL_KDATA = 0x10,
    SEL_U32 = 0x18 | 3,
    SEL_UDATA = 0x20 | 3,
    SEL_U64 = 0x28 | 3,
    SEL_UDATA2 = 0x30 | 3,
    SEL_K32 = 0x38,
    SEL_K16 = 0x40,
    SEL_D16 = 0x48,
    SEL_TSS = 0x50,  /* 16 bytes in long mode */
    SEL_FREE = 0x60, /* from here on: for the tests */
    GDT_ENTRIES = 64,
};

enum {
    V_DE,
    V_DB,
    V_NMI,
    V_BP,
    V_OF,
    V_BR,
    V_UD,
    V_NM,
    V_DF,
    V_TS = 10,
    V_NP,
    V_SS,
    V_GP,
    V_PF,
    V_MF = 16,
    V_AC,
    V_MC,
    V_XM,
};
#define NO_TRAP 0xffffu

typedef unsigned long word; /* 32 or 64 bits, as the guest */

struct frame {
#ifdef __x86_64__
    word r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
    word vector, error, ip, cs, flags, sp, ss;
#else
    word di, si, bp, sp_pusha, bx, dx, cx, ax;
    word ds, es;
    word vector, error, ip, cs, flags;
    word sp, ss; /* only there when the trap came from ring 3 or by a task gate's outer frame */
#endif
};

/* What the last trap was, for tests. trap_resume: where to go on after it (with trap_sp). */
struct trap_seen {
    unsigned vector;
    word error, ip, cs, flags, sp, ss, cr2;
    word handler_sp; /* of the handler's own stack frame */
};
extern volatile struct trap_seen seen;
extern volatile word trap_resume, trap_sp;
extern volatile unsigned trap_count;
extern volatile unsigned shadows_lost, doubles; /* by QEMU's SVM: trap.c */
/* A handler for a vector: returns true if it took care of it and the guest goes on at frame->ip. */
extern bool (*trap_hook[256])(struct frame *f);

void trap_init(void);
void idt_gate(unsigned vector, word handler, unsigned sel, unsigned type_dpl, unsigned ist);
word idt_default(unsigned vector); /* the runtime's own handler of that vector */

extern volatile uint64_t gdt[GDT_ENTRIES];
extern uint8_t tss[];
#define TSS_LEN 104
extern uint8_t stack_top[], user_stack_top[], ist_stack_top[];

void con_init(void);
void put(const char *s);
/* %s %c %d %u %x %lx %lu %% and a width with zeros, no more. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "ok name" or "FAIL name"; counts failures. Returns ok. */
bool check(const char *name, bool ok);
/* The same for two values; a failure prints both. */
bool check_eq(const char *name, uint64_t got, uint64_t want);
/* The last trap was this vector with this error code. */
bool check_trap(const char *name, unsigned vector, word error);
/* The same, but left out on QEMU's translator (command line "tcg"), which is known to differ from
 * the manuals there. */
bool check_trap_real(const char *name, unsigned vector, word error);
bool check_eq_real(const char *name, uint64_t got, uint64_t want);
extern bool on_tcg;
void skip(const char *name, const char *why); /* "ok name # skip why": engines may differ here */

__attribute__((noreturn)) void guest_exit(unsigned code); /* the debug exit port */
__attribute__((noreturn)) void guest_done(void);          /* exit code: failures, 0 to 100 */

void guest_start(const uint8_t *mbi); /* called by the entry code */
/* The guest's main, with the multiboot information. */
void guest_main(const uint8_t *mbi);
const char *guest_cmdline(const uint8_t *mbi); /* "" if there is none */
/* Number after "key=" on the command line, or fallback. */
uint64_t guest_opt(const uint8_t *mbi, const char *key, uint64_t fallback);
bool guest_has(const uint8_t *mbi, const char *word); /* is it on the command line? */
bool str_eq(const char *a, const char *b);
void *mem_set(void *p, int c, size_t n);
void *mem_copy(void *d, const void *s, size_t n);
bool mem_eq(const void *a, const void *b, size_t n);

static inline void outb(uint16_t port, uint8_t v)
{
    asm volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    asm volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
    asm volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    asm volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    asm volatile("cpuid"
                 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                 : "a"(leaf), "c"(sub));
}

#define CR_ACCESS(n)                                                                               \
    static inline word cr##n##_get(void)                                                           \
    {                                                                                              \
        word v;                                                                                    \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory");                                    \
        return v;                                                                                  \
    }                                                                                              \
    static inline void cr##n##_set(word v)                                                         \
    {                                                                                              \
        asm volatile("mov %0, %%cr" #n ::"r"(v) : "memory");                                       \
    }
CR_ACCESS(0)
CR_ACCESS(2)
CR_ACCESS(3)
CR_ACCESS(4)

static inline void invlpg(const volatile void *p)
{
    asm volatile("invlpg (%0)" ::"r"(p) : "memory");
}

static inline void sti(void)
{
    asm volatile("sti" ::: "memory");
}

static inline void cli(void)
{
    asm volatile("cli" ::: "memory");
}

/* sti's shadow covers hlt, so no interrupt is lost between the two. */
static inline void sti_hlt_cli(void)
{
    asm volatile("sti; hlt; cli" ::: "memory");
}

/*
 * Runs instructions that may trap, in this mode or another; afterwards `seen` says what happened
 * (vector NO_TRAP: nothing). All general registers are preserved, so results leave through memory;
 * operands must be registers or constants, since the stack pointer moves.
 */
#ifdef __x86_64__
#define TRY_BEGIN                                                                                  \
    "push %%rax; push %%rcx; push %%rdx; push %%rbx; push %%rbp; push %%rsi; push %%rdi\n\t"       \
    "push %%r8; push %%r9; push %%r10; push %%r11; push %%r12; push %%r13; push %%r14\n\t"         \
    "push %%r15; movq $9f, trap_resume(%%rip); movq %%rsp, trap_sp(%%rip)\n\t"
#define TRY_END                                                                                    \
    "\n9:\tmovq trap_sp(%%rip), %%rsp; movq $0, trap_resume(%%rip); pop %%r15\n\t"                 \
    "pop %%r14; pop %%r13; pop %%r12; pop %%r11; pop %%r10; pop %%r9; pop %%r8\n\t"                \
    "pop %%rdi; pop %%rsi; pop %%rbp; pop %%rbx; pop %%rdx; pop %%rcx; pop %%rax"
#else
#define TRY_BEGIN "pushal; movl $9f, trap_resume; movl %%esp, trap_sp\n\t"
#define TRY_END   "\n9:\tmovl trap_sp, %%esp; movl $0, trap_resume; popal"
#endif
#define TRY(insn, ...)                                                                             \
    do {                                                                                           \
        seen.vector = NO_TRAP;                                                                     \
        seen.error = 0;                                                                            \
        asm volatile(TRY_BEGIN insn TRY_END ::__VA_ARGS__ : "memory", "cc");                       \
    } while (0)

/* 8-byte code, data and gate descriptors. */
static inline uint64_t desc_seg(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffffull) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static inline uint64_t desc_gate(uint32_t off, unsigned sel, unsigned count, unsigned access)
{
    return (off & 0xffffull) | (uint64_t)sel << 16 | (uint64_t)count << 32 |
           (uint64_t)access << 40 | (uint64_t)(off >> 16) << 48;
}

#endif
