/*
 * The record of what is in flight in a packed ring: vq_flight.h and vq_flight.c tell what for. The
 * driver may overwrite descriptors of a chain as soon as a later one is given back, so the record
 * holds copies: each chain is a list of entries, and what is not in a chain is in a list of free
 * ones.
 *
 * Chains are given back to the driver one at a time here, not in batches: a batch would have used
 * descriptors in the ring behind the one that is shown last, and whoever comes after a kill could
 * not tell them from its own. The list of free entries takes the chain in and the used place moves
 * on, both in the half of the record that may be undone; the driver sees the descriptor; then the
 * other half follows. Pairs of words that belong together are stored at once.
 */
#include "virtio/vq_flight.h"
#include "virtio/vq_ring.h"
#include <string.h>

enum { /* a queue's record */
       FREE_HEAD = 12,
       OLD_FREE_HEAD = 14,
       USED_IDX = 16,
       OLD_USED_IDX = 18,
       USED_WRAP = 20,
       OLD_USED_WRAP = 21,
       DESCS = 32,
};
enum { /* an entry */
       INFLIGHT = 0,
       NEXT = 2,
       LAST = 4,
       NUM = 6,
       COUNTER = 8,
       ID = 16,
       FLAGS = 18,
       LEN = 20,
       ADDR = 24,
       ENTRY_LEN = 32,
};
enum { DESC_F_AVAIL = 1 << 7, DESC_F_USED = 1 << 15, DESC_FLAGS = 14 };

static uint8_t *entry(const struct vq_flight *f, uint16_t i)
{
    return f->at + DESCS + (size_t)ENTRY_LEN * i;
}

static void free_put(struct vq_flight *f, uint16_t head, uint16_t old)
{
    flight_put32(f->at + FREE_HEAD, head | (uint32_t)old << 16);
}

/* Used place and wrap counter, and the old ones: one store. */
static void used_put(struct vq_flight *f, const struct vq_place *now, const struct vq_place *old)
{
    flight_put64(f->at + USED_IDX, now->used | (uint64_t)old->used << 16 |
                                       (uint64_t)now->used_wrap << 32 |
                                       (uint64_t)old->used_wrap << 40);
}

/* ---- a ring starts ---- */

struct packed_copy { /* what was in the record */
    bool in_flight[VQ_SIZE_MAX], seen[VQ_SIZE_MAX];
    uint16_t end[VQ_SIZE_MAX], num[VQ_SIZE_MAX];
    uint64_t counter[VQ_SIZE_MAX];
};

static void packed_read(struct vq_flight *f, struct packed_copy *c)
{
    for (uint16_t i = 0; i < f->size; i++) {
        const uint8_t *e = entry(f, i);

        c->in_flight[i] = e[INFLIGHT];
        c->seen[i] = false;
        c->end[i] = le16_get(e + LAST);
        c->num[i] = le16_get(e + NUM);
        c->counter[i] = le64_get(e + COUNTER);
        f->next[i] = le16_get(e + NEXT);
        f->kept[i] = (struct pk_desc){.addr = le64_get(e + ADDR),
                                      .len = le32_get(e + LEN),
                                      .id = le16_get(e + ID),
                                      .flags = le16_get(e + FLAGS)};
    }
}

static void packed_fresh(struct vq_flight *f, const struct vq_place *at)
{
    for (uint16_t i = 0; i < f->size; i++) {
        flight_put8(entry(f, i) + INFLIGHT, 0);
        flight_put16(entry(f, i) + NEXT, (uint16_t)(i + 1));
    }
    free_put(f, 0, 0);
    used_put(f, at, at);
    flight_put16(f->at + FLIGHT_DESC_NUM, f->size);
    flight_put16(f->at + FLIGHT_VERSION, 1);
}

/* Did the driver see what was to be given back at that place? */
static bool was_shown(const struct vq *q, const struct vq_place *old)
{
    const uint8_t *d = q->desc + (size_t)DESC_LEN * old->used;
    uint16_t flags = ring_load(q, d + DESC_FLAGS) & (DESC_F_AVAIL | DESC_F_USED);

    return flags != (old->used_wrap ? DESC_F_AVAIL : DESC_F_USED);
}

/* What was begun and not ended is ended, if the driver saw it, or undone. */
static int packed_settle(struct vq *q)
{
    struct vq_flight *f = q->flight;
    uint16_t head = le16_get(f->at + FREE_HEAD), old_head = le16_get(f->at + OLD_FREE_HEAD);
    uint64_t word = le64_get(f->at + USED_IDX);
    struct vq_place now = {.used = (uint16_t)word, .used_wrap = word >> 32 & 1};
    struct vq_place old = {.used = (uint16_t)(word >> 16), .used_wrap = word >> 40 & 1};

    if (now.used >= q->conf.size || old.used >= q->conf.size)
        return vq_flight_bad(f, "a record whose used place is outside the ring");
    if ((now.used != old.used || now.used_wrap != old.used_wrap) && was_shown(q, &old)) {
        old = now;
        old_head = head;
    }
    free_put(f, old_head, old_head);
    used_put(f, &old, &old);
    f->free = old_head;
    f->used = old.used;
    f->wrap = old.used_wrap;
    return 0;
}

/* Bound: each entry is met once. */
static int free_list(struct vq_flight *f, struct packed_copy *c, unsigned *met)
{
    for (uint16_t i = f->free; i < f->size; i = f->next[i]) {
        if (c->seen[i])
            return vq_flight_bad(f, "a record whose free entries go in a circle");
        c->seen[i] = true;
        c->in_flight[i] = false;
        flight_put8(entry(f, i) + INFLIGHT, 0);
        ++*met;
    }
    return 0;
}

