/*
 * Debug exceptions: single step, breakpoints on instructions, data and ports, general detect, RF,
 * the shadow of MOV SS, INT1. Intel SDM vol. 3 sections 17.2 to 17.3.
 */
#include "guest.h"
#include "user.h"

#define FLAG_TF 0x100u
#define FLAG_RF 0x10000u
#define DR6_BS  0x4000u
#define DR6_BD  0x2000u

#define DR_ACCESS(n)                                                                               \
    static inline word dr##n##_get(void)                                                           \
    {                                                                                              \
        word v;                                                                                    \
        asm volatile("mov %%dr" #n ", %0" : "=r"(v));                                              \
        return v;                                                                                  \
    }                                                                                              \
    static inline void dr##n##_set(word v)                                                         \
    {                                                                                              \
        asm volatile("mov %0, %%dr" #n ::"r"(v) : "memory");                                       \
    }
DR_ACCESS(0)
DR_ACCESS(1)
DR_ACCESS(6)
DR_ACCESS(7)

#define STEPS_MAX 64
static volatile word step_ip[STEPS_MAX], step_dr6;
static volatile unsigned steps;
static volatile uint32_t cell[4] __attribute__((aligned(16)));

/* Notes where it happened; breakpoints on instructions are passed with RF, stepping goes on. */
static bool db_hook(struct frame *f)
{
    if (steps < STEPS_MAX)
        step_ip[steps] = f->ip;
    steps++;
    step_dr6 = dr6_get();
    dr6_set(0xffff0ff0);
    if ((step_dr6 & 0xf) && !(step_dr6 & DR6_BS))
        f->flags |= FLAG_RF;
    if (steps >= STEPS_MAX)
        f->flags &= ~(word)FLAG_TF;
    return true;
}

static void begin(void)
{
    steps = 0;
    step_dr6 = 0;
    dr6_set(0xffff0ff0);
}

void step_a(void), step_b(void), step_c(void), step_d(void), step_e(void),
    step_f(void) __attribute__((weak));

static void stepping(void)
{
    begin();
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq\n"
                 ".globl step_a, step_b, step_c\n"
                 "step_a: nop\nstep_b: incl %%eax\n"
                 "pushfq; andq $~0x100, (%%rsp); popfq\nstep_c: nop" ::
                     : "rax", "memory", "cc");
    check_eq("single steps", steps, 5);
    check_eq("the first is behind the instruction after popf", step_ip[0], (word)step_b);
    check_eq("the last is behind the popf that ends it", step_ip[4], (word)step_c);
    check_eq("DR6 says single step", step_dr6 & (DR6_BS | 0xf), DR6_BS);
    begin();
    asm volatile("movl $3, %%ecx; pushfq; orq $0x100, (%%rsp); popfq\n"
                 "1: loop 1b; pushfq; andq $~0x100, (%%rsp); popfq" ::
                     : "rcx", "memory", "cc");
    check_eq("steps through a loop", steps, 6);
    begin();
    asm volatile("movl $4, %%ecx; movq %0, %%rdi; pushfq; orq $0x100, (%%rsp); popfq\n"
                 "rep stosb; pushfq; andq $~0x100, (%%rsp); popfq" ::"r"(cell)
                 : "rcx", "rdi", "memory", "cc");
    check_eq_real("each round of rep stosb is a step", steps, 7);
    begin();
    asm volatile("movl %%ss, %%eax; pushfq; orq $0x100, (%%rsp); popfq\n"
                 "movl %%eax, %%ss; nop; pushfq; andq $~0x100, (%%rsp); popfq" ::
                     : "rax", "memory", "cc");
    check_eq("mov ss holds the step back", steps, 4);
    begin();
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq; pushfq; andq $~0x100, (%%rsp); popfq" ::
                     : "memory", "cc");
    check_eq("an interrupt gate clears TF", steps, 3);
}

static void on_code(void)
{
    begin();
    dr0_set((word)step_d);
    dr7_set(0x401); /* L0, execute */
    asm volatile("movl $3, %%ecx\n.globl step_d\nstep_d: nop; loop step_d" ::: "rcx", "memory");
    dr7_set(0x400);
    check_eq("a code breakpoint hits before the instruction, once each", steps, 3);
    check_eq("at its address", step_ip[0], (word)step_d);
    check_eq("DR6 says breakpoint 0", step_dr6 & 0xf, 1);
}

static void on_data(void)
{
    begin();
    dr1_set((word)&cell[1]);
    dr7_set(0x400 | 2u << 1 | 0xdu << 20); /* G1, write, 4 bytes */
    (void)*(volatile uint32_t *)&cell[1];
    check_eq("a write breakpoint ignores reads", steps, 0);
    *(volatile uint32_t *)&cell[1] = 5;
    check_eq("and sees a write", steps, 1);
    check_eq("as breakpoint 1", step_dr6 & 0xf, 2);
    *(volatile uint32_t *)&cell[2] = 5;
    check_eq("not the word beside it", steps, 1);
    *(volatile uint8_t *)((uint8_t *)&cell[1] + 3) = 1;
    check_eq("and one byte of it", steps, 2);
    *(volatile uint64_t *)&cell[0] = 1;
    check_eq("and a wider write over it", steps, 3);
    begin();
    dr7_set(0x400 | 2u << 1 | 0xfu << 20); /* read or write */
    (void)*(volatile uint32_t *)&cell[1];
    check_eq("an access breakpoint sees reads", steps, 1);
    asm volatile("movl $1, %0\n.globl step_e\nstep_e: nop" : "=m"(cell[1]));
    check_eq("and comes behind the instruction", step_ip[1], (word)step_e);
    dr7_set(0x400);
    *(volatile uint32_t *)&cell[1] = 6;
    check_eq("off again", steps, 2);
}

static void others(void)
{
    begin();
    dr7_set(0x2400); /* GD */
    TRY("mov %%dr0, %%rax");
    check_eq_real("general detect", steps, 1);
    check_eq_real("DR6 says so", step_dr6 & DR6_BD, DR6_BD);
    check_eq_real("and GD is off in the handler", dr7_get() & 0x2000, 0);
    begin();
    if (!on_tcg)
        asm volatile(".byte 0xf1\n.globl step_f\nstep_f: nop");
    check_eq_real("int1", steps, 1);
    check_eq_real("int1 comes behind itself", step_ip[0], on_tcg ? 0 : (word)step_f);
    cr4_set(cr4_get() | 8);
    TRY("mov %%dr4, %%rax");
    check_trap("DR4 with CR4.DE", V_UD, 0);
    cr4_set(cr4_get() & ~8ul);
    TRY("mov %0, %%dr7", "r"(1ul << 40));
    check_trap_real("the high half of DR7", V_GP, 0);
    check_eq("DR7's fixed bit", (dr7_set(0), dr7_get()), 0x400);
    check_eq("DR6's fixed bits", (dr6_set(0), dr6_get()) & 0xfffe0ff0, 0xfffe0ff0);
}

CODE_FN(u_step, "pushfq; orq $0x100, (%rsp); popfq; nop; nop; int $0x80");

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    trap_hook[V_DB] = db_hook;
    stepping();
    on_code();
    on_data();
    others();
    begin();
    user64(u_step, 0);
    check_trap("stepping in ring 3 ends", 0x80, 0);
    check_eq("steps in ring 3", steps, 2);
}
