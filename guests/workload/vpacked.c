/*
 * Packed virtqueue, driver's side: VIRTIO 1.2, section 2.8. A chain takes the next free places of
 * the ring; its buffer ID is its slot. The chain's first descriptor is made available last.
 */
#include "vio.h"

enum { NEXT = 1, DEVICE_WRITES = 2, AVAIL = 1 << 7, USED = 1 << 15 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };
#define WRAP 0x8000u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id;
    volatile uint16_t flags;
};
struct event {
    volatile uint16_t off_wrap, flags;
};
static struct desc ring[RING] __attribute__((aligned(16)));
static struct event driver __attribute__((aligned(4))), device __attribute__((aligned(4)));
static uint16_t next, done;                /* the next place to fill, and to look at */
static bool wrap = true, done_wrap = true; /* 2.8.1: both start at 1 */
static uint16_t added;                     /* places since the last kick */
static uint8_t places[DEPTH_MAX];          /* how many a slot's chain takes */

static bool packed_open(void)
{
    driver.flags = polled ? EVENT_DISABLE : EVENT_ENABLE;
    return vio_open(VIO_PACKED, (struct ring_area){ring, &driver, &device});
}

static uint16_t ownership(void)
{
    return wrap ? AVAIL : USED;
}

static void place(uint64_t addr, uint32_t len, uint16_t flags, struct req *r, bool publish)
{
    struct desc *d = &ring[next];

    d->addr = addr;
    d->len = len;
    d->id = (uint16_t)r->slot;
    if (publish)
        d->flags = flags | ownership();
    added++;
    if (++next == RING) {
        next = 0;
        wrap = !wrap;
    }
}

static void packed_submit(struct req *r)
{
    struct vio_slot *s = &vio_slot[r->slot];
    struct desc *head = &ring[next];
    uint16_t first = NEXT | ownership();

    vio_fill(r);
    places[r->slot] = r->flush ? 2 : 3;
    place((uintptr_t)s, 16, 0, r, false);
    if (!r->flush)
        place((uintptr_t)r->buf, r->sectors * SECTOR,
              (uint16_t)(NEXT | (r->write ? 0 : DEVICE_WRITES)), r, true);
    place((uintptr_t)&s->status, 1, DEVICE_WRITES, r, true);
    asm volatile("" ::: "memory");
    head->flags = first;
}

/* 2.8.10: is the place the device waits for among those added since the last kick? */
static bool wanted(void)
{
    uint16_t flags = load16(&device.flags) & 3, off_wrap = load16(&device.off_wrap);
    uint16_t event = off_wrap & (uint16_t)~WRAP;

    if (flags != EVENT_DESC)
        return flags == EVENT_ENABLE;
    if (!!(off_wrap & WRAP) != wrap)
        event = (uint16_t)(event - RING);
    return (uint16_t)(next - event - 1) < added;
}

static void packed_kick(void)
{
    if (!added)
        return;
    asm volatile("lock; orl $0, (%%" STACK ")" ::: "memory");
    if (wanted())
        vio_kick();
    added = 0;
}

static struct req *packed_reap(void)
{
    uint16_t flags = load16(&ring[done].flags);
    unsigned slot;

    if (!(flags & USED) != !done_wrap || !(flags & AVAIL) != !done_wrap)
        return NULL;
    asm volatile("" ::: "memory");
    slot = ring[done].id;
    if (slot >= DEPTH_MAX)
        return NULL;
    done = (uint16_t)(done + places[slot]);
    if (done >= RING) {
        done = (uint16_t)(done - RING);
        done_wrap = !done_wrap;
    }
    return vio_ended(slot);
}

const struct way way_virtio_packed = {"virtio-packed", DEPTH_MAX,   packed_open,
                                      packed_submit,   packed_kick, packed_reap};
