/*
 * Interrupts and timers: PIT through the 8259, the shadow of STI and MOV SS, HLT, the local APIC's
 * timer, IPIs, priorities and TPR, NMI, the I/O APIC, the TSC. Intel SDM vol. 3 chapters 6 and 11.
 */
#include "guest.h"
#include "irq.h"
#include "user.h"

#define CR4_TSD 4u
#ifdef __x86_64__
#define POPF_IF "pushfq; orq $0x200, (%%rsp); popfq\n"
#define IRET_IF                                                                                    \
    "movq %%rsp, %%rbx; movl %%ss, %%ecx; pushq %%rcx; pushq %%rbx; pushq $0x202\n"                \
    "movl %%cs, %%ecx; pushq %%rcx; pushq $tick_iret; iretq\n"
#define user_go user64
#else
#define POPF_IF "pushfl; orl $0x200, (%%esp); popfl\n"
#define IRET_IF "pushl $0x202; pushl %%cs; pushl $tick_iret; iret\n"
#define user_go user32
#endif
#define SPINS 200000000u /* a bound on every wait: some seconds */

static volatile unsigned ticks, order_n;
static volatile word tick_ip;
static volatile uint8_t order[8];
static bool lapic_auto_eoi = true;

static bool pit_hook(struct frame *f)
{
    ticks++;
    tick_ip = f->ip;
    pic_eoi(0);
    return true;
}

static bool lapic_hook(struct frame *f)
{
    ticks++;
    tick_ip = f->ip;
    if (order_n < 8)
        order[order_n++] = (uint8_t)f->vector;
    if (lapic_auto_eoi)
        lapic_set(LAPIC_EOI, 0);
    return true;
}

static volatile uint64_t tick_tsc;

static bool deadline_hook(struct frame *f)
{
    (void)f;
    tick_tsc = rdtsc();
    ticks++;
    lapic_set(LAPIC_EOI, 0);
    return true;
}

static bool nmi_hook(struct frame *f)
{
    ticks++;
    tick_ip = f->ip;
    return true;
}

/* A pending IRQ 0 that IF holds back. */
static bool pit_pending(void)
{
    ticks = 0;
    pit_start(0, 100);
    for (unsigned i = 0; i < SPINS; i++)
        if (pic_irr() & 1)
            return true;
    return false;
}

void tick_sti(void), tick_popf(void), tick_ss(void), tick_hlt(void), tick_iret(void);

#define ONCE __attribute__((noinline, noclone)) static /* it has a label */

ONCE void sti_nop(void)
{
    asm volatile("sti; nop\n.globl tick_sti\ntick_sti: nop; cli" ::: "memory");
}

ONCE void sti_mov_ss(void)
{
    asm volatile(
        "movl %%ss, %%eax; sti; movl %%eax, %%ss; nop\n.globl tick_ss\ntick_ss: nop; cli" ::
            : "eax", "memory");
}

/* QEMU's SVM may lose a shadow (lib/trap.c): there it has another try, with a request again. */
static bool again(unsigned *tries, bool wrong)
{
    return wrong && on_tcg && (*tries)++ < 3 && pit_pending();
}

static void windows(void)
{
    unsigned tries = 0;

    check("the 8259 holds a request", pit_pending());
    check_eq("IF holds it back", ticks, 0);
    do
        sti_nop();
    while (again(&tries, tick_ip != (word)tick_sti));
    check_eq("sti lets it in", ticks, 1);
    check_eq("after one more instruction", tick_ip, (word)tick_sti);
    pit_pending();
    do
        asm volatile("sti; cli; nop; nop" ::: "memory");
    while (again(&tries, ticks != 0));
    check_eq("sti; cli lets nothing in", ticks, 0);
    asm volatile(POPF_IF ".globl tick_popf\ntick_popf: nop; cli" ::: "memory", "cc");
    check_eq("popf lets it in", ticks, 1);
    check_eq("at once", tick_ip, (word)tick_popf);
    pit_pending();
    do
        sti_mov_ss();
    while (again(&tries, tick_ip + 1 < (word)tick_ss || tick_ip > (word)tick_ss));
    check("mov ss after sti",
          ticks == 1 && tick_ip >= (word)tick_ss - 1 && tick_ip <= (word)tick_ss);
    ticks = 0;
    pit_start(0, 2000);
    asm volatile("sti; hlt\n.globl tick_hlt\ntick_hlt: cli" ::: "memory");
    check_eq("hlt wakes up", ticks, 1);
    check_eq("behind itself", tick_ip, (word)tick_hlt);
    pit_pending();
    asm volatile(IRET_IF ".globl tick_iret\ntick_iret: nop; cli" ::: "ebx", "ecx", "memory", "cc");
    check("iretq with IF lets it in at once", ticks == 1 && tick_ip == (word)tick_iret);
}