/* Bound: as above. */
static int chain_judge(struct vq_flight *f, struct packed_copy *c, uint16_t head, unsigned *met)
{
    uint16_t i = head;

    for (unsigned n = 0; n < c->num[head]; n++) {
        if (i >= f->size || c->seen[i])
            return vq_flight_bad(f, "a record whose chains meet");
        c->seen[i] = true;
        ++*met;
        if (n + 1 == c->num[head])
            return i == c->end[head] ? 0 : vq_flight_bad(f, "a chain that ends elsewhere");
        i = f->next[i];
    }
    return vq_flight_bad(f, "a record with an empty chain");
}

/* All chains in flight; with the free list they must be all there is. */
static int chains_judge(struct vq_flight *f, struct packed_copy *c, unsigned met, unsigned *places)
{
    *places = 0;
    for (uint16_t i = 0; i < f->size; i++) {
        if (!c->in_flight[i])
            continue;
        if (chain_judge(f, c, i, &met))
            return vq_flight_bad(f, f->why);
        f->again[f->agains++] = i;
        f->span[i] = c->num[i];
        *places += c->num[i];
        if (c->counter[i] >= f->counter)
            f->counter = c->counter[i] + 1;
    }
    return met == f->size ? 0 : vq_flight_bad(f, "a record with entries that are nowhere");
}

int vq_flight_packed_start(struct vq *q, const struct vq_place *fresh)
{
    struct vq_flight *f = q->flight;
    struct packed_copy c;
    unsigned met = 0, places;
    int err;

    if (!le16_get(f->at + FLIGHT_VERSION))
        packed_fresh(f, fresh);
    packed_read(f, &c);
    err = packed_settle(q);
    if (!err)
        err = free_list(f, &c, &met);
    if (!err)
        err = chains_judge(f, &c, met, &places);
    if (!err && places > q->conf.size)
        err = vq_flight_bad(f, "a record with more in flight than the ring has");
    if (err)
        return err;
    vq_flight_sort(f, c.counter);
    q->next_used = f->used;
    q->pk.used_wrap = f->wrap;
    q->next_avail = (uint16_t)((f->used + places) % q->conf.size);
    q->pk.avail_wrap = f->used + places >= q->conf.size ? !f->wrap : f->wrap;
    return 0;
}

/* ---- it runs ---- */

void vq_flight_packed_took(struct vq_flight *f, uint16_t head)
{
    uint16_t first = f->free, at = first, end = first;
    uint8_t *h = entry(f, first);

    flight_put16(h + NUM, 0);
    flight_put64(h + COUNTER, f->counter++);
    flight_put8(h + INFLIGHT, 1);
    for (unsigned i = 0; i < f->walked; i++) { /* entries are as many as the ring has descriptors */
        uint8_t *e = entry(f, at);

        flight_put64(e + ADDR, f->walk[i].addr);
        flight_put32(e + LEN, f->walk[i].len);
        flight_put16(e + FLAGS, f->walk[i].flags);
        flight_put16(e + ID, f->walk[i].id);
        end = at;
        at = f->next[at];
    }
    flight_put16(h + LAST, end);
    flight_put16(h + NUM, f->walked);
    f->first[head] = first;
    f->span[first] = f->walked;
    f->free = at;
    free_put(f, at, at); /* from here on it is taken */
}

static uint16_t chain_end(const struct vq_flight *f, uint16_t first)
{
    uint16_t at = first;

    for (unsigned i = 1; i < f->span[first]; i++) /* judged, or our own */
        at = f->next[at];
    return at;
}

/* Asked for in order; a chain has at most VQ_SIZE_MAX, so the steps are few. */
const struct pk_desc *vq_flight_kept(const struct vq_flight *f, unsigned n)
{
    uint16_t at = f->again[f->served];

    if (n >= f->span[at])
        return NULL;
    while (n--)
        at = f->next[at];
    return &f->kept[at];
}

/* The chain becomes the head of the free list, in memory and in the record's entry. */
static void free_add(struct vq_flight *f, uint16_t first)
{
    uint16_t end = chain_end(f, first);

    f->next[end] = f->free;
    flight_put16(entry(f, end) + NEXT, f->free);
    f->free = first;
}

void vq_flight_packed_unpop(struct vq_flight *f, uint16_t head)
{
    uint16_t first = f->first[head];

    free_add(f, first);
    free_put(f, first, first);
    flight_put8(entry(f, first) + INFLIGHT, 0);
}

void vq_flight_leave(struct vq *q, uint16_t head)
{
    struct vq_flight *f = q->flight;
    uint16_t first = f->first[head], old_free = f->free;
    struct vq_place old = {.used = f->used, .used_wrap = f->wrap}, now = old;
    unsigned to = f->used + (unsigned)q->pk.span[head];

    now.used = (uint16_t)(to % q->conf.size);
    now.used_wrap = to >= q->conf.size ? !old.used_wrap : old.used_wrap;
    free_add(f, first);
    free_put(f, first, old_free);
    used_put(f, &now, &old);
    f->leaving = first;
    f->used = now.used;
    f->wrap = now.used_wrap;
}

void vq_flight_left(struct vq *q)
{
    struct vq_flight *f = q->flight;
    struct vq_place now = {.used = f->used, .used_wrap = f->wrap};

    flight_put8(entry(f, f->leaving) + INFLIGHT, 0);
    free_put(f, f->free, f->free);
    used_put(f, &now, &now);
}
