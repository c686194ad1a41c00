/* Shared by the checker's files: vcheck*.c (registers), vq_check*.c (rings). */
#ifndef VIRTIO_VCHECK_IMPL_H
#define VIRTIO_VCHECK_IMPL_H

#include "core/ledger.h"
#include "virtio/vcheck.h"
#include "virtio/vq_ring.h"

struct vq_check_chain { /* a buffer that the device has, by head */
    bool known;
    uint16_t first, span; /* split: head, descriptors; packed: place, places */
    gpa_t table;          /* indirect, else len is 0 */
    uint32_t table_len;
    uint64_t table_sum;
};

struct vq_check { /* a queue that runs */
    struct vcheck *c;
    unsigned queue;
    uint16_t last_idx;  /* split: the available index as last seen */
    uint16_t next_desc; /* IN_ORDER: where the next buffer begins */
    uint64_t owned[VQ_SIZE_MAX / 64];
    uint8_t snap[VQ_SIZE_MAX][DESC_LEN]; /* descriptors as they were fetched */
    struct vq_check_chain chain[VQ_SIZE_MAX];
};

struct vcheck {
    struct virtio *v;
    struct vwatch *watch;
    struct ledger *ledger;
    struct ledger_row *row[VRULES]; /* of rules that were broken */
    unsigned lines;                 /* still to be said */
    bool mmio;
    bool status_seen;    /* read since FEATURES_OK was written */
    bool features_asked; /* FEATURES_OK was written */
    uint32_t stopped;    /* queues stopped or reset, and not looked at since: a bit each */
    uint32_t was_on;     /* queues that were enabled since the reset */
    /* 64-bit fields of the configuration */
    bool generation_seen, half_read;
    struct vq_check q[VIRTIO_QUEUES_MAX];
};

/* ---- rings ---- */

struct vq_check_walk { /* through one chain */
    struct vq_check *k;
    struct vq *q;
    unsigned head, elements;
    bool writable, bad;
    uint64_t bytes;
};

static inline bool vq_check_bit(const uint64_t *set, unsigned i)
{
    return set[i / 64] >> i % 64 & 1;
}

static inline void vq_check_bit_put(uint64_t *set, unsigned i, bool on)
{
    set[i / 64] = (set[i / 64] & ~(1ull << i % 64)) | (uint64_t)on << i % 64;
}

/* One element of a chain; false: it broke a rule, which was told. */
bool vq_check_element(struct vq_check_walk *w, const uint8_t *desc, unsigned at);
/* The same for a rule that the walk found; returns false. */
bool vq_check_bad(struct vq_check_walk *w, enum vrule rule, const uint8_t *desc, unsigned at);
/* An indirect table in memory, or NULL and told. */
const uint8_t *vq_check_table(struct vq_check_walk *w, const uint8_t *desc, unsigned at);
/* A cheap sum over bytes, to see whether they changed. */
uint64_t vq_check_sum(const uint8_t *p, size_t len);
void vq_check_table_kept(struct vq_check_walk *w, const uint8_t *desc, const uint8_t *table);

struct vq_check_ring { /* what differs between the layouts */
    void (*start)(struct vq_check *k, struct vq *q);
    void (*fetch)(struct vq_check *k, struct vq *q);
    void (*drop)(struct vq_check *k, struct vq *q, uint16_t head); /* its descriptors are free */
    void (*undo)(struct vq_check *k, struct vq *q, uint16_t head); /* not fetched after all */
    /* A descriptor that is not as it was fetched: its index, else -1. */
    int (*changed)(struct vq_check *k, struct vq *q, uint16_t head);
};
extern const struct vq_check_ring vq_check_split, vq_check_packed;
void vq_check_start(struct vq_check *k, struct vcheck *c, unsigned queue);

#endif
