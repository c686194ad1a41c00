/*
 * Keyboard controller 8042 as in the IBM PS/2 (Hardware Interface Technical Reference, "Keyboard
 * and Auxiliary Device Controller"): command byte, self test, output port with reset and A20,
 * two device ports. A keyboard is on the first; nothing is on the second, whose own commands
 * (enable, test, loopback) work all the same. Commands take no time: the input buffer is never
 * full. The password and the test-input commands are left out.
 */
#include "dev/i8042.h"
#include "bus/bus.h"
#include "core/state.h"
#include "dev/ps2kbd.h"
#include <errno.h>
#include <stdlib.h>

enum {
    ST_OBF = 0x01,
    ST_SYS = 0x04,
    ST_CMD = 0x08,
    ST_UNLOCKED = 0x10,
    ST_AUX = 0x20,
    ST_TIMEOUT = 0x40
};
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
    PULSE = 0xf0
};
#define RAM_SIZE 32u
enum { RAM_CB = 0 }; /* byte 0 of the controller's RAM is the command byte */

struct i8042 {
    uint8_t ram[RAM_SIZE];
    uint8_t status, data, out_port;
    uint8_t command; /* waits for a byte at the data port, else 0 */
    bool break_next; /* translation: 0xf0 was seen, the next code is a release */
    struct ps2kbd kbd;
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
    k->status = (uint8_t)((k->status & ~(ST_AUX | ST_TIMEOUT)) | ST_OBF | (aux ? ST_AUX : 0));
}

/* Scan code set 2 to set 1, as the controller does it for the keyboard's codes; index: set 2. */
static const uint8_t set1[0x90] = {
    [0x01] = 0x43, [0x02] = 0x41, [0x03] = 0x3f, [0x04] = 0x3d, [0x05] = 0x3b, [0x06] = 0x3c,
    [0x07] = 0x58, [0x09] = 0x44, [0x0a] = 0x42, [0x0b] = 0x40, [0x0c] = 0x3e, [0x0d] = 0x0f,
    [0x0e] = 0x29, [0x11] = 0x38, [0x12] = 0x2a, [0x14] = 0x1d, [0x15] = 0x10, [0x16] = 0x02,
    [0x1a] = 0x2c, [0x1b] = 0x1f, [0x1c] = 0x1e, [0x1d] = 0x11, [0x1e] = 0x03, [0x1f] = 0x5b,
    [0x21] = 0x2e, [0x22] = 0x2d, [0x23] = 0x20, [0x24] = 0x12, [0x25] = 0x05, [0x26] = 0x04,
    [0x27] = 0x5c, [0x29] = 0x39, [0x2a] = 0x2f, [0x2b] = 0x21, [0x2c] = 0x14, [0x2d] = 0x13,
    [0x2e] = 0x06, [0x2f] = 0x5d, [0x31] = 0x31, [0x32] = 0x30, [0x33] = 0x23, [0x34] = 0x22,
    [0x35] = 0x15, [0x36] = 0x07, [0x3a] = 0x32, [0x3b] = 0x24, [0x3c] = 0x16, [0x3d] = 0x08,
    [0x3e] = 0x09, [0x41] = 0x33, [0x42] = 0x25, [0x43] = 0x17, [0x44] = 0x18, [0x45] = 0x0b,
    [0x46] = 0x0a, [0x49] = 0x34, [0x4a] = 0x35, [0x4b] = 0x26, [0x4c] = 0x27, [0x4d] = 0x19,
    [0x4e] = 0x0c, [0x52] = 0x28, [0x54] = 0x1a, [0x55] = 0x0d, [0x58] = 0x3a, [0x59] = 0x36,
    [0x5a] = 0x1c, [0x5b] = 0x1b, [0x5d] = 0x2b, [0x61] = 0x56, [0x66] = 0x0e, [0x69] = 0x4f,
    [0x6b] = 0x4b, [0x6c] = 0x47, [0x70] = 0x52, [0x71] = 0x53, [0x72] = 0x50, [0x73] = 0x4c,
    [0x74] = 0x4d, [0x75] = 0x48, [0x76] = 0x01, [0x77] = 0x45, [0x78] = 0x57, [0x79] = 0x4e,
    [0x7a] = 0x51, [0x7b] = 0x4a, [0x7c] = 0x37, [0x7d] = 0x49, [0x7e] = 0x46, [0x83] = 0x41,
    [0x84] = 0x54,
};

