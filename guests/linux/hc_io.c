/*
 * way=hypercall: device_io(X, Y, Z, CMD, devid), a request a call. What hasn't ended when the call
 * comes back ends in the table, at the entry the tag names, with an interrupt.
 */
#include "hc.h"

static struct pv_end *io_end(struct hc_disk *p, unsigned slot)
{
    return &p->hc->table[p->number * HC_UNITS + slot];
}

static s64 io_call(struct hc_disk *p, unsigned slot, const struct pv_unit *u)
{
    u64 tag = p->number * HC_UNITS + slot;

    *p->block = (struct pv_block){
        .call = PV_CALL_IO,
        .arg = {u->x, u->y | (u64)u->len << PV_Y_LEN, u->z,
                u->cmd | PV_CMD_INTR | tag << PV_CMD_TAG, u->devid},
    };
    return hc_call(p->hc, p->block, p->block_at);
}

static blk_status_t io_put(struct hc_disk *p, struct request *rq, struct list_head *ended)
{
    unsigned slot = hc_slot(p);
    struct hc_walk w;
    struct pv_unit u;
    s64 status;

    if (!hc_room(p, hc_walk(&w, rq)))
        return BLK_STS_DEV_RESOURCE;
    hc_next(p, &w, &u);
    hc_take(p, slot, rq);
    WRITE_ONCE(io_end(p, slot)->status, -PV_E_PENDING);
    status = io_call(p, slot, &u);
    if (status != -PV_E_PENDING)
        hc_ended(p, slot, status, ended);
    return BLK_STS_OK;
}

static void io_reap(struct hc_disk *p, struct list_head *ended)
{
    unsigned slot;

    for_each_set_bit(slot, p->busy, HC_UNITS)
    {
        s32 status = READ_ONCE(io_end(p, slot)->status);

        if (status != -PV_E_PENDING)
            hc_ended(p, slot, status, ended);
    }
}

static void io_push(struct hc_disk *p, struct list_head *ended)
{
}

static int io_open(struct hc_disk *p)
{
    return 0;
}

static void io_close(struct hc_disk *p)
{
}

const struct hc_way hc_io = {
    .way = {.name = "hypercall", HC_WAY},
    .segments = 1,
    .open = io_open,
    .close = io_close,
    .put = io_put,
    .push = io_push,
    .reap = io_reap,
    .arm = hc_armed,
};
