/*
 * Memory of translations that an idle guest no longer needs. Most of what is translated while a
 * guest boots runs once and never again: two thirds of what its machine takes beyond guest RAM. A
 * guest that halts, and for which nothing was translated for a while, has what it needs: then all
 * translations are forgotten, their memory goes back to the host, and what still runs is translated
 * anew, in milliseconds. Each time twice as much must have come together before the next, so that a
 * guest that really uses a lot keeps it, and this happens two or three times in a machine's life.
 */
#include "core/tsc.h"
#include "engine/dbt/dbt.h"
#include <sys/mman.h>

#define TRIM_FIRST   (8u << 20) /* bytes of code and arena */
#define TRIM_SECONDS 2u
#define HOST_PAGE    4096u

static size_t used(const struct dbt *d)
{
    return (size_t)(d->hot.p - d->hot_start) + (size_t)(d->cold.p - d->cold_start) + d->arena_at;
}

/* Whole pages from at on, which hold nothing that is still used. */
static void give_back(uint8_t *at, size_t n, int how)
{
    size_t skip = -(uintptr_t)at & (HOST_PAGE - 1);

    if (n > skip)
        madvise(at + skip, n - skip, how); /* refused: then it stays */
}

void dbt_trim(struct dbt *d, uint64_t tsc_hz)
{
    if (d->bare || used(d) < (d->trim_at ? d->trim_at : TRIM_FIRST) ||
        tsc_read() - d->made_at < TRIM_SECONDS * tsc_hz)
        return;
    d->trim_at = 2 * used(d);
    /* A shared mapping's pages are the file's: it gets holes. */
    give_back(d->hot_start, (size_t)(d->hot.p - d->hot_start), MADV_REMOVE);
    give_back(d->cold_start, (size_t)(d->cold.p - d->cold_start), MADV_REMOVE);
    /* What forgetting looks at is not in these. */
    give_back(d->arena, d->arena_at, MADV_DONTNEED);
    give_back((uint8_t *)d->sorted, d->blocks * sizeof(*d->sorted), MADV_DONTNEED);
    give_back((uint8_t *)d->exit_by_id, d->exits * sizeof(*d->exit_by_id), MADV_DONTNEED);
    dbt_flush_all(d);
    d->cpu->link = 0;
}
