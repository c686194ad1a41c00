/*
 * way=ring: requests are stores to shared memory, ended ones are found there. The hypervisor is
 * kicked if it says that it doesn't look, and interrupts if this side says so: while units are in
 * flight that nobody here is about to look for. pv/abi.h has the rules.
 */
#include "hc.h"
#include "module.h"
#include <asm/barrier.h>

#define SEGMENTS 32 /* of a request */

static void ring_reap(struct hc_disk *p, struct list_head *ended)
{
    while (p->seen != READ_ONCE(p->ring->used)) { /* each turn ends a unit, or it ends */
        unsigned slot;

        virt_rmb(); /* used before what it says is there */
        slot = READ_ONCE(p->done[p->seen % HC_UNITS]);
        if (WARN_ON_ONCE(slot >= HC_UNITS || !test_bit(slot, p->busy)))
            break;
        p->seen++;
        hc_ended(p, slot, READ_ONCE(p->unit[slot].status), ended);
    }
}

/* At the next end; or, with nothing in flight, never. */
static bool ring_arm(struct hc_disk *p)
{
    WRITE_ONCE(p->ring->intr_at, p->flying ? p->seen : p->seen - 1);
    virt_mb(); /* the other side reads it after it has written used, or we see that */
    return p->seen == READ_ONCE(p->ring->used);
}

static void ring_push(struct hc_disk *p, struct list_head *ended)
{
    if (p->told == p->avail)
        return;
    virt_mb(); /* avail before kick_at is read; the other side has it the other way about */
    if (pv_passed(READ_ONCE(p->ring->kick_at), p->avail, p->told))
        hc_kick(p);
    p->told = p->avail;
}

static blk_status_t ring_put(struct hc_disk *p, struct request *rq, struct list_head *ended)
{
    struct hc_walk w;
    unsigned n = hc_walk(&w, rq);

    if (READ_ONCE(p->ring->state) & PV_RING_BROKEN)
        return BLK_STS_IOERR;
    if (!hc_room(p, n))
        return BLK_STS_DEV_RESOURCE;
    for (unsigned i = 0; i < n; i++) {
        unsigned slot = hc_slot(p);

        hc_next(p, &w, &p->unit[slot]);
        hc_take(p, slot, rq);
        p->submit[p->avail++ % HC_UNITS] = slot;
    }
    virt_wmb(); /* units and their numbers before avail */
    WRITE_ONCE(p->ring->avail, p->avail);
    return BLK_STS_OK;
}

static s64 ring_call(struct hc_disk *p, u64 entries)
{
    *p->block = (struct pv_block){
        .call = PV_CALL_RING,
        .arg = {p->number, p->unit_at, entries, entries && way_poll ? PV_RING_POLL : 0},
    };
    return hc_call(p->hc, p->block, p->block_at);
}

static int ring_open(struct hc_disk *p)
{
    void *at = p->unit;

    memset(at, 0, PV_RING_BYTES(HC_UNITS));
    p->ring = at;
    p->submit = at + PV_RING_SUBMIT;
    p->done = at + PV_RING_DONE(HC_UNITS);
    p->unit = at + PV_RING_UNIT(HC_UNITS, 0);
    p->avail = p->told = p->seen = 0;
    p->ring->intr_at = -1;
    return ring_call(p, HC_UNITS) ? -EIO : 0;
}

static void ring_close(struct hc_disk *p)
{
    ring_call(p, 0);
}

const struct hc_way hc_ring = {
    .way = {.name = "ring", HC_WAY},
    .segments = SEGMENTS,
    .mem = PV_RING_BYTES(HC_UNITS),
    .open = ring_open,
    .close = ring_close,
    .put = ring_put,
    .push = ring_push,
    .reap = ring_reap,
    .arm = ring_arm,
};
