/*
 * Drives the register disk (dev/regdisk_regs.h) through its ports or its memory page, by interrupt
 * and by polling: writes sectors, reads them back, verifies, provokes each error. The number of
 * register accesses is counted and printed, so that the ledger can be compared with it.
 *
 * Options: via=pio|mmio (default pio); writes: the disk has trap=writes; sectors=N to write and
 * verify (default 64). Instead of all that: form=1..4 with n=N makes N requests in one of the four
 * forms of docs/regdisk.md's table (two runs that differ in n differ by what a request costs);
 * rounds=N writes and reads the sectors N times; time with n=N tells how long a load, a store and a
 * request of the third form take.
 */
#include "dev/regdisk_regs.h"
#include "guest.h"
#include "irq.h"

#define SPINS 1000000000u

static bool mmio, page; /* page: reads don't trap, and no width of them is refused */
static unsigned irq, disk_irqs;
static word reads, writes, requests;
static volatile uint32_t last_status;
static uint8_t buf[REGDISK_COUNT_MAX * 512] __attribute__((aligned(4096)));
static uint8_t other[512 * 8];

static uint32_t get(unsigned reg)
{
    reads++;
    if (mmio)
        return *(volatile uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + reg);
    return inl((uint16_t)(MAP_REGDISK_PIO + reg));
}

static void set(unsigned reg, uint32_t v)
{
    writes++;
    if (mmio)
        *(volatile uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + reg) = v;
    else
        outl((uint16_t)(MAP_REGDISK_PIO + reg), v);
}

static bool disk_hook(struct frame *f)
{
    (void)f;
    disk_irqs++;
    last_status = get(REGDISK_STATUS);
    set(REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED | REGDISK_STATUS_OVERRUN);
    pic_eoi(irq);
    return true;
}

/* X, Y, Z, CMD: the whole protocol. */
static void command(uint64_t sector, uint32_t count, uint32_t dir, const void *mem)
{
    uint64_t z = (uintptr_t)mem;

    requests++;
    set(REGDISK_X, (uint32_t)sector);
    set(REGDISK_X_HI, (uint32_t)(sector >> 32));
    set(REGDISK_Z, (uint32_t)z);
    set(REGDISK_Z_HI, (uint32_t)(z >> 32));
    set(REGDISK_COUNT, count);
    set(REGDISK_Y, dir);
    last_status = 0;
    set(REGDISK_CMD, REGDISK_CMD_START);
}

