/*
 * The workload guest: one request loop (loop.c) over many ways to a disk, a file each. A way
 * fills in a struct way; what it does with registers, rings or calls is all that differs.
 */
#ifndef WORK_H
#define WORK_H

#include "irq.h"

#define DEPTH_MAX   64
#define REQUEST_MAX 65536 /* bytes a request */
#define BLOCKS_MAX  8192
#define ROUNDS_MAX  64
#define SECTOR      512u

struct req {
    bool write, flush; /* flush: no data */
    uint32_t block;
    uint32_t sector, sectors;
    uint8_t *buf; /* REQUEST_MAX bytes, aligned to its size */
    unsigned slot;
    bool failed; /* said by the way when it ends */
};

struct way {
    const char *name;
    unsigned depth; /* how many requests its controller takes at once */
    bool (*open)(void);
    /* Hands a request in; what has a queue keeps it until kick. */
    void (*submit)(struct req *r);
    void (*kick)(void);        /* NULL: submit started it */
    struct req *(*reap)(void); /* one that has ended, or NULL */
};

extern const struct way way_regdisk_pio, way_regdisk_mmio, way_ide_pio, way_ide_dma,
    way_virtio_split, way_virtio_packed, way_hypercall, way_batch, way_ring, way_ring_polled;

struct work { /* what is asked for */
    uint32_t size, read, blocks, depth, n, rounds, flushes, warm, seed;
    bool polled;
};

/* loop.c: takes it over, and says whether it can be; then does and reports it. */
bool work_set(const struct work *o, const struct way *w);
void work_run(const struct work *o, const struct way *w);
/* Of where it runs: interrupts open for a moment; sleep until there is one. */
void work_open(void);
void work_sleep(void);

extern bool polled;           /* completion is looked for, not announced */
extern unsigned request_size; /* bytes; a multiple of SECTOR */

/* One vector for the disk, from an I/O APIC pin or by message; hook runs before the EOI. */
#define DISK_VECTOR 0x50
void disk_irq_init(void (*hook)(void));
void disk_irq_pin(unsigned pin, bool level);
#define DISK_MSI_ADDR ((uint32_t)MAP_LAPIC)

#endif
