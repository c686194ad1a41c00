/*
 * Programmable interval timer 8254, after the Intel 8254 data sheet (231164), "Mode Definitions",
 * and port B of the PC (IBM PS/2 Technical Reference, "System Control Port B").
 *
 * A counter is not stepped: its value and output follow from the VM time since it was loaded.
 * Only channel 0's rising edges need a timer. A host that is busy keeps guests from taking them in
 * time, and a guest that counts them (Linux does, to see if its timer works, and panics) would see
 * some merged into one. So a periodic edge that would be lost is owed, and follows as soon as the
 * one before it was taken; OWED_MAX of them: what was programmed arrives, late. Simplifications: a
 * new count takes effect at once, also in modes 2 and 3 (hardware waits for the end of the half
 * period); an edge in mode 2, 4 or 5 is a low pulse of no length.
 */
#include "dev/pit8254.h"
#include "bus/bus.h"
#include "core/loop.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>

enum { CHANNELS = 3, SPEAKER = 2, CONTROL = 3, PORTS = 4 };
enum { RW_LATCH = 0, RW_LSB = 1, RW_MSB = 2, RW_WORD = 3, READ_BACK = 3 };
enum { RB_NO_COUNT = 0x20, RB_NO_STATUS = 0x10, STATUS_OUT = 0x80, STATUS_NULL = 0x40 };
enum { B_GATE = 0x01, B_SPEAKER = 0x02, B_REFRESH = 0x10, B_OUT2 = 0x20, B_WRITABLE = 0x0f };
#define NS           1000000000ull
#define PERIOD_FLOOR 20000u       /* ns between interrupts, whatever count the guest loads */
#define OWED_MAX     16u          /* edges that may follow late: 64 ms of a 250 Hz timer */
#define OWED_PERIOD  100000u      /* ns: faster ones are nobody's clock, and would leave no time */
#define AGE_MAX      (1ull << 60) /* of a loaded count, ns or ticks: 36 years; sums can't overflow */
#define REFRESH_NS   15085u       /* DRAM refresh requests, toggling port B bit 4 */

struct channel {
    uint8_t control; /* RW, mode, BCD as in the control word's low six bits */
    uint32_t count;  /* 1..65536 */
    bool loaded;     /* a count was written since the control word */
    bool running;    /* gate and trigger allow it to count */
    bool gate;
    int64_t start; /* VM time of the load or trigger, while running; loaded state may be older */
    uint64_t held; /* ticks counted when the gate stopped it */
    uint8_t low;   /* first byte of a two-byte write */
    bool write_high, read_high;
    uint16_t latch;
    uint8_t latched; /* bytes of the latch still to be read, 0..2 */
    uint8_t status;
    bool status_latched;
};

struct pit8254 {
    struct channel ch[CHANNELS];
    uint8_t port_b;
    uint64_t due; /* channel 0's next rising edge; 0: none */
    uint8_t owed; /* edges of the past that nobody has seen yet */
    struct dev_env env;
    struct loop_timer timer;
    struct io_region ports, port_b_region;
};

static unsigned mode(const struct channel *c)
{
    unsigned m = c->control >> 1 & 7;

    return m > 5 ? m - 4 : m; /* 6 and 7 are 2 and 3 again */
}

static unsigned rw(const struct channel *c)
{
    return c->control >> 4 & 3;
}

/* ---- time ---- */

static uint64_t to_ticks(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * PIT8254_HZ / NS);
}

static uint64_t to_ns(uint64_t ticks) /* rounded up: at that time the tick has happened */
{
    return (uint64_t)(((unsigned __int128)ticks * NS + PIT8254_HZ - 1) / PIT8254_HZ);
}

static uint64_t elapsed(const struct channel *c, uint64_t now)
{
    return c->held + (c->running ? to_ticks(now - (uint64_t)c->start) : 0);
}

static bool periodic(const struct channel *c)
{
    return mode(c) == 2 || mode(c) == 3;
}

