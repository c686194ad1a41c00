/* --check virtio: split rings, VIRTIO 1.2 section 2.7. What all layouts share is in vq_check.c. */
#include "mem/ram.h"
#include "virtio/vcheck_impl.h"
#include "virtio/vwatch.h"
#include <string.h>

enum { FLAGS = 12, NEXT = 14 };

static uint16_t load(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void start(struct vq_check *k, struct vq *q)
{
    uint16_t flags = load(q->used + RING_FLAGS), idx = load(q->used + RING_IDX);

    if (q->next_used == 0 && (flags || idx))
        vcheck_broken(k->c, (int)k->queue, VRULE_QUEUE_USED_INIT, "flags %u, index %u", flags, idx);
}

/* ---- the chain at w->head ---- */

/* Where one leads: false at the chain's end, or if it leads nowhere. */
static bool follow(struct vq_check_walk *w, const uint8_t *d, unsigned *at, unsigned entries)
{
    unsigned next = le16_get(d + NEXT), step = *at + 1;

    if (!(le16_get(d + FLAGS) & DESC_F_NEXT))
        return false;
    if (next >= entries)
        return vq_check_bad(w, VRULE_DESC_NEXT, d, *at);
    if (w->elements >= w->q->conf.size)
        return vq_check_bad(w, VRULE_DESC_LONG, d, *at);
    if (entries == w->q->conf.size && step == entries)
        step = 0;
    if (w->q->conf.in_order && next != step)
        return vq_check_bad(w, VRULE_IN_ORDER, d, *at);
    *at = next;
    return true;
}

/* Bound: the table's entries, each once, and the ring's size (2.7.5.3.1). */
static void table_walk(struct vq_check_walk *w, const uint8_t *outer, unsigned outer_at)
{
    const uint8_t *table = vq_check_table(w, outer, outer_at);
    unsigned entries = le32_get(outer + 8) / DESC_LEN, at = 0;
    uint8_t d[DESC_LEN];

    if (!table)
        return;
    do {
        memcpy(d, table + (size_t)DESC_LEN * at, DESC_LEN);
        if (le16_get(d + FLAGS) & DESC_F_INDIRECT) {
            vq_check_bad(w, VRULE_INDIRECT_NESTED, d, at);
            return;
        }
    } while (vq_check_element(w, d, at) && follow(w, d, &at, entries));
    if (!w->bad)
        vq_check_table_kept(w, outer, table);
}

static bool desc_judge(struct vq_check_walk *w, const uint8_t *d, unsigned at)
{
    uint16_t flags = le16_get(d + FLAGS);

    if (flags & ~(DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT))
        return vq_check_bad(w, VRULE_DESC_FLAGS, d, at);
    if (!(flags & DESC_F_INDIRECT))
        return vq_check_element(w, d, at);
    if (flags & DESC_F_NEXT)
        return vq_check_bad(w, VRULE_INDIRECT_NEXT, d, at);
    table_walk(w, d, at);
    return !w->bad;
}

static void release(struct vq_check *k, const struct vq_check_chain *chain)
{
    unsigned at = chain->first;

    for (unsigned i = 0; i < chain->span && at < VQ_SIZE_MAX; i++) { /* at most the ring */
        vq_check_bit_put(k->owned, at, false);
        at = le16_get(k->snap[at] + NEXT);
    }
}

/* Bound: each descriptor is taken once. */
static void chain_walk(struct vq_check_walk *w)
{
    struct vq_check *k = w->k;
    struct vq_check_chain *chain = &k->chain[w->head];
    unsigned at = w->head;
    uint64_t mine[VQ_SIZE_MAX / 64] = {0};
    uint8_t d[DESC_LEN];
    bool on = true;

    *chain = (struct vq_check_chain){.known = true, .first = (uint16_t)at};
    while (on) {
        memcpy(d, w->q->desc + (size_t)DESC_LEN * at, DESC_LEN);
        if (vq_check_bit(k->owned, at)) {
            vq_check_bad(w, vq_check_bit(mine, at) ? VRULE_DESC_LOOP : VRULE_DESC_BUSY, d, at);
            break;
        }
        vq_check_bit_put(mine, at, true);
        memcpy(k->snap[at], d, DESC_LEN);
        vq_check_bit_put(k->owned, at, true);
        chain->span++;
        on = desc_judge(w, d, at) && follow(w, d, &at, w->q->conf.size);
    }
    if (w->bad) {
        release(k, chain);
        chain->known = false;
    }
    k->next_desc = (uint16_t)((w->head + chain->span) % w->q->conf.size);
}

static void head_judge(struct vq_check *k, struct vq *q, uint16_t head)
{
    struct vq_check_walk w = {.k = k, .q = q, .head = head};

    if (head >= q->conf.size) {
        vcheck_broken(k->c, (int)k->queue, VRULE_AVAIL_HEAD, "head %u of %u", head, q->conf.size);
        return;
    }
    if (k->chain[head].known) {
        vcheck_broken(k->c, (int)k->queue, VRULE_DESC_BUSY, "head %u", head);
        return;
    }
    if (q->conf.in_order && head != k->next_desc)
        vcheck_broken(k->c, (int)k->queue, VRULE_IN_ORDER, "head %u, not %u", head, k->next_desc);
    chain_walk(&w);
}

/* ---- the areas ---- */

static void areas_judge(struct vq_check *k, struct vq *q)
{
    uint16_t flags = load(q->avail + RING_FLAGS), used = load(q->used + RING_IDX);
    uint16_t shown = (uint16_t)(q->next_used - q->unshown);

    if (flags > (q->conf.event_idx ? 0 : AVAIL_F_NO_INTERRUPT))
        vcheck_broken(k->c, (int)k->queue, VRULE_AVAIL_FLAGS, "flags 0x%x, EVENT_IDX %d", flags,
                      q->conf.event_idx);
    if (used != shown && !k->c->watch->evil)
        vcheck_broken(k->c, (int)k->queue, VRULE_USED_TOUCHED, "used index %u, not %u", used,
                      shown);
}

static void fetch(struct vq_check *k, struct vq *q)
{
    uint16_t idx = load(q->avail + RING_IDX), waiting = (uint16_t)(idx - q->next_avail);

    areas_judge(k, q);
    if ((uint16_t)(idx - k->last_idx) > INT16_MAX) {
        vcheck_broken(k->c, (int)k->queue, VRULE_AVAIL_BACK, "index %u after %u", idx, k->last_idx);
    } else if (waiting > q->conf.size) {
        vcheck_broken(k->c, (int)k->queue, VRULE_AVAIL_AHEAD, "index %u, %u fetched, ring of %u",
                      idx, q->next_avail, q->conf.size);
        waiting = 0;
    }
    k->last_idx = idx;
    if (waiting && waiting <= q->conf.size)
        head_judge(k, q, load(q->avail + RING_RING + 2u * (q->next_avail & (q->conf.size - 1u))));
}

static void drop(struct vq_check *k, struct vq *q, uint16_t head)
{
    (void)q;
    release(k, &k->chain[head]);
}

static void undo(struct vq_check *k, struct vq *q, uint16_t head)
{
    drop(k, q, head);
    k->next_desc = head; /* IN_ORDER: where it begins again */
}

static int changed(struct vq_check *k, struct vq *q, uint16_t head)
{
    const struct vq_check_chain *chain = &k->chain[head];
    unsigned at = chain->first;

    for (unsigned i = 0; i < chain->span && at < q->conf.size; i++) { /* at most the ring */
        if (memcmp(q->desc + (size_t)DESC_LEN * at, k->snap[at], DESC_LEN))
            return (int)at;
        at = le16_get(k->snap[at] + NEXT);
    }
    return -1;
}

const struct vq_check_ring vq_check_split = {start, fetch, drop, undo, changed};
