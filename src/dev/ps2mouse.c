/*
 * PS/2 mouse: IBM PS/2 Hardware Interface Technical Reference, "Mouse"; the wheel and the fourth
 * and fifth button as Microsoft's IntelliMouse and IntelliMouse Explorer have them, asked for by a
 * knock of three sample rates. Movement counts from packet to packet in nine bits a direction;
 * beyond that a counter stays at its end and its overflow bit says so. Packets leave at the sample
 * rate, and none before the one before it was read. Left out: the time a self test takes.
 */
#include "dev/ps2mouse.h"
#include "core/state.h"
#include <string.h>

enum {
    SCALE_1 = 0xe6,
    SCALE_2 = 0xe7,
    RESOLUTION = 0xe8,
    STATUS = 0xe9,
    STREAM = 0xea,
    READ_DATA = 0xeb,
    WRAP_END = 0xec,
    WRAP = 0xee,
    REMOTE = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    DEFAULTS = 0xf6,
    RESEND = 0xfe,
    RESET = 0xff
};
enum { ACK = 0xfa, NACK = 0xfe, ERROR = 0xfc, SELF_TEST_OK = 0xaa };
enum { ID_WHEEL = 3, ID_EXPLORER = 4 };
enum { RATE_DEFAULT = 100, RESOLUTION_DEFAULT = 2, RESOLUTION_MAX = 3 };
enum { P_ALWAYS = 0x08, P_X_SIGN = 0x10, P_Y_SIGN = 0x20, P_X_OVER = 0x40, P_Y_OVER = 0x80 };
enum { S_MIDDLE = 2, S_LEFT = 4, S_SCALE = 0x10, S_REPORTING = 0x20, S_REMOTE = 0x40 };
enum { COUNT_MIN = -256, COUNT_MAX = 255, WHEEL_MIN = -8, WHEEL_MAX = 7 };
#define NS_PER_S 1000000000u

/* ---- what goes to the host ---- */

static void put(struct ps2mouse *m, uint8_t byte)
{
    if (m->sends < PS2MOUSE_SEND)
        m->send[m->sends++] = byte;
}

static void sends_clear(struct ps2mouse *m)
{
    m->sent = m->sends = 0;
}

static void counts_clear(struct ps2mouse *m)
{
    m->dx = m->dy = m->dz = 0;
    m->over_x = m->over_y = false;
}

/* 2:1 scaling, in stream mode only. */
static int scaled(const struct ps2mouse *m, int n)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int size = n < 0 ? -n : n;

    if (!m->scale || m->remote)
        return n;
    size = size < (int)ARRAY_LEN(small) ? small[size] : 2 * size;
    return n < 0 ? -size : size;
}

static int clamp(int n, int min, int max, bool *over)
{
    if (n >= min && n <= max)
        return n;
    *over = true;
    return n < min ? min : max;
}

static void packet(struct ps2mouse *m)
{
    bool over_x = m->over_x, over_y = m->over_y;
    int x = clamp(scaled(m, m->dx), COUNT_MIN, COUNT_MAX, &over_x);
    int y = clamp(scaled(m, m->dy), COUNT_MIN, COUNT_MAX, &over_y);
    uint8_t head = P_ALWAYS | (m->buttons & 7);

    head |= (x < 0 ? P_X_SIGN : 0) | (y < 0 ? P_Y_SIGN : 0);
    head |= (over_x ? P_X_OVER : 0) | (over_y ? P_Y_OVER : 0);
    put(m, head);
    put(m, (uint8_t)x);
    put(m, (uint8_t)y);
    if (m->id == ID_WHEEL)
        put(m, (uint8_t)m->dz);
    else if (m->id == ID_EXPLORER)
        put(m, (uint8_t)((m->dz & 15) | (m->buttons & (PS2_SIDE | PS2_EXTRA)) << 1));
    counts_clear(m);
    m->shown = m->buttons;
}

/* What the host can be shown: without the Explorer's knock there are three buttons. */
static bool news(const struct ps2mouse *m)
{
    unsigned known = m->id == ID_EXPLORER ? PS2_BUTTONS : 7;

    return m->dx || m->dy || (m->dz && m->id) || ((m->buttons ^ m->shown) & known);
}

static bool streaming(const struct ps2mouse *m)
{
    return m->reporting && !m->remote && !m->wrap;
}

