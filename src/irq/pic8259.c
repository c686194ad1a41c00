/*
 * Two 8259A in cascade, after the Intel 8259A data sheet (231468): initialization words ICW1-4,
 * operation words OCW1-3, fully nested and special modes, rotation, poll. The edge/level control
 * registers at 0x4d0 are those of the 82378 and its successors; they replace ICW1's LTIM bit.
 * Left out: the 8080 call mode, buffered mode, more than one slave.
 *
 * A reset leaves what PC firmware would: vectors 0x08 and 0x70, every line masked.
 */
#include "irq/pic8259.h"
#include "bus/bus.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>

enum { ICW1 = 0x10, ICW1_ICW4 = 0x01, ICW1_SINGLE = 0x02, ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum {
    OCW3 = 0x08,
    OCW3_POLL = 0x04,
    OCW3_RR = 0x02,
    OCW3_RIS = 0x01,
    OCW3_ESMM = 0x40,
    OCW3_SMM = 0x20
};
enum { OCW2_R = 0x80, OCW2_SL = 0x40, OCW2_EOI = 0x20 };
enum { CASCADE = 2, NONE = 8 }; /* NONE: no line, lower than the lowest priority */
enum { MASTER, SLAVE };

struct chip8259 {
    uint8_t line; /* levels at the pins */
    uint8_t irr, isr, imr;
    uint8_t elcr;   /* 1: level-triggered */
    uint8_t base;   /* ICW2 */
    uint8_t lowest; /* the pin that has the lowest priority now */
    uint8_t icw;    /* the initialization word expected next at the odd port, 0: none */
    bool need_icw4, single;
    bool aeoi, rotate_aeoi, sfnm, special_mask, poll, read_isr;
    bool slave;
    struct pic8259 *pic;
    struct io_region ports;
};

struct pic8259 {
    struct chip8259 chip[2];
    struct io_region elcr_ports;
    uint16_t level_pins;
    struct dev_env env;
    void (*intr)(void *ctx, bool level);
    void *ctx;
};

/* How far a pin is from the highest priority, 0..7; NONE if the set is empty. */
static unsigned priority(const struct chip8259 *c, uint8_t set)
{
    for (unsigned p = 0; p < 8; p++)
        if (set >> ((c->lowest + 1u + p) & 7) & 1)
            return p;
    return NONE;
}

static unsigned pin_of(const struct chip8259 *c, unsigned prio)
{
    return (c->lowest + 1u + prio) & 7;
}

/* The pin this chip requests service for, or NONE. */
static unsigned request(const struct chip8259 *c)
{
    unsigned want = priority(c, c->irr & (uint8_t)~c->imr);
    uint8_t serving = c->isr;

    if (c->special_mask)
        serving &= (uint8_t)~c->imr;
    if (c->sfnm && !c->slave) /* the slave sorts its own pins out */
        serving &= (uint8_t) ~(1u << CASCADE);
    return want < priority(c, serving) ? pin_of(c, want) : NONE;
}

static void pic_irq(struct pic8259 *pic)
{
    struct chip8259 *m = &pic->chip[MASTER];
    bool cascade = request(&pic->chip[SLAVE]) != NONE;

    /* The slave's output falls and rises within an INTA; taking it as a level loses no edge. */
    m->irr = (uint8_t)((m->irr & ~(1u << CASCADE)) | (unsigned)cascade << CASCADE);
    pic->intr(pic->ctx, request(m) != NONE);
}

void pic8259_set(void *opaque, unsigned pin, bool level)
{
    struct pic8259 *pic = opaque;
    struct chip8259 *c = &pic->chip[(pin >> 3) & 1];
    uint8_t bit = (uint8_t)(1u << (pin & 7));

    if (pin > 15 || pin == CASCADE)
        return;
    if (!level)
        c->irr &= (uint8_t)~bit; /* an edge must stay high until its INTA (data sheet, "IR") */
    else if ((c->elcr & bit) || !(c->line & bit))
        c->irr |= bit;
    c->line = level ? c->line | bit : c->line & (uint8_t)~bit;
    pic_irq(pic);
}

bool pic8259_waits(const struct pic8259 *pic, unsigned pin)
{
    const struct chip8259 *c = &pic->chip[(pin >> 3) & 1];

    return (c->irr & ~c->imr) >> (pin & 7) & 1;
}

/* ---- INTA ---- */

static void eoi_pin(struct chip8259 *c, unsigned pin, bool rotate)
{
    c->isr &= (uint8_t) ~(1u << pin);
    if (rotate)
        c->lowest = (uint8_t)pin;
}

static void serve(struct chip8259 *c, unsigned pin)
{
    uint8_t bit = (uint8_t)(1u << pin);

    if (!(c->elcr & bit))
        c->irr &= (uint8_t)~bit;
    c->isr |= bit;
    if (c->aeoi)
        eoi_pin(c, pin, c->rotate_aeoi);
}

int pic8259_peek(const struct pic8259 *pic)
{
    const struct chip8259 *m = &pic->chip[MASTER], *s = &pic->chip[SLAVE];
    unsigned pin = request(m), sub;

    if (pin == NONE)
        return -1;
    if (pin != CASCADE)
        return m->base | (int)pin;
    sub = request(s);
    return s->base | (int)(sub == NONE ? 7 : sub);
}

uint8_t pic8259_ack(struct pic8259 *pic)
{
    struct chip8259 *m = &pic->chip[MASTER], *s = &pic->chip[SLAVE];
    unsigned pin = request(m), sub;
    uint8_t vector;

    if (pin == NONE)
        return m->base | 7; /* spurious: ISR is not set */
    serve(m, pin);
    vector = m->base | (uint8_t)pin;
    if (pin == CASCADE) {
        sub = request(s);
        vector = s->base | (uint8_t)(sub == NONE ? 7 : sub);
        if (sub != NONE)
            serve(s, sub);
    }
    pic_irq(pic);
    return vector;
}

/* ---- registers ---- */

static void write_icw1(struct chip8259 *c, uint8_t val)
{
    c->imr = c->isr = 0;
    c->irr = c->line & c->elcr; /* the edge sense circuit is reset */
    c->lowest = 7;
    c->special_mask = c->read_isr = c->poll = false;
    c->aeoi = c->rotate_aeoi = c->sfnm = false;
    c->need_icw4 = val & ICW1_ICW4;
    c->single = val & ICW1_SINGLE;
    c->icw = 2;
}

static void write_icw(struct chip8259 *c, uint8_t val)
{
    switch (c->icw) {
    case 2:
        c->base = val & 0xf8;
        c->icw = !c->single ? 3 : c->need_icw4 ? 4 : 0;
        break;
    case 3: /* the wiring is fixed: ICW3 has nothing to say */ c->icw = c->need_icw4 ? 4 : 0; break;
    default:
        c->aeoi = val & ICW4_AEOI;
        c->sfnm = val & ICW4_SFNM;
        c->icw = 0;
        break;
    }
}

static void write_ocw2(struct chip8259 *c, uint8_t val)
{
    unsigned prio = priority(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);

    switch (val & (OCW2_R | OCW2_SL | OCW2_EOI)) {
    case 0: c->rotate_aeoi = false; break;
    case OCW2_R: c->rotate_aeoi = true; break;
    case OCW2_EOI:
    case OCW2_EOI | OCW2_R:
        if (prio != NONE)
            eoi_pin(c, pin_of(c, prio), val & OCW2_R);
        break;
    case OCW2_EOI | OCW2_SL:
    case OCW2_EOI | OCW2_SL | OCW2_R: eoi_pin(c, val & 7, val & OCW2_R); break;
    case OCW2_SL | OCW2_R: c->lowest = val & 7; break;
    default: break; /* no operation */
    }
}

static void write_ocw3(struct chip8259 *c, uint8_t val)
{
    c->poll = val & OCW3_POLL;
    if (val & OCW3_RR)
        c->read_isr = val & OCW3_RIS;
    if (val & OCW3_ESMM)
        c->special_mask = val & OCW3_SMM;
}

static void pic_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct chip8259 *c = dev;
    uint8_t v = (uint8_t)val;

