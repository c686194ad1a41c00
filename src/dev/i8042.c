/*
 * Keyboard controller 8042 as in the IBM PS/2 (Hardware Interface Technical Reference, "Keyboard
 * and Auxiliary Device Controller"): command byte, self test, output port with reset and A20,
 * two device ports: a keyboard on the first, a mouse on the second. Commands take no time: the
 * input buffer is never full. What the controller itself answers goes into the output buffer at
 * once; a device's byte that stood there comes again after it, so that none is lost. There is no
 * password.
 */
#include "dev/i8042.h"
#include "bus/bus.h"
#include "core/state.h"
#include "core/tap.h"
#include "dev/ps2kbd.h"
#include "dev/ps2mouse.h"
#include <errno.h>
#include <stdlib.h>

enum { ST_OBF = 0x01, ST_SYS = 0x04, ST_CMD = 0x08, ST_UNLOCKED = 0x10, ST_AUX = 0x20 };
enum {
    CB_INT = 0x01,
    CB_INT2 = 0x02,
    CB_SYS = 0x04,
    CB_OFF = 0x10,
    CB_OFF2 = 0x20,
    CB_TRANSLATE = 0x40
};
enum { OUT_NO_RESET = 0x01, OUT_A20 = 0x02, OUT_OBF2 = 0x20, OUT_OBF = 0x10 };
enum {
    READ_RAM = 0x20,
    WRITE_RAM = 0x60,
    PASSWORD_TEST = 0xa4,
    PASSWORD_LOAD = 0xa5,
    AUX_OFF = 0xa7,
    AUX_ON = 0xa8,
    AUX_TEST = 0xa9,
    SELF_TEST = 0xaa,
    KBD_TEST = 0xab,
    KBD_OFF = 0xad,
    KBD_ON = 0xae,
    READ_IN = 0xc0,
    READ_OUT = 0xd0,
    WRITE_OUT = 0xd1,
    LOOP_KBD = 0xd2,
    LOOP_AUX = 0xd3,
    TO_AUX = 0xd4,
    A20_OFF = 0xdd,
    A20_ON = 0xdf,
    READ_TEST = 0xe0,
    PULSE = 0xf0
};
#define RAM_SIZE 32u
enum { RAM_CB = 0 }; /* byte 0 of the controller's RAM is the command byte */

struct i8042 {
    uint8_t ram[RAM_SIZE];
    uint8_t status, data, out_port;
    uint8_t command; /* waits for a byte at the data port, else 0 */
    bool release;    /* translation: 0xf0 was seen, the next code is a release */
    bool device;     /* what is in the output buffer came from a device */
    bool held;       /* ... and was pushed out by an answer: kept_data, kept_aux come after it */
    uint8_t kept_data;
    bool kept_aux;
    struct ps2kbd kbd;
    struct ps2mouse mouse;
    void (*room)(void *ctx);
    void *room_ctx;
    struct dev_env env;
    struct i8042_opts o;
    struct io_region data_port, cmd_port;
};

static void i8042_irq(struct i8042 *k)
{
    bool full = k->status & ST_OBF, aux = k->status & ST_AUX;

    irq_set(&k->env.irq, full && !aux && (k->ram[RAM_CB] & CB_INT));
    irq_set(&k->o.aux, full && aux && (k->ram[RAM_CB] & CB_INT2));
}

static void output(struct i8042 *k, uint8_t byte, bool aux)
{
    k->data = byte;
    k->status = (uint8_t)((k->status & ~ST_AUX) | ST_OBF | (aux ? ST_AUX : 0));
}

/* The controller's own byte. Nobody reads a keystroke for the answer to a command. */
static void answer(struct i8042 *k, uint8_t byte, bool aux)
{
    if ((k->status & ST_OBF) && k->device && !k->held) {
        k->held = true;
        k->kept_data = k->data;
        k->kept_aux = k->status & ST_AUX;
    }
    k->device = false;
    output(k, byte, aux);
}

static bool kbd_next(struct i8042 *k, uint8_t *byte)
{
    while (ps2kbd_next(&k->kbd, byte)) /* at most PS2KBD_QUEUE and some rounds: each takes one */
        if (!(k->ram[RAM_CB] & CB_TRANSLATE) || ps2_translate(&k->release, byte))
            return true;
    return false;
}

/* A device's next byte moves up when the output buffer is free and its port enabled. */
static void pull(struct i8042 *k)
{
    uint8_t cb = k->ram[RAM_CB], byte;
    bool free = !(k->status & ST_OBF);

    if (free && k->held) {
        k->held = false;
        k->device = true;
        output(k, k->kept_data, k->kept_aux);
    } else if (free && !(cb & CB_OFF) && kbd_next(k, &byte)) {
        k->device = true;
        output(k, byte, false);
    } else if (free && !(cb & CB_OFF2) && ps2mouse_next(&k->mouse, &byte)) {
        k->device = true;
        output(k, byte, true);
    }
    i8042_irq(k);
}