static void pit_periodic(void)
{
    unsigned n = 0;

    ticks = 0;
    pit_start(2, 1193); /* 1 kHz */
    while (ticks < 5 && n++ < 1000)
        sti_hlt_cli();
    check("five periods of the PIT", ticks >= 5);
    pit_start(0, 0xffff);
    outb(0x21, 0xff);
    cli();
    if (pic_irr() & 1) { /* the last one, if it was under way */
        outb(0x20, 0x20);
    }
}

static bool wait_ticks(unsigned want)
{
    sti();
    for (unsigned i = 0; i < SPINS && ticks < want; i++)
        asm volatile("pause" ::: "memory");
    cli();
    return ticks == want;
}

static void lapic_timer(void)
{
    for (unsigned v = 0x40; v < 0x70; v++)
        trap_hook[v] = lapic_hook;
    lapic_enable();
    check_eq("LAPIC version", lapic_get(LAPIC_VERSION) & 0xf0, 0x10);
    lapic_set(LAPIC_TIMER_DIV, 3); /* by 16 */
    lapic_set(LAPIC_LVT_TIMER, 0x40);
    ticks = 0;
    lapic_set(LAPIC_TIMER_INIT, 1000);
    check("one shot of the LAPIC timer", wait_ticks(1));
    check_eq("its count stays at zero", lapic_get(LAPIC_TIMER_NOW), 0);
    lapic_set(LAPIC_TIMER_INIT, 0xffffffff);
    uint32_t a = lapic_get(LAPIC_TIMER_NOW), b = a;
    for (unsigned i = 0; i < SPINS && a == b; i++)
        b = lapic_get(LAPIC_TIMER_NOW);
    check("the count goes down", b < a);
    lapic_set(LAPIC_TIMER_INIT, 0);
    ticks = 0;
    lapic_set(LAPIC_LVT_TIMER, 0x40 | 1u << 17);
    lapic_set(LAPIC_TIMER_INIT, 20000);
    sti();
    for (unsigned n = 0; n < 1000 && ticks < 5; n++)
        asm volatile("hlt" ::: "memory");
    cli();
    check("the LAPIC timer repeats", ticks >= 5);
    lapic_set(LAPIC_LVT_TIMER, 1u << 16);
    lapic_set(LAPIC_TIMER_INIT, 0);
    sti();
    asm volatile("nop; nop");
    cli();
}

/* CR8; there is none in 32 bits. */
static void tpr_set(word class)
{
#ifdef __x86_64__
    asm volatile("movq %0, %%cr8; nop; nop" ::"r"(class));
#else
    lapic_set(LAPIC_TPR, class << 4);
    asm volatile("nop; nop");
#endif
}

static word tpr_get(void)
{
#ifdef __x86_64__
    word cr8;

    asm volatile("movq %%cr8, %0" : "=r"(cr8));
    return cr8;
#else
    return lapic_get(LAPIC_TPR) >> 4;
#endif
}

static void self_ipi(unsigned vector)
{
    lapic_set(LAPIC_ICR, 1u << 18 | vector);
}

static void ipis(void)
{
    order_n = ticks = 0;
    self_ipi(0x41);
    self_ipi(0x61);
    self_ipi(0x51);
    check_eq("IRR has it", lapic_get(LAPIC_IRR + 0x20) >> 1 & 1, 1);
    check("three IPIs", wait_ticks(3));
    check("highest vector first", order[0] == 0x61 && order[1] == 0x51 && order[2] == 0x41);
    order_n = ticks = 0;
    tpr_set(5);
    check_eq("cr8 is the TPR", lapic_get(LAPIC_TPR) & 0xf0, 0x50);
    self_ipi(0x51);
    self_ipi(0x61);
    check("TPR lets a higher class in", wait_ticks(1) && order[0] == 0x61);
    sti();
    tpr_set(0);
    cli();
    check("and the other when it falls", ticks == 2 && order[1] == 0x51);
    lapic_set(LAPIC_TPR, 0x60);
    check_eq("the TPR is cr8", tpr_get(), 6);
    lapic_set(LAPIC_TPR, 0);
    order_n = ticks = 0;
    lapic_auto_eoi = false;
    self_ipi(0x51);
    check("an interrupt without an EOI", wait_ticks(1));
    check_eq("ISR has it", lapic_get(LAPIC_ISR + 0x20) >> 17 & 1, 1);
    self_ipi(0x52);
    self_ipi(0x41);
    sti();
    asm volatile("nop; nop");
    cli();
    check_eq("blocks its class and below", ticks, 1);
    lapic_auto_eoi = true;
    lapic_set(LAPIC_EOI, 0);
    check("the EOI lets them in", wait_ticks(3) && order[1] == 0x52 && order[2] == 0x41);
    trap_hook[V_NMI] = nmi_hook;
    ticks = 0;
    lapic_set(LAPIC_ICR_HI, lapic_get(LAPIC_ID) & 0xff000000);
    lapic_set(LAPIC_ICR, 4u << 8 | 1u << 14);
    for (unsigned i = 0; i < SPINS && !ticks; i++)
        asm volatile("pause" ::: "memory");
    check_eq("an NMI needs no IF", ticks, 1);
}

