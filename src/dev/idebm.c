/*
 * The bus master of a PIIX-like IDE controller: Intel 82371AB (PIIX4) datasheet section 2.2.5-2.2.7
 * and "Programming Interface for Bus Master IDE Controller" rev 1.0. Eight ports a channel: BMICX
 * (command) at 0, BMISX (status) at 2, BMIDTPX (descriptor table pointer) at 4.
 *
 * When both the drive asks for DMA and the host has started the engine, table entries are fetched
 * until they make up a piece of whole sectors, and the drive moves that piece straight between its
 * backend and guest memory. Then the next piece. Bytes left over from the last entry of a piece
 * stay at the front of seg[] for the next one.
 */
#include "core/state.h"
#include "dev/ide_impl.h"

#include <string.h>

#define BMICX   0
#define BMISX   2
#define BMIDTPX 4

#define CMD_START    0x01
#define CMD_TO_MEM   0x08
#define STATUS_BUSY  0x01
#define STATUS_ERROR 0x02
#define STATUS_INTR  0x04
#define STATUS_CAP   0x60u /* drive 0, 1 capable of DMA: plain storage */

#define PRD_LAST  0x80000000u
#define PRD_MAX   8192u      /* entries: the table may not cross 64 KiB */
#define PIECE_MAX 0x1000000u /* 16 MiB: BLK_SEGS_MAX entries of 64 KiB */

static void stop(struct ide_bm *bm)
{
    bm->status &= (uint8_t)~STATUS_BUSY;
    bm->rest = 0;
    bm->segs = 0;
}

/* The next entry into at, rest, last; false: not RAM, or no end in sight. */
static bool prd_fetch(struct ide_channel *ch)
{
    struct ide_bm *bm = &ch->bm;
    uint8_t prd[8];
    uint32_t len;

    if (bm->entries++ == PRD_MAX || dma_read(&ch->ide->pci.dma, bm->next, prd, sizeof(prd)))
        return false;
    bm->next += sizeof(prd);
    bm->at = le32_get(prd) & ~1u;
    len = le32_get(prd + 4);
    bm->last = len & PRD_LAST;
    bm->rest = len & 0xfffe ? len & 0xfffe : 0x10000;
    return true;
}

/* Adds ranges until want bytes are there, the table ends or seg[] is full. *bytes: how many. */
static bool gather(struct ide_channel *ch, bool to_mem, uint64_t want, uint32_t *bytes)
{
    struct ide_bm *bm = &ch->bm;

    for (int i = 0; i < bm->segs; i++)
        *bytes += bm->seg[i].len;
    while (bm->segs < BLK_SEGS_MAX && *bytes < want) {
        uint32_t n;

        if (!bm->rest && bm->last)
            break;
        if (!bm->rest && !prd_fetch(ch))
            return false;
        n = bm->rest < want - *bytes ? bm->rest : (uint32_t)(want - *bytes);
        if (dma_hold(&ch->ide->pci.dma, bm->at, n, to_mem, &bm->iov[bm->segs], 1) != 1)
            return false;
        bm->seg[bm->segs].gpa = bm->at;
        bm->seg[bm->segs++].len = n;
        bm->at += n;
        bm->rest -= n;
        *bytes += n;
    }
    return true;
}

/* The iovecs that make up the first bytes of seg[]; the last may be shortened. */
static int iov_cut(struct ide_bm *bm, uint32_t bytes)
{
    int n = 0;

    for (; bytes; n++) {
        uint32_t len = bm->seg[n].len < bytes ? bm->seg[n].len : bytes;
        bm->iov[n].iov_len = len;
        bytes -= len;
    }
    return n;
}

static void fail(struct ide_channel *ch, struct ata_drive *d)
{
    stop(&ch->bm);
    ch->bm.status |= STATUS_ERROR;
    ata_dma_fail(d);
}

void idebm_run(struct ide_channel *ch, struct ata_drive *d)
{
    struct ide_bm *bm = &ch->bm;
    uint64_t want = ata_dma_wants(d);
    bool to_mem = !d->write;
    uint32_t bytes = 0;

    if (!want || !(bm->status & STATUS_BUSY) || bm->in_flight)
        return;
    if (want > PIECE_MAX)
        want = PIECE_MAX;
    if (to_mem != !!(bm->cmd & CMD_TO_MEM) || !gather(ch, to_mem, want, &bytes)) {
        fail(ch, d);
        return;
    }
    bytes -= bytes % BLK_SECTOR;
    if (!bytes && bm->segs == BLK_SEGS_MAX) { /* can't be with even lengths; never spin on it */
        fail(ch, d);
        return;
    }
    if (!bytes) { /* the table was too short: the engine stops, the drive waits, no interrupt */
        stop(bm);
        return;
    }
    bm->in_flight = true;
    ata_dma_move(d, bm->iov, iov_cut(bm, bytes), bytes);
}