static bool out(const struct channel *c, uint64_t now)
{
    uint64_t t = elapsed(c, now);

    switch (mode(c)) {
    case 0: return c->loaded && t >= c->count;
    case 1: return !c->running || t >= c->count;
    case 3: /* high for the longer half of an odd count; high while the gate is low */
        return !c->running || t % c->count < (c->count + 1) / 2;
    default: return true; /* 2, 4, 5: low for one tick, which nobody can observe in time */
    }
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static uint32_t from_bcd(uint16_t v) /* digits above 9 count as they stand, as in hardware */
{
    return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u + (v & 15);
}

static uint16_t current(const struct channel *c, uint64_t now)
{
    bool bcd = c->control & 1;
    uint64_t t = elapsed(c, now), wrap = bcd ? 10000 : 0x10000;
    uint32_t n;

    if (mode(c) == 3) /* counts down by two, twice a period */
        n = c->count - (uint32_t)(t * 2 % c->count & ~1ull);
    else if (mode(c) == 2)
        n = c->count - (uint32_t)(t % c->count);
    else /* wraps round after the terminal count */
        n = (uint32_t)((c->count + wrap - t % wrap) % wrap);
    return bcd ? to_bcd(n) : (uint16_t)n;
}

/* ---- channel 0's interrupt ---- */

/* VM time of the first rising edge after now, 0 if there is none. */
static uint64_t next_edge(const struct channel *c, uint64_t now)
{
    uint64_t t = elapsed(c, now), at = c->count;

    if (!c->running || !c->loaded)
        return 0;
    if (periodic(c))
        at = (t / c->count + 1) * c->count;
    else if (t >= c->count)
        return 0;
    return (uint64_t)c->start + to_ns(at - c->held);
}

static void arm(struct pit8254 *p, uint64_t now, uint64_t floor)
{
    p->due = next_edge(&p->ch[0], now);
    if (p->due && p->due < floor)
        p->due = floor;
    if (p->due)
        loop_timer_set(&p->timer, p->due);
    else
        loop_timer_stop(&p->timer);
}

static void pit_irq(struct pit8254 *p, uint64_t now)
{
    const struct channel *c = &p->ch[0];

    /* Mode 3's falling edge moves no interrupt controller: the line stays up between pulses. */
    irq_set(&p->env.irq, periodic(c) || out(c, now));
}

/* Are lost edges owed? */
static bool counted(const struct pit8254 *p)
{
    const struct channel *c = &p->ch[0];

    return periodic(c) && p->env.irq.waits && to_ns(c->count) >= OWED_PERIOD;
}

static void pit_look(void *dev)
{
    struct pit8254 *p = dev;

    if (!p->owed || (p->env.irq.waits && p->env.irq.waits(p->env.irq.chip, p->env.irq.pin)))
        return;
    p->owed--;
    irq_set(&p->env.irq, false);
    irq_set(&p->env.irq, true);
}

static void pit_fire(void *dev)
{
    struct pit8254 *p = dev;
    uint64_t now = loop_now(p->env.loop), owed = p->owed + 1u;

    if (counted(p) && now > p->due)
        owed += to_ticks(now - p->due) / p->ch[0].count;
    p->owed = (uint8_t)(owed < OWED_MAX ? owed : OWED_MAX);
    pit_look(p);
    if (!counted(p))
        p->owed = 0;
    arm(p, now, now + PERIOD_FLOOR);
}

/* One instant for the line and the edge to come: a count that ends between two looks has neither.
 */
static void changed(struct pit8254 *p, const struct channel *c, uint64_t now)
{
    if (c != &p->ch[0])
        return;
    p->owed = 0;
    pit_irq(p, now);
    arm(p, now, 0);
}

/* ---- writes ---- */

static void trigger(struct channel *c, uint64_t now)
{
    c->held = 0;
    c->start = (int64_t)now;
    c->running = true;
}

static void load(struct pit8254 *p, struct channel *c, uint16_t val)
{
    uint32_t n = c->control & 1 ? from_bcd(val) : val;
    uint64_t now = loop_now(p->env.loop);
    bool by_gate = mode(c) == 1 || mode(c) == 5; /* there, the gate's rising edge starts it */

    c->count = n ? n : c->control & 1 ? 10000 : 0x10000;
    c->loaded = true;
    if (!by_gate) {
        trigger(c, now);
        c->running = c->gate;
    }
    changed(p, c, now);
}

static void count_write(struct pit8254 *p, struct channel *c, uint8_t val)
{
    switch (rw(c)) {
    case RW_LSB: load(p, c, val); break;
    case RW_MSB: load(p, c, (uint16_t)(val << 8)); break;
    default:
        c->write_high = !c->write_high;
        if (c->write_high)
            c->low = val;
        else
            load(p, c, (uint16_t)(val << 8 | c->low));
        break;
    }
}

static void latch_count(const struct pit8254 *p, struct channel *c)
{
    if (c->latched) /* a second latch before the first is read is ignored */
        return;
    c->latch = current(c, loop_now(p->env.loop));
    c->latched = rw(c) == RW_WORD ? 2 : 1;
    if (rw(c) == RW_MSB)
        c->latch >>= 8;
}

static void latch_status(const struct pit8254 *p, struct channel *c)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)(c->control | (out(c, loop_now(p->env.loop)) ? STATUS_OUT : 0) |
                          (c->loaded ? 0 : STATUS_NULL));
    c->status_latched = true;
}

