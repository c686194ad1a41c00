/* Names of keys, their codes in three sets, and the user's queue before keyboard and mouse. */
#include "bus/bus.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "dev/i8042.h"
#include "dev/ps2_keys.h"
#include "dev/ps2mouse.h"
#include "dev/typist.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#define MS 1000000ull

static unsigned key(const char *name)
{
    return ps2_key_find(name, strlen(name));
}

static void keys_have_names_once(void **state)
{
    (void)state;
    assert_true(ps2_keys_count() > 120 && ps2_keys_count() <= PS2_KEYS_MAX);
    for (unsigned i = 0; i < ps2_keys_count(); i++)
        assert_int_equal(key(ps2_keys[i].name), i);
    assert_int_equal(key("enter"), key("ret"));
    assert_int_equal(key("space"), key("spc"));
    assert_int_equal(key("nokey"), PS2_KEY_NONE);
    assert_int_equal(key(""), PS2_KEY_NONE);
    assert_int_equal(ps2_key_find("alternative", 3), key("alt"));
}

static void keys_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(ps2_key_number(0x1e), key("a"));
    assert_int_equal(ps2_key_number(0x1d), key("ctrl"));
    assert_int_equal(ps2_key_number(0x9d), key("ctrl_r"));
    assert_int_equal(ps2_key_number(0x53 | 0x80), key("delete"));
    assert_int_equal(ps2_key_number(0x53), key("kp_decimal"));
    assert_int_equal(ps2_key_number(0x41), key("f7"));
    assert_int_equal(ps2_key_number(0xc6), key("pause"));
    assert_int_equal(ps2_key_number(0), PS2_KEY_NONE);
    assert_int_equal(ps2_key_number(0x11e), PS2_KEY_NONE);
    assert_int_equal(ps2_key_set3(0x8b), key("meta_l"));
    assert_int_equal(ps2_key_set3(0), PS2_KEY_NONE);
}

/* No two keys send the same, and no code is longer than promised. Alt-Print is SysRq's. */
static void codes_differ(void **state)
{
    const struct ps2_mods none = {0};
    uint8_t a[PS2_CODE_MAX], b[PS2_CODE_MAX];

    (void)state;
    for (unsigned set = 1; set <= 3; set++)
        for (unsigned i = 0; i < ps2_keys_count(); i++) {
            size_t n = ps2_key_code(i, true, set, &none, a);

            assert_true(n <= PS2_CODE_MAX && (n || set == 3));
            for (unsigned j = 0; n && j < i; j++) {
                bool same = ps2_key_code(j, true, set, &none, b) == n && !memcmp(a, b, n);

                assert_true(!same || (set == 3 && i == key("sysrq")));
            }
        }
}

/* Translated set 2 is set 1, and a release is the press with bit 7: for each plain key. */
static void sets_agree(void **state)
{
    const struct ps2_mods none = {0};

    (void)state;
    for (unsigned i = 0; i < ps2_keys_count(); i++) {
        uint8_t down[PS2_CODE_MAX], up[PS2_CODE_MAX];
        size_t n = ps2_key_code(i, true, 1, &none, down), m = ps2_key_code(i, false, 1, &none, up);

        if (ps2_keys[i].kind == PS2_PAUSE || ps2_keys[i].kind == PS2_PRINT)
            continue;
        assert_int_equal(n, m);
        assert_int_equal(up[n - 1], down[n - 1] | 0x80);
        assert_true(n == 1 || (n == 2 && down[0] == 0xe0 && up[0] == 0xe0));
    }
}

static void every_character_has_a_key(void **state)
{
    bool shift;

    (void)state;
    for (int c = ' '; c < 127; c++)
        assert_true(ps2_key_char((char)c, &shift) != PS2_KEY_NONE);
    assert_int_equal(ps2_key_char('A', &shift), key("a"));
    assert_true(shift);
    assert_int_equal(ps2_key_char('a', &shift), key("a"));
    assert_false(shift);
    assert_int_equal(ps2_key_char('|', &shift), key("backslash"));
    assert_true(shift);
    assert_int_equal(ps2_key_char('\n', &shift), key("ret"));
    assert_int_equal(ps2_key_char('\x80', &shift), PS2_KEY_NONE);
    assert_int_equal(ps2_key_char(0, &shift), PS2_KEY_NONE);
}

/* ---- the queue ---- */

struct desk {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct i8042 *kbd;
    struct typist *typist;
};

static void no_reset(void *ctx)
{
    (void)ctx;
}

static int desk_up(void **state)
{
    const struct i8042_opts o = {.data = 0x60, .command = 0x64, .reset = no_reset};
    struct desk *d = calloc(1, sizeof(*d));
    struct dev_env env = {0};

    pthread_mutex_init(&d->lock, NULL);
    d->ledger = ledger_open();
    d->loop = loop_open(&d->lock, true);
    d->bus = bus_open(d->ledger);
    env = (struct dev_env){
        .name = "kbd", .bus = d->bus, .loop = d->loop, .lock = &d->lock, .ledger = d->ledger};
    *state = d;
    return i8042_create(&d->kbd, &env, &o) || typist_open(&d->typist, d->loop, d->kbd);
}

static int desk_down(void **state)
{
    struct desk *d = *state;

    typist_close(d->typist);
    i8042_class.destroy(d->kbd);
    bus_close(d->bus);
    loop_close(d->loop);
    ledger_close(d->ledger);
    free(d);
    return 0;
}

static uint64_t in(struct desk *d, uint64_t port)
{
    uint64_t v = bus_read(d->bus, BUS_PIO, port, 1);

    loop_step(d->loop, 0); /* what the access deferred */
    return v;
}

