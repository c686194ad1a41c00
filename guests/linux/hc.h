/*
 * Disks of the hypercall family (pv/abi.h, docs/hypercalls.md): what hypercalls have in common
 * (hc.c), a disk's units of I/O (hc_disk.c), and the three forms they take (hc_io.c, hc_batch.c,
 * hc_ring.c).
 */
#ifndef LINUX_HC_H
#define LINUX_HC_H

#include "disk.h"
#include "pv/abi.h"
#include <linux/platform_device.h>
#include <linux/spinlock.h>

#define HC_DISKS 16  /* each has a ring, of which there are as many */
#define HC_UNITS 256 /* a disk's, in flight; a power of two, as a ring's entries are */

struct hc { /* the hypervisor's end of it */
    struct device *dev;
    unsigned long port;
    bool vmcall;
    int irq;
    struct pv_end *table; /* HC_UNITS for each disk, in order of their numbers */
    dma_addr_t table_at;
    struct pv_block *block; /* for calls that are no disk's */
    dma_addr_t block_at;
    struct platform_device *child[HC_DISKS];
    spinlock_t lock;
    struct list_head disks; /* by lock: those that interrupts may be for */
};

struct hc_found { /* platform data of a disk */
    struct hc *hc;
    unsigned devid, number; /* number: of its ring, of its part of the table */
    struct pv_device about;
};

struct hc_disk {
    struct disk disk;
    struct hc *hc;
    unsigned devid, number;
    unsigned units;         /* most in flight */
    struct pv_block *block; /* shared with the hypervisor; the way's own memory is behind it */
    dma_addr_t block_at;
    struct list_head node; /* of hc->disks */
    spinlock_t lock;       /* what follows, the shared memory, and calls */
    unsigned flying;       /* units in flight, and those that wait for their call */
    DECLARE_BITMAP(busy, HC_UNITS);
    struct request *owner[HC_UNITS];
    struct pv_unit *unit; /* batch, ring: the units */
    dma_addr_t unit_at;
    unsigned first, gathered; /* batch: the units that wait for their call */
    struct pv_ring *ring;
    uint16_t *submit, *done;
    u32 avail, told, seen; /* ring: given; given when a kick was last considered; taken back */
};

struct hc_way {
    struct way way;
    unsigned segments;              /* pieces of memory a request may lie in */
    size_t mem;                     /* bytes to share with the hypervisor, behind the block */
    int (*open)(struct hc_disk *p); /* no lock is held in these two */
    void (*close)(struct hc_disk *p);
    /* The rest under p->lock. Ended requests go to the list. Gives rq, or keeps it for push. */
    blk_status_t (*put)(struct hc_disk *p, struct request *rq, struct list_head *ended);
    void (*push)(struct hc_disk *p, struct list_head *ended);
    void (*reap)(struct hc_disk *p, struct list_head *ended);
    /* Asks for an interrupt at the next end, if any is to come; false: look again first. */
    bool (*arm)(struct hc_disk *p);
};

/* Of all ways: the block layer's side of a disk of units. */
blk_status_t hc_start(struct disk *d, struct request *rq, bool last);
void hc_commit(struct disk *d);
enum blk_eh_timer_return hc_late(struct disk *d, struct request *rq);
void hc_free(struct disk *d);
bool hc_armed(struct hc_disk *p); /* for ways that always interrupt */
#define HC_WAY .start = hc_start, .commit = hc_commit, .late = hc_late, .free = hc_free

extern const struct hc_way hc_io, hc_batch, hc_ring;
extern struct platform_driver hc_disk_driver;

/* A call as the block has it; under the lock that the block is under. */
s64 hc_call(struct hc *hc, struct pv_block *block, dma_addr_t at);
void hc_kick(struct hc_disk *p);
/* Interrupts are for this disk too; not any more, when the second comes back. */
void hc_listen(struct hc_disk *p);
void hc_unlisten(struct hc_disk *p);
/* What has ended of p's is given back to the block layer. Any context but p's own lock. */
void hc_disk_look(struct hc_disk *p);

/* The pieces of a request as units. */
struct hc_walk {
    struct request *rq;
    struct scatterlist *sg;
    u64 x;
};

unsigned hc_walk(struct hc_walk *w, struct request *rq); /* how many there are */
void hc_next(struct hc_disk *p, struct hc_walk *w, struct pv_unit *u);

bool hc_room(const struct hc_disk *p, unsigned units);
unsigned hc_slot(const struct hc_disk *p); /* a free one; HC_UNITS: none */
void hc_take(struct hc_disk *p, unsigned slot, struct request *rq);
void hc_ended(struct hc_disk *p, unsigned slot, s64 status, struct list_head *ended);
#endif
