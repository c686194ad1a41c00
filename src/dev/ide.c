/*
 * A PCI IDE controller like function 1 of Intel's 82371AB (PIIX4, datasheet 290562 section 2.2):
 * two channels at their fixed legacy ports, two drives each, timing registers that store what they
 * are told, and the bus master of idebm.c behind BAR 4. The drives are in ata.c. PCI IDE Controller
 * Specification 1.0: both channels in compatibility mode, not switchable (programming interface
 * 0x80). Left out: speed; timing bits change nothing.
 *
 * Both drives of a channel hear every write to the command block; the selected one answers reads.
 * For a drive that isn't there zeroes are read; a channel with no drive at all floats with D7
 * pulled low.
 */
#include "dev/ide.h"
#include "core/ledger.h"
#include "core/state.h"
#include "dev/ide_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IDETIM(ch)  (0x40u + 2 * (ch)) /* 16 bits, enable is bit 15 */
#define SIDETIM     0x44u
#define UDMACTL     0x48u
#define UDMATIM     0x4au
#define IDETIM_ON   0x80 /* in its high byte */
#define PCI_COMMAND 0x04
#define PCI_IO      0x01

#define CTL_NIEN 0x02
#define CTL_SRST 0x04
#define CTL_HOB  0x80

#define CMD_DIAGNOSTIC 0x90
#define FLOAT          0x7f

static bool line_level(const struct ide_channel *ch)
{
    const struct ata_drive *d = &ch->drive[ch->sel];

    return d->blk && d->intrq && !(ch->control & CTL_NIEN);
}

static void ide_irq(struct ide_channel *ch)
{
    bool level = line_level(ch);

    if (level == ch->line)
        return;
    ch->line = level;
    if (level)
        idebm_irq(ch);
    irq_set(&ch->irq, level);
}

/* ---- what the drives ask of their adapter ---- */

static void host_irq(void *arg)
{
    ide_irq(arg);
}

static void host_dma_wanted(void *arg, struct ata_drive *d)
{
    idebm_run(arg, d);
}

static void host_dma_moved(void *arg, uint32_t bytes, bool more)
{
    (void)more;
    idebm_moved(arg, bytes);
}

static const struct ata_host ide_host = {host_irq, host_dma_wanted, host_dma_moved};

/* ---- ports ---- */

static bool decodes(const struct ide_channel *ch)
{
    const struct ide *ide = ch->ide;

    return (ide->pci.cfg[IDETIM(ch - ide->channel) + 1] & IDETIM_ON) &&
           (ide->pci.cfg[PCI_COMMAND] & PCI_IO);
}

static void refuse(const struct io_region *r)
{
    if (r->row)
        ledger_refuse(r->row);
}

static bool populated(const struct ide_channel *ch)
{
    return ch->drive[0].blk || ch->drive[1].blk;
}

/* A byte of the data port still takes a word from the drive. */
static uint64_t data_read(struct ide_channel *ch, unsigned size)
{
    uint32_t val = UINT32_MAX;

    if (!ata_data_read(&ch->drive[ch->sel], size < 4 ? 2 : 4, &val))
        refuse(&ch->cmd);
    return val;
}

static uint8_t reg_read(struct ide_channel *ch, enum ata_reg reg)
{
    struct ata_drive *d = &ch->drive[ch->sel];

    if (!d->blk)
        return populated(ch) ? 0 : FLOAT;
    if (reg == ATA_REG_STATUS && (ch->control & CTL_SRST))
        return ATA_BSY;
    if (reg == ATA_REG_DEVICE)
        return (uint8_t)(ata_reg_read(d, reg, false) & ~ATA_DEV) | (ch->sel ? ATA_DEV : 0);
    return ata_reg_read(d, reg, ch->control & CTL_HOB);
}

static uint64_t cmd_read(void *dev, uint64_t off, unsigned size)
{
    struct ide_channel *ch = dev;
    uint64_t val = 0;

    if (!decodes(ch)) {
        refuse(&ch->cmd);
        return UINT64_MAX;
    }
    if (off == ATA_REG_DATA && populated(ch))
        return data_read(ch, size);
    for (unsigned i = 0; i < size; i++) /* the bus cuts what is wider than a register */
        val |= (uint64_t)reg_read(ch, (enum ata_reg)(off + i)) << 8 * i;
    return val;
}

