/*
 * The ways that touch registers: the register disk in port space, in memory space, and in memory
 * space with a page that can be read with no trap (docs/regdisk.md, dev/regdisk_regs.h). ACPI tells
 * where the controllers are (VIAD0001).
 *
 * Each access is a trap, so none is made that isn't needed: X, Y, Z and COUNT keep their values,
 * and are written when they change only; two that change together are one 64-bit store where the
 * space has such. After CMD the driver looks at STATUS (looks=): if the command has ended, there
 * was no need of an interrupt; if not, the interrupt is enabled until it comes.
 */
#include "disk.h"
#include "module.h"
#include "dev/regdisk_regs.h"
#include <linux/acpi.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#define LOOKS_FREE 100   /* looks=1 where looking costs no trap: a microsecond or two */
#define GONE       (~0u) /* what registers read that aren't there */

struct regs {
    struct disk disk;
    bool port;
    unsigned long io;
    void __iomem *mem;
    int irq;
    unsigned looks;
    spinlock_t lock;           /* what follows, and the registers */
    struct request *rq;        /* the command that runs */
    u32 kept[REGDISK_CMD / 4]; /* X to Y as the controller has them */
    bool enabled;              /* so is INTR_ENABLE */
};

static u32 reg_get(struct regs *r, unsigned reg)
{
    return r->port ? inl(r->io + reg) : readl(r->mem + reg);
}

static void reg_set(struct regs *r, unsigned reg, u32 v)
{
    if (r->port)
        outl(v, r->io + reg);
    else
        writel(v, r->mem + reg);
}

/* Two neighbours, as far as they have changed. */
static void reg_pair(struct regs *r, unsigned reg, u32 lo, u32 hi)
{
    u32 *kept = &r->kept[reg / 4];
    bool first = kept[0] != lo, second = kept[1] != hi;

    if (first && second && !r->port) {
        writeq(lo | (u64)hi << 32, r->mem + reg);
    } else {
        if (first)
            reg_set(r, reg, lo);
        if (second)
            reg_set(r, reg + 4, hi);
    }
    kept[0] = lo;
    kept[1] = hi;
}

static void regs_enable(struct regs *r, bool on)
{
    if (r->enabled != on)
        reg_set(r, REGDISK_INTR_ENABLE, on ? REGDISK_STATUS_DONE : 0);
    r->enabled = on;
}

/* As after power-on; what ran has ended when this returns. */
static void regs_reset(struct regs *r)
{
    reg_set(r, REGDISK_CMD, REGDISK_CMD_RESET);
    memset(r->kept, 0, sizeof(r->kept));
    r->kept[REGDISK_COUNT / 4] = 1;
    r->enabled = false;
}

static void regs_command(struct regs *r, struct request *rq)
{
    struct cmd *c = blk_mq_rq_to_pdu(rq);
    u64 x = blk_rq_pos(rq), z;

    if (!c->segs) {
        reg_set(r, REGDISK_CMD, REGDISK_CMD_FLUSH);
        return;
    }
    z = sg_dma_address(c->sg);
    reg_pair(r, REGDISK_X, lower_32_bits(x), upper_32_bits(x));
    reg_pair(r, REGDISK_Z, lower_32_bits(z), upper_32_bits(z));
    reg_pair(r, REGDISK_COUNT, blk_rq_sectors(rq),
             rq_data_dir(rq) == WRITE ? REGDISK_WRITE : REGDISK_READ);
    reg_set(r, REGDISK_CMD, REGDISK_CMD_START);
}

static blk_status_t regs_error(struct regs *r, u32 status)
{
    u32 error;

    if (status == GONE)
        return BLK_STS_IOERR;
    if (!(status & REGDISK_STATUS_FAILED))
        return BLK_STS_OK;
    error = reg_get(r, REGDISK_ERROR);
    dev_err_ratelimited(r->disk.dev, "command failed: error %u\n", error);
    switch (error) {
    case REGDISK_ERROR_MEDIA: return BLK_STS_MEDIUM;
    case REGDISK_ERROR_COMMAND: return BLK_STS_NOTSUPP;
    case REGDISK_ERROR_RANGE:
    case REGDISK_ERROR_READONLY: return BLK_STS_TARGET;
    default: return BLK_STS_IOERR;
    }
}