static void out(struct desk *d, uint64_t port, uint8_t v)
{
    bus_write(d->bus, BUS_PIO, port, 1, v);
    loop_step(d->loop, 0);
}

/* All the guest can read now. */
static size_t drain(struct desk *d, uint8_t *buf, size_t room)
{
    size_t n = 0;

    while (n < room && in(d, 0x64) & 1)
        buf[n++] = (uint8_t)in(d, 0x60);
    return n;
}

/* The guest's next bytes, with time going on between. */
static size_t drain_slowly(struct desk *d, uint8_t *buf, size_t room)
{
    size_t n = 0, more;

    do {
        loop_advance(d->loop, 5 * MS);
        more = drain(d, buf + n, room - n);
        n += more;
    } while (more);
    return n;
}

static void text_arrives_whole(void **state)
{
    static const uint8_t want[] = {0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97, 0x2a, 0x02, 0x82, 0xaa};
    struct desk *d = *state;
    uint8_t got[600];
    char text[65];
    size_t bad;

    assert_int_equal(typist_text(d->typist, "Hi!", 3, &bad), 0);
    assert_int_equal(drain_slowly(d, got, sizeof(got)), sizeof(want));
    assert_memory_equal(got, want, sizeof(want));
    assert_true(typist_idle(d->typist));

    memset(text, 'Z', sizeof(text)); /* far more than the keyboard holds, and nobody reads yet */
    assert_int_equal(typist_text(d->typist, text, 64, &bad), 0);
    loop_advance(d->loop, 10000 * MS);
    assert_int_equal(drain_slowly(d, got, sizeof(got)), 64 * 4);
    for (size_t i = 0; i < 64; i++)
        assert_memory_equal(got + 4 * i, "\x2a\x2c\xac\xaa", 4);
    assert_int_equal(typist_text(d->typist, "a\x01", 2, &bad), -EINVAL);
    assert_int_equal(bad, 1);
    assert_true(typist_idle(d->typist));
}

static void chords_are_held(void **state)
{
    struct desk *d = *state;
    const uint8_t keys[] = {(uint8_t)key("ctrl"), (uint8_t)key("alt"), (uint8_t)key("delete")};
    uint8_t got[32];

    assert_int_equal(typist_chord(d->typist, keys, 3, 20 * MS), 0);
    assert_int_equal(typist_chord(d->typist, keys, 1, 0), 0);
    loop_step(d->loop, 0);
    assert_int_equal(drain(d, got, sizeof(got)), 1); /* keys are a millisecond apart */
    loop_advance(d->loop, 2 * MS);
    assert_int_equal(drain(d, got + 1, sizeof(got) - 1), 3);
    assert_memory_equal(got, "\x1d\x38\xe0\x53", 4);
    loop_advance(d->loop, 19 * MS);
    assert_int_equal(drain(d, got, sizeof(got)), 0);
    loop_advance(d->loop, 3 * MS);
    assert_int_equal(drain(d, got, sizeof(got)), 4);
    loop_advance(d->loop, 2 * MS); /* the second chord, now that the first was read */
    assert_int_equal(drain(d, got + 4, sizeof(got) - 4), 2);
    assert_memory_equal(got, "\xe0\xd3\xb8\x9d\x1d\x9d", 6);
    assert_int_equal(typist_chord(d->typist, keys, 0, 0), -ENOSPC);
    assert_int_equal(typist_chord(d->typist, keys, TYPIST_CHORD + 1, 0), -ENOSPC);
}

static void motion_is_not_lost(void **state)
{
    struct desk *d = *state;
    uint8_t p[3];
    int x = 0, y = 0, packets = 0;

    out(d, 0x64, 0xd4);
    out(d, 0x60, 0xf4);
    assert_int_equal(in(d, 0x60), 0xfa);
    assert_int_equal(typist_move(d->typist, 1000, -500, 0), 0);
    assert_int_equal(typist_button(d->typist, PS2_LEFT, true), 0);
    assert_int_equal(typist_button(d->typist, PS2_LEFT, false), 0);
    loop_step(d->loop, 0);
    while (!typist_idle(d->typist) && packets < 100) {
        loop_advance(d->loop, 10 * MS);
        if (drain(d, p, 3) != 3)
            continue;
        packets++;
        assert_int_equal(p[0] & 0xc8, 0x08); /* no overflow */
        x += p[0] & 0x10 ? p[1] - 256 : p[1];
        y += p[0] & 0x20 ? p[2] - 256 : p[2];
        assert_int_equal(p[0] & 1, packets == 10);
    }
    assert_int_equal(x, 1000);
    assert_int_equal(y, 500);
    assert_int_equal(packets, 11); /* nine of motion, two of the button */
    assert_int_equal(typist_move(d->typist, 40000, 0, 0), -EINVAL);
}

static void a_guest_that_never_reads_is_told_of(void **state)
{
    struct desk *d = *state;
    unsigned n = 0;

    while (!typist_key(d->typist, key("a"), n & 1)) {
        loop_step(d->loop, 0);
        assert_true(++n < 2 * TYPIST_ROOM);
    }
    assert_true(n >= TYPIST_ROOM);
    typist_reset(d->typist);
    assert_int_equal(typist_key(d->typist, key("a"), true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_names_once),
        cmocka_unit_test(keys_have_numbers),
        cmocka_unit_test(codes_differ),
        cmocka_unit_test(sets_agree),
        cmocka_unit_test(every_character_has_a_key),
        cmocka_unit_test_setup_teardown(text_arrives_whole, desk_up, desk_down),
        cmocka_unit_test_setup_teardown(chords_are_held, desk_up, desk_down),
        cmocka_unit_test_setup_teardown(motion_is_not_lost, desk_up, desk_down),
        cmocka_unit_test_setup_teardown(a_guest_that_never_reads_is_told_of, desk_up, desk_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