static void wake(void *i8042)
{
    pull(i8042);
}

/* ---- the user ---- */

void i8042_key(struct i8042 *k, unsigned key, bool down)
{
    tap_input_begin(k->env.tap);
    ps2kbd_key(&k->kbd, key, down);
    pull(k);
    tap_input_end(k->env.tap, "key", (int)key, down, 0);
}

bool i8042_key_fits(const struct i8042 *k, unsigned key, bool down)
{
    return ps2kbd_fits(&k->kbd, key, down);
}

bool i8042_kbd_idle(const struct i8042 *k)
{
    return ps2kbd_idle(&k->kbd);
}

void i8042_move(struct i8042 *k, int dx, int dy, int wheel)
{
    tap_input_begin(k->env.tap);
    ps2mouse_move(&k->mouse, dx, dy, wheel);
    tap_input_end(k->env.tap, "move", dx, dy, wheel);
}

void i8042_button(struct i8042 *k, unsigned buttons, bool down)
{
    tap_input_begin(k->env.tap);
    ps2mouse_button(&k->mouse, buttons, down);
    tap_input_end(k->env.tap, "button", (int)buttons, down, 0);
}

bool i8042_mouse_idle(const struct i8042 *k)
{
    return ps2mouse_idle(&k->mouse);
}

unsigned i8042_leds(const struct i8042 *k)
{
    return k->kbd.leds;
}

void i8042_on_room(struct i8042 *k, void (*room)(void *ctx), void *ctx)
{
    k->room = room;
    k->room_ctx = ctx;
}

/* ---- output port ---- */

static void out_write(struct i8042 *k, uint8_t val)
{
    bool a20 = val & OUT_A20, changed = (val ^ k->out_port) & OUT_A20;

    k->out_port = val & (OUT_A20 | OUT_NO_RESET);
    if (changed && k->o.a20)
        k->o.a20(k->o.ctx, a20);
    if (!(val & OUT_NO_RESET)) {
        k->out_port |= OUT_NO_RESET; /* the line comes up again by itself: the CPU is reset */
        k->o.reset(k->o.ctx);
    }
}

static uint8_t out_read(const struct i8042 *k)
{
    uint8_t full = !(k->status & ST_OBF) ? 0 : k->status & ST_AUX ? OUT_OBF2 : OUT_OBF;

    return k->out_port | full;
}

/* ---- commands ---- */

static void command(struct i8042 *k, uint8_t c)
{
    k->command = 0;
    if (c >= READ_RAM && c < READ_RAM + RAM_SIZE) {
        answer(k, k->ram[c & (RAM_SIZE - 1)], false);
        return;
    }
    if (c >= PULSE) { /* pulses low the output port bits that are 0; only the reset line hears */
        if (!(c & OUT_NO_RESET))
            k->o.reset(k->o.ctx);
        return;
    }
    if ((c >= WRITE_RAM && c < WRITE_RAM + RAM_SIZE) || (c >= WRITE_OUT && c <= TO_AUX) ||
        c == PASSWORD_LOAD) {
        k->command = c;
        return;
    }
    switch (c) {
    case PASSWORD_TEST: answer(k, 0xf1, false); break; /* none is installed */
    case AUX_OFF: k->ram[RAM_CB] |= CB_OFF2; break;
    case AUX_ON: k->ram[RAM_CB] &= (uint8_t)~CB_OFF2; break;
    case AUX_TEST:
    case KBD_TEST: answer(k, 0x00, false); break;
    case SELF_TEST:
        k->status |= ST_SYS;
        answer(k, 0x55, false);
        break;
    case KBD_OFF: k->ram[RAM_CB] |= CB_OFF; break;
    case KBD_ON: k->ram[RAM_CB] &= (uint8_t)~CB_OFF; break;
    case READ_IN: answer(k, 0x80, false); break; /* not locked */
    case READ_OUT: answer(k, out_read(k), false); break;
    case A20_OFF: out_write(k, k->out_port & (uint8_t)~OUT_A20); break;
    case A20_ON: out_write(k, k->out_port | OUT_A20); break;
    case READ_TEST: answer(k, 0x00, false); break; /* both clock lines are low */
    default: break;
    }
}

static void ram_write(struct i8042 *k, unsigned at, uint8_t val)
{
    k->ram[at] = val;
    if (at == RAM_CB)
        k->status = (uint8_t)((k->status & ~ST_SYS) | (val & CB_SYS));
}

static void argument(struct i8042 *k, uint8_t c, uint8_t val)
{
    switch (c) {
    case WRITE_OUT: out_write(k, val); break;
    case LOOP_KBD: answer(k, val, false); break;
    case LOOP_AUX: answer(k, val, true); break;
    case TO_AUX:
        k->ram[RAM_CB] &= (uint8_t)~CB_OFF2; /* sending enables the port */
        ps2mouse_command(&k->mouse, val);
        break;
    case PASSWORD_LOAD: k->command = val ? c : 0; break; /* up to a zero; nobody keeps it */
    default: ram_write(k, c & (RAM_SIZE - 1), val); break;
    }
}

