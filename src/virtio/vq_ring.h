/*
 * The layouts of virtqueues, VIRTIO 1.2 sections 2.7 and 2.8, and access to their words. Private to
 * the ring files.
 *
 * Split:
 *   descriptor table   size * { le64 addr, le32 len, le16 flags, le16 next }
 *   driver area        le16 flags, le16 idx, size * le16 head, le16 used_event
 *   device area        le16 flags, le16 idx, size * { le32 head, le32 written }, le16 avail_event
 * Packed:
 *   descriptor ring    size * { le64 addr, le32 len, le16 id, le16 flags }
 *   driver area        le16 off_wrap, le16 flags: which interrupts the driver wants
 *   device area        the same: which kicks the device wants
 */
#ifndef VIRTIO_VQ_RING_H
#define VIRTIO_VQ_RING_H

#include "core/ledger.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vq.h"

enum { DESC_LEN = 16, USED_LEN = 8 };
enum { DESC_F_NEXT = 1, DESC_F_WRITE = 2, DESC_F_INDIRECT = 4 };
enum { AVAIL_F_NO_INTERRUPT = 1, USED_F_NO_NOTIFY = 1 };
enum { RING_FLAGS = 0, RING_IDX = 2, RING_RING = 4 };
enum { VQ_AHEAD_MAX = 32 };
enum { LINE = 64 }; /* of the host's caches */

/* A line that the driver's CPU has is wanted here soon. To write it: alone, at once. (The
 * compiler's builtin has no such instruction without flags that the rest of the program must not
 * need; where a CPU does not know it, it does nothing.) */
static inline void ring_want(const uint8_t *p, bool write)
{
    if (write)
        __asm__ volatile("prefetchw %0" : : "m"(*p));
    else
        __builtin_prefetch(p);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ring words are little-endian");

/* Every access to a ring says so where a tap listens: a ring goes by pointers, not by dma_*. */
static inline void ring_read(const struct vq *q, const uint8_t *p, void *data, size_t len)
{
    if (__builtin_expect(q->dma->tap != NULL, 0))
        dma_told(q->dma, false, p, data, len);
}

static inline void ring_wrote(const struct vq *q, const uint8_t *p, void *data, size_t len)
{
    if (__builtin_expect(q->dma->tap != NULL, 0))
        dma_told(q->dma, true, p, data, len);
}

/* Shared words are read and written once, whole: vq_start checked their alignment. */
static inline uint16_t ring_load(const struct vq *q, const uint8_t *p)
{
    uint16_t v = __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);

    ring_read(q, p, &v, sizeof(v));
    return v;
}

static inline void ring_store(const struct vq *q, uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
    ring_wrote(q, p, &v, sizeof(v)); /* what is there now may be the driver's next word */
}

/* The word in the device's area that asks for no kicks was written. A peer's dirty log hears of it
 * now, for the ring may rest before the next vq_listen; nothing else needs to. */
static inline void ring_hushed(const struct vq *q)
{
    if (__builtin_expect(q->dma->ram->log != NULL, 0))
        ram_written(q->dma->ram, q->conf.used, RING_RING);
}

static inline bool ring_busy(const struct vq *q, uint16_t head)
{
    return q->busy[head / 64] >> head % 64 & 1;
}

static inline void ring_count(struct vq *q, bool write, size_t bytes)
{
    if (q->dma->row)
        ledger_add(q->dma->row, write, bytes);
}

struct vq_ring { /* a ring format */
    /* Looks at the areas that conf names: 0, -EINVAL (size, alignment), -EFAULT (not RAM). */
    int (*map)(struct vq *q);
    /* The next head: 1, 0 none, -EINVAL. Consumes it. */
    int (*next)(struct vq *q, uint16_t *head);
    /* Both of these and all of vq_pop's questions at once, for a chain of one descriptor in a queue
     * that nobody watches. False: nothing is consumed, and the long way will tell. NULL is fine. */
    bool (*take)(struct vq *q, struct vq_chain *c);
    /* Copies the chain that starts at c->head. 0 or -EINVAL with q->broken set. */
    int (*walk)(struct vq *q, struct vq_chain *c);
    void (*unpop)(struct vq *q, uint16_t head);
    void (*push)(struct vq *q, uint16_t head, uint32_t written);
    /* Shows what was pushed, which is something; true if the driver asked for an interrupt. */
    bool (*show)(struct vq *q);
    void (*quiet)(struct vq *q);
    bool (*listen)(struct vq *q);
    bool (*waiting)(const struct vq *q);
    /* Where the next n chains begin, at most VQ_AHEAD_MAX; how many there are. A hint. */
    unsigned (*peek)(const struct vq *q, unsigned n, uint64_t *addr);
    void (*state)(struct vq *q, struct state *st); /* the places; on load judged */
};

extern const struct vq_ring vq_split, vq_packed;

/* vq.c: the table that an indirect descriptor names; or what is wrong with that. */
const char *vq_table(const struct vq *q, const struct vq_seg *at, uint16_t flags,
                     const uint8_t **table);

/* Both formats: a segment more in the chain, or what is wrong with it. */
static inline const char *ring_seg_add(struct vq_chain *c, uint64_t addr, uint32_t len, bool write)
{
    if (!len)
        return "an empty descriptor";
    if (len - 1 > UINT64_MAX - addr)
        return "a descriptor that wraps around the address space";
    if (write) {
        c->ins++;
        c->in_len += len;
    } else {
        if (c->ins)
            return "a readable descriptor after a writable one";
        c->outs++;
        c->out_len += len;
    }
    c->seg[c->outs + c->ins - 1] = (struct vq_seg){.gpa = addr, .len = len};
    return NULL;
}

#endif
