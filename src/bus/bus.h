/*
 * The bus: address → region, for port and memory space alike. Overlap is refused; widths are cut
 * as the chip declares; what nobody claims reads all-ones and is counted as refused.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "core/types.h"
#include <pthread.h>

struct ledger;
struct ledger_row;
struct tap;
struct trap;

struct io_ops {
    /* Values in, values out; off is relative to the region; size is one the chip decodes.
     * Called with the region's lock held. Hardware has no errno. */
    uint64_t (*read)(void *dev, uint64_t off, unsigned size);
    void (*write)(void *dev, uint64_t off, unsigned size, uint64_t val);
    uint8_t sizes; /* widths decoded, OR of 1, 2, 4, 8 */
    bool split;    /* wider or unaligned accesses are cut into decoded ones (low address first);
                      else they are refused: reads all-ones, writes dropped, counted */
};

enum bus_space { BUS_PIO, BUS_MMIO, BUS_SPACES };

struct io_region { /* lives inside its device */
    const char *name;
    const struct io_ops *ops;
    void *dev;
    pthread_mutex_t *lock; /* NULL: none needed. Not recursive: a handler never accesses the bus */
    enum bus_space space;
    uint64_t base, len;
    struct ledger_row *row; /* NULL: bus_map makes (name, "regs") */
    struct tap *tap;        /* told of each access; NULL: nobody listens (core/tap.h) */
    bool mapped;            /* kept by the bus; as the last bus_map, _unmap or _move asked for */
    pthread_t runner;       /* private to the bus: whose thread runs a handler now, or 0 */
};

struct bus;

struct bus *bus_open(struct ledger *ledger); /* NULL: out of memory */
void bus_close(struct bus *b);

/* Up to this many regions in each space; then -ENOMEM. A board has a few dozen. */
#define BUS_REGIONS_MAX 256

/* 0; -EBUSY overlap (err names both in the log of the caller); -EINVAL empty or wraps; -ENOMEM.
 * If called by a handler of this bus, the change is applied when that handler returns. A refused
 * map or move changes nothing. */
int bus_map(struct bus *b, struct io_region *r);
void bus_unmap(struct bus *b, struct io_region *r);
int bus_move(struct bus *b, struct io_region *r, uint64_t base);
/* From now on a region that is mapped and has no tap gets this one: while a board makes a device.
 */
void bus_tap(struct bus *b, struct tap *tap);
/* The region that would clash with r at its base, or NULL. */
const struct io_region *bus_clash(const struct bus *b, const struct io_region *r);

/* One access: any size 1..8. Counts in the ledger, takes the lock, cuts widths. An access that
 * reaches over the end of a region is cut into bytes, each an access of its own. */
uint64_t bus_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size);
void bus_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size, uint64_t val);
/* String I/O: count accesses of size (1, 2, 4) at one port, each counted; buf in guest order. */
void bus_ins(struct bus *b, uint64_t port, unsigned size, uint8_t *buf, uint32_t count);
void bus_outs(struct bus *b, uint64_t port, unsigned size, const uint8_t *buf, uint32_t count);
/* The same for a region that is not on the bus (a vCPU's LAPIC page); off + size is inside it. */
uint64_t bus_region_read(const struct bus *b, struct io_region *r, uint64_t off, unsigned size);
void bus_region_write(const struct bus *b, struct io_region *r, uint64_t off, unsigned size,
                      uint64_t val);
const struct io_region *bus_find(const struct bus *b, enum bus_space space, uint64_t addr);

#endif
