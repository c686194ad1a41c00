/*
 * Recordings: a stock driver's replays clean; a file that was cut, changed or made up is refused,
 * and never more than that. A device that does anything else is found: unit_record_broken.
 */
#include "unit.h"
#include "record/rec_text.h"
#include "vm/replay.h"

#include <errno.h>
#include <zstd.h>

#define IDE     RECORDED "/ide-linux.rec.zst"
#define NIC     RECORDED "/e1000-linux.rec.zst"
#define REGDISK RECORDED "/regdisk-pio.rec.zst"
#define TEXT    (4u << 20)
#define NOISE   400

static char ide_text[TEXT], regdisk_text[TEXT], edit[TEXT];
static size_t ide_len, regdisk_len;

static size_t load(const char *path, char *text)
{
    static char packed[TEXT];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(packed, 1, sizeof(packed), f) : 0;
    size_t len = ZSTD_decompress(text, TEXT, packed, n);

    if (f)
        fclose(f);
    return ZSTD_isError(len) ? 0 : len;
}

static int setup(void **state)
{
    (void)state;
    ide_len = load(IDE, ide_text);
    regdisk_len = load(REGDISK, regdisk_text);
    return ide_len && regdisk_len ? 0 : -1;
}

static int play(const char *text, size_t len, bool edited, struct error *err)
{
    struct replay p = {
        .path = "t.rec", .text = text, .len = len, .edited = edited, .memory = 1ull << 30};

    err->text[0] = 0;
    return replay_run(&p, err);
}

/* ---- words ---- */

static void data_words(void **state)
{
    struct rec_text t = {0};
    uint8_t in[600], out[600];

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        size_t len = (size_t)(rand() % (int)sizeof(in));

        for (size_t i = 0; i < len; i++)
            in[i] = rand() % 4 && i ? in[i - 1] : (uint8_t)rand();
        t.len = 0;
        rec_add_data(&t, in, len);
        assert_int_equal(rec_data_len(t.s), len);
        assert_true(rec_data(t.s, out, len));
        assert_memory_equal(in, out, len);
        assert_false(rec_data(t.s, out, len + 1));
        assert_false(len && rec_data(t.s, out, len - 1));
    }
    free(t.s);
}

static void bad_words(void **state)
{
    static const char *const bad[] = {
        "",        "0",       "0g",      "(8*0", "(8*00", "(*00)", "(8x00)",
        "(-1*00)", "(+8*00)", "( 8*00)", "--",   "00-",   "AB",    "(99999999999999999999*00)",
        "()",      "(8*00))"};
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(rec_data_len(bad[i]), SIZE_MAX);
        for (size_t len = 0; len < sizeof(out); len++)
            assert_false(rec_data(bad[i], out, len));
    }
}

/* ---- clean ---- */

static void clean(void **state)
{
    struct replay p = {.path = IDE};
    struct error err;

    (void)state;
    assert_int_equal(replay_run(&p, &err), 0);
    assert_true(p.events > 1000);
    p.path = NIC;
    assert_int_equal(replay_run(&p, &err), 0);
    assert_true(p.events > 5000);
    p.path = REGDISK;
    assert_int_equal(replay_run(&p, &err), 0);
    assert_true(p.events > 500);
}

/* ---- changed files ---- */

static unsigned line_of(const char *text, const char *at)
{
    unsigned n = 1;

    for (const char *p = text; p < at; p++)
        n += *p == '\n';
    return n;
}

/* The text with the first `what` after `from` replaced by `with` of the same length. */
static unsigned change(const char *from, const char *what, const char *with)
{
    char *at;

    assert_int_equal(strlen(what), strlen(with));
    memcpy(edit, ide_text, ide_len + 1);
    at = strstr(edit, from);
    assert_non_null(at);
    at = strstr(at, what);
    assert_non_null(at);
    memcpy(at, with, strlen(with));
    return line_of(edit, at);
}

static void changed_value(void **state)
{
    static const struct {
        const char *from, *what, *with;
    } c[] = {
        {"begin", "r cmd0+7 1 50", "r cmd0+7 1 51"},
        {"begin", "irq 0 1", "irq 0 0"},
        {"begin", "irq 0 1", "irq 1 1"},
        {"begin", " dma r 1f", " dma r 1e"},
        {"begin", " drop 1f", " drop 1e"},
        {" drop ", "#", "$"},
        {"begin", "submit 0 read 0+8", "submit 0 read 1+8"},
        {"begin", "submit 1 read", "submit 1 writ"},
        {"write", "flush", "flash"},
        {"begin", "hold w 1f", "hold r 1f"},
        {"begin", "cr 0 4 71118086", "cr 0 4 71128086"},
        {"ledger pio ide0 bm", "ledger pio ide0 bm", "ledger pio ide0 bn"},
    };
    char where[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct error err;
        unsigned line = change(c[i].from, c[i].what, c[i].with);

        assert_int_equal(play(edit, ide_len, false, &err), -EINVAL); /* the checksum */
        assert_non_null(strstr(err.text, "checksum"));
        assert_int_equal(play(edit, ide_len, true, &err), -EPROTO);
        snprintf(where, sizeof(where), "t.rec:%u:", line);
        if (!strstr(err.text, where))
            fail_msg("%s at line %u: %s", c[i].with, line, err.text);
    }
}

