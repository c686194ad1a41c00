/*
 * virtio-blk: VIRTIO 1.2, section 5.2. One to eight request queues.
 *
 * A request is a chain: a 16-byte header, data, one status byte, cut into descriptors in whatever
 * way the driver likes (2.6.4). Data goes straight between guest RAM and the backend. A kick is
 * served where it arrives, on the vCPU's thread: walk the ring, submit; results come from the
 * event loop. A request carries its own copy of the chain, so its end needs no registers.
 *
 * Left out: secure erase, lifetime, zoned devices, SCSI commands; one range a
 * discard or write-zeroes request.
 */
#include "virtio/vblk.h"
#include "back/blk.h"
#include "core/state.h"
#include "mem/dma.h"
#include "virtio/vport.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { /* 5.2.3 feature bits */
       VIRTIO_BLK_F_SIZE_MAX = 1,
       VIRTIO_BLK_F_SEG_MAX = 2,
       VIRTIO_BLK_F_RO = 5,
       VIRTIO_BLK_F_BLK_SIZE = 6,
       VIRTIO_BLK_F_FLUSH = 9,
       VIRTIO_BLK_F_TOPOLOGY = 10,
       VIRTIO_BLK_F_CONFIG_WCE = 11,
       VIRTIO_BLK_F_MQ = 12,
       VIRTIO_BLK_F_DISCARD = 13,
       VIRTIO_BLK_F_WRITE_ZEROES = 14,
};
enum { /* 5.2.4 configuration */
       CFG_CAPACITY = 0,
       CFG_SIZE_MAX = 8,
       CFG_SEG_MAX = 12,
       CFG_BLK_SIZE = 20,
       CFG_PHYSICAL_BLOCK_EXP = 24,
       CFG_MIN_IO_SIZE = 26,
       CFG_WRITEBACK = 32,
       CFG_NUM_QUEUES = 34,
       CFG_MAX_DISCARD_SECTORS = 36,
       CFG_MAX_DISCARD_SEG = 40,
       CFG_DISCARD_ALIGNMENT = 44,
       CFG_MAX_ZEROES_SECTORS = 48,
       CFG_MAX_ZEROES_SEG = 52,
       CFG_ZEROES_MAY_UNMAP = 56,
       CFG_LEN = 60,
};
enum { /* 5.2.6 */
       VIRTIO_BLK_T_IN = 0,
       VIRTIO_BLK_T_OUT = 1,
       VIRTIO_BLK_T_FLUSH = 4,
       VIRTIO_BLK_T_GET_ID = 8,
       VIRTIO_BLK_T_DISCARD = 11,
       VIRTIO_BLK_T_WRITE_ZEROES = 13,
};
enum { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };
enum { HDR_TYPE = 0, HDR_SECTOR = 8, HDR_LEN = 16 };
enum { RANGE_SECTOR = 0, RANGE_COUNT = 8, RANGE_FLAGS = 12, RANGE_LEN = 16, RANGE_UNMAP = 1 };

enum {
    SEG_MAX = VQ_SEGS_MAX - 2,   /* header and status take a descriptor each */
    SIZE_MAX_BYTES = 4 << 20,    /* nothing here depends on it; drivers cut absurd segments */
    RANGE_MAX_SECTORS = 1 << 22, /* 2 GiB a discard or write-zeroes: bounds one backend call */
    PHYSICAL_BLOCK_EXP = 3,      /* 4 KiB: what host page caches and disks like */
    ID_LEN = 20,
    RING_REQS = VQ_SIZE_MAX + 1, /* a ring's heads, and the one that is being popped */
};

struct vblk_req {
    struct blk_req blk;
    uint16_t queue;
    uint32_t data_len; /* bytes the device writes to guest memory before the status */
    bool held;         /* ... straight from the backend: to be dropped at the end */
    struct vq_chain chain;
    struct iovec iov[VQ_SEGS_MAX];
};

struct vblk {
    struct vport port;
    struct virtio v;
    struct blk *blk;
    char id[ID_LEN];
    unsigned seg_max;
    bool writeback;
    unsigned spare; /* requests not in use: a stack, so that warm ones go first */
    uint16_t *spares;
    struct vblk_req *reqs; /* RING_REQS a queue, touched only as deep as they are used */
};

/* ---- ends of requests ---- */

