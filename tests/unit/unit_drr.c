/* Deficit round robin: shares by weight in units, whatever the sizes; turns are bounded. */
#include "unit.h"
#include "share/drr.h"

#define FLOWS 8

struct world {
    struct drr d;
    struct drr_flow f[FLOWS];
    uint64_t size[FLOWS], sent[FLOWS];
};

static void start(struct world *w, uint64_t quantum, unsigned n, const unsigned *weight,
                  const uint64_t *size)
{
    memset(w, 0, sizeof(*w));
    drr_init(&w->d, quantum);
    for (unsigned i = 0; i < n; i++) {
        drr_flow_init(&w->f[i], weight[i]);
        w->size[i] = size[i];
        drr_wake(&w->d, &w->f[i], size[i]);
    }
}

/* One goes; all queues are endless. Whose it was. */
static unsigned step(struct world *w)
{
    struct drr_flow *f = drr_next(&w->d);
    unsigned i;

    assert_non_null(f);
    i = (unsigned)(f - w->f);
    w->sent[i] += w->size[i];
    drr_spend(&w->d, f, w->size[i], w->size[i]);
    return i;
}

static void shares_follow_weights_whatever_the_sizes(void **state)
{
    static const unsigned weight[] = {1, 4, 1, 2};
    static const uint64_t size[] = {64, 1514, 65536, 300}, quanta[] = {1, 1500, 100000};

    (void)state;
    for (unsigned q = 0; q < ARRAY_LEN(quanta); q++) {
        struct world w;
        uint64_t sum = 0;

        start(&w, quanta[q], 4, weight, size);
        while (sum < 400000000) {
            unsigned i = step(&w);

            sum += size[i];
        }
        for (unsigned i = 0; i < 4; i++) /* within 1 % of the share */
            assert_in_range(w.sent[i], sum / 8 * weight[i] / 100 * 99,
                            sum / 8 * weight[i] / 100 * 101);
    }
}

/* Lemma 2 of the paper: what a flow got and what it should have differ by less than one item and
 * one quantum, at any time. */
static void no_flow_is_ever_far_from_its_share(void **state)
{
    static const unsigned weight[] = {1, 4};
    static const uint64_t size[] = {1500, 1000};
    struct world w;

    (void)state;
    start(&w, 1500, 2, weight, size);
    for (unsigned i = 0; i < 10000; i++) {
        step(&w);
        assert_true(4 * w.sent[0] + 4 * (1500 + 1500) + 6000 >= w.sent[1]);
        assert_true(w.sent[1] + 4 * (1500 + 1500) + 6000 >= 4 * w.sent[0]);
    }
}

/* A flow that wakes among busy ones waits for one turn of each of them, not for their queues. */
static void who_comes_late_waits_one_round(void **state)
{
    static const unsigned weight[] = {1, 1, 1};
    static const uint64_t size[] = {1500, 1500, 1500};
    struct world w;
    unsigned waited = 0;

    (void)state;
    start(&w, 1500, 3, weight, size);
    for (unsigned i = 0; i < 1000; i++)
        step(&w);
    w.size[3] = 100;
    drr_flow_init(&w.f[3], 1);
    drr_wake(&w.d, &w.f[3], 100);
    while (step(&w) != 3)
        waited++;
    assert_in_range(waited, 0, 3);
}

/* What slept has no claim to what it did not use. */
static void sleep_forfeits(void **state)
{
    static const unsigned weight[] = {1, 1};
    static const uint64_t size[] = {1000, 1000};
    struct world w;

    (void)state;
    start(&w, 1000, 2, weight, size);
    drr_sleep(&w.d, &w.f[1]);
    assert_false(drr_is_awake(&w.f[1]));
    assert_int_equal(w.d.awake, 1);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(step(&w), 0);
    drr_wake(&w.d, &w.f[1], 1000);
    drr_wake(&w.d, &w.f[1], 1000); /* twice is once */
    assert_int_equal(w.d.awake, 2);
    for (unsigned i = 0; i < 100; i++)
        step(&w);
    assert_int_equal(w.sent[1], 50000);
}

static void queues_end(void **state)
{
    static const unsigned weight[] = {3};
    static const uint64_t size[] = {10};
    struct world w;

    (void)state;
    start(&w, 1, 1, weight, size);
    assert_ptr_equal(drr_next(&w.d), &w.f[0]);
    assert_ptr_equal(drr_next(&w.d), &w.f[0]); /* until it is spent */
    drr_spend(&w.d, &w.f[0], 10, 0);
    assert_null(drr_next(&w.d));
    assert_int_equal(w.d.awake, 0);
    drr_sleep(&w.d, &w.f[0]);
    assert_int_equal(w.d.awake, 0);
}

/* A cost of 2^60 with a quantum of one: found at once, not after 2^60 rounds. */
static void cost_does_not_make_rounds(void **state)
{
    static const unsigned weight[] = {1, 1000};
    static const uint64_t size[] = {1ull << 60, 1ull << 59};
    struct world w;

    (void)state;
    start(&w, 1, 2, weight, size);
    for (unsigned i = 0; i < 2002; i++) /* returns within the test's time */
        step(&w);
    assert_in_range(w.sent[0] >> 60, 0, 2);
}

static void weights_are_kept_in_bounds(void **state)
{
    struct drr_flow f;

    (void)state;
    drr_flow_init(&f, 0);
    assert_int_equal(f.weight, 1);
    drr_flow_init(&f, 4000000);
    assert_int_equal(f.weight, DRR_WEIGHT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_weights_whatever_the_sizes),
        cmocka_unit_test(no_flow_is_ever_far_from_its_share),
        cmocka_unit_test(who_comes_late_waits_one_round),
        cmocka_unit_test(sleep_forfeits),
        cmocka_unit_test(queues_end),
        cmocka_unit_test(cost_does_not_make_rounds),
        cmocka_unit_test(weights_are_kept_in_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
