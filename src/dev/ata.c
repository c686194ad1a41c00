/*
 * An ATA drive's registers and data phases: ATA/ATAPI-6 (INCITS 361-2002) clause 7 (registers) and
 * 9 (protocols). Commands are in ata_cmd.c. Left out: packet commands, queued commands,
 * host-protected area, security.
 *
 * PIO data passes through buf: a read command reads ahead up to 64 KiB and hands it out in DRQ
 * blocks, a write command collects as much before it writes. DMA moves between guest memory and the
 * backend with no copy; only TRIM's ranges are taken into buf.
 */
#include "dev/ata.h"
#include "core/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void ata_irq(struct ata_drive *d, bool level)
{
    d->intrq = level;
    d->host->irq(d->arg);
}

/* ---- how a command ends ---- */

void ata_finish(struct ata_drive *d)
{
    d->phase = ATA_READY;
    d->status = ATA_DRDY | ATA_DSC;
    ata_irq(d, true);
}

void ata_fail(struct ata_drive *d, uint8_t error)
{
    d->phase = ATA_READY;
    d->error = error;
    d->status = ATA_DRDY | ATA_DSC | ATA_ERR;
    ata_irq(d, true);
}

void ata_fault(struct ata_drive *d, uint8_t error)
{
    ata_fail(d, error);
    d->status |= ATA_DF;
}

/* The address registers name the sector that failed (here: the piece it is in). */
static void fail_at(struct ata_drive *d, uint8_t error)
{
    for (unsigned i = 0; i < 3; i++) {
        d->lba_reg[i][0] = (uint8_t)(d->lba >> 8 * i);
        d->lba_reg[i][1] = (uint8_t)(d->lba >> (24 + 8 * i));
    }
    if (error == ATA_UNC)
        ata_fail(d, error);
    else
        ata_fault(d, error);
}

/* ---- the backend ---- */

/* Without a write cache a write is complete when it is durable. */
static void complete(struct ata_drive *d)
{
    if (d->write && !d->write_cache && d->req.op == BLK_WRITE)
        ata_backend(d, BLK_FLUSH, 0, ATA_NEXT_FINISH);
    else
        ata_finish(d);
}

static void piece_done(struct ata_drive *d)
{
    d->lba += d->piece;
    d->left -= d->piece;
}

static void drq_block(struct ata_drive *d, enum ata_phase phase, bool irq)
{
    uint32_t n = d->block * BLK_SECTOR;

    d->drq = d->fill - d->pos < n ? d->fill : d->pos + n;
    d->phase = phase;
    d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    if (irq)
        ata_irq(d, true);
}

static void backend_next(struct ata_drive *d)
{
    switch (d->next) {
    case ATA_NEXT_FINISH: ata_finish(d); break;
    case ATA_NEXT_IN:
        piece_done(d);
        d->pos = 0;
        d->fill = d->piece * BLK_SECTOR;
        drq_block(d, ATA_PIO_IN, true);
        break;
    case ATA_NEXT_OUT:
        piece_done(d);
        if (d->left)
            ata_collect(d, true);
        else
            complete(d);
        break;
    case ATA_NEXT_VERIFY:
        piece_done(d);
        ata_verify(d);
        break;
    case ATA_NEXT_DMA:
        piece_done(d);
        d->host->dma_moved(d->arg, d->piece * BLK_SECTOR, d->left != 0);
        if (d->left)
            ata_want_dma(d);
        else
            complete(d);
        break;
    case ATA_NEXT_TRIM: ata_trim_next(d); break;
    }
}

static void backend_done(struct blk_req *req, int err)
{
    struct ata_drive *d = req->owner;

    if (d->cancelled || err) {
        if (d->next == ATA_NEXT_DMA)
            d->host->dma_moved(d->arg, d->piece * BLK_SECTOR, false);
        if (!d->cancelled)
            fail_at(d, req->op == BLK_READ ? ATA_UNC : ATA_ABRT);
        return;
    }
    backend_next(d);
}

