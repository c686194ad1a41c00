/*
 * Two CPUs: INIT and start-up messages, interrupts from one to the other in every delivery and
 * destination mode, from the I/O APIC to either, NMI against HLT, and what they share: locked
 * instructions, page tables, code. Intel SDM vol. 3 chapters 8, 9.4 and 11.
 */
#include "guest.h"
#include "irq.h"

#define PATIENCE  300u /* a bound on every wait, in 10 ms; the host may have other things to do */
#define PAGE_A    0x8000u
#define PAGE_B    0x9000u
#define ROUNDS    20000u
#define LAPIC_LDR 0xd0
#define LAPIC_DFR 0xe0
#define ICR_BUSY  (1u << 12)
enum { FIXED = 0, LOWEST = 1u << 8, NMI = 4u << 8, INIT = 5u << 8, SIPI = 6u << 8 };
enum { LOGICAL = 1u << 11, ASSERT = 1u << 14, LEVEL = 1u << 15 };
enum { TO_SELF = 1u << 18, TO_ALL = 2u << 18, TO_OTHERS = 3u << 18 };
enum { V_COUNT = 0x41, V_FLUSH = 0x51, V_LINE = 0x61 };

extern uint8_t ap_start[], ap_start_end[], pds[];
extern volatile uint32_t ap_cs, ap_starts, ap_efer;

enum { IDLE, SPIN, SLEEP, ADD, LOOK, CALL, TIME, FOREVER };
static volatile unsigned order, done; /* what CPU 1 is to do; how many orders it has done */
static volatile unsigned hits[2][256], line_on;
#define STRADDLING ((volatile uint32_t *)(uintptr_t)0x1000ffe) /* half on each of two pages */
static uint64_t ms10;                                          /* TSC ticks */
static volatile uint64_t beats, said, times, sum, ap_base;
static volatile uint64_t *window; /* a page that CPU 0 moves about */
static bool emulated;             /* by a software KVM */
static uint8_t code[64] __attribute__((aligned(64)));

static unsigned me(void)
{
    return lapic_get(LAPIC_ID) >> 24 & 1;
}

static bool count_hook(struct frame *f)
{
    hits[me()][f->vector]++;
    lapic_set(LAPIC_EOI, 0);
    return true;
}

static bool nmi_hook(struct frame *f)
{
    hits[me()][f->vector]++;
    return true;
}

static bool flush_hook(struct frame *f)
{
    invlpg(window);
    return count_hook(f);
}

/* THR empty of the 16550. The line falls first, then the EOI. */
static bool line_hook(struct frame *f)
{
    outb(0x3f9, 0);
    (void)inb(0x3fa);
    return count_hook(f);
}

/* ---- CPU 1 ---- */

static void add_all(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        asm volatile("lock incq %0" : "+m"(sum)::"memory", "cc");
        __atomic_fetch_add(&times, 3, __ATOMIC_SEQ_CST);
        if (i % 4 == 0)
            asm volatile("lock addl $1, %0" : "+m"(*STRADDLING)::"memory", "cc");
    }
}

static void ap_obey(unsigned what)
{
    switch (what) {
    case SPIN: sti(); break;
    case SLEEP:
        cli();
        asm volatile("hlt" ::: "memory");
        break;
    case ADD: add_all(); break;
    case LOOK: said = *window; break;
    case CALL: said = ((uint64_t(*)(void))(uintptr_t)code)(); break;
    case TIME: said = rdtsc(); break;
    case FOREVER:
        cli();
        for (;;)
            beats++;
    }
}

void ap_main(void);
void ap_main(void)
{
    extern uint8_t gdt_ptr[];

    asm volatile("lgdt %0" ::"m"(*gdt_ptr));
    trap_init();
    ap_base = rdmsr(0x1b);
    lapic_enable();
    order = IDLE;
    done++;
    for (;;) {
        unsigned what = order;

        if (what == IDLE) {
            asm volatile("pause" ::: "memory");
            continue;
        }
        order = IDLE;
        ap_obey(what);
        done++;
    }
}

/* ---- CPU 0 ---- */

#define WAIT(cond)                                                                                 \
    ({                                                                                             \
        for (uint64_t end_ = rdtsc() + PATIENCE * ms10; rdtsc() < end_ && !(cond);)                \
            asm volatile("pause" ::: "memory");                                                    \
        (cond);                                                                                    \
    })

static bool ask(unsigned what)
{
    unsigned was = done;

    order = what;
    return WAIT(done != was);
}

static void send(unsigned dest, uint32_t icr)
{
    lapic_set(LAPIC_ICR_HI, dest << 24);
    lapic_set(LAPIC_ICR, icr | ASSERT);
    WAIT(!(lapic_get(LAPIC_ICR) & ICR_BUSY));
}