/* A piece of that many bytes is through, or has failed and may be there in part. */
void idebm_moved(struct ide_channel *ch, uint32_t bytes)
{
    struct ide_bm *bm = &ch->bm;
    bool to_mem = bm->cmd & CMD_TO_MEM;
    int n = 0;

    bm->in_flight = false;
    for (; bytes && n < bm->segs; n++) {
        uint32_t len = bm->seg[n].len < bytes ? bm->seg[n].len : bytes;

        dma_drop(&ch->ide->pci.dma, bm->seg[n].gpa, len, to_mem);
        bytes -= len;
        if (len == bm->seg[n].len)
            continue;
        bm->seg[n].gpa += len;
        bm->seg[n].len -= len;
        bm->iov[n].iov_base = (uint8_t *)bm->iov[n].iov_base + len;
        break;
    }
    bm->segs -= n;
    memmove(bm->seg, bm->seg + n, (size_t)bm->segs * sizeof(bm->seg[0]));
    memmove(bm->iov, bm->iov + n, (size_t)bm->segs * sizeof(bm->iov[0]));
    for (int i = 0; i < bm->segs; i++)
        bm->iov[i].iov_len = bm->seg[i].len;
    if (bm->last && !bm->rest && !bm->segs)
        bm->status &= (uint8_t)~STATUS_BUSY; /* table used up exactly */
}

void idebm_irq(struct ide_channel *ch)
{
    ch->bm.status |= STATUS_INTR;
}

static void start(struct ide_channel *ch)
{
    struct ide_bm *bm = &ch->bm;

    bm->status |= STATUS_BUSY;
    bm->next = bm->prdt;
    bm->entries = 0;
    bm->rest = 0;
    bm->last = false;
    bm->segs = 0;
    idebm_run(ch, &ch->drive[ch->sel]);
}

/* Stopped under way: what the backend has is waited for, the rest of the command stays with the
 * drive, which goes on when the engine is started again. */
void idebm_stop(struct ide_channel *ch)
{
    struct ide_bm *bm = &ch->bm;

    bm->status &= (uint8_t)~STATUS_BUSY;
    for (unsigned i = 0; i < 2 && bm->in_flight; i++)
        if (ata_in_flight(&ch->drive[i]))
            blk_drain(ch->drive[i].blk);
    stop(bm);
}

static void command(struct ide_channel *ch, uint8_t val)
{
    struct ide_bm *bm = &ch->bm;
    bool was = bm->cmd & CMD_START, on = val & CMD_START;

    if (was && !on)
        idebm_stop(ch);
    if (was && on) /* the direction may not change while the engine runs */
        return;
    bm->cmd = val & (CMD_START | CMD_TO_MEM);
    if (on)
        start(ch);
}

static uint64_t idebm_read(void *dev, uint64_t off, unsigned size)
{
    struct ide *ide = dev;
    const struct ide_bm *bm = &ide->channel[off >> 3 & 1].bm;

    (void)size; /* always 1 */
    switch (off & 7) {
    case BMICX: return bm->cmd;
    case BMISX: return bm->status;
    case BMIDTPX:
    case BMIDTPX + 1:
    case BMIDTPX + 2:
    case BMIDTPX + 3: return bm->prdt >> 8 * (off & 3) & 0xff;
    default: return 0;
    }
}

static void idebm_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide *ide = dev;
    struct ide_channel *ch = &ide->channel[off >> 3 & 1];
    struct ide_bm *bm = &ch->bm;
    unsigned shift = 8 * (off & 3);

    (void)size; /* always 1 */
    switch (off & 7) {
    case BMICX: command(ch, (uint8_t)val); break;
    case BMISX:
        bm->status = (uint8_t)((bm->status & ~STATUS_CAP) | (val & STATUS_CAP));
        bm->status &= (uint8_t) ~(val & (STATUS_ERROR | STATUS_INTR));
        break;
    case BMIDTPX:
    case BMIDTPX + 1:
    case BMIDTPX + 2:
    case BMIDTPX + 3:
        bm->prdt = (bm->prdt & ~(0xffu << shift)) | (uint32_t)(val & 0xff) << shift;
        bm->prdt &= ~3u;
        break;
    default: break;
    }
}

const struct io_ops idebm_ops = {idebm_read, idebm_write, .sizes = 1, .split = true};

void idebm_reset(struct ide_channel *ch)
{
    idebm_stop(ch);
    ch->bm.cmd = 0;
    ch->bm.prdt = 0;
    ch->bm.status =
        STATUS_CAP & (uint8_t)((ch->drive[0].blk ? 0x20 : 0) | (ch->drive[1].blk ? 0x40 : 0));
}

/* The drives' backends are drained: no piece is in flight, and so nothing is left over but the
 * place in the table. */
void idebm_state(struct ide_channel *ch, struct state *st)
{
    struct ide_bm *bm = &ch->bm;
    uint64_t at = bm->at;

    state_section(st, "idebm", 1);
    state_u8(st, &bm->cmd);
    state_u8(st, &bm->status);
    state_u32(st, &bm->prdt);
    state_u32(st, &bm->next);
    state_u32(st, &bm->entries);
    state_u64(st, &at);
    state_u32(st, &bm->rest);
    state_bool(st, &bm->last);
    bm->at = at;
    if (!state_check(st, bm->entries <= PRD_MAX && bm->rest <= 0x10000) && st->load)
        idebm_reset(ch);
    if (st->load)
        bm->segs = 0;
}
