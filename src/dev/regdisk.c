/*
 * The register disk: a disk controller reduced to what every controller has. A driver writes a
 * sector number, a direction and a memory address, then a command; the controller moves the sectors
 * by DMA and raises its interrupt. Specification: docs/regdisk.md and dev/regdisk_regs.h (this
 * project's). The same controller sits in port space or in memory space; nothing here knows which.
 * It may keep a register page, whose bytes are then what the guest reads; no read has a side
 * effect.
 *
 * A command runs from the copy of the registers made when it was written: whatever the guest writes
 * afterwards is for the next one.
 */
#include "dev/regdisk.h"
#include "back/blk.h"
#include "core/ledger.h"
#include "core/state.h"
#include "dev/regdisk_regs.h"
#include "mem/dma.h"
#include "mem/page.h"

#include <errno.h>
#include <stdlib.h>

struct regdisk {
    struct dev_env env;
    struct io_region region;
    struct dma dma;
    struct blk *blk;
    uint32_t x, x_hi, y, z, z_hi, count; /* the guest's view */
    uint32_t status, error, enable;
    struct blk_req req; /* the running command: all it needs */
    struct iovec iov;
    gpa_t gpa;
    size_t len;
    struct shadow page; /* host NULL: reads trap */
};

static uint64_t regdisk_read(void *dev, uint64_t off, unsigned size);

static void regdisk_show_one(struct regdisk *d, unsigned off)
{
    if (d->page.host)
        page_put(&d->page, off, (uint32_t)regdisk_read(d, off, 4));
}

/* Downwards, so that ERROR is there before STATUS says to look at it. */
static void regdisk_show(struct regdisk *d)
{
    for (unsigned off = REGDISK_LEN; off && d->page.host; off -= 4)
        regdisk_show_one(d, off - 4);
}

/* The page first: whoever takes the interrupt finds what it is about. */
static void regdisk_irq(struct regdisk *d)
{
    regdisk_show(d);
    irq_set(&d->env.irq, (d->status & d->enable & REGDISK_STATUS_DONE) != 0);
}

static void regdisk_end(struct regdisk *d, uint32_t error)
{
    d->error = error;
    d->status &= ~REGDISK_STATUS_BUSY;
    d->status |= REGDISK_STATUS_DONE | (error ? REGDISK_STATUS_FAILED : 0);
    regdisk_irq(d);
}

static void regdisk_done(struct blk_req *req, int err)
{
    struct regdisk *d = req->owner;

    if (req->op != BLK_FLUSH) /* also after a failure: a part may have been moved */
        dma_drop(&d->dma, d->gpa, d->len, req->op == BLK_READ);
    regdisk_end(d, err ? REGDISK_ERROR_MEDIA : REGDISK_ERROR_NONE);
}

static uint32_t regdisk_judge(struct regdisk *d, uint64_t sector)
{
    if (d->y != REGDISK_READ && d->y != REGDISK_WRITE)
        return REGDISK_ERROR_COMMAND;
    if (!d->count || d->count > REGDISK_COUNT_MAX)
        return REGDISK_ERROR_COUNT;
    if (!range_in(sector, d->count, 0, d->blk->sectors))
        return REGDISK_ERROR_RANGE;
    if (d->y == REGDISK_WRITE && d->blk->readonly)
        return REGDISK_ERROR_READONLY;
    d->gpa = d->z | (uint64_t)d->z_hi << 32;
    d->len = d->count * (size_t)BLK_SECTOR;
    if (dma_hold(&d->dma, d->gpa, d->len, d->y == REGDISK_READ, &d->iov, 1) != 1)
        return REGDISK_ERROR_ADDRESS;
    return REGDISK_ERROR_NONE;
}

static void regdisk_start(struct regdisk *d)
{
    uint64_t sector = d->x | (uint64_t)d->x_hi << 32;
    uint32_t error = regdisk_judge(d, sector);

    if (error) {
        regdisk_end(d, error);
        return;
    }
    d->status |= REGDISK_STATUS_BUSY;
    d->req = (struct blk_req){
        .op = d->y == REGDISK_READ ? BLK_READ : BLK_WRITE,
        .sector = sector,
        .sectors = d->count,
        .iov = &d->iov,
        .iovs = 1,
        .done = regdisk_done,
        .owner = d,
    };
    blk_submit(d->blk, &d->req);
}

static void regdisk_flush(struct regdisk *d)
{
    d->status |= REGDISK_STATUS_BUSY;
    d->req = (struct blk_req){.op = BLK_FLUSH, .done = regdisk_done, .owner = d};
    blk_submit(d->blk, &d->req);
}

static void regdisk_reset(void *dev)
{
    struct regdisk *d = dev;

    if (d->status & REGDISK_STATUS_BUSY)
        blk_drain(d->blk);
    d->x = d->x_hi = d->y = d->z = d->z_hi = 0;
    d->count = 1;
    d->status = d->error = d->enable = 0;
    regdisk_irq(d);
}

static void regdisk_refuse(struct regdisk *d)
{
    if (d->region.row)
        ledger_refuse(d->region.row);
}

