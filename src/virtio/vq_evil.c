/*
 * --evil: completions that a device must not make (VIRTIO 1.2, 2.7.7.2, 2.7.8.2, 2.8.12, 2.8.15).
 * Whatever is written to the ring, the queue's own books are kept right: a head is given back once,
 * places stay inside the ring.
 */
#include "virtio/vevil_impl.h"
#include "virtio/vq_ring.h"
#include <string.h>

enum { HELD_NS = 10 * 1000 * 1000 };

static unsigned queue_of(const struct vevil *e, const struct vq *q)
{
    const struct virtio_queue *vq = container_of(q, const struct virtio_queue, vq);

    return (unsigned)(vq - e->v->queue);
}

/* ---- completions that are held back ---- */

static void one_out(struct vevil *e, unsigned i)
{
    unsigned queue = e->held[i].queue;

    if (virtio_answers(e->v, queue)) {
        vq_give(&e->v->queue[queue].vq, e->held[i].head, e->held[i].head, e->held[i].written);
        virtio_done(e->v, queue);
    }
    e->helds--;
    memmove(&e->held[i], &e->held[i + 1], (e->helds - i) * sizeof(e->held[0]));
}

void vevil_release(struct vevil *e)
{
    while (e->helds)
        one_out(e, 0);
}

void vevil_forget(struct vevil *e, unsigned queue)
{
    for (unsigned i = e->helds; i-- > 0;)
        if (e->held[i].queue == queue)
            one_out(e, i); /* not enabled any more: nothing is given back */
}

static bool hold(struct vevil *e, unsigned queue, uint16_t head, uint32_t written)
{
    if (e->helds == VEVIL_HELD)
        return false;
    e->held[e->helds].queue = (uint16_t)queue;
    e->held[e->helds].head = head;
    e->held[e->helds++].written = written;
    loop_timer_set(&e->timer, loop_now(e->timer.loop) + HELD_NS);
    vevil_tell(e, VEVIL_LATE, "queue %u: head %u waits, others pass it", queue, head);
    return true;
}

/* ---- one completion ---- */

static uint32_t wrong_length(struct vevil *e, uint32_t written)
{
    switch (vevil_random(e) % 4) {
    case 0: return 0;
    case 1: return written + 1;
    case 2: return UINT32_MAX;
    default: return (uint32_t)vevil_random(e);
    }
}

/* A used element of its own: the same place is counted twice. */
static void once_more(struct vq *q, uint16_t head, uint32_t written)
{
    q->ring->push(q, head, written);
    q->unshown++;
}

static void give_wrong(struct vevil *e, struct vq *q, uint16_t head, uint32_t written,
                       enum vevil_kind kind)
{
    unsigned queue = queue_of(e, q);
    uint16_t id = (uint16_t)(vevil_random(e) % (4u * q->conf.size));
    uint32_t len;

    switch (kind) {
    case VEVIL_ID:
        vevil_tell(e, kind, "queue %u: head %u given back as %u", queue, head, id);
        vq_give(q, head, id, written);
        break;
    case VEVIL_LENGTH:
        len = wrong_length(e, written);
        vevil_tell(e, kind, "queue %u: head %u with %u bytes, not %u", queue, head, len, written);
        vq_give(q, head, head, len);
        break;
    default:
        vevil_tell(e, kind, "queue %u: head %u given back twice", queue, head);
        vq_give(q, head, head, written);
        once_more(q, head, written);
        break;
    }
}

bool vevil_give(struct vevil *e, struct vq *q, uint16_t head, uint32_t written)
{
    enum vevil_kind kind =
        vevil_draw(e, vevil_bit(VEVIL_ID) | vevil_bit(VEVIL_LENGTH) | vevil_bit(VEVIL_TWICE) |
                          vevil_bit(VEVIL_LATE) | vevil_bit(VEVIL_LOST));

    switch (kind) {
    case VEVIL_KINDS: return false;
    case VEVIL_LATE: return hold(e, queue_of(e, q), head, written);
    case VEVIL_LOST:
        vevil_tell(e, kind, "queue %u: head %u is never given back", queue_of(e, q), head);
        vq_lose(q, head);
        return true;
    default: give_wrong(e, q, head, written, kind); return true;
    }
}

/* ---- data, the batch ---- */

size_t vevil_put(struct vevil *e, struct vq *q, size_t len)
{
    if (!len || vevil_draw(e, vevil_bit(VEVIL_SHORT)) != VEVIL_SHORT)
        return len;
    vevil_tell(e, VEVIL_SHORT, "queue %u: %zu of %zu bytes written", queue_of(e, q), len / 2, len);
    return len / 2;
}

static void jump(struct vevil *e, struct vq *q)
{
    unsigned by = 1 + (unsigned)(vevil_random(e) % q->conf.size);

    vevil_tell(e, VEVIL_JUMP, "queue %u: %u more are shown than were done", queue_of(e, q), by);
    if (q->conf.packed)
        once_more(q, (uint16_t)(by % q->conf.size), 0);
    else
        q->next_used = (uint16_t)(q->next_used + by);
}

bool vevil_show(struct vevil *e, struct vq *q)
{
    switch (vevil_draw(e, vevil_bit(VEVIL_JUMP) | vevil_bit(VEVIL_MUTE))) {
    case VEVIL_JUMP: jump(e, q); return true;
    case VEVIL_MUTE:
        vevil_tell(e, VEVIL_MUTE, "queue %u: no interrupt", queue_of(e, q));
        return false;
    default: return true;
    }
}
