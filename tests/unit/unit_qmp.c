/* Cutting a stream into messages, and what the control protocol answers: a machine of its own. */
#include "api/json_split.h"
#include "api/qmp.h"
#include "api/utf8.h"
#include "core/loop.h"
#include "dev/ps2_keys.h"
#include "dev/typist.h"
#include "unit.h"

#include <cJSON.h>
#include <errno.h>
#include <stdbool.h>

/* ---- the stream ---- */

static unsigned ends[4];

static void feed(struct json_split *s, const char *text)
{
    memset(ends, 0, sizeof(ends));
    for (; *text; text++)
        ends[json_split_byte(s, *text)]++;
}

static void messages_are_cut(void **state)
{
    struct json_split s = {0};

    (void)state;
    feed(&s, " {\"a\":\"}{\\\"\"}\r\n{\"b\":[{},{}]}{}");
    assert_int_equal(ends[JSON_MESSAGE], 3);
    assert_int_equal(ends[JSON_BAD] + ends[JSON_TOO_LONG], 0);
    assert_string_equal(s.buf, "{}");
    feed(&s, "{\"half\":");
    assert_int_equal(ends[JSON_MESSAGE], 0);
    feed(&s, "1}");
    assert_int_equal(ends[JSON_MESSAGE], 1);
    assert_string_equal(s.buf, "{\"half\":1}");
    json_split_free(&s);
}

static void nonsense_is_skipped_to_the_line_end(void **state)
{
    struct json_split s = {0};

    (void)state;
    feed(&s, "hello {} {}\n{}");
    assert_int_equal(ends[JSON_BAD], 1);
    assert_int_equal(ends[JSON_MESSAGE], 1);
    feed(&s, "{\"never closed: {}\n{}");
    assert_int_equal(ends[JSON_BAD], 1);
    assert_int_equal(ends[JSON_MESSAGE], 1);
    feed(&s, "]\n{}");
    assert_int_equal(ends[JSON_BAD], 1);
    assert_int_equal(ends[JSON_MESSAGE], 1);
    json_split_free(&s);
}

static void size_and_depth_are_bounded(void **state)
{
    struct json_split s = {0};

    (void)state;
    memset(ends, 0, sizeof(ends));
    ends[json_split_byte(&s, '{')]++;
    for (unsigned i = 0; i < 10 * JSON_MESSAGE_MAX; i++)
        ends[json_split_byte(&s, ' ')]++;
    ends[json_split_byte(&s, '}')]++;
    assert_true(s.room <= 2 * JSON_MESSAGE_MAX);
    assert_int_equal(ends[JSON_TOO_LONG], 1);
    assert_int_equal(ends[JSON_MESSAGE], 0);
    for (unsigned i = 0; i <= JSON_DEPTH_MAX; i++)
        ends[json_split_byte(&s, '{')]++;
    for (unsigned i = 0; i <= JSON_DEPTH_MAX; i++)
        ends[json_split_byte(&s, '}')]++;
    assert_int_equal(ends[JSON_TOO_LONG], 2);
    feed(&s, "{}");
    assert_int_equal(ends[JSON_MESSAGE], 1);
    json_split_free(&s);
}

/* ---- the protocol ---- */

struct fake {
    bool paused, quit;
    unsigned buttons;
    char events[256];
};

static bool paused(void *vm)
{
    return ((struct fake *)vm)->paused;
}

static void set_paused(void *vm, bool on)
{
    ((struct fake *)vm)->paused = on;
}

static int button(void *vm)
{
    return ((struct fake *)vm)->buttons++ ? -ENODEV : 0;
}

static void quit(void *vm)
{
    ((struct fake *)vm)->quit = true;
}

static struct typist *typist(void *vm)
{
    (void)vm;
    return NULL;
}

static unsigned two(void *vm)
{
    (void)vm;
    return 2;
}

static void disk(void *vm, unsigned n, struct qmp_disk *out)
{
    (void)vm;
    *out = (struct qmp_disk){.path = n ? "b\"\n" : "a", .readonly = n, .bytes = 1ull << 40};
}