static bool uart_hook(struct frame *f)
{
    (void)f;
    ticks++;
    (void)inb(0x3fa); /* IIR: takes the THRE request back */
    outb(0x3f9, 0);
    lapic_set(LAPIC_EOI, 0);
    return true;
}

static void ioapic(void)
{
    trap_hook[0x34] = uart_hook;
    ioapic_set(0x10 + 2 * MAP_IRQ_COM1 + 1, lapic_get(LAPIC_ID) & 0xff000000);
    ioapic_set(0x10 + 2 * MAP_IRQ_COM1, 0x34);
    ticks = 0;
    outb(0x3fc, 0x0b); /* OUT2 gates the interrupt on a PC */
    outb(0x3f9, 2);    /* THR empty */
    check("the 16550 through the I/O APIC", wait_ticks(1));
    ioapic_set(0x10 + 2 * MAP_IRQ_COM1, 1u << 16);
    check_eq("IOAPIC entry reads back", ioapic_get(0x10 + 2 * MAP_IRQ_COM1) & 0x10000, 0x10000);
}

CODE_FN(u_rdtsc, "rdtsc; int $0x80");

static void tsc(void)
{
    uint64_t a = rdtsc(), b = rdtsc();

    check("the TSC goes on", b >= a);
    user_go(u_rdtsc, 0);
    check_trap("rdtsc in ring 3", 0x80, 0);
    cr4_set(cr4_get() | CR4_TSD);
    user_go(u_rdtsc, 0);
    check_trap("with TSD", V_GP, 0);
    cr4_set(cr4_get() & ~(word)CR4_TSD);
    a = tsc_10ms();
    for (unsigned i = 0; i < 20 && a >= 1000000000; i++) /* the host was away */
        a = tsc_10ms();
    check("10 ms by the PIT are 1 to 100 million TSC ticks", a > 1000000 && a < 1000000000);
}

#define MSR_TSC          0x10
#define MSR_TSC_DEADLINE 0x6e0
#define L1_TSC_DEADLINE  (1u << 24)
#define AHEAD            100000000ull /* 25 to 100 ms */
#define SLACK            (AHEAD / 100)
#define AWAY             20 /* times that a busy host may be */

/* Runs with interrupts on until the TSC is there. */
static void until(uint64_t tsc)
{
    sti();
    while (rdtsc() < tsc)
        asm volatile("pause" ::: "memory");
    cli();
}

static void deadline_once(const char *comes, const char *in_time)
{
    uint64_t due, armed;
    unsigned late = 0;

    do { /* a host that was away for all of AHEAD has shown nothing: once more */
        due = rdtsc() + AHEAD;
        ticks = 0;
        wrmsr(MSR_TSC_DEADLINE, due);
        armed = rdmsr(MSR_TSC_DEADLINE);
    } while (rdtsc() >= due && wait_ticks(1) && ++late < AWAY);
    check(comes, armed == due && wait_ticks(1));
    check(in_time, tick_tsc + SLACK >= due);
}

/* TSC-deadline mode counts in the guest's own TSC, whatever its distance from the host's. */
static void deadline(void)
{
    uint32_t c[4];

    cpuid(1, 0, c);
    if (!(c[2] & L1_TSC_DEADLINE)) {
        static const char *const names[] = {"a TSC deadline comes",
                                            "not before its time",
                                            "once",
                                            "one gone by comes at once",
                                            "0 takes it back",
                                            "with a moved TSC",
                                            "in the new time"};
        for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
            skip(names[i], "no such mode");
        return;
    }
    trap_hook[0x44] = deadline_hook;
    lapic_set(LAPIC_LVT_TIMER, 0x44 | 2u << 17);
    asm volatile("mfence" ::: "memory");
    deadline_once("a TSC deadline comes", "not before its time");
    until(rdtsc() + AHEAD / 10);
    check("once", ticks == 1 && rdmsr(MSR_TSC_DEADLINE) == 0);
    ticks = 0;
    wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
    check("one gone by comes at once", wait_ticks(1));
    ticks = 0;
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + AHEAD);
    wrmsr(MSR_TSC_DEADLINE, 0);
    until(rdtsc() + AHEAD * 2);
    check_eq("0 takes it back", ticks, 0);
    wrmsr(MSR_TSC, rdtsc() + (1ull << 42));
    deadline_once("with a moved TSC", "in the new time");
    lapic_set(LAPIC_LVT_TIMER, 1u << 16);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    trap_hook[PIC_BASE] = pit_hook;
    pic_init();
    pic_unmask(0);
    windows();
    pit_periodic();
    lapic_timer();
    ipis();
    ioapic();
    tsc();
    deadline();
}
