/*
 * The areas of a program's address space: Linux's mmap, munmap, mprotect and mremap over one sorted
 * table. What takes a translation away says so in stale, since the vCPU may still have it.
 */
#include "exec/space.h"
#include "exec/file.h"
#include "exec/space_impl.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REGION (SPACE_PAGE * 512) /* what one last-level table covers */

void space_close(struct space *s)
{
    for (unsigned i = 0; i < s->areas; i++)
        file_put(s->area[i].file);
    free(s->area);
    free(s->free);
    s->area = NULL;
    s->free = NULL;
    s->areas = 0;
}

unsigned space_index(const struct space *s, uint64_t at)
{
    unsigned lo = 0, hi = s->areas;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (s->area[mid].end > at)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

const struct area *space_area(const struct space *s, uint64_t at)
{
    unsigned i = space_index(s, at);

    return i < s->areas && s->area[i].at <= at ? &s->area[i] : NULL;
}

bool space_free_at(const struct space *s, uint64_t at, uint64_t len)
{
    unsigned i = space_index(s, at);

    return range_in(at, len, s->floor, s->top - s->floor) &&
           (i == s->areas || s->area[i].at >= at + len);
}

uint64_t space_find(const struct space *s, uint64_t len)
{
    uint64_t end = s->top - SPACE_PAGE; /* nothing touches the end of user addresses */

    if (len > s->top - s->floor)
        return 0;
    for (unsigned i = s->areas; i-- > 0;) {
        if (end >= s->area[i].end && end - s->area[i].end >= len)
            return end - len;
        end = s->area[i].at;
    }
    return end > s->floor && end - s->floor >= len ? end - len : 0;
}

static bool whole_pages(const struct space *s, uint64_t at, uint64_t len)
{
    return !(at % SPACE_PAGE) && !(len % SPACE_PAGE) && len &&
           range_in(at, len, s->floor, s->top - s->floor);
}

static int area_insert(struct space *s, unsigned i, const struct area *a)
{
    if (s->areas == SPACE_AREAS_MAX)
        return -ENOMEM;
    memmove(&s->area[i + 1], &s->area[i], (s->areas - i) * sizeof(*a));
    s->area[i] = *a;
    s->areas++;
    return 0;
}

static void area_remove(struct space *s, unsigned i)
{
    file_put(s->area[i].file);
    s->areas--;
    memmove(&s->area[i], &s->area[i + 1], (s->areas - i) * sizeof(s->area[0]));
}

/* No area lies across at any more. */
static int area_split(struct space *s, uint64_t at)
{
    unsigned i = space_index(s, at);
    struct area high;
    int err;

    if (i == s->areas || s->area[i].at >= at)
        return 0;
    high = s->area[i];
    high.offset += at - high.at;
    high.at = at;
    err = area_insert(s, i + 1, &high);
    if (err)
        return err;
    file_get(high.file);
    s->area[i].end = at;
    return 0;
}

/* Neighbours that go on in each other become one: a program's limit is areas, not calls. */
static void area_join(struct space *s, unsigned i)
{
    struct area *a = &s->area[i];

    if (i + 1 >= s->areas || a->end != a[1].at || a->prot != a[1].prot || a->file || a[1].file)
        return;
    a->end = a[1].end;
    area_remove(s, i + 1);
}

/* Calls fn for each entry in [at, end) that holds a page. */
static void each_pte(struct space *s, uint64_t at, uint64_t end,
                     void (*fn)(struct space *s, uint64_t *e, uint64_t arg), uint64_t arg)
{
    while (at < end) { /* at most 2^27 tables looked for; areas are bounded by the top */
        uint64_t *e = space_pte(s, at, false);

        if (!e) {
            at = (at | (REGION - 1)) + 1;
            continue;
        }
        if (*e & PTE_HELD)
            fn(s, e, arg);
        at += SPACE_PAGE;
    }
}

static void pte_drop(struct space *s, uint64_t *e, uint64_t arg)
{
    (void)arg;
    space_page_put(s, *e & PTE_FRAME);
    *e = 0;
    s->stale = true;
}

static void pte_protect(struct space *s, uint64_t *e, uint64_t bits)
{
    *e = (*e & PTE_FRAME) | bits;
    s->stale = true;
}

static int split_both(struct space *s, uint64_t at, uint64_t len)
{
    int err = area_split(s, at);

    return err ? err : area_split(s, at + len);
}

int space_unmap(struct space *s, uint64_t at, uint64_t len)
{
    unsigned i;
    int err;

    if (!whole_pages(s, at, len))
        return -EINVAL;
    err = split_both(s, at, len);
    if (err)
        return err;
    for (i = space_index(s, at); i < s->areas && s->area[i].at < at + len;) {
        each_pte(s, s->area[i].at, s->area[i].end, pte_drop, 0);
        area_remove(s, i);
    }
    return 0;
}

static uint64_t total(const struct space *s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < s->areas; i++)
        sum += s->area[i].end - s->area[i].at;
    return sum;
}