/* Whether the command has ended; a controller that is gone ends all. */
static bool regs_look(struct regs *r, u32 *status)
{
    for (unsigned i = 0; i < r->looks; i++) {
        *status = reg_get(r, REGDISK_STATUS);
        if (*status & REGDISK_STATUS_DONE)
            return true;
        cpu_relax();
    }
    return false;
}

static blk_status_t regs_start(struct disk *d, struct request *rq, bool last)
{
    struct regs *r = container_of(d, struct regs, disk);
    blk_status_t end = BLK_STS_OK;
    unsigned long flags;
    bool ended;
    u32 status;

    spin_lock_irqsave(&r->lock, flags);
    if (r->rq) {
        spin_unlock_irqrestore(&r->lock, flags);
        return BLK_STS_DEV_RESOURCE;
    }
    regs_command(r, rq);
    ended = regs_look(r, &status);
    if (ended) {
        end = regs_error(r, status);
    } else {
        r->rq = rq;
        regs_enable(r, true); /* a level: if it has ended by now, the interrupt comes at once */
    }
    spin_unlock_irqrestore(&r->lock, flags);
    if (ended)
        disk_end_here(rq, end);
    return BLK_STS_OK;
}

/* The line is shared: who isn't waiting wasn't meant, and doesn't even look. */
static irqreturn_t regs_irq(int irq, void *data)
{
    struct regs *r = data;
    struct request *rq = NULL;
    blk_status_t end = BLK_STS_OK;
    u32 status;

    spin_lock(&r->lock);
    if (r->rq && r->enabled) {
        status = reg_get(r, REGDISK_STATUS);
        if (status & REGDISK_STATUS_DONE) {
            rq = r->rq;
            r->rq = NULL;
            end = regs_error(r, status);
            if (r->looks) /* the next one may need no interrupt */
                regs_enable(r, false);
            else
                reg_set(r, REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
        }
    }
    spin_unlock(&r->lock);
    if (!rq)
        return IRQ_NONE;
    disk_end(rq, end);
    return IRQ_HANDLED;
}

/*
 * A request that is late: its interrupt may be lost, or it takes long. A running command is waited
 * for, as its DMA can't be taken back and a reset would keep this CPU waiting instead.
 */
static bool regs_give_up(struct regs *r, blk_status_t *end)
{
    u32 status = reg_get(r, REGDISK_STATUS);

    if (status != GONE && status & REGDISK_STATUS_BUSY) {
        dev_warn_ratelimited(r->disk.dev, "a command takes long\n");
        return false;
    }
    dev_err(r->disk.dev, "%s was lost\n",
            status & REGDISK_STATUS_DONE ? "an interrupt" : "a command");
    *end = status & REGDISK_STATUS_DONE ? regs_error(r, status) : BLK_STS_IOERR;
    return true;
}

static enum blk_eh_timer_return regs_late(struct disk *d, struct request *rq)
{
    struct regs *r = container_of(d, struct regs, disk);
    blk_status_t end = BLK_STS_OK;
    bool ended = false;
    unsigned long flags;

    spin_lock_irqsave(&r->lock, flags);
    if (r->rq != rq) { /* its end is on its way */
        spin_unlock_irqrestore(&r->lock, flags);
        return BLK_EH_DONE;
    }
    ended = regs_give_up(r, &end);
    if (ended) {
        r->rq = NULL;
        reg_set(r, REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
        r->enabled = r->looks; /* whatever it is: written anew */
        regs_enable(r, !r->looks);
    }
    spin_unlock_irqrestore(&r->lock, flags);
    if (!ended)
        return BLK_EH_RESET_TIMER;
    disk_end(rq, end);
    return BLK_EH_DONE;
}

static void regs_free(struct disk *d)
{
    kfree(container_of(d, struct regs, disk));
}

#define REGS_WAY .start = regs_start, .late = regs_late, .free = regs_free

static const struct way way_pio = {.name = "pio", REGS_WAY};
static const struct way way_mmio = {.name = "mmio", REGS_WAY};
static const struct way way_writes = {.name = "writes", REGS_WAY};

static int regs_map(struct regs *r, struct platform_device *pdev)
{
    struct resource *io = platform_get_resource(pdev, IORESOURCE_IO, 0);
    struct resource *mem = platform_get_resource(pdev, IORESOURCE_MEM, 0);

    r->port = io;
    if (io) {
        r->io = io->start;
        return devm_request_region(&pdev->dev, io->start, REGDISK_LEN, "regdisk") ? 0 : -EBUSY;
    }
    if (!mem)
        return -ENODEV;
    r->mem = devm_ioremap_resource(&pdev->dev, mem);
    return PTR_ERR_OR_ZERO(r->mem);
}

/* What the controller says about itself, after a reset. */
static int regs_read(struct regs *r)
{
    u32 features;

    if (reg_get(r, REGDISK_ID) != REGDISK_ID_VALUE)
        return -ENODEV;
    regs_reset(r);
    features = reg_get(r, REGDISK_FEATURES);
    r->disk.depth = r->disk.segments = 1;
    r->disk.block = r->disk.physical = SECTOR_SIZE;
    r->disk.cache = true;
    r->disk.readonly = features & REGDISK_FEATURE_READONLY;
    r->disk.limit = reg_get(r, REGDISK_LIMIT);
    r->disk.sectors = reg_get(r, REGDISK_CAPACITY) | (u64)reg_get(r, REGDISK_CAPACITY_HI) << 32;
    r->disk.way = r->port ? &way_pio : features & REGDISK_FEATURE_PAGE ? &way_writes : &way_mmio;
    r->looks = way_looks;
    if (features & REGDISK_FEATURE_PAGE)
        r->looks *= LOOKS_FREE;
    return r->disk.limit >= PAGE_SIZE >> SECTOR_SHIFT ? 0 : -EINVAL;
}

static int regs_open(struct regs *r, struct platform_device *pdev)
{
    int rc = regs_map(r, pdev);

    if (!rc)
        rc = regs_read(r);
    if (rc)
        return rc;
    if (!way_wanted(r->disk.way->name))
        return -ENODEV;
    r->irq = platform_get_irq(pdev, 0);
    if (r->irq < 0)
        return r->irq;
    if (!r->looks)
        regs_enable(r, true);
    rc = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
    return rc ? rc : request_irq(r->irq, regs_irq, IRQF_SHARED, "regdisk", r);
}

static void regs_close(struct regs *r)
{
    free_irq(r->irq, r);
    regs_reset(r);
}

static int regs_probe(struct platform_device *pdev)
{
    struct regs *r = kzalloc(sizeof(*r), GFP_KERNEL);
    int rc;

    if (!r)
        return -ENOMEM;
    r->disk.dev = &pdev->dev;
    spin_lock_init(&r->lock);
    rc = regs_open(r, pdev);
    if (rc)
        goto no_controller;
    platform_set_drvdata(pdev, r);
    rc = disk_add(&r->disk);
    if (rc)
        goto no_disk;
    dev_info(&pdev->dev, "regdisk%d: %llu sectors by %s, interrupt %d\n", r->disk.index,
             r->disk.sectors, r->disk.way->name, r->irq);
    return 0;
no_disk:
    regs_close(r);
no_controller:
    kfree(r);
    return rc;
}

static int regs_remove(struct platform_device *pdev)
{
    struct regs *r = platform_get_drvdata(pdev);

    disk_del(&r->disk);
    regs_close(r);
    disk_put(&r->disk);
    return 0;
}

static const struct acpi_device_id regs_ids[] = {{"VIAD0001"}, {}};
MODULE_DEVICE_TABLE(acpi, regs_ids);

static struct platform_driver regs_driver = {
    .probe = regs_probe,
    .remove = regs_remove,
    .driver = {.name = "viaduct_regdisk", .acpi_match_table = regs_ids},
};

int regs_register(void)
{
    return platform_driver_register(&regs_driver);
}

void regs_unregister(void)
{
    platform_driver_unregister(&regs_driver);
}
