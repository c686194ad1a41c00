/*
 * The record of what is in flight: vq_flight.h tells what for. Here what both layouts share, and
 * the one of split rings; packed rings are vq_flight_packed.c's.
 *
 * A process can be killed between any two of its stores, and whoever comes next must find each
 * request either as not yet taken, or in flight, or given back; so the order of the stores is all
 * there is to this file. A chain is put down as in flight before anything is done for it: killed
 * before that store, it is still the driver's, and is popped again. It is crossed out after the
 * driver was shown it, never before; that it was shown is seen by the used index of the ring being
 * ahead of the one in the record, and the heads of that batch are a list in the record that was
 * complete before. Between the two, what was in flight is served once more: the driver has not
 * seen an answer, so has not touched the buffers, and the same bytes go to the same place.
 *
 * How far the ring was walked need not be written down: used index plus what is in flight.
 */
#include "virtio/vq_flight.h"
#include "virtio/vq_ring.h"
#include <errno.h>
#include <string.h>

enum { /* a queue's record, split */
       LAST_BATCH_HEAD = 12,
       USED_IDX = 14,
       SPLIT_DESC = 16,
};
enum { /* an entry, by head */
       INFLIGHT = 0,
       NEXT = 6,
       COUNTER = 8,
       SPLIT_DESC_LEN = 16,
};
enum { PACKED_HEADER = 32, PACKED_DESC_LEN = 32, UNIT = 64 };

size_t vq_flight_len(bool packed, uint16_t entries)
{
    size_t len = packed ? PACKED_HEADER + (size_t)PACKED_DESC_LEN * entries
                        : SPLIT_DESC + (size_t)SPLIT_DESC_LEN * entries;

    return (len + UNIT - 1) / UNIT * UNIT;
}

int vq_flight_bad(struct vq_flight *f, const char *why)
{
    f->why = why;
    return -EINVAL;
}

/* By insertion: at most VQ_SIZE_MAX, once a start. */
void vq_flight_sort(struct vq_flight *f, const uint64_t *counter)
{
    for (unsigned i = 1; i < f->agains; i++) {
        uint16_t head = f->again[i];
        unsigned at = i;

        for (; at && counter[f->again[at - 1]] > counter[head]; at--)
            f->again[at] = f->again[at - 1];
        f->again[at] = head;
    }
}

static uint8_t *entry(const struct vq_flight *f, uint16_t head)
{
    return f->at + SPLIT_DESC + (size_t)SPLIT_DESC_LEN * head;
}

/* ---- a ring starts ---- */

struct split_copy { /* what was in the record */
    bool in_flight[VQ_SIZE_MAX];
    uint16_t next[VQ_SIZE_MAX];
    uint64_t counter[VQ_SIZE_MAX];
    unsigned flying;
};

static void split_read(struct vq_flight *f, struct split_copy *c)
{
    memset(c, 0, sizeof(*c));
    for (uint16_t i = 0; i < f->size; i++) {
        const uint8_t *e = entry(f, i);

        c->in_flight[i] = __atomic_load_n(e + INFLIGHT, __ATOMIC_RELAXED);
        c->next[i] = le16_get(e + NEXT);
        c->counter[i] = le64_get(e + COUNTER);
        c->flying += c->in_flight[i];
        if (c->in_flight[i] && c->counter[i] >= f->counter)
            f->counter = c->counter[i] + 1;
    }
    f->last = le16_get(f->at + LAST_BATCH_HEAD);
}

/* The last batch was shown, but not crossed out. Bound: the record's entries. */
static int split_cross_out(struct vq_flight *f, struct split_copy *c, uint16_t batch)
{
    uint16_t head = f->last;

    if (batch > f->size)
        return c->flying ? vq_flight_bad(f, "a record of requests in flight in another ring") : 0;
    for (; batch; batch--) {
        if (head >= f->size)
            return vq_flight_bad(f, "a record whose last batch leads outside");
        c->flying -= c->in_flight[head];
        c->in_flight[head] = false;
        flight_put8(entry(f, head) + INFLIGHT, 0);
        head = c->next[head];
    }
    return 0;
}