static bool stream(struct ps2mouse *m)
{
    if (!streaming(m) || !news(m) || m->sent < m->sends || m->timer.due)
        return false;
    sends_clear(m);
    packet(m);
    loop_timer_set(&m->timer, loop_now(m->timer.loop) + NS_PER_S / m->rate);
    return true;
}

static void tell(struct ps2mouse *m)
{
    if (stream(m))
        m->wake(m->ctx);
}

static void sample_fire(void *mouse)
{
    tell(mouse);
}

bool ps2mouse_next(struct ps2mouse *m, uint8_t *byte)
{
    if (m->sent == m->sends)
        stream(m);
    if (m->sent == m->sends)
        return false;
    *byte = m->send[m->sent++];
    return true;
}

bool ps2mouse_idle(const struct ps2mouse *m)
{
    return m->sent == m->sends && !(streaming(m) && news(m));
}

/* ---- the user's hand ---- */

static void count(int16_t *counter, int n, bool *over)
{
    if (!*over)
        *counter = (int16_t)clamp(*counter + n, COUNT_MIN, COUNT_MAX, over);
}

void ps2mouse_move(struct ps2mouse *m, int dx, int dy, int wheel)
{
    bool lost = false;

    if (dx > INT16_MAX || dx < -INT16_MAX || dy > INT16_MAX || dy < -INT16_MAX ||
        wheel > INT16_MAX || wheel < -INT16_MAX)
        return;
    count(&m->dx, dx, &m->over_x);
    count(&m->dy, -dy, &m->over_y);
    m->dz = (int16_t)clamp(m->dz - wheel, WHEEL_MIN, WHEEL_MAX, &lost);
    tell(m);
}

void ps2mouse_button(struct ps2mouse *m, unsigned buttons, bool down)
{
    m->buttons = (uint8_t)((down ? m->buttons | buttons : m->buttons & ~buttons) & PS2_BUTTONS);
    tell(m);
}

/* ---- commands ---- */

static void defaults(struct ps2mouse *m)
{
    m->rate = RATE_DEFAULT;
    m->resolution = RESOLUTION_DEFAULT;
    m->scale = m->remote = m->wrap = m->reporting = false;
    counts_clear(m);
}

static void refuse(struct ps2mouse *m)
{
    put(m, m->refused ? ERROR : NACK);
    m->refused = !m->refused;
}

static void rate_set(struct ps2mouse *m, uint8_t rate)
{
    static const uint8_t known[] = {10, 20, 40, 60, 80, 100, 200};

    if (!memchr(known, rate, sizeof(known))) {
        refuse(m);
        m->command = m->refused ? SET_RATE : 0; /* the host may say it again, once */
        return;
    }
    put(m, ACK);
    m->refused = false;
    if (rate == 80 && m->knock[0] == 100 && m->knock[1] == 200)
        m->id = ID_WHEEL;
    if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 200)
        m->id = ID_EXPLORER;
    m->knock[1] = m->knock[0];
    m->knock[0] = m->rate = rate;
}

static void resolution_set(struct ps2mouse *m, uint8_t val)
{
    if (val > RESOLUTION_MAX) {
        refuse(m);
        m->command = m->refused ? RESOLUTION : 0;
        return;
    }
    put(m, ACK);
    m->refused = false;
    m->resolution = val;
}

static void status(struct ps2mouse *m)
{
    uint8_t byte = (m->remote ? S_REMOTE : 0) | (m->reporting ? S_REPORTING : 0) |
                   (m->scale ? S_SCALE : 0) | (m->buttons & PS2_LEFT ? S_LEFT : 0) |
                   (m->buttons & PS2_MIDDLE ? S_MIDDLE : 0) | (m->buttons & PS2_RIGHT ? 1 : 0);

    put(m, byte);
    put(m, m->resolution);
    put(m, m->rate);
}

static void reset_command(struct ps2mouse *m)
{
    defaults(m);
    m->id = m->knock[0] = m->knock[1] = 0;
    put(m, ACK);
    put(m, SELF_TEST_OK);
    put(m, m->id);
}

static void mode(struct ps2mouse *m, bool remote)
{
    m->remote = remote;
    counts_clear(m);
}

