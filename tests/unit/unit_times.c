/* Histograms of times: each number in its step, quantiles within a fifth. */
#include "core/times.h"
#include "unit.h"

static void steps_have_no_gaps(void **state)
{
    (void)state;
    for (uint64_t ns = 0; ns < 100000; ns++) {
        unsigned s = times_step(ns);

        assert_true(ns < times_end(s));
        assert_true(!s || ns >= times_end(s - 1));
    }
    for (unsigned shift = 2; shift < 41; shift++) {
        uint64_t ns = 1ull << shift;

        assert_int_equal(times_step(ns), times_step(ns - 1) + 1);
        assert_int_equal(times_end(times_step(ns - 1)), ns);
    }
    assert_int_equal(times_step(UINT64_MAX), TIMES_STEPS - 1);
    assert_int_equal(times_step((1ull << 41) - 1), TIMES_STEPS - 1);
}

static void quantiles_are_near(void **state)
{
    struct times t = {0};

    (void)state;
    assert_int_equal(times_quantile(&t, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        times_add(&t, i * 1000);
    assert_int_equal(t.count, 1000);
    assert_int_equal(t.ns, 500500000);
    for (unsigned p = 1; p < 100; p++) {
        uint64_t q = times_quantile(&t, p / 100.0);

        assert_in_range(q, p * 10000 * 4 / 5, p * 10000 * 6 / 5);
    }
    assert_in_range(times_quantile(&t, 1.0), 800000, 1200000);
    assert_int_equal(times_below(&t, 2), 0);
    assert_int_equal(times_below(&t, 10), 1); /* 1,000 ns, not 2,000 */
    assert_int_equal(times_below(&t, 41), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_have_no_gaps),
                                       cmocka_unit_test(quantiles_are_near)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
