/*
 * Two CPUs in one piece of code that reaches the register disk, while one of them keeps writing the
 * same instructions over it: whatever patches them must let each CPU do what stands there
 * (docs/mechanisms.md). CPU 0 has register X, CPU 1 register Z. Option n=ROUNDS.
 */
#include "board/map.h"
#include "dev/regdisk_regs.h"
#include "guest.h"
#include "ap.h"

static uint8_t page[2 * 4096] __attribute__((aligned(4096)));
static volatile unsigned stop, ap_rounds, ap_wrong;
static volatile uint32_t got[2][3]; /* the last wrong ones */

static uint32_t *reg(unsigned off)
{
    return (uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + off);
}

/* mov %eax, (%rdi); mov (%rdi), %eax; mov %eax, 4(%rdi); mov 4(%rdi), %eax; ret */
static const uint8_t code[] = {0x89, 0x07, 0x8b, 0x07, 0x89, 0x47, 0x04, 0x8b, 0x47, 0x04, 0xc3};

static uint32_t run(uint32_t *at, uint32_t a)
{
    asm volatile("call *%%rcx" : "+a"(a) : "c"(page), "D"(at) : "memory", "cc");
    return a;
}

/* Both halves are written with v, and the last one is read. */
static bool good(uint32_t *at, uint32_t v, volatile uint32_t *got)
{
    uint32_t a = run(at, v), b = run(at, ~v);

    if (a == v && b == ~v)
        return true;
    got[0] = v;
    got[1] = a;
    got[2] = b;
    return false;
}

void ap_main(void)
{
    trap_init();
    for (uint32_t i = 0; !stop; i++) {
        ap_wrong += !good(reg(REGDISK_Z), i, got[1]);
        ap_rounds++;
    }
    ap_end();
}

/* The same two or four bytes again, whole instructions at a time; or bytes next to them. */
static void write_again(unsigned i)
{
    switch (i % 4) {
    case 0: *(volatile uint16_t *)page = 0x0789; break;
    case 1: *(volatile uint32_t *)page = 0x078b0789; break;
    case 2: *(volatile uint64_t *)(page + 256) = i; break;
    default: page[4096] = (uint8_t)i; break;
    }
}

void guest_main(const uint8_t *mbi)
{
    unsigned n = (unsigned)guest_opt(mbi, "n", 2000), wrong = 0, i;

    mem_copy(page, code, sizeof(code));
    if (!check("the second CPU works", ap_go(&ap_rounds)))
        return;
    for (i = 0; i < n || ap_rounds < n; i++) {
        write_again(i);
        wrong += !good(reg(REGDISK_X), i, got[0]);
    }
    stop = 1;
    ap_wait();
    check_eq("CPU 0 read what it wrote", wrong, 0);
    check_eq("CPU 1 read what it wrote", ap_wrong, 0);
    for (i = 0; i < 2; i++)
        if (i ? ap_wrong : wrong)
            say("CPU %u: %x: got %x, and %x for its complement\n", i, got[i][0], got[i][1],
                got[i][2]);
    say("%u rounds\n", ap_rounds);
}
