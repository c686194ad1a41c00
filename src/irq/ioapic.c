/*
 * I/O APIC, after the Intel 82093AA data sheet (290566), with the version number and EOI register
 * (offset 0x40) of the ICH family. A line is handed over as "asserted", so the polarity bit is
 * plain storage. An edge that comes while its entry is masked is lost, as in hardware.
 * Left out: ExtINT and SMI entries (such a message finds no taker), the arbitration bus.
 */
#include "irq/ioapic.h"
#include "bus/bus.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40, WINDOW = 0x1000 };
enum { IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10 };
#define VERSION 0x20u
/* A redirection entry; bits 12 (delivery status, always idle) and 14 are read-only. */
#define RTE_LOGICAL    (1u << 11)
#define RTE_REMOTE_IRR (1u << 14)
#define RTE_LEVEL      (1u << 15)
#define RTE_MASKED     (1u << 16)
#define RTE_WRITABLE   0xff0000000001afffull

struct ioapic {
    uint64_t rte[IOAPIC_PINS];
    uint32_t level; /* what the lines are at: bit n = pin n asserted */
    uint8_t id, reset_id, select;
    struct dev_env env;
    struct io_region regs;
    bool (*deliver)(void *ctx, const struct apic_msg *msg);
    void (*tell)(void *ctx, unsigned pin, const struct apic_msg *msg); /* or NULL */
    void *ctx;
};

static struct apic_msg pin_msg(const struct ioapic *io, unsigned pin)
{
    uint64_t rte = io->rte[pin];

    return (struct apic_msg){
        .vector = (uint8_t)rte,
        .mode = (uint8_t)(rte >> 8 & 7),
        .dest = (uint8_t)(rte >> 56),
        .logical = rte & RTE_LOGICAL,
        .level = rte & RTE_LEVEL,
    };
}

static bool pin_send(struct ioapic *io, unsigned pin)
{
    struct apic_msg msg = pin_msg(io, pin);

    return io->deliver(io->ctx, &msg);
}

/* A masked entry sends nothing new: what it last sent may still wait for its EOI. */
static void pin_tell(struct ioapic *io, unsigned pin)
{
    struct apic_msg msg = pin_msg(io, pin);

    if (io->tell && (io->rte[pin] & (RTE_LEVEL | RTE_MASKED)) == RTE_LEVEL)
        io->tell(io->ctx, pin, &msg);
}

void ioapic_tell(struct ioapic *io,
                 void (*pin)(void *ctx, unsigned pin, const struct apic_msg *msg))
{
    io->tell = pin;
}

/* A level line asks as long as it is high, its entry open, and no EOI outstanding. */
static void pin_irq(struct ioapic *io, unsigned pin)
{
    uint64_t rte = io->rte[pin];

    if (!(rte & RTE_LEVEL) || (rte & (RTE_MASKED | RTE_REMOTE_IRR)) || !(io->level >> pin & 1))
        return;
    /* Set first: delivery may come back here through a local APIC. */
    io->rte[pin] |= RTE_REMOTE_IRR;
    if (!pin_send(io, pin))
        io->rte[pin] &= ~(uint64_t)RTE_REMOTE_IRR;
}

void ioapic_set(void *opaque, unsigned pin, bool level)
{
    struct ioapic *io = opaque;
    bool was;

    if (pin >= IOAPIC_PINS)
        return;
    was = io->level >> pin & 1;
    io->level = (io->level & ~(1u << pin)) | (uint32_t)level << pin;
    if (io->rte[pin] & RTE_LEVEL)
        pin_irq(io, pin);
    else if (level && !was && !(io->rte[pin] & RTE_MASKED))
        pin_send(io, pin);
}

int ioapic_edge_vector(const struct ioapic *io, unsigned pin)
{
    uint64_t rte = pin < IOAPIC_PINS ? io->rte[pin] : RTE_MASKED;

    return (rte & (RTE_MASKED | RTE_LEVEL)) || (rte >> 8 & 7) > APIC_LOWEST ? -1 : (uint8_t)rte;
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if ((uint8_t)io->rte[pin] != vector || !(io->rte[pin] & RTE_REMOTE_IRR))
            continue;
        io->rte[pin] &= ~(uint64_t)RTE_REMOTE_IRR;
        pin_irq(io, pin);
    }
}

