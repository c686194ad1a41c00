/*
 * What a trap costs, as the guest sees it: port writes and reads, MMIO reads, beside plain loops.
 * Numbers differ from run to run; lines start with "bench". Option n=ROUNDS.
 */
#include "guest.h"
#include "irq.h"

static uint64_t ticks_per_us;

/* By hand: 32-bit guests have no libgcc. */
static uint64_t div64(uint64_t a, uint64_t b)
{
    uint64_t q = 0, r = 0;

    for (int i = 63; b && i >= 0; i--) {
        r = r << 1 | (a >> i & 1);
        if (r >= b) {
            r -= b;
            q |= 1ull << i;
        }
    }
    return q;
}

static void report(const char *what, uint64_t n, uint64_t ticks)
{
    word ns = (word)div64(ticks * 1000, ticks_per_us * n);

    say("bench %s: %lu ns each, %lu ticks, %lu times\n", what, ns, (word)div64(ticks, n), (word)n);
}

static void ports(uint64_t n)
{
    uint64_t t = rdtsc();

    for (uint64_t i = 0; i < n; i++)
        outb(0x80, (uint8_t)i);
    report("port write (0x80)", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++)
        (void)inb(0x3fd);
    report("port read (UART line status)", n, rdtsc() - t);
}

static void mmio(uint64_t n)
{
    uint64_t t = rdtsc();

    for (uint64_t i = 0; i < n; i++)
        (void)lapic_get(LAPIC_VERSION);
    report("MMIO read (LAPIC version)", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++)
        (void)*(volatile uint32_t *)(uintptr_t)(MAP_IOAPIC + 0x10);
    report("MMIO read (IOAPIC window)", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++)
        *(volatile uint32_t *)(uintptr_t)MAP_IOAPIC = 0;
    report("MMIO write (IOAPIC select)", n, rdtsc() - t);
}

static void string_out(uint64_t n)
{
    static uint8_t buf[4096];
    uint64_t t = rdtsc();

    for (word i = 0; i < (word)n / 512; i++) {
        const void *p = buf;
        word c = 512;
        asm volatile("rep outsb" : "+S"(p), "+c"(c) : "d"(0x80) : "memory");
    }
    report("rep outsb (0x80), a byte", (word)n / 512 * 512, rdtsc() - t);
}

static void plain(uint64_t n)
{
    uint64_t t = rdtsc();
    word c = (word)n * 100;

    asm volatile("1: dec %0; jnz 1b" : "+r"(c));
    report("100 rounds of dec, jnz", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++) {
        uint32_t a = 0, b, cx = 0, d;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(cx), "=d"(d));
    }
    report("cpuid", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++)
        cr3_set(cr3_get());
    report("cr3 write", n, rdtsc() - t);
    t = rdtsc();
    for (uint64_t i = 0; i < n; i++)
        TRY("ud2");
    report("ud2 and back", n, rdtsc() - t);
}

void guest_main(const uint8_t *mbi)
{
    uint64_t n = guest_opt(mbi, "n", 100000);

    ticks_per_us = div64(tsc_10ms(), 10000);
    if (!ticks_per_us)
        ticks_per_us = 1;
    lapic_enable();
    ports(n);
    mmio(n);
    string_out(n);
    plain(n);
    check("all rounds done", true);
}