static void changed_count(void **state)
{
    struct error err;
    char *at;

    (void)state;
    memcpy(edit, ide_text, ide_len + 1);
    at = strstr(edit, "ledger dma ide0 dma ");
    assert_non_null(at);
    at[20] = at[20] == '9' ? '1' : (char)(at[20] + 1);
    assert_int_equal(play(edit, ide_len, true, &err), -EPROTO);
    assert_non_null(strstr(err.text, "ledger, dma ide0 dma, reads: expected"));
}

/* One line less, one twice, two in the wrong order: of those that tell what the device did. */
static void changed_lines(void **state)
{
    unsigned seen = 0;

    (void)state;
    for (char *at = ide_text; (at = strstr(at, "\n ")); at++) {
        size_t head = (size_t)(at + 1 - ide_text), len = strcspn(at + 1, "\n") + 1;
        struct error err;

        if (seen++ % 97)
            continue;
        memcpy(edit, ide_text, head);
        memcpy(edit + head, at + 1 + len, ide_len - head - len);
        assert_int_equal(play(edit, ide_len - len, true, &err), -EPROTO);
        memcpy(edit + head, at + 1, len);
        memcpy(edit + head + len, at + 1, ide_len - head);
        assert_int_equal(play(edit, ide_len + len, true, &err), -EPROTO);
    }
    assert_true(seen > 300);
}

static void cut_short(void **state)
{
    struct error err;

    (void)state;
    for (size_t len = 0; len < ide_len; len += 1 + len / 5) {
        assert_int_equal(play(ide_text, len, false, &err), -EINVAL);
        assert_non_null(strstr(err.text, "t.rec"));
    }
    assert_int_equal(play(ide_text, ide_len - 1, false, &err), -EINVAL);
    assert_int_equal(play(ide_text, ide_len, false, &err), 0);
}

static void made_up(void **state)
{
    static const struct {
        const char *text, *says;
    } c[] = {
        {"", "not a recording"},
        {"hello\n", "not a recording"},
        {"viaduct recording 2\n", "plays version 1"},
        {"viaduct recording 1\n", "no line \"begin\""},
        {"viaduct recording 1\nbegin\n", "no line \"board …\""},
        {"viaduct recording 1\nboard pc\nmemory 1048576\nbegin\n", "no line \"device …\""},
        {"viaduct recording 1\nboard vax\nmemory 1048576\ndevice rtc\nbegin\n", "no board vax"},
        {"viaduct recording 1\nboard pc\nmemory 7\ndevice rtc\nbegin\n", "size of memory"},
        {"viaduct recording 1\nboard pc\nmemory 99999999999999\ndevice rtc\nbegin\n",
         "size of memory"},
        {"viaduct recording 1\nboard pc\nmemory 1048576\ndevice vga\nbegin\n", "no device vga"},
        {"viaduct recording 1\nboard pc\nmemory 1048576\ndevice irq\nbegin\n", "can't be recorded"},
        {"viaduct recording 1\nboard pc\nbored\nbegin\n", ":3: not a line"},
        {"viaduct recording 1\nboard p/c\nbegin\n", ":2: not a line"},
        {"viaduct recording 1\ndisk disk0 via=1 sectors=0\nbegin\n", ":2: not a line"},
        {"viaduct recording 1\ndisk disk0 via=1 sectors=99999999999999999999\nbegin\n", ":2: not"},
        {"viaduct recording 1\nnet net0 via=1 mac=00 takes=0\nbegin\n", ":2: not a line"},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        assert_int_equal(play(c[i].text, strlen(c[i].text), true, &err), -EINVAL);
        if (!strstr(err.text, c[i].says))
            fail_msg("%s: %s", c[i].text, err.text);
    }
    assert_int_equal(play("\0\0\0\0", 4, true, &err), -EINVAL);
    assert_int_equal(play("\x28\xb5\x2f\xfd????????", 12, true, &err), -EINVAL);
}

#define HEAD                                                                                       \
    "viaduct recording 1\nboard pc\nmemory 1048576\ndevice rtc\ndevice ide0\ndevice com1\nbegin\n"

