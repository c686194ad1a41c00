/*
 * Split virtqueues: VIRTIO 1.2, section 2.7. The words of the three areas are read and written
 * here and nowhere else. What is trusted of them is told at the top of vq.c.
 *
 * Ordering. The driver fills descriptors, then publishes avail.idx; we load idx with acquire, so
 * what it covers is visible. We fill used elements, then store used.idx with release. Suppressing
 * notifications needs more: each side writes its own word, then reads the other's, and a full
 * fence between the two makes sure that at least one of them notices (2.7.7, 2.7.10).
 */
#include "virtio/vq_flight.h"
#include "virtio/vq_ring.h"
#include "core/state.h"
#include "mem/ram.h"
#include <errno.h>
#include <string.h>

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static uint8_t *used_event(const struct vq *q)
{
    return q->avail + RING_RING + 2u * q->conf.size;
}

static uint8_t *avail_event(const struct vq *q)
{
    return q->used + RING_RING + (size_t)USED_LEN * q->conf.size;
}

static size_t used_area(const struct vq *q)
{
    return RING_RING + (size_t)USED_LEN * q->conf.size + 2;
}

static int split_map(struct vq *q)
{
    const struct vq_conf *c = &q->conf;
    struct ram *ram = q->dma->ram;

    if (c->size & (c->size - 1) || c->desc % 16 || c->avail % 2 || c->used % 4)
        return -EINVAL;
    q->desc = ram_ptr(ram, c->desc, (uint64_t)DESC_LEN * c->size);
    q->avail = ram_ptr(ram, c->avail, RING_RING + 2u * c->size + 2);
    q->used = ram_ptr(ram, c->used, used_area(q));
    return q->desc && q->avail && q->used ? 0 : -EFAULT;
}

/* Heads that wait; q->broken: more than there can be. */
static __attribute__((noinline)) uint16_t heads_look(struct vq *q)
{
    uint16_t waiting = (uint16_t)(ring_load(q, q->avail + RING_IDX) - q->next_avail);

    if (waiting > q->conf.size)
        q->broken = "the available index runs ahead of the ring";
    else
        q->known = waiting;
    return waiting;
}

/* The index lies in a line that the driver writes all the time, so it is read again only when what
 * it told last is used up; who listens to a tap hears each look. */
static inline uint16_t heads(struct vq *q)
{
    return q->known && !q->dma->tap ? q->known : heads_look(q);
}

static int split_next(struct vq *q, uint16_t *head)
{
    unsigned slot = q->next_avail & (q->conf.size - 1u);

    if (__builtin_expect(q->flight && vq_flight_again(q), 0)) {
        *head = q->flight->again[q->flight->served]; /* is in next_avail already */
        return 1;
    }
    if (!heads(q))
        return 0;
    if (q->broken)
        return -EINVAL;
    *head = ring_load(q, q->avail + RING_RING + (size_t)2 * slot);
    q->next_avail++;
    q->known--;
    return 1;
}

static uint16_t word(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_RELAXED);
}

/* What is wrong, if anything, the long way finds: it reads all of it anew, and judges that. */
static bool split_take(struct vq *q, struct vq_chain *c)
{
    unsigned slot = q->next_avail & (q->conf.size - 1u);
    struct desc d;
    uint16_t head;
    bool in;

    if (!heads(q) || q->broken)
        return false;
    head = word(q->avail + RING_RING + (size_t)2 * slot);
    if (head >= q->conf.size || ring_busy(q, head))
        return false;
    memcpy(&d, q->desc + (size_t)DESC_LEN * head, DESC_LEN);
    if (d.flags & (DESC_F_NEXT | DESC_F_INDIRECT) || !d.len || d.len - 1 > UINT64_MAX - d.addr)
        return false;
    in = d.flags & DESC_F_WRITE;
    c->head = head;
    c->ins = in;
    c->outs = !in;
    c->in_len = in ? d.len : 0;
    c->out_len = in ? 0 : d.len;
    c->seg[0] = (struct vq_seg){.gpa = d.addr, .len = d.len};
    q->next_avail++;
    q->known--;
    ring_count(q, false, DESC_LEN + 2);
    return true;
}

/* One copy, judged afterwards: the driver may change the original at any time. */
static struct desc desc_read(const struct vq *q, const uint8_t *table, unsigned index)
{
    const uint8_t *at = table + (size_t)DESC_LEN * index;
    struct desc d;

    memcpy(&d, at, DESC_LEN);
    ring_read(q, at, &d, DESC_LEN);
    return d;
}

