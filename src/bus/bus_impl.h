/* Shared by bus.c (the map), bus_access.c (one access) and bus_cut.c (its widths). */
#ifndef BUS_BUS_IMPL_H
#define BUS_BUS_IMPL_H

#include "bus/bus.h"

struct bus_slot {
    uint64_t base, len;
    struct io_region *region;
};

#define BUS_HINTS 64

/* One address space: slots sorted by base, never overlapping. */
struct bus_map {
    unsigned count;
    struct bus_slot slot[BUS_REGIONS_MAX];
};

/*
 * Two maps: `now` answers accesses, `next` is what was asked for. They differ only while a handler
 * that changed the map still runs.
 *
 * Readers take no lock. They read seq (even: the map is stable), look up with relaxed loads, take
 * the region's lock, and look again if seq moved. Writers hold change and make seq odd while they
 * copy. A hint is a slot index guessed from the address; it is only a guess and always verified.
 */
struct bus {
    struct bus_map now[BUS_SPACES];
    uint8_t hint[BUS_SPACES][BUS_HINTS];
    unsigned seq;
    bool stale;             /* next differs from now */
    pthread_mutex_t change; /* next, seq, stale, the unclaimed rows */
    struct bus_map next[BUS_SPACES];
    uint64_t clock_cost; /* ns, taken off each sample */
    struct ledger *ledger;
    struct tap *tap; /* for regions mapped from now on */
    struct ledger_row *unclaimed[BUS_SPACES];
};

/* After a handler returned: put into force what it changed. */
void bus_apply(struct bus *b);
uint64_t bus_clock_cost(void);

static inline uint64_t bus_size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

static inline bool bus_decoded(const struct io_ops *ops, uint64_t off, unsigned size)
{
    return !(size & (size - 1)) && (ops->sizes & size) && !(off & (size - 1));
}

/* refused is set if there are bytes that no width fits: they read as ones. */
uint64_t bus_cut_read(struct io_region *r, uint64_t off, unsigned size, bool *refused);
void bus_cut_write(struct io_region *r, uint64_t off, unsigned size, uint64_t val, bool *refused);

#endif
