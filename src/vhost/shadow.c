/* The driver's side of a virtqueue: what both layouts share. shadow.h tells. */
#include "vhost/shadow.h"
#include "virtio/vq_ring.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct shadow_ring *ring_of(const struct shadow *s)
{
    return s->conf.packed ? &shadow_packed : &shadow_split;
}

int shadow_open(struct shadow *s, const struct shadow_conf *conf)
{
    memset(s, 0, sizeof(*s));
    s->slot = calloc(SHADOW_SIZE, sizeof(*s->slot));
    if (!s->slot)
        return -ENOMEM;
    s->conf = *conf;
    s->free = s->names = SHADOW_SIZE;
    for (unsigned i = 0; i < SHADOW_SIZE; i++)
        s->name[i] = (uint16_t)(SHADOW_SIZE - 1 - i);
    s->avail_wrap = s->used_wrap = true; /* 2.8.1 */
    ring_of(s)->calls(s, true);
    return 0;
}

void shadow_close(struct shadow *s)
{
    free(s->slot);
    memset(s, 0, sizeof(*s));
}

uint16_t shadow_name(struct shadow *s)
{
    return s->name[--s->names];
}

void shadow_desc(uint8_t *at, const struct vq_seg *seg, uint16_t third, uint16_t fourth)
{
    le64_put(at, seg->gpa);
    le32_put(at + 8, seg->len);
    le16_put(at + 12, third);
    le16_put(at + 14, fourth);
}

/* 2.7.5.3, 2.8.7. In a packed ring's table only the direction counts. Bound: VQ_SEGS_MAX. */
unsigned shadow_table(struct shadow *s, uint16_t name, const struct vq_chain *c)
{
    uint8_t *at = s->conf.mem + SHADOW_TABLES + (size_t)name * SHADOW_TABLE_LEN;
    unsigned n = c->outs + (unsigned)c->ins;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = i < c->outs ? 0 : DESC_F_WRITE;
        uint8_t *d = at + (size_t)i * DESC_LEN;

        if (s->conf.packed) /* there is an ID where a split ring has flags: no matter which */
            shadow_desc(d, &c->seg[i], 0, flags);
        else
            shadow_desc(d, &c->seg[i], i + 1 < n ? flags | DESC_F_NEXT : flags, (uint16_t)(i + 1));
    }
    return n;
}

int shadow_post(struct shadow *s, const struct vq_chain *c)
{
    unsigned n = c->outs + (unsigned)c->ins;
    bool table = n > 1 && s->conf.indirect;
    uint16_t places = table ? 1 : (uint16_t)n, name;
    struct shadow_slot *slot;

    if (!n || places > s->free || !s->names)
        return -ENOSPC;
    name = shadow_name(s);
    slot = &s->slot[name];
    /* The used part only: a chain's room is for the longest. */
    memcpy(&slot->chain, c, offsetof(struct vq_chain, seg) + n * sizeof(c->seg[0]));
    slot->order = s->posted++;
    slot->places = places;
    slot->busy = true;
    s->free = (uint16_t)(s->free - places);
    s->in_flight++;
    ring_of(s)->show(s, name, &slot->chain, table);
    return 0;
}

bool shadow_kick(struct shadow *s)
{
    return s->slot && ring_of(s)->kick(s);
}

/* Names that a chain went on with come back too. Bound: the places of one request. */
static void names_free(struct shadow *s, uint16_t name, uint16_t places)
{
    bool linked = !s->conf.packed;

    for (unsigned i = 0; i < (linked ? places : 1u); i++) {
        s->name[s->names++] = name;
        name = s->link[name];
    }
}

const struct vq_chain *shadow_take(struct shadow *s, uint32_t *written)
{
    struct shadow_slot *slot;
    uint16_t name;

    if (!s->slot || s->lie || ring_of(s)->used(s, &name, written) <= 0)
        return NULL;
    slot = name < SHADOW_SIZE ? &s->slot[name] : NULL;
    if (!slot || !slot->busy)
        s->lie = "it gives back a request that is not in flight";
    else if (*written > slot->chain.in_len)
        s->lie = "it wrote more than a request has room for";
    if (s->lie)
        return NULL;
    slot->busy = false;
    s->in_flight--;
    s->free = (uint16_t)(s->free + slot->places);
    names_free(s, name, slot->places);
    ring_of(s)->gone(s, slot->places);
    return &slot->chain;
}

void shadow_quiet(struct shadow *s)
{
    if (s->slot)
        ring_of(s)->calls(s, false);
}

bool shadow_listen(struct shadow *s)
{
    uint32_t written;
    uint16_t name;

    if (!s->slot || s->lie)
        return false;
    ring_of(s)->calls(s, true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs with the device's: its index, then our wish */
    return ring_of(s)->used(s, &name, &written) != 0;
}

static int by_order(const void *a, const void *b)
{
    const struct shadow_slot *const *x = a, *const *y = b;

    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

unsigned shadow_move(struct shadow *to, const struct shadow *from)
{
    const struct shadow_slot *list[SHADOW_SIZE];
    unsigned n = 0;

    for (unsigned i = 0; from->slot && i < SHADOW_SIZE; i++)
        if (from->slot[i].busy)
            list[n++] = &from->slot[i];
    qsort(list, n, sizeof(list[0]), by_order);
    for (unsigned i = 0; i < n; i++)
        if (shadow_post(to, &list[i]->chain)) /* a ring as large, with tables if the old one had */
            return i;
    return n;
}

bool shadow_sane(const struct shadow *s)
{
    unsigned busy = 0, places = 0;

    for (unsigned i = 0; s->slot && i < SHADOW_SIZE; i++) {
        busy += s->slot[i].busy;
        places += s->slot[i].busy ? s->slot[i].places : 0;
    }
    return busy == s->in_flight && (!s->slot || places + s->free == SHADOW_SIZE);
}
