/*
 * Interrupts of the 82540EM: manual 3.2.7 (receive), 3.4.3 (transmit), 13.4.17-21 (ICR, ITR, ICS,
 * IMS, IMC). ICR collects causes, IMS lets them through, reading ICR clears it. Three things hold
 * a cause or the interrupt back: TIDV/TADV for descriptors with IDE, RDTR/RADV for frames, and ITR,
 * the least time between two interrupts. A delayed cause has a due time and no timer of its own:
 * whoever looks at ICR later finds it there. One timer is set only when the line would rise by
 * itself, so a driver that polls with its interrupt masked costs none. A stream of short frames
 * would still set it every few microseconds (Linux asks for 8), and each time costs two thread
 * switches, the lock and an interrupt: so a delayed TXDW is not due within TX_FLOOR of the last.
 */
#include "core/state.h"
#include "dev/e1000_impl.h"

#define ITR_NS   256u
#define DELAY_NS 1024u
#define TX_FLOOR 100000u
/* Nothing a register can hold delays longer: 65535 * 1.024 us. */
#define DELAY_MAX (65536u * DELAY_NS)

static uint64_t delay(const struct e1000 *e, unsigned off)
{
    return (uint64_t)(e1000_get(e, off) & 0xffff) * DELAY_NS;
}

static uint64_t now(const struct e1000 *e)
{
    return loop_now(e->pci.env.loop);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* Delayed causes whose time has come. */
static void ripen(struct e1000 *e)
{
    struct e1000_irq *q = &e->irq;
    uint64_t t;

    if (!q->tx_due && !q->rx_due)
        return;
    t = now(e);
    if (q->tx_due && q->tx_due <= t) {
        *e1000_at(e, ICR) |= INT_TXDW;
        q->tx_due = q->tx_last = 0;
        q->tx_floor = t + TX_FLOOR;
    }
    if (q->rx_due && q->rx_due <= t) {
        *e1000_at(e, ICR) |= INT_RXT0;
        q->rx_due = q->rx_last = 0;
    }
}

static void level_set(struct e1000 *e, bool level)
{
    e->irq.level = level;
    pci_intx(&e->pci, level); /* which keeps it from the pin while MSI is enabled */
    if (level)
        pci_msi_send(&e->msi);
}

static void arm(struct e1000 *e, uint64_t at)
{
    struct loop_timer *t = &e->irq.timer;

    if (e1000_get(e, ITR) && at && at < e->irq.open)
        at = e->irq.open;
    if (at && (!t->due || at < t->due)) /* one that fires early looks again */
        loop_timer_set(t, at);
}

static void irq_rise(struct e1000 *e)
{
    uint64_t itr = (uint64_t)e1000_get(e, ITR) * ITR_NS;
    uint64_t t = itr ? now(e) : 0;

    if (itr && t < e->irq.open) {
        arm(e, e->irq.open);
        return;
    }
    e->irq.open = t + itr;
    level_set(e, true);
}

static void irq_update(struct e1000 *e)
{
    const struct e1000_irq *q = &e->irq;
    uint32_t ims = e1000_get(e, IMS);
    bool pending;

    ripen(e);
    pending = e1000_get(e, ICR) & ims;
    if (!pending && q->level)
        level_set(e, false);
    if (pending && !q->level)
        irq_rise(e);
    if (!pending)
        arm(e, earlier(ims & INT_TXDW ? q->tx_due : 0, ims & INT_RXT0 ? q->rx_due : 0));
}

void e1000_irq_timer(void *arg)
{
    irq_update(arg);
}

/* ---- causes ---- */

void e1000_cause(struct e1000 *e, uint32_t causes)
{
    *e1000_at(e, ICR) |= causes;
    irq_update(e);
}

/* Starts the delay again, but not beyond what the first one of a series was promised. */
static uint64_t delay_again(struct e1000 *e, unsigned pause, unsigned limit, uint64_t *last)
{
    uint64_t t = now(e), due = t + delay(e, pause);

    if (!*last)
        *last = delay(e, limit) ? t + delay(e, limit) : UINT64_MAX;
    return due < *last ? due : *last;
}

void e1000_cause_tx(struct e1000 *e, bool delayed)
{
    struct e1000_irq *q = &e->irq;

    if (!delayed || !delay(e, TIDV)) {
        q->tx_due = q->tx_last = 0;
        e1000_cause(e, INT_TXDW);
    } else if (!(e1000_get(e, ICR) & INT_TXDW)) {
        q->tx_due = delay_again(e, TIDV, TADV, &q->tx_last);
        if (q->tx_due < q->tx_floor)
            q->tx_due = q->tx_floor;
        irq_update(e);
    }
}

void e1000_cause_rx(struct e1000 *e)
{
    struct e1000_irq *q = &e->irq;

    if (!delay(e, RDTR)) {
        q->rx_due = q->rx_last = 0;
        e1000_cause(e, INT_RXT0);
    } else if (!(e1000_get(e, ICR) & INT_RXT0)) {
        q->rx_due = delay_again(e, RDTR, RADV, &q->rx_last);
        irq_update(e);
    }
}

/* ---- registers ---- */

uint32_t e1000_icr_read(struct e1000 *e, unsigned off)
{
    uint32_t val;

    ripen(e);
    val = e1000_get(e, off);
    *e1000_at(e, off) = 0;
    irq_update(e);
    return val;
}

void e1000_icr_write(struct e1000 *e, unsigned off, uint32_t val)
{
    ripen(e);
    *e1000_at(e, off) &= ~val;
    irq_update(e);
}

void e1000_ics_write(struct e1000 *e, unsigned off, uint32_t val)
{
    (void)off;
    e1000_cause(e, val & INT_ALL);
}

void e1000_ims_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) |= val & INT_ALL;
    irq_update(e);
}