/* ---- registers ---- */

static void rte_write(struct ioapic *io, unsigned half, uint32_t val)
{
    unsigned pin = half / 2, shift = half % 2 * 32;
    uint64_t mask = (RTE_WRITABLE >> shift & UINT32_MAX) << shift;
    uint64_t *rte = &io->rte[pin];

    *rte = (*rte & ~mask) | ((uint64_t)val << shift & mask);
    if (!(*rte & RTE_LEVEL)) /* how OSes clear it where there is no EOI register */
        *rte &= ~(uint64_t)RTE_REMOTE_IRR;
    pin_tell(io, pin);
    pin_irq(io, pin);
}

static void window_write(struct ioapic *io, uint32_t val)
{
    if (io->select == IOAPICID)
        io->id = val >> 24 & 0xf;
    else if (io->select >= IOREDTBL && io->select < IOREDTBL + 2 * IOAPIC_PINS)
        rte_write(io, io->select - IOREDTBL, val);
}

static uint32_t window_read(const struct ioapic *io)
{
    unsigned half = io->select - IOREDTBL;

    switch (io->select) {
    case IOAPICID:
    case IOAPICARB: return (uint32_t)io->id << 24;
    case IOAPICVER: return VERSION | (IOAPIC_PINS - 1) << 16;
    default: break;
    }
    if (io->select < IOREDTBL || half >= 2 * IOAPIC_PINS)
        return 0;
    return (uint32_t)(io->rte[half / 2] >> (half % 2 * 32));
}

static void ioapic_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ioapic *io = dev;

    (void)size;
    switch (off) {
    case IOREGSEL: io->select = (uint8_t)val; break;
    case IOWIN: window_write(io, (uint32_t)val); break;
    case IOEOI: ioapic_eoi(io, (uint8_t)val); break;
    default: break;
    }
}

static uint64_t ioapic_read(void *dev, uint64_t off, unsigned size)
{
    const struct ioapic *io = dev;

    (void)size;
    switch (off) {
    case IOREGSEL: return io->select;
    case IOWIN: return window_read(io);
    default: return 0;
    }
}

static const struct io_ops ioapic_ops = {.read = ioapic_read, .write = ioapic_write, .sizes = 4};

/* ---- state, reset, create ---- */

static void ioapic_state(void *dev, struct state *st)
{
    struct ioapic *io = dev;

    state_section(st, "ioapic", 1);
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        state_u64(st, &io->rte[i]);
        io->rte[i] &= RTE_WRITABLE | RTE_REMOTE_IRR;
    }
    state_u32(st, &io->level);
    state_u8(st, &io->id);
    state_u8(st, &io->select);
    io->level &= (1u << IOAPIC_PINS) - 1;
    io->id &= 0xf;
    for (unsigned i = 0; st->load && i < IOAPIC_PINS; i++)
        pin_tell(io, i);
}

static void ioapic_reset(void *dev)
{
    struct ioapic *io = dev;

    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        io->rte[i] = RTE_MASKED;
    io->select = 0;
    io->id = io->reset_id;
}

static void ioapic_destroy(void *dev)
{
    struct ioapic *io = dev;

    bus_unmap(io->env.bus, &io->regs);
    free(io);
}

int ioapic_create(struct ioapic **out, const struct dev_env *env, uint64_t base, uint8_t id,
                  bool (*deliver)(void *ctx, const struct apic_msg *msg), void *ctx)
{
    struct ioapic *io = calloc(1, sizeof(*io));
    int err;

    if (!io)
        return -ENOMEM;
    io->env = *env;
    io->reset_id = id & 0xf;
    io->deliver = deliver;
    io->ctx = ctx;
    io->regs = (struct io_region){.name = "ioapic",
                                  .ops = &ioapic_ops,
                                  .dev = io,
                                  .lock = env->lock,
                                  .space = BUS_MMIO,
                                  .base = base,
                                  .len = WINDOW};
    err = bus_map(env->bus, &io->regs);
    if (err) {
        free(io);
        return err;
    }
    ioapic_reset(io);
    *out = io;
    return 0;
}

const struct dev_class ioapic_class = {
    .name = "ioapic",
    .summary = "I/O APIC, 24 pins",
    .reset = ioapic_reset,
    .state = ioapic_state,
    .destroy = ioapic_destroy,
};
