/*
 * PS/2 keyboard: the command protocol of the IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard (101- and 102-Key)". Every byte from the host is answered at once; what a command
 * with an argument waits for is in `command`. Per-key make/break settings (0xfb-0xfd) are
 * acknowledged and have no effect; typematic repeat is the typist's.
 */
#include "dev/ps2kbd.h"
#include "core/state.h"

enum {
    SET_LEDS = 0xed,
    ECHO = 0xee,
    SCAN_SET = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    DEFAULTS = 0xf6,
    ALL_FIRST = 0xf7,
    ALL_LAST = 0xfa,
    KEY_FIRST = 0xfb,
    KEY_LAST = 0xfd,
    RESEND = 0xfe,
    RESET = 0xff
};
enum { ACK = 0xfa, NACK = 0xfe, SELF_TEST_OK = 0xaa, ID_FIRST = 0xab, ID_SECOND = 0x83 };

static void put(struct ps2kbd *k, uint8_t byte)
{
    if (k->count < PS2KBD_QUEUE)
        k->queue[(k->head + k->count++) % PS2KBD_QUEUE] = byte;
}

static void defaults(struct ps2kbd *k)
{
    k->rate = 0x2b; /* 10.9 a second, after 500 ms */
    k->set = 2;
}

void ps2kbd_reset(struct ps2kbd *k)
{
    *k = (struct ps2kbd){.scanning = true};
    defaults(k);
}

static void argument(struct ps2kbd *k, uint8_t command, uint8_t byte)
{
    put(k, ACK);
    switch (command) {
    case SET_LEDS: k->leds = byte & 7; break;
    case SET_RATE: k->rate = byte & 0x7f; break;
    case SCAN_SET:
        if (byte == 0)
            put(k, k->set);
        else if (byte <= 3)
            k->set = byte;
        break;
    default: break; /* key number of 0xfb-0xfd */
    }
}

static void command(struct ps2kbd *k, uint8_t byte)
{
    switch (byte) {
    case ECHO: put(k, ECHO); return;
    case RESEND: put(k, k->last); return;
    case RESET:
        ps2kbd_reset(k);
        put(k, ACK);
        put(k, SELF_TEST_OK);
        return;
    case SET_LEDS:
    case SET_RATE:
    case SCAN_SET: k->command = byte; break;
    case IDENTIFY:
        put(k, ACK);
        put(k, ID_FIRST);
        put(k, ID_SECOND);
        return;
    case ENABLE: k->scanning = true; break;
    case DISABLE:
        k->scanning = false;
        defaults(k);
        break;
    case DEFAULTS: defaults(k); break;
    default:
        if (byte >= KEY_FIRST && byte <= KEY_LAST)
            k->command = byte;
        else if (byte < ALL_FIRST || byte > ALL_LAST) {
            put(k, NACK);
            return;
        }
        break;
    }
    put(k, ACK);
}

void ps2kbd_command(struct ps2kbd *k, uint8_t byte)
{
    uint8_t waiting = k->command;

    /* A command clears the keyboard's output buffer: its answer comes next. */
    if (byte != RESEND)
        k->head = k->count = 0;
    k->command = 0;
    if (waiting && byte < SET_LEDS)
        argument(k, waiting, byte);
    else
        command(k, byte);
}

bool ps2kbd_next(struct ps2kbd *k, uint8_t *byte)
{
    if (!k->count)
        return false;
    *byte = k->last = k->queue[k->head];
    k->head = (uint8_t)((k->head + 1u) % PS2KBD_QUEUE);
    k->count--;
    return true;
}

void ps2kbd_type(struct ps2kbd *k, const uint8_t *codes, size_t n)
{
    if (!k->scanning || n > (size_t)(PS2KBD_QUEUE - k->count))
        return;
    for (size_t i = 0; i < n; i++)
        put(k, codes[i]);
}

void ps2kbd_state(struct ps2kbd *k, struct state *st)
{
    state_section(st, "ps2kbd", 1);
    state_bytes(st, k->queue, sizeof(k->queue));
    state_u8(st, &k->head);
    state_u8(st, &k->count);
    state_u8(st, &k->command);
    state_u8(st, &k->leds);
    state_u8(st, &k->rate);
    state_u8(st, &k->set);
    state_u8(st, &k->last);
    state_bool(st, &k->scanning);
    if (!state_check(st, k->head < PS2KBD_QUEUE && k->count <= PS2KBD_QUEUE))
        k->head = k->count = 0;
}
