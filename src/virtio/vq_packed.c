/*
 * Packed virtqueues: VIRTIO 1.2, section 2.8. One ring of descriptors that both sides write: the
 * driver makes a descriptor available where the device's place is, the device overwrites one that
 * it has read with a used one. Two bits of the flags, against a wrap counter that each side turns
 * over whenever its place passes the end, tell which of the two a descriptor is.
 *
 * A chain's name here is the first number that no chain in flight has; its buffer ID, which the
 * driver chose, and the number of places it took are kept under that name. (Its place would not do:
 * when a later chain is used first, the driver may fill the place again.) An indirect table takes
 * one place.
 *
 * Ordering. A descriptor's flags are its publication: we load them with acquire and read the rest
 * after; of a batch of used descriptors the first one's flags are stored last, with release. The
 * driver looks at that one first (2.8.6). Notifications are spared as in vq_split.c.
 */
#include "core/state.h"
#include "mem/ram.h"
#include "virtio/vq_flight.h"
#include "virtio/vq_ring.h"
#include <errno.h>
#include <string.h>

enum { DESC_F_AVAIL = 1 << 7, DESC_F_USED = 1 << 15 };
enum { PK_ADDR = 0, PK_LEN = 8, PK_ID = 12, PK_FLAGS = 14 };
enum { EVENT_OFF_WRAP = 0, EVENT_FLAGS = 2, EVENT_LEN = 4 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };

static uint8_t *place(const struct vq *q, unsigned at)
{
    return (uint8_t *)(uintptr_t)q->desc + (size_t)DESC_LEN * at;
}

/* Moves a place on; true if it passed the end. */
static bool advance(const struct vq *q, uint16_t *at, unsigned by)
{
    unsigned to = *at + by;
    bool wrapped = to >= q->conf.size;

    *at = (uint16_t)(wrapped ? to - q->conf.size : to);
    return wrapped;
}

static int packed_map(struct vq *q)
{
    const struct vq_conf *c = &q->conf;
    struct ram *ram = q->dma->ram;

    if (c->desc % 16 || c->avail % 4 || c->used % 4)
        return -EINVAL;
    q->desc = ram_ptr(ram, c->desc, (uint64_t)DESC_LEN * c->size);
    q->avail = ram_ptr(ram, c->avail, EVENT_LEN);
    q->used = ram_ptr(ram, c->used, EVENT_LEN);
    q->pk.avail_wrap = q->pk.used_wrap = true; /* 2.8.1: both start at 1 */
    return q->desc && q->avail && q->used ? 0 : -EFAULT;
}

static bool available(const struct vq *q)
{
    uint16_t flags = ring_load(q, place(q, q->next_avail) + PK_FLAGS);
    bool avail = flags & DESC_F_AVAIL, used = flags & DESC_F_USED;

    return avail != used && avail == q->pk.avail_wrap;
}

static int packed_next(struct vq *q, uint16_t *head)
{
    if (!(q->flight && vq_flight_again(q)) && !available(q))
        return 0;
    for (unsigned i = 0; i < ARRAY_LEN(q->busy); i++)
        if (~q->busy[i]) {
            *head = (uint16_t)(64 * i + (unsigned)__builtin_ctzll(~q->busy[i]));
            break;
        }
    if (q->in_flight < q->conf.size)
        return 1; /* packed_walk moves on: it knows how far */
    q->broken = "more chains than the ring has descriptors";
    return -EINVAL;
}

static struct pk_desc desc_read(const struct vq *q, const uint8_t *at)
{
    uint8_t d[DESC_LEN];

    memcpy(d, at, sizeof(d));
    ring_read(q, at, d, sizeof(d));
    return (struct pk_desc){.addr = le64_get(d + PK_ADDR),
                            .len = le32_get(d + PK_LEN),
                            .id = le16_get(d + PK_ID),
                            .flags = le16_get(d + PK_FLAGS)};
}