static uint32_t wait_poll(void)
{
    uint32_t s = 0;

    for (unsigned i = 0; i < SPINS && !(s & REGDISK_STATUS_DONE); i++)
        s = get(REGDISK_STATUS);
    set(REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
    return s;
}

/* IF is closed whenever last_status is looked at, so an interrupt can't slip in before hlt. */
static uint32_t wait_irq(void)
{
    while (!last_status)
        sti_hlt_cli();
    return last_status;
}

static uint32_t transfer(uint64_t sector, uint32_t count, uint32_t dir, const void *mem,
                         bool by_irq)
{
    set(REGDISK_INTR_ENABLE, by_irq ? REGDISK_STATUS_DONE : 0);
    command(sector, count, dir, mem);
    return by_irq ? wait_irq() : wait_poll();
}

static void fill(uint8_t *p, uint64_t sector, unsigned count, unsigned salt)
{
    for (unsigned i = 0; i < count * 512; i++)
        p[i] = (uint8_t)(sector * 31 + i / 512 * 31 + i * 7 + salt);
}

static bool same(const uint8_t *p, uint64_t sector, unsigned count, unsigned salt)
{
    for (unsigned i = 0; i < count * 512; i++)
        if (p[i] != (uint8_t)(sector * 31 + i / 512 * 31 + i * 7 + salt))
            return false;
    return true;
}

static bool trip(uint64_t sectors, unsigned step, bool by_irq, unsigned salt)
{
    bool ok = true;

    for (uint64_t s = 0; s < sectors; s += step) {
        fill(buf, s, step, salt);
        ok &= transfer(s, step, REGDISK_WRITE, buf, by_irq) == REGDISK_STATUS_DONE;
    }
    for (uint64_t s = 0; s < sectors; s += step) {
        mem_set(buf, 0, step * 512);
        ok &= transfer(s, step, REGDISK_READ, buf, by_irq) == REGDISK_STATUS_DONE;
        ok &= same(buf, s, step, salt);
    }
    return ok;
}

static void round_trip(const char *name, uint64_t sectors, unsigned step, bool by_irq)
{
    check(name, trip(sectors, step, by_irq, by_irq ? 1 : 2));
}

/* For those who do something to the machine meanwhile. */
static void rounds(uint64_t n, uint64_t sectors)
{
    for (uint64_t i = 0; i < n; i++)
        if (!trip(sectors, 8, i & 1, (unsigned)i)) {
            check("round after round", false);
            return;
        }
}

static void refuse(const char *name, uint64_t sector, uint32_t count, uint32_t dir, uint64_t mem,
                   uint32_t error)
{
    uint32_t s = transfer(sector, count, dir, (void *)(uintptr_t)mem, false);

    check(name,
          s == (REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED) && (get(REGDISK_ERROR)) == error);
}

static void errors(uint64_t capacity)
{
    refuse("a sector behind the end", capacity, 1, REGDISK_READ, (uintptr_t)buf,
           REGDISK_ERROR_RANGE);
    refuse("a range across the end", capacity - 1, 2, REGDISK_READ, (uintptr_t)buf,
           REGDISK_ERROR_RANGE);
    refuse("a sector number that wraps", ~0ull, 2, REGDISK_READ, (uintptr_t)buf,
           REGDISK_ERROR_RANGE);
    refuse("no sectors", 0, 0, REGDISK_READ, (uintptr_t)buf, REGDISK_ERROR_COUNT);
    refuse("too many sectors", 0, REGDISK_COUNT_MAX + 1, REGDISK_READ, (uintptr_t)buf,
           REGDISK_ERROR_COUNT);
    refuse("memory that is not there", 0, 1, REGDISK_READ, 0x7ffffffffffff000,
           REGDISK_ERROR_ADDRESS);
    refuse("memory that is a register page", 0, 1, REGDISK_READ, MAP_LAPIC, REGDISK_ERROR_ADDRESS);
    refuse("a direction that is none", 0, 1, 7, (uintptr_t)buf, REGDISK_ERROR_COMMAND);
    set(REGDISK_CMD, 99);
    check("a command that is none",
          (wait_poll() & REGDISK_STATUS_FAILED) && get(REGDISK_ERROR) == REGDISK_ERROR_COMMAND);
}

static void odd_widths(void)
{
    uint32_t v;

    if (mmio) {
        v = *(volatile uint8_t *)(uintptr_t)(MAP_REGDISK_MMIO + REGDISK_ID);
        *(volatile uint16_t *)(uintptr_t)(MAP_REGDISK_MMIO + REGDISK_X) = 0x1234;
    } else {
        v = inb(MAP_REGDISK_PIO + REGDISK_ID);
        outw(MAP_REGDISK_PIO + REGDISK_X, 0x1234);
    }
    if (!page)
        check_eq("a narrow read is refused", v, 0xff);
    set(REGDISK_X, 77);
    check_eq("a register reads back", get(REGDISK_X), 77);
}

/* The bytes a transfer must not touch. */
static void exact(void)
{
    mem_set(other, 0xa5, sizeof(other));
    fill(buf, 3, 1, 9);
    transfer(3, 1, REGDISK_WRITE, buf, false);
    transfer(3, 1, REGDISK_READ, other + 513, false); /* not aligned to anything */
    check("an odd address", same(other + 513, 3, 1, 9));
    check("nothing before or behind is touched", other[512] == 0xa5 && other[513 + 512] == 0xa5);
}

/* Two neighbouring registers: in memory space one store does. */
static void set2(unsigned reg, uint64_t v)
{
    if (!mmio) {
        set(reg, (uint32_t)v);
        set(reg + 4, (uint32_t)(v >> 32));
        return;
    }
    writes++;
    *(volatile uint64_t *)(uintptr_t)(MAP_REGDISK_MMIO + reg) = v;
}

/* As disk_hook, for a driver that knows that nothing fails. */
static bool lean_hook(struct frame *f)
{
    (void)f;
    disk_irqs++;
    last_status = REGDISK_STATUS_DONE;
    set(REGDISK_INTR_ACK, REGDISK_STATUS_DONE);
    pic_eoi(irq);
    return true;
}

/* One request, a read of one sector, by a line of the table. */
static bool request(uint64_t form, uint64_t sector)
{
    uint64_t z = (uintptr_t)buf;

    if (form == 1) {
        set2(REGDISK_X, sector);
        set2(REGDISK_Z, z);
        set2(REGDISK_COUNT, 1 | (uint64_t)REGDISK_READ << 32);
    } else {
        set(REGDISK_X, (uint32_t)sector);
        if (form == 2)
            set(REGDISK_Y, REGDISK_READ);
        set(REGDISK_Z, (uint32_t)z);
    }
    last_status = 0;
    set(REGDISK_CMD, REGDISK_CMD_START);
    return form == 4 ? wait_irq() == REGDISK_STATUS_DONE
                     : get(REGDISK_STATUS) == REGDISK_STATUS_DONE;
}

static void lean(uint64_t form, uint64_t n)
{
    bool ok = true;

    trap_hook[PIC_BASE + irq] = lean_hook;
    set(REGDISK_INTR_ENABLE, form == 4 ? REGDISK_STATUS_DONE : 0);
    for (uint64_t i = 0; i < n; i++)
        ok &= request(form, i % 8);
    check("each request was done at the first look", ok);
    check_eq("interrupts", disk_irqs, form == 4 ? n : 0);
}

static word ticks_per_us;

/* 32-bit guests have no libgcc to divide 64 bits. The quotient fits 32. */
static word ticks_each(uint64_t t, word n)
{
    uint32_t each, rest;

    asm("divl %4"
        : "=a"(each), "=d"(rest)
        : "a"((uint32_t)t), "d"((uint32_t)(t >> 32)), "r"((uint32_t)n)
        : "cc");
    return each;
}

/* Two accesses of each kind come first: a patcher learns from them. */
static void time_of(const char *what, word n, void (*once)(void))
{
    uint64_t t;
    word each;

    once();
    once();
    t = rdtsc();
    for (word i = 0; i < n; i++)
        once();
    each = ticks_each(rdtsc() - t, n);
    say("bench %s: %lu ns each, %lu ticks, %lu times\n", what, each * 1000 / ticks_per_us, each, n);
}

static void nothing(void)
{
    asm volatile("");
}

static void load(void)
{
    (void)get(REGDISK_STATUS);
}

static void store(void)
{
    set(REGDISK_X, 3);
}

static void whole(void)
{
    request(3, 3);
}

static void times(word n)
{
    ticks_per_us = (word)tsc_10ms() / 10000;
    time_of("call", n, nothing);
    time_of("load", n, load);
    time_of("store", n, store);
    time_of("request", n, whole);
}

void guest_main(const uint8_t *mbi)
{
    uint64_t sectors = guest_opt(mbi, "sectors", 64), form = guest_opt(mbi, "form", 0), capacity;

    mmio = guest_has(mbi, "via=mmio");
    page = guest_has(mbi, "writes");
    irq = mmio ? MAP_IRQ_REGDISK_MMIO : MAP_IRQ_REGDISK_PIO;
    if (!check_eq("the controller is there", get(REGDISK_ID), REGDISK_ID_VALUE))
        return;
    capacity = get(REGDISK_CAPACITY) | (uint64_t)get(REGDISK_CAPACITY_HI) << 32;
    if (!check("the disk is large enough", capacity >= sectors && sectors % 8 == 0))
        return;
    pic_init();
    outb(MAP_ELCR, (uint8_t)(inb(MAP_ELCR) | 1u << irq)); /* level-triggered */
    trap_hook[PIC_BASE + irq] = disk_hook;
    pic_unmask(irq);
    if (guest_opt(mbi, "rounds", 0)) {
        rounds(guest_opt(mbi, "rounds", 0), sectors);
        return;
    }
    if (guest_has(mbi, "time")) {
        times((word)guest_opt(mbi, "n", 10000));
        return;
    }
    if (form) {
        lean(form, guest_opt(mbi, "n", 0));
        return;
    }
    round_trip("single sectors, polled", sectors, 1, false);
    check_eq("polling took no interrupts", disk_irqs, 0);
    word before = requests;
    round_trip("single sectors, by interrupt", sectors, 1, true);
    check_eq("one interrupt a request", disk_irqs, requests - before);
    round_trip("eight at a time, polled", sectors, 8, false);
    exact();
    odd_widths();
    errors(capacity);
    set(REGDISK_CMD, REGDISK_CMD_FLUSH);
    check_eq("flush", wait_poll(), REGDISK_STATUS_DONE);
    set(REGDISK_CMD, REGDISK_CMD_RESET);
    check_eq("reset: count is one", get(REGDISK_COUNT), 1);
    say("%lu requests, %u interrupts\n", requests, disk_irqs);
    if (guest_has(mbi, "count"))
        say("%lu register reads, %lu register writes\n", reads, writes);
}
