/*
 * The family's state walk. Disks are drained first, so what is in flight is what waits: reads of
 * NICs and consoles, and frames that found no room, all of them units of rings. They are saved as
 * the copies they are; the guest may have changed its own since.
 */
#include "core/state.h"
#include "pv/impl.h"
#include <string.h>

/* On load a unit that waits must be of a ring that is there, and be its slot's only one. */
static struct pv_req *waiter_load(struct pv_dev *d, struct state *st, const struct pv_req *copy)
{
    struct pv *p = d->pv;
    struct pv_ring_at *ring = &p->ring[copy->ring % PV_RINGS];
    uint8_t bit = (uint8_t)(1u << copy->slot % 8), *busy = &ring->busy[copy->slot / 8 % 128];
    struct pv_req *r;
    unsigned devid = 0;
    int32_t why;

    while (devid < p->devs && p->dev[devid] != d)
        devid++;
    if (!state_check(st, copy->ring < PV_RINGS && ring->at && copy->slot < ring->entries &&
                             !(*busy & bit)))
        return NULL;
    r = pv_req_get(p, devid, &why);
    if (!state_check(st, r != NULL))
        return NULL;
    *busy |= bit;
    r->form = PV_FORM_RING;
    r->ring = copy->ring;
    r->slot = copy->slot;
    r->z = copy->z;
    r->len = copy->len;
    r->x = 0;
    r->cmd = PV_CMD_START;
    return r;
}

static void waiter(struct state *st, struct pv_req *r)
{
    state_u8(st, &r->ring);
    state_u16(st, &r->slot);
    state_u64(st, &r->z);
    state_u32(st, &r->len);
}

/* Bound: a device's units in flight. */
static void waiters(struct pv_dev *d, struct state *st, struct pv_queue *q, uint8_t y)
{
    uint16_t n = 0;
    struct pv_req *r;

    for (r = q->first; r && !st->load; r = r->next)
        n++;
    state_u16(st, &n);
    if (!state_check(st, n <= PV_DEPTH))
        return;
    for (r = q->first; r && !st->load; r = r->next)
        waiter(st, r);
    for (unsigned i = 0; i < n && st->load && !st->err; i++) {
        struct pv_req copy = {0};

        waiter(st, &copy);
        r = st->err ? NULL : waiter_load(d, st, &copy);
        if (!r)
            return;
        r->y = y;
        if (state_check(st, d->ops->fits && d->ops->fits(d, r)))
            pv_wait(q, r);
        else
            pv_req_put(r);
    }
}

static void ring(struct pv *p, struct state *st, unsigned n)
{
    struct pv_ring_at *r = &p->ring[n], made = {0};
    uint64_t gpa = r->gpa;
    uint32_t entries = r->entries, next = r->next, used = r->used;
    bool poll = r->poll, broken = r->broken;

    state_u64(st, &gpa);
    state_u32(st, &entries);
    state_u32(st, &next);
    state_u32(st, &used);
    state_bool(st, &poll);
    state_bool(st, &broken);
    if (!st->load || st->err || !state_check(st, !entries || !pv_ring_make(p, &made, gpa, entries)))
        return;
    made.next = next;
    made.used = used;
    made.poll = poll;
    made.broken = broken;
    *r = entries ? made : (struct pv_ring_at){0};
    if (entries)
        pv_ring_wake(p, n);
}

static void table(struct pv *p, struct state *st)
{
    state_u64(st, &p->table);
    state_u32(st, &p->tags);
    if (!state_check(st, p->tags <= UINT16_MAX + 1u)) {
        p->table = 0;
        p->tags = 0;
    }
}

void pv_state(void *pv, struct state *st)
{
    struct pv *p = pv;
    uint32_t devs = p->devs;

    pv_drain(p);
    pv_after(p);
    if (st->load)
        pv_drop_all(p);
    state_section(st, "pv", 1);
    state_u32(st, &devs);
    state_check(st, devs == p->devs);
    state_bool(st, &p->line);
    state_u32(st, (uint32_t *)&p->last);
    table(p, st);
    for (unsigned i = 0; i < PV_RINGS; i++)
        ring(p, st, i);
    for (unsigned i = 0; i < p->devs && !st->err; i++) {
        struct pv_dev *d = p->dev[i];

        waiters(d, st, &d->reads, PV_READ);
        waiters(d, st, &d->writes, PV_WRITE);
        if (d->ops->state)
            d->ops->state(d, st);
    }
    if (st->load && st->err)
        pv_drop_all(p);
    if (st->load)
        irq_set(&p->env.irq, p->line);
}
