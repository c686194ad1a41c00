/*
 * PS/2 keyboard: the command protocol, scan code sets and typematic repeat of the IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboard (101- and 102-Key)". Every byte from the host is
 * answered at once; what a command with an argument waits for is in `command`. Answers overtake
 * scan codes; a full buffer takes an overrun code and then drops keys as wholes. Key codes are in
 * ps2_keys.c. Left out: the time a self test takes.
 */
#include "dev/ps2kbd.h"
#include "core/state.h"
#include <string.h>

enum {
    SET_LEDS = 0xed,
    ECHO = 0xee,
    SCAN_SET = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    DEFAULTS = 0xf6,
    ALL_REPEAT = 0xf7,
    ALL_BREAK = 0xf8,
    ALL_MAKE = 0xf9,
    ALL_BOTH = 0xfa,
    KEY_REPEAT = 0xfb,
    KEY_BREAK = 0xfc,
    KEY_MAKE = 0xfd,
    RESEND = 0xfe,
    RESET = 0xff
};
enum { ACK = 0xfa, NACK = 0xfe, SELF_TEST_OK = 0xaa, ID_FIRST = 0xab, ID_SECOND = 0x83 };
enum { OVERRUN = 0x00, OVERRUN_SET1 = 0xff };
enum { LEDS = 0x07, RATE = 0x7f, RATE_DEFAULT = 0x2b /* 10.9 a second, after 500 ms */ };
#define NS_PER_MS 1000000ull
#define RATE_UNIT 4170000ull /* ns: the period is (8 + bits 0-2) << bits 3-4 of these */

/* ---- what goes to the host ---- */

static void answer(struct ps2kbd *k, uint8_t byte)
{
    if (k->replies < PS2KBD_REPLIES)
        k->reply[k->replies++] = byte;
}

static void put(struct ps2kbd *k, uint8_t byte)
{
    k->queue[(k->head + k->count++) % sizeof(k->queue)] = byte;
}

static void codes_clear(struct ps2kbd *k)
{
    k->head = k->count = 0;
    k->overrun = false;
}

static void codes_put(struct ps2kbd *k, const uint8_t *code, size_t n)
{
    if (!n)
        return;
    if (k->count + n <= PS2KBD_QUEUE) {
        for (size_t i = 0; i < n; i++)
            put(k, code[i]);
        k->overrun = false;
    } else if (!k->overrun && k->count <= PS2KBD_QUEUE) {
        put(k, k->set == 1 ? OVERRUN_SET1 : OVERRUN);
        k->overrun = true;
    }
}

bool ps2kbd_next(struct ps2kbd *k, uint8_t *byte)
{
    if (k->reply_at < k->replies) {
        *byte = k->last = k->reply[k->reply_at++];
        return true;
    }
    if (!k->count)
        return false;
    *byte = k->last = k->queue[k->head];
    k->head = (uint8_t)((k->head + 1u) % sizeof(k->queue));
    k->count--;
    return true;
}

bool ps2kbd_idle(const struct ps2kbd *k)
{
    return !k->count && k->reply_at == k->replies;
}

/* ---- keys ---- */

static struct ps2_mods mods_of(const struct ps2kbd *k)
{
    static const char *const name[] = {"shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r"};
    bool on[ARRAY_LEN(name)];

    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        on[i] = k->down[ps2_key_find(name[i], strlen(name[i]))];
    return (struct ps2_mods){.shift = on[0],
                             .shift_r = on[1],
                             .ctrl = on[2] || on[3],
                             .alt = on[4] || on[5],
                             .num = k->leds & PS2_LED_NUM};
}

/* What the key would send now; set 3 says of each key what it sends. */
static size_t codes_of(const struct ps2kbd *k, unsigned key, bool down, uint8_t *code)
{
    struct ps2_mods mods = mods_of(k);

    if (!down && (!k->down[key] || (k->set == 3 && !(k->type3[key] & PS2_BREAKS))))
        return 0;
    return ps2_key_code(key, down, k->set, &mods, code);
}