static void diagnostic(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++)
        ata_soft_reset(&ch->drive[i]);
    ch->sel = 0;
    if (ch->drive[0].blk)
        ata_finish(&ch->drive[0]);
}

static void reg_write(struct ide_channel *ch, enum ata_reg reg, uint8_t val)
{
    ch->control &= (uint8_t)~CTL_HOB;
    if (reg == ATA_REG_STATUS) { /* Command */
        if (val == CMD_DIAGNOSTIC)
            diagnostic(ch);
        else if (!ch->drive[ch->sel].blk || !ata_command(&ch->drive[ch->sel], val))
            refuse(&ch->cmd);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i].blk)
            ata_reg_write(&ch->drive[i], reg, val);
    if (reg == ATA_REG_DEVICE) {
        ch->sel = (val & ATA_DEV) != 0;
        ide_irq(ch);
    }
}

static void cmd_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide_channel *ch = dev;

    if (!decodes(ch) || (ch->control & CTL_SRST)) {
        refuse(&ch->cmd);
        return;
    }
    if (off == ATA_REG_DATA) {
        if (!ata_data_write(&ch->drive[ch->sel], size < 4 ? 2 : 4, (uint32_t)val))
            refuse(&ch->cmd);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        reg_write(ch, (enum ata_reg)(off + i), (uint8_t)(val >> 8 * i));
}

static void quiesce(struct ide_channel *ch)
{
    idebm_stop(ch);
    for (unsigned i = 0; i < 2; i++)
        ata_soft_reset(&ch->drive[i]);
}

/* Alternate status: as Status, but the interrupt stays. */
static uint64_t ctl_read(void *dev, uint64_t off, unsigned size)
{
    struct ide_channel *ch = dev;
    const struct ata_drive *d = &ch->drive[ch->sel];

    (void)off;
    (void)size;
    if (!decodes(ch)) {
        refuse(&ch->ctl);
        return UINT64_MAX;
    }
    if (!d->blk)
        return populated(ch) ? 0 : FLOAT;
    return ch->control & CTL_SRST ? ATA_BSY : d->status;
}

static void ctl_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide_channel *ch = dev;
    bool reset = (val & CTL_SRST) && !(ch->control & CTL_SRST);

    (void)off;
    (void)size;
    if (!decodes(ch)) {
        refuse(&ch->ctl);
        return;
    }
    ch->control = (uint8_t)val;
    if (reset) {
        quiesce(ch);
        ch->sel = 0;
    }
    ide_irq(ch);
}

static const struct io_ops cmd_ops = {cmd_read, cmd_write, .sizes = 1 | 2 | 4, .split = true};
static const struct io_ops ctl_ops = {ctl_read, ctl_write, .sizes = 1, .split = true};

/* ---- the function as a whole ---- */

static void ide_state(void *dev, struct state *st)
{
    struct ide *ide = dev;

    state_section(st, "ide", 1);
    for (unsigned c = 0; c < 2; c++) {
        struct ide_channel *ch = &ide->channel[c];

        if (st->load) /* what runs now is not part of what is loaded */
            quiesce(ch);
        ata_state(&ch->drive[0], st);
        ata_state(&ch->drive[1], st);
        idebm_state(ch, st);
        state_u8(st, &ch->control);
        state_u8(st, &ch->sel);
        if (!state_check(st, ch->sel < 2))
            ch->sel = 0;
        if (st->load) { /* as it was: no edge for the bus master to note */
            ch->line = line_level(ch);
            irq_set(&ch->irq, ch->line);
        }
    }
    pci_func_state(&ide->pci, st);
}

/* What firmware leaves behind: channels with drives enabled, the bus master at its ports. */
static void firmware(struct ide *ide)
{
    for (unsigned c = 0; c < 2; c++)
        ide->pci.cfg[IDETIM(c) + 1] = populated(&ide->channel[c]) ? IDETIM_ON : 0;
    pci_func_place(&ide->pci, 4, ide->bm_base);
}

static void ide_reset(void *dev)
{
    struct ide *ide = dev;

    for (unsigned c = 0; c < 2; c++) {
        struct ide_channel *ch = &ide->channel[c];

        idebm_reset(ch);
        for (unsigned i = 0; i < 2; i++)
            ata_power_on(&ch->drive[i]);
        ch->control = 0;
        ch->sel = 0;
        ide_irq(ch);
    }
    pci_func_reset(&ide->pci);
    firmware(ide);
}

