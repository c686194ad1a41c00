/*
 * The hypercall family as a device: its ports, its one interrupt, its parts. Specification:
 * pv/abi.h and docs/hypercalls.md (this project's). Left out: discovery (CPUID, ACPI), which is the
 * board's.
 */
#include "pv/pv.h"
#include "core/ledger.h"
#include "core/state.h"
#include "pv/impl.h"
#include <errno.h>
#include <stdlib.h>

void pv_hcall(void *pv, unsigned vcpu, uint64_t *regs)
{
    (void)vcpu;
    regs[0] = (uint64_t)pv_call(pv, regs);
}

/* ---- ports ---- */

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
    const struct pv *p = dev;

    (void)size; /* always 4 */
    switch (off) {
    case PV_PORT_CALL: return PV_ID;
    case PV_PORT_KICK: return PV_VERSION;
    default: return (uint32_t)p->last;
    }
}

static int64_t block_call(struct pv *p, gpa_t at)
{
    uint8_t block[PV_BLOCK_ALIGN], back[8];
    uint64_t a[6];
    int64_t result;

    if (dma_read(&p->dma, at, block, sizeof(block)))
        return -PV_E_ADDRESS;
    for (unsigned i = 0; i < 6; i++)
        a[i] = le64_get(block + 8 * i);
    result = pv_call(p, a);
    le64_put(back, (uint64_t)result);
    dma_write(&p->dma, at + 48, back, sizeof(back));
    return result;
}

static void port_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pv *p = dev;
    const uint64_t kick[6] = {PV_CALL_KICK, val};

    (void)size; /* always 4 */
    switch (off) {
    case PV_PORT_CALL: p->last = (int32_t)block_call(p, val * PV_BLOCK_ALIGN); break;
    case PV_PORT_KICK: p->last = (int32_t)pv_call(p, kick); break;
    default:
        if (p->region.row)
            ledger_refuse(p->region.row);
    }
}

static const struct io_ops port_ops = {port_read, port_write, .sizes = 4};

/* ---- life ---- */

static void pv_reset(void *dev)
{
    struct pv *p = dev;

    pv_drop_all(p);
    p->last = 0;
    p->line = false;
    irq_set(&p->env.irq, false);
}

static void show_work(void *dev)
{
    pv_ring_show(dev);
}

static void pv_destroy(void *dev)
{
    struct pv *p = dev;

    pv_drop_all(p);
    loop_work_cancel(p->env.loop, &p->show);
    bus_unmap(p->env.bus, &p->region);
    while (p->devs) {
        struct pv_dev *d = p->dev[--p->devs];

        d->ops->destroy(d);
    }
    free(p->reqs);
    free(p->batch);
    free(p);
}

static int rows_make(struct pv *p)
{
    static const char *const name[PV_CALLS + 1] = {"version", "devices", "device", "device_io",
                                                   "batch",   "ring",    "kick",   "table",
                                                   "reset",   "unknown"};

    for (unsigned i = 0; i <= PV_CALLS; i++) {
        p->calls[i] = ledger_row(p->env.ledger, LEDGER_HCALL, p->env.name, name[i]);
        if (!p->calls[i])
            return -ENOMEM;
    }
    p->dma = (struct dma){.ram = p->env.ram,
                          .enabled = true,
                          .row = ledger_row(p->env.ledger, LEDGER_DMA, p->env.name, "dma")};
    return p->dma.row ? 0 : -ENOMEM;
}

static int pool_make(struct pv *p)
{
    p->reqs = calloc(PV_REQS, sizeof(*p->reqs));
    p->batch = malloc(PV_BATCH_MAX * PV_UNIT_LEN);
    if (!p->reqs || !p->batch)
        return -ENOMEM;
    for (unsigned i = PV_REQS; i-- > 0;) {
        p->reqs[i].next = p->spare;
        p->spare = &p->reqs[i];
    }
    return 0;
}

int pv_create(struct pv **out, const struct dev_env *env, uint64_t port)
{
    struct pv *p = calloc(1, sizeof(*p));
    int err;

    if (!p)
        return -ENOMEM;
    p->env = *env;
    p->show = (struct loop_work){.run = show_work, .arg = p};
    p->again = (struct loop_work){.run = pv_ring_again, .arg = p};
    loop_timer_init(&p->look, env->loop, pv_ring_look, p);
    p->region = (struct io_region){.name = env->name,
                                   .ops = &port_ops,
                                   .dev = p,
                                   .lock = env->lock,
                                   .space = BUS_PIO,
                                   .base = port,
                                   .len = PV_PORTS};
    err = rows_make(p);
    if (!err)
        err = pool_make(p);
    if (!err)
        err = bus_map(env->bus, &p->region);
    if (err) {
        free(p->reqs);
        free(p->batch);
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

const struct dev_class pv_class = {
    .name = "pv",
    .summary = "hypercall devices: disk, network, console",
    .reset = pv_reset,
    .state = pv_state,
    .destroy = pv_destroy,
};
