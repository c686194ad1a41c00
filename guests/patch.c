/*
 * Instructions that reach the register disk (dev/regdisk_regs.h), in all ways a patcher of guest
 * code could get wrong: each form of MOV, code that rewrites itself, in whole and by the byte, that
 * is copied, run at two addresses, in 32 and 16 bits, across pages; an operand that is RAM one time
 * and a register the other; faults; a guest's own OUT to the patcher's ports; and code that a
 * device reads. All must be as on a machine that patches nothing (docs/mechanisms.md).
 *
 * Options: patched: code must read as patched after it ran, and as it was after a device read it.
 * writes: reads of registers don't trap (narrow ones are not refused then).
 */
#include "board/map.h"
#include "dev/regdisk_regs.h"
#include "guest.h"
#include "user.h"

#define ALIAS 0x80000000ul /* physical 0 again */
#define LOW   0x8000u

#ifdef __x86_64__
extern uint64_t pds[];
#endif

static uint8_t page[8 * 4096] __attribute__((aligned(4096)));
static uint64_t cells[8];
static bool writes, patched;

static volatile uint32_t *reg(unsigned off)
{
    return (volatile uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + off);
}

struct io { /* registers of a piece of code: in and out */
    uint64_t a, d, r8;
};

#ifdef __x86_64__
static void run(const volatile uint8_t *code, volatile void *at, struct io *io)
{
    register uint64_t r8 asm("r8") = io->r8;
    register uint64_t r9 asm("r9") = 8;

    asm volatile("call *%%rcx"
                 : "+a"(io->a), "+d"(io->d), "+r"(r8)
                 : "c"(code), "D"(at), "r"(r9)
                 : "memory", "cc");
    io->r8 = r8;
}
#else
static void run(const volatile uint8_t *code, volatile void *at, struct io *io)
{
    uint32_t a = (uint32_t)io->a, d = (uint32_t)io->d;

    asm volatile("call *%%ecx" : "+a"(a), "+d"(d) : "c"(code), "D"(at), "S"(8) : "memory", "cc");
    io->a = a;
    io->d = d;
}
#endif

/* code with eax: what it leaves in eax. */
static uint32_t run_a(const volatile uint8_t *code, volatile void *at, uint32_t a)
{
    struct io io = {a, 0, 0};

    run(code, at, &io);
    return (uint32_t)io.a;
}

static void place(volatile uint8_t *to, const uint8_t *code, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = code[i];
    to[n] = 0xc3; /* ret */
}

/* ---- each form, on RAM and on the registers ---- */

enum { PLAIN, ABS32, ABS64, EIP32 };
struct form {
    const char *name;
    uint8_t len, code[15], fix, at; /* at: where the address stands in it */
    bool narrow, load;
};

static const struct form forms[] = {
    {"store 32", 2, {0x89, 0x17}, 0, 0, 0, 0},
    {"load 32", 2, {0x8b, 0x17}, 0, 0, 0, 1},
    {"store of a constant", 6, {0xc7, 0x07, 0x78, 0x56, 0x34, 0x92}, 0, 0, 0, 0},
    {"store, displacement 8", 3, {0x89, 0x57, 0x08}, 0, 0, 0, 0},
    {"load, displacement 32", 6, {0x8b, 0x97, 0x04, 0, 0, 0}, 0, 0, 0, 1},
    {"load 8", 2, {0x8a, 0x17}, 0, 0, 1, 1},
    {"load 8 high", 2, {0x8a, 0x37}, 0, 0, 1, 1},
    {"load 16", 3, {0x66, 0x8b, 0x17}, 0, 0, 1, 1},
    {"load 8, zero-extended", 3, {0x0f, 0xb6, 0x17}, 0, 0, 1, 1},
    {"load 16, zero-extended", 3, {0x0f, 0xb7, 0x17}, 0, 0, 1, 1},
    {"store 8", 2, {0x88, 0x17}, 0, 0, 1, 0},
    {"store 8 high", 2, {0x88, 0x37}, 0, 0, 1, 0},
    {"store 16", 3, {0x66, 0x89, 0x17}, 0, 0, 1, 0},
#ifdef __x86_64__
    {"store 64", 3, {0x48, 0x89, 0x17}, 0, 0, 0, 0},
    {"load 64", 3, {0x48, 0x8b, 0x17}, 0, 0, 0, 1},
    {"store r8", 3, {0x44, 0x89, 0x07}, 0, 0, 0, 0},
    {"load r8", 3, {0x44, 0x8b, 0x07}, 0, 0, 0, 1},
    {"64-bit store of a constant", 7, {0x48, 0xc7, 0x07, 0x78, 0x56, 0x34, 0x92}, 0, 0, 0, 0},
    {"store, index", 4, {0x42, 0x89, 0x14, 0x0f}, 0, 0, 0, 0},
    {"load, index, negative", 5, {0x42, 0x8b, 0x54, 0x0f, 0xfc}, 0, 0, 0, 1},
    {"load, sign-extended", 3, {0x48, 0x63, 0x17}, 0, 0, 0, 1},
    {"store, 64-bit address", 9, {0xa3}, ABS64, 1, 0, 0},
    {"load, 64-bit address", 9, {0xa1}, ABS64, 1, 0, 1},
    {"store, EIP-relative", 7, {0x67, 0x89, 0x15}, EIP32, 3, 0, 0},
    {"load, EIP-relative", 7, {0x67, 0x8b, 0x15}, EIP32, 3, 0, 1},
    {"load 8, sign-extended", 4, {0x48, 0x0f, 0xbe, 0x17}, 0, 0, 1, 1},
#else
    {"store, index", 3, {0x89, 0x14, 0x37}, 0, 0, 0, 0},
    {"load, index, negative", 4, {0x8b, 0x54, 0x37, 0xfc}, 0, 0, 0, 1},
    {"store, 32-bit address", 5, {0xa3}, ABS32, 1, 0, 0},
    {"load, 32-bit address", 5, {0xa1}, ABS32, 1, 0, 1},
#endif
};

