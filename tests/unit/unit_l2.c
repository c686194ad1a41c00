/* The switch's address table: what is learnt, kept, forgotten, and what a port can't do to another.
 */
#include "unit.h"
#include "share/l2.h"

#define AGE 300000000000ull
#define A   0x020000000001ull
#define B   0x020000000002ull

static int setup(void **state)
{
    struct l2 *t = malloc(sizeof(*t));

    l2_init(t, 0x9e3779b97f4a7c15ull, AGE);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void addresses_are_learnt_and_age(void **state)
{
    struct l2 *t = *state;

    assert_int_equal(l2_find(t, A, 5), -1);
    assert_int_equal(l2_learn(t, A, 3, L2_QUOTA, 5), L2_NEW);
    assert_int_equal(l2_learn(t, B, 4, L2_QUOTA, 5), L2_NEW);
    assert_int_equal(l2_find(t, A, 5 + AGE), 3);
    assert_int_equal(l2_find(t, A, 6 + AGE), -1);
    assert_int_equal(l2_learn(t, A, 3, L2_QUOTA, 100),
                     L2_KNOWN); /* heard again: its age begins anew */
    assert_int_equal(l2_find(t, A, 100 + AGE), 3);
    l2_age(t, 50 + AGE);
    assert_int_equal(t->count[3], 1);
    assert_int_equal(t->count[4], 0);
    assert_int_equal(l2_find(t, B, 5), -1);
}

static void an_address_is_not_taken_from_a_living_port(void **state)
{
    struct l2 *t = *state;

    l2_learn(t, A, 1, L2_QUOTA, 0);
    assert_int_equal(l2_learn(t, A, 2, L2_QUOTA, 10), L2_FOREIGN);
    assert_int_equal(l2_find(t, A, 10), 1);
    assert_int_equal(l2_learn(t, A, 2, L2_QUOTA, AGE + 1), L2_NEW); /* silent for long enough */
    assert_int_equal(l2_find(t, A, AGE + 1), 2);
    assert_int_equal(t->count[1], 0);
    l2_forget(t, 2);
    assert_int_equal(l2_find(t, A, AGE + 1), -1);
    assert_int_equal(l2_learn(t, A, 1, L2_QUOTA, AGE + 2), L2_NEW);
    assert_int_equal(t->count[1], 1);
    assert_int_equal(t->count[2], 0);
}

static void a_port_has_a_quota(void **state)
{
    struct l2 *t = *state;
    unsigned learnt = 0;

    l2_learn(t, B, 2, L2_QUOTA, 0);
    for (uint64_t i = 0; i < 10000; i++)
        learnt += l2_learn(t, 0x060000000000ull + i, 1, L2_QUOTA, 1) == L2_NEW;
    assert_in_range(learnt, L2_QUOTA,
                    L2_QUOTA + 64); /* those pushed out of a full set come on top */
    assert_int_equal(t->count[1], L2_QUOTA);
    assert_int_equal(l2_find(t, B, 1), 2); /* nobody else's was pushed out */
    l2_age(t, AGE + 2);
    assert_int_equal(t->count[1], 0);
    assert_int_equal(l2_learn(t, 0x060000000000ull + 9999, 1, L2_QUOTA, AGE + 2), L2_NEW);
}

/* All ports at their quotas are more than the table holds: it stays sane and keeps the newest. */
static void a_full_table_forgets_the_oldest(void **state)
{
    struct l2 *t = *state;
    unsigned sum = 0, there = 0;

    for (uint64_t i = 0; i < L2_PORTS * L2_QUOTA; i++)
        l2_learn(t, 0x0a0000000000ull + i * 7919, (unsigned)(i % L2_PORTS), L2_QUOTA, i);
    for (unsigned s = 0; s < L2_SETS; s++)
        for (unsigned i = 0; i < L2_WAYS; i++)
            there += t->set[s][i].mac != 0;
    for (unsigned p = 0; p < L2_PORTS; p++)
        sum += t->count[p];
    assert_int_equal(sum, there);
    assert_true(there > L2_SETS * L2_WAYS * 9 / 10);
    for (uint64_t i = L2_PORTS * L2_QUOTA - 64; i < L2_PORTS * L2_QUOTA; i++)
        assert_int_equal(l2_find(t, 0x0a0000000000ull + i * 7919, i), i % L2_PORTS);
}

static void group_and_reserved_addresses(void **state)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t stp[6] = {0x01, 0x80, 0xc2, 0, 0, 0x0e}, vm[6] = {0x02, 0, 0, 0, 0, 1};

    (void)state;
    assert_true(l2_is_group(l2_mac(all)) && l2_is_group(l2_mac(stp)));
    assert_false(l2_is_group(l2_mac(vm)));
    assert_true(l2_is_reserved(l2_mac(stp)));
    assert_false(l2_is_reserved(0x0180c2000010) || l2_is_reserved(l2_mac(all)));
    assert_int_equal(l2_mac(vm), A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_are_learnt_and_age, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_is_not_taken_from_a_living_port, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_port_has_a_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_forgets_the_oldest, setup, teardown),
        cmocka_unit_test(group_and_reserved_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