/* 2.8.7: every entry of the table is part of the chain, and only WRITE means something in it. */
static const char *indirect_walk(struct vq *q, const struct pk_desc *d, struct vq_chain *c)
{
    const uint8_t *table = NULL;
    unsigned entries = d->len / DESC_LEN;
    const char *why = vq_table(q, &(struct vq_seg){d->addr, d->len}, d->flags, &table);

    for (unsigned i = 0; i < entries && !why; i++) { /* vq_table's bound */
        struct pk_desc e = desc_read(q, table + (size_t)DESC_LEN * i);

        why = ring_seg_add(c, e.addr, e.len, e.flags & DESC_F_WRITE);
    }
    ring_count(q, false, (size_t)DESC_LEN * entries);
    return why;
}

/* One descriptor of a chain from the ring; or, of one that is served again, from the record. */
static bool chain_desc(struct vq *q, bool again, uint16_t at, unsigned n, struct pk_desc *d)
{
    const struct pk_desc *kept = again ? vq_flight_kept(q->flight, n) : NULL;

    if (again && !kept)
        return false;
    *d = again ? *kept : desc_read(q, place(q, at));
    if (q->flight) {
        q->flight->walk[n] = *d;
        q->flight->walked = (uint16_t)(n + 1);
    }
    return true;
}

/* The chain's descriptors follow each other in the ring. *last: the one that ends it. */
static const char *chain_walk(struct vq *q, struct vq_chain *c, unsigned *places,
                              struct pk_desc *last)
{
    bool again = q->flight && vq_flight_again(q);
    uint16_t at = q->next_avail;
    const char *why = NULL;

    /* Bound: a chain has at most `size` descriptors (2.8.5). */
    for (*places = 0; *places < q->conf.size;) {
        struct pk_desc d;

        if (!chain_desc(q, again, at, *places, &d))
            return "a chain of the record that has no end";
        ++*places;
        *last = d;
        if (d.flags & DESC_F_INDIRECT)
            return *places == 1 ? indirect_walk(q, &d, c) : "an indirect descriptor in a chain";
        why = ring_seg_add(c, d.addr, d.len, d.flags & DESC_F_WRITE);
        if (why || !(d.flags & DESC_F_NEXT))
            return why;
        advance(q, &at, 1);
    }
    return "a chain that is longer than its ring";
}

static unsigned places_taken(const struct vq *q)
{
    int free_at = q->next_used - q->next_avail;

    if (q->pk.avail_wrap == q->pk.used_wrap)
        return (unsigned)-free_at; /* the device's place is on the same round as the used one */
    return (unsigned)(q->conf.size - free_at);
}

static int packed_walk(struct vq *q, struct vq_chain *c)
{
    bool again =
        q->flight && vq_flight_again(q); /* its places were counted when the ring started */
    unsigned places, taken = again ? 0 : places_taken(q);
    struct pk_desc last;

    c->outs = c->ins = 0;
    c->out_len = c->in_len = 0;
    q->broken = chain_walk(q, c, &places, &last);
    if (!q->broken && places > q->conf.size - taken)
        q->broken = "a chain over descriptors that are still in flight";
    if (!q->broken && again && vq_flight_kept(q->flight, places))
        q->broken = "a chain of the record that ends early";
    if (q->broken)
        return -EINVAL;
    q->pk.id[c->head] = last.id;
    q->pk.span[c->head] = (uint16_t)places;
    if (!again && advance(q, &q->next_avail, places))
        q->pk.avail_wrap = !q->pk.avail_wrap;
    ring_count(q, false, (size_t)DESC_LEN * places);
    return 0;
}

static void packed_unpop(struct vq *q, uint16_t head)
{
    unsigned span = q->pk.span[head];

    if (span > q->next_avail)
        q->pk.avail_wrap = !q->pk.avail_wrap;
    q->next_avail = (uint16_t)((q->next_avail + q->conf.size - span) % q->conf.size);
}

static void packed_push(struct vq *q, uint16_t head, uint32_t written)
{
    uint8_t *at = place(q, q->next_used);
    uint16_t flags = written ? DESC_F_WRITE : 0;

    if (q->pk.used_wrap)
        flags |= DESC_F_AVAIL | DESC_F_USED;
    le32_put(at + PK_LEN, written);
    le16_put(at + PK_ID, q->pk.id[head]);
    ring_wrote(q, at + PK_LEN, at + PK_LEN, PK_FLAGS - PK_LEN);
    if (!q->unshown) {
        q->pk.show_at = q->next_used;
        q->pk.show_flags = flags;
        q->pk.show_span = 0;
    }
    if (q->flight)
        vq_flight_leave(q, head);
    if (q->unshown || q->flight)
        ring_store(q, at + PK_FLAGS, flags);
    if (q->flight)
        vq_flight_left(q);
    q->pk.show_span = (uint16_t)(q->pk.show_span + q->pk.span[head]);
    if (advance(q, &q->next_used, q->pk.span[head]))
        q->pk.used_wrap = !q->pk.used_wrap;
}

