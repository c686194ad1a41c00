/*
 * Writing a GPT. The order is what makes a crash harmless: the backup's entries, its header, the
 * primary's entries, its header, each on stable storage before the next begins. Until the backup is
 * whole the old primary stands; from then on the backup does.
 */
#include "back/gpt.h"
#include "core/crc32.h"

#include <errno.h>
#include <string.h>

enum { MBR_ENTRY = 446, MBR_ENTRY_LEN = 16, MBR_ENTRIES = 4, MBR_SIGNATURE = 510 };
enum { M_FIRST_CHS = 1, M_TYPE = 4, M_LAST_CHS = 5, M_FIRST = 8, M_SIZE = 12 };
#define MBR_TYPE_GPT 0xee

static int copy_write(const struct gpt *g, enum gpt_copy which, const struct gpt_io *io)
{
    const struct gpt_header *h = &g->head[which];
    size_t len = (size_t)h->entries * h->entry_size;
    uint8_t block[GPT_BLOCK_MAX];
    int rc = io->write(io->ctx, h->entries_at * g->block, g->entries, len);

    if (!rc)
        rc = io->sync(io->ctx);
    gpt_head_write(h, block, g->block);
    if (!rc)
        rc = io->write(io->ctx, h->my * g->block, block, g->block);
    return rc ? rc : io->sync(io->ctx);
}

int gpt_write(struct gpt *g, const struct gpt_io *io)
{
    const struct gpt_header *h = &g->head[g->from];
    uint32_t crc = crc32_ieee(g->entries, (size_t)h->entries * h->entry_size);
    int rc;

    g->head[GPT_PRIMARY].entries_crc = g->head[GPT_BACKUP].entries_crc = crc;
    rc = copy_write(g, GPT_BACKUP, io);
    return rc ? rc : copy_write(g, GPT_PRIMARY, io);
}

/* The good header as the other copy's. The backup goes to the end; partitions stay where they are,
 * and what a disk has grown by becomes usable. */
static int heads_mend(struct gpt *g)
{
    struct gpt_header *good = &g->head[g->from];
    struct gpt_header *p = &g->head[GPT_PRIMARY], *b = &g->head[GPT_BACKUP];
    uint64_t n = ((uint64_t)good->entries * good->entry_size + g->block - 1) / g->block;
    uint64_t last = g->blocks - 2 - n, entries_at = p->entries_at;

    if (n > g->blocks - 2 || last < good->last)
        return -ENOSPC; /* the array would lie on usable blocks */
    if (g->bad[GPT_PRIMARY]) {
        if (good->first < 2 + n)
            return -ENOSPC;
        *p = *good;
        entries_at = 2;
    }
    p->my = 1;
    p->entries_at = entries_at;
    p->other = g->blocks - 1;
    p->last = last;
    *b = *p;
    b->my = p->other;
    b->other = 1;
    b->entries_at = last + 1;
    return 0;
}

/* The copy that was read is overwritten last. */
int gpt_repair(struct gpt *g, const struct gpt_io *io)
{
    enum gpt_copy from = g->from;
    uint32_t crc = g->head[from].entries_crc;
    int rc = heads_mend(g);

    g->head[GPT_PRIMARY].entries_crc = g->head[GPT_BACKUP].entries_crc = crc;
    if (!rc)
        rc = copy_write(g, from == GPT_PRIMARY ? GPT_BACKUP : GPT_PRIMARY, io);
    if (!rc)
        rc = copy_write(g, from, io);
    if (!rc)
        g->bad[GPT_PRIMARY] = g->bad[GPT_BACKUP] = NULL;
    return rc;
}

bool gpt_mbr_protects(const uint8_t *block)
{
    if (block[MBR_SIGNATURE] != 0x55 || block[MBR_SIGNATURE + 1] != 0xaa)
        return false;
    for (unsigned i = 0; i < MBR_ENTRIES; i++)
        if (block[MBR_ENTRY + i * MBR_ENTRY_LEN + M_TYPE] == MBR_TYPE_GPT)
            return true;
    return false;
}

/* One partition from block 1 to the end, or as far as 32 bits reach; CHS as 5.2.3 has it. */
int gpt_mbr_write(const struct gpt_io *io)
{
    uint64_t rest = io->bytes / io->block - 1;
    uint8_t block[GPT_BLOCK_MAX] = {0}, *e = block + MBR_ENTRY;

    memcpy(e + M_FIRST_CHS, "\x00\x02\x00", 3);
    e[M_TYPE] = MBR_TYPE_GPT;
    memcpy(e + M_LAST_CHS, "\xff\xff\xff", 3);
    le32_put(e + M_FIRST, 1);
    le32_put(e + M_SIZE, rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX);
    block[MBR_SIGNATURE] = 0x55;
    block[MBR_SIGNATURE + 1] = 0xaa;
    return io->write(io->ctx, 0, block, io->block);
}