    (void)size;
    if (off == 1 && c->icw)
        write_icw(c, v);
    else if (off == 1)
        c->imr = v;
    else if (v & ICW1)
        write_icw1(c, v);
    else if (v & OCW3)
        write_ocw3(c, v);
    else
        write_ocw2(c, v);
    pic_irq(c->pic);
}

/* A poll is an INTA that answers with the pin's number. */
static uint8_t poll(struct chip8259 *c)
{
    unsigned pin = request(c);

    c->poll = false;
    if (pin == NONE)
        return 0;
    serve(c, pin);
    pic_irq(c->pic);
    return (uint8_t)(0x80 | pin);
}

static uint64_t pic_read(void *dev, uint64_t off, unsigned size)
{
    struct chip8259 *c = dev;

    (void)size;
    if (c->poll)
        return poll(c);
    if (off == 1)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}

static uint8_t elcr_mask(uint64_t off)
{
    return off ? 0xde : 0xf8; /* IRQ 0, 1, 2, 8 and 13 are always edge-triggered */
}

static void elcr_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pic8259 *pic = dev;
    struct chip8259 *c = &pic->chip[off & 1];

    (void)size;
    c->elcr = (uint8_t)val & elcr_mask(off);
    c->irr = (uint8_t)((c->irr & ~c->elcr) | (c->line & c->elcr));
    pic_irq(pic);
}

