/* Making and changing a table in memory. Extents begin and end at multiples of GPT_ALIGN, whatever
 * the others do: gaps are measured inside of that grid. */
#include "back/gpt_entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 128u /* 5.3.1: room for 16 KiB of entries at least */

int gpt_init(struct gpt *g, const struct gpt_io *io)
{
    uint64_t array = ENTRIES * E_LEN / io->block, blocks = io->bytes / io->block;
    struct gpt_header *p = &g->head[GPT_PRIMARY], *b = &g->head[GPT_BACKUP];

    *g = (struct gpt){.block = io->block, .blocks = blocks};
    if (io->bytes < 4ull * GPT_ALIGN) /* table, one extent, table */
        return -ENOSPC;
    g->entries = calloc(ENTRIES, E_LEN);
    if (!g->entries)
        return -ENOMEM;
    *p = (struct gpt_header){.my = 1,
                             .other = blocks - 1,
                             .first = 2 + array,
                             .last = blocks - 2 - array,
                             .entries_at = 2,
                             .entries = ENTRIES,
                             .entry_size = E_LEN};
    gpt_guid_make(p->guid);
    *b = *p;
    b->my = p->other;
    b->other = p->my;
    b->entries_at = p->last + 1;
    return 0;
}

struct gap {
    uint64_t first, blocks;
};

/* The part of [from, to) on the grid, blocks. */
static struct gap gap_aligned(uint64_t from, uint64_t to, uint64_t grid)
{
    uint64_t first = (from + grid - 1) / grid * grid, end = to / grid * grid;

    return (struct gap){first, end > first ? end - first : 0};
}

/* The first gap of at least want blocks; with want 0, the largest. blocks 0: there is none. */
static int gap_find(const struct gpt *g, uint64_t want, struct gap *found)
{
    const struct gpt_header *h = &g->head[g->from];
    uint64_t grid = GPT_ALIGN / g->block, from = h->first;
    struct gpt_span *span;
    unsigned n;

    span = gpt_spans(h, g->entries, &n);
    if (!span)
        return -ENOMEM;
    *found = (struct gap){0};
    for (unsigned i = 0; i <= n; i++) {
        struct gap gap = gap_aligned(from, i < n ? span[i].first : h->last + 1, grid);

        if (gap.blocks > found->blocks && gap.blocks >= want)
            *found = gap;
        if (want && found->blocks)
            break;
        if (i < n)
            from = span[i].last + 1;
    }
    free(span);
    return 0;
}

uint64_t gpt_room(const struct gpt *g)
{
    struct gap gap;

    return gap_find(g, 0, &gap) ? 0 : gap.blocks * g->block;
}

static uint8_t *entry_free(const struct gpt *g, unsigned *number)
{
    const struct gpt_header *h = &g->head[g->from];

    for (unsigned i = 0; i < h->entries; i++) { /* bound: GPT_ARRAY_MAX */
        uint8_t *e = g->entries + (size_t)i * h->entry_size;

        if (!entry_used(e)) {
            *number = i;
            return e;
        }
    }
    return NULL;
}

int gpt_add(struct gpt *g, const char *name, uint64_t size, struct gpt_part *p)
{
    uint8_t utf16[2 * GPT_NAME_UNITS], *e;
    unsigned number;
    struct gap gap;
    int rc;

    if (!gpt_name_put(name, utf16))
        return -EINVAL;
    if (gpt_find(g, name, p) != -ENOENT)
        return -EEXIST;
    e = entry_free(g, &number);
    if (!e)
        return -EMFILE;
    rc = gap_find(g, size / g->block, &gap);
    if (rc)
        return rc;
    if (!gap.blocks)
        return -ENOSPC;
    if (size)
        gap.blocks = size / g->block;
    memset(e, 0, g->head[g->from].entry_size);
    memcpy(e + E_TYPE, gpt_type_extent, GPT_GUID);
    gpt_guid_make(e + E_GUID);
    le64_put(e + E_FIRST, gap.first);
    le64_put(e + E_LAST, gap.first + gap.blocks - 1);
    memcpy(e + E_NAME, utf16, sizeof(utf16));
    gpt_part(g, number, p);
    return 0;
}

void gpt_remove(struct gpt *g, const struct gpt_part *p)
{
    uint32_t size = g->head[g->from].entry_size;

    memset(g->entries + (size_t)(p->number - 1) * size, 0, size); /* 5.3.3: unused is all zero */
}
