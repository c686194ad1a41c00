/*
 * Rings of units in shared memory: pv/abi.h, struct pv_ring. The words of a ring are read and
 * written here and nowhere else.
 *
 * Nothing in it is trusted: indexes are ours (next, used), a slot number is read once and must be
 * below entries and not in flight, its unit is copied and judged from the copy. What no honest
 * guest writes breaks the ring, which then stands still until it is set up anew.
 *
 * Ordering. The guest fills a unit, then publishes avail; we load avail with acquire. We write
 * status and done, then store used with release. Each side writes the word that says from where on
 * it wants to be told, then looks once more at what the other counts, with a full fence in between.
 *
 * A kick is served where it arrives, on the vCPU's thread. With PV_RING_POLL we look again every
 * LOOK_NS afterwards, until nothing has come for LOOKS_IDLE looks, and ask for no kick meanwhile.
 */
#include "core/ledger.h"
#include "mem/ram.h"
#include "pv/impl.h"
#include <string.h>

enum { LOOK_NS = 20000, LOOKS_IDLE = 50 };
enum { AVAIL = 0, INTR_AT = 4, USED = 64, KICK_AT = 68, STATE = 72 };

_Static_assert(sizeof(struct pv_unit) == PV_UNIT_LEN && sizeof(struct pv_ring) == PV_RING_SUBMIT &&
                   sizeof(struct pv_end) == PV_END_LEN && sizeof(struct pv_device) == 64 &&
                   sizeof(struct pv_block) == PV_BLOCK_ALIGN,
               "the layouts of the ABI");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ring words are little-endian");

static uint32_t load32(const uint8_t *p)
{
    return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store32(uint8_t *p, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)p, v, __ATOMIC_RELEASE);
}

static bool busy(const struct pv_ring_at *r, unsigned slot)
{
    return r->busy[slot / 8] >> slot % 8 & 1;
}

static void count(struct pv *p, bool write, uint64_t bytes)
{
    ledger_add(p->dma.row, write, bytes);
}

static void wrote(struct pv *p, const struct pv_ring_at *r)
{
    ram_written(p->env.ram, r->gpa, PV_RING_BYTES(r->entries));
}

static void ring_break(struct pv *p, struct pv_ring_at *r)
{
    r->broken = true;
    store32(r->at + STATE, PV_RING_BROKEN);
    wrote(p, r);
    pv_irq(p); /* who waits for an end learns that none comes */
}

/* ---- from the guest ---- */

static void unit_start(struct pv *p, unsigned ring, unsigned slot)
{
    struct pv_ring_at *r = &p->ring[ring];
    uint8_t u[PV_UNIT_LEN];
    struct pv_req *q;
    int32_t why;

    memcpy(u, r->at + PV_RING_UNIT(r->entries, slot), sizeof(u));
    count(p, false, sizeof(u) + 2);
    q = pv_req_get(p, le16_get(u + 22), &why);
    if (!q) {
        pv_ring_end(p,
                    &(struct pv_req){.ring = (uint8_t)ring, .slot = (uint16_t)slot, .status = why});
        return;
    }
    q->form = PV_FORM_RING;
    q->ring = (uint8_t)ring;
    q->slot = (uint16_t)slot;
    q->x = le64_get(u);
    q->z = le64_get(u + 8);
    q->len = le32_get(u + 16);
    q->cmd = u[20];
    q->y = u[21];
    q->dev->ops->start(q->dev, q);
}

/* What has come since the last look. Bound: one ring's worth. How many units; the ring may have
 * broken. */
static unsigned ring_walk(struct pv *p, unsigned ring)
{
    struct pv_ring_at *r = &p->ring[ring];
    unsigned n = 0;

    for (; n < r->entries && !r->broken; n++) {
        uint32_t waiting = load32(r->at + AVAIL) - r->next;
        uint16_t slot;

        if (!waiting)
            break;
        slot = __atomic_load_n(
            (const uint16_t *)(const void *)(r->at + PV_RING_SUBMIT + 2 * (r->next % r->entries)),
            __ATOMIC_RELAXED);
        if (waiting > r->entries || slot >= r->entries || busy(r, slot)) {
            ring_break(p, r);
            break;
        }
        r->next++;
        r->busy[slot / 8] |= (uint8_t)(1u << slot % 8);
        unit_start(p, ring, slot);
    }
    return n;
}

/* Asks for kicks again. True: something came in the meantime. */
static bool ring_listen(struct pv *p, struct pv_ring_at *r)
{
    store32(r->at + KICK_AT, r->next);
    ram_written(p->env.ram, r->gpa + KICK_AT, 4);
    /* Pairs with the guest's: it writes avail, fences, reads kick_at. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return load32(r->at + AVAIL) != r->next;
}

static void later(struct pv *p, unsigned ring)
{
    p->again_rings |= 1u << ring;
    loop_defer(p->env.loop, &p->again);
}

static void look_soon(struct pv *p)
{
    if (!p->look.due)
        loop_timer_set(&p->look, loop_now(p->env.loop) + LOOK_NS);
}

static void ring_serve(struct pv *p, unsigned ring)
{
    struct pv_ring_at *r = &p->ring[ring];

    ring_walk(p, ring);
    if (r->broken)
        return;
    if (r->poll) {
        r->idle = 0;
        look_soon(p);
    } else if (ring_listen(p, r)) { /* another CPU added some: later, other work gets its turn */
        later(p, ring);
    }
}