static void made_up_events(void **state)
{
    static const struct {
        const char *line, *says;
    } c[] = {
        {"1 rtc r regs+1 1 zz\n", "knows"},
        {"1 rtc r regs+1 9 0\n", "knows"},
        {"1 rtc r regs+1 0 0\n", "knows"},
        {"1 rtc r regs 1 0\n", "knows"},
        {"1 rtc r regs+ffffffffffffffff 1 0\n", "fewer"},
        {"1 rtc r regs+1 2 0\n", "fewer"},
        {"1 rtc r nowhere+1 1 0\n", "got none"},
        {"1 ide0 r bm+100 1 0\n", "expected registers to be there"},
        {"1 rtc cr 0 4 0\n", "got none"},
        {"1 ide0 cr 100 4 0\n", "knows"},
        {"1 ide0 cr fe 4 0\n", "nothing"},
        {"1 vga r regs+1 1 0\n", "not a device"},
        {"1 rtc\n", "not a device"},
        {"x rtc r regs+1 1 0\n", "not before"},
        {"99999999999999999999 rtc r regs+1 1 0\n", "not before"},
        {"5 rtc w regs+0 1 0\n4 rtc w regs+0 1 0\n", "not before 5"},
        {"1 rtc timer 0\n", "timer"},
        {"1 rtc timer 99999\n", "timer"},
        {"1 rtc timer x\n", "timer"},
        {"1 rtc work 0\n", "work"},
        {"1 ide0 blk 0 done 0 0\n", "disks"},
        {"1 com1 chr recv 414243\n", "room for 1"},
        {"1 com1 chr recv (99999*41)\n", "could receive"},
        {"1 com1 chr recv 4\n", "could receive"},
        {"1 rtc chr recv 41\n", "room for 0"},
        {"1 rtc net recv 41\n", "network"},
        {"1 rtc reset now\n", "knows"},
        {"1 rtc ? irq 0 1\n", "not recorded"},
        {"1 rtc sing\n", "knows"},
        {" irq 0 1\n", "not before"},
        {"1 rtc w regs+0 1 0\n irq 0 1\n", "nothing more"},
        {"ledger pio rtc\n", "no such row"},
        {"ledger pio rtc regs\n", "row"},
        {"ledger pio rtc regs 0 x 0 0 0\n", "row"},
        {"ledger pio rtc regs 0 1 0 1 0\n", "writes: expected 1, got 0"},
    };
    char text[512];
    struct error err;

    (void)state;
    assert_int_equal(play(HEAD, strlen(HEAD), true, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        snprintf(text, sizeof(text), HEAD "%s", c[i].line);
        if (play(text, strlen(text), true, &err) != -EPROTO || !strstr(err.text, c[i].says))
            fail_msg("%s: %s", c[i].line, err.text);
    }
}

/* Written by hand, each on a machine of its own. */
static void by_hand(void **state)
{
    static const char *const c[] = {
        "1 rtc reset\n",
        "5 com1 r regs+5 1 60\n6 com1 chr recv 41\n7 com1 r regs+5 1 61\n8 com1 reset\n9 com1 r "
        "regs+5 1 60\n",
        "1 com1 w regs+4 1 8\n1 com1 w regs+1 1 1\n2 com1 chr recv 41\n irq 0 1\n3 com1 r regs+0 1 "
        "41\n irq 0 0\n",
        "1 com1 w regs+0 1 41\n chr send 41\nledger pio com1 regs 0 1 0 1 0\n",
        "1 rtc w regs+0 2 b\nledger pio rtc regs 0 1 0 2 0\n",
        "1 ide0 cr 0 4 71118086\n2 ide0 cw 4 2 0\n3 ide0 cr 4 2 0\n",
        "1 rtc w regs+0 1 0\n1500000000 rtc r regs+1 1 1\n",
    };
    char text[512];
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        snprintf(text, sizeof(text), HEAD "%s", c[i]);
        if (play(text, strlen(text), true, &err))
            fail_msg("%s: %s", c[i], err.text);
    }
}

static void noise(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < NOISE; round++) {
        struct error err;
        int code;

        memcpy(edit, regdisk_text, regdisk_len + 1);
        for (int n = 1 + rand() % 20; n; n--)
            edit[(size_t)rand() % regdisk_len] =
                rand() % 4 ? (char)('0' + rand() % 10) : (char)rand();
        code = play(edit, regdisk_len, true, &err);
        assert_true(code == 0 || code == -EPROTO || code == -EINVAL);
        assert_true(!code || err.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_words),     cmocka_unit_test(bad_words),
        cmocka_unit_test(clean),          cmocka_unit_test(changed_value),
        cmocka_unit_test(changed_count),  cmocka_unit_test(changed_lines),
        cmocka_unit_test(cut_short),      cmocka_unit_test(made_up),
        cmocka_unit_test(made_up_events), cmocka_unit_test(by_hand),
        cmocka_unit_test(noise),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
