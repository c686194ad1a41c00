/* Walks that only look: Intel SDM volume 3, chapter 5. */
#include "unit.h"
#include "mem/ram.h"
#include "trap/paging.h"

#define RAM   (4u << 20)
#define ROOT  0x1000u
#define P_W_A 0x23u
#define LEAF  0x63u /* and dirty */
#define BIG   0xe3u
#define USER  4u

static struct ram ram;
static struct cpu_regs r;

static int setup(void **state)
{
    (void)state;
    memset(&r, 0, sizeof(r));
    r.cr0 = 0x80010001; /* PG, WP, PE */
    r.cr3 = ROOT;
    return ram_open(&ram, RAM);
}

static int teardown(void **state)
{
    (void)state;
    ram_close(&ram);
    return 0;
}

static void put(gpa_t at, uint64_t e)
{
    le64_put(ram_ptr(&ram, at, 8), e);
}

static void put32(gpa_t at, uint32_t e)
{
    le32_put(ram_ptr(&ram, at, 4), e);
}

static bool find(uint64_t lin, unsigned how, gpa_t want)
{
    gpa_t gpa = 0;

    return paging_find(&ram, &r, lin, how, &gpa) && gpa == want;
}

static void no_paging(void **state)
{
    (void)state;
    r.cr0 = 1;
    assert_true(find(0xfe700010, PAGING_WRITE, 0xfe700010));
    assert_true(find(0x1fe700010, 0, 0xfe700010)); /* addresses have 32 bits */
}

static void two_levels(void **state)
{
    (void)state;
    put32(ROOT + 4, 0x2000 | P_W_A);
    put32(0x2000 + 4 * 3, 0xfe700000 | LEAF);
    assert_true(find(0x403abc, PAGING_WRITE, 0xfe700abc));
    assert_false(find(0x404abc, 0, 0));
    put32(ROOT + 8, 0xfe400000 | BIG);
    assert_false(find(0x800010, 0, 0xfe400010)); /* no PSE: a table outside RAM */
    r.cr4 = 0x10;
    assert_true(find(0x800010, 0, 0xfe400010));
    put32(ROOT + 8, 0xfe400000 | BIG | 1 << 13);
    assert_true(find(0x800010, 0, 0x1fe400010));
}

static void pae(void **state)
{
    (void)state;
    r.cr4 = 0x20;
    r.cr3 = ROOT + 0x20;
    put(ROOT + 0x20 + 24, 0x2001); /* no rights here */
    put(0x2000 + 8 * 5, 0x3000 | P_W_A);
    put(0x3000 + 8 * 7, 0xfe700000 | LEAF);
    put(0x2000 + 8 * 6, 0xfe600000 | BIG);
    assert_true(find(0xc0a07123, PAGING_WRITE, 0xfe700123));
    assert_true(find(0xc0d07123, PAGING_WRITE, 0xfe707123));
    assert_false(find(0x40a07123, 0, 0));
}

static void four_and_five_levels(void **state)
{
    uint64_t lin = 0xffff800000000000 | 3ull << 30 | 5 << 21 | 7 << 12 | 0x123;

    (void)state;
    r.cr4 = 0x20;
    r.efer = 0x500;
    put(ROOT + 8 * 256, 0x2000 | P_W_A);
    put(0x2000 + 8 * 3, 0x3000 | P_W_A);
    put(0x3000 + 8 * 5, 0x4000 | P_W_A);
    put(0x4000 + 8 * 7, 0x123450000000 | LEAF | 1ull << 63);
    assert_true(find(lin, PAGING_WRITE, 0x123450000123));
    assert_false(find(lin & 0x7fffffffffff, 0, 0)); /* another half */
    assert_false(find(lin & 0xffffffffffff, 0, 0)); /* not canonical */
    put(0x3000 + 8 * 5, 0xfe600000 | BIG);
    assert_true(find(lin, 0, 0xfe607123));
    put(0x2000 + 8 * 3, 0xc0000000 | BIG);
    assert_true(find(lin, 0, 0xc0a07123));
    put(ROOT + 8 * 256, 0xc0000000 | BIG);
    assert_false(find(lin, 0, 0)); /* no page is that large */
    r.cr4 |= 0x1000;
    r.cr3 = 0x6000;
    put(0x6000 + 8 * 511, 0x7000 | P_W_A);
    put(0x7000 + 8 * 256, 0x2000 | P_W_A);
    assert_true(find(lin, 0, 0xc0a07123));
}

static void with(uint64_t upper, uint64_t leaf)
{
    r.cr4 = 0x20 | (r.cr4 & ~0x20ull);
    r.efer = 0x500;
    put(ROOT, 0x2000 | upper);
    put(0x2000, 0x3000 | upper);
    put(0x3000, 0x4000 | upper);
    put(0x4000, 0xfe700000 | leaf);
}

/* The answer is no whenever the CPU has more to do than to access. */
static void rights(void **state)
{
    (void)state;
    with(P_W_A, LEAF);
    assert_true(find(1, PAGING_WRITE, 0xfe700001));
    with(P_W_A, LEAF & ~0x40u); /* clean */
    assert_true(find(1, 0, 0xfe700001));
    assert_false(find(1, PAGING_WRITE, 0));
    with(P_W_A, LEAF & ~0x20u); /* not accessed */
    assert_false(find(1, 0, 0));
    with(P_W_A & ~0x20u, LEAF);
    assert_false(find(1, 0, 0));
    with(P_W_A & ~2u, LEAF); /* read-only */
    assert_true(find(1, 0, 0xfe700001));
    assert_false(find(1, PAGING_WRITE, 0));
    r.cr0 &= ~0x10000ull;
    assert_true(find(1, PAGING_WRITE, 0xfe700001));
    with(P_W_A | USER, LEAF | USER);
    assert_true(find(1, PAGING_WRITE, 0xfe700001));
    r.cr4 = 1 << 20; /* SMEP */
    with(P_W_A | USER, LEAF | USER);
    assert_true(find(1, 0, 0xfe700001));
    assert_false(find(1, PAGING_FETCH, 0));
    r.cr4 = 1 << 21; /* SMAP */
    with(P_W_A | USER, LEAF | USER);
    assert_false(find(1, 0, 0));
    with(P_W_A | USER, LEAF); /* a supervisor's page */
    assert_true(find(1, 0, 0xfe700001));
    assert_true(find(1, PAGING_FETCH, 0xfe700001));
}

static void tables_outside_ram(void **state)
{
    (void)state;
    r.cr4 = 0x20;
    r.efer = 0x500;
    for (unsigned i = 0; i < 64; i++) {
        r.cr3 = 1ull << i;
        assert_false(find(0, 0, 1));
    }
    r.cr3 = ROOT;
    put(ROOT, ROOT | BIG); /* a table that is its own */
    assert_false(find(0, 0, 1));
    put(ROOT, ROOT | P_W_A);
    assert_false(find(0, PAGING_WRITE, 1));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_paging), T(two_levels),         T(pae), T(four_and_five_levels),
        T(rights),    T(tables_outside_ram),
    };

    return cmocka_run_group_tests_name("paging", tests, NULL, NULL);
}