static void command(struct ps2mouse *m, uint8_t byte)
{
    if (byte == RESET) {
        reset_command(m);
        return;
    }
    put(m, ACK); /* taken back by what is refused */
    switch (byte) {
    case SCALE_1:
    case SCALE_2: m->scale = byte == SCALE_2; break;
    case RESOLUTION:
    case SET_RATE: m->command = byte; break;
    case STATUS: status(m); break;
    case STREAM:
    case REMOTE: mode(m, byte == REMOTE); break;
    case READ_DATA: packet(m); break;
    case WRAP: m->wrap = true; break;
    case WRAP_END: m->wrap = false; break;
    case IDENTIFY: put(m, m->id); break;
    case ENABLE:
    case DISABLE:
        m->reporting = byte == ENABLE;
        counts_clear(m);
        break;
    case DEFAULTS: defaults(m); break;
    default:
        sends_clear(m);
        refuse(m);
        return;
    }
    m->refused = false;
}

void ps2mouse_command(struct ps2mouse *m, uint8_t byte)
{
    uint8_t waiting = m->command;

    if (byte == RESEND && !m->wrap) { /* also in the middle of something */
        m->sent = 0;
        return;
    }
    sends_clear(m); /* a packet on its way is given up */
    m->command = 0;
    if (m->wrap && byte != RESET && byte != WRAP_END)
        put(m, byte);
    else if (waiting == SET_RATE && byte < SCALE_1) /* above are commands, never arguments */
        rate_set(m, byte);
    else if (waiting == RESOLUTION && byte < SCALE_1)
        resolution_set(m, byte);
    else
        command(m, byte);
}

/* ---- state, reset, init ---- */

static void sample_state(struct ps2mouse *m, struct state *st)
{
    uint64_t now = loop_now(m->timer.loop);
    uint64_t left = m->timer.due > now ? m->timer.due - now : 0;

    state_u64(st, &left);
    if (!st->load)
        return;
    loop_timer_stop(&m->timer);
    if (state_check(st, left <= NS_PER_S) && left)
        loop_timer_set(&m->timer, now + left);
}

static void counts_state(struct ps2mouse *m, struct state *st)
{
    int16_t *const all[] = {&m->dx, &m->dy, &m->dz};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        uint16_t v = (uint16_t)*all[i];

        state_u16(st, &v);
        *all[i] = (int16_t)v;
    }
    state_bool(st, &m->over_x);
    state_bool(st, &m->over_y);
}

static bool sane(const struct ps2mouse *m)
{
    return m->sent <= m->sends && m->sends <= PS2MOUSE_SEND && m->rate >= 10 && m->rate <= 200 &&
           m->resolution <= RESOLUTION_MAX && m->buttons <= PS2_BUTTONS &&
           (!m->id || m->id == ID_WHEEL || m->id == ID_EXPLORER) && m->dx >= COUNT_MIN &&
           m->dx <= COUNT_MAX && m->dy >= COUNT_MIN && m->dy <= COUNT_MAX && m->dz >= WHEEL_MIN &&
           m->dz <= WHEEL_MAX;
}

void ps2mouse_state(struct ps2mouse *m, struct state *st)
{
    bool *const flag[] = {&m->reporting, &m->remote, &m->wrap, &m->scale, &m->refused};

    state_section(st, "ps2mouse", 1);
    state_bytes(st, m->send, sizeof(m->send));
    state_u8(st, &m->sent);
    state_u8(st, &m->sends);
    state_u8(st, &m->command);
    state_u8(st, &m->id);
    state_u8(st, &m->rate);
    state_u8(st, &m->resolution);
    state_bytes(st, m->knock, sizeof(m->knock));
    for (size_t i = 0; i < ARRAY_LEN(flag); i++)
        state_bool(st, flag[i]);
    state_u8(st, &m->buttons);
    state_u8(st, &m->shown);
    counts_state(m, st);
    sample_state(m, st);
    if (!state_check(st, sane(m)))
        ps2mouse_reset(m);
}

void ps2mouse_reset(struct ps2mouse *m)
{
    memset(m->send, 0, sizeof(m->send));
    sends_clear(m);
    defaults(m);
    m->command = m->id = m->knock[0] = m->knock[1] = 0;
    m->buttons = m->shown = 0;
    m->refused = false;
    loop_timer_stop(&m->timer);
}

void ps2mouse_init(struct ps2mouse *m, struct loop *loop, void (*wake)(void *ctx), void *ctx)
{
    *m = (struct ps2mouse){.wake = wake, .ctx = ctx};
    loop_timer_init(&m->timer, loop, sample_fire, m);
    ps2mouse_reset(m);
}

void ps2mouse_stop(struct ps2mouse *m)
{
    loop_timer_stop(&m->timer);
}
