/*
 * Reading a GPT (UEFI 2.10, 5.3.2). Each copy is judged by itself: its header, that it stands where
 * it says, that its array lies on the disk and outside of the usable blocks, the array's checksum,
 * the entries. The backup is where a good primary says; else in the disk's last block.
 */
#include "back/gpt.h"
#include "back/gpt_entry.h"
#include "core/crc32.h"
#include "core/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 99a12413-308e-4786-819e-9079007aa0cc */
const uint8_t gpt_type_extent[GPT_GUID] = {0x13, 0x24, 0xa1, 0x99, 0x8e, 0x30, 0x86, 0x47,
                                           0x81, 0x9e, 0x90, 0x79, 0x00, 0x7a, 0xa0, 0xcc};

static uint64_t array_blocks(const struct gpt *g, const struct gpt_header *h)
{
    return ((uint64_t)h->entries * h->entry_size + g->block - 1) / g->block;
}

static const char *places_bad(const struct gpt *g, const struct gpt_header *h, uint64_t at)
{
    uint64_t n = array_blocks(g, h);

    if (h->my != at)
        return "its header says that it belongs elsewhere";
    if (h->first < 2 || h->first > h->last || h->last >= g->blocks ||
        range_in(at, 1, h->first, h->last - h->first + 1))
        return "its usable blocks are not on the disk";
    if (h->entries_at < 2 || !range_in(h->entries_at, n, 0, g->blocks) ||
        range_in(at, 1, h->entries_at, n))
        return "its array of entries is not on the disk";
    if (h->entries_at <= h->last && h->entries_at + n > h->first)
        return "its array of entries lies among the usable blocks";
    return NULL;
}

/* The array of a good header; *bad is set when it is none. */
static int array_read(const struct gpt *g, const struct gpt_header *h, const struct gpt_io *io,
                      uint8_t **out, const char **bad)
{
    size_t len = (size_t)h->entries * h->entry_size;
    uint8_t *array = malloc(len);
    int rc = array ? io->read(io->ctx, h->entries_at * g->block, array, len) : -ENOMEM;

    if (!rc && crc32_ieee(array, len) != h->entries_crc)
        *bad = "its array's checksum is wrong";
    else if (!rc)
        *bad = gpt_judge(h, array);
    if (rc || *bad) {
        free(array);
        array = NULL;
    }
    *out = array;
    return rc;
}

/* One copy: 0, also when it is bad (g->bad says why); or -errno of the disk. *there: it has a
 * signature at least. */
static int copy_read(struct gpt *g, enum gpt_copy which, uint64_t at, const struct gpt_io *io,
                     uint8_t **array, bool *there)
{
    struct gpt_header *h = &g->head[which];
    const char **bad = &g->bad[which];
    uint8_t block[GPT_BLOCK_MAX];
    int rc = io->read(io->ctx, at * g->block, block, g->block);

    *array = NULL;
    if (rc)
        return rc;
    rc = gpt_head_read(h, block, g->block, bad);
    if (rc != -ENOENT)
        *there = true;
    if (!rc)
        *bad = places_bad(g, h, at);
    return *bad ? 0 : array_read(g, h, io, array, bad);
}

static bool same(const struct gpt *g, uint8_t *const array[GPT_COPIES])
{
    const struct gpt_header *p = &g->head[GPT_PRIMARY], *b = &g->head[GPT_BACKUP];

    return p->first == b->first && p->last == b->last && p->entries == b->entries &&
           p->entry_size == b->entry_size && p->other == b->my && b->other == p->my &&
           !memcmp(p->guid, b->guid, GPT_GUID) &&
           !memcmp(array[0], array[1], (size_t)p->entries * p->entry_size);
}

static int copies_read(struct gpt *g, const struct gpt_io *io, uint8_t *array[GPT_COPIES],
                       bool *there)
{
    uint64_t end = g->blocks - 1, backup;
    int rc = copy_read(g, GPT_PRIMARY, 1, io, &array[GPT_PRIMARY], there);

    if (rc)
        return rc;
    backup = g->bad[GPT_PRIMARY] ? end : g->head[GPT_PRIMARY].other;
    if (backup < 2 || backup > end)
        backup = end;
    g->short_of_end = backup != end;
    return copy_read(g, GPT_BACKUP, backup, io, &array[GPT_BACKUP], there);
}

int gpt_read(struct gpt *g, const struct gpt_io *io, struct error *err)
{
    uint8_t *array[GPT_COPIES] = {0};
    bool there = false;
    int rc;

    *g = (struct gpt){.block = io->block, .blocks = io->bytes / io->block};
    if (g->blocks < 8)
        return error_set(err, -ENOENT, "no partition table: the disk is too small for one");
    rc = copies_read(g, io, array, &there);
    if (rc) {
        free(array[GPT_PRIMARY]);
        free(array[GPT_BACKUP]);
        return error_set(err, rc, "can't read the partition table: %s", strerror(-rc));
    }
    g->differ = !g->bad[GPT_PRIMARY] && !g->bad[GPT_BACKUP] && !same(g, array);
    g->from = g->bad[GPT_PRIMARY] ? GPT_BACKUP : GPT_PRIMARY;
    g->entries = array[g->from];
    free(array[!g->from]);
    if (g->entries)
        return 0;
    if (!there)
        return error_set(err, -ENOENT, "there is no partition table (GPT)");
    return error_set(err, -EINVAL, "no good partition table: primary: %s; backup: %s",
                     g->bad[GPT_PRIMARY], g->bad[GPT_BACKUP]);
}

void gpt_free(struct gpt *g)
{
    free(g->entries);
    g->entries = NULL;
}

bool gpt_part(const struct gpt *g, unsigned i, struct gpt_part *p)
{
    const struct gpt_header *h = &g->head[g->from];
    const uint8_t *e;

    if (i >= h->entries)
        return false;
    e = g->entries + (size_t)i * h->entry_size;
    if (!entry_used(e))
        return false;
    p->number = i + 1;
    p->first = le64_get(e + E_FIRST);
    p->last = le64_get(e + E_LAST);
    p->attributes = le64_get(e + E_ATTRIBUTES);
    memcpy(p->type, e + E_TYPE, GPT_GUID);
    memcpy(p->guid, e + E_GUID, GPT_GUID);
    p->ours = !memcmp(p->type, gpt_type_extent, GPT_GUID);
    gpt_name_text(e + E_NAME, p->name);
    return true;
}

int gpt_find(const struct gpt *g, const char *name, struct gpt_part *p)
{
    struct gpt_part q;
    int rc = -ENOENT;

    for (unsigned i = 0; i < g->head[g->from].entries; i++) { /* bound: GPT_ARRAY_MAX */
        if (!gpt_part(g, i, &q) || strcmp(q.name, name))
            continue;
        if (q.ours && !rc)
            return -EEXIST;
        if (q.ours) {
            *p = q;
            rc = 0;
        } else if (rc) {
            rc = -EPERM;
        }
    }
    return rc;
}