static struct vblk_req *req_get(struct vblk *d)
{
    return &d->reqs[d->spares[--d->spare]]; /* never empty: one more than the rings have heads */
}

static void req_put(struct vblk *d, struct vblk_req *r)
{
    d->spares[d->spare++] = (uint16_t)(r - d->reqs);
}

static struct vq *ring_of(struct vblk *d, const struct vblk_req *r)
{
    return &d->v.queue[r->queue].vq;
}

static void req_end(struct vblk *d, struct vblk_req *r, uint8_t status)
{
    struct vq *q = ring_of(d, r);
    uint32_t written = r->data_len + 1;

    if (r->held)
        vq_drop(q, &r->chain, 0, r->data_len);
    if (r->data_len && status != VIRTIO_BLK_S_OK)
        written = 0; /* 2.7.8.2: counted from the first writable byte, and that may be unwritten */
    if (virtio_answers(&d->v, r->queue)) {
        if (vq_put(q, &r->chain, r->chain.in_len - 1, &status, 1))
            virtio_needs_reset(&d->v, "a status byte that is not in RAM");
        vq_push(q, r->chain.head, written);
        virtio_done(&d->v, r->queue);
    }
    req_put(d, r);
}

static uint8_t status_of(int err)
{
    if (!err)
        return VIRTIO_BLK_S_OK;
    return err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

/* 5.2.6.2: without a write-back cache, success means that it is on stable storage. */
static bool wants_flush(const struct vblk *d, const struct vblk_req *r)
{
    bool cached = virtio_has(&d->v, VIRTIO_BLK_F_CONFIG_WCE)
                      ? d->writeback
                      : virtio_has(&d->v, VIRTIO_BLK_F_FLUSH);

    return d->blk->volatile_cache && !cached && virtio_running(&d->v) && r->blk.op != BLK_READ &&
           r->blk.op != BLK_FLUSH;
}

static void req_done(struct blk_req *req, int err)
{
    struct vblk_req *r = container_of(req, struct vblk_req, blk);
    struct vblk *d = req->owner;

    if (!err && wants_flush(d, r)) {
        req->op = BLK_FLUSH;
        blk_submit(d->blk, req);
        return;
    }
    req_end(d, r, status_of(err));
}

/* ---- beginnings: 0 when submitted, else the -errno that is the answer ---- */

static int submit(struct vblk *d, struct vblk_req *r, enum blk_op op, uint64_t sector,
                  uint64_t sectors)
{
    r->blk.owner = d;
    r->blk.done = req_done;
    r->blk.op = op;
    r->blk.sector = sector;
    r->blk.sectors = sectors;
    blk_submit(d->blk, &r->blk);
    return 0;
}

static int req_data(struct vblk *d, struct vblk_req *r, bool in, uint64_t sector)
{
    const struct vq_chain *c = &r->chain;
    uint64_t skip = in ? 0 : HDR_LEN;
    uint64_t len = in ? c->in_len - 1 : c->out_len - HDR_LEN;
    int n;

    if (!len || len % BLK_SECTOR || len > UINT32_MAX - 1)
        return -EINVAL;
    n = vq_hold(ring_of(d, r), c, in, skip, len, r->iov, ARRAY_LEN(r->iov));
    if (n < 0)
        return n;
    r->blk.iov = r->iov;
    r->blk.iovs = n;
    r->data_len = in ? (uint32_t)len : 0;
    r->held = in;
    return submit(d, r, in ? BLK_READ : BLK_WRITE, sector, len / BLK_SECTOR);
}

static int req_range(struct vblk *d, struct vblk_req *r, bool zeroes)
{
    uint8_t range[RANGE_LEN];
    uint32_t sectors, flags;
    int err;

    if (!virtio_has(&d->v, zeroes ? VIRTIO_BLK_F_WRITE_ZEROES : VIRTIO_BLK_F_DISCARD))
        return -EOPNOTSUPP;
    if (r->chain.out_len != HDR_LEN + RANGE_LEN) /* max_*_seg is 1 */
        return -EINVAL;
    err = vq_get(ring_of(d, r), &r->chain, HDR_LEN, range, sizeof(range));
    if (err)
        return err;
    sectors = le32_get(range + RANGE_COUNT);
    flags = le32_get(range + RANGE_FLAGS);
    if (flags & ~(zeroes ? (uint32_t)RANGE_UNMAP : 0))
        return -EOPNOTSUPP; /* 5.2.6.2 */
    if (!sectors || sectors > RANGE_MAX_SECTORS)
        return -EINVAL;
    return submit(d, r, zeroes ? BLK_ZEROES : BLK_DISCARD, le64_get(range + RANGE_SECTOR), sectors);
}

/* Answered on the spot. */
static int req_id(struct vblk *d, struct vblk_req *r)
{
    uint64_t len = r->chain.in_len - 1;
    int err = -EINVAL;

    if (len <= ID_LEN)
        err = vq_put(ring_of(d, r), &r->chain, 0, d->id, len);
    if (err)
        return err;
    r->data_len = (uint32_t)len;
    req_end(d, r, VIRTIO_BLK_S_OK);
    return 0;
}

static int req_begin(struct vblk *d, struct vblk_req *r, const uint8_t *hdr)
{
    uint64_t sector = le64_get(hdr + HDR_SECTOR);

    switch (le32_get(hdr + HDR_TYPE)) {
    case VIRTIO_BLK_T_IN: return req_data(d, r, true, sector);
    case VIRTIO_BLK_T_OUT: return req_data(d, r, false, sector);
    case VIRTIO_BLK_T_FLUSH: return submit(d, r, BLK_FLUSH, 0, 0);
    case VIRTIO_BLK_T_GET_ID: return req_id(d, r);
    case VIRTIO_BLK_T_DISCARD: return req_range(d, r, false);
    case VIRTIO_BLK_T_WRITE_ZEROES: return req_range(d, r, true);
    default: return -EOPNOTSUPP;
    }
}

/* One chain, popped into r. False: nothing can be answered, the driver must reset. */
static bool req_start(struct vblk *d, struct vblk_req *r)
{
    uint8_t hdr[HDR_LEN];
    int err;

    r->data_len = 0;
    r->held = false;
    if (!r->chain.in_len || r->chain.out_len < HDR_LEN)
        return false;
    err = vq_get(ring_of(d, r), &r->chain, 0, hdr, sizeof(hdr));
    if (!err)
        err = req_begin(d, r, hdr);
    if (err)
        req_end(d, r, status_of(err));
    return true;
}

/* Bound: one ring's worth a kick. 0, or -EINVAL: the driver must reset. */
static int walk(struct vblk *d, unsigned queue)
{
    struct vq *q = &d->v.queue[queue].vq;

    for (unsigned budget = q->conf.size; budget; budget--) {
        struct vblk_req *r = req_get(d);
        int got = vq_pop(q, &r->chain);

        r->queue = (uint16_t)queue;
        if (got > 0 && req_start(d, r))
            continue;
        req_put(d, r);
        return got > 0 ? -EINVAL : got;
    }
    return 0;
}

static void vblk_notify(void *dev, unsigned queue)
{
    struct vblk *d = dev;
    struct vq *q = &d->v.queue[queue].vq;

    vq_quiet(q);
    if (walk(d, queue))
        virtio_needs_reset(&d->v, q->broken ? q->broken : "a request without header or status");
    else if (vq_listen(q)) /* another CPU added some: later, so that other work gets its turn */
        virtio_again(&d->v, queue);
}

/* ---- configuration ---- */

static void vblk_cfg_read(void *dev, uint8_t *cfg)
{
    const struct vblk *d = dev;

    memset(cfg, 0, CFG_LEN);
    le64_put(cfg + CFG_CAPACITY, d->blk->sectors);
    le32_put(cfg + CFG_SIZE_MAX, SIZE_MAX_BYTES);
    le32_put(cfg + CFG_SEG_MAX, d->seg_max);
    le32_put(cfg + CFG_BLK_SIZE, BLK_SECTOR);
    cfg[CFG_PHYSICAL_BLOCK_EXP] = PHYSICAL_BLOCK_EXP;
    le16_put(cfg + CFG_MIN_IO_SIZE, 1u << PHYSICAL_BLOCK_EXP);
    cfg[CFG_WRITEBACK] = d->writeback;
    le16_put(cfg + CFG_NUM_QUEUES, d->v.queues);
    le32_put(cfg + CFG_MAX_DISCARD_SECTORS, RANGE_MAX_SECTORS);
    le32_put(cfg + CFG_MAX_DISCARD_SEG, 1);
    le32_put(cfg + CFG_DISCARD_ALIGNMENT, 1u << PHYSICAL_BLOCK_EXP);
    le32_put(cfg + CFG_MAX_ZEROES_SECTORS, RANGE_MAX_SECTORS);
    le32_put(cfg + CFG_MAX_ZEROES_SEG, 1);
    cfg[CFG_ZEROES_MAY_UNMAP] = 1;
}

static void vblk_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val)
{
    struct vblk *d = dev;

    if (off == CFG_WRITEBACK && size == 1 && virtio_has(&d->v, VIRTIO_BLK_F_CONFIG_WCE))
        d->writeback = val & 1;
}