static int split_walk(struct vq *q, struct vq_chain *c)
{
    const uint8_t *table = q->desc;
    unsigned entries = q->conf.size, index = c->head, read = 0, most = q->conf.size;
    bool inside = false; /* of an indirect table, which may lie anywhere: in the ring, too */

    c->outs = c->ins = 0;
    c->out_len = c->in_len = 0;
    /* Bound: in the ring a chain has at most `size` descriptors, and one may name a table, whose
     * own bound is vq_table's. */
    while (c->outs + c->ins < most) {
        struct desc d = desc_read(q, table, index);

        read++;
        if (d.flags & DESC_F_INDIRECT) {
            if (inside)
                q->broken = "an indirect table in an indirect table";
            else
                q->broken = vq_table(q, &(struct vq_seg){d.addr, d.len}, d.flags, &table);
            if (q->broken)
                return -EINVAL;
            inside = true;
            entries = d.len / DESC_LEN;
            most = VQ_SEGS_MAX;
            index = 0;
            continue;
        }
        q->broken = ring_seg_add(c, d.addr, d.len, d.flags & DESC_F_WRITE);
        if (q->broken)
            return -EINVAL;
        index = d.next;
        if (!(d.flags & DESC_F_NEXT)) {
            ring_count(q, false, (size_t)read * DESC_LEN + 2);
            return 0;
        }
        if (index >= entries) {
            q->broken = "a descriptor's next is outside its table";
            return -EINVAL;
        }
    }
    q->broken = "a chain that is longer than its ring, or a loop";
    return -EINVAL;
}

static void split_unpop(struct vq *q, uint16_t head)
{
    (void)head;
    q->next_avail--;
}

static void split_push(struct vq *q, uint16_t head, uint32_t written)
{
    unsigned slot = q->next_used & (q->conf.size - 1u);
    uint8_t *elem = q->used + RING_RING + (size_t)USED_LEN * slot;

    le32_put(elem, head);
    le32_put(elem + 4, written);
    ring_wrote(q, elem, elem, USED_LEN);
    q->next_used++;
    if (q->flight)
        vq_flight_gave(q, head);
}

static bool split_show(struct vq *q)
{
    uint16_t old = (uint16_t)(q->next_used - q->unshown);

    if (q->flight)
        vq_flight_show(q);
    ring_store(q, q->used + RING_IDX, q->next_used);
    if (q->flight)
        vq_flight_shown(q);
    ring_count(q, true, (size_t)USED_LEN * q->unshown + 2);
    ram_written(q->dma->ram, q->conf.used, used_area(q));
    /* Pairs with the driver's: it writes used_event (or flags), fences, looks at used.idx again. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!q->conf.event_idx)
        return !(ring_load(q, q->avail + RING_FLAGS) & AVAIL_F_NO_INTERRUPT);
    return vq_passed(ring_load(q, used_event(q)), q->next_used, old);
}

static void split_quiet(struct vq *q)
{
    /* With event_idx an avail_event that was passed asks for nothing until it is moved. */
    if (q->conf.event_idx)
        return;
    ring_store(q, q->used + RING_FLAGS, USED_F_NO_NOTIFY);
    ring_hushed(q);
}

static bool split_listen(struct vq *q)
{
    if (q->conf.event_idx)
        ring_store(q, avail_event(q), q->next_avail);
    else
        ring_store(q, q->used + RING_FLAGS, 0);
    ram_written(q->dma->ram, q->conf.used, used_area(q));
    /* Pairs with the driver's: it writes avail.idx, fences, reads avail_event (or flags). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(q, q->avail + RING_IDX) != q->next_avail;
}

static bool split_waiting(const struct vq *q)
{
    return ring_load(q, q->avail + RING_IDX) != q->next_avail;
}

static unsigned split_peek(const struct vq *q, unsigned n, uint64_t *addr)
{
    uint16_t waiting = (uint16_t)(word(q->avail + RING_IDX) - q->next_avail), head;

    n = n < waiting ? n : waiting;
    for (unsigned i = 0; i < n; i++) {
        unsigned slot = (q->next_avail + i) & (q->conf.size - 1u);

        head = word(q->avail + RING_RING + (size_t)2 * slot);
        addr[i] = le64_get(q->desc + (size_t)DESC_LEN * (head & (q->conf.size - 1u)));
    }
    for (unsigned i = 0; i < n; i += LINE / USED_LEN) {
        unsigned slot = (q->next_used + i) & (q->conf.size - 1u);

        ring_want(q->used + RING_RING + (size_t)USED_LEN * slot, true);
    }
    return n;
}

static void split_state(struct vq *q, struct state *st)
{
    state_u16(st, &q->next_avail);
    state_u16(st, &q->next_used);
    if (st->load)
        q->known = 0;
}

const struct vq_ring vq_split = {
    .map = split_map,
    .next = split_next,
    .take = split_take,
    .walk = split_walk,
    .unpop = split_unpop,
    .push = split_push,
    .show = split_show,
    .quiet = split_quiet,
    .listen = split_listen,
    .waiting = split_waiting,
    .peek = split_peek,
    .state = split_state,
};
