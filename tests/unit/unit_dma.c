/* DMA: RAM only, all or nothing, counted; writes are told to who must know. */
#include "unit.h"
#include "core/ledger.h"
#include "mem/dma.h"
#include "mem/ram.h"

#include <errno.h>

#define MIB (1ull << 20)

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct dma dma;
    unsigned told;
    gpa_t told_at;
};

static void code_written(void *arg, gpa_t gpa, uint64_t len)
{
    struct world *w = arg;

    (void)len;
    w->told++;
    w->told_at = gpa;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 4 * MIB), 0);
    w->ram.code_written = code_written;
    w->ram.code_arg = w;
    w->ledger = ledger_open();
    w->dma = (struct dma){
        .ram = &w->ram, .row = ledger_row(w->ledger, LEDGER_DMA, "dev", "dma"), .enabled = true};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    ram_close(&w->ram);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void bytes_arrive(void **state)
{
    struct world *w = *state;
    uint8_t out[5000], in[5000];
    size_t i;

    for (i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7);
    assert_int_equal(dma_write(&w->dma, 0x1ff0, out, sizeof(out)), 0);
    assert_int_equal(dma_read(&w->dma, 0x1ff0, in, sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(w->dma.row->writes, 1);
    assert_int_equal(w->dma.row->write_bytes, sizeof(out));
    assert_int_equal(w->dma.row->read_bytes, sizeof(in));
    assert_int_equal(w->dma.row->refused, 0);
}

static void outside_ram_nothing_moves(void **state)
{
    static const struct {
        gpa_t gpa;
        size_t len;
    } bad[] = {
        {4 * MIB, 1},         {4 * MIB - 1, 2},        {UINT64_MAX, 1},
        {UINT64_MAX - 7, 16}, {4 * MIB - 8, SIZE_MAX}, {0, 4 * MIB + 1},
        {1ull << 32, 8},      {8, SIZE_MAX - 4},
    };
    struct world *w = *state;
    uint8_t buf[16];
    struct iovec iov;
    size_t i;

    memset(ram_ptr(&w->ram, 4 * MIB - 16, 16), 0x5a, 16);
    memset(buf, 0xee, sizeof(buf));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dma_write(&w->dma, bad[i].gpa, buf, bad[i].len), -EFAULT);
        assert_int_equal(dma_read(&w->dma, bad[i].gpa, buf, bad[i].len), -EFAULT);
        assert_int_equal(dma_hold(&w->dma, bad[i].gpa, bad[i].len, true, &iov, 1), -EFAULT);
    }
    for (i = 0; i < 16; i++) {
        assert_int_equal(ram_ptr(&w->ram, 4 * MIB - 16, 16)[i], 0x5a);
        assert_int_equal(buf[i], 0xee);
    }
    assert_int_equal(w->dma.row->refused, 24);
    assert_int_equal(w->dma.row->reads + w->dma.row->writes, 24);
    assert_int_equal(w->dma.row->read_bytes + w->dma.row->write_bytes, 0);
}

static void without_bus_master_everything_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t b = 1;

    w->dma.enabled = false;
    assert_int_equal(dma_write(&w->dma, 0, &b, 1), -EFAULT);
    assert_int_equal(dma_read(&w->dma, 0, &b, 1), -EFAULT);
    assert_int_equal(*ram_ptr(&w->ram, 0, 1), 0);
}

static void a_write_marks_pages_and_tells_the_translator(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192] = {0};
    struct iovec iov;

    w->ram.page_flags[3] = RAM_CODE;
    assert_int_equal(dma_write(&w->dma, 0x1000, buf, 4096), 0);
    assert_int_equal(w->told, 0);
    assert_int_equal(dma_write(&w->dma, 0x2fff, buf, 2), 0);
    assert_int_equal(w->told, 1);
    assert_int_equal(w->told_at, 0x2fff);
    assert_int_equal(w->ram.page_flags[0], 0);
    assert_int_equal(w->ram.page_flags[1], RAM_DIRTY);
    assert_int_equal(w->ram.page_flags[2], RAM_DIRTY);
    assert_int_equal(w->ram.page_flags[3], RAM_CODE | RAM_DIRTY);
    assert_int_equal(w->ram.page_flags[4], 0);
    assert_int_equal(dma_hold(&w->dma, 0x3000, 16, true, &iov, 1), 1);
    assert_int_equal(w->told, 1);
    dma_drop(&w->dma, 0x3000, 16, true);
    assert_int_equal(w->told, 2);
    assert_int_equal(w->dma.row->write_bytes, 4096 + 2 + 16);
}

static void ram_has_a_hole_below_4g(void **state)
{
    struct ram r;
    uint64_t size = RAM_LOW_MAX + 16 * MIB; /* sparse: costs nothing until touched */

    (void)state;
    assert_int_equal(ram_open(&r, size), 0);
    assert_int_equal(r.slots, 2);
    assert_non_null(ram_ptr(&r, RAM_LOW_MAX - 1, 1));
    assert_null(ram_ptr(&r, RAM_LOW_MAX - 1, 2));
    assert_null(ram_ptr(&r, RAM_LOW_MAX, 1));
    assert_null(ram_ptr(&r, (1ull << 32) - 1, 1));
    assert_ptr_equal(ram_ptr(&r, 1ull << 32, 16 * MIB), r.slot[0].host + RAM_LOW_MAX);
    assert_null(ram_ptr(&r, 1ull << 32, 16 * MIB + 1));
    assert_int_equal(ram_page(&r, 1ull << 32), RAM_LOW_MAX / 4096);
    assert_int_equal(ram_page(&r, (1ull << 32) + 4096), RAM_LOW_MAX / 4096 + 1);
    ram_close(&r);
}

static void odd_sizes_are_refused(void **state)
{
    struct ram r;

    (void)state;
    assert_int_equal(ram_open(&r, 0), -EINVAL);
    assert_int_equal(ram_open(&r, MIB + 4096), -EINVAL);
    assert_int_equal(ram_open(&r, UINT64_MAX & ~(MIB - 1)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(outside_ram_nothing_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(without_bus_master_everything_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_marks_pages_and_tells_the_translator, setup,
                                        teardown),
        cmocka_unit_test(ram_has_a_hole_below_4g),
        cmocka_unit_test(odd_sizes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