static uint64_t elcr_read(void *dev, uint64_t off, unsigned size)
{
    const struct pic8259 *pic = dev;

    (void)size;
    return pic->chip[off & 1].elcr;
}

static const struct io_ops pic_ops = {
    .read = pic_read, .write = pic_write, .sizes = 1, .split = true};
static const struct io_ops elcr_ops = {
    .read = elcr_read, .write = elcr_write, .sizes = 1, .split = true};

/* ---- state, reset, create ---- */

static void chip_state(struct chip8259 *c, struct state *st)
{
    state_u8(st, &c->line);
    state_u8(st, &c->irr);
    state_u8(st, &c->isr);
    state_u8(st, &c->imr);
    state_u8(st, &c->elcr);
    state_u8(st, &c->base);
    state_u8(st, &c->lowest);
    state_u8(st, &c->icw);
    state_bool(st, &c->need_icw4);
    state_bool(st, &c->single);
    state_bool(st, &c->aeoi);
    state_bool(st, &c->rotate_aeoi);
    state_bool(st, &c->sfnm);
    state_bool(st, &c->special_mask);
    state_bool(st, &c->poll);
    state_bool(st, &c->read_isr);
    state_check(st, c->lowest < 8 && (c->icw == 0 || (c->icw >= 2 && c->icw <= 4)));
    c->elcr &= elcr_mask(c->slave);
    c->base &= 0xf8;
    c->lowest &= 7;
}

static void pic8259_state(void *dev, struct state *st)
{
    struct pic8259 *pic = dev;

    state_section(st, "pic8259", 1);
    chip_state(&pic->chip[MASTER], st);
    chip_state(&pic->chip[SLAVE], st);
    if (st->load)
        pic_irq(pic);
}

/* The levels of the lines are their drivers' and stay. */
static void pic8259_reset(void *dev)
{
    struct pic8259 *pic = dev;

    for (unsigned i = 0; i < 2; i++) {
        struct chip8259 *c = &pic->chip[i];

        write_icw1(c, 0);
        c->icw = 0;
        c->imr = 0xff;
        c->base = i == MASTER ? 0x08 : 0x70;
        c->elcr = (uint8_t)(pic->level_pins >> (8 * i)) & elcr_mask(i);
        c->irr = c->line & c->elcr;
    }
    pic_irq(pic);
}

static void pic8259_destroy(void *dev)
{
    struct pic8259 *pic = dev;

    for (unsigned i = 0; i < 2; i++)
        bus_unmap(pic->env.bus, &pic->chip[i].ports);
    bus_unmap(pic->env.bus, &pic->elcr_ports);
    free(pic);
}

static int map_all(struct pic8259 *pic, const struct pic8259_at *at)
{
    int err = 0;

    for (unsigned i = 0; i < 2 && !err; i++) {
        struct chip8259 *c = &pic->chip[i];

        c->pic = pic;
        c->slave = i == SLAVE;
        c->ports = (struct io_region){.name = i == MASTER ? "pic-master" : "pic-slave",
                                      .ops = &pic_ops,
                                      .dev = c,
                                      .lock = pic->env.lock,
                                      .space = BUS_PIO,
                                      .base = i == MASTER ? at->master : at->slave,
                                      .len = 2};
        err = bus_map(pic->env.bus, &c->ports);
    }
    pic->elcr_ports = (struct io_region){.name = "pic-elcr",
                                         .ops = &elcr_ops,
                                         .dev = pic,
                                         .lock = pic->env.lock,
                                         .space = BUS_PIO,
                                         .base = at->elcr,
                                         .len = 2};
    if (!err && at->elcr)
        err = bus_map(pic->env.bus, &pic->elcr_ports);
    return err;
}

int pic8259_create(struct pic8259 **out, const struct dev_env *env, const struct pic8259_at *at,
                   void (*intr)(void *ctx, bool level), void *ctx)
{
    struct pic8259 *pic = calloc(1, sizeof(*pic));
    int err;

    if (!pic)
        return -ENOMEM;
    pic->env = *env;
    pic->intr = intr;
    pic->ctx = ctx;
    pic->level_pins = at->level_pins;
    err = map_all(pic, at);
    if (err) {
        pic8259_destroy(pic);
        return err;
    }
    pic8259_reset(pic);
    *out = pic;
    return 0;
}

const struct dev_class pic8259_class = {
    .name = "pic8259",
    .summary = "two Intel 8259A interrupt controllers in cascade",
    .reset = pic8259_reset,
    .state = pic8259_state,
    .destroy = pic8259_destroy,
};
