/*
 * Virtqueues: the only walk over a ring in this program, split or packed. Virtual I/O Device
 * (VIRTIO) 1.2, sections 2.6 to 2.8. How a ring works, and what is trusted, is told at the top of
 * vq.c.
 *
 * A queue belongs to one lock (its device's): nothing here is called from two threads at once. The
 * guest's CPUs are the other party, and they run all the time.
 */
#ifndef VIRTIO_VQ_H
#define VIRTIO_VQ_H

#include "core/types.h"
#include <sys/uio.h>

struct dma;
struct dma_parts;
struct state;
struct vevil;
struct vq_check;
struct vq_flight;
struct vq_ring;

#define VQ_SIZE_MAX 256u        /* the largest ring offered to drivers */
#define VQ_SEGS_MAX VQ_SIZE_MAX /* no chain is longer than the largest ring: vq_table */

struct vq_seg {
    gpa_t gpa;
    uint32_t len;
};

/* One request: a private copy, already judged, of what the driver described. */
struct vq_chain {
    uint16_t head;            /* its name: goes back with vq_push. Below conf.size */
    uint16_t outs, ins;       /* device-readable segments, then device-writable ones */
    uint64_t out_len, in_len; /* bytes in each part */
    struct vq_seg seg[VQ_SEGS_MAX];
};

struct vq_conf { /* as the driver configured it; addresses are guest-physical */
    uint16_t size;
    bool event_idx, indirect, packed, in_order; /* negotiated features */
    gpa_t desc, avail, used;                    /* descriptor area, driver area, device area */
};

struct vq {
    struct dma *dma;
    struct vq_conf conf; /* latched by vq_start: later register writes don't reach it */
    /* Into guest RAM; NULL while stopped. The whole of each area was checked to be RAM. */
    const uint8_t *desc;
    uint8_t *avail, *used;
    const struct vq_ring *ring;
    uint16_t next_avail, next_used; /* split: free-running; packed: places in the ring */
    uint16_t known;                 /* split: heads that wait, at least: see vq_split.c */
    uint16_t unshown;               /* chains pushed that the driver has not seen yet */
    uint16_t in_flight;
    struct {                                         /* packed only */
        bool avail_wrap, used_wrap;                  /* the wrap counters of the two places */
        uint16_t show_at, show_flags, show_span;     /* of what is unshown: the first, all places */
        uint16_t id[VQ_SIZE_MAX], span[VQ_SIZE_MAX]; /* by head: buffer ID, places it took */
    } pk;
    struct { /* IN_ORDER only: heads as they were popped, and which of them are done */
        uint16_t head[VQ_SIZE_MAX], first, count;
        uint32_t written[VQ_SIZE_MAX]; /* by head */
        uint64_t done[VQ_SIZE_MAX / 64];
    } line;
    struct vq_check *check;   /* who watches the driver; NULL: nobody. After vq_start */
    struct vq_flight *flight; /* the record of what is in flight; NULL: none is kept */
    struct vevil *evil;       /* who misbehaves; NULL: nobody. After vq_start */
    bool polled;              /* the ring is looked at all the time: kicks are not asked for */
    bool wants;               /* since vq_listen: what comes is to be told; until vq_quiet */
    bool hushed;              /* the driver was told to spare its kicks */
    const char *broken;       /* why the queue was given up, else NULL */
    uint64_t busy[VQ_SIZE_MAX / 64]; /* heads popped and not yet pushed */
};

/* Begin with empty rings. 0; -EINVAL (size, alignment), -EFAULT (some of it is not RAM). */
int vq_start(struct vq *q, struct dma *dma, const struct vq_conf *conf);
void vq_stop(struct vq *q);

/* 1: c holds the next chain; 0: none; -EINVAL: the driver broke the rules, see q->broken. */
int vq_pop(struct vq *q, struct vq_chain *c);
/* A hint before pops in a row: the first bytes of the next n chains will be read soon, or written,
 * and the chains given back. Nothing that it looks at is believed, or counts as looked at. */
void vq_ahead(const struct vq *q, unsigned n, bool write);
/* Undo the last pop whose chain is still in flight: the driver's again, to be popped again. */
void vq_unpop(struct vq *q, const struct vq_chain *c);
/* Copy len bytes at off of the readable part out, or into the writable part.
 * 0; -EINVAL (the part is shorter), -EFAULT (not RAM). */
int vq_get(struct vq *q, const struct vq_chain *c, uint64_t off, void *buf, size_t len);
int vq_put(struct vq *q, const struct vq_chain *c, uint64_t off, const void *buf, size_t len);
/* As vq_put of each part behind the one before, at the beginning of the writable part. */
int vq_put_parts(struct vq *q, const struct vq_chain *c, const struct dma_parts *p);
/* The same bytes as iovecs, for zero-copy I/O: how many (at most max), or -EINVAL, -EFAULT, -E2BIG.
 * in: the writable part, which the device will fill; then vq_drop when it has. */
int vq_hold(struct vq *q, const struct vq_chain *c, bool in, uint64_t off, uint64_t len,
            struct iovec *iov, int max);
void vq_drop(struct vq *q, const struct vq_chain *c, uint64_t off, uint64_t len);
/* A header and what it is of: vq_get of the first len readable bytes, vq_hold of all others. */
struct vq_peel {
    void *buf;
    size_t len;
    struct iovec *iov;
    int max;
};
int vq_peel(struct vq *q, const struct vq_chain *c, struct vq_peel *p);
/* Give a chain back. The driver sees it at the next vq_signal, so that a batch costs one update.
 * With IN_ORDER it waits until those popped before it are back. */
void vq_push(struct vq *q, uint16_t head, uint32_t written);
/* Show the driver what was pushed. Does it want an interrupt for it? */
bool vq_signal(struct vq *q);

/* No kicks, please: the ring is being walked. */
void vq_quiet(struct vq *q);
/* Kicks again. True: chains arrived meanwhile, for which no kick will come. */
bool vq_listen(struct vq *q);
/* Who looks at the ring instead sets polled, and asks this when wants is set: are there chains? */
bool vq_waiting(const struct vq *q);
/* It goes to sleep: as vq_listen, for those that want it. */
bool vq_rest(struct vq *q);

/* vq_place.c, for a transport whose queues move between devices: nothing is in flight. */
struct vq_place {
    uint16_t avail, used; /* as next_avail and next_used */
    bool avail_wrap, used_wrap;
};
void vq_where(const struct vq *q, struct vq_place *p);
int vq_seek(struct vq *q, const struct vq_place *p); /* 0, or -EINVAL: no place of this ring */
uint16_t vq_used_idx(const struct vq *q);            /* split: what the driver sees in the ring */

/* For vq_evil.c: a head is given back as id, at once; its chain is forgotten, and nothing shown. */
void vq_give(struct vq *q, uint16_t head, uint16_t id, uint32_t written);
void vq_lose(struct vq *q, uint16_t head);

/* The indices. Nothing may be in flight; on load the caller has called vq_start with its conf. */
void vq_state(struct vq *q, struct state *st);
/* What must hold between any two calls; fuzzers and loads ask. */
bool vq_sane(const struct vq *q);

/* 2.7.10: did the index pass `event` on its way from old to new? */
static inline bool vq_passed(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

#endif