static void read_back(const struct pit8254 *p, struct channel *ch, uint8_t val)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (!(val >> (i + 1) & 1))
            continue;
        if (!(val & RB_NO_COUNT))
            latch_count(p, &ch[i]);
        if (!(val & RB_NO_STATUS))
            latch_status(p, &ch[i]);
    }
}

static void control_write(struct pit8254 *p, uint8_t val)
{
    struct channel *c;

    if (val >> 6 == READ_BACK) {
        read_back(p, p->ch, val);
        return;
    }
    c = &p->ch[val >> 6];
    if ((val >> 4 & 3) == RW_LATCH) {
        latch_count(p, c);
        return;
    }
    c->control = val & 0x3f;
    c->loaded = c->running = c->write_high = c->read_high = c->status_latched = false;
    c->latched = 0;
    c->held = 0;
    changed(p, c, loop_now(p->env.loop));
}

static void pit_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pit8254 *p = dev;

    (void)size;
    if (off == CONTROL)
        control_write(p, (uint8_t)val);
    else
        count_write(p, &p->ch[off], (uint8_t)val);
}

/* ---- reads: a latched status first, then a latched count, then the count as it runs ---- */

static uint8_t latch_read(struct channel *c)
{
    uint8_t val = (uint8_t)c->latch;

    c->latch >>= 8;
    c->latched--;
    return val;
}

static uint64_t pit_read(void *dev, uint64_t off, unsigned size)
{
    struct pit8254 *p = dev;
    struct channel *c = &p->ch[off % CHANNELS];
    uint16_t now;

    (void)size;
    if (off == CONTROL)
        return 0xff; /* write-only */
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched)
        return latch_read(c);
    now = current(c, loop_now(p->env.loop));
    if (rw(c) == RW_WORD)
        c->read_high = !c->read_high;
    return rw(c) == RW_MSB || (rw(c) == RW_WORD && !c->read_high) ? now >> 8 : now & 0xff;
}

/* ---- port B ---- */

static void gate_set(struct channel *c, bool gate, uint64_t now)
{
    bool rose = gate && !c->gate, fell = !gate && c->gate;
    bool edge = mode(c) == 1 || mode(c) == 5;

    c->gate = gate;
    if (!c->loaded)
        return;
    if (rose && (edge || periodic(c))) { /* starts from the full count */
        trigger(c, now);
    } else if (rose) {
        c->start = (int64_t)now;
        c->running = true;
    } else if (fell && !edge) {
        c->held = periodic(c) ? 0 : elapsed(c, now);
        c->running = false;
    }
}

static uint64_t port_b_read(void *dev, uint64_t off, unsigned size)
{
    const struct pit8254 *p = dev;
    uint64_t now = loop_now(p->env.loop);

    (void)off, (void)size;
    return p->port_b | (now / REFRESH_NS & 1 ? B_REFRESH : 0u) |
           (out(&p->ch[SPEAKER], now) ? B_OUT2 : 0u);
}

static void port_b_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pit8254 *p = dev;

    (void)off, (void)size;
    p->port_b = val & B_WRITABLE;
    gate_set(&p->ch[SPEAKER], val & B_GATE, loop_now(p->env.loop));
}

