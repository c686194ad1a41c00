/* The seat: what is pressed for one machine is never another's, whatever comes in between. */
#include "share/seat.h"
#include "unit.h"

enum { A = 30, B = 48, SHIFT = 42 };

/* All that waits for vm, as "+30 -30 b+0 @5,6 "; it is taken. */
static const char *line(struct seat *s, unsigned vm)
{
    static char text[65536];
    const struct seat_event *e;
    size_t n = 0;

    text[0] = 0;
    while ((e = seat_next(s, vm))) {
        if (e->what == SEAT_POINT)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "@%d,%d ", e->x, e->y);
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%c%u ",
                                  e->what == SEAT_BUTTON ? "b" : "", e->down ? '+' : '-', e->key);
        seat_taken(s, vm);
    }
    return text;
}

static void begin(struct seat *s, unsigned vms)
{
    seat_init(s, vms);
    for (unsigned i = 0; i < vms; i++)
        seat_vm_there(s, i, true);
}

static void keys_go_to_who_has_the_seat(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 2);
    seat_key(&s, A, true);
    seat_key(&s, A, true); /* a repeat */
    seat_key(&s, A, false);
    seat_key(&s, A, false); /* of nothing */
    assert_true(seat_switch(&s, 1));
    seat_key(&s, B, true);
    seat_key(&s, B, false);
    assert_string_equal(line(&s, 0), "+30 -30 ");
    assert_string_equal(line(&s, 1), "+48 -48 ");
    assert_false(seat_switch(&s, 2));
    assert_int_equal(s.focus, 1);
}

static void a_switch_lets_go_and_the_release_after_it_is_nobodys(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 2);
    seat_key(&s, SHIFT, true);
    seat_key(&s, A, true);
    seat_button(&s, 0, true);
    seat_switch(&s, 1);
    seat_key(&s, A, true); /* the client's repeat of a key that is still down */
    seat_key(&s, A, false);
    seat_button(&s, 0, false);
    seat_key(&s, A, true);
    seat_key(&s, SHIFT, false);
    assert_string_equal(line(&s, 0), "+42 +30 b+0 -30 -42 b-0 ");
    assert_string_equal(line(&s, 1), "+30 ");
    assert_int_equal(s.held, 1);
}

static void to_switch_where_one_is_changes_nothing(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 2);
    seat_key(&s, A, true);
    seat_switch(&s, 0);
    seat_key(&s, A, false);
    assert_string_equal(line(&s, 0), "+30 -30 ");
}

static void what_waits_stays_in_its_line(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 3);
    for (unsigned i = 0; i < 9; i++) {
        seat_switch(&s, i % 3);
        seat_key(&s, 10 + i, true);
    }
    assert_string_equal(line(&s, 0), "+10 -10 +13 -13 +16 -16 ");
    assert_string_equal(line(&s, 1), "+11 -11 +14 -14 +17 -17 ");
    assert_string_equal(line(&s, 2), "+12 -12 +15 -15 +18 ");
}

/* A machine that takes nothing: what finds no room is lost, but no key stays down for that. */
static void a_full_line_still_lets_go(void **state)
{
    struct seat s;
    unsigned down[SEAT_KEYS] = {0};
    const struct seat_event *e;

    (void)state;
    begin(&s, 2);
    for (unsigned i = 0; i < 20 * SEAT_LINE; i++)
        seat_key(&s, i * 7 % SEAT_KEYS, i % 3 != 0);
    assert_true(s.vm[0].dropped > 0);
    seat_switch(&s, 1);
    assert_true(s.vm[0].count <= SEAT_LINE);
    while ((e = seat_next(&s, 0))) {
        assert_int_equal(down[e->key], !e->down);
        down[e->key] = e->down;
        seat_taken(&s, 0);
    }
    for (unsigned i = 0; i < SEAT_KEYS; i++)
        assert_int_equal(down[i], 0);
}

static void a_machine_that_went_hears_nothing_and_passes_nothing_on(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 2);
    seat_key(&s, A, true);
    seat_vm_there(&s, 0, false);
    assert_null(seat_next(&s, 0));
    seat_key(&s, B, true);
    seat_key(&s, B, false);
    seat_vm_there(&s, 0, true); /* another run of it */
    seat_key(&s, A, false);
    assert_int_equal(s.focus, 0); /* the seat does not wander to a machine nobody asked for */
    assert_string_equal(line(&s, 0), "");
    assert_string_equal(line(&s, 1), "");
    seat_key(&s, A, true);
    assert_string_equal(line(&s, 0), "+30 ");
}

static void who_leaves_holds_nothing(void **state)
{
    struct seat s;

    (void)state;
    begin(&s, 1);
    seat_key(&s, A, true);
    seat_leave(&s);
    seat_key(&s, A, true); /* the next one's finger */
    assert_string_equal(line(&s, 0), "+30 -30 +30 ");
}

