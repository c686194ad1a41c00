/* Ticks of the interval timer that a CPU could not take in time: owed, delivered, bounded. */
#include "bus/bus.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "dev/pit8254.h"
#include "irq/chip.h"
#include "unit.h"

#include <pthread.h>

#define MS 1000000ull

struct world {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct chip *chip;
    struct pit8254 *pit;
};

static void kick(void *ctx, unsigned vcpu)
{
    (void)ctx, (void)vcpu;
}

static void out(struct world *w, uint64_t port, uint8_t v)
{
    bus_write(w->bus, BUS_PIO, port, 1, v);
}

static void pic_init(struct world *w, uint8_t mask)
{
    out(w, 0x20, 0x11);
    out(w, 0x21, 0x20);
    out(w, 0x21, 4);
    out(w, 0x21, 1);
    out(w, 0x21, mask);
}

static int world_make(void **state, struct loop *loop)
{
    static const struct pic8259_at pic = {.master = 0x20, .slave = 0xa0};
    const struct chip_opts o = {.vcpus = 1, .pic = &pic, .kick = kick};
    struct world *w = calloc(1, sizeof(*w));
    struct dev_env env = {.name = "irq", .lock = &w->lock};

    pthread_mutex_init(&w->lock, NULL);
    env.ledger = w->ledger = ledger_open();
    env.loop = w->loop = loop ? loop : loop_open(&w->lock, true);
    env.bus = w->bus = bus_open(w->ledger);
    assert_int_equal(chip_create(&w->chip, &env, &o), 0);
    env.irq = chip_isa(w->chip, 0);
    assert_int_equal(pit8254_create(&w->pit, &env, 0x40, 0), 0);
    pic_init(w, 0xfe);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return world_make(state, NULL);
}

static int teardown(void **state)
{
    struct world *w = *state;

    pit8254_class.destroy(w->pit);
    chip_class.destroy(w->chip);
    bus_close(w->bus);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void pit_start(struct world *w, uint16_t count)
{
    out(w, 0x43, 0x34); /* channel 0, mode 2 */
    out(w, 0x40, (uint8_t)count);
    out(w, 0x40, (uint8_t)(count >> 8));
}

/* How many the CPU takes one after the other, in no time. */
static unsigned take(struct world *w)
{
    unsigned n = 0;

    while (n < 1000 && chip_intr_ops.pending(w->chip, 0) >= 0) {
        assert_int_equal(chip_intr_ops.ack(w->chip, 0), 0x20);
        out(w, 0x20, 0x20);
        n++;
    }
    return n;
}

static void ticks_of_a_slow_cpu_are_not_lost(void **state)
{
    struct world *w = *state;

    pit_start(w, 4773); /* 4 ms */
    loop_advance(w->loop, 5 * MS);
    assert_int_equal(take(w), 1);
    assert_int_equal(take(w), 0);
    loop_advance(w->loop, 40 * MS);
    assert_int_equal(take(w), 10);
    assert_int_equal(take(w), 0);
    loop_advance(w->loop, 4 * MS);
    assert_int_equal(take(w), 1);
}

static void they_are_bounded(void **state)
{
    struct world *w = *state;

    pit_start(w, 4773);
    loop_advance(w->loop, 10000 * MS);
    assert_int_equal(take(w), 17); /* the one that waits, and OWED_MAX */
    pit_start(w, 24);              /* 20 µs: owes nothing, or its interrupt would never end */
    loop_advance(w->loop, 1000 * MS);
    assert_int_equal(take(w), 1);
}

static void a_new_count_and_a_one_shot_owe_nothing(void **state)
{
    struct world *w = *state;

    pit_start(w, 4773);
    loop_advance(w->loop, 40 * MS);
    pit_start(w, 4773);
    assert_int_equal(take(w), 1);
    out(w, 0x43, 0x30); /* mode 0 */
    out(w, 0x40, 100);
    out(w, 0x40, 0);
    loop_advance(w->loop, 100 * MS);
    assert_int_equal(take(w), 1);
    assert_int_equal(take(w), 0);
}

/* A masked pin loses its edges, as in hardware: nobody was waiting for them. */
static void masked_ticks_are_lost(void **state)
{
    struct world *w = *state;

    pic_init(w, 0xff);
    pit_start(w, 4773);
    loop_advance(w->loop, 100 * MS);
    out(w, 0x21, 0xfe);
    assert_int_equal(take(w), 1); /* what the 8259 remembers */
}

/* ---- a host that takes its time: SLOW goes by between any two looks at the clock ---- */

#define SLOW 60000u

static struct slow {
    uint64_t now;
    struct loop_timer *armed;
} slow;

static void slow_set(void *ctx, struct loop_timer *t, uint64_t due)
{
    struct slow *s = ctx;

    t->due = due;
    s->armed = t;
}

static void slow_stop(void *ctx, struct loop_timer *t)
{
    struct slow *s = ctx;

    t->due = 0;
    s->armed = NULL;
}

static void slow_work(void *ctx, struct loop_work *work)
{
    (void)ctx, (void)work;
}

static uint64_t slow_now(const void *ctx)
{
    (void)ctx;
    return slow.now += SLOW;
}

static const struct loop_view_ops slow_ops = {
    .set = slow_set,
    .stop = slow_stop,
    .defer = slow_work,
    .cancel = slow_work,
    .now = slow_now,
    .wall = slow_now,
};

static int setup_slow(void **state)
{
    slow = (struct slow){0};
    return world_make(state, loop_view(&slow_ops, &slow));
}

static void slow_fire(void)
{
    struct loop_timer *t = slow.armed;

    assert_non_null(t);
    slow_stop(&slow, t);
    t->fire(t->arg);
}

static void a_one_shot_that_ends_while_it_is_loaded_comes(void **state)
{
    struct world *w = *state;

    out(w, 0x43, 0x30); /* mode 0 */
    out(w, 0x40, 100);  /* 84 µs */
    out(w, 0x40, 0);
    if (slow.armed)
        slow_fire();
    assert_int_equal(take(w), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ticks_of_a_slow_cpu_are_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(they_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_count_and_a_one_shot_owe_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(masked_ticks_are_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_one_shot_that_ends_while_it_is_loaded_comes, setup_slow,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