static void regdisk_command(struct regdisk *d, uint32_t cmd)
{
    if (cmd == REGDISK_CMD_RESET) {
        regdisk_reset(d);
        return;
    }
    if (d->status & REGDISK_STATUS_BUSY) {
        d->status |= REGDISK_STATUS_OVERRUN;
        regdisk_refuse(d);
        return;
    }
    d->status &= ~(REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
    d->error = REGDISK_ERROR_NONE;
    regdisk_irq(d);
    switch (cmd) {
    case REGDISK_CMD_START: regdisk_start(d); break;
    case REGDISK_CMD_FLUSH: regdisk_flush(d); break;
    default:
        regdisk_refuse(d);
        regdisk_end(d, REGDISK_ERROR_COMMAND);
        break;
    }
}

static uint32_t regdisk_features(const struct regdisk *d)
{
    return (d->blk->readonly ? REGDISK_FEATURE_READONLY : 0) |
           (d->page.host ? REGDISK_FEATURE_PAGE : 0);
}

static uint64_t regdisk_read(void *dev, uint64_t off, unsigned size)
{
    struct regdisk *d = dev;

    (void)size; /* always 4 */
    switch (off) {
    case REGDISK_X: return d->x;
    case REGDISK_X_HI: return d->x_hi;
    case REGDISK_Z: return d->z;
    case REGDISK_Z_HI: return d->z_hi;
    case REGDISK_COUNT: return d->count;
    case REGDISK_Y: return d->y;
    case REGDISK_STATUS: return d->status;
    case REGDISK_ERROR: return d->error;
    case REGDISK_INTR_ENABLE: return d->enable;
    case REGDISK_LIMIT: return REGDISK_COUNT_MAX;
    case REGDISK_CAPACITY: return (uint32_t)d->blk->sectors;
    case REGDISK_CAPACITY_HI: return d->blk->sectors >> 32;
    case REGDISK_ID: return REGDISK_ID_VALUE;
    case REGDISK_FEATURES: return regdisk_features(d);
    default: return 0; /* CMD, INTR_ACK: write-only */
    }
}

static void regdisk_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct regdisk *d = dev;
    uint32_t v = (uint32_t)val;

    (void)size; /* always 4 */
    switch (off) {
    case REGDISK_X: d->x = v; break;
    case REGDISK_X_HI: d->x_hi = v; break;
    case REGDISK_Z: d->z = v; break;
    case REGDISK_Z_HI: d->z_hi = v; break;
    case REGDISK_COUNT: d->count = v; break;
    case REGDISK_Y: d->y = v; break;
    case REGDISK_CMD: regdisk_command(d, v); break;
    case REGDISK_INTR_ENABLE:
        d->enable = v & REGDISK_STATUS_DONE;
        regdisk_irq(d);
        break;
    case REGDISK_INTR_ACK:
        d->status &= ~(v & (REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED | REGDISK_STATUS_OVERRUN));
        regdisk_irq(d);
        break;
    default: regdisk_refuse(d); break; /* read-only */
    }
    if (off < REGDISK_CMD)
        regdisk_show_one(d, (unsigned)off);
    else
        regdisk_show(d);
}

static const struct io_ops regdisk_ops = {regdisk_read, regdisk_write, .sizes = 4, .split = true};

static void regdisk_state(void *dev, struct state *st)
{
    struct regdisk *d = dev;

    blk_drain(d->blk); /* a saved machine has nothing in flight, one to be loaded neither */
    state_section(st, "regdisk", 1);
    state_u32(st, &d->x);
    state_u32(st, &d->x_hi);
    state_u32(st, &d->y);
    state_u32(st, &d->z);
    state_u32(st, &d->z_hi);
    state_u32(st, &d->count);
    state_u32(st, &d->status);
    state_u32(st, &d->error);
    state_u32(st, &d->enable);
    if (!state_check(st,
                     !(d->status & REGDISK_STATUS_BUSY) && !(d->enable & ~REGDISK_STATUS_DONE)) &&
        st->load) {
        d->status &= ~REGDISK_STATUS_BUSY;
        d->enable &= REGDISK_STATUS_DONE;
    }
    if (st->load)
        regdisk_irq(d);
}

static void regdisk_destroy(void *dev)
{
    struct regdisk *d = dev;

    blk_drain(d->blk);
    bus_unmap(d->env.bus, &d->region);
    if (d->page.host) {
        d->env.shadows->hide(d->env.shadows->ctx, &d->page);
        page_close(&d->page);
    }
    free(d);
}

static const struct dev_class regdisk_class = {
    "regdisk",       "register disk: the smallest DMA disk controller",
    regdisk_reset,   regdisk_state,
    regdisk_destroy,
};

static int regdisk_page(struct regdisk *d, gpa_t base)
{
    const struct shadow_sink *sink = d->env.shadows;
    int rc = page_open(&d->page, base);

    if (rc)
        return rc;
    regdisk_show(d);
    rc = sink->show(sink->ctx, &d->page);
    if (rc)
        page_close(&d->page);
    return rc;
}

int regdisk_create(struct dev *out, const struct dev_env *env, enum bus_space space, uint64_t base,
                   struct blk *blk)
{
    struct regdisk *d = calloc(1, sizeof(*d));
    int rc;

    if (!d)
        return -ENOMEM;
    d->env = *env;
    d->blk = blk;
    d->count = 1;
    d->dma.ram = env->ram;
    d->dma.tap = env->tap;
    d->dma.enabled = true; /* not behind PCI: there is no bus-master bit */
    d->dma.row = ledger_row(env->ledger, LEDGER_DMA, env->name, "dma");
    d->region = (struct io_region){
        .name = env->name,
        .ops = &regdisk_ops,
        .dev = d,
        .lock = env->lock,
        .space = space,
        .base = base,
        .len = REGDISK_LEN,
    };
    rc = d->dma.row ? bus_map(env->bus, &d->region) : -ENOMEM;
    if (!rc && env->shadows) {
        rc = regdisk_page(d, base);
        if (rc)
            bus_unmap(env->bus, &d->region);
    }
    if (rc) {
        free(d);
        return rc;
    }
    *out = (struct dev){&regdisk_class, d, env->name};
    return 0;
}
