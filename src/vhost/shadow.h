/*
 * The driver's side of a virtqueue, in memory of our own: VIRTIO 1.2, sections 2.6 to 2.8. A front
 * end lends such rings to its back end instead of the guest's, posts there what the guest asked
 * for, and takes back what was used. So it alone knows what is in flight, whoever serves it.
 *
 * The other side is hostile: all it can do is write in the ring. Nothing of ours is read back from
 * there, and what it says is used must be in flight.
 *
 * Each queue has SHADOW_STRIDE bytes: descriptors, the driver's area, the device's area, a page
 * each, then a table of descriptors for each request that has more than one.
 */
#ifndef VHOST_SHADOW_H
#define VHOST_SHADOW_H

#include "virtio/vq.h"

#define SHADOW_SIZE VQ_SIZE_MAX /* entries of each ring */

enum {
    SHADOW_DESC = 0x0000,
    SHADOW_DRIVER = 0x1000,
    SHADOW_DEVICE = 0x2000,
    SHADOW_TABLES = 0x3000,
    SHADOW_TABLE_LEN = VQ_SEGS_MAX * 16,
    SHADOW_STRIDE = SHADOW_TABLES + (int)SHADOW_SIZE * SHADOW_TABLE_LEN,
};

struct shadow_conf {
    uint8_t *mem; /* SHADOW_STRIDE bytes, all zero, page-aligned */
    gpa_t gpa;    /* where the other side finds them */
    bool packed, event_idx, indirect;
};

struct shadow_slot { /* one request, by its name in the ring */
    struct vq_chain chain;
    uint64_t order; /* of posting */
    uint16_t places;
    bool busy;
};

struct shadow {
    struct shadow_conf conf;
    struct shadow_slot *slot; /* SHADOW_SIZE; NULL: closed */
    uint16_t name[SHADOW_SIZE];
    uint16_t names; /* free ones, the last of name[] first */
    uint16_t free;  /* places */
    uint16_t next_avail, next_used, kicked;
    bool avail_wrap, used_wrap; /* packed */
    uint16_t since;             /* packed: places posted since the last shadow_kick */
    unsigned in_flight;
    uint64_t posted;            /* requests, ever */
    const char *lie;            /* what the other side said that is not so; NULL */
    uint16_t link[SHADOW_SIZE]; /* split: which name a chain goes on with */
};

int shadow_open(struct shadow *s, const struct shadow_conf *conf); /* 0 or -ENOMEM */
void shadow_close(struct shadow *s);

/* Shows c to the other side and keeps a copy. 0; -ENOSPC: too much is in flight. */
int shadow_post(struct shadow *s, const struct vq_chain *c);
/* Does the other side want to be told of what was posted since the last time? */
bool shadow_kick(struct shadow *s);
/* The next request that was used, and is free now; its chain until the next post. NULL: none, or
 * s->lie. */
const struct vq_chain *shadow_take(struct shadow *s, uint32_t *written);
void shadow_quiet(struct shadow *s);  /* no calls, please */
bool shadow_listen(struct shadow *s); /* calls again; true: some are used already */
/* What is in flight in `from`, in the order of its posting, is posted to `to`, which is new. How
 * many. Bound: a ring. */
unsigned shadow_move(struct shadow *to, const struct shadow *from);
bool shadow_sane(const struct shadow *s); /* fuzzers ask */

/* shadow_split.c, shadow_packed.c */
struct shadow_ring {
    void (*show)(struct shadow *s, uint16_t name, const struct vq_chain *c, bool table);
    bool (*kick)(struct shadow *s);
    /* 1: *name, *written, as the other side wrote them; 0: none; -EPROTO: s->lie */
    int (*used)(struct shadow *s, uint16_t *name, uint32_t *written);
    void (*gone)(struct shadow *s, uint16_t places); /* what used gave was in flight: go on */
    void (*calls)(struct shadow *s, bool on);
};
extern const struct shadow_ring shadow_split, shadow_packed;

/* A table of c's descriptors for that name; how many. */
unsigned shadow_table(struct shadow *s, uint16_t name, const struct vq_chain *c);
uint16_t shadow_name(struct shadow *s); /* a free one: the caller knows there is */
/* Split: flags, then the next one; packed: an ID, then flags. */
void shadow_desc(uint8_t *at, const struct vq_seg *seg, uint16_t third, uint16_t fourth);

static inline gpa_t shadow_table_gpa(const struct shadow *s, uint16_t name)
{
    return s->conf.gpa + SHADOW_TABLES + (gpa_t)name * SHADOW_TABLE_LEN;
}

#endif
