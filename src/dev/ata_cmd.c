/*
 * The ATA command set: ATA/ATAPI-6 clause 8, and DATA SET MANAGEMENT of ATA8-ACS clause 7.10. What
 * is not in the table is aborted. Addresses and counts are copied and checked here, once; what runs
 * later uses the copy.
 */
#include "dev/ata.h"

#include <string.h>

enum {          /* what a table row says about a read or write */
       EXT = 1, /* 48-bit registers */
       WRITE = 2,
       DMA = 4,
       MULT = 8, /* DRQ blocks of SET MULTIPLE's size */
       VERIFY = 16,
};

/* CHS to LBA by the current translation; false: no such sector. */
static bool address_chs(const struct ata_drive *d, uint64_t *lba)
{
    unsigned sector = d->lba_reg[0][0], head = d->device & 15;
    unsigned cyl = d->lba_reg[1][0] | (unsigned)d->lba_reg[2][0] << 8;

    if (!sector || sector > d->spt || head >= d->heads)
        return false;
    *lba = ((uint64_t)cyl * d->heads + head) * d->spt + sector - 1;
    return true;
}

static bool address(struct ata_drive *d, bool ext)
{
    uint64_t low = 0, high = 0;

    d->left = ext ? d->count[0] | (uint32_t)d->count[1] << 8 : d->count[0];
    if (!d->left)
        d->left = ext ? 65536 : 256;
    for (unsigned i = 0; i < 3; i++) {
        low |= (uint64_t)d->lba_reg[i][0] << 8 * i;
        high |= (uint64_t)d->lba_reg[i][1] << 8 * i;
    }
    if (ext)
        d->lba = low | high << 24;
    else if (d->device & ATA_LBA)
        d->lba = low | (uint64_t)(d->device & 15) << 24;
    else if (!address_chs(d, &d->lba))
        return false;
    return range_in(d->lba, d->left, 0, d->blk->sectors);
}

static void cmd_rw(struct ata_drive *d, unsigned how)
{
    d->standby = false;
    if (!address(d, how & EXT)) {
        ata_fail(d, ATA_IDNF);
        return;
    }
    if (((how & WRITE) && d->blk->readonly) || ((how & MULT) && !d->multiple)) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->write = how & WRITE;
    d->block = how & MULT ? d->multiple : 1;
    if (how & VERIFY)
        ata_verify(d);
    else if (how & DMA)
        ata_want_dma(d);
    else if (how & WRITE)
        ata_collect(d, false); /* the first block is not announced by an interrupt */
    else
        ata_read_ahead(d);
}

static void cmd_identify(struct ata_drive *d, unsigned how)
{
    (void)how;
    ata_identify(d, d->buf);
    ata_reply(d);
}

static void cmd_flush(struct ata_drive *d, unsigned how)
{
    (void)how;
    ata_backend(d, BLK_FLUSH, 0, ATA_NEXT_FINISH);
}

/* STANDBY and SLEEP stop the spindle, for which the cache is written first. */
static void cmd_standby(struct ata_drive *d, unsigned how)
{
    d->standby = true;
    cmd_flush(d, how);
}

static void cmd_idle(struct ata_drive *d, unsigned how)
{
    (void)how;
    d->standby = false;
    ata_finish(d);
}

static void cmd_power(struct ata_drive *d, unsigned how)
{
    (void)how;
    d->count[0] = d->standby ? 0x00 : 0xff;
    ata_finish(d);
}

static void cmd_abort(struct ata_drive *d, unsigned how)
{
    (void)how;
    ata_fail(d, ATA_ABRT);
}

static void cmd_multiple(struct ata_drive *d, unsigned how)
{
    uint8_t n = d->count[0];

    (void)how;
    if (n > ATA_MULTIPLE_MAX || (n & (n - 1))) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->multiple = n; /* 0 switches the multiple commands off */
    ata_finish(d);
}

static void cmd_params(struct ata_drive *d, unsigned how)
{
    (void)how;
    if (!d->count[0]) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->spt = d->count[0];
    d->heads = (uint8_t)((d->device & 15) + 1);
    ata_finish(d);
}

/* Transfer mode: PIO, multiword DMA 0-2, Ultra DMA 0-5; speed means nothing here, but the host
 * reads the choice back in IDENTIFY. */
static bool mode_set(struct ata_drive *d, uint8_t mode)
{
    bool pio = mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c);
    bool dma = (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45);

    if (dma)
        d->mode = mode;
    return pio || dma;
}

static void cmd_features(struct ata_drive *d, unsigned how)
{
    bool ok = true;

    (void)how;
    switch (d->feature[0]) {
    case 0x02: d->write_cache = true; break;
    case 0x82:
        d->write_cache = false;
        cmd_flush(d, 0);
        return;
    case 0x03: ok = mode_set(d, d->count[0]); break;
    case 0x55: d->look_ahead = false; break;
    case 0xaa: d->look_ahead = true; break;
    case 0x66: /* keep settings over a soft reset, or not: they are always kept */
    case 0xcc: break;
    default: ok = false; break;
    }
    if (ok)
        ata_finish(d);
    else
        ata_fail(d, ATA_ABRT);
}