int32_t pv_ring_kick(struct pv *p, uint64_t ring)
{
    if (ring >= PV_RINGS || !p->ring[ring].at)
        return PV_E_DEVICE;
    if (!p->ring[ring].broken)
        ring_serve(p, (unsigned)ring);
    return 0;
}

void pv_ring_again(void *pv)
{
    struct pv *p = pv;
    unsigned rings = p->again_rings;

    p->again_rings = 0;
    p->serving = true;
    for (unsigned i = 0; i < PV_RINGS; i++)
        if (rings >> i & 1 && p->ring[i].at && !p->ring[i].broken)
            ring_serve(p, i);
    pv_after(p);
}

/* False: the ring has gone to sleep, and kicks are wanted. */
static bool ring_look(struct pv *p, unsigned ring)
{
    struct pv_ring_at *r = &p->ring[ring];

    if (!r->at || !r->poll || r->broken || r->idle > LOOKS_IDLE)
        return false;
    if (ring_walk(p, ring))
        r->idle = 0;
    else
        r->idle++;
    if (r->broken || r->idle <= LOOKS_IDLE)
        return !r->broken;
    if (!ring_listen(p, r))
        return false;
    r->idle = 0;
    return true;
}

void pv_ring_look(void *pv)
{
    struct pv *p = pv;
    bool more = false;

    p->serving = true;
    for (unsigned i = 0; i < PV_RINGS; i++)
        more |= ring_look(p, i);
    pv_after(p);
    if (more)
        look_soon(p);
}

/* ---- to the guest ---- */

void pv_ring_end(struct pv *p, const struct pv_req *q)
{
    struct pv_ring_at *r = &p->ring[q->ring];
    uint8_t *unit;

    if (!r->at || q->slot >= r->entries)
        return; /* the ring has gone meanwhile */
    unit = r->at + PV_RING_UNIT(r->entries, q->slot) + PV_UNIT_STATUS;
    store32(unit + 4, q->moved);
    store32(unit, (uint32_t)-q->status);
    le16_put(r->at + PV_RING_DONE(r->entries) + 2 * (r->used % r->entries), q->slot);
    r->busy[q->slot / 8] &= (uint8_t) ~(1u << q->slot % 8);
    r->used++;
    r->unshown++;
    count(p, true, 8 + 2);
    p->unshown_rings |= 1u << q->ring;
    if (!p->serving)
        loop_defer(p->env.loop, &p->show);
}

static bool ring_show(struct pv *p, struct pv_ring_at *r)
{
    uint32_t old = r->used - r->unshown;

    store32(r->at + USED, r->used);
    r->unshown = 0;
    wrote(p, r);
    /* Pairs with the guest's: it writes intr_at, fences, looks at used once more. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return pv_passed(load32(r->at + INTR_AT), r->used, old);
}

void pv_ring_show(struct pv *p)
{
    unsigned rings = p->unshown_rings;
    bool wanted = false;

    p->unshown_rings = 0;
    for (; rings; rings &= rings - 1)
        wanted |= ring_show(p, &p->ring[__builtin_ctz(rings)]);
    if (wanted)
        pv_irq(p);
}

/* ---- setting up ---- */

/* Requests of the ring that wait at a device are forgotten. Bound: the units in flight. */
static void waiting_drop(struct pv_queue *q, unsigned ring)
{
    struct pv_queue rest = {NULL, &rest.first};
    struct pv_req *r;

    while ((r = pv_next(q))) {
        if (r->ring == ring)
            pv_req_put(r);
        else
            pv_wait(&rest, r);
    }
    *q = rest;
    if (!q->first)
        q->end = &q->first;
}

void pv_ring_drop(struct pv *p, unsigned ring)
{
    if (!p->ring[ring].at)
        return;
    for (unsigned i = 0; i < p->devs; i++) {
        waiting_drop(&p->dev[i]->reads, ring);
        waiting_drop(&p->dev[i]->writes, ring);
    }
    p->ring[ring] = (struct pv_ring_at){0};
    p->again_rings &= ~(1u << ring);
}

int32_t pv_ring_make(struct pv *p, struct pv_ring_at *r, gpa_t gpa, uint64_t entries)
{
    if (entries < PV_RING_MIN || entries > PV_RING_MAX || entries & (entries - 1))
        return PV_E_ARGUMENT;
    if (gpa % 64)
        return PV_E_ALIGN;
    *r = (struct pv_ring_at){.gpa = gpa, .entries = (uint32_t)entries, .idle = LOOKS_IDLE + 1};
    r->at = ram_ptr(p->env.ram, gpa, PV_RING_BYTES(r->entries));
    return r->at ? 0 : PV_E_ADDRESS;
}

void pv_ring_wake(struct pv *p, unsigned ring)
{
    later(p, ring);
}

int32_t pv_ring_set(struct pv *p, uint64_t ring, const uint64_t *a)
{
    struct pv_ring_at made = {0};
    int32_t bad = 0;

    if (ring >= PV_RINGS)
        return PV_E_DEVICE;
    if (a[3])
        bad = a[4] & ~(uint64_t)PV_RING_POLL ? PV_E_ARGUMENT : pv_ring_make(p, &made, a[2], a[3]);
    if (bad)
        return bad;
    pv_drain(p);
    pv_ring_show(p);
    pv_ring_drop(p, (unsigned)ring);
    if (!made.at)
        return 0;
    made.poll = a[4] & PV_RING_POLL;
    p->ring[ring] = made;
    store32(made.at + USED, 0);
    store32(made.at + STATE, 0);
    if (ring_listen(p, &p->ring[ring]))
        later(p, (unsigned)ring);
    return 0;
}