static void event(void *ctx, const char *name, struct cJSON *data)
{
    struct fake *f = ctx;

    cJSON_Delete(data);
    snprintf(f->events + strlen(f->events), sizeof(f->events) - strlen(f->events), "%s ", name);
}

static const struct qmp_ops ops = {.paused = paused,
                                   .pause = set_paused,
                                   .button = button,
                                   .quit = quit,
                                   .typist = typist,
                                   .vcpus = two,
                                   .disks = two,
                                   .disk = disk};

static struct qmp conversation(struct fake *f, bool ready)
{
    return (struct qmp){.ops = &ops, .vm = f, .event = event, .ctx = f, .ready = ready};
}

/* What comes back has this text in it; lines end as the protocol says. */
static void says(struct qmp *q, const char *message, const char *want)
{
    char *line = qmp_answer(q, message, strlen(message));

    assert_non_null(line);
    if (!strstr(line, want))
        print_message("%s: %s", message, line);
    assert_non_null(strstr(line, want));
    assert_string_equal(line + strlen(line) - 2, "\r\n");
    free(line);
}

static void capabilities_come_first(void **state)
{
    struct fake f = {0};
    struct qmp q = conversation(&f, false);
    char *hello = qmp_greeting();

    (void)state;
    assert_non_null(strstr(hello, "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":"));
    assert_non_null(strstr(hello, "\"capabilities\":[]}}\r\n"));
    free(hello);
    says(&q, "{\"execute\":\"quit\"}", "\"class\":\"CommandNotFound\"");
    assert_false(f.quit);
    says(&q, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}", "error");
    says(&q, "{\"execute\":\"quit\"}", "CommandNotFound");
    says(&q, "{\"execute\":\"qmp_capabilities\",\"id\":[1,{\"x\":\"y\"}]}",
         "{\"return\":{},\"id\":[1,{\"x\":\"y\"}]}");
    says(&q, "{\"execute\":\"qmp_capabilities\"}", "CommandNotFound");
}

static void the_machine_obeys(void **state)
{
    struct fake f = {0};
    struct qmp q = conversation(&f, true);

    (void)state;
    says(&q, "{\"execute\":\"query-status\"}", "\"status\":\"running\"");
    says(&q, "{\"execute\":\"stop\"}", "{\"return\":{}}");
    says(&q, "{\"execute\":\"stop\"}", "{\"return\":{}}");
    says(&q, "{\"execute\":\"query-status\"}", "\"running\":false");
    says(&q, "{\"execute\":\"cont\"}", "{\"return\":{}}");
    assert_string_equal(f.events, "STOP RESUME ");
    says(&q, "{\"execute\":\"system_powerdown\"}", "{\"return\":{}}");
    says(&q, "{\"execute\":\"system_powerdown\"}", "DeviceNotFound");
    assert_string_equal(f.events, "STOP RESUME POWERDOWN ");
    says(&q, "{\"execute\":\"query-block\"}", "\"file\":\"b\\\"\\n\"");
    says(&q, "{\"execute\":\"query-block\"}", "\"virtual-size\":1099511627776");
    says(&q, "{\"execute\":\"query-cpus-fast\"}", "\"cpu-index\":1");
    says(&q, "{\"execute\":\"query-commands\"}", "\"input-send-event\"");
    says(&q, "{\"execute\":\"query-version\"}", "\"qemu\":{");
    says(&q, "{\"execute\":\"quit\",\"id\":null}", "{\"return\":{},\"id\":null}");
    assert_true(f.quit);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *message, *want;
    } all[] = {
        {"{}", "'execute' must be"},
        {"{\"execute\":1}", "'execute' must be"},
        {"{\"execute\":\"nothing\"}", "CommandNotFound"},
        {"{\"execute\":\"stop\",\"arguments\":[]}", "'arguments' must be an object"},
        {"{\"execute\":\"stop\",\"arguments\":{\"x\":1}}", "'x' is not expected"},
        {"{\"execute\":\"stop\",\"argument\":{}}", "'argument' is not expected"},
        {"{\"execute\":\"stop\"", "not a JSON object"},
        {"{\"execute\":\"stop\",}", "not a JSON object"},
        {"{\"execute\":\"send-key\"}", "'keys' is missing"},
        {"{\"execute\":\"send-key\",\"arguments\":{\"keys\":{}}}", "'keys' must be an array"},
        {"{\"execute\":\"send-key\",\"arguments\":{\"keys\":[]}}", "no keyboard"},
        {"{\"execute\":\"query-leds\",\"id\":7}", "\"id\":7"},
    };
    struct fake f = {0};
    struct qmp q = conversation(&f, true);
    char *line = qmp_refusal("no");

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        says(&q, all[i].message, all[i].want);
    assert_string_equal(line, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}\r\n");
    free(line);
    assert_string_equal(f.events, "");
    assert_false(f.paused);
}

/* ---- the seat ---- */

#define MS 1000000ull

struct desk { /* a keyboard and a mouse that write down what they are told */
    struct loop *loop;
    struct typist *typist;
    char log[256];
    bool full; /* nobody reads them */
};

static bool desk_fits(void *dev, const struct typist_act *a)
{
    (void)a;
    return !((struct desk *)dev)->full;
}

static bool desk_act(void *dev, struct typist_act *a)
{
    struct desk *d = dev;
    size_t n = strlen(d->log);

    snprintf(d->log + n, sizeof(d->log) - n, "%s%s%u ", a->what == TYPIST_KEY ? "" : "b",
             a->down ? "+" : "-", a->key);
    return true;
}

static bool desk_idle(void *dev, unsigned what)
{
    (void)dev, (void)what;
    return true;
}

static void desk_on_room(void *dev, void (*room)(void *ctx), void *ctx)
{
    (void)dev, (void)room, (void)ctx;
}

static struct typist *desk_typist(void *vm)
{
    return ((struct desk *)vm)->typist;
}

static bool desk_screen(void *vm, struct qmp_screen *out)
{
    (void)vm;
    *out = (struct qmp_screen){640, 480, 2560, 33};
    return true;
}

static const struct qmp_ops desk_ops = {.typist = desk_typist, .screen = desk_screen};

static void desk_open(struct desk *d)
{
    struct typist_dev dev = {.name = "desk",
                             .can = TYPIST_KEY | TYPIST_BUTTON,
                             .fits = desk_fits,
                             .act = desk_act,
                             .idle = desk_idle,
                             .on_room = desk_on_room,
                             .dev = d};

    *d = (struct desk){.loop = loop_open(NULL, true)};
    assert_int_equal(typist_open(&d->typist, d->loop, NULL), 0);
    assert_int_equal(typist_add(d->typist, &dev), 0);
}

static void desk_close(struct desk *d)
{
    typist_close(d->typist);
    loop_close(d->loop);
}

#define KEY(NAME, DOWN)                                                                            \
    "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"key\",\"data\":{"    \
    "\"down\":" DOWN ",\"key\":{\"type\":\"qcode\",\"data\":\"" NAME "\"}}}]}}"
#define CLAIM "{\"execute\":\"seat-claim\"}"

static void the_seat_is_one_clients(void **state)
{
    struct desk d;
    struct qmp *holder = NULL, one = {.ops = &desk_ops, .vm = &d, .ready = true, .seat = &holder};
    struct qmp two = one, none = {.ops = &desk_ops, .vm = &d, .ready = true};

    (void)state;
    desk_open(&d);
    says(&none, CLAIM, "DeviceNotFound");
    says(&two, "{\"execute\":\"seat-release\"}", "not yours");
    says(&one, CLAIM, "{\"return\":{}}");
    says(&one, CLAIM, "{\"return\":{}}"); /* it is already */
    says(&two, CLAIM, "another seat has this machine");
    says(&two, "{\"execute\":\"seat-release\"}", "not yours");
    qmp_end(&two); /* takes nothing from the first */
    says(&two, CLAIM, "another seat");
    says(&one, "{\"execute\":\"seat-release\"}", "{\"return\":{}}");
    says(&two, CLAIM, "{\"return\":{}}");
    qmp_end(&two);
    assert_null(holder);
    desk_close(&d);
}

/* Whatever way it goes: its keys come up, and only its. */
static void who_leaves_the_seat_holds_no_key(void **state)
{
    unsigned a = ps2_key_find("a", 1), shift = ps2_key_find("shift", 5), b = ps2_key_find("b", 1);
    struct qmp *holder = NULL;
    struct desk d;
    struct qmp seat = {.ops = &desk_ops, .vm = &d, .ready = true, .seat = &holder}, other = seat;
    char want[64];

    (void)state;
    desk_open(&d);
    says(&seat, CLAIM, "return");
    says(&seat, KEY("shift", "true"), "return");
    says(&seat, KEY("a", "true"), "return");
    says(&seat, KEY("a", "false"), "return");
    says(&other, KEY("b", "true"), "return");
    loop_advance(d.loop, 100 * MS);
    snprintf(want, sizeof(want), "+%u +%u -%u +%u ", shift, a, a, b);
    assert_string_equal(d.log, want);
    d.log[0] = 0;
    qmp_end(&seat);
    loop_advance(d.loop, 100 * MS);
    snprintf(want, sizeof(want), "-%u ", shift);
    assert_string_equal(d.log, want);
    desk_close(&d);
}

/* A guest that reads nothing: presses are refused when too many wait, releases still fit. */
static void there_is_room_to_let_go(void **state)
{
    struct qmp *holder = NULL;
    struct desk d;
    struct qmp seat = {.ops = &desk_ops, .vm = &d, .ready = true, .seat = &holder};

    (void)state;
    desk_open(&d);
    d.full = true;
    says(&seat, CLAIM, "return");
    for (unsigned i = 0; i < TYPIST_ROOM; i++)
        assert_int_equal(typist_key(d.typist, 1, true), 0);
    says(&seat, KEY("shift", "true"), "too much waits");
    says(&seat, KEY("shift", "false"), "return");
    assert_int_equal(seat.held[0] | seat.held[1], 0);
    qmp_end(&seat);
    desk_close(&d);
}

static void a_screen_comes_with_its_descriptor_if_asked(void **state)
{
    struct desk d = {0};
    struct fake f = {0};
    struct qmp q = {.ops = &desk_ops, .vm = &d, .ready = true}, blind = conversation(&f, true);

    (void)state;
    says(&blind, "{\"execute\":\"query-screen\"}", "DeviceNotFound");
    says(&q, "{\"execute\":\"query-screen\",\"arguments\":{\"descriptor\":1}}", "'descriptor'");
    assert_int_equal(q.pass, 0);
    says(&q, "{\"execute\":\"query-screen\",\"arguments\":{\"descriptor\":true}}",
         "\"width\":640,\"height\":480,\"stride\":2560");
    assert_int_equal(q.pass, 33);
    says(&q, "{\"execute\":\"query-screen\"}", "xrgb8888");
    assert_int_equal(q.pass, 0);
}

static void what_goes_out_is_utf8(void **state)
{
    static const char *const all[][2] = {
        {"", ""},
        {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
        {"\xff\xfe", "??"},
        {"\xc0\x80", "??"},
        {"\xe0\x80\x80", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xe2\x82", "??"},
        {"\xe2\x82+", "??+"},
        {"\x80", "?"},
    };
    struct fake f = {0};
    struct qmp q = conversation(&f, true);

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char text[16];

        snprintf(text, sizeof(text), "%s", all[i][0]);
        utf8_mend(text);
        assert_string_equal(text, all[i][1]);
    }
    says(&q, "{\"execute\":\"\xff\"}", "no command ?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_cut),
        cmocka_unit_test(nonsense_is_skipped_to_the_line_end),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(capabilities_come_first),
        cmocka_unit_test(the_machine_obeys),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(the_seat_is_one_clients),
        cmocka_unit_test(who_leaves_the_seat_holds_no_key),
        cmocka_unit_test(there_is_room_to_let_go),
        cmocka_unit_test(a_screen_comes_with_its_descriptor_if_asked),
        cmocka_unit_test(what_goes_out_is_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