static bool repeats(const struct ps2kbd *k, unsigned key)
{
    return k->set == 3 ? k->type3[key] & PS2_REPEATS : ps2_keys[key].kind != PS2_PAUSE;
}

static void repeat_stop(struct ps2kbd *k)
{
    k->repeat = PS2_KEY_NONE;
    loop_timer_stop(&k->timer);
}

static void repeat_start(struct ps2kbd *k, unsigned key)
{
    uint64_t delay = (1u + (k->rate >> 5 & 3)) * 250 * NS_PER_MS;

    repeat_stop(k);
    if (!repeats(k, key))
        return;
    k->repeat = (uint8_t)key;
    loop_timer_set(&k->timer, loop_now(k->timer.loop) + delay);
}

/* Repeats never pile up: one goes only when the host has read all before it. */
static void repeat_fire(void *kbd)
{
    struct ps2kbd *k = kbd;
    uint64_t period = (8ull + (k->rate & 7)) * RATE_UNIT << (k->rate >> 3 & 3);
    uint8_t code[PS2_CODE_MAX];

    if (k->repeat == PS2_KEY_NONE)
        return;
    if (ps2kbd_idle(k)) {
        codes_put(k, code, codes_of(k, k->repeat, true, code));
        k->wake(k->ctx);
    }
    loop_timer_set(&k->timer, loop_now(k->timer.loop) + period);
}

void ps2kbd_key(struct ps2kbd *k, unsigned key, bool down)
{
    uint8_t code[PS2_CODE_MAX];

    if (key >= ps2_keys_count())
        return;
    if (k->scanning)
        codes_put(k, code, codes_of(k, key, down, code));
    k->down[key] = down;
    if (down && k->scanning)
        repeat_start(k, key);
    else if (key == k->repeat)
        repeat_stop(k);
}

bool ps2kbd_fits(const struct ps2kbd *k, unsigned key, bool down)
{
    uint8_t code[PS2_CODE_MAX];

    return !k->scanning || key >= ps2_keys_count() ||
           k->count + codes_of(k, key, down, code) <= PS2KBD_QUEUE;
}

/* ---- commands ---- */

static void types_default(struct ps2kbd *k)
{
    for (unsigned i = 0; i < ps2_keys_count(); i++)
        k->type3[i] = ps2_keys[i].type3;
}

static void defaults(struct ps2kbd *k)
{
    k->rate = RATE_DEFAULT;
    k->set = 2;
    types_default(k);
    codes_clear(k);
    repeat_stop(k);
}

static uint8_t type_of(uint8_t command)
{
    switch (command) {
    case ALL_REPEAT:
    case KEY_REPEAT: return PS2_REPEATS;
    case ALL_BREAK:
    case KEY_BREAK: return PS2_BREAKS;
    case ALL_BOTH: return PS2_REPEATS | PS2_BREAKS;
    default: return 0;
    }
}

static void set_choose(struct ps2kbd *k, uint8_t byte)
{
    if (byte > 3) {
        answer(k, NACK);
        return;
    }
    answer(k, ACK);
    if (!byte) {
        answer(k, k->set);
        return;
    }
    k->set = byte;
    codes_clear(k);
    repeat_stop(k);
}

static void argument(struct ps2kbd *k, uint8_t command, uint8_t byte)
{
    unsigned key;

    if (command == SCAN_SET) {
        set_choose(k, byte);
        return;
    }
    answer(k, ACK);
    switch (command) {
    case SET_LEDS: k->leds = byte & LEDS; break;
    case SET_RATE: k->rate = byte & RATE; break;
    default: /* 0xfb-0xfd take keys, by their codes of set 3, until the next command */
        key = ps2_key_set3(byte);
        if (key != PS2_KEY_NONE)
            k->type3[key] = type_of(command);
        k->command = command;
        break;
    }
}

static void reset_command(struct ps2kbd *k)
{
    k->leds = 0;
    k->scanning = true;
    defaults(k);
    answer(k, ACK);
    answer(k, SELF_TEST_OK);
}

