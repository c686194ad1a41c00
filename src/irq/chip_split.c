/*
 * The interrupt controllers when the engine keeps the local APICs ("split", core/apics.h): messages
 * go there, the PIC's vector is taken by whichever vCPU the engine says has LINT0 open for it, and
 * a level-triggered pin hears of its EOI from the engine. Intel SDM volume 3, "Message Address
 * Register Format" and "Message Data Register Format" for what a message looks like outside.
 *
 * A message of a PCI function that comes a second time in a row gets a way of its own: an eventfd
 * whose signal the kernel turns into the interrupt. Not the first time, since making one costs more
 * than some messages sent, and a guest may change them at will.
 */
#include "core/ledger.h"
#include "core/state.h"
#include "irq/chip_impl.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MSI_ADDR       0xfee00000ull
#define MSI_DEST_SHIFT 12
#define MSI_LOGICAL    (1u << 2)
#define MSI_MODE(data) ((data) >> 8 & 7)
#define MSI_MODE_SHIFT 8
#define MSI_ASSERT     (1u << 14)
#define MSI_LEVEL      (1u << 15)

enum {
    ID = 0x20,
    DFR = 0xe0,
    SVR = 0xf0,
    LVT_CMCI = 0x2f0,
    LVT = 0x320,
    LINT0 = 0x350,
    LINT1 = 0x360
};
enum { LVTS = 6, MASKED = 0x10000, SVR_RESET = 0xff, SVR_ENABLED = 0x100 };

/* ---- messages ---- */

static uint64_t addr_of(const struct apic_msg *m)
{
    return MSI_ADDR | (uint64_t)m->dest << MSI_DEST_SHIFT | (m->logical ? MSI_LOGICAL : 0);
}

static uint32_t data_of(const struct apic_msg *m)
{
    return m->vector | (uint32_t)m->mode << MSI_MODE_SHIFT |
           (m->level ? MSI_LEVEL | MSI_ASSERT : 0);
}

/* The same that lapic_msg.c accepts: no SMI, no start-up by message, ExtINT by LINT0 only. */
static bool mode_known(unsigned mode)
{
    return mode == APIC_FIXED || mode == APIC_LOWEST || mode == APIC_NMI || mode == APIC_INIT;
}

static bool message_send(const struct chip *c, uint64_t addr, uint32_t data)
{
    const struct apics *a = c->o.apics;

    return a->ctx && mode_known(MSI_MODE(data)) && a->ops->send(a->ctx, addr, data);
}

bool chip_split_deliver(struct chip *c, const struct apic_msg *msg)
{
    return message_send(c, addr_of(msg), data_of(msg));
}

void chip_split_pin(void *chip, unsigned pin, const struct apic_msg *msg)
{
    const struct apics *a = ((struct chip *)chip)->o.apics;

    if (a->ctx)
        a->ops->pin(a->ctx, pin, addr_of(msg), data_of(msg));
}

/* ---- ways ---- */

static void way_try(struct chip *c, struct msi_way *w)
{
    const struct apics *a = c->o.apics;
    bool plain = MSI_MODE(w->data) <= APIC_LOWEST;

    w->is = a->ctx && plain && a->ops->way_open(a->ctx, w) == 0 ? MSI_WAY_OPEN : MSI_WAY_REFUSED;
}

void chip_split_send_by(void *chip, struct msi_way *w, uint64_t addr, uint32_t data)
{
    struct chip *c = chip;
    uint64_t one = 1;

    if (!chip_msi_known(c, addr))
        return;
    if (w->is == MSI_WAY_NONE || w->addr != addr || w->data != data) {
        w->addr = addr;
        w->data = data;
        w->is = MSI_WAY_SEEN;
    } else if (w->is == MSI_WAY_SEEN) {
        way_try(c, w);
    }
    if (w->is == MSI_WAY_OPEN && write(w->fd, &one, sizeof(one)) == sizeof(one)) {
        if (w->row)
            ledger_add(w->row, true, 0);
        return;
    }
    (void)message_send(c, addr, data);
}

void chip_split_way_close(void *chip, struct msi_way *w)
{
    const struct apics *a = ((struct chip *)chip)->o.apics;

    if (a->ctx)
        a->ops->way_close(a->ctx, w);
    w->is = MSI_WAY_NONE;
    w->gsi = 0;
}

/* ---- the PIC ---- */

/* Any CPU whose LINT0 is open may take it: which, the engine knows. */
void chip_split_intr(struct chip *c)
{
    int now = c->intr ? pic8259_peek(c->pic) : -1;

    for (unsigned i = 0; i < c->o.vcpus; i++) {
        int was = __atomic_exchange_n(&c->ready[i], now, __ATOMIC_ACQ_REL);

        if (now >= 0 && now != was)
            c->o.kick(c->o.ctx, i);
    }
}

static int split_pending(void *ctl, unsigned vcpu)
{
    const struct chip *c = ctl;

    return __atomic_load_n(&c->ready[vcpu], __ATOMIC_ACQUIRE);
}

static int split_ack(void *ctl, unsigned vcpu)
{
    struct chip *c = ctl;
    int vector = -1;

    pthread_mutex_lock(c->env.lock);
    if (c->intr)
        vector = pic8259_ack(c->pic);
    if (vector >= 0)
        chip_count_taken(c, vcpu, vector);
    chip_split_intr(c);
    pthread_mutex_unlock(c->env.lock);
    return vector;
}

static void split_eoi(void *ctl, unsigned vcpu, uint8_t vector)
{
    struct chip *c = ctl;

    (void)vcpu;
    pthread_mutex_lock(c->env.lock);
    chip_level_eoi(c, vector);
    pthread_mutex_unlock(c->env.lock);
}

/* SDM 3, "Local APIC State After Power-Up or Reset", and what PC firmware leaves at CPU 0. */
static void split_lapic(void *ctl, unsigned vcpu, uint8_t *page)
{
    const struct chip *c = ctl;
    bool wired = c->o.virtual_wire && vcpu == 0;

    memset(page, 0, INTR_LAPIC_PAGE);
    le32_put(page + ID, vcpu << 24);
    le32_put(page + DFR, UINT32_MAX);
    le32_put(page + SVR, SVR_RESET | (wired ? SVR_ENABLED : 0));
    le32_put(page + LVT_CMCI, MASKED);
    for (unsigned i = 0; i < LVTS; i++)
        le32_put(page + LVT + i * 16, MASKED);
    if (wired) {
        le32_put(page + LINT0, APIC_EXTINT << 8);
        le32_put(page + LINT1, APIC_NMI << 8);
    }
}

const struct intr_ops chip_split_ops = {
    .pending = split_pending,
    .ack = split_ack,
    .eoi = split_eoi,
    .lapic = split_lapic,
};

/* ---- state ---- */

/* A page is judged by the engine that takes it. */
void chip_split_state(struct chip *c, struct state *st)
{
    const struct apics *a = c->o.apics;

    state_section(st, "lapic-engine", 1);
    for (unsigned i = 0; i < c->o.vcpus && !st->err; i++) {
        uint8_t page[INTR_LAPIC_PAGE] = {0};
        bool ok = a->ctx && (st->load || a->ops->page(a->ctx, i, page, false) == 0);

        state_bytes(st, page, sizeof(page));
        if (ok && st->load && !st->err)
            ok = a->ops->page(a->ctx, i, page, true) == 0;
        state_check(st, ok);
    }
}