static const struct io_ops pit_ops = {
    .read = pit_read, .write = pit_write, .sizes = 1, .split = true};
static const struct io_ops port_b_ops = {.read = port_b_read, .write = port_b_write, .sizes = 1};

/* ---- state, reset, create ---- */

/* Time goes into the stream as the count's age: VM time is another one after a load. */
static void channel_state(struct channel *c, struct state *st, uint64_t now)
{
    uint64_t age = c->running ? now - (uint64_t)c->start : 0;

    state_u8(st, &c->control);
    state_u32(st, &c->count);
    state_bool(st, &c->loaded);
    state_bool(st, &c->running);
    state_bool(st, &c->gate);
    state_u64(st, &age);
    state_u64(st, &c->held);
    state_u8(st, &c->low);
    state_bool(st, &c->write_high);
    state_bool(st, &c->read_high);
    state_u16(st, &c->latch);
    state_u8(st, &c->latched);
    state_u8(st, &c->status);
    state_bool(st, &c->status_latched);
    c->control &= 0x3f;
    state_check(st, c->latched <= 2 && c->count >= 1 && c->count <= 0x10000);
    state_check(st, age <= AGE_MAX && c->held <= AGE_MAX);
    if (!st->load)
        return;
    if (st->err)
        *c = (struct channel){.control = 0x36, .count = 0x10000};
    else
        c->start = (int64_t)(now - age);
}

static void pit_state(void *dev, struct state *st)
{
    struct pit8254 *p = dev;
    uint64_t now = loop_now(p->env.loop);

    state_section(st, "pit8254", 1);
    for (unsigned i = 0; i < CHANNELS; i++)
        channel_state(&p->ch[i], st, now);
    state_u8(st, &p->port_b);
    p->port_b &= B_WRITABLE;
    if (st->load)
        changed(p, &p->ch[0], now);
}

static void pit_reset(void *dev)
{
    struct pit8254 *p = dev;

    /* Real ones wake up in no defined state: mode 3, word access, nothing loaded, nothing runs. */
    for (unsigned i = 0; i < CHANNELS; i++)
        p->ch[i] = (struct channel){.control = 0x36, .count = 0x10000, .gate = i != SPEAKER};
    p->port_b = 0;
    changed(p, &p->ch[0], loop_now(p->env.loop));
}

static void pit_destroy(void *dev)
{
    struct pit8254 *p = dev;

    if (p->env.irq.watch)
        p->env.irq.watch(p->env.irq.chip, p->env.irq.pin, NULL, NULL);
    loop_timer_stop(&p->timer);
    bus_unmap(p->env.bus, &p->ports);
    bus_unmap(p->env.bus, &p->port_b_region);
    free(p);
}

int pit8254_create(struct pit8254 **pit, const struct dev_env *env, uint64_t base, uint64_t port_b)
{
    struct pit8254 *p = calloc(1, sizeof(*p));
    int err;

    if (!p)
        return -ENOMEM;
    p->env = *env;
    loop_timer_init(&p->timer, env->loop, pit_fire, p);
    p->ports = (struct io_region){.name = "pit",
                                  .ops = &pit_ops,
                                  .dev = p,
                                  .lock = env->lock,
                                  .space = BUS_PIO,
                                  .base = base,
                                  .len = PORTS};
    p->port_b_region = p->ports;
    p->port_b_region.name = "port-b";
    p->port_b_region.ops = &port_b_ops;
    p->port_b_region.base = port_b;
    p->port_b_region.len = 1;
    err = bus_map(env->bus, &p->ports);
    if (!err && port_b)
        err = bus_map(env->bus, &p->port_b_region);
    if (err) {
        pit_destroy(p);
        return err;
    }
    pit_reset(p);
    if (env->irq.watch)
        env->irq.watch(env->irq.chip, env->irq.pin, pit_look, p);
    *pit = p;
    return 0;
}

const struct dev_class pit8254_class = {
    .name = "pit8254",
    .summary = "8254 interval timer and port B",
    .reset = pit_reset,
    .state = pit_state,
    .destroy = pit_destroy,
};