static uint64_t features(const struct blk *b, const struct vblk_opts *o)
{
    uint64_t f = VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |
                 VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY);

    if (o->packed)
        f |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    if (o->queues > 1)
        f |= VIRTIO_BIT(VIRTIO_BLK_F_MQ);
    if (b->readonly)
        f |= VIRTIO_BIT(VIRTIO_BLK_F_RO);
    if (b->volatile_cache)
        f |= VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE);
    if (b->can_discard && !b->readonly)
        f |= VIRTIO_BIT(VIRTIO_BLK_F_DISCARD);
    if (b->can_zeroes && !b->readonly)
        f |= VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES);
    return f;
}

/* ---- life ---- */

static void queue_drain(void *dev)
{
    struct vblk *d = dev;

    blk_drain(d->blk);
    d->writeback = true;
}

static void one_queue_drain(void *dev, unsigned queue)
{
    struct vblk *d = dev;

    (void)queue; /* the backend drains as a whole; the other queues' requests end as ever */
    blk_drain(d->blk);
}

static void vblk_state(void *dev, struct state *st)
{
    struct vblk *d = dev;

    if (!st->load)
        blk_drain(d->blk); /* what is in flight ends in the guest's memory, not in the stream */
    state_section(st, "virtio-blk", 1);
    vport_state(&d->port, st);
    state_bool(st, &d->writeback);
}