/* One message; then who got it, as bits of CPUs, in the time it may take to reach `want` of them.
 */
static unsigned got(unsigned vector, unsigned dest, uint32_t icr, unsigned want)
{
    unsigned was0 = hits[0][vector], was1 = hits[1][vector];

    send(dest, icr | vector);
    sti();
    WAIT((hits[0][vector] - was0) + (hits[1][vector] - was1) == want);
    cli();
    return (hits[0][vector] - was0) | (hits[1][vector] - was1) << 1;
}

static void start(unsigned page)
{
    mem_copy((void *)(uintptr_t)page, ap_start, (size_t)(ap_start_end - ap_start));
    send(1, SIPI | page >> 12);
}

static void starting(void)
{
    ap_efer = (uint32_t)rdmsr(0xc0000080) & ~0x400u;
    check("CPU 0 is the boot CPU", rdmsr(0x1b) >> 8 & 1);
    check_eq("its APIC's id is 0", lapic_get(LAPIC_ID) >> 24, 0);
    send(1, INIT | LEVEL);
    check_eq("CPU 1 waits for a start-up message", ap_starts, 0);
    start(PAGE_A);
    check("which starts it", WAIT(done == 1));
    check_eq("in real mode at the page named", ap_cs, PAGE_A >> 4);
    check("it is no boot CPU", !(ap_base >> 8 & 1));
    start(PAGE_A);
    check("it does what it is asked", ask(SPIN));
    check_eq("a second start-up message does nothing", ap_starts, 1);
}

static void destinations(void)
{
    check_eq("physical, CPU 1", got(V_COUNT, 1, FIXED, 1), 2);
    check_eq("physical, CPU 0", got(V_COUNT, 0, FIXED, 1), 1);
    check_eq("physical, all", got(V_COUNT, 0xff, FIXED, 2), 3);
    check_eq("shorthand self", got(V_COUNT, 0, TO_SELF, 1), 1);
    check_eq("shorthand all", got(V_COUNT, 0, TO_ALL, 2), 3);
    check_eq("shorthand others", got(V_COUNT, 0, TO_OTHERS, 1), 2);
}

/* CPU 1's own registers are out of reach from here: it sets them in an interrupt. */
static volatile uint32_t set_reg, set_val;

static bool set_hook(struct frame *f)
{
    lapic_set(set_reg, set_val);
    return count_hook(f);
}

static void ap_set(unsigned reg, uint32_t v)
{
    set_reg = reg;
    set_val = v;
    trap_hook[0x71] = set_hook;
    if (got(0x71, 1, FIXED, 1) != 2)
        check("CPU 1 sets its APIC", false);
}

static void logical(void)
{
    unsigned one;

    lapic_set(LAPIC_DFR, 0xffffffff);
    lapic_set(LAPIC_LDR, 1u << 24);
    ap_set(LAPIC_DFR, 0xffffffff);
    ap_set(LAPIC_LDR, 2u << 24);
    check_eq("logical flat, one", got(V_COUNT, 2, LOGICAL, 1), 2);
    check_eq("logical flat, both", got(V_COUNT, 3, LOGICAL, 2), 3);
    one = got(V_COUNT, 3, LOGICAL | LOWEST, 1);
    check("lowest priority: one of both", one == 1 || one == 2);
    lapic_set(LAPIC_DFR, 0x0fffffff);
    lapic_set(LAPIC_LDR, 0x11u << 24);
    ap_set(LAPIC_DFR, 0x0fffffff);
    ap_set(LAPIC_LDR, 0x21u << 24);
    check_eq("logical cluster, CPU 1's", got(V_COUNT, 0x21, LOGICAL, 1), 2);
    check_eq("logical cluster, CPU 0's", got(V_COUNT, 0x11, LOGICAL, 1), 1);
    lapic_set(LAPIC_DFR, 0xffffffff);
    lapic_set(LAPIC_LDR, 1u << 24);
    ap_set(LAPIC_DFR, 0xffffffff);
    ap_set(LAPIC_LDR, 2u << 24);
}

static void quiet(void)
{
    for (uint64_t end = rdtsc() + ms10; rdtsc() < end;)
        ;
}

static void sleeping(void)
{
    unsigned was;

    check_eq("NMI while it runs", got(V_NMI, 1, NMI, 1) & 2, 2);
    was = hits[1][V_COUNT];
    order = SLEEP;
    WAIT(order == IDLE);
    quiet();
    send(1, FIXED | V_COUNT);
    quiet();
    check_eq("CLI and HLT: no interrupt wakes it", hits[1][V_COUNT], was);
    was = done;
    send(1, NMI);
    check("an NMI does", WAIT(done != was));
    check("then the interrupt comes, once allowed", ask(SPIN) && WAIT(hits[1][V_COUNT] != 0));
}