/* A place and its wrap counter, on a scale of two rounds. */
static unsigned scale(const struct vq *q, unsigned at, bool wrap)
{
    return wrap ? at : at + q->conf.size;
}

/* 2.8.10.1: is the place that the driver named among those just shown? */
static bool event_passed(const struct vq *q, uint16_t off_wrap, bool old_wrap)
{
    unsigned event = scale(q, off_wrap & 0x7fff, off_wrap >> 15);
    unsigned old = scale(q, q->pk.show_at, old_wrap), round = 2u * q->conf.size;

    if ((off_wrap & 0x7fff) >= q->conf.size)
        return true; /* nonsense: better an interrupt too many */
    return (event + round - old) % round < q->pk.show_span;
}

static bool packed_show(struct vq *q)
{
    uint8_t *at = place(q, q->pk.show_at);
    bool wrap = q->pk.show_flags & DESC_F_USED;
    uint16_t flags;

    if (!q->flight) /* else each was shown when it was given back */
        ring_store(q, at + PK_FLAGS, q->pk.show_flags);
    ring_count(q, true, (size_t)DESC_LEN * q->unshown);
    ram_written(q->dma->ram, q->conf.desc, (uint64_t)DESC_LEN * q->conf.size);
    /* Pairs with the driver's: it writes its event area, fences, looks at the flags again. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    flags = ring_load(q, q->avail + EVENT_FLAGS);
    if (flags == EVENT_DESC && q->conf.event_idx)
        return event_passed(q, ring_load(q, q->avail + EVENT_OFF_WRAP), wrap);
    return flags != EVENT_DISABLE;
}

/* As if each chain had one descriptor; whose turn it is is left open. */
static unsigned packed_peek(const struct vq *q, unsigned n, uint64_t *addr)
{
    n = n < q->conf.size ? n : q->conf.size;
    for (unsigned i = 0; i < n; i++)
        addr[i] = le64_get(place(q, (q->next_avail + i) % q->conf.size) + PK_ADDR);
    for (unsigned i = 0; i < n; i += LINE / DESC_LEN)
        ring_want(place(q, (q->next_used + i) % q->conf.size), true);
    return n;
}

static void packed_quiet(struct vq *q)
{
    ring_store(q, q->used + EVENT_FLAGS, EVENT_DISABLE);
    ring_hushed(q);
}

static bool packed_listen(struct vq *q)
{
    unsigned off_wrap = q->next_avail | (q->pk.avail_wrap ? 1u << 15 : 0);

    if (q->conf.event_idx)
        ring_store(q, q->used + EVENT_OFF_WRAP, (uint16_t)off_wrap);
    ring_store(q, q->used + EVENT_FLAGS, q->conf.event_idx ? EVENT_DESC : EVENT_ENABLE);
    ram_written(q->dma->ram, q->conf.used, EVENT_LEN);
    /* Pairs with the driver's: it writes the flags, fences, reads our event area. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return available(q);
}

/* Nothing is in flight, so the two places are one. */
static void packed_state(struct vq *q, struct state *st)
{
    state_u16(st, &q->next_avail);
    state_u16(st, &q->next_used);
    state_bool(st, &q->pk.avail_wrap);
    state_bool(st, &q->pk.used_wrap);
    state_check(st, q->next_avail < q->conf.size && q->next_used == q->next_avail &&
                        q->pk.avail_wrap == q->pk.used_wrap);
}

const struct vq_ring vq_packed = {
    .map = packed_map,
    .next = packed_next,
    .walk = packed_walk,
    .unpop = packed_unpop,
    .push = packed_push,
    .show = packed_show,
    .quiet = packed_quiet,
    .listen = packed_listen,
    .waiting = available,
    .peek = packed_peek,
    .state = packed_state,
};
