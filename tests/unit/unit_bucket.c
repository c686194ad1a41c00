/* Token buckets: the long-run rate is exact, bursts are bounded, nothing waits for ever. */
#include "unit.h"
#include "share/bucket.h"

#define NS 1000000000ull

static void a_burst_goes_at_once_and_no_more(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 1000, 100, 7);
    for (unsigned i = 0; i < 10; i++)
        assert_true(bucket_take(&b, 7, 10));
    assert_false(bucket_take(&b, 7, 1));
    assert_int_equal(bucket_when(&b, 7, 1), 7 + NS / 1000);
    assert_false(bucket_take(&b, 7 + NS / 1000 - 1, 1));
    assert_true(bucket_take(&b, 7 + NS / 1000, 1));
    assert_true(bucket_take(&b, 100 * NS, 100)); /* full again, not fuller */
    assert_false(bucket_take(&b, 100 * NS, 1));
}

/* Whoever comes whenever bucket_when says gets rate units a second, to the unit. */
static void the_rate_is_exact(void **state)
{
    static const uint64_t rates[] = {1, 3, 7, 1000, 333333333, 12500000000ull};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        uint64_t rate = rates[i], step = rate / 1000 + 1, now = 0, sum = 0;
        struct bucket b;

        bucket_init(&b, rate, step, 0);
        while (now < 10 * NS) {
            uint64_t when = bucket_when(&b, now, step);

            assert_true(when >= now);
            if (when > now)
                assert_false(bucket_take(&b, when - 1, step));
            now = when;
            assert_true(bucket_take(&b, now, step));
            sum += step;
        }
        /* what was taken, the last time but one, is what the bucket held and what flowed in */
        assert_in_range(sum, 10 * rate, 10 * rate + 3 * step);
    }
}

static void what_is_larger_than_the_burst_leaves_a_debt(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 1000, 10, 0);
    assert_true(bucket_take(&b, 0, 1010));
    assert_false(bucket_take(&b, NS, 1)); /* 1,000 are in debt for a second */
    assert_int_equal(bucket_when(&b, 0, 1), NS + NS / 1000);
    assert_int_equal(bucket_when(&b, 0, 5000), NS + NS / 100); /* full is all it can be */
    assert_true(bucket_take(&b, NS + NS / 100, 5000));
}

static void charges_are_paid_back(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 100, 10, 0);
    bucket_charge(&b, 0, 60);
    assert_int_equal(bucket_when(&b, 0, 1), NS / 2 + NS / 100);
    for (unsigned i = 0; i < 100; i++)
        bucket_charge(&b, 0, UINT64_MAX);
    assert_false(bucket_take(&b, 1000 * NS, 1));
    assert_true(bucket_when(&b, 0, 1) > 1000 * NS);
}

static void no_rate_is_no_limit_and_extremes_hold(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 0, 0, 0);
    assert_true(bucket_take(&b, 0, UINT64_MAX));
    assert_int_equal(bucket_when(&b, 5, UINT64_MAX), 5);
    bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    assert_true(bucket_take(&b, 0, UINT64_MAX));
    assert_false(bucket_take(&b, 0, 1));
    assert_true(bucket_take(&b, UINT64_MAX, UINT64_MAX));
    bucket_init(&b, 1, 0, 100); /* at least one unit, whatever 50 ms give */
    assert_true(bucket_take(&b, 100, 1));
    assert_false(bucket_take(&b, 50, 1)); /* a clock that goes back brings nothing */
    assert_int_equal(bucket_when(&b, 100, 1), 100 + NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_goes_at_once_and_no_more),
        cmocka_unit_test(the_rate_is_exact),
        cmocka_unit_test(what_is_larger_than_the_burst_leaves_a_debt),
        cmocka_unit_test(charges_are_paid_back),
        cmocka_unit_test(no_rate_is_no_limit_and_extremes_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