static void command(struct ps2kbd *k, uint8_t byte)
{
    switch (byte) {
    case ECHO: answer(k, ECHO); return;
    case RESEND: answer(k, k->last); return;
    case RESET: reset_command(k); return;
    case SET_LEDS:
    case SET_RATE:
    case SCAN_SET:
    case KEY_REPEAT:
    case KEY_BREAK:
    case KEY_MAKE: k->command = byte; break;
    case IDENTIFY:
        answer(k, ACK);
        answer(k, ID_FIRST);
        answer(k, ID_SECOND);
        return;
    case ENABLE:
        codes_clear(k);
        k->scanning = true;
        break;
    case DISABLE:
        k->scanning = false;
        defaults(k);
        break;
    case DEFAULTS: defaults(k); break;
    case ALL_REPEAT:
    case ALL_BREAK:
    case ALL_MAKE:
    case ALL_BOTH: memset(k->type3, type_of(byte), sizeof(k->type3)); break;
    default: answer(k, NACK); return;
    }
    answer(k, ACK);
}

void ps2kbd_command(struct ps2kbd *k, uint8_t byte)
{
    uint8_t waiting = k->command;

    k->reply_at = k->replies = 0; /* nobody waits for the answer to the command before */
    k->command = 0;
    if (waiting && byte < SET_LEDS)
        argument(k, waiting, byte);
    else
        command(k, byte);
}

/* ---- state, reset, init ---- */

static void repeat_state(struct ps2kbd *k, struct state *st)
{
    uint64_t now = loop_now(k->timer.loop);
    uint64_t left = k->timer.due > now ? k->timer.due - now : 0;

    state_u8(st, &k->repeat);
    state_u64(st, &left);
    if (!st->load)
        return;
    if (!state_check(st, (k->repeat == PS2_KEY_NONE || k->repeat < ps2_keys_count()) &&
                             left <= 10000 * NS_PER_MS))
        k->repeat = PS2_KEY_NONE;
    loop_timer_stop(&k->timer);
    if (k->repeat != PS2_KEY_NONE)
        loop_timer_set(&k->timer, now + left);
}

void ps2kbd_state(struct ps2kbd *k, struct state *st)
{
    state_section(st, "ps2kbd", 2);
    state_bytes(st, k->queue, sizeof(k->queue));
    state_u8(st, &k->head);
    state_u8(st, &k->count);
    state_bytes(st, k->reply, sizeof(k->reply));
    state_u8(st, &k->reply_at);
    state_u8(st, &k->replies);
    state_u8(st, &k->command);
    state_u8(st, &k->leds);
    state_u8(st, &k->rate);
    state_u8(st, &k->set);
    state_u8(st, &k->last);
    state_bool(st, &k->scanning);
    state_bool(st, &k->overrun);
    for (unsigned i = 0; i < PS2_KEYS_MAX; i++) {
        state_bool(st, &k->down[i]);
        state_u8(st, &k->type3[i]);
    }
    repeat_state(k, st);
    if (!state_check(st, k->head < sizeof(k->queue) && k->count <= sizeof(k->queue) &&
                             k->reply_at <= k->replies && k->replies <= PS2KBD_REPLIES &&
                             k->set >= 1 && k->set <= 3))
        ps2kbd_reset(k);
}

void ps2kbd_reset(struct ps2kbd *k)
{
    k->reply_at = k->replies = k->command = k->leds = k->last = 0;
    k->scanning = true;
    memset(k->down, 0, sizeof(k->down));
    memset(k->queue, 0, sizeof(k->queue));
    memset(k->reply, 0, sizeof(k->reply));
    memset(k->type3, 0, sizeof(k->type3));
    defaults(k);
}

void ps2kbd_init(struct ps2kbd *k, struct loop *loop, void (*wake)(void *ctx), void *ctx)
{
    *k = (struct ps2kbd){.wake = wake, .ctx = ctx};
    loop_timer_init(&k->timer, loop, repeat_fire, k);
    ps2kbd_reset(k);
}

void ps2kbd_stop(struct ps2kbd *k)
{
    loop_timer_stop(&k->timer);
}
