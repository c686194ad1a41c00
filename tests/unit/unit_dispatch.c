/* Dispatch: every trap is one exit, its bytes land in exactly one row, deferred work runs. */
#include "unit.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "trap/dispatch.h"

#include <errno.h>

struct world {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct dispatch d;
    struct io_region port, page, lapic;
    struct loop_work work;
    unsigned worked;
    uint64_t last;
};

static uint64_t reg_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)size;
    return 0x40 + off;
}

static void reg_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct world *w = dev;

    (void)size;
    w->last = val;
    if (off == 4)
        loop_defer(w->loop, &w->work);
}

static const struct io_ops ops = {
    .read = reg_read, .write = reg_write, .sizes = 1 | 2 | 4, .split = true};

static void work(void *arg)
{
    struct world *w = arg;

    assert_int_not_equal(pthread_mutex_trylock(&w->lock), 0); /* runs with the loop's lock */
    w->worked++;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    pthread_mutex_init(&w->lock, NULL);
    w->ledger = ledger_open();
    w->loop = loop_open(&w->lock, true);
    w->bus = bus_open(w->ledger);
    w->work = (struct loop_work){.run = work, .arg = w};
    w->port = (struct io_region){.name = "port",
                                 .ops = &ops,
                                 .dev = w,
                                 .lock = &w->lock,
                                 .space = BUS_PIO,
                                 .base = 0x100,
                                 .len = 8};
    w->page = (struct io_region){.name = "page",
                                 .ops = &ops,
                                 .dev = w,
                                 .lock = &w->lock,
                                 .space = BUS_MMIO,
                                 .base = 0xfee00000,
                                 .len = 4096};
    w->lapic = w->page;
    w->lapic.name = "lapic1";
    w->lapic.base = 0xfee00000;
    w->lapic.row = ledger_row(w->ledger, LEDGER_MMIO, "lapic1", "regs");
    assert_int_equal(bus_map(w->bus, &w->port), 0);
    assert_int_equal(bus_map(w->bus, &w->page), 0);
    assert_int_equal(dispatch_init(&w->d, w->bus, w->loop, &w->lock, w->ledger, 2), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    dispatch_free(&w->d);
    bus_close(w->bus);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static uint64_t run(struct world *w, unsigned cpu, struct trap t)
{
    dispatch_trap(&w->d, cpu, &t);
    return t.value;
}

static const struct ledger_row *exit_row(struct world *w, const char *cpu, const char *kind)
{
    const struct ledger_row *row = ledger_find(w->ledger, LEDGER_EXIT, cpu, kind);

    assert_non_null(row);
    return row;
}

static void traps_reach_their_region(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        run(w, 0, (struct trap){.kind = TRAP_PIO, .size = 1, .count = 1, .addr = 0x103}), 0x43);
    assert_int_equal(
        run(w, 0, (struct trap){.kind = TRAP_MMIO, .size = 4, .count = 1, .addr = 0xfee00010}),
        0x50);
    run(w, 0,
        (struct trap){.kind = TRAP_PIO,
                      .write = true,
                      .size = 2,
                      .count = 1,
                      .addr = 0x100,
                      .value = 0x12345});
    assert_int_equal(w->last, 0x2345);
    assert_int_equal(exit_row(w, "cpu0", "pio")->writes, 2);
    assert_int_equal(exit_row(w, "cpu0", "mmio")->writes, 1);
    assert_int_equal(exit_row(w, "cpu1", "pio")->writes, 0);
}

static void a_vcpus_own_page_shadows_the_bus(void **state)
{
    struct world *w = *state;
    struct trap t = {.kind = TRAP_MMIO, .size = 4, .count = 1, .addr = 0xfee00020};

    w->d.local[1] = &w->lapic;
    run(w, 1, t);
    run(w, 0, t);
    assert_int_equal(w->lapic.row->reads, 1);
    assert_int_equal(w->page.row->reads, 1);
}

static uint64_t bytes_of(struct world *w, enum ledger_kind kind, const char *name)
{
    const struct ledger_row *row;
    uint64_t sum = 0;

    for (row = ledger_first(w->ledger); row; row = row->next)
        if (row->kind == kind && (!name || !strcmp(row->name, name)))
            sum += row->read_bytes + row->write_bytes;
    return sum;
}

/* 20,000 random traps, mapped and not, in and over the ends, odd widths and strings. */
static void bytes_of_exits_equal_bytes_of_rows(void **state)
{
    static const uint64_t at[] = {0x100, 0x106, 0xfe, 0x300, 0xfffe};
    struct world *w = *state;
    uint8_t buf[64] = {0};
    uint32_t seed = 99;
    unsigned i;

    w->d.local[1] = &w->lapic;
    for (i = 0; i < 20000; i++) {
        struct trap t = {.count = 1};

        seed = seed * 1664525u + 1013904223u;
        t.write = seed >> 31;
        if (seed >> 30 & 1) {
            t.kind = TRAP_MMIO;
            t.size = (uint8_t)(1 + (seed >> 20) % 8);
            t.addr = 0xfee00000 - 4 + (seed >> 8) % 4100;
        } else {
            t.size = (uint8_t)(1u << ((seed >> 20) % 3));
            t.addr = at[(seed >> 8) % 5] + (seed >> 14) % 3;
            if (seed >> 29 & 1) {
                t.data = buf;
                t.count = (seed >> 24) % 17;
            }
        }
        dispatch_trap(&w->d, seed >> 27 & 1, &t);
    }
    assert_int_equal(bytes_of(w, LEDGER_EXIT, "pio"), bytes_of(w, LEDGER_PIO, NULL));
    assert_int_equal(bytes_of(w, LEDGER_EXIT, "mmio"), bytes_of(w, LEDGER_MMIO, NULL));
    assert_int_equal(ledger_sum(w->ledger, LEDGER_EXIT, NULL), 20000);
    assert_true(bytes_of(w, LEDGER_PIO, "unclaimed") > 0);
}

static void deferred_work_runs_after_the_trap(void **state)
{
    struct world *w = *state;

    run(w, 0, (struct trap){.kind = TRAP_PIO, .write = true, .size = 1, .count = 1, .addr = 0x104});
    assert_int_equal(w->worked, 1);
    assert_false(loop_deferred_pending(w->loop));
}

static void double_hcall(void *ctx, unsigned vcpu, uint64_t *regs)
{
    assert_ptr_equal(ctx, regs + 2);
    regs[0] = regs[1] * 2 + vcpu;
}

static void hypercalls(void **state)
{
    struct world *w = *state;
    struct trap t = {.kind = TRAP_HCALL, .hcall = {7, 21}};

    dispatch_trap(&w->d, 1, &t);
    assert_int_equal((int64_t)t.hcall[0], -ENOSYS);
    assert_int_equal(ledger_find(w->ledger, LEDGER_HCALL, "hcall", "unknown")->refused, 1);
    w->d.hcall = double_hcall;
    w->d.hcall_ctx = t.hcall + 2;
    t.hcall[0] = 7;
    dispatch_trap(&w->d, 1, &t);
    assert_int_equal(t.hcall[0], 43);
    assert_int_equal(exit_row(w, "cpu1", "hcall")->writes, 2);
}

static void other_kinds_are_only_counted(void **state)
{
    struct world *w = *state;

    run(w, 0, (struct trap){.kind = TRAP_HALT});
    run(w, 0, (struct trap){.kind = TRAP_HALT});
    run(w, 0, (struct trap){.kind = TRAP_SHUTDOWN});
    assert_int_equal(exit_row(w, "cpu0", "halt")->writes, 2);
    assert_int_equal(exit_row(w, "cpu0", "shutdown")->writes, 1);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_PIO, NULL), 0);
}

static void nonsense_is_dropped(void **state)
{
    struct world *w = *state;
    uint8_t buf[8];

    run(w, 2, (struct trap){.kind = TRAP_HALT});
    run(w, 0, (struct trap){.kind = TRAP_KINDS});
    run(w, 0, (struct trap){.kind = TRAP_PIO, .size = 0, .count = 1});
    run(w, 0, (struct trap){.kind = TRAP_MMIO, .size = 9, .count = 1});
    run(w, 0, (struct trap){.kind = TRAP_MMIO, .size = 4, .count = 2, .data = buf});
    assert_int_equal(ledger_sum(w->ledger, LEDGER_EXIT, NULL), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(traps_reach_their_region),
        T(a_vcpus_own_page_shadows_the_bus),
        T(bytes_of_exits_equal_bytes_of_rows),
        T(deferred_work_runs_after_the_trap),
        T(hypercalls),
        T(other_kinds_are_only_counted),
        T(nonsense_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