static void submit(struct ata_drive *d, enum blk_op op, struct iovec *iov, int iovs)
{
    d->phase = ATA_WORK;
    d->status = ATA_BSY | ATA_DRDY | ATA_DSC;
    d->req = (struct blk_req){
        .op = op,
        .sector = d->lba,
        .sectors = d->piece,
        .iov = iov,
        .iovs = iovs,
        .done = backend_done,
        .owner = d,
    };
    blk_submit(d->blk, &d->req);
}

void ata_backend(struct ata_drive *d, enum blk_op op, uint32_t sectors, enum ata_next next)
{
    d->next = next;
    d->piece = sectors;
    d->iov = (struct iovec){d->buf, (size_t)sectors * BLK_SECTOR};
    submit(d, op, &d->iov, 1);
}

static uint32_t piece_of(const struct ata_drive *d)
{
    return d->left < ATA_BUF_SECTORS ? d->left : ATA_BUF_SECTORS;
}

/* ---- PIO ---- */

void ata_read_ahead(struct ata_drive *d)
{
    ata_backend(d, BLK_READ, piece_of(d), ATA_NEXT_IN);
}

void ata_collect(struct ata_drive *d, bool irq)
{
    d->pos = 0;
    d->fill = piece_of(d) * BLK_SECTOR;
    drq_block(d, ATA_PIO_OUT, irq);
}

void ata_reply(struct ata_drive *d)
{
    d->left = 0;
    d->block = 1;
    d->pos = 0;
    d->fill = BLK_SECTOR;
    drq_block(d, ATA_PIO_IN, true);
}

void ata_verify(struct ata_drive *d)
{
    if (d->left)
        ata_backend(d, BLK_READ, piece_of(d), ATA_NEXT_VERIFY);
    else
        ata_finish(d);
}

/* The DRQ block is through. The end of a read needs no interrupt: the host knows the count. */
static void drq_end(struct ata_drive *d)
{
    if (d->pos < d->fill) {
        drq_block(d, d->phase, true);
    } else if (d->phase == ATA_PIO_OUT) {
        ata_backend(d, BLK_WRITE, d->fill / BLK_SECTOR, ATA_NEXT_OUT);
    } else if (d->left) {
        ata_read_ahead(d);
    } else {
        d->phase = ATA_READY;
        d->status = ATA_DRDY | ATA_DSC;
    }
}

bool ata_data_read(struct ata_drive *d, unsigned size, uint32_t *val)
{
    uint32_t n = d->drq - d->pos;

    *val = UINT32_MAX;
    if (d->phase != ATA_PIO_IN)
        return false;
    if (size == 2 && n >= 2) {
        *val = le16_get(d->buf + d->pos);
    } else if (n >= 4) {
        *val = le32_get(d->buf + d->pos);
    } else { /* n is even: a doubleword that sticks out by a word */
        *val = le16_get(d->buf + d->pos) | 0xffff0000u;
        size = 2;
    }
    d->pos += size;
    if (d->pos == d->drq)
        drq_end(d);
    return true;
}

bool ata_data_write(struct ata_drive *d, unsigned size, uint32_t val)
{
    if (d->phase != ATA_PIO_OUT)
        return false;
    if (size == 2 || d->drq - d->pos < 4) {
        le16_put(d->buf + d->pos, (uint16_t)val);
        size = 2;
    } else {
        le32_put(d->buf + d->pos, val);
    }
    d->pos += size;
    if (d->pos == d->drq)
        drq_end(d);
    return true;
}

/* ---- DMA ---- */

void ata_want_dma(struct ata_drive *d)
{
    d->phase = ATA_DMA;
    d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    d->host->dma_wanted(d->arg, d);
}

uint64_t ata_dma_wants(const struct ata_drive *d)
{
    return d->phase == ATA_DMA ? (uint64_t)d->left * BLK_SECTOR : 0;
}

