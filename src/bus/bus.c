/*
 * The bus's map: which region owns which addresses of port and memory space. How one access runs is
 * in bus_access.c; how the two work together is told in bus_impl.h.
 */
#include "bus/bus.h"
#include "bus/bus_impl.h"
#include "core/ledger.h"
#include "core/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIO_PORTS 0x10000ull

_Static_assert(BUS_REGIONS_MAX <= 256, "a hint is one byte");

struct bus *bus_open(struct ledger *ledger)
{
    struct bus *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->ledger = ledger;
    b->clock_cost = bus_clock_cost();
    pthread_mutex_init(&b->change, NULL);
    b->unclaimed[BUS_PIO] = ledger_row(ledger, LEDGER_PIO, "bus", "unclaimed");
    b->unclaimed[BUS_MMIO] = ledger_row(ledger, LEDGER_MMIO, "bus", "unclaimed");
    if (ledger && (!b->unclaimed[BUS_PIO] || !b->unclaimed[BUS_MMIO])) {
        bus_close(b);
        return NULL;
    }
    return b;
}

void bus_close(struct bus *b)
{
    if (!b)
        return;
    pthread_mutex_destroy(&b->change);
    free(b);
}

/* Put one space's next map into force. Relaxed stores, since readers look at the same words; the
 * release fence orders the odd seq before them, the release store the even seq after them. */
static void map_publish(struct bus_map *now, const struct bus_map *next)
{
    unsigned i;

    for (i = 0; i < next->count; i++) {
        __atomic_store_n(&now->slot[i].base, next->slot[i].base, __ATOMIC_RELAXED);
        __atomic_store_n(&now->slot[i].len, next->slot[i].len, __ATOMIC_RELAXED);
        __atomic_store_n(&now->slot[i].region, next->slot[i].region, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&now->count, next->count, __ATOMIC_RELAXED);
}

static void publish_locked(struct bus *b)
{
    unsigned space;

    __atomic_store_n(&b->seq, b->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (space = 0; space < BUS_SPACES; space++)
        map_publish(&b->now[space], &b->next[space]);
    __atomic_store_n(&b->seq, b->seq + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&b->stale, false, __ATOMIC_RELAXED);
}

/* Does this thread run a handler? Only then must a change wait; another thread's handler is kept
 * apart by its region's lock. Compares a word other threads may be writing, but never with ours. */
static bool in_handler(const struct bus_map *now)
{
    pthread_t self = pthread_self();
    unsigned i;

    for (i = 0; i < now->count; i++)
        if (__atomic_load_n(&now->slot[i].region->runner, __ATOMIC_RELAXED) == self)
            return true;
    return false;
}

static void changed(struct bus *b)
{
    __atomic_store_n(&b->stale, true, __ATOMIC_RELAXED);
    if (!in_handler(&b->now[BUS_PIO]) && !in_handler(&b->now[BUS_MMIO]))
        publish_locked(b);
}

void bus_apply(struct bus *b)
{
    pthread_mutex_lock(&b->change);
    if (b->stale && !in_handler(&b->now[BUS_PIO]) && !in_handler(&b->now[BUS_MMIO]))
        publish_locked(b);
    pthread_mutex_unlock(&b->change);
}

/* The first slot that ends above base, or count. */
static unsigned slot_above(const struct bus_map *m, uint64_t base)
{
    unsigned lo = 0, hi = m->count, mid;

    while (lo < hi) { /* halves each round: at most 8 rounds for 256 slots */
        mid = (lo + hi) / 2;
        if (m->slot[mid].base + (m->slot[mid].len - 1) < base)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool range_valid(enum bus_space space, uint64_t base, uint64_t len)
{
    if (!len || len - 1 > UINT64_MAX - base)
        return false;
    return space == BUS_MMIO || range_in(base, len, 0, PIO_PORTS);
}

static const struct io_region *clash_in(const struct bus_map *m, const struct io_region *r,
                                        uint64_t base)
{
    unsigned i;

    for (i = slot_above(m, base); i < m->count; i++) {
        if (m->slot[i].base > base + (r->len - 1))
            return NULL;
        if (m->slot[i].region != r)
            return m->slot[i].region;
    }
    return NULL;
}

static void slot_insert(struct bus_map *m, struct io_region *r)
{
    unsigned at = slot_above(m, r->base);

    memmove(&m->slot[at + 1], &m->slot[at], (m->count - at) * sizeof(m->slot[0]));
    m->slot[at] = (struct bus_slot){.base = r->base, .len = r->len, .region = r};
    m->count++;
}

static void slot_remove(struct bus_map *m, const struct io_region *r)
{
    unsigned i;

    for (i = 0; i < m->count && m->slot[i].region != r; i++)
        ;
    if (i == m->count)
        return;
    m->count--;
    memmove(&m->slot[i], &m->slot[i + 1], (m->count - i) * sizeof(m->slot[0]));
}

static int region_row(struct bus *b, struct io_region *r)
{
    enum ledger_kind kind = r->space == BUS_PIO ? LEDGER_PIO : LEDGER_MMIO;

    if (!r->row && b->ledger)
        r->row = ledger_row(b->ledger, kind, r->name, "regs");
    return r->row || !b->ledger ? 0 : -ENOMEM;
}

static int map_locked(struct bus *b, struct io_region *r, uint64_t base)
{
    struct bus_map *m = &b->next[r->space];

    if (!range_valid(r->space, base, r->len))
        return -EINVAL;
    if (clash_in(m, r, base))
        return -EBUSY;
    if (r->mapped)
        slot_remove(m, r);
    else if (m->count == BUS_REGIONS_MAX)
        return -ENOMEM;
    r->base = base;
    r->mapped = true;
    slot_insert(m, r);
    changed(b);
    return 0;
}

int bus_map(struct bus *b, struct io_region *r)
{
    int err;

    if ((unsigned)r->space >= BUS_SPACES || !r->ops->sizes || r->mapped)
        return -EINVAL;
    err = region_row(b, r);
    if (err)
        return err;
    if (b->tap && !r->tap) {
        r->tap = b->tap;
        r->tap->ops->region(r->tap, r);
    }
    pthread_mutex_lock(&b->change);
    err = map_locked(b, r, r->base);
    pthread_mutex_unlock(&b->change);
    return err;
}

void bus_tap(struct bus *b, struct tap *tap)
{
    b->tap = tap;
}

void bus_unmap(struct bus *b, struct io_region *r)
{
    pthread_mutex_lock(&b->change);
    if (r->mapped) {
        slot_remove(&b->next[r->space], r);
        r->mapped = false;
        changed(b);
    }
    pthread_mutex_unlock(&b->change);
}

int bus_move(struct bus *b, struct io_region *r, uint64_t base)
{
    int err = 0;

    pthread_mutex_lock(&b->change);
    if (r->mapped)
        err = map_locked(b, r, base);
    else if (range_valid(r->space, base, r->len))
        r->base = base;
    else
        err = -EINVAL;
    pthread_mutex_unlock(&b->change);
    return err;
}

const struct io_region *bus_clash(const struct bus *b, const struct io_region *r)
{
    struct bus *mut = (struct bus *)(uintptr_t)b; /* only to lock */
    const struct io_region *clash = NULL;

    pthread_mutex_lock(&mut->change);
    if (range_valid(r->space, r->base, r->len))
        clash = clash_in(&b->next[r->space], r, r->base);
    pthread_mutex_unlock(&mut->change);
    return clash;
}
