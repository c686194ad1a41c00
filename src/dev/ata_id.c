/* What a drive says about itself: the IDENTIFY DEVICE page (ATA/ATAPI-6 clause 8.15, words by
 * number) and the SMART data page. */
#include "dev/ata.h"

#include <string.h>

#define LBA28_MAX 0x0fffffffu
#define CYL_MAX   16383u

/* ATA strings: two characters a word, the first in the high byte, padded with blanks. */
static void put_text(uint8_t *page, unsigned word, const char *text, size_t text_len, size_t len)
{
    for (size_t i = 0; i < len; i++)
        page[word * 2 + (i ^ 1)] = (uint8_t)(i < text_len ? text[i] : ' ');
}

static void put(uint8_t *page, unsigned word, unsigned val)
{
    le16_put(page + word * 2, (uint16_t)val);
}

static void checksum(uint8_t *page)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + page[i]);
    page[511] = (uint8_t)-sum;
}

static void put_geometry(const struct ata_drive *d, uint8_t *page)
{
    uint64_t sectors = d->blk->sectors;
    uint64_t cyl = sectors / (16 * 63), now = sectors / ((unsigned)d->heads * d->spt);

    cyl = cyl > CYL_MAX ? CYL_MAX : cyl;
    now = now > CYL_MAX ? CYL_MAX : now;
    put(page, 1, (unsigned)cyl);
    put(page, 3, 16);
    put(page, 6, 63);
    put(page, 54, (unsigned)now);
    put(page, 55, d->heads);
    put(page, 56, d->spt);
    le32_put(page + 57 * 2, (uint32_t)now * d->heads * d->spt);
    le32_put(page + 60 * 2, sectors > LBA28_MAX ? LBA28_MAX : (uint32_t)sectors);
    le64_put(page + 100 * 2, sectors >> 48 ? (1ull << 48) - 1 : sectors);
}

static void put_modes(const struct ata_drive *d, uint8_t *page)
{
    unsigned mwdma = 0x07, udma = 0x3f;

    if (d->mode >= 0x40)
        udma |= 0x100u << (d->mode & 7);
    else if (d->mode)
        mwdma |= 0x100u << (d->mode & 7);
    put(page, 63, mwdma);
    put(page, 64, 3); /* PIO 3 and 4 */
    for (unsigned w = 65; w <= 68; w++)
        put(page, w, 120); /* ns a cycle */
    put(page, 88, udma);
    put(page, 93, 0x6003); /* reset result: 80-wire cable, device 0 by jumper */
}

void ata_identify(const struct ata_drive *d, uint8_t *page)
{
    static const char model[] = "viaduct disk", firmware[] = "1.0";
    bool trim = d->blk->can_discard && !d->blk->readonly;

    memset(page, 0, BLK_SECTOR);
    put(page, 0, 0x0040); /* a fixed disk */
    put_text(page, 10, (const char *)d->serial, ATA_SERIAL, ATA_SERIAL);
    put_text(page, 23, firmware, sizeof(firmware) - 1, 8);
    put_text(page, 27, model, sizeof(model) - 1, 40);
    put(page, 47, 0x8000 | ATA_MULTIPLE_MAX);
    put(page, 48, 0x4000); /* no trusted computing (before ATA8 this word meant something else) */
    put(page, 49, 0x0f00); /* IORDY, LBA, DMA */
    put(page, 50, 0x4000);
    put(page, 51, 0x0200);
    put(page, 53, 7); /* words 54-58, 64-70, 88 are valid */
    put(page, 59, d->multiple ? 0x100u | d->multiple : 0);
    put_geometry(d, page);
    put_modes(d, page);
    put(page, 80, 0x01f0); /* ATA/ATAPI-4 to -7, ATA8 */
    put(page, 82, 0x4069); /* NOP, look-ahead, write cache, power management, SMART */
    put(page, 83, 0x7400); /* FLUSH CACHE (EXT), 48-bit */
    put(page, 84, 0x4000);
    put(page, 85, 0x4008u | (d->look_ahead ? 0x40u : 0) | (d->write_cache ? 0x20u : 0) | d->smart);
    put(page, 86, 0x3400);
    put(page, 87, 0x4000);
    put(page, 105, trim ? ATA_TRIM_BLOCKS : 0);
    put(page, 106, 0x4000); /* one logical sector a physical one */
    put(page, 169, trim);
    put(page, 217, 1); /* does not rotate */
    page[510] = 0xa5;
    checksum(page);
}

/* No attributes; off-line collection never started; one self-test routine: none. */
void ata_smart_data(uint8_t *page)
{
    memset(page, 0, BLK_SECTOR);
    le16_put(page, 0x0010); /* structure revision */
    checksum(page);
}
