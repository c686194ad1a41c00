/*
 * Interrupts among many CPUs, and lines: the destinations that only differ with more than two CPUs
 * (guest smp has what two can show), and the I/O APIC's edge and level entries with Remote IRR and
 * EOI. Intel SDM vol. 3 chapters 9 and 11. "cpus=N" on the command line says how many there are, at
 * most 8; with one, what needs more is left out.
 */
#include "guest.h"
#include "irq.h"

#define CPUS_MAX 8
#define SPINS    20000000u /* a bound on every wait */
#define AP_PAGE  8u        /* the page that irqs_ap.S was written for */

enum { LAPIC_LDR = 0xd0, LAPIC_DFR = 0xe0 };
enum { V_PING = 0x41, V_CALL = 0x51, V_LINE = 0x61 };
enum { ICR_LOWEST = 1 << 8, ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_SIPI = 6 << 8 };
enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_ALL = 2 << 18, ICR_OTHERS = 3 << 18 };
#define RTE_LEVEL  (1u << 15)
#define RTE_REMOTE (1u << 14)
#define RTE_MASKED (1u << 16)
#define RTE_COM1   (0x10u + 2 * MAP_IRQ_COM1)

extern uint8_t ap_start[], ap_end[], ap_idt[];
void ap_main(void);

static unsigned cpus;
static volatile unsigned started, starts[CPUS_MAX], pings[CPUS_MAX], calls[CPUS_MAX],
    nmis[CPUS_MAX];
static volatile unsigned apic_id[CPUS_MAX], boot_cpus, lines, line_cpu, line_remote, line_stays;
static volatile unsigned arrived;
static void (*volatile job)(void);

static unsigned self(void)
{
    return lapic_get(LAPIC_ID) >> 24 & (CPUS_MAX - 1);
}

static void send(unsigned cpu, uint32_t icr)
{
    lapic_set(LAPIC_ICR_HI, cpu << 24);
    lapic_set(LAPIC_ICR, icr);
}

static bool wait_for(volatile unsigned *v, unsigned want)
{
    for (unsigned i = 0; i < SPINS && *v != want; i++)
        asm volatile("pause" ::: "memory");
    return *v == want;
}

/* ---- what each CPU does ---- */

static bool ping_hook(struct frame *f)
{
    (void)f;
    __atomic_fetch_add(&pings[self()], 1, __ATOMIC_SEQ_CST);
    lapic_set(LAPIC_EOI, 0);
    return true;
}

static bool call_hook(struct frame *f)
{
    (void)f;
    job();
    lapic_set(LAPIC_EOI, 0);
    __atomic_fetch_add(&calls[self()], 1, __ATOMIC_SEQ_CST);
    return true;
}

static bool nmi_hook(struct frame *f)
{
    (void)f;
    nmis[self()]++;
    return true;
}

/* A level line that is not served asks again after the EOI. */
static bool line_hook(struct frame *f)
{
    (void)f;
    line_remote |= ioapic_get(RTE_COM1) & RTE_REMOTE;
    line_cpu = self();
    if (!line_stays) {
        (void)inb(0x3fa); /* IIR: takes the THRE request back */
        outb(0x3f9, 0);
    }
    line_stays = 0;
    lapic_set(LAPIC_EOI, 0);
    lines++; /* now: who waits for it may look at the entry */
    return true;
}

static void cpu_setup(void)
{
    lapic_enable();
    lapic_set(LAPIC_DFR, UINT32_MAX);
    lapic_set(LAPIC_LDR, 1u << (24 + self()));
}

void ap_main(void)
{
    unsigned me = self();
    uint32_t c[4];

    cpu_setup();
    cpuid(1, 0, c);
    apic_id[me] = c[1] >> 24;
    if (rdmsr(0x1b) & 0x100)
        boot_cpus++;
    starts[me]++;
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    for (;;)
        sti_hlt_cli();
}

/* ---- start-up ---- */

static void start_all(void)
{
    bool once = true, ids = true;

    mem_copy((void *)(uintptr_t)(AP_PAGE << 12), ap_start, (size_t)(ap_end - ap_start));
    asm volatile("sidt %0" : "=m"(*(uint8_t(*)[10])ap_idt));
    lapic_set(LAPIC_ICR, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
    lapic_set(LAPIC_ICR, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | AP_PAGE);
    check("INIT and a start-up message start every CPU", wait_for(&started, cpus - 1));
    lapic_set(LAPIC_ICR, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | AP_PAGE);
    for (unsigned i = 1; i < cpus; i++) {
        once &= starts[i] == 1;
        ids &= apic_id[i] == i;
    }
    check("each under its own APIC id, and once", once);
    check("CPUID says the same id", ids);
    check("none of them is the boot CPU", boot_cpus == 0 && (rdmsr(0x1b) & 0x100));
}

/* ---- messages ---- */

/* Runs fn on a CPU and waits until it came back. */
static bool call(unsigned cpu, void (*fn)(void))
{
    unsigned before = calls[cpu];

    job = fn;
    send(cpu, V_CALL | ICR_ASSERT);
    return wait_for(&calls[cpu], before + 1);
}

static unsigned pings_all(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < cpus; i++)
        n += pings[i];
    return n;
}