static void line(const char *name, uint32_t low, uint32_t dest, unsigned vector, unsigned cpu)
{
    unsigned was = hits[cpu][vector], other = hits[!cpu][vector];

    ioapic_set(0x10 + 2 * MAP_IRQ_COM1 + 1, dest << 24);
    ioapic_set(0x10 + 2 * MAP_IRQ_COM1, low | (vector == V_NMI ? 0 : vector));
    outb(0x3fc, 0x0b);
    outb(0x3f9, 2);
    sti();
    WAIT(hits[cpu][vector] != was);
    cli();
    outb(0x3f9, 0);
    (void)inb(0x3fa);
    ioapic_set(0x10 + 2 * MAP_IRQ_COM1, 1u << 16);
    check(name, hits[cpu][vector] == was + 1 && hits[!cpu][vector] == other);
}

static void lines(void)
{
    line("I/O APIC to CPU 1", FIXED, 1, V_LINE, 1);
    line("I/O APIC to CPU 0", FIXED, 0, V_LINE, 0);
    line("level-triggered to CPU 1", FIXED | LEVEL, 1, V_LINE, 1);
    line("and again", FIXED | LEVEL, 1, V_LINE, 1);
    line("logical to CPU 1", LOGICAL, 2, V_LINE, 1);
    line("lowest priority to CPU 1", LOGICAL | LOWEST, 2, V_LINE, 1);
    line("NMI to CPU 1", NMI, 1, V_NMI, 1);
}

static void sharing(void)
{
    static const uint8_t ret1[] = {0xb8, 1, 0, 0, 0, 0xc3}; /* mov eax, 1; ret */
    unsigned was = done, bad = 0;
    uint64_t a, b;

    *STRADDLING = 0;
    order = ADD;
    add_all();
    check("both add", WAIT(done != was));
    check_eq("LOCK INC loses nothing", sum, 2 * ROUNDS);
    check_eq("LOCK XADD loses nothing", times, 2 * 3 * ROUNDS);
    if (emulated)
        skip("nor does one across two pages", "KVM's emulator makes two accesses of it");
    else
        check_eq("nor does one across two pages", *STRADDLING, 2 * (ROUNDS / 4));
    mem_copy(code, ret1, sizeof(ret1));
    for (unsigned i = 0; i < 500; i++) {
        code[1] = (uint8_t)i;
        bad += !ask(CALL) || said != (uint8_t)i;
    }
    check_eq("code written here runs there", bad, 0);
    a = rdtsc();
    ask(TIME);
    b = rdtsc();
    check("the TSCs go together", said >= a && said <= b);
}

/* The last 2 MiB page below 1 GiB shows other memory each time; CPU 1 is told by an interrupt. */
static void tables(void)
{
    volatile uint64_t *pde = (volatile uint64_t *)(uintptr_t)pds + 511;
    uint64_t was = *pde;
    unsigned bad = 0;

    window = (volatile uint64_t *)(uintptr_t)0x3fe00000;
    *(volatile uint64_t *)(uintptr_t)0x1000000 = 0xa;
    *(volatile uint64_t *)(uintptr_t)0x1200000 = 0xb;
    for (unsigned i = 0; i < 200; i++) {
        *pde = (i & 1 ? 0x1200000 : 0x1000000) | 0x87;
        invlpg(window);
        bad += got(V_FLUSH, 1, FIXED, 1) != 2 || !ask(LOOK) || said != (i & 1 ? 0xb : 0xa);
    }
    *pde = was;
    check_eq("a page moves under both", bad, 0);
}

static void restarting(void)
{
    uint64_t was;
    unsigned before = done;

    order = FOREVER;
    check("CPU 1 is busy for ever", WAIT(beats != 0));
    send(1, INIT | LEVEL);
    check("INIT stops it", WAIT((was = beats, quiet(), beats == was)));
    start(PAGE_B);
    check("and a start-up message starts it anew", WAIT(done == before + 1) && ask(SPIN));
    check_eq("for the second time", ap_starts, 2);
    check_eq("at the other page", ap_cs, PAGE_B >> 4);
    check_eq("it hears again", got(V_COUNT, 1, FIXED, 1), 2);
}

void guest_main(const uint8_t *mbi)
{
    emulated = guest_has(mbi, "emulated");
    ms10 = tsc_10ms();
    pic_init();
    lapic_enable();
    trap_hook[V_COUNT] = count_hook;
    trap_hook[V_FLUSH] = flush_hook;
    trap_hook[V_LINE] = line_hook;
    trap_hook[V_NMI] = nmi_hook;
    starting();
    destinations();
    logical();
    sleeping();
    lines();
    sharing();
    tables();
    restarting();
}
