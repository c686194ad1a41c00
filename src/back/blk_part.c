/*
 * An extent of a disk as a whole disk. This file is the one place that keeps a disk inside of its
 * extent: a request's range is tested by subtraction against the extent's own length, whatever the
 * operation (a discard and a write-zeroes have ranges as a read has; a flush has none, and flushes
 * the host's file), and only then moved to where the extent begins. A request that ended has its
 * own sector again.
 */
#include "back/blk.h"

#include <errno.h>
#include <stdlib.h>

struct blk_part {
    struct blk blk;
    struct blk *inner;
    uint64_t first, sectors;
};

static void part_submit(struct blk *b, struct blk_req *req)
{
    struct blk_part *p = container_of(b, struct blk_part, blk);
    bool inside = req->op == BLK_FLUSH || range_in(req->sector, req->sectors, 0, p->sectors);

    req->sector += p->first; /* one that is refused, too: part_ended takes it off again */
    if (inside)
        p->inner->ops->submit(p->inner, req);
    else
        blk_finish(req, -EINVAL);
}

static void part_ended(struct blk *b, struct blk_req *req)
{
    const struct blk_part *p = container_of(b, struct blk_part, blk);

    req->sector -= p->first;
}

static void part_drain(struct blk *b)
{
    struct blk_part *p = container_of(b, struct blk_part, blk);

    p->inner->ops->drain(p->inner);
}

static void part_close(struct blk *b)
{
    struct blk_part *p = container_of(b, struct blk_part, blk);

    blk_close(p->inner);
    free(p);
}

static const struct blk_ops part_ops = {"part", part_submit, part_drain, part_close};

int blk_part_open(struct blk **out, struct blk *inner, uint64_t first, uint64_t sectors,
                  struct ledger *ledger)
{
    struct blk_part *p;

    if (!sectors || !range_in(first, sectors, 0, inner->sectors))
        return -EINVAL; /* the image has become shorter than its table says */
    p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->inner = inner;
    p->first = first;
    p->sectors = sectors;
    if (blk_layer_init(&p->blk, &part_ops, inner, ledger)) {
        free(p);
        return -ENOMEM;
    }
    p->blk.sectors = sectors;
    p->blk.ended = part_ended;
    *out = &p->blk;
    return 0;
}
