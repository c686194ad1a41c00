/*
 * A disk of the hypercall family: requests as units of I/O, each in a slot until it ends, whichever
 * form it takes. A request of several pieces of memory is several units, and ends with its last.
 */
#include "hc.h"
#include "module.h"
#include <linux/dma-mapping.h>
#include <linux/module.h>

#define DEPTH 128u /* requests; a request may be several units */

static struct hc_disk *hc_of(struct disk *d)
{
    return container_of(d, struct hc_disk, disk);
}

static const struct hc_way *hc_way_of(const struct hc_disk *p)
{
    return container_of(p->disk.way, struct hc_way, way);
}

/* ---- units ---- */

unsigned hc_walk(struct hc_walk *w, struct request *rq)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);

    *w = (struct hc_walk){rq, c->sg, blk_rq_pos(rq)};
    c->left = max(c->segs, 1);
    c->status = BLK_STS_OK;
    return c->left;
}

static u8 hc_cmd(const struct request *rq)
{
    switch (req_op(rq)) {
    case REQ_OP_FLUSH: return PV_CMD_FLUSH;
    case REQ_OP_DISCARD: return PV_CMD_DISCARD;
    case REQ_OP_WRITE_ZEROES: return PV_CMD_ZEROES;
    default: return PV_CMD_START;
    }
}

void hc_next(struct hc_disk *p, struct hc_walk *w, struct pv_unit *u)
{
    struct cmd *c = blk_mq_rq_to_pdu(w->rq);

    *u = (struct pv_unit){
        .cmd = hc_cmd(w->rq), .devid = p->devid, .status = -PV_E_PENDING, .x = w->x};
    if (u->cmd == PV_CMD_FLUSH) {
        u->x = 0;
    } else if (!c->segs) {
        u->len = blk_rq_bytes(w->rq);
    } else {
        u->y = rq_data_dir(w->rq) == WRITE ? PV_WRITE : PV_READ;
        u->z = sg_dma_address(w->sg);
        u->len = sg_dma_len(w->sg);
        w->x += u->len >> SECTOR_SHIFT;
        w->sg = sg_next(w->sg);
    }
}

bool hc_room(const struct hc_disk *p, unsigned units)
{
    return units <= p->units - p->flying;
}

unsigned hc_slot(const struct hc_disk *p)
{
    return find_first_zero_bit(p->busy, HC_UNITS);
}

void hc_take(struct hc_disk *p, unsigned slot, struct request *rq)
{
    __set_bit(slot, p->busy);
    p->owner[slot] = rq;
    p->flying++;
}

static blk_status_t hc_status(struct hc_disk *p, s64 status)
{
    if (status >= 0)
        return BLK_STS_OK;
    dev_err_ratelimited(p->disk.dev, "a unit failed: error %lld\n", -status);
    switch (-status) {
    case PV_E_MEDIA: return BLK_STS_MEDIUM;
    case PV_E_RANGE:
    case PV_E_READONLY: return BLK_STS_TARGET;
    case PV_E_COMMAND: return BLK_STS_NOTSUPP;
    default: return BLK_STS_IOERR;
    }
}

void hc_ended(struct hc_disk *p, unsigned slot, s64 status, struct list_head *ended)
{
    struct request *rq = p->owner[slot];
    struct cmd *c = blk_mq_rq_to_pdu(rq);
    blk_status_t end = hc_status(p, status);

    __clear_bit(slot, p->busy);
    p->owner[slot] = NULL;
    p->flying--;
    if (end && !c->status)
        c->status = end;
    if (!--c->left)
        list_add_tail(&c->list, ended);
}

/* ---- requests ---- */

static void hc_end_list(struct list_head *ended, void (*end)(struct request *, blk_status_t))
{
    struct cmd *c, *next;

    list_for_each_entry_safe(c, next, ended, list) end(blk_mq_rq_from_pdu(c), c->status);
}

/*
 * What has ended, and an interrupt for what hasn't. Looking costs no trap. Bounds: looks; and each
 * turn but the last finds a unit that has ended, of which HC_UNITS are in flight.
 */
static void hc_reap(struct hc_disk *p, unsigned looks, struct list_head *ended)
{
    const struct hc_way *w = hc_way_of(p);

    w->reap(p, ended);
    for (unsigned i = 1; i < looks && p->flying && list_empty(ended); i++) {
        cpu_relax();
        w->reap(p, ended);
    }
    for (unsigned i = 0; i < HC_UNITS && !w->arm(p); i++)
        w->reap(p, ended);
}

bool hc_armed(struct hc_disk *p)
{
    return true;
}

static void hc_push(struct hc_disk *p, struct list_head *ended)
{
    hc_way_of(p)->push(p, ended);
    hc_reap(p, way_looks, ended);
}

blk_status_t hc_start(struct disk *d, struct request *rq, bool last)
{
    struct hc_disk *p = hc_of(d);
    LIST_HEAD(ended);
    blk_status_t status;
    unsigned long flags;

    spin_lock_irqsave(&p->lock, flags);
    status = hc_way_of(p)->put(p, rq, &ended);
    if (!status && last)
        hc_push(p, &ended);
    spin_unlock_irqrestore(&p->lock, flags);
    hc_end_list(&ended, disk_end_here);
    return status;
}

