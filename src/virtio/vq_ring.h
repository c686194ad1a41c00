/*
 * The layout of a split virtqueue, VIRTIO 1.2 section 2.7, and access to its words. Private to the
 * ring files. A packed ring (2.8) would be a second set of these functions.
 *
 *   descriptor table   size * { le64 addr, le32 len, le16 flags, le16 next }
 *   driver area        le16 flags, le16 idx, size * le16 head, le16 used_event
 *   device area        le16 flags, le16 idx, size * { le32 head, le32 written }, le16 avail_event
 */
#ifndef VIRTIO_VQ_RING_H
#define VIRTIO_VQ_RING_H

#include "virtio/vq.h"

enum { DESC_LEN = 16, USED_LEN = 8 };
enum { DESC_F_NEXT = 1, DESC_F_WRITE = 2, DESC_F_INDIRECT = 4 };
enum { AVAIL_F_NO_INTERRUPT = 1, USED_F_NO_NOTIFY = 1 };
enum { RING_FLAGS = 0, RING_IDX = 2, RING_RING = 4 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ring words are little-endian");

/* Shared words are read and written once, whole: vq_start checked their alignment. */
static inline uint16_t ring_load(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static inline void ring_store(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

int split_map(struct vq *q);
/* The next head: 1, 0 none, -EINVAL. Consumes it. */
int split_next(struct vq *q, uint16_t *head);
/* Copies the chain that starts at c->head. 0 or -EINVAL with q->broken set. */
int split_walk(struct vq *q, struct vq_chain *c);
void split_push(struct vq *q, uint16_t head, uint32_t written);
/* Shows next_used; true if the driver asked for an interrupt. */
bool split_show(struct vq *q);
void split_quiet(struct vq *q);
bool split_listen(struct vq *q);

#endif