static void motion_that_waits_is_one(void **state)
{
    struct seat_event e = {.dx = 1, .dy = -1};
    struct seat s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 100; i++) {
        e.x = e.y = i;
        seat_point(&s, &e);
    }
    assert_int_equal(s.vm[0].count, 2); /* the first may be on its way already */
    assert_int_equal(s.vm[0].line[1].dx, 99);
    seat_button(&s, 0, true);
    seat_point(&s, &e);
    assert_string_equal(line(&s, 0), "@0,0 @99,99 b+0 @99,99 ");
}

/* Any interleaving: every key a machine hears of was pressed for it, and comes up in the end. */
static void a_storm_of_everything(void **state)
{
    static struct seat s;
    unsigned finger[SEAT_KEYS] = {0}, heard[SEAT_VMS][SEAT_KEYS] = {{0}};
    uint64_t pressed[SEAT_VMS][SEAT_KEYS] = {{0}}, got[SEAT_VMS][SEAT_KEYS] = {{0}};
    uint32_t r = 12345;

    (void)state;
    begin(&s, 5);
    for (unsigned step = 0; step < 300000; step++) {
        unsigned what, key, vm;

        r = r * 1664525 + 1013904223;
        what = r >> 28;
        key = r >> 8 & 0x3f;
        vm = (r >> 16 & 0xff) % 5;
        if (what < 9) {
            finger[key] ^= 1;
            pressed[s.focus][key] += finger[key];
            seat_key(&s, key, finger[key]);
        } else if (what == 9) {
            seat_switch(&s, vm);
        } else if (what == 10 && step % 64 == 0) {
            seat_vm_there(&s, vm, !s.vm[vm].there);
            memset(heard[vm], 0, sizeof(heard[vm]));
        } else {
            for (unsigned n = 0; n < what && seat_next(&s, vm); n++) {
                const struct seat_event *e = seat_next(&s, vm);

                assert_int_equal(heard[vm][e->key], !e->down);
                heard[vm][e->key] = e->down;
                got[vm][e->key] += e->down;
                seat_taken(&s, vm);
            }
        }
        assert_true(s.vm[vm].count <= SEAT_LINE);
    }
    seat_leave(&s);
    for (unsigned vm = 0; vm < 5; vm++) {
        const struct seat_event *e;

        while ((e = seat_next(&s, vm))) {
            assert_int_equal(heard[vm][e->key], !e->down);
            heard[vm][e->key] = e->down;
            got[vm][e->key] += e->down;
            seat_taken(&s, vm);
        }
        for (unsigned key = 0; key < SEAT_KEYS; key++) {
            assert_int_equal(heard[vm][key], 0);
            assert_true(got[vm][key] <= pressed[vm][key]);
        }
    }
    assert_int_equal(s.held, 0);
}

static void the_terminals_hot_key(void **state)
{
    static const struct {
        const char *typed;
        enum seat_hot last;
        int n;
    } all[] = {{"x", SEAT_PASS, 0},
               {"\x1d", SEAT_EATEN, 0},
               {"\x1d\x1d", SEAT_PASS, 0},
               {"\x1d"
                "1",
                SEAT_TO, 0},
               {"\x1d"
                "9",
                SEAT_TO, 8},
               {"\x1dn", SEAT_STEP, 1},
               {"\x1dp", SEAT_STEP, -1},
               {"\x1dq", SEAT_QUIT, 0},
               {"\x1dz", SEAT_EATEN, 0},
               {"\x1dnn", SEAT_PASS, 0},
               {"\x1d"
                "0",
                SEAT_EATEN, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        enum seat_hot h = SEAT_EATEN;
        bool armed = false;
        int n = 0;

        for (const char *p = all[i].typed; *p; p++)
            h = seat_hot_byte(&armed, (uint8_t)*p, &n);
        assert_int_equal(h, all[i].last);
        if (h == SEAT_TO || h == SEAT_STEP)
            assert_int_equal(n, all[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_to_who_has_the_seat),
        cmocka_unit_test(a_switch_lets_go_and_the_release_after_it_is_nobodys),
        cmocka_unit_test(to_switch_where_one_is_changes_nothing),
        cmocka_unit_test(what_waits_stays_in_its_line),
        cmocka_unit_test(a_full_line_still_lets_go),
        cmocka_unit_test(a_machine_that_went_hears_nothing_and_passes_nothing_on),
        cmocka_unit_test(who_leaves_holds_nothing),
        cmocka_unit_test(motion_that_waits_is_one),
        cmocka_unit_test(a_storm_of_everything),
        cmocka_unit_test(the_terminals_hot_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