void e1000_imc_write(struct e1000 *e, unsigned off, uint32_t val)
{
    (void)off;
    *e1000_at(e, IMS) &= ~val;
    irq_update(e);
}

/* FPD: what waits for its delay is told now. */
void e1000_rdtr_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & 0xffff;
    if ((val & RDTR_FPD) && e->irq.rx_due) {
        e->irq.rx_due = e->irq.rx_last = 0;
        e1000_cause(e, INT_RXT0);
    }
}

/* ---- life ---- */

void e1000_irq_reset(struct e1000 *e)
{
    loop_timer_stop(&e->irq.timer);
    e->irq.tx_due = e->irq.tx_last = e->irq.rx_due = e->irq.rx_last = e->irq.open = 0;
    e->irq.tx_floor = 0;
    *e1000_at(e, ICR) = *e1000_at(e, IMS) = 0;
    if (e->irq.level)
        level_set(e, false);
}

/* Times go as what is left of them; a stream can't claim more than a register could have asked. */
static void time_state(struct e1000 *e, struct state *st, uint64_t *at)
{
    uint64_t t = now(e), left = !*at || *at == UINT64_MAX ? *at : *at > t ? *at - t : 1;

    state_u64(st, &left);
    if (!state_check(st, left <= DELAY_MAX || left == UINT64_MAX))
        left = 0;
    if (st->load)
        *at = left && left != UINT64_MAX ? t + left : left;
}

void e1000_irq_state(struct e1000 *e, struct state *st)
{
    time_state(e, st, &e->irq.tx_due);
    time_state(e, st, &e->irq.tx_last);
    time_state(e, st, &e->irq.rx_due);
    time_state(e, st, &e->irq.rx_last);
    time_state(e, st, &e->irq.open);
    time_state(e, st, &e->irq.tx_floor);
    state_bool(st, &e->irq.level);
    if (!st->load)
        return;
    pci_intx(&e->pci, e->irq.level);
    irq_update(e);
}
