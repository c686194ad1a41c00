/*
 * One access: find the region, take its lock, give the chip what it decodes, count.
 * This is the hot path of every trap: no allocation, no system call, and a clock read only every
 * 64th crossing of a row.
 */
#include "bus/bus.h"
#include "bus/bus_impl.h"
#include "core/ledger.h"
#include "core/tap.h"

#include <string.h>
#include <time.h>

#define SAMPLE_MASK 63u
#define CLOCK_TRIES 32
/* Elements of a string access served under one hold of the region's lock. */
#define STRING_BATCH 512u

struct access {
    struct io_region *region; /* locked; NULL: nobody claims it */
    uint64_t off;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool sample_due(const struct ledger_row *row)
{
    return row && ((row->reads + row->writes) & SAMPLE_MASK) == SAMPLE_MASK;
}

static void sample_add(const struct bus *b, struct ledger_row *row, uint64_t start)
{
    uint64_t took = clock_ns() - start;

    row->ns += took > b->clock_cost ? took - b->clock_cost : 0;
    row->samples++;
}

/* What reading the clock twice adds to a sample: the least of a few tries. */
uint64_t bus_clock_cost(void)
{
    uint64_t start, took, least = UINT64_MAX;
    int i;

    for (i = 0; i < CLOCK_TRIES; i++) {
        start = clock_ns();
        took = clock_ns() - start;
        least = took < least ? took : least;
    }
    return least;
}

/* Looking up. The reader's half of the protocol in bus_impl.h. */

static unsigned hint_of(uint64_t addr)
{
    return (unsigned)((addr >> 3 ^ addr >> 9 ^ addr >> 14) & (BUS_HINTS - 1));
}

static bool slot_hit(const struct bus_slot *s, uint64_t addr)
{
    uint64_t from = __atomic_load_n(&s->base, __ATOMIC_RELAXED);

    return addr - from < __atomic_load_n(&s->len, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) const struct bus_slot *
map_search(struct bus *b, enum bus_space space, uint64_t addr)
{
    const struct bus_map *m = &b->now[space];
    unsigned lo = 0, hi = __atomic_load_n(&m->count, __ATOMIC_RELAXED), mid;

    while (lo < hi) { /* halves each round: at most 9 rounds for 256 slots */
        mid = (lo + hi) / 2;
        if (slot_hit(&m->slot[mid], addr)) {
            __atomic_store_n(&b->hint[space][hint_of(addr)], (uint8_t)mid, __ATOMIC_RELAXED);
            return &m->slot[mid];
        }
        if (__atomic_load_n(&m->slot[mid].base, __ATOMIC_RELAXED) > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static inline const struct bus_slot *map_find(struct bus *b, enum bus_space space, uint64_t addr)
{
    unsigned guess = __atomic_load_n(&b->hint[space][hint_of(addr)], __ATOMIC_RELAXED);
    const struct bus_map *m = &b->now[space];

    if (__builtin_expect(guess < __atomic_load_n(&m->count, __ATOMIC_RELAXED), 1) &&
        __builtin_expect(slot_hit(&m->slot[guess], addr), 1))
        return &m->slot[guess];
    return map_search(b, space, addr);
}

/* A change is being put into force: its maker holds the lock, briefly. */
static __attribute__((noinline)) unsigned seq_wait(struct bus *b)
{
    unsigned seq;

    do {
        pthread_mutex_lock(&b->change);
        pthread_mutex_unlock(&b->change);
        seq = __atomic_load_n(&b->seq, __ATOMIC_ACQUIRE);
    } while (seq & 1);
    return seq;
}

static inline unsigned seq_even(struct bus *b)
{
    unsigned seq = __atomic_load_n(&b->seq, __ATOMIC_ACQUIRE);

    return __builtin_expect(seq & 1, 0) ? seq_wait(b) : seq;
}

static bool seq_same(struct bus *b, unsigned seq)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&b->seq, __ATOMIC_RELAXED) == seq;
}

static void region_enter(struct io_region *r)
{
    if (r->lock)
        pthread_mutex_lock(r->lock);
    __atomic_store_n(&r->runner, pthread_self(), __ATOMIC_RELAXED);
}

static void region_leave(struct io_region *r)
{
    __atomic_store_n(&r->runner, 0, __ATOMIC_RELAXED);
    if (r->lock)
        pthread_mutex_unlock(r->lock);
}

static inline struct access access_begin(struct bus *b, enum bus_space space, uint64_t addr)
{
    struct access a = {0};
    unsigned seq;

    for (;;) { /* again only if somebody changed the map meanwhile */
        const struct bus_slot *s;

        seq = seq_even(b);
        s = map_find(b, space, addr);
        if (s) {
            a.off = addr - __atomic_load_n(&s->base, __ATOMIC_RELAXED);
            a.region = __atomic_load_n(&s->region, __ATOMIC_RELAXED);
        }
        if (!seq_same(b, seq))
            continue;
        if (!s)
            return (struct access){0};
        region_enter(a.region);
        if (__builtin_expect(seq_same(b, seq), 1))
            return a;
        region_leave(a.region);
    }
}

static void access_end(struct bus *b, struct access *a)
{
    region_leave(a->region);
    if (__builtin_expect(__atomic_load_n(&b->stale, __ATOMIC_RELAXED), 0))
        bus_apply(b);
}

/* One region. */

static inline uint64_t untapped_read(struct io_region *r, uint64_t off, unsigned size)
{
    bool refused = false;
    uint64_t val;

    if (bus_decoded(r->ops, off, size)) {
        val = r->ops->read(r->dev, off, size) & bus_size_mask(size);
    } else if (r->ops->split) {
        val = bus_cut_read(r, off, size, &refused);
    } else {
        val = bus_size_mask(size);
        refused = true;
    }
    if (r->row) {
        ledger_add(r->row, false, size);
        r->row->refused += refused;
    }
    return val;
}

static inline void untapped_write(struct io_region *r, uint64_t off, unsigned size, uint64_t val)
{
    bool refused = false;

    if (bus_decoded(r->ops, off, size))
        r->ops->write(r->dev, off, size, val & bus_size_mask(size));
    else if (r->ops->split)
        bus_cut_write(r, off, size, val, &refused);
    else
        refused = true;
    if (r->row) {
        ledger_add(r->row, true, size);
        r->row->refused += refused;
    }
}

/* With somebody listening. */

static __attribute__((noinline)) uint64_t tapped_read(struct io_region *r, uint64_t off,
                                                      unsigned size)
{
    struct tap_access a = {.region = r, .off = off, .size = size};

    r->tap->ops->begin(r->tap);
    a.val = untapped_read(r, off, size);
    r->tap->ops->end(r->tap, &a);
    return a.val;
}

static __attribute__((noinline)) void tapped_write(struct io_region *r, uint64_t off, unsigned size,
                                                   uint64_t val)
{
    struct tap_access a = {.region = r, .off = off, .size = size, .val = val, .write = true};

    r->tap->ops->begin(r->tap);
    untapped_write(r, off, size, val);
    r->tap->ops->end(r->tap, &a);
}

static inline uint64_t region_read(struct io_region *r, uint64_t off, unsigned size)
{
    return __builtin_expect(!r->tap, 1) ? untapped_read(r, off, size) : tapped_read(r, off, size);
}

static inline void region_write(struct io_region *r, uint64_t off, unsigned size, uint64_t val)
{
    if (__builtin_expect(!r->tap, 1))
        untapped_write(r, off, size, val);
    else
        tapped_write(r, off, size, val);
}

/* What nobody claims, and accesses that reach over an end. */

static void unclaimed(struct bus *b, enum bus_space space, bool write, unsigned size)
{
    struct ledger_row *row = b->unclaimed[space];

    if (!row)
        return;
    pthread_mutex_lock(&b->change);
    ledger_add(row, write, size);
    ledger_refuse(row);
    pthread_mutex_unlock(&b->change);
}

/* Nobody claims addr; does somebody claim a later byte of the access? */
static bool claimed_later(struct bus *b, enum bus_space space, uint64_t addr, unsigned size)
{
    unsigned i;

    for (i = 1; i < size; i++)
        if (map_find(b, space, addr + i))
            return true;
    return false;
}

static uint64_t bytes_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size)
{
    uint64_t val = 0;
    unsigned i;

    for (i = 0; i < size; i++)
        val |= bus_read(b, space, addr + i, 1) << (i * 8);
    return val;
}

static void bytes_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size,
                        uint64_t val)
{
    unsigned i;

    for (i = 0; i < size; i++)
        bus_write(b, space, addr + i, 1, (val >> (i * 8)) & 0xff);
}

/* Is all of the access inside the region it starts in? Its len may shrink only with its lock. */
static bool access_fits(const struct access *a, unsigned size)
{
    return size <= a->region->len - a->off;
}

static uint64_t nobody_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size)
{
    if (claimed_later(b, space, addr, size))
        return bytes_read(b, space, addr, size);
    unclaimed(b, space, false, size);
    return bus_size_mask(size);
}