void hc_commit(struct disk *d)
{
    struct hc_disk *p = hc_of(d);
    LIST_HEAD(ended);
    unsigned long flags;

    spin_lock_irqsave(&p->lock, flags);
    hc_push(p, &ended);
    spin_unlock_irqrestore(&p->lock, flags);
    hc_end_list(&ended, disk_end_here);
}

void hc_disk_look(struct hc_disk *p)
{
    LIST_HEAD(ended);
    unsigned long flags;

    spin_lock_irqsave(&p->lock, flags);
    hc_reap(p, 1, &ended);
    spin_unlock_irqrestore(&p->lock, flags);
    hc_end_list(&ended, disk_end);
}

/* An interrupt may be lost; what runs is waited for, as its DMA can't be taken back. */
enum blk_eh_timer_return hc_late(struct disk *d, struct request *rq)
{
    struct hc_disk *p = hc_of(d);

    dev_warn_ratelimited(d->dev, "a request takes long\n");
    hc_commit(d);
    hc_disk_look(p);
    return blk_mq_request_started(rq) && !blk_mq_request_completed(rq) ? BLK_EH_RESET_TIMER
                                                                       : BLK_EH_DONE;
}

void hc_free(struct disk *d)
{
    kfree(hc_of(d));
}

/* ---- life ---- */

static const struct hc_way *hc_way_wanted(void)
{
    static const struct hc_way *const all[] = {&hc_ring, &hc_batch, &hc_io}; /* auto: the first */

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (way_wanted(all[i]->way.name))
            return all[i];
    return NULL;
}

static void hc_about(struct hc_disk *p, const struct pv_device *a, const struct hc_way *w)
{
    struct disk *d = &p->disk;

    p->units = min_t(u32, a->depth, HC_UNITS);
    d->way = &w->way;
    d->sectors = a->sectors;
    d->limit = a->len_max >> SECTOR_SHIFT;
    d->block = a->block_size;
    d->physical = a->phys_size;
    d->depth = min(p->units, DEPTH);
    d->segments = min(p->units, w->segments);
    d->readonly = a->flags & PV_DEVICE_READONLY;
    d->cache = a->flags & PV_DEVICE_FLUSH;
    d->discard = a->flags & PV_DEVICE_DISCARD;
    d->zeroes = a->flags & PV_DEVICE_ZEROES;
}

static bool hc_sound(const struct hc_disk *p)
{
    const struct disk *d = &p->disk;

    return p->units && d->limit >= PAGE_SIZE >> SECTOR_SHIFT && is_power_of_2(d->block) &&
           d->block >= SECTOR_SIZE && d->block <= PAGE_SIZE;
}

static int hc_open(struct hc_disk *p, const struct hc_way *w)
{
    int rc;

    p->block = dma_alloc_coherent(p->hc->dev, sizeof(*p->block) + w->mem, &p->block_at, GFP_KERNEL);
    if (!p->block)
        return -ENOMEM;
    p->unit = (struct pv_unit *)(p->block + 1);
    p->unit_at = p->block_at + sizeof(*p->block);
    rc = w->open(p);
    if (rc) {
        dma_free_coherent(p->hc->dev, sizeof(*p->block) + w->mem, p->block, p->block_at);
        return rc;
    }
    hc_listen(p);
    return 0;
}

static void hc_close(struct hc_disk *p)
{
    const struct hc_way *w = hc_way_of(p);

    hc_unlisten(p);
    w->close(p);
    dma_free_coherent(p->hc->dev, sizeof(*p->block) + w->mem, p->block, p->block_at);
}

static int hc_disk_make(struct hc_disk *p, const struct hc_found *found, const struct hc_way *w)
{
    int rc;

    p->hc = found->hc;
    p->devid = found->devid;
    p->number = found->number;
    spin_lock_init(&p->lock);
    hc_about(p, &found->about, w);
    if (!hc_sound(p))
        return -EINVAL;
    rc = hc_open(p, w);
    if (rc)
        return rc;
    rc = disk_add(&p->disk);
    if (rc)
        hc_close(p);
    return rc;
}

static int hc_disk_probe(struct platform_device *pdev)
{
    const struct hc_way *w = hc_way_wanted();
    struct hc_disk *p;
    int rc;

    if (!w)
        return -ENODEV;
    p = kzalloc(sizeof(*p), GFP_KERNEL);
    if (!p)
        return -ENOMEM;
    p->disk.dev = &pdev->dev;
    rc = hc_disk_make(p, dev_get_platdata(&pdev->dev), w);
    if (rc) {
        kfree(p);
        return rc;
    }
    platform_set_drvdata(pdev, p);
    dev_info(&pdev->dev, "regdisk%d: %llu sectors by %s\n", p->disk.index, p->disk.sectors,
             w->way.name);
    return 0;
}

static int hc_disk_remove(struct platform_device *pdev)
{
    struct hc_disk *p = platform_get_drvdata(pdev);

    disk_del(&p->disk);
    hc_close(p);
    disk_put(&p->disk);
    return 0;
}

struct platform_driver hc_disk_driver = {
    .probe = hc_disk_probe,
    .remove = hc_disk_remove,
    .driver = {.name = "viaduct_pvdisk"},
};