/* TRIM's ranges: from guest memory into buf, at once. */
static void ranges_take(struct ata_drive *d, const struct iovec *iov, int iovs, uint32_t bytes)
{
    for (int i = 0; i < iovs && d->fill < ATA_TRIM_BLOCKS * BLK_SECTOR; i++) {
        memcpy(d->buf + d->fill, iov[i].iov_base, iov[i].iov_len);
        d->fill += (uint32_t)iov[i].iov_len;
    }
    d->left -= bytes / BLK_SECTOR;
    d->phase = ATA_WORK;
    d->host->dma_moved(d->arg, bytes, d->left != 0);
    if (d->left)
        ata_want_dma(d); /* nests at most ATA_TRIM_BLOCKS deep: each takes a block */
    else
        ata_trim_next(d);
}

void ata_dma_move(struct ata_drive *d, struct iovec *iov, int iovs, uint32_t bytes)
{
    if (d->trim) {
        ranges_take(d, iov, iovs, bytes);
        return;
    }
    d->piece = bytes / BLK_SECTOR;
    d->next = ATA_NEXT_DMA;
    submit(d, d->write ? BLK_WRITE : BLK_READ, iov, iovs);
}

void ata_dma_fail(struct ata_drive *d)
{
    ata_fail(d, ATA_ABRT);
}

bool ata_in_flight(const struct ata_drive *d)
{
    return d->phase == ATA_WORK;
}

/* ---- registers ---- */

static uint8_t *reg_at(struct ata_drive *d, enum ata_reg reg)
{
    switch (reg) {
    case ATA_REG_ERROR: return d->feature;
    case ATA_REG_COUNT: return d->count;
    case ATA_REG_LBA_LOW: return d->lba_reg[0];
    case ATA_REG_LBA_MID: return d->lba_reg[1];
    case ATA_REG_LBA_HIGH: return d->lba_reg[2];
    default: return NULL;
    }
}

uint8_t ata_reg_read(struct ata_drive *d, enum ata_reg reg, bool hob)
{
    switch (reg) {
    case ATA_REG_ERROR: return d->error;
    case ATA_REG_DEVICE: return d->device | 0xa0; /* obsolete bits, read as ones */
    case ATA_REG_STATUS:
        if (d->intrq)
            ata_irq(d, false);
        return d->status;
    default: return reg_at(d, reg)[hob];
    }
}

void ata_reg_write(struct ata_drive *d, enum ata_reg reg, uint8_t val)
{
    uint8_t *r;

    if (reg == ATA_REG_DEVICE) {
        d->device = val;
        return;
    }
    r = reg_at(d, reg);
    if (!r || d->phase == ATA_WORK)
        return;
    r[1] = r[0];
    r[0] = val;
}

bool ata_command(struct ata_drive *d, uint8_t cmd)
{
    if (d->phase != ATA_READY)
        return false;
    d->error = 0;
    d->trim = d->write = false;
    if (d->intrq)
        ata_irq(d, false);
    ata_execute(d, cmd);
    return true;
}

/* ---- reset, life, state ---- */

void ata_signature(struct ata_drive *d)
{
    memset(d->feature, 0, sizeof(d->feature));
    memset(d->count, 0, sizeof(d->count));
    memset(d->lba_reg, 0, sizeof(d->lba_reg));
    d->count[0] = d->lba_reg[0][0] = 1;
    d->device = 0;
    d->error = 1; /* diagnostics passed */
    d->status = ATA_DRDY | ATA_DSC;
    d->phase = ATA_READY;
    d->write = d->trim = false;
    d->lba = 0;
    d->left = d->pos = d->drq = d->fill = 0;
}

void ata_soft_reset(struct ata_drive *d)
{
    if (!d->blk)
        return;
    if (ata_in_flight(d)) {
        d->cancelled = true;
        blk_drain(d->blk);
        d->cancelled = false;
    }
    d->standby = false;
    ata_signature(d);
    ata_irq(d, false);
}