static void nobody_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size,
                         uint64_t val)
{
    if (claimed_later(b, space, addr, size))
        bytes_write(b, space, addr, size, val);
    else
        unclaimed(b, space, true, size);
}

static inline uint64_t timed_read(const struct bus *b, struct io_region *r, uint64_t off,
                                  unsigned size)
{
    uint64_t start, val;

    if (__builtin_expect(!sample_due(r->row), 1))
        return region_read(r, off, size);
    start = clock_ns();
    val = region_read(r, off, size);
    sample_add(b, r->row, start);
    return val;
}

static inline void timed_write(const struct bus *b, struct io_region *r, uint64_t off,
                               unsigned size, uint64_t val)
{
    uint64_t start;

    if (__builtin_expect(!sample_due(r->row), 1)) {
        region_write(r, off, size, val);
        return;
    }
    start = clock_ns();
    region_write(r, off, size, val);
    sample_add(b, r->row, start);
}

uint64_t bus_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size)
{
    struct access a = access_begin(b, space, addr);
    uint64_t val;

    if (__builtin_expect(!a.region, 0))
        return nobody_read(b, space, addr, size);
    if (__builtin_expect(!access_fits(&a, size), 0)) {
        access_end(b, &a);
        return bytes_read(b, space, addr, size);
    }
    val = timed_read(b, a.region, a.off, size);
    access_end(b, &a);
    return val;
}

