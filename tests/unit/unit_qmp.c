/* Cutting a stream into messages, and what the control protocol answers: a machine of its own. */
#include "api/json_split.h"
#include "api/qmp.h"
#include "api/utf8.h"
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
        cmocka_unit_test(what_goes_out_is_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
