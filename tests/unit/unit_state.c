/* The state walk: what is saved is loaded; a hostile stream fails and leaves fields alone. */
#include "unit.h"
#include "core/state.h"

#include <errno.h>

struct thing {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    bool e;
    uint8_t f[5];
    uint32_t index; /* must stay below 4 */
};

static void thing_state(struct thing *t, struct state *st)
{
    uint32_t index = t->index;

    state_section(st, "thing", 2);
    state_u8(st, &t->a);
    state_u16(st, &t->b);
    state_u32(st, &t->c);
    state_u64(st, &t->d);
    state_bool(st, &t->e);
    state_bytes(st, t->f, sizeof(t->f));
    state_u32(st, &index);
    if (state_check(st, index < 4) && !st->err)
        t->index = index;
}

static const struct thing sample = {0x11, 0x2233, 0x44556677, 0x8899aabbccddeeff, true, "abcd", 3};

static size_t save(const struct thing *t, uint8_t *buf, size_t room)
{
    struct thing copy = *t;
    struct state st;
    size_t len;

    state_save_begin(&st);
    thing_state(&copy, &st);
    len = st.at;
    assert_true(len <= room);
    memcpy(buf, st.buf, len);
    assert_int_equal(state_end(&st), 0);
    return len;
}

static int load(struct thing *t, const uint8_t *buf, size_t len)
{
    struct state st;

    state_load_begin(&st, buf, len);
    thing_state(t, &st);
    return state_end(&st);
}

static void what_is_saved_is_loaded(void **state)
{
    uint8_t buf[256];
    struct thing got = {0};
    size_t len = save(&sample, buf, sizeof(buf));

    (void)state;
    assert_int_equal(load(&got, buf, len), 0);
    assert_memory_equal(&got, &sample, sizeof(got));
}

static void every_cut_stream_fails(void **state)
{
    uint8_t buf[256];
    struct thing got;
    size_t len = save(&sample, buf, sizeof(buf)), cut;

    (void)state;
    for (cut = 0; cut < len; cut++) {
        uint8_t *tight = malloc(cut ? cut : 1); /* so that a read past the end is found */

        memcpy(tight, buf, cut);
        memset(&got, 0, sizeof(got));
        assert_int_equal(load(&got, tight, cut), -EINVAL);
        assert_int_equal(got.index, 0);
        free(tight);
    }
}

static void bytes_left_over_fail(void **state)
{
    uint8_t buf[256];
    struct thing got = {0};
    size_t len = save(&sample, buf, sizeof(buf));

    (void)state;
    assert_int_equal(load(&got, buf, len + 1), -EINVAL);
}

static void bad_values_fail(void **state)
{
    uint8_t buf[256];
    struct thing got = {0};
    size_t len = save(&sample, buf, sizeof(buf));

    (void)state;
    buf[len - 4] = 4; /* index */
    assert_int_equal(load(&got, buf, len), -EINVAL);
    assert_int_equal(got.index, 0);
    save(&sample, buf, sizeof(buf));
    buf[len - 10] = 2; /* the bool */
    memset(&got, 0, sizeof(got));
    assert_int_equal(load(&got, buf, len), -EINVAL);
    assert_int_equal(got.f[0], 0); /* nothing after the failure is touched */
}

static void sections_are_checked(void **state)
{
    struct state st;
    uint8_t buf[64];
    size_t len;

    (void)state;
    state_save_begin(&st);
    state_section(&st, "one", 3);
    len = st.at;
    memcpy(buf, st.buf, len);
    assert_int_equal(state_end(&st), 0);

    state_load_begin(&st, buf, len);
    state_section(&st, "one", 4); /* older streams are welcome, and known as such */
    assert_int_equal(st.version, 3);
    assert_int_equal(state_end(&st), 0);
    state_load_begin(&st, buf, len);
    state_section(&st, "one", 2);
    assert_int_equal(state_end(&st), -EINVAL);
    state_load_begin(&st, buf, len);
    state_section(&st, "two", 3);
    assert_int_equal(state_end(&st), -EINVAL);
    state_load_begin(&st, buf, len);
    state_section(&st, "ones", 3);
    assert_int_equal(state_end(&st), -EINVAL);
}

/* Streams of noise and mutated good streams: no crash, no index out of range. */
static void noise_never_breaks_the_invariant(void **state)
{
    uint8_t buf[256];
    struct thing got;
    uint32_t seed = 12345;
    size_t len = save(&sample, buf, sizeof(buf)), i;
    int round;

    (void)state;
    for (round = 0; round < 20000; round++) {
        save(&sample, buf, sizeof(buf));
        for (i = 0; i < 3; i++) {
            seed = seed * 1664525u + 1013904223u;
            buf[(seed >> 8) % len] = (uint8_t)(seed >> 24);
        }
        memset(&got, 0, sizeof(got));
        (void)load(&got, buf, len);
        assert_true(got.index < 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(every_cut_stream_fails),
        cmocka_unit_test(bytes_left_over_fail),
        cmocka_unit_test(bad_values_fail),
        cmocka_unit_test(sections_are_checked),
        cmocka_unit_test(noise_never_breaks_the_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