static void form_place(const struct form *f, volatile uint8_t *to, uint64_t at)
{
    place(to, f->code, f->len);
    if (f->fix == ABS32)
        *(volatile uint32_t *)(to + f->at) = (uint32_t)at;
    else if (f->fix == ABS64)
        *(volatile uint64_t *)(to + f->at) = at;
    else if (f->fix == EIP32)
        *(volatile uint32_t *)(to + f->at) = (uint32_t)(at - (uintptr_t)to - f->len);
}

/* The same on cells of RAM; a narrow access of the registers is refused: ones, or nothing. */
static bool form_round(const struct form *f, uint8_t *on_ram, uint8_t *on_dev, unsigned round)
{
    static const unsigned off[4] = {REGDISK_X, REGDISK_X_HI, REGDISK_Z, REGDISK_Z_HI};
    volatile uint32_t *cell = (volatile uint32_t *)cells;
    struct io ram = {0x1122334455667788, 0xf1e2d3c4b5a69788 + round, 0x8877665544332211};
    struct io dev = ram;
    bool ok = true;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t v = 0xc0de0000u + 0x1111u * i + round;

        *reg(off[i]) = v;
        cell[i] = f->narrow ? 0xffffffffu : v;
    }
    run(on_ram, cells, &ram);
    run(on_dev, reg(REGDISK_X), &dev);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t v = 0xc0de0000u + 0x1111u * i + round;

        ok &= *reg(off[i]) == (f->narrow ? v : cell[i]);
    }
    return ok && ram.a == dev.a && ram.d == dev.d && ram.r8 == dev.r8;
}

static void each_form(void)
{
    for (unsigned n = 0; n < sizeof(forms) / sizeof(forms[0]); n++) {
        const struct form *f = &forms[n];
        uint8_t *on_ram = page + 64 * n, *on_dev = page + 4096 + 64 * n;
        bool ok = true;

        if (f->narrow && f->load && writes)
            continue;
        form_place(f, on_ram, (uintptr_t)cells);
        form_place(f, on_dev, MAP_REGDISK_MMIO + REGDISK_X);
        for (unsigned round = 0; round < 3; round++)
            ok &= form_round(f, on_ram, on_dev, round);
        check(f->name, ok);
    }
}

/* ---- code that changes ---- */

static const uint8_t store_a[] = {0x89, 0x07}, store_imm[] = {0xc7, 0x07, 1, 2, 3, 4};

static void warm(volatile uint8_t *code)
{
    for (unsigned i = 0; i < 3; i++)
        run_a(code, reg(REGDISK_X), 100 + i);
}

