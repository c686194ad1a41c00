/*
 * The code cache and the blocks in it: allocation, look-up by physical address, links between
 * blocks, and invalidation when guest bytes change. The cache is one memory file mapped twice,
 * writable and executable, never both at one address. Nothing is freed one by one: when the cache
 * or the arena is full, everything is forgotten at once.
 */
#include "core/tsc.h"
#include "engine/dbt/dbt.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_WORST (BLOCK_INSNS * 400u) /* bytes of hot or cold code one block may need */

static void *reserve(size_t n)
{
    void *p =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int dbt_cache_open(struct dbt *d)
{
    size_t size = CODE_HOT + CODE_COLD;
    int fd = memfd_create("viaduct-code", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0) {
        close(fd);
        return -ENOMEM;
    }
    d->rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    d->rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    d->blocks_max = ARENA_SIZE / 128;
    d->exits_max = d->blocks_max * 2;
    d->pages_max = 65536;
    d->cross_max = 65536;
    d->arena = reserve(ARENA_SIZE);
    d->sorted = reserve(d->blocks_max * sizeof(*d->sorted));
    d->exit_by_id = reserve(d->exits_max * sizeof(*d->exit_by_id));
    d->pages = reserve(d->pages_max * sizeof(*d->pages));
    d->cross_ids = reserve(d->cross_max * sizeof(*d->cross_ids));
    d->page_index = reserve(ram_pages(d->ram) * sizeof(*d->page_index) + 1);
    if (d->rw == MAP_FAILED || d->rx == MAP_FAILED || !d->arena || !d->sorted || !d->exit_by_id ||
        !d->pages || !d->cross_ids || !d->page_index)
        return -ENOMEM;
    intptr_t rx = d->rx - d->rw;
    d->hot = (struct buf){d->rw, d->rw + CODE_HOT, rx};
    d->cold = (struct buf){d->rw + CODE_HOT, d->rw + size, rx};
    dbt_thunks(d);
    d->hot_start = d->hot.p;
    d->cold_start = d->cold.p;
    d->exits = 1;
    d->pages_used = 1;
    return 0;
}

static void release(void *p, size_t n)
{
    if (p && p != MAP_FAILED)
        munmap(p, n);
}

void dbt_cache_close(struct dbt *d)
{
    release(d->rw, CODE_HOT + CODE_COLD);
    release(d->rx, CODE_HOT + CODE_COLD);
    release(d->arena, ARENA_SIZE);
    release(d->sorted, d->blocks_max * sizeof(*d->sorted));
    release(d->exit_by_id, d->exits_max * sizeof(*d->exit_by_id));
    release(d->pages, d->pages_max * sizeof(*d->pages));
    release(d->cross_ids, d->cross_max * sizeof(*d->cross_ids));
    release(d->page_index, ram_pages(d->ram) * sizeof(*d->page_index) + 1);
}

bool dbt_room(const struct dbt *d)
{
    return (size_t)(d->hot.end - d->hot.p) > BLOCK_WORST &&
           (size_t)(d->cold.end - d->cold.p) > BLOCK_WORST &&
           ARENA_SIZE - d->arena_at > sizeof(struct block) + BLOCK_EXITS * sizeof(struct exit) +
                                          BLOCK_INSNS * sizeof(struct sysop) +
                                          BLOCK_FAULTS * sizeof(struct fault_site) &&
           d->blocks < d->blocks_max && d->exits + BLOCK_EXITS < d->exits_max &&
           d->pages_used + 2 < d->pages_max && d->cross_used + BLOCK_EXITS < d->cross_max;
}

void *dbt_alloc(struct dbt *d, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if (n > ARENA_SIZE - d->arena_at)
        return NULL;
    void *p = d->arena + d->arena_at;
    d->arena_at += n;
    memset(p, 0, n);
    return p;
}

static unsigned hash_of(gpa_t phys, uint64_t rip)
{
    uint64_t h = (phys ^ rip << 7) * 0x9e3779b97f4a7c15ull;
    return (unsigned)(h >> (64 - HASH_BITS));
}

struct block *dbt_find(struct dbt *d, gpa_t phys, uint64_t rip, uint32_t mode, uint64_t cs_base)
{
    struct block *b = d->hash[hash_of(phys, rip)];
    while (b && !(b->phys == phys && b->rip == rip && b->mode == mode && b->cs_base == cs_base))
        b = b->hash_next;
    return b;
}

struct block *dbt_block_at(struct dbt *d, uintptr_t host_pc)
{
    uint32_t pc = code_offset(d, (const uint8_t *)host_pc);
    bool cold = pc >= CODE_HOT;
    unsigned lo = 0, hi = d->blocks;
    while (lo < hi) { /* the first block that begins after pc */
        unsigned mid = (lo + hi) / 2;
        if ((cold ? d->sorted[mid]->cold : d->sorted[mid]->hot) <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* Blocks without cold code share their successor's start: step back over them. */
    while (lo) {
        struct block *b = d->sorted[--lo];
        if (pc < (cold ? b->cold_end : b->hot_end))
            return b;
        if (pc > (cold ? b->cold_end : b->hot_end))
            return NULL;
    }
    return NULL;
}

/* ---- which blocks stand on a page ---- */

struct code_page *dbt_code_page(struct dbt *d, gpa_t gpa, bool make)
{
    size_t n = ram_page(d->ram, gpa);
    if (!d->page_index[n]) {
        if (!make)
            return NULL;
        d->pages[d->pages_used] = (struct code_page){0};
        __atomic_store_n(&d->page_index[n], d->pages_used++, __ATOMIC_RELEASE);
    }
    return &d->pages[d->page_index[n]];
}

static unsigned page_slot(const struct block *b, gpa_t page)
{
    return (b->phys & ~4095ull) == page ? 0 : 1;
}

static void lines_add(struct code_page *cp, uint64_t lines)
{
    __atomic_store_n(&cp->lines, cp->lines | lines, __ATOMIC_RELAXED);
}

/* The lines of a page that a block depends on. */
static uint64_t lines_of(const struct block *b, gpa_t page)
{
    unsigned lo = (unsigned)(b->phys & 4095), hi = lo + b->len;
    uint64_t lines;
    if ((b->phys & ~4095ull) != page)
        return dbt_line_mask(0, hi - 4096);
    lines = dbt_line_mask(lo, hi > 4096 ? 4096 : hi);
    for (unsigned i = 0; i < b->ranges; i++)
        lines |= dbt_line_mask(b->range[i].lo, b->range[i].hi);
    return lines;
}

static void page_add(struct dbt *d, struct block *b, gpa_t page)
{
    struct code_page *cp = dbt_code_page(d, page, true);
    b->page_next[page_slot(b, page)] = cp->blocks;
    cp->blocks = b;
    lines_add(cp, lines_of(b, page));
}

void dbt_insert(struct dbt *d, struct block *b)
{
    unsigned h = hash_of(b->phys, b->rip);
    b->hash_next = d->hash[h];
    d->hash[h] = b;
    d->sorted[d->blocks++] = b;
    d->translated++;
    d->made_at = tsc_read();
    page_add(d, b, b->phys & ~4095ull);
    if (b->phys2 != PHYS_NONE)
        page_add(d, b, b->phys2);
}

static bool overlaps(const struct block *b, gpa_t page, unsigned lo, unsigned hi)
{
    if ((b->phys & ~4095ull) != page) /* the second page of a straddling instruction */
        return lo < ((b->phys & 4095) + b->len) - 4096;
    unsigned at = (unsigned)(b->phys & 4095);
    if (lo < at + b->len && at < hi)
        return true;
    for (unsigned i = 0; i < b->ranges; i++)
        if (lo < b->range[i].hi && b->range[i].lo < hi)
            return true;
    return false;
}

/* ---- links ---- */

static void point_at(struct dbt *d, uint32_t rel, uint32_t target)
{
    int32_t v = (int32_t)target - (int32_t)(rel + 4);
    __atomic_store_n((int32_t *)(void *)(d->rw + rel), v, __ATOMIC_RELEASE);
}

void dbt_asked(struct dbt *d, struct exit *x)
{
    if (!x->to && !x->from->dead)
        point_at(d, x->rel, x->stub);
}

void dbt_link(struct dbt *d, struct exit *x, struct block *to, bool cross)
{
    if (x->to || x->from->dead || to->dead)
        return;
    if (cross && d->cross_used == d->cross_max)
        return;
    x->to = to;
    x->next_in = to->in;
    to->in = x;
    point_at(d, x->rel, to->hot + (x->mem_form ? 0 : to->entry));
    if (cross && !x->cross) {
        x->cross = true;
        d->cross_ids[d->cross_used++] = x->id;
    }
}

static void unlink_exit(struct dbt *d, struct exit *x)
{
    if (!x->to)
        return;
    struct exit **at = &x->to->in;
    while (*at && *at != x)
        at = &(*at)->next_in;
    if (*at)
        *at = x->next_in;
    x->to = NULL;
    point_at(d, x->rel, x->stub);
}

void dbt_unlink_cross(struct dbt *d)
{
    for (unsigned i = 0; i < d->cross_used; i++) {
        struct exit *x = d->exit_by_id[d->cross_ids[i]];
        x->cross = false;
        unlink_exit(d, x);
    }
    d->cross_used = 0;
}

/* ---- invalidation ---- */

static void page_remove(struct dbt *d, struct block *b, gpa_t page)
{
    struct code_page *cp = dbt_code_page(d, page, false);
    if (!cp)
        return;
    struct block **at = &cp->blocks;
    while (*at && *at != b)
        at = &(*at)->page_next[page_slot(*at, page)];
    if (*at)
        *at = b->page_next[page_slot(b, page)];
    if (!cp->blocks) {
        cp->lines = 0;
        dbt_unwatch_page(d, page);
    }
}

static void kill_block(struct dbt *d, struct block *b)
{
    struct block **at = &d->hash[hash_of(b->phys, b->rip)];
    while (*at && *at != b)
        at = &(*at)->hash_next;
    if (*at)
        *at = b->hash_next;
    b->dead = true;
    while (b->in)
        unlink_exit(d, b->in);
    for (unsigned i = 0; i < b->exits; i++)
        unlink_exit(d, &b->exit[i]);
    jc_drop(d->cpu, b->rip);
    page_remove(d, b, b->phys & ~4095ull);
    if (b->phys2 != PHYS_NONE)
        page_remove(d, b, b->phys2);
    d->invalidated++;
}

/* Which lines still matter, now that blocks are gone. Never less than that for others to see. */
static void lines_again(struct code_page *cp, gpa_t page)
{
    uint64_t lines = 0;
    for (const struct block *b = cp->blocks; b; b = b->page_next[page_slot(b, page)])
        lines |= lines_of(b, page);
    __atomic_store_n(&cp->lines, lines, __ATOMIC_RELAXED);
}

bool dbt_touches_code(struct dbt *d, gpa_t gpa, unsigned len)
{
    const struct code_page *cp = dbt_code_page(d, gpa, false);
    unsigned lo = (unsigned)(gpa & 4095);
    return cp && (cp->bare || (cp->lines & dbt_line_mask(lo, lo + len)));
}

static bool invalidate_in_page(struct dbt *d, gpa_t page, unsigned lo, unsigned hi)
{
    struct code_page *cp = dbt_code_page(d, page, false);
    bool hit = false;
    if (!cp)
        return false;
    if (cp->bare) {
        cp->bare = false;
        d->bare->gone(d->bare, page);
    }
    if (!cp->blocks) { /* nothing came of it, or nothing is left */
        dbt_unwatch_page(d, page);
        return false;
    }
    if (!(cp->lines & dbt_line_mask(lo, hi)))
        return false;
    struct block *next;
    for (struct block *b = cp->blocks; b; b = next) {
        next = b->page_next[page_slot(b, page)];
        if (overlaps(b, page, lo, hi)) {
            kill_block(d, b);
            hit = true;
        }
    }
    if (hit)
        lines_again(cp, page);
    return hit;
}

bool dbt_invalidate(struct dbt *d, gpa_t gpa, uint64_t len)
{
    bool hit = false;
    while (len) { /* a device's transfer at the most: one round a page of RAM */
        unsigned lo = (unsigned)(gpa & 4095);
        uint64_t n = 4096 - lo < len ? 4096 - lo : len;
        if (d->page_index[ram_page(d->ram, gpa)] &&
            invalidate_in_page(d, gpa & ~4095ull, lo, lo + (unsigned)n))
            hit = true;
        gpa += n;
        len -= n;
    }
    return hit;
}

void dbt_flush_all(struct dbt *d)
{
    size_t pages = ram_pages(d->ram);
    if (d->bare)
        d->bare->all_gone(d->bare);
    dbt_unwatch_all(d);
    memset(d->page_index, 0, pages * sizeof(*d->page_index));
    memset(d->hash, 0, sizeof(d->hash));
    memset(d->refused, 0, sizeof(d->refused));
    d->hot.p = d->hot_start;
    d->cold.p = d->cold_start;
    d->arena_at = d->blocks = d->cross_used = 0;
    d->exits = d->pages_used = 1;
    d->flushed++;
    jc_flush(d->cpu, true);
}