static void vblk_reset(void *dev)
{
    struct vblk *d = dev;

    vport_reset(&d->port);
}

static void vblk_destroy(void *dev)
{
    struct vblk *d = dev;

    d->v.status = 0;
    blk_drain(d->blk);
    vport_detach(&d->port);
    free(d->spares);
    free(d->reqs);
    free(d);
}

static const struct virtio_class vblk_virtio = {
    .name = "virtio-blk",
    .id = 2,
    .pci_class = 0x018000, /* mass storage, other */
    .queues = VBLK_QUEUES_MAX,
    .queue_max = VQ_SIZE_MAX,
    .cfg_len = CFG_LEN,
    .cfg_read = vblk_cfg_read,
    .cfg_write = vblk_cfg_write,
    .notify = vblk_notify,
    .queue_reset = one_queue_drain,
    .reset = queue_drain,
};

static int reqs_make(struct vblk *d, unsigned queues)
{
    unsigned n = RING_REQS * queues;

    d->reqs = calloc(n, sizeof(*d->reqs));
    d->spares = calloc(n, sizeof(*d->spares));
    if (!d->reqs || !d->spares)
        return -ENOMEM;
    while (n-- > 0)
        d->spares[d->spare++] = (uint16_t)n;
    return 0;
}

int vblk_create(struct vblk **out, const struct dev_env *env, struct blk *blk,
                const struct vblk_opts *o)
{
    unsigned queues = o->queues ? o->queues : 1;
    struct vblk *d = calloc(1, sizeof(*d));
    int err = d ? reqs_make(d, queues) : -ENOMEM;

    if (err)
        goto out;
    d->blk = blk;
    d->seg_max = o->seg_max ? o->seg_max : SEG_MAX;
    d->writeback = true;
    strncpy(d->id, o->serial ? o->serial : "", ID_LEN);
    virtio_init(&d->v, &vblk_virtio, d, features(blk, o), queues);
    err = vport_attach(&d->port, &d->v, env, o->mmio);
    if (err)
        goto out;
    *out = d;
    return 0;
out:
    if (d) {
        free(d->spares);
        free(d->reqs);
    }
    free(d);
    return err;
}

const struct dev_class vblk_class = {
    .name = "virtio-blk",
    .summary = "paravirtual disk (VIRTIO 1.2; PCI, MMIO)",
    .reset = vblk_reset,
    .state = vblk_state,
    .destroy = vblk_destroy,
};