static void changes(void)
{
    volatile uint8_t *c = page + 2 * 4096 + 16;

    place(c, store_a, sizeof(store_a));
    warm(c);
    check_eq("it stores", *reg(REGDISK_X), 102);
    *(volatile uint16_t *)c = 0x078b; /* mov (%rdi), %eax */
    *reg(REGDISK_X) = 7;
    check_eq("rewritten as a load, it loads", run_a(c, reg(REGDISK_X), 9), 7);
    check_eq("and again", run_a(c, reg(REGDISK_X), 9), 7);
    c[0] = 0x89;
    run_a(c, reg(REGDISK_X), 11);
    check_eq("its first byte rewritten, it stores", *reg(REGDISK_X), 11);
    run_a(c, reg(REGDISK_X), 12);
    c[1] = 0x17; /* mov %edx, (%rdi) */
    struct io io = {1, 33, 0};
    run(c, reg(REGDISK_X), &io);
    check_eq("its second byte rewritten, it stores another register", *reg(REGDISK_X), 33);
    io.d = 34;
    run(c, reg(REGDISK_X), &io);
    check_eq("and again", *reg(REGDISK_X), 34);
    uint8_t was = c[0];
    c[0] = 0xcc; /* int3 */
    c[0] = was;
    io.d = 35;
    run(c, reg(REGDISK_X), &io);
    check_eq("after a breakpoint was set and taken away, it stores", *reg(REGDISK_X), 35);
    c[0] = 0x31, c[1] = 0xc0; /* xor %eax, %eax */
    check_eq("rewritten as something else, it does that", run_a(c, reg(REGDISK_X), 9), 0);
    place(c, store_imm, sizeof(store_imm));
    warm(c);
    check_eq("a constant is stored", *reg(REGDISK_X), 0x04030201);
    *(volatile uint32_t *)(c + 2) = 0x55667788;
    run_a(c, reg(REGDISK_X), 0);
    check_eq("the constant rewritten, the new one is", *reg(REGDISK_X), 0x55667788);
    run_a(c, reg(REGDISK_X), 0);
    c[5] = 0x99;
    run_a(c, reg(REGDISK_X), 0);
    check_eq("a byte of it rewritten too", *reg(REGDISK_X), 0x99667788);
}

static void copies(void)
{
    volatile uint8_t *c = page + 3 * 4096 + 16, *to = page + 7 * 4096 + 2048 + 5;

    place(c, store_imm, sizeof(store_imm));
    warm(c);
    for (unsigned i = 0; i < sizeof(store_imm) + 1; i++)
        to[i] = c[i];
    *reg(REGDISK_X) = 0;
    run_a(to, reg(REGDISK_X), 0);
    check_eq("a copy does the same", *reg(REGDISK_X), 0x04030201);
    *reg(REGDISK_X) = 0;
    run_a(to, reg(REGDISK_X), 0);
    check_eq("and again", *reg(REGDISK_X), 0x04030201);
    for (unsigned i = 0; i < sizeof(store_imm) + 1; i++)
        to[64 + i] = c[i];
    to[64 + 4] = 0x77;
    run_a(to + 64, reg(REGDISK_X), 0);
    check_eq("a changed copy does its own", *reg(REGDISK_X), 0x04770201);
    run_a(c, reg(REGDISK_X), 0);
    check_eq("the original is as it was", *reg(REGDISK_X), 0x04030201);
    for (unsigned i = 0; i < sizeof(store_imm) + 1; i++)
        to[128 + i] = c[i];
    cells[0] = 0;
    run_a(to + 128, cells, 0);
    check_eq("a copy that stores to RAM", cells[0], 0x04030201);
}

static void operands(void)
{
    volatile uint8_t *c = page + 3 * 4096 + 1024;

    place(c, store_a, sizeof(store_a));
    for (unsigned i = 0; i < 40; i++) { /* more often than a patcher is patient */
        warm(c);
        cells[1] = 0;
        run_a(c, &cells[1], 77 + i);
        if (cells[1] != 77 + i || *reg(REGDISK_X) != 102) {
            check("registers and RAM by turns", false);
            return;
        }
    }
    check("registers and RAM by turns", true);
#ifdef __x86_64__
    place(c + 64, store_a, sizeof(store_a));
    warm(c + 64);
    TRY("call *%%rcx", "c"(c + 64), "D"(0x123456789000), "a"(1));
    check_trap("a fault is a fault", V_PF, 2);
    check_eq("at its instruction", seen.ip, (uintptr_t)(c + 64));
    check_eq("with its address", seen.cr2, 0x123456789000);
    run_a(c + 64, reg(REGDISK_X), 5);
    check_eq("and the registers work after it", *reg(REGDISK_X), 5);
#endif
}

/* ---- places ---- */

static void places(void)
{
    volatile uint8_t *c = page + 4 * 4096;

    for (unsigned at = 4096 - 7; at <= 4096; at++) {
        place(c + at, store_imm, sizeof(store_imm));
        *reg(REGDISK_X) = 0;
        warm(c + at);
        if (*reg(REGDISK_X) != 0x04030201) {
            check_eq("across two pages", at, 0);
            return;
        }
    }
    check("across two pages", true);
}

#ifdef __x86_64__
static void aliases(void)
{
    volatile uint8_t *c, *alias;

    c = page + 4 * 4096 + 64;
    place(c, store_a, sizeof(store_a));
    warm(c);
    for (unsigned i = 0; i < 16; i++) /* the first 32 MiB a second time */
        pds[ALIAS / 0x200000 + i] = i * 0x200000ul | 0x87;
    alias = (volatile uint8_t *)((uintptr_t)c + ALIAS);
    asm volatile("invlpg (%0)" ::"r"(alias) : "memory");
    run_a(alias, reg(REGDISK_X), 51);
    check_eq("by another mapping", *reg(REGDISK_X), 51);
    alias[1] = 0x17;
    struct io io = {1, 52, 0};
    run(c, reg(REGDISK_X), &io);
    check_eq("rewritten by another mapping", *reg(REGDISK_X), 52);
    run(alias, reg(REGDISK_X), &io);
    place(alias, store_a, sizeof(store_a));
    run_a(c, reg(REGDISK_X), 53);
    check_eq("and back", *reg(REGDISK_X), 53);
}

