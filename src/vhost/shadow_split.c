/* The driver's side of a split ring: VIRTIO 1.2, section 2.7. */
#include "vhost/shadow.h"
#include "virtio/vq_ring.h"
#include <errno.h>

static uint8_t *driver(const struct shadow *s)
{
    return s->conf.mem + SHADOW_DRIVER;
}

static uint8_t *device(const struct shadow *s)
{
    return s->conf.mem + SHADOW_DEVICE;
}

static uint16_t load(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

static uint8_t *desc(const struct shadow *s, uint16_t name)
{
    return s->conf.mem + SHADOW_DESC + (size_t)name * DESC_LEN;
}

/* Bound: VQ_SEGS_MAX. */
static void chain_show(struct shadow *s, uint16_t name, const struct vq_chain *c)
{
    unsigned n = c->outs + (unsigned)c->ins;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = i < c->outs ? 0 : DESC_F_WRITE;
        bool last = i + 1 == n;
        uint16_t next = last ? 0 : shadow_name(s);

        shadow_desc(desc(s, name), &c->seg[i], last ? flags : flags | DESC_F_NEXT, next);
        s->link[name] = next;
        name = next;
    }
}

static void show(struct shadow *s, uint16_t name, const struct vq_chain *c, bool table)
{
    uint8_t *avail = driver(s);

    if (table) {
        const struct vq_seg all = {shadow_table_gpa(s, name),
                                   shadow_table(s, name, c) * (uint32_t)DESC_LEN};

        shadow_desc(desc(s, name), &all, DESC_F_INDIRECT, 0);
    } else {
        chain_show(s, name, c);
    }
    le16_put(avail + RING_RING + 2u * (s->next_avail % SHADOW_SIZE), name);
    s->next_avail++;
    store(avail + RING_IDX, s->next_avail); /* after all of the above */
}

/* 2.7.10 */
static bool kick(struct shadow *s)
{
    uint16_t old = s->kicked, now = s->next_avail;

    s->kicked = now;
    if (old == now)
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* our index, then the device's wish */
    if (s->conf.event_idx)
        return vq_passed(load(device(s) + RING_RING + (size_t)SHADOW_SIZE * USED_LEN), now, old);
    return !(load(device(s) + RING_FLAGS) & USED_F_NO_NOTIFY);
}

static int used(struct shadow *s, uint16_t *name, uint32_t *written)
{
    const uint8_t *ring = device(s);
    uint16_t ahead = (uint16_t)(load(ring + RING_IDX) - s->next_used);
    const uint8_t *elem = ring + RING_RING + (size_t)USED_LEN * (s->next_used % SHADOW_SIZE);
    uint32_t id;

    if (!ahead)
        return 0;
    if (ahead > s->in_flight) {
        s->lie = "its used index runs ahead of what is in flight";
        return -EPROTO;
    }
    id = le32_get(elem);
    *written = le32_get(elem + 4);
    *name = id < SHADOW_SIZE ? (uint16_t)id : SHADOW_SIZE;
    return 1;
}

static void gone(struct shadow *s, uint16_t places)
{
    (void)places;
    s->next_used++;
}

/* With EVENT_IDX the event that lies behind is not passed again for a whole round. */
static void calls(struct shadow *s, bool on)
{
    if (!s->conf.event_idx)
        store(driver(s) + RING_FLAGS, on ? 0 : AVAIL_F_NO_INTERRUPT);
    else if (on)
        store(driver(s) + RING_RING + 2u * SHADOW_SIZE, s->next_used);
}

const struct shadow_ring shadow_split = {show, kick, used, gone, calls};
