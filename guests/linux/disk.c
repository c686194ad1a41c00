/*
 * The block layer's side: one blk-mq disk, /dev/regdiskN, whatever the way to its controller is.
 * A request's memory is mapped for DMA here, and unmapped when it ends; a way sees addresses only.
 */
#include "disk.h"
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/module.h>

#define CLEAR_MAX                                                                                  \
    (1u << 22) /* sectors of a discard or write-zeroes: 2 GiB, whose bytes fit 32 bits */

static DEFINE_IDA(indexes);

static struct disk *disk_of(const struct request *rq)
{
    return rq->q->queuedata;
}

static blk_status_t disk_map(struct disk *d, struct request *rq)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);
    int n;

    c->segs = 0;
    if (req_op(rq) != REQ_OP_READ && req_op(rq) != REQ_OP_WRITE)
        return BLK_STS_OK;
    sg_init_table(c->sg, d->segments);
    n = blk_rq_map_sg(rq->q, rq, c->sg);
    c->segs = n;
    if (dma_map_sg(d->dev, c->sg, n, rq_dma_dir(rq)) == n)
        return BLK_STS_OK;
    c->segs = 0;
    return BLK_STS_RESOURCE;
}

static void disk_unmap(struct request *rq)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);

    if (c->segs)
        dma_unmap_sg(disk_of(rq)->dev, c->sg, c->segs, rq_dma_dir(rq));
    c->segs = 0;
}

static bool disk_knows(const struct disk *d, const struct request *rq)
{
    switch (req_op(rq)) {
    case REQ_OP_READ:
    case REQ_OP_WRITE:
    case REQ_OP_FLUSH: return true;
    case REQ_OP_DISCARD: return d->discard;
    case REQ_OP_WRITE_ZEROES: return d->zeroes;
    default: return false;
    }
}

static blk_status_t disk_queue(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
    struct disk *d = hctx->queue->queuedata;
    blk_status_t status = disk_knows(d, bd->rq) ? disk_map(d, bd->rq) : BLK_STS_NOTSUPP;

    if (status)
        return status;
    blk_mq_start_request(bd->rq);
    status = d->way->start(d, bd->rq, bd->last);
    if (status)
        disk_unmap(bd->rq);
    return status;
}

static void disk_commit(struct blk_mq_hw_ctx *hctx)
{
    struct disk *d = hctx->queue->queuedata;

    if (d->way->commit)
        d->way->commit(d);
}

static void disk_complete(struct request *rq)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);

    disk_unmap(rq);
    blk_mq_end_request(rq, c->status);
}

static enum blk_eh_timer_return disk_timeout(struct request *rq)
{
    struct disk *d = disk_of(rq);

    return d->way->late(d, rq);
}

void disk_end(struct request *rq, blk_status_t status)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);

    c->status = status;
    if (likely(!blk_should_fake_timeout(rq->q)))
        blk_mq_complete_request(rq);
}

/* Without the way through a softirq that is for those who interrupted somebody. */
void disk_end_here(struct request *rq, blk_status_t status)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);

    c->status = status;
    disk_complete(rq);
}

static const struct blk_mq_ops disk_mq_ops = {
    .queue_rq = disk_queue,
    .commit_rqs = disk_commit,
    .complete = disk_complete,
    .timeout = disk_timeout,
};

static void disk_free(struct gendisk *gd)
{
    struct disk *d = gd->private_data;

    ida_free(&indexes, d->index);
    d->way->free(d);
}

static const struct block_device_operations disk_ops = {
    .owner = THIS_MODULE,
    .free_disk = disk_free,
};

static ssize_t way_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    struct disk *d = dev_to_disk(dev)->private_data;

    return sysfs_emit(buf, "%s\n", d->way->name);
}

static DEVICE_ATTR_RO(way);

static struct attribute *disk_attrs[] = {&dev_attr_way.attr, NULL};
ATTRIBUTE_GROUPS(disk);

static void disk_limits(struct disk *d)
{
    struct request_queue *q = d->gd->queue;

    blk_queue_max_segments(q, d->segments);
    blk_queue_max_segment_size(q, d->limit << SECTOR_SHIFT);
    blk_queue_max_hw_sectors(q, d->limit);
    blk_queue_logical_block_size(q, d->block);
    blk_queue_physical_block_size(q, max(d->block, d->physical));
    blk_queue_dma_alignment(q, d->block - 1); /* so that each piece is whole blocks */
    blk_queue_write_cache(q, d->cache, false);
    blk_queue_max_discard_sectors(q, d->discard ? CLEAR_MAX : 0);
    if (d->discard)
        q->limits.discard_granularity = d->block;
    blk_queue_max_write_zeroes_sectors(q, d->zeroes ? CLEAR_MAX : 0);
    blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
    set_capacity(d->gd, d->sectors);
    set_disk_ro(d->gd, d->readonly);
}

static int disk_alloc(struct disk *d)
{
    int rc;

    d->tags = (struct blk_mq_tag_set){
        .ops = &disk_mq_ops,
        .nr_hw_queues = 1,
        .queue_depth = d->depth,
        .numa_node = NUMA_NO_NODE,
        .cmd_size = struct_size((struct cmd *)NULL, sg, d->segments),
        .timeout = way_timeout * HZ,
        .flags = BLK_MQ_F_SHOULD_MERGE,
    };
    rc = blk_mq_alloc_tag_set(&d->tags);
    if (rc)
        return rc;
    d->gd = blk_mq_alloc_disk(&d->tags, d);
    if (!IS_ERR(d->gd))
        return 0;
    blk_mq_free_tag_set(&d->tags);
    return PTR_ERR(d->gd);
}

int disk_add(struct disk *d)
{
    int rc = ida_alloc(&indexes, GFP_KERNEL);

    if (rc < 0)
        return rc;
    d->index = rc;
    rc = disk_alloc(d);
    if (rc)
        goto no_disk;
    snprintf(d->gd->disk_name, DISK_NAME_LEN, "regdisk%d", d->index);
    d->gd->fops = &disk_ops;
    d->gd->private_data = d;
    disk_limits(d);
    rc = device_add_disk(d->dev, d->gd, disk_groups);
    if (!rc)
        return 0;
    put_disk(d->gd); /* never added: doesn't call disk_free */
    blk_mq_free_tag_set(&d->tags);
no_disk:
    ida_free(&indexes, d->index);
    return rc;
}

void disk_del(struct disk *d)
{
    del_gendisk(d->gd); /* waits for what runs; later requests fail in the block layer */
    blk_mq_free_tag_set(&d->tags);
}

void disk_put(struct disk *d)
{
    put_disk(d->gd);
}