static void far_run(uint32_t sel, volatile uint8_t *code, volatile void *at, uint32_t *a)
{
    struct {
        uint32_t off;
        uint16_t sel;
    } __attribute__((packed)) to = {(uint32_t)(uintptr_t)code, (uint16_t)sel};

    asm volatile("lcall *%1" : "+a"(*a) : "m"(to), "D"(at) : "memory", "cc");
}

static void modes(void)
{
    static const uint8_t in32[] = {0x89, 0x07, 0x8b, 0x47, 0x04, 0xcb};
    static const uint8_t in16[] = {0x67, 0x66, 0x89, 0x07, 0x67, 0x66,
                                   0x8b, 0x47, 0x04, 0x66, 0xcb};
    volatile uint8_t *c = page + 5 * 4096, *low = (volatile uint8_t *)(uintptr_t)LOW;
    bool ok32 = true, ok16 = true;

    *reg(REGDISK_X_HI) = 0xbeef;
    place(c, in32, sizeof(in32));
    place(low, in16, sizeof(in16));
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t a = 1000 + i;

        far_run(SEL_K32, c, reg(REGDISK_X), &a);
        ok32 &= a == 0xbeef && *reg(REGDISK_X) == 1000 + i;
        a = 2000 + i;
        far_run(SEL_K16, low, reg(REGDISK_X), &a);
        ok16 &= a == 0xbeef && *reg(REGDISK_X) == 2000 + i;
    }
    check("32-bit code", ok32);
    check("16-bit code", ok16);
}

#endif

static void own_outs(void)
{
    for (uint16_t p = 0xe0; p < 0xf0; p++) {
        asm volatile("outb %%al, %%dx" ::"a"(p), "d"(p));
        asm volatile("outl %%eax, %%dx" ::"a"(p), "d"(p));
    }
    check("ports of its own", true);
}

/* ---- what a device reads ---- */

static uint32_t disk(uint32_t sector, uint32_t dir, volatile void *mem)
{
    *reg(REGDISK_X) = sector;
    *reg(REGDISK_X_HI) = 0;
    *reg(REGDISK_Z) = (uint32_t)(uintptr_t)mem;
    *reg(REGDISK_Z_HI) = 0;
    *reg(REGDISK_COUNT) = 1;
    *reg(REGDISK_Y) = dir;
    *reg(REGDISK_CMD) = REGDISK_CMD_START;
    for (unsigned i = 0; i < 1000000; i++) {
        uint32_t s = *reg(REGDISK_STATUS);

        if (s & REGDISK_STATUS_DONE)
            return s;
    }
    return 0;
}

static void devices(void)
{
    volatile uint8_t *c = page + 6 * 4096 + 512, *copy = page + 7 * 4096;

    place(c, store_a, sizeof(store_a));
    warm(c);
    if (patched)
        check("the code reads as patched", c[0] == 0xe6 || c[0] == 0xe7);
    check_eq("a device reads the code", disk(1, REGDISK_WRITE, c), REGDISK_STATUS_DONE);
    check("which is itself again", c[0] == store_a[0] && c[1] == store_a[1]);
    check_eq("and writes it elsewhere", disk(1, REGDISK_READ, copy), REGDISK_STATUS_DONE);
    check("as the guest wrote it", copy[0] == store_a[0] && copy[1] == store_a[1]);
    warm(copy);
    check_eq("where it runs", *reg(REGDISK_X), 102);
    place(c, store_imm, sizeof(store_imm));
    check_eq("a device reads other code", disk(2, REGDISK_WRITE, c), REGDISK_STATUS_DONE);
    check_eq("and writes over patched code", disk(2, REGDISK_READ, copy), REGDISK_STATUS_DONE);
    run_a(copy, reg(REGDISK_X), 0);
    check_eq("which does the new", *reg(REGDISK_X), 0x04030201);
}

void guest_main(const uint8_t *mbi)
{
    patched = guest_has(mbi, "patched");
    writes = guest_has(mbi, "writes");
    if (!check_eq("the controller is there", *reg(REGDISK_ID), REGDISK_ID_VALUE))
        return;
    each_form();
    changes();
    copies();
    operands();
    places();
#ifdef __x86_64__
    aliases();
    modes();
#endif
    own_outs();
    devices();
}
