/* The script engine: what holds passes; what doesn't fails, and says where and why. */
#include "unit.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "core/state.h"
#include "engine/script.h"
#include "mem/ram.h"

#include <errno.h>

struct world { /* a device with 16 byte registers at port 0x10 and at 0xd0000000 */
    struct script_world w;
    struct ram ram;
    uint8_t reg[16];
    bool forgets; /* its state walk leaves out the last register */
    bool gullible;
    unsigned traps;
    unsigned soon; /* register 15 becomes 1 after so many traps */
};

static void trap(void *ctx, unsigned vcpu, struct trap *t)
{
    struct world *w = ctx;
    uint8_t *reg = &w->reg[t->addr & 15];
    uint32_t i;

    w->traps++;
    if (w->soon && !--w->soon)
        w->reg[15] = 1;
    if (t->kind == TRAP_HCALL)
        t->hcall[0] = t->hcall[1] + vcpu;
    else if (t->data && t->write)
        memcpy(w->reg, t->data, t->size * t->count < 16 ? t->size * t->count : 16);
    else if (t->data)
        for (i = 0; i < t->size * t->count; i++)
            t->data[i] = w->reg[i % 16];
    else if (t->write)
        memcpy(reg, &t->value, t->size);
    else
        memcpy(&t->value, reg, t->size);
}

static void walk(void *ctx, struct state *st)
{
    struct world *w = ctx;

    state_section(st, "reg", 1);
    if (st->load && w->gullible) {
        st->at = st->len;
        return;
    }
    state_bytes(st, w->reg, w->forgets ? 15 : 16);
    if (st->load)
        state_check(st, w->reg[0] < 0x80);
}

static void reset(void *ctx)
{
    memset(((struct world *)ctx)->reg, 0, 16);
}

static int verb(void *ctx, struct script *s, int argc, char **argv, struct error *err)
{
    (void)ctx;
    if (strcmp(argv[0], "four"))
        return -ENOENT;
    return argc == 2 ? script_expect(s, argv[1], 4, err) : error_set(err, -EINVAL, "four WHAT");
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 1 << 20), 0);
    w->w = (struct script_world){.trap = trap,
                                 .trap_ctx = w,
                                 .ram = &w->ram,
                                 .loop = loop_open(NULL, true),
                                 .ctx = w,
                                 .state = walk,
                                 .reset = reset,
                                 .verb = verb};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    loop_close(w->w.loop);
    ram_close(&w->ram);
    free(w);
    return 0;
}

static void holds(struct world *w, const char *text)
{
    struct error err = {{0}};

    if (script_play_text("t", text, &w->w, &err))
        fail_msg("%s", err.text);
}

/* The script must fail, at that line, with that message. */
static void fails(struct world *w, const char *text, const char *where, const char *why)
{
    struct error err = {{0}};
    int e = script_play_text("t", text, &w->w, &err);

    assert_int_not_equal(e, 0);
    if (strncmp(err.text, where, strlen(where)) || !strstr(err.text, why))
        fail_msg("wanted %s … %s, got %s", where, why, err.text);
}

static void what_holds_passes(void **state)
{
    struct world *w = *state;

    holds(w, "outb 0x10 0x5a\ninb 0x10 0x5a\n");
    holds(w, "outw 0x12 0x1234\ninb 0x13 0x12\ninl 0x10 0x1234005a\n");
    holds(w, "inb 0x10 0x0a/0x0f # the low half\n\n   # nothing\ninb 0x10");
    holds(w, "write 0xd0000004 3 0x112233\nread 0xd0000004 3 0x112233\nread 0xd0000006 1 0x11\n");
    holds(w, "outsw 0x10 \"abcd\"\ninsb 0x10 4 61626364\n");
    holds(w, "mem 0x100 \"x\\x00\\n\" fill:3:9\ncheck 0x100 78000a 090909\n");
    holds(w, "hcall 1 41 = 41\nvcpu 1\nhcall 1 41 = 42\n");
    holds(w, "four 4\nadvance 3 us\n");
}

static void wrong_expectations_fail_and_say_where(void **state)
{
    struct world *w = *state;

    fails(w, "outb 0x10 1\n\ninb 0x10 2\n", "t:3: inb 0x10 2:", "expected 0x2, got 0x1");
    fails(w, "inb 0x10 0x10/0xf0", "t:1:", "expected 0x10 under mask 0xf0, got 0x1");
    fails(w, "read 0xd0000000 1 7", "t:1:", "expected 0x7, got 0x1");
    fails(w, "insb 0x10 2 0100 \n insb 0x10 2 0102", "t:2: insb", "expected 02, got 00");
    fails(w, "mem 0 0102\ncheck 0 0103", "t:2:", "at byte 1 of 2: expected 03, got 02");
    fails(w, "hcall 1 41 = 42", "t:1:", "expected 0x2a, got 0x29");
    fails(w, "four 5", "t:1: four 5", "expected 0x5, got 0x4");
    fails(w, "inb 0x10 -> x\nis x 2", "t:2:", "expected 0x2, got 0x1");
    fails(w, "repeat 3 i\n inb 0x10 1-i\nend", "t:2:", "expected 0x0, got 0x1");
}

