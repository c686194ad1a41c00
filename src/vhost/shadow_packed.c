/* The driver's side of a packed ring: VIRTIO 1.2, section 2.8. The buffer ID is the request's
 * name; the first descriptor's flags are written last, and show the whole chain. */
#include "vhost/shadow.h"
#include "virtio/vq_ring.h"
#include <errno.h>

enum { F_AVAIL = 1 << 7, F_USED = 1 << 15 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };
enum { EVENT_WRAP = 1 << 15 };
enum { DESC_ID = 12, DESC_FLAGS = 14 };

static uint16_t load(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

static uint8_t *place(const struct shadow *s, uint16_t at)
{
    return s->conf.mem + SHADOW_DESC + (size_t)at * DESC_LEN;
}

static uint16_t flags_avail(bool wrap)
{
    return wrap ? F_AVAIL : F_USED; /* 2.8.1: avail is the counter, used its inverse */
}

static void avail_next(struct shadow *s)
{
    s->since++;
    if (++s->next_avail == SHADOW_SIZE) {
        s->next_avail = 0;
        s->avail_wrap = !s->avail_wrap;
    }
}

/* Everything but the flags of the first place; returns those. Bound: VQ_SEGS_MAX. */
static uint16_t chain_write(struct shadow *s, uint16_t name, const struct vq_chain *c)
{
    unsigned n = c->outs + (unsigned)c->ins;
    uint16_t first = 0;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = flags_avail(s->avail_wrap);
        uint8_t *at = place(s, s->next_avail);

        flags |= i < c->outs ? 0 : DESC_F_WRITE;
        flags |= i + 1 < n ? DESC_F_NEXT : 0;
        le64_put(at, c->seg[i].gpa);
        le32_put(at + 8, c->seg[i].len);
        le16_put(at + DESC_ID, name);
        if (i)
            store(at + DESC_FLAGS, flags);
        else
            first = flags;
        avail_next(s);
    }
    return first;
}

static uint16_t table_write(struct shadow *s, uint16_t name, const struct vq_chain *c)
{
    uint8_t *at = place(s, s->next_avail);
    uint16_t flags = flags_avail(s->avail_wrap) | DESC_F_INDIRECT;

    le64_put(at, shadow_table_gpa(s, name));
    le32_put(at + 8, shadow_table(s, name, c) * (uint32_t)DESC_LEN);
    le16_put(at + DESC_ID, name);
    avail_next(s);
    return flags;
}

static void show(struct shadow *s, uint16_t name, const struct vq_chain *c, bool table)
{
    uint8_t *first = place(s, s->next_avail);
    uint16_t flags = table ? table_write(s, name, c) : chain_write(s, name, c);

    store(first + DESC_FLAGS, flags);
}

/* 2.8.10 */
static bool kick(struct shadow *s)
{
    const uint8_t *event = s->conf.mem + SHADOW_DEVICE;
    uint16_t now = s->next_avail, old = (uint16_t)(now - s->since), at, how;
    bool any = s->since, wrap;

    s->since = 0;
    if (!any)
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* our flags, then the device's wish */
    how = load(event + 2);
    if (how != EVENT_DESC || !s->conf.event_idx)
        return how != EVENT_DISABLE;
    at = load(event);
    /* Places count on from one round to the next: those of the round before lie a ring behind. */
    wrap = at & EVENT_WRAP;
    if (wrap != s->avail_wrap)
        return vq_passed((uint16_t)((at & (EVENT_WRAP - 1)) - SHADOW_SIZE), now, old);
    return vq_passed(at & (EVENT_WRAP - 1), now, old);
}

static int used(struct shadow *s, uint16_t *name, uint32_t *written)
{
    const uint8_t *at = place(s, s->next_used);
    uint16_t flags = load(at + DESC_FLAGS), id;
    bool is_avail = flags & F_AVAIL, is_used = flags & F_USED;

    /* With nothing in flight there is nothing to ask for. */
    if (!s->in_flight || is_avail != s->used_wrap || is_used != s->used_wrap)
        return 0;
    id = le16_get(at + DESC_ID);
    *written = flags & DESC_F_WRITE ? le32_get(at + 8) : 0; /* 2.8.6 */
    *name = id < SHADOW_SIZE ? id : SHADOW_SIZE;
    return 1;
}

static void gone(struct shadow *s, uint16_t places)
{
    s->next_used = (uint16_t)(s->next_used + places);
    if (s->next_used >= SHADOW_SIZE) {
        s->next_used = (uint16_t)(s->next_used - SHADOW_SIZE);
        s->used_wrap = !s->used_wrap;
    }
}

static void calls(struct shadow *s, bool on)
{
    uint8_t *event = s->conf.mem + SHADOW_DRIVER;

    if (on && s->conf.event_idx)
        store(event, (uint16_t)(s->next_used | (s->used_wrap ? EVENT_WRAP : 0)));
    store(event + 2, !on ? EVENT_DISABLE : s->conf.event_idx ? EVENT_DESC : EVENT_ENABLE);
}

const struct shadow_ring shadow_packed = {show, kick, used, gone, calls};
