/*
 * --check virtio: packed rings, VIRTIO 1.2 section 2.8. What all layouts share is in vq_check.c.
 *
 * A place is the device's from the fetch of its descriptor until the device writes a used one over
 * it, or skips it as part of a list that it used: not until its own buffer is done, since buffers
 * that finish early give places back that others were described in.
 */
#include "mem/ram.h"
#include "virtio/vcheck_impl.h"
#include <string.h>

enum { DESC_F_AVAIL = 1 << 7, DESC_F_USED = 1 << 15, FLAGS = 14, ID = 12 };
enum { EVENT_OFF_WRAP = 0, EVENT_FLAGS = 2, EVENT_DESC = 2 };
enum { KNOWN = DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT | DESC_F_AVAIL | DESC_F_USED };

static uint16_t load(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static const uint8_t *place(const struct vq *q, unsigned at)
{
    return q->desc + (size_t)DESC_LEN * at;
}

static bool available(const struct vq *q, unsigned at, bool wrap)
{
    uint16_t flags = load(place(q, at) + FLAGS);
    bool avail = flags & DESC_F_AVAIL, used = flags & DESC_F_USED;

    return avail != used && avail == wrap;
}

static void start(struct vq_check *k, struct vq *q)
{
    if (q->next_used || !q->pk.used_wrap)
        return; /* not its beginning: a state was loaded */
    for (unsigned i = 0; i < q->conf.size; i++)
        if (load(place(q, i) + FLAGS) & DESC_F_USED) {
            vcheck_broken(k->c, (int)k->queue, VRULE_QUEUE_RING_INIT, "place %u, flags 0x%04x", i,
                          load(place(q, i) + FLAGS));
            return;
        }
}

/* ---- the list at the device's place ---- */

/* Every entry is part of the list. Bound: the ring's size. */
static void table_walk(struct vq_check_walk *w, const uint8_t *outer, unsigned outer_at)
{
    const uint8_t *table = vq_check_table(w, outer, outer_at);
    unsigned entries = le32_get(outer + 8) / DESC_LEN;
    uint8_t d[DESC_LEN];

    if (table && entries > w->q->conf.size)
        vq_check_bad(w, VRULE_PACKED_TABLE, outer, outer_at);
    for (unsigned i = 0; table && i < entries && !w->bad; i++) {
        memcpy(d, table + (size_t)DESC_LEN * i, DESC_LEN);
        if (le16_get(d + FLAGS) & ~DESC_F_WRITE)
            vq_check_bad(w, VRULE_PACKED_INDIRECT, d, i);
        else
            vq_check_element(w, d, i);
    }
    if (!w->bad)
        vq_check_table_kept(w, outer, table);
}

/* True: the list goes on. */
static bool desc_judge(struct vq_check_walk *w, const uint8_t *d, unsigned at, unsigned nth)
{
    uint16_t flags = le16_get(d + FLAGS);

    if (flags & ~KNOWN)
        return vq_check_bad(w, VRULE_PACKED_FLAGS, d, at);
    if (flags & DESC_F_INDIRECT) {
        if (nth || flags & DESC_F_NEXT)
            return vq_check_bad(w, VRULE_PACKED_LIST, d, at);
        table_walk(w, d, at);
        return false;
    }
    return vq_check_element(w, d, at) && flags & DESC_F_NEXT;
}

static bool id_in_use(const struct vq_check *k, const struct vq *q, unsigned head, uint16_t id)
{
    for (unsigned i = 0; i < VQ_SIZE_MAX; i++)
        if (i != head && vq_check_bit(q->busy, i) && k->chain[i].known && q->pk.id[i] == id)
            return true;
    return false;
}

static void list_end(struct vq_check_walk *w, const uint8_t *last, unsigned at)
{
    if (!w->bad && id_in_use(w->k, w->q, w->head, le16_get(last + ID)))
        vq_check_bad(w, VRULE_PACKED_ID, last, at);
}

static void owned_put(struct vq_check *k, const struct vq *q, unsigned from, unsigned n, bool on)
{
    for (unsigned i = 0; i < n; i++) /* at most the ring */
        vq_check_bit_put(k->owned, (from + i) % q->conf.size, on);
}

/* Bound: each place once. */
static void list_walk(struct vq_check_walk *w)
{
    struct vq *q = w->q;
    struct vq_check *k = w->k;
    struct vq_check_chain *chain = &k->chain[w->head];
    unsigned at = q->next_avail;
    bool wrap = q->pk.avail_wrap, on = true;
    uint8_t d[DESC_LEN];

    *chain = (struct vq_check_chain){.known = true, .first = (uint16_t)at};
    while (on) {
        memcpy(d, place(q, at), DESC_LEN);
        if (chain->span == q->conf.size)
            on = vq_check_bad(w, VRULE_PACKED_LONG, d, at);
        else if (!available(q, at, wrap))
            on = vq_check_bad(w, VRULE_PACKED_PARTIAL, d, at);
        else if (vq_check_bit(k->owned, at))
            on = vq_check_bad(w, VRULE_PACKED_ROOM, d, at);
        if (!on)
            break;
        memcpy(k->snap[at], d, DESC_LEN);
        on = desc_judge(w, d, at, chain->span++);
        if (!on)
            list_end(w, d, at);
        at = (at + 1) % q->conf.size;
        wrap ^= !at;
    }
    owned_put(k, q, chain->first, chain->span, !w->bad);
    chain->known = !w->bad;
}

static void event_judge(struct vq_check *k, struct vq *q)
{
    uint16_t flags = load(q->avail + EVENT_FLAGS);

    if (flags > (q->conf.event_idx ? EVENT_DESC : EVENT_DESC - 1))
        vcheck_broken(k->c, (int)k->queue, VRULE_PACKED_EVENT, "flags 0x%04x, EVENT_IDX %d", flags,
                      q->conf.event_idx);
}

/* The name that vq_packed.c gives the chain: the first that none in flight has. */
static unsigned name_of(const struct vq *q)
{
    for (unsigned i = 0; i < ARRAY_LEN(q->busy); i++)
        if (~q->busy[i])
            return 64 * i + (unsigned)__builtin_ctzll(~q->busy[i]);
    return VQ_SIZE_MAX;
}

static void fetch(struct vq_check *k, struct vq *q)
{
    struct vq_check_walk w = {.k = k, .q = q, .head = name_of(q)};

    event_judge(k, q);
    if (!available(q, q->next_avail, q->pk.avail_wrap))
        return;
    if (w.head < q->conf.size)
        list_walk(&w);
}

/* About to be used: the places that the device's used descriptor stands for are the driver's. */
static void drop(struct vq_check *k, struct vq *q, uint16_t head)
{
    owned_put(k, q, q->next_used, k->chain[head].span, false);
}

static void undo(struct vq_check *k, struct vq *q, uint16_t head)
{
    owned_put(k, q, k->chain[head].first, k->chain[head].span, false);
}

static int changed(struct vq_check *k, struct vq *q, uint16_t head)
{
    const struct vq_check_chain *chain = &k->chain[head];

    for (unsigned i = 0; i < chain->span; i++) { /* at most the ring */
        unsigned at = (chain->first + i) % q->conf.size;

        if (vq_check_bit(k->owned, at) && memcmp(place(q, at), k->snap[at], DESC_LEN))
            return (int)at;
    }
    return -1;
}

const struct vq_check_ring vq_check_packed = {start, fetch, drop, undo, changed};
