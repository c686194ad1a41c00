/* A disk of the hypercall family, over any block backend. Requests go straight to it. */
#include "core/ledger.h"
#include "pv/impl.h"
#include <errno.h>
#include <stdlib.h>

enum {
    LEN_MAX = 1 << 20,
    RANGE_MAX = 1 << 30, /* a discard or zeroes: bounds one backend call */
    PHYS_SIZE = 4096,    /* what host page caches and disks like */
};

struct pv_disk {
    struct pv_dev dev;
    struct blk *blk;
};

static struct pv_disk *disk_of(struct pv_dev *d)
{
    return container_of(d, struct pv_disk, dev);
}

static int32_t status_of(int err)
{
    return !err ? 0 : err == -EROFS ? PV_E_READONLY : PV_E_MEDIA;
}

static void disk_done(struct blk_req *req, int err)
{
    struct pv_req *r = container_of(req, struct pv_req, blk);

    pv_end(r, status_of(err), err || req->op == BLK_FLUSH ? 0 : r->len);
}

/* A backend that did not block has ended it already: then it ends here, on the vCPU's thread. */
static void submit(struct pv_disk *d, struct pv_req *r, enum blk_op op)
{
    r->blk.op = op;
    r->blk.sector = r->x;
    r->blk.sectors = r->len / BLK_SECTOR;
    r->blk.iov = &r->iov;
    r->blk.iovs = 1;
    r->blk.done = disk_done;
    r->blk.owner = d;
    blk_submit(d->blk, &r->blk);
    if (!d->blk->tap)
        blk_deliver(d->blk, &r->blk);
}

static int32_t judge(const struct pv_disk *d, const struct pv_req *r, bool write, uint32_t max)
{
    if (!r->len || r->len > max)
        return PV_E_LENGTH;
    if (r->len % BLK_SECTOR)
        return PV_E_ALIGN;
    if (!range_in(r->x, r->len / BLK_SECTOR, 0, d->blk->sectors))
        return PV_E_RANGE;
    return write && d->blk->readonly ? PV_E_READONLY : 0;
}

static void move(struct pv_disk *d, struct pv_req *r)
{
    bool read = r->y == PV_READ;
    int32_t bad = r->y > PV_WRITE ? PV_E_COMMAND : judge(d, r, !read, LEN_MAX);

    if (!bad && dma_hold(&d->dev.dma, r->z, r->len, read, &r->iov, 1) != 1)
        bad = PV_E_ADDRESS;
    if (bad) {
        pv_end_now(r, bad);
        return;
    }
    r->held = read;
    submit(d, r, read ? BLK_READ : BLK_WRITE);
}

static void range(struct pv_disk *d, struct pv_req *r, bool able, enum blk_op op)
{
    int32_t bad = able ? judge(d, r, true, RANGE_MAX) : PV_E_COMMAND;

    if (bad)
        pv_end_now(r, bad);
    else
        submit(d, r, op);
}

static void disk_start(struct pv_dev *dev, struct pv_req *r)
{
    struct pv_disk *d = disk_of(dev);

    switch (r->cmd & ~(PV_CMD_WAIT | PV_CMD_INTR)) {
    case PV_CMD_START: move(d, r); break;
    case PV_CMD_FLUSH: submit(d, r, BLK_FLUSH); break;
    case PV_CMD_DISCARD: range(d, r, d->blk->can_discard, BLK_DISCARD); break;
    case PV_CMD_ZEROES: range(d, r, d->blk->can_zeroes, BLK_ZEROES); break;
    default: pv_end_now(r, PV_E_COMMAND); break;
    }
}

static void disk_info(struct pv_dev *dev, struct pv_device *out)
{
    const struct blk *b = disk_of(dev)->blk;

    out->sectors = b->sectors;
    out->block_size = BLK_SECTOR;
    out->phys_size = PHYS_SIZE;
    out->len_max = LEN_MAX;
    out->flags = (b->readonly ? PV_DEVICE_READONLY : 0) |
                 (b->volatile_cache ? PV_DEVICE_FLUSH : 0) |
                 (b->can_discard && !b->readonly ? PV_DEVICE_DISCARD : 0) |
                 (b->can_zeroes && !b->readonly ? PV_DEVICE_ZEROES : 0);
}

static void disk_drain(struct pv_dev *dev)
{
    blk_drain(disk_of(dev)->blk);
}

static void disk_destroy(struct pv_dev *dev)
{
    free(disk_of(dev));
}

static const struct pv_dev_ops disk_ops = {
    .kind = PV_KIND_DISK,
    .start = disk_start,
    .info = disk_info,
    .drain = disk_drain,
    .destroy = disk_destroy,
};

int pv_disk_add(struct pv *p, const char *name, struct blk *blk)
{
    struct pv_disk *d = calloc(1, sizeof(*d));
    int err = d ? pv_dev_init(p, &d->dev, &disk_ops, name) : -ENOMEM;

    if (err) {
        free(d);
        return err;
    }
    d->blk = blk;
    return 0;
}