int space_map(struct space *s, const struct area *a)
{
    unsigned i;
    int err;

    if (a->end - a->at > SPACE_TOTAL_MAX - total(s))
        return -ENOMEM;
    err = space_unmap(s, a->at, a->end - a->at);
    i = space_index(s, a->at);
    if (!err)
        err = area_insert(s, i, a);
    if (err)
        return err;
    area_join(s, i);
    if (i)
        area_join(s, i - 1);
    return 0;
}

static bool all_mapped(const struct space *s, uint64_t at, uint64_t end)
{
    for (unsigned i = space_index(s, at); at < end; i++) {
        if (i == s->areas || s->area[i].at > at)
            return false;
        at = s->area[i].end;
    }
    return true;
}

static void join_all(struct space *s, uint64_t at, uint64_t end)
{
    unsigned i = space_index(s, at);

    i -= i > 0;
    while (i + 1 < s->areas && s->area[i].end <= end) { /* one area fewer, or the next one */
        unsigned before = s->areas;

        area_join(s, i);
        i += s->areas == before;
    }
}

int space_protect(struct space *s, uint64_t at, uint64_t len, unsigned prot)
{
    int err;

    if (!whole_pages(s, at, len))
        return -EINVAL;
    if (!all_mapped(s, at, at + len))
        return -ENOMEM;
    err = split_both(s, at, len);
    if (err)
        return err;
    for (unsigned i = space_index(s, at); i < s->areas && s->area[i].at < at + len; i++) {
        s->area[i].prot = prot;
        each_pte(s, s->area[i].at, s->area[i].end, pte_protect, space_pte_bits(prot));
    }
    join_all(s, at, at + len);
    return 0;
}

int space_forget(struct space *s, uint64_t at, uint64_t len)
{
    if (!whole_pages(s, at, len))
        return -EINVAL;
    if (!all_mapped(s, at, at + len))
        return -ENOMEM;
    each_pte(s, at, at + len, pte_drop, 0);
    return 0;
}

/* Tables at to for each page that at holds; false: there is no memory for them. */
static bool tables_for(struct space *s, uint64_t at, uint64_t len, uint64_t to)
{
    for (uint64_t n = 0; n < len; n += SPACE_PAGE) { /* as each_pte */
        const uint64_t *from = space_pte(s, at + n, false);

        if (!from)
            n = ((at + n) | (REGION - 1)) - SPACE_PAGE + 1 - at;
        else if ((*from & PTE_HELD) && !space_pte(s, to + n, true))
            return false;
    }
    return true;
}

int space_move(struct space *s, uint64_t at, uint64_t len, uint64_t to)
{
    struct area a;
    int err;

    if (!whole_pages(s, at, len) || !whole_pages(s, to, len) || !space_free_at(s, to, len))
        return -EINVAL;
    err = split_both(s, at, len);
    if (err)
        return err;
    a = s->area[space_index(s, at)];
    if (a.at != at || a.end != at + len)
        return -EFAULT; /* more than one area */
    a.at = to;
    a.end = to + len;
    err = space_map(s, &a);
    if (err)
        return err;
    file_get(a.file);
    if (!tables_for(s, at, len, to)) {
        space_unmap(s, to, len);
        return -ENOMEM; /* and all is where it was */
    }
    for (uint64_t n = 0; n < len; n += SPACE_PAGE) { /* as each_pte */
        uint64_t *from = space_pte(s, at + n, false), *e;

        if (!from)
            n = ((at + n) | (REGION - 1)) - SPACE_PAGE + 1 - at;
        if (!from || !(*from & PTE_HELD))
            continue;
        e = space_pte(s, to + n, true); /* it is there: tables_for */
        *e = *from;
        *from = 0;
        s->stale = true;
    }
    return space_unmap(s, at, len);
}