/* SMART as far as "is the disk well?": it always is, as the backend reports its own errors. */
static void cmd_smart(struct ata_drive *d, unsigned how)
{
    bool key = d->lba_reg[1][0] == 0x4f && d->lba_reg[2][0] == 0xc2;
    uint8_t sub = d->feature[0];

    (void)how;
    if (!key || (!d->smart && sub != 0xd8)) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    switch (sub) {
    case 0xd0: /* READ DATA */
        ata_smart_data(d->buf);
        ata_reply(d);
        break;
    case 0xd8: /* ENABLE */
    case 0xd9: /* DISABLE */
        d->smart = sub == 0xd8;
        ata_finish(d);
        break;
    case 0xda: ata_finish(d); break; /* RETURN STATUS: the key unchanged means well */
    default: ata_fail(d, ATA_ABRT); break;
    }
}

/* TRIM: ranges come by DMA in 512-byte blocks of 64 entries, each 48 bits LBA and 16 bits count. */
static void cmd_trim(struct ata_drive *d, unsigned how)
{
    uint32_t blocks = d->count[0] | (uint32_t)d->count[1] << 8;

    (void)how;
    d->standby = false;
    if (d->feature[0] != 1 || !blocks || blocks > ATA_TRIM_BLOCKS || !d->blk->can_discard ||
        d->blk->readonly) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->trim = d->write = true;
    d->left = blocks;
    d->fill = d->pos = d->drq = 0;
    d->range = 0;
    ata_want_dma(d);
}

void ata_trim_next(struct ata_drive *d)
{
    while (d->range * 8 < d->fill) { /* at most ATA_TRIM_BLOCKS * 64 entries */
        uint64_t entry = le64_get(d->buf + d->range++ * 8);
        uint32_t n = (uint32_t)(entry >> 48);

        if (!n)
            continue;
        d->lba = entry & 0xffffffffffffull;
        if (!range_in(d->lba, n, 0, d->blk->sectors)) {
            ata_fail(d, ATA_IDNF | ATA_ABRT);
            return;
        }
        ata_backend(d, BLK_DISCARD, n, ATA_NEXT_TRIM);
        return;
    }
    ata_finish(d);
}

static const struct {
    uint8_t code;
    uint8_t how;
    void (*run)(struct ata_drive *d, unsigned how);
} table[] = {
    {0x00, 0, cmd_abort}, /* NOP: aborting is what it does */
    {0x06, 0, cmd_trim},
    {0x20, 0, cmd_rw},                  /* READ SECTORS */
    {0x21, 0, cmd_rw},                  /*   without retries */
    {0x24, EXT, cmd_rw},                /* READ SECTORS EXT */
    {0x25, EXT | DMA, cmd_rw},          /* READ DMA EXT */
    {0x29, EXT | MULT, cmd_rw},         /* READ MULTIPLE EXT */
    {0x30, WRITE, cmd_rw},              /* WRITE SECTORS */
    {0x31, WRITE, cmd_rw},              /*   without retries */
    {0x34, EXT | WRITE, cmd_rw},        /* WRITE SECTORS EXT */
    {0x35, EXT | WRITE | DMA, cmd_rw},  /* WRITE DMA EXT */
    {0x39, EXT | WRITE | MULT, cmd_rw}, /* WRITE MULTIPLE EXT */
    {0x40, VERIFY, cmd_rw},             /* READ VERIFY SECTORS */
    {0x41, VERIFY, cmd_rw},             /*   without retries */
    {0x42, EXT | VERIFY, cmd_rw},       /* READ VERIFY SECTORS EXT */
    {0x91, 0, cmd_params},              /* INITIALIZE DEVICE PARAMETERS */
    {0xb0, 0, cmd_smart},
    {0xc4, MULT, cmd_rw},         /* READ MULTIPLE */
    {0xc5, WRITE | MULT, cmd_rw}, /* WRITE MULTIPLE */
    {0xc6, 0, cmd_multiple},      /* SET MULTIPLE MODE */
    {0xc8, DMA, cmd_rw},          /* READ DMA */
    {0xc9, DMA, cmd_rw},
    {0xca, WRITE | DMA, cmd_rw}, /* WRITE DMA */
    {0xcb, WRITE | DMA, cmd_rw},
    {0xe0, 0, cmd_standby}, /* STANDBY IMMEDIATE */
    {0xe1, 0, cmd_idle},    /* IDLE IMMEDIATE */
    {0xe2, 0, cmd_standby}, /* STANDBY */
    {0xe3, 0, cmd_idle},    /* IDLE */
    {0xe5, 0, cmd_power},   /* CHECK POWER MODE */
    {0xe6, 0, cmd_standby}, /* SLEEP */
    {0xe7, 0, cmd_flush},   /* FLUSH CACHE */
    {0xea, 0, cmd_flush},   /* FLUSH CACHE EXT */
    {0xec, 0, cmd_identify},
    {0xef, 0, cmd_features},
};

void ata_execute(struct ata_drive *d, uint8_t cmd)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].code == cmd) {
            table[i].run(d, table[i].how);
            return;
        }
    }
    ata_fail(d, ATA_ABRT);
}
