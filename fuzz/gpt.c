/*
 * Partition tables that lie. A good table with three partitions on a disk of 4 MiB, of which only
 * the ends are kept; then bytes of its two headers and of the first entries are changed, and
 * checksums made right again, or not. First byte: bit 0 checksums are made right, bit 1 the disk
 * has grown, bits 2-4 what is done with the table then. What must hold: a table that is taken is
 * sane, stays so, and is read again as it was written; nothing is written but tables, on the disk,
 * outside of what partitions may use.
 */
#include "back/gpt.h"
#include "back/gpt_entry.h"
#include "core/crc32.h"
#include "core/error.h"
#include "input.h"
#include <errno.h>
#include <stdlib.h>

#define BYTES (4ull << 20)
#define GROWN (5ull << 20)
#define EDGE  (64u << 10)

struct disk {
    uint8_t low[EDGE], high[EDGE], end[EDGE]; /* at 0, before BYTES, before GROWN */
    struct gpt_io io;
    uint64_t first, last; /* bytes that must not be written */
};

static uint8_t *at_of(struct disk *d, uint64_t at)
{
    if (at < EDGE)
        return d->low + at;
    if (range_in(at, 1, BYTES - EDGE, EDGE))
        return d->high + (at - (BYTES - EDGE));
    return range_in(at, 1, GROWN - EDGE, EDGE) ? d->end + (at - (GROWN - EDGE)) : NULL;
}

static int disk_read(void *ctx, uint64_t at, void *buf, size_t len)
{
    struct disk *d = ctx;

    PROMISE(range_in(at, len, 0, d->io.bytes));
    for (size_t i = 0; i < len; i += 512) { /* tables are in whole blocks, but for the last */
        const uint8_t *p = at_of(d, at + i);
        size_t n = len - i < 512 ? len - i : 512;

        memset((uint8_t *)buf + i, 0, n);
        if (p)
            memcpy((uint8_t *)buf + i, p, n);
    }
    return 0;
}

static int disk_write(void *ctx, uint64_t at, const void *buf, size_t len)
{
    struct disk *d = ctx;

    PROMISE(range_in(at, len, 0, d->io.bytes));
    PROMISE(at + len <= d->first || at > d->last);
    for (size_t i = 0; i < len; i += 512) {
        uint8_t *p = at_of(d, at + i);

        if (p)
            memcpy(p, (const uint8_t *)buf + i, len - i < 512 ? len - i : 512);
    }
    return 0;
}

static int disk_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

static void disk_make(struct disk *d)
{
    struct gpt g;
    struct gpt_part p;

    d->first = UINT64_MAX;
    d->io = (struct gpt_io){disk_read, disk_write, disk_sync, d, BYTES, 512};
    PROMISE(!gpt_init(&g, &d->io));
    PROMISE(!gpt_add(&g, "one", 1 << 20, &p));
    memset(g.entries + 128 + E_TYPE, 7, 40); /* a foreign one */
    le64_put(g.entries + 128 + E_FIRST, 5000);
    le64_put(g.entries + 128 + E_LAST, 5001);
    PROMISE(!gpt_write(&g, &d->io) && !gpt_mbr_write(&d->io));
    gpt_free(&g);
}

static void sums_mend(uint8_t *head, const uint8_t *array)
{
    uint32_t len = le32_get(head + 12);

    if (le32_get(head + 80) == 128 && le32_get(head + 84) == 128)
        le32_put(head + 88, crc32_ieee(array, 128 * 128));
    le32_put(head + 16, 0);
    if (len <= 512)
        le32_put(head + 16, crc32_ieee(head, len));
}

static void disk_spoil(struct disk *d, struct input *in, bool mend)
{
    uint8_t *head[2] = {d->low + 512, d->high + EDGE - 512};
    uint8_t *array[2] = {d->low + 1024, d->high + EDGE - 512 - 128 * 128};

    while (in->len) { /* bound: the input */
        uint8_t what = take_u8(in), off = take_u8(in), width = what >> 4 & 7;
        uint64_t value = take_int(in, 8);
        uint8_t *to = (what & 2 ? array[what & 1] : head[what & 1]) + (off & 0x7f) +
                      (what & 2 ? 128u * (off >> 7) : 0);

        for (unsigned i = 0; i <= width; i++)
            to[i] = (uint8_t)(value >> 8 * i);
    }
    for (unsigned i = 0; i < 2 && mend; i++)
        sums_mend(head[i], array[i]);
}

static void sane(const struct gpt *g)
{
    const struct gpt_header *h = &g->head[g->from];
    struct gpt_part p;

    PROMISE(!gpt_judge(h, g->entries));
    PROMISE(h->first >= 2 && h->last < g->blocks);
    for (unsigned i = 0; i < h->entries; i++)
        if (gpt_part(g, i, &p)) {
            PROMISE(p.first >= h->first && p.first <= p.last && p.last <= h->last);
            PROMISE(memchr(p.name, 0, sizeof(p.name)));
        }
}

static void change(struct gpt *g, unsigned how)
{
    struct gpt_part p;
    uint64_t room;

    if (how & 1 && !gpt_find(g, "one", &p)) {
        PROMISE(p.ours);
        gpt_remove(g, &p);
        sane(g);
    }
    if (how & 2) {
        int rc;

        room = gpt_room(g);
        rc = gpt_add(g, "new", how & 4 ? 0 : 1 << 20, &p);
        PROMISE(rc != -ENOSPC || !room);
        if (!rc)
            PROMISE(p.ours && p.first * g->block % GPT_ALIGN == 0);
        sane(g);
    }
}

static void again(struct disk *d, const struct gpt *was)
{
    const struct gpt_header *h = &was->head[was->from];
    struct gpt g;

    PROMISE(!gpt_read(&g, &d->io, NULL));
    PROMISE(!g.bad[0] && !g.bad[1] && !g.differ);
    PROMISE(g.head[0].entries == h->entries && g.head[0].entry_size == h->entry_size);
    PROMISE(!memcmp(g.entries, was->entries, (size_t)h->entries * h->entry_size));
    gpt_free(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    struct disk *d = calloc(1, sizeof(*d));
    uint8_t flags = take_u8(&in);
    struct error err = {0};
    struct gpt g;
    int rc;

    PROMISE(d);
    disk_make(d);
    disk_spoil(d, &in, flags & 1);
    if (flags & 2)
        d->io.bytes = GROWN;
    rc = gpt_read(&g, &d->io, &err);
    PROMISE(!rc == !!g.entries && (!rc || *err.text));
    if (!rc) {
        bool whole = !g.bad[0] && !g.bad[1] && !g.differ;

        sane(&g);
        d->first = g.head[g.from].first * 512;
        d->last = g.head[g.from].last * 512 + 511;
        if (whole)
            change(&g, flags >> 2);
        if (whole ? !gpt_write(&g, &d->io) : !gpt_repair(&g, &d->io))
            again(d, &g);
    }
    gpt_free(&g);
    free(d);
    return 0;
}
