/*
 * Calls of the hypercall family: pv/abi.h. They come in registers (VMCALL) or, through a port, in a
 * block of guest memory; what they do is the same.
 */
#include "core/ledger.h"
#include "pv/impl.h"
#include <string.h>

static int64_t device(struct pv *p, uint64_t devid, uint64_t gpa)
{
    struct pv_device info = {.block_size = 0};
    struct pv_dev *d = devid < p->devs ? p->dev[devid] : NULL;

    if (!d)
        return -PV_E_DEVICE;
    info.kind = d->ops->kind;
    info.depth = PV_DEPTH;
    strncpy(info.name, d->name, sizeof(info.name) - 1);
    d->ops->info(d, &info);
    return dma_write(&p->dma, gpa, &info, sizeof(info)) ? -PV_E_ADDRESS : 0;
}

/* The table's memory is looked at when an end is written, and now, so that a bad one is told of. */
static int64_t table(struct pv *p, uint64_t gpa, uint64_t n)
{
    struct iovec iov;

    if (n > UINT16_MAX + 1u)
        return -PV_E_ARGUMENT;
    if (n && gpa % PV_END_LEN)
        return -PV_E_ALIGN;
    if (n && dma_hold(&p->dma, gpa, n * PV_END_LEN, true, &iov, 1) != 1)
        return -PV_E_ADDRESS;
    p->table = n ? gpa : 0;
    p->tags = (uint32_t)n;
    return 0;
}

void pv_drop_all(struct pv *p)
{
    pv_drain(p);
    pv_ring_show(p);
    for (unsigned i = 0; i < PV_RINGS; i++)
        pv_ring_drop(p, i);
    p->table = 0;
    p->tags = 0;
    loop_timer_stop(&p->look);
    loop_work_cancel(p->env.loop, &p->again);
    p->again_rings = 0;
    for (unsigned i = 0; i < p->devs; i++)
        if (p->dev[i]->ops->reset)
            p->dev[i]->ops->reset(p->dev[i]);
}

static int64_t call(struct pv *p, unsigned what, const uint64_t *a)
{
    switch (what + PV_CALL) {
    case PV_CALL_VERSION: return PV_VERSION;
    case PV_CALL_DEVICES: return p->devs;
    case PV_CALL_DEVICE: return device(p, a[1], a[2]);
    case PV_CALL_IO: return pv_io(p, a);
    case PV_CALL_BATCH: return pv_batch(p, a[1], a[2], a[3]);
    case PV_CALL_RING: return -pv_ring_set(p, a[1], a);
    case PV_CALL_KICK: return -pv_ring_kick(p, a[1]);
    case PV_CALL_TABLE: return table(p, a[1], a[2]);
    case PV_CALL_RESET: pv_drop_all(p); return 0;
    default: return -PV_E_CALL;
    }
}

int64_t pv_call(struct pv *p, const uint64_t *a)
{
    uint64_t what = a[0] - PV_CALL;
    struct ledger_row *row = p->calls[what < PV_CALLS ? what : PV_CALLS];
    int64_t result = -PV_E_CALL;

    p->serving = true;
    if (what < PV_CALLS)
        result = call(p, (unsigned)what, a);
    ledger_add(row, true, 0);
    if (result < 0 && result != -PV_E_PENDING)
        ledger_refuse(row);
    pv_after(p);
    return result;
}