static void nonsense_fails(void **state)
{
    static const char *const text[] = {
        "frob 1",
        "outb 0x10",
        "outb 0x10 1 2",
        "inb",
        "inb zz",
        "inb 0x10 1 2 3",
        "inb 0x10 1/",
        "inb 0x10 1/q",
        "inb 0x1g",
        "read 0 9",
        "read 0 0",
        "write 0 4",
        "mem 0x100000 00",
        "mem 0xfffff 0000",
        "check 0 1",
        "check 0 0g",
        "mem 0 fill:3",
        "mem 0 fill:999999999999:1",
        "mem 0 \"abc",
        "outsw 0x10 00",
        "insb 0x10 70000",
        "repeat 2",
        "end",
        "repeat 9999999\nend",
        "let 3x 1",
        "let x",
        "advance",
        "advance 1 min",
        "ledger mark",
        "state maybe",
        "state load",
        "state noise",
        "await",
        "is 1",
        "inb 99999999999999999999999",
        "repeat 1\nrepeat 1\nend",
    };
    struct world *w = *state;
    struct error err;
    size_t i;

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        err.text[0] = '\0';
        if (!script_play_text("t", text[i], &w->w, &err))
            fail_msg("taken: %s", text[i]);
        assert_non_null(strstr(err.text, "t:"));
    }
}

static void repeat_counts(void **state)
{
    struct world *w = *state;

    holds(w, "repeat 5 i\n repeat 3\n  outb 0x10 i\n end\nend\ninb 0x10 4\nrepeat 0\n frob\nend");
    assert_int_equal(w->traps, 16);
}

static void await_tries_again(void **state)
{
    struct world *w = *state;

    w->soon = 3;
    holds(w, "await inb 0x1f 1");
    assert_int_equal(w->traps, 3);
    fails(w, "await frob", "t:1:", "unknown verb");
}

static void state_roundtrip_finds_what_is_lost(void **state)
{
    struct world *w = *state;

    holds(w, "outb 0x1f 7\nstate\ninb 0x1f 7\nstate save\noutb 0x1f 8\nstate load\ninb 0x1f 7");
    holds(w, "reset\ninb 0x1f 0");
    holds(w, "outb 0x10 5\nstate cut\nstate noise 500\ninb 0x10 5");
    w->forgets = true;
    holds(w, "outb 0x1f 7\nstate"); /* what is never walked isn't seen by the bytes … */
    fails(w, "outb 0x1f 7\nstate\ninb 0x1f 7", "t:3:", "expected 0x7, got 0x0"); /* … but here */
    w->forgets = false;
    w->gullible = true;
    fails(w, "outb 0x11 7\nstate cut", "t:2:", "was taken");
}

static void the_ledger_is_compared(void **state)
{
    struct world *w = *state;
    struct ledger *l = ledger_open();
    struct ledger_row *a = ledger_row(l, LEDGER_PIO, "com1", "regs");
    struct ledger_row *b = ledger_row(l, LEDGER_PIO, "com2", "regs");

    w->w.ledger = l;
    ledger_add(a, true, 2);
    ledger_add(b, true, 4);
    ledger_add(b, false, 1);
    holds(w,
          "ledger pio com1 regs writes=1 reads=0 write_bytes=2 refused=0\nledger pio * * writes=2");
    fails(w, "ledger pio com2 regs writes=1 reads=0", "t:1:", "reads: expected 0x0, got 0x1");
    fails(w, "ledger pio com3 regs writes=1", "t:1:", "no row pio com3 regs");
    fails(w, "ledger pio com1 regs speed=1", "t:1:", "speed=1");
    holds(w, "ledger mark\nledger pio * * writes=0 reads=0");
    ledger_close(l);
}

static void a_missing_file_is_named(void **state)
{
    struct world *w = *state;
    struct error err = {{0}};

    assert_int_equal(script_play("/nonexistent.t", &w->w, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent.t"));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_holds_passes),      T(wrong_expectations_fail_and_say_where),
        T(nonsense_fails),         T(repeat_counts),
        T(await_tries_again),      T(state_roundtrip_finds_what_is_lost),
        T(the_ledger_is_compared), T(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