/* ---- ports ---- */

static void data_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct i8042 *k = dev;
    uint8_t c = k->command;

    (void)off, (void)size;
    k->status &= (uint8_t)~ST_CMD;
    k->command = 0;
    if (c) {
        argument(k, c, (uint8_t)val);
    } else {
        k->ram[RAM_CB] &= (uint8_t)~CB_OFF; /* sending enables the port */
        ps2kbd_command(&k->kbd, (uint8_t)val);
    }
    pull(k);
    if (k->room) /* the command may have emptied a buffer */
        k->room(k->room_ctx);
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
    struct i8042 *k = dev;
    uint8_t val = k->data;

    (void)off, (void)size;
    k->status &= (uint8_t) ~(ST_OBF | ST_AUX);
    i8042_irq(k); /* the line falls between two bytes: its pins are edge-triggered */
    pull(k);
    if (k->room)
        k->room(k->room_ctx);
    return val;
}

static void cmd_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct i8042 *k = dev;

    (void)off, (void)size;
    k->status |= ST_CMD;
    command(k, (uint8_t)val);
    pull(k);
}

static uint64_t cmd_read(void *dev, uint64_t off, unsigned size)
{
    const struct i8042 *k = dev;

    (void)off, (void)size;
    return k->status;
}

static const struct io_ops data_ops = {.read = data_read, .write = data_write, .sizes = 1};
static const struct io_ops cmd_ops = {.read = cmd_read, .write = cmd_write, .sizes = 1};

/* ---- state, reset, create ---- */

static void i8042_state(void *dev, struct state *st)
{
    struct i8042 *k = dev;

    state_section(st, "i8042", 2);
    state_bytes(st, k->ram, sizeof(k->ram));
    state_u8(st, &k->status);
    state_u8(st, &k->data);
    state_u8(st, &k->out_port);
    state_u8(st, &k->command);
    state_bool(st, &k->release);
    state_bool(st, &k->device);
    state_bool(st, &k->held);
    state_u8(st, &k->kept_data);
    state_bool(st, &k->kept_aux);
    ps2kbd_state(&k->kbd, st);
    ps2mouse_state(&k->mouse, st);
    if (st->load)
        i8042_irq(k);
}

/* As PC firmware leaves it: tested, translating, both interrupts off. */
static void i8042_reset(void *dev)
{
    struct i8042 *k = dev;
    bool a20_was_off = !(k->out_port & OUT_A20);

    for (unsigned i = 0; i < RAM_SIZE; i++)
        k->ram[i] = 0;
    k->ram[RAM_CB] = CB_SYS | CB_TRANSLATE;
    k->status = ST_SYS | ST_UNLOCKED;
    k->data = k->command = 0;
    k->out_port = OUT_A20 | OUT_NO_RESET;
    k->release = k->device = k->held = k->kept_aux = false;
    k->kept_data = 0;
    if (a20_was_off && k->o.a20)
        k->o.a20(k->o.ctx, true);
    ps2kbd_reset(&k->kbd);
    ps2mouse_reset(&k->mouse);
    i8042_irq(k);
}

static void i8042_destroy(void *dev)
{
    struct i8042 *k = dev;

    ps2kbd_stop(&k->kbd);
    ps2mouse_stop(&k->mouse);
    bus_unmap(k->env.bus, &k->data_port);
    bus_unmap(k->env.bus, &k->cmd_port);
    free(k);
}

int i8042_create(struct i8042 **out, const struct dev_env *env, const struct i8042_opts *o)
{
    struct i8042 *k = calloc(1, sizeof(*k));
    struct io_region port = {.dev = k, .lock = env->lock, .space = BUS_PIO, .len = 1};
    int err;

    if (!k)
        return -ENOMEM;
    k->env = *env;
    k->o = *o;
    k->out_port = OUT_A20 | OUT_NO_RESET;
    ps2kbd_init(&k->kbd, env->loop, wake, k);
    ps2mouse_init(&k->mouse, env->loop, wake, k);
    k->data_port = k->cmd_port = port;
    k->data_port.name = "i8042-data";
    k->data_port.ops = &data_ops;
    k->data_port.base = o->data;
    k->cmd_port.name = "i8042-command";
    k->cmd_port.ops = &cmd_ops;
    k->cmd_port.base = o->command;
    err = bus_map(env->bus, &k->data_port);
    if (!err)
        err = bus_map(env->bus, &k->cmd_port);
    if (err) {
        i8042_destroy(k);
        return err;
    }
    i8042_reset(k);
    *out = k;
    return 0;
}

const struct dev_class i8042_class = {
    .name = "i8042",
    .summary = "keyboard controller with a PS/2 keyboard and mouse",
    .reset = i8042_reset,
    .state = i8042_state,
    .destroy = i8042_destroy,
};
