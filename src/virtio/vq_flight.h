/*
 * A record of what is in flight in a ring, kept in memory that outlives the device's process, so
 * that its successor can serve again what was not given back: "Inflight I/O tracking" of the
 * vhost-user protocol (docs/interop/vhost-user of QEMU), both layouts, version 1. How the record is
 * kept in order is told at the top of vq_flight.c.
 *
 * The memory is shared with a peer: it is read once, when a ring starts, copied and judged; from
 * then on it is only written, from the copy.
 */
#ifndef VIRTIO_VQ_FLIGHT_H
#define VIRTIO_VQ_FLIGHT_H

#include "virtio/vq.h"

struct pk_desc { /* a descriptor of a packed ring */
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

struct vq_flight {
    uint8_t *at;      /* the record of this queue */
    uint16_t size;    /* entries it has, at least the ring's */
    uint64_t counter; /* chains ever taken */
    /* To be served again, oldest first: heads, or entries of a packed ring's record. */
    uint16_t again[VQ_SIZE_MAX], agains, served;
    uint64_t popped; /* chains of the ring that were popped since: all after those of the record */
    /* split: given back and not yet shown */
    uint16_t last, batch[VQ_SIZE_MAX], batched;
    /* packed: the list of free entries; a chain's first entry, by its head; its length, by its
     * first entry; the used place; the chain that is walked; what the record held at first */
    uint16_t free, next[VQ_SIZE_MAX], first[VQ_SIZE_MAX], span[VQ_SIZE_MAX];
    uint16_t used, leaving, walked;
    bool wrap;
    struct pk_desc walk[VQ_SIZE_MAX], kept[VQ_SIZE_MAX];
    const char *why; /* a record is none */
};

/* Bytes of one queue's record: a multiple of 64. */
size_t vq_flight_len(bool packed, uint16_t entries);

/*
 * Right after vq_start: from now on the record at `at` is kept, and the ring goes on where the
 * record says, chains that it has in flight first. A record that is all zeroes is begun: a split
 * ring goes on at its used index then, a packed one at `fresh`. 0, or -EINVAL with f->why: the
 * record and the ring can't belong together.
 */
int vq_flight_start(struct vq *q, struct vq_flight *f, uint8_t *at, uint16_t entries,
                    const struct vq_place *fresh);

/* ---- for the ring files; q->flight is there ---- */
bool vq_flight_again(const struct vq *q);         /* a chain of the record comes next */
void vq_flight_took(struct vq *q, uint16_t head); /* popped, before anything is done for it */
/* Undoes that. True: it comes from the record, and stays there; the ring did not move for it. */
bool vq_flight_unpop(struct vq *q, uint16_t head);
/* split: head was given back; the next two around the moment when the driver sees the batch */
void vq_flight_gave(struct vq *q, uint16_t head);
void vq_flight_show(struct vq *q);
void vq_flight_shown(struct vq *q);
/* packed: around the moment when the driver sees head back */
void vq_flight_leave(struct vq *q, uint16_t head);
void vq_flight_left(struct vq *q);
/* packed: the n-th descriptor of the chain of the record that comes next; NULL: it has no more */
const struct pk_desc *vq_flight_kept(const struct vq_flight *f, unsigned n);

/* vq_flight_packed.c */
int vq_flight_packed_start(struct vq *q, const struct vq_place *fresh);
void vq_flight_packed_took(struct vq_flight *f, uint16_t head);
void vq_flight_packed_unpop(struct vq_flight *f, uint16_t head);

/* The record's words. Each store is one, after all before it. */
enum { FLIGHT_VERSION = 8, FLIGHT_DESC_NUM = 10 };

static inline void flight_put8(uint8_t *at, uint8_t v)
{
    __atomic_store_n(at, v, __ATOMIC_RELEASE);
}

static inline void flight_put16(uint8_t *at, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)at, v, __ATOMIC_RELEASE);
}

static inline void flight_put32(uint8_t *at, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)at, v, __ATOMIC_RELEASE);
}

static inline void flight_put64(uint8_t *at, uint64_t v)
{
    __atomic_store_n((uint64_t *)(void *)at, v, __ATOMIC_RELEASE);
}

/* Sorts f->again by these counters. */
void vq_flight_sort(struct vq_flight *f, const uint64_t *counter);
int vq_flight_bad(struct vq_flight *f, const char *why); /* -EINVAL */

#endif
