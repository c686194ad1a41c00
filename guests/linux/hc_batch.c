/*
 * way=batch: requests are gathered as long as the block layer says that more come, then one call
 * takes them all. Each unit gets its own status, in the call or later with an interrupt.
 */
#include "hc.h"

#define SEGMENTS 32 /* of a request */

static void batch_reap(struct hc_disk *p, struct list_head *ended)
{
    unsigned slot;

    for_each_set_bit(slot, p->busy, HC_UNITS)
    {
        s32 status = READ_ONCE(p->unit[slot].status);

        if (status != -PV_E_PENDING)
            hc_ended(p, slot, status, ended);
    }
}

/* The call failed as a whole: none of its units has begun. */
static void batch_fail(struct hc_disk *p, s64 status)
{
    for (unsigned i = 0; i < p->gathered; i++)
        WRITE_ONCE(p->unit[p->first + i].status, (s32)status);
}

static void batch_push(struct hc_disk *p, struct list_head *ended)
{
    s64 done;

    if (!p->gathered)
        return;
    *p->block = (struct pv_block){
        .call = PV_CALL_BATCH,
        .arg = {p->unit_at + p->first * sizeof(*p->unit), p->gathered, 0},
    };
    done = hc_call(p->hc, p->block, p->block_at);
    if (done < 0)
        batch_fail(p, done);
    p->gathered = 0;
    batch_reap(p, ended);
}

/* The slot behind those gathered, as the array has no gaps; if that isn't free, they go now. */
static unsigned batch_slot(struct hc_disk *p, struct list_head *ended)
{
    unsigned slot = p->first + p->gathered;

    if (!p->gathered || slot == HC_UNITS || test_bit(slot, p->busy)) {
        batch_push(p, ended);
        p->first = slot = hc_slot(p);
    }
    p->gathered++;
    return slot;
}

static blk_status_t batch_put(struct hc_disk *p, struct request *rq, struct list_head *ended)
{
    struct hc_walk w;
    unsigned n = hc_walk(&w, rq);

    if (!hc_room(p, n))
        return BLK_STS_DEV_RESOURCE;
    for (unsigned i = 0; i < n; i++) {
        unsigned slot = batch_slot(p, ended);

        hc_next(p, &w, &p->unit[slot]);
        p->unit[slot].cmd |= PV_CMD_INTR;
        hc_take(p, slot, rq);
    }
    return BLK_STS_OK;
}

static int batch_open(struct hc_disk *p)
{
    return 0;
}

static void batch_close(struct hc_disk *p)
{
}

const struct hc_way hc_batch = {
    .way = {.name = "batch", HC_WAY},
    .segments = SEGMENTS,
    .mem = HC_UNITS * sizeof(struct pv_unit),
    .open = batch_open,
    .close = batch_close,
    .put = batch_put,
    .push = batch_push,
    .reap = batch_reap,
    .arm = hc_armed,
};