/* Sends, lets this CPU take what comes, and says if so many arrived in all, and so many here. */
static bool ping(unsigned cpu, uint32_t how, unsigned all, unsigned here)
{
    unsigned was = pings_all(), mine = pings[0];

    send(cpu, how | V_PING | ICR_ASSERT);
    sti();
    for (unsigned i = 0; i < SPINS && pings_all() < was + all; i++)
        asm volatile("pause" ::: "memory");
    for (unsigned i = 0; i < 2000; i++) /* one too many would come now */
        asm volatile("pause" ::: "memory");
    cli();
    return pings_all() == was + all && pings[0] == mine + here;
}

static void answer(void)
{
    send(0, V_PING | ICR_ASSERT);
}

static void nothing(void)
{
}

static void halt_here(void)
{
    arrived = 1;
    asm volatile("hlt" ::: "memory"); /* interrupts are off: for an NMI only */
}

static void messages(void)
{
    unsigned last = cpus - 1, was, before;
    bool ok = true;

    check("a message to one CPU", ping(last, 0, 1, 0) && pings[last] > 0);
    check("to all", ping(0, ICR_ALL, cpus, 1));
    check("to all others", ping(0, ICR_OTHERS, cpus - 1, 0));
    check("by logical address to two", ping(1u | 1u << last, ICR_LOGICAL, 2, 1));
    check("to nobody", ping(0x40, 0, 0, 0));
    for (unsigned i = 0; i < 8; i++) /* whoever it is */
        ok &= ping((1u << cpus) - 2, ICR_LOGICAL | ICR_LOWEST, 1, 0);
    check("lowest priority: one of several takes it", ok);
    was = pings[0];
    ok = call(last, answer);
    sti();
    ok &= wait_for(&pings[0], was + 1);
    cli();
    check("and an answer", ok);
    before = calls[last];
    job = halt_here;
    arrived = 0;
    send(last, V_CALL | ICR_ASSERT);
    ok = wait_for(&arrived, 1);
    send(last, ICR_NMI | ICR_ASSERT);
    check("an NMI wakes a CPU that halts with interrupts off",
          ok && wait_for(&calls[last], before + 1) && nmis[last] == 1);
    send(last, ICR_INIT | ICR_ASSERT);
    check("after INIT a CPU takes nothing", ping(last, 0, 0, 0) && starts[last] == 1);
    send(last, ICR_SIPI | ICR_ASSERT | AP_PAGE);
    check("a start-up message starts it again", wait_for(&starts[last], 2) && call(last, nothing));
}

/* ---- lines ---- */

static bool line(unsigned cpu, uint32_t trigger, unsigned want)
{
    lines = line_remote = 0;
    line_cpu = CPUS_MAX;
    line_stays = want > 1;
    ioapic_set(RTE_COM1 + 1, cpu << 24);
    ioapic_set(RTE_COM1, V_LINE | trigger);
    outb(0x3fc, 0x0b); /* OUT2 gates the interrupt on a PC */
    outb(0x3f9, 2);    /* THR empty */
    sti();
    for (unsigned i = 0; i < SPINS && lines < want; i++)
        asm volatile("pause" ::: "memory");
    cli();
    outb(0x3f9, 0);
    ioapic_set(RTE_COM1, RTE_MASKED | trigger);
    return lines == want && line_cpu == cpu;
}

static void io_lines(unsigned cpu)
{
    check("an edge of the I/O APIC", line(cpu, 0, 1) && !line_remote);
    check("a level that is served at once", line(cpu, RTE_LEVEL, 1));
    check("has Remote IRR until the EOI", line_remote && !(ioapic_get(RTE_COM1) & RTE_REMOTE));
    check("a level that is not comes again after the EOI", line(cpu, RTE_LEVEL, 2));
    check("and once more", line(cpu, RTE_LEVEL, 1) && line(cpu, RTE_LEVEL, 1));
}

void guest_main(const uint8_t *mbi)
{
    cpus = (unsigned)guest_opt(mbi, "cpus", 1);
    if (cpus < 1 || cpus > CPUS_MAX)
        cpus = 1;
    trap_hook[V_PING] = ping_hook;
    trap_hook[V_CALL] = call_hook;
    trap_hook[V_LINE] = line_hook;
    trap_hook[V_NMI] = nmi_hook;
    pic_init();
    cpu_setup();
    say("# %u CPUs\n", cpus);
    if (cpus > 1) {
        start_all();
        messages();
    }
    io_lines(0);
    if (cpus > 1)
        io_lines(cpus - 1);
}
