/*
 * Split virtqueue, driver's side: VIRTIO 1.2, section 2.7. Slot s has descriptors 3s to 3s + 2 for
 * good: header, data, status (a flush leaves out the data).
 */
#include "vio.h"

enum { NEXT = 1, DEVICE_WRITES = 2 };
enum { NO_INTERRUPT = 1, NO_NOTIFY = 1 };

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
static struct desc desc[RING] __attribute__((aligned(16)));
static struct {
    volatile uint16_t flags, idx, ring[RING], used_event;
} avail __attribute__((aligned(4)));
static struct {
    volatile uint16_t flags, idx;
    struct {
        volatile uint32_t id, len;
    } ring[RING];
    volatile uint16_t avail_event;
} used __attribute__((aligned(4)));
static uint16_t next, told, seen_used; /* our avail index, what was published, what was reaped */

static bool split_open(void)
{
    if (polled)
        avail.flags = NO_INTERRUPT;
    return vio_open(0, (struct ring_area){desc, &avail, &used});
}

static void split_submit(struct req *r)
{
    uint16_t d = (uint16_t)(3 * r->slot);
    struct vio_slot *s = &vio_slot[r->slot];

    vio_fill(r);
    desc[d] = (struct desc){(uintptr_t)s, 16, NEXT, (uint16_t)(d + (r->flush ? 2 : 1))};
    desc[d + 1] =
        (struct desc){(uintptr_t)r->buf, r->sectors * SECTOR,
                      (uint16_t)(NEXT | (r->write ? 0 : DEVICE_WRITES)), (uint16_t)(d + 2)};
    desc[d + 2] = (struct desc){(uintptr_t)&s->status, 1, DEVICE_WRITES, 0};
    avail.ring[next++ % RING] = d;
}

static void split_kick(void)
{
    uint16_t old = told, event;

    if (next == told)
        return;
    asm volatile("" ::: "memory"); /* ring before index: x86 keeps stores in order */
    avail.idx = told = next;
    asm volatile("lock; orl $0, (%%" STACK ")" ::: "memory"); /* index before event: 2.7.13.4.1 */
    event = load16(&used.avail_event);
    if (vio_event_idx ? (uint16_t)(next - event - 1) < (uint16_t)(next - old)
                      : !(load16(&used.flags) & NO_NOTIFY))
        vio_kick();
}

/* An interrupt is wanted for the next one, once all that was there has been taken. */
static struct req *split_reap(void)
{
    unsigned slot;

    if (load16(&used.idx) == seen_used) {
        if (!vio_event_idx || avail.used_event == seen_used)
            return NULL;
        avail.used_event = seen_used;
        asm volatile("lock; orl $0, (%%" STACK ")" ::: "memory");
        if (load16(&used.idx) == seen_used)
            return NULL;
    }
    asm volatile("" ::: "memory");
    slot = used.ring[seen_used++ % RING].id / 3;
    return slot < DEPTH_MAX ? vio_ended(slot) : NULL;
}

const struct way way_virtio_split = {"virtio-split", DEPTH_MAX,  split_open,
                                     split_submit,   split_kick, split_reap};