void ata_power_on(struct ata_drive *d)
{
    if (!d->blk)
        return;
    ata_soft_reset(d);
    d->multiple = ATA_MULTIPLE_MAX;
    d->mode = 0;
    d->heads = 16;
    d->spt = 63;
    d->write_cache = d->look_ahead = d->smart = true;
}

int ata_init(struct ata_drive *d, struct blk *blk, const char *serial, const struct ata_host *host,
             void *arg)
{
    size_t len = strnlen(serial, ATA_SERIAL);

    d->blk = blk;
    d->host = host;
    d->arg = arg;
    if (!blk)
        return 0;
    memset(d->serial, ' ', sizeof(d->serial));
    memcpy(d->serial, serial, len);
    d->buf = calloc(1, ATA_BUF);
    if (!d->buf)
        return -ENOMEM;
    ata_power_on(d);
    return 0;
}

void ata_free(struct ata_drive *d)
{
    if (d->blk && ata_in_flight(d)) {
        d->cancelled = true;
        blk_drain(d->blk);
    }
    free(d->buf);
    d->buf = NULL;
}

/* A saved machine has nothing in flight: the phase is one that waits for the host. */
static bool state_sane(const struct ata_drive *d)
{
    bool pio = d->phase == ATA_PIO_IN || d->phase == ATA_PIO_OUT;

    if (d->phase >= ATA_PHASES || d->phase == ATA_WORK || d->multiple > ATA_MULTIPLE_MAX)
        return false;
    if (!d->heads || d->heads > 16 || !d->spt)
        return false;
    if (d->pos > d->drq || d->drq > d->fill || d->fill > ATA_BUF || (d->pos | d->drq) & 1)
        return false;
    if (pio && (d->pos == d->drq || !d->block || d->block > ATA_MULTIPLE_MAX))
        return false;
    if (d->phase == ATA_PIO_OUT &&
        (!d->left || d->fill / BLK_SECTOR > d->left || d->fill % BLK_SECTOR))
        return false;
    if (d->trim &&
        (d->left > ATA_TRIM_BLOCKS || d->fill > (ATA_TRIM_BLOCKS - d->left) * BLK_SECTOR))
        return false;
    return d->trim || d->phase == ATA_READY || range_in(d->lba, d->left, 0, d->blk->sectors);
}

void ata_state(struct ata_drive *d, struct state *st)
{
    uint8_t phase, present = d->blk != NULL;

    state_section(st, "ata", 1);
    state_u8(st, &present);
    if (!state_check(st, present == (d->blk != NULL)) || !present)
        return;
    if (!st->load)
        blk_drain(d->blk);
    phase = (uint8_t)d->phase;
    state_bytes(st, d->feature, 2);
    state_bytes(st, d->count, 2);
    state_bytes(st, d->lba_reg, sizeof(d->lba_reg));
    state_u8(st, &d->device);
    state_u8(st, &d->status);
    state_u8(st, &d->error);
    state_bool(st, &d->intrq);
    state_u8(st, &d->multiple);
    state_u8(st, &d->mode);
    state_u8(st, &d->heads);
    state_u8(st, &d->spt);
    state_bool(st, &d->write_cache);
    state_bool(st, &d->look_ahead);
    state_bool(st, &d->smart);
    state_bool(st, &d->standby);
    state_u8(st, &phase);
    state_bool(st, &d->write);
    state_bool(st, &d->trim);
    state_u64(st, &d->lba);
    state_u32(st, &d->left);
    state_u32(st, &d->block);
    state_u32(st, &d->pos);
    state_u32(st, &d->drq);
    state_u32(st, &d->fill);
    state_bytes(st, d->buf, ATA_BUF);
    d->phase = (enum ata_phase)phase;
    d->range = 0; /* ranges are looked at only when all have come, and then nothing waits */
    if (!state_check(st, state_sane(d)) && st->load)
        ata_power_on(d);
}