/* false: swallowed, it only marks the next code as a release. */
static bool translate(struct i8042 *k, uint8_t *byte)
{
    if (!(k->ram[RAM_CB] & CB_TRANSLATE))
        return true;
    if (*byte == 0xf0) {
        k->break_next = true;
        return false;
    }
    if (*byte < ARRAY_LEN(set1) && set1[*byte])
        *byte = set1[*byte] | (k->break_next ? 0x80 : 0);
    if (*byte != 0xe0 && *byte != 0xe1)
        k->break_next = false;
    return true;
}

/* The keyboard's next byte moves up when the output buffer is free and the port enabled. */
static void pull(struct i8042 *k)
{
    uint8_t byte;

    while (!(k->status & ST_OBF) && !(k->ram[RAM_CB] & CB_OFF) && ps2kbd_next(&k->kbd, &byte))
        if (translate(k, &byte)) /* at most PS2KBD_QUEUE rounds: next takes one each */
            output(k, byte, false);
    i8042_irq(k);
}

void i8042_type(struct i8042 *k, const uint8_t *codes, size_t n)
{
    ps2kbd_type(&k->kbd, codes, n);
    pull(k);
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
        output(k, k->ram[c & (RAM_SIZE - 1)], false);
        return;
    }
    if (c >= PULSE) { /* pulses low the output port bits that are 0; only the reset line hears */
        if (!(c & OUT_NO_RESET))
            k->o.reset(k->o.ctx);
        return;
    }
    if ((c >= WRITE_RAM && c < WRITE_RAM + RAM_SIZE) || (c >= WRITE_OUT && c <= TO_AUX)) {
        k->command = c;
        return;
    }
    switch (c) {
    case AUX_OFF: k->ram[RAM_CB] |= CB_OFF2; break;
    case AUX_ON: k->ram[RAM_CB] &= (uint8_t)~CB_OFF2; break;
    case AUX_TEST:
    case KBD_TEST: output(k, 0x00, false); break;
    case SELF_TEST:
        k->status |= ST_SYS;
        output(k, 0x55, false);
        break;
    case KBD_OFF: k->ram[RAM_CB] |= CB_OFF; break;
    case KBD_ON: k->ram[RAM_CB] &= (uint8_t)~CB_OFF; break;
    case READ_IN: output(k, 0x80, false); break; /* not locked */
    case READ_OUT: output(k, out_read(k), false); break;
    case A20_OFF: out_write(k, k->out_port & (uint8_t)~OUT_A20); break;
    case A20_ON: out_write(k, k->out_port | OUT_A20); break;
    default: break;
    }
}

static void ram_write(struct i8042 *k, unsigned at, uint8_t val)
{
    k->ram[at] = val;
    if (at == RAM_CB)
        k->status = (uint8_t)((k->status & ~ST_SYS) | (val & CB_SYS));
}

/* A byte for a port where nobody is: the controller gives up with a timeout. */
static void aux_absent(struct i8042 *k)
{
    output(k, 0xfe, true);
    k->status |= ST_TIMEOUT;
}

static void argument(struct i8042 *k, uint8_t c, uint8_t val)
{
    switch (c) {
    case WRITE_OUT: out_write(k, val); break;
    case LOOP_KBD: output(k, val, false); break;
    case LOOP_AUX: output(k, val, true); break;
    case TO_AUX: aux_absent(k); break;
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
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
    struct i8042 *k = dev;
    uint8_t val = k->data;

    (void)off, (void)size;
    k->status &= (uint8_t) ~(ST_OBF | ST_AUX | ST_TIMEOUT);
    i8042_irq(k); /* the line falls between two bytes: its pins are edge-triggered */
    pull(k);
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

    state_section(st, "i8042", 1);
    state_bytes(st, k->ram, sizeof(k->ram));
    state_u8(st, &k->status);
    state_u8(st, &k->data);
    state_u8(st, &k->out_port);
    state_u8(st, &k->command);
    state_bool(st, &k->break_next);
    ps2kbd_state(&k->kbd, st);
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
    k->break_next = false;
    if (a20_was_off && k->o.a20)
        k->o.a20(k->o.ctx, true);
    ps2kbd_reset(&k->kbd);
    i8042_irq(k);
}

static void i8042_destroy(void *dev)
{
    struct i8042 *k = dev;

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
    .summary = "keyboard controller with a PS/2 keyboard",
    .reset = i8042_reset,
    .state = i8042_state,
    .destroy = i8042_destroy,
};