static void split_fresh(struct vq_flight *f, uint16_t used)
{
    for (uint16_t i = 0; i < f->size; i++)
        flight_put8(entry(f, i) + INFLIGHT, 0);
    flight_put16(f->at + USED_IDX, used);
    flight_put16(f->at + FLIGHT_DESC_NUM, f->size);
    flight_put16(f->at + FLIGHT_VERSION, 1);
}

static int split_start(struct vq *q)
{
    struct vq_flight *f = q->flight;
    struct split_copy c;
    uint16_t used = vq_used_idx(q);
    int err;

    if (!le16_get(f->at + FLIGHT_VERSION))
        split_fresh(f, used);
    split_read(f, &c);
    err = split_cross_out(f, &c, (uint16_t)(used - le16_get(f->at + USED_IDX)));
    if (err)
        return err;
    flight_put16(f->at + USED_IDX, used);
    for (uint16_t i = 0; i < f->size; i++)
        if (c.in_flight[i])
            f->again[f->agains++] = i;
    if (f->agains > q->conf.size || (f->agains && f->again[f->agains - 1] >= q->conf.size))
        return vq_flight_bad(f, "a record with more in flight than the ring has");
    vq_flight_sort(f, c.counter);
    q->next_used = used;
    q->next_avail = (uint16_t)(used + f->agains);
    return 0;
}

int vq_flight_start(struct vq *q, struct vq_flight *f, uint8_t *at, uint16_t entries,
                    const struct vq_place *fresh)
{
    uint16_t version = le16_get(at + FLIGHT_VERSION), num = le16_get(at + FLIGHT_DESC_NUM);
    int err;

    memset(f, 0, sizeof(*f));
    f->at = at;
    f->size = entries;
    if (version > 1 || (version && num != entries) || !q->desc)
        return vq_flight_bad(f, "a record of another version or size");
    if (entries < q->conf.size || entries > VQ_SIZE_MAX)
        return vq_flight_bad(f, "a record that is smaller than the ring");
    q->flight = f;
    err = q->conf.packed ? vq_flight_packed_start(q, fresh) : split_start(q);
    if (err)
        q->flight = NULL;
    return err;
}

/* ---- it runs ---- */

bool vq_flight_again(const struct vq *q)
{
    return q->flight->served < q->flight->agains;
}

void vq_flight_took(struct vq *q, uint16_t head)
{
    struct vq_flight *f = q->flight;

    if (vq_flight_again(q)) {
        if (q->conf.packed)
            f->first[head] = f->again[f->served];
        f->served++; /* is in the record */
        return;
    }
    f->popped++;
    if (q->conf.packed) {
        vq_flight_packed_took(f, head);
        return;
    }
    flight_put64(entry(f, head) + COUNTER, f->counter++);
    flight_put8(entry(f, head) + INFLIGHT, 1);
}

bool vq_flight_unpop(struct vq *q, uint16_t head)
{
    struct vq_flight *f = q->flight;

    if (!f->popped) { /* so the last pop was of the record */
        f->served--;
        return true;
    }
    f->popped--;
    if (q->conf.packed)
        vq_flight_packed_unpop(f, head);
    else
        flight_put8(entry(f, head) + INFLIGHT, 0);
    return false;
}

void vq_flight_gave(struct vq *q, uint16_t head)
{
    struct vq_flight *f = q->flight;

    f->batch[f->batched++] = head; /* at most a ring: they are shown before they come again */
}

void vq_flight_show(struct vq *q)
{
    struct vq_flight *f = q->flight;

    for (unsigned i = 0; i < f->batched; i++) {
        flight_put16(entry(f, f->batch[i]) + NEXT, f->last);
        f->last = f->batch[i];
        flight_put16(f->at + LAST_BATCH_HEAD, f->last);
    }
}

void vq_flight_shown(struct vq *q)
{
    struct vq_flight *f = q->flight;

    for (unsigned i = 0; i < f->batched; i++)
        flight_put8(entry(f, f->batch[i]) + INFLIGHT, 0);
    f->batched = 0;
    flight_put16(f->at + USED_IDX, q->next_used);
}