static void ide_destroy(void *dev)
{
    struct ide *ide = dev;

    for (unsigned c = 0; c < 2; c++) {
        struct ide_channel *ch = &ide->channel[c];

        ch->bm.status = 0; /* nothing new is started */
        for (unsigned i = 0; i < 2; i++)
            ata_free(&ch->drive[i]);
        bus_unmap(ide->pci.env.bus, &ch->cmd);
        bus_unmap(ide->pci.env.bus, &ch->ctl);
    }
    pci_func_detach(&ide->pci);
    free(ide);
}

static const struct dev_class ide_class = {
    "ide",       "PIIX4 IDE: two channels, four ATA drives, PIO and bus-master DMA",
    ide_reset,   ide_state,
    ide_destroy,
};

static int region_init(struct ide *ide, struct io_region *r, const char *row)
{
    const struct dev_env *env = &ide->pci.env;

    r->name = env->name;
    r->lock = env->lock;
    r->space = BUS_PIO;
    r->row = ledger_row(env->ledger, LEDGER_PIO, env->name, row);
    return r->row ? 0 : -ENOMEM;
}

static int drives_init(struct ide *ide, unsigned c, const struct ide_setup *s)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct ide_disk *disk = &s->disk[2 * c + i];
        char serial[ATA_SERIAL + 1];
        int rc;

        snprintf(serial, sizeof(serial), "%.12s-%u", ide->pci.env.name, 2 * c + i);
        rc = ata_init(&ide->channel[c].drive[i], disk->blk, disk->serial ? disk->serial : serial,
                      &ide_host, &ide->channel[c]);
        if (rc)
            return rc;
    }
    return 0;
}

static int channel_init(struct ide *ide, unsigned c, const struct ide_setup *s)
{
    struct ide_channel *ch = &ide->channel[c];
    int rc;

    ch->irq = s->channel[c].irq;
    ch->cmd = (struct io_region){.ops = &cmd_ops, .dev = ch, .base = s->channel[c].cmd, .len = 8};
    ch->ctl = (struct io_region){.ops = &ctl_ops, .dev = ch, .base = s->channel[c].ctl, .len = 1};
    rc = region_init(ide, &ch->cmd, c ? "cmd1" : "cmd0");
    if (!rc)
        rc = region_init(ide, &ch->ctl, c ? "ctl1" : "ctl0");
    if (!rc)
        rc = drives_init(ide, c, s);
    if (!rc)
        rc = bus_map(ide->pci.env.bus, &ch->cmd);
    if (!rc)
        rc = bus_map(ide->pci.env.bus, &ch->ctl);
    return rc;
}

static int pci_init(struct ide *ide, const struct dev_env *env, const struct ide_setup *s)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086, .device = 0x7111, .class_rev = 0x01018001}; /* IDE, prog-if 0x80 */
    static const uint8_t plain[] = {IDETIM(0), IDETIM(0) + 1, IDETIM(1), IDETIM(1) + 1,
                                    SIDETIM,   UDMACTL,       UDMATIM,   UDMATIM + 1};
    int rc = pci_func_init(&ide->pci, env, &ids, ide);

    if (rc)
        return rc;
    for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
        ide->pci.wmask[plain[i]] = 0xff;
    ide->bm = (struct io_region){.ops = &idebm_ops, .dev = ide, .len = 16};
    ide->bm_base = s->bm;
    rc = region_init(ide, &ide->bm, "bm");
    if (rc)
        return rc;
    pci_func_bar(&ide->pci, 4, &ide->bm, false);
    return pci_func_attach(&ide->pci);
}

int ide_create(struct dev *out, const struct dev_env *env, const struct ide_setup *setup)
{
    struct ide *ide = calloc(1, sizeof(*ide));
    int rc;

    if (!ide)
        return -ENOMEM;
    ide->channel[0].ide = ide->channel[1].ide = ide;
    rc = pci_init(ide, env, setup);
    if (rc) {
        free(ide);
        return rc;
    }
    for (unsigned c = 0; c < 2 && !rc; c++)
        rc = channel_init(ide, c, setup);
    if (rc) {
        ide_destroy(ide);
        return rc;
    }
    ide_reset(ide);
    *out = (struct dev){&ide_class, ide, env->name};
    return 0;
}