void bus_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size, uint64_t val)
{
    struct access a = access_begin(b, space, addr);

    if (__builtin_expect(!a.region, 0)) {
        nobody_write(b, space, addr, size, val);
    } else if (__builtin_expect(!access_fits(&a, size), 0)) {
        access_end(b, &a);
        bytes_write(b, space, addr, size, val);
    } else {
        timed_write(b, a.region, a.off, size, val);
        access_end(b, &a);
    }
}

/* String I/O. */

/* Elements that one hold of the lock serves; stops early when the handler changed the map. */
static uint32_t string_batch(struct bus *b, uint64_t port, unsigned size, uint8_t *in,
                             const uint8_t *out, uint32_t count)
{
    struct access a = access_begin(b, BUS_PIO, port);
    uint64_t val;
    uint32_t i;

    if (!a.region)
        return 0;
    if (count > STRING_BATCH)
        count = STRING_BATCH;
    if (!access_fits(&a, size))
        count = 0;
    for (i = 0; i < count && !__atomic_load_n(&b->stale, __ATOMIC_RELAXED); i++) {
        val = 0;
        if (out) {
            memcpy(&val, out + (size_t)i * size, size);
            timed_write(b, a.region, a.off, size, val);
        } else {
            val = timed_read(b, a.region, a.off, size);
            memcpy(in + (size_t)i * size, &val, size);
        }
    }
    access_end(b, &a);
    return i;
}

void bus_ins(struct bus *b, uint64_t port, unsigned size, uint8_t *buf, uint32_t count)
{
    uint64_t val;
    uint32_t n;

    for (; count; count -= n, buf += (size_t)n * size) { /* each round serves at least one */
        n = string_batch(b, port, size, buf, NULL, count);
        if (n)
            continue;
        val = bus_read(b, BUS_PIO, port, size);
        memcpy(buf, &val, size);
        n = 1;
    }
}

void bus_outs(struct bus *b, uint64_t port, unsigned size, const uint8_t *buf, uint32_t count)
{
    uint64_t val;
    uint32_t n;

    for (; count; count -= n, buf += (size_t)n * size) { /* each round serves at least one */
        n = string_batch(b, port, size, NULL, buf, count);
        if (n)
            continue;
        val = 0;
        memcpy(&val, buf, size);
        bus_write(b, BUS_PIO, port, size, val);
        n = 1;
    }
}

/* Regions beside the bus. */

uint64_t bus_region_read(const struct bus *b, struct io_region *r, uint64_t off, unsigned size)
{
    uint64_t val;

    region_enter(r);
    val = timed_read(b, r, off, size);
    region_leave(r);
    return val;
}

void bus_region_write(const struct bus *b, struct io_region *r, uint64_t off, unsigned size,
                      uint64_t val)
{
    region_enter(r);
    timed_write(b, r, off, size, val);
    region_leave(r);
}

const struct io_region *bus_find(const struct bus *b, enum bus_space space, uint64_t addr)
{
    struct bus *mut = (struct bus *)(uintptr_t)b; /* only its hints and lock change */
    const struct bus_slot *s;
    struct io_region *r;
    unsigned seq;

    do {
        seq = seq_even(mut);
        s = map_find(mut, space, addr);
        r = s ? __atomic_load_n(&s->region, __ATOMIC_RELAXED) : NULL;
    } while (!seq_same(mut, seq));
    return r;
}
