/*
 * What the parts of viaduct_regdisk.ko share: a disk of the block layer (disk.c) over one of the
 * ways to its controller (regs.c). docs/linux-driver.md explains the driver.
 */
#ifndef LINUX_DISK_H
#define LINUX_DISK_H

#include <linux/blk-mq.h>
#include <linux/scatterlist.h>

struct disk;

struct way {
    const char *name;
    /* Gives the controller a request, whose memory is mapped. It may end before this returns. */
    blk_status_t (*start)(struct disk *d, struct request *rq, bool last);
    void (*commit)(struct disk *d); /* what start held back, if last was false; NULL: nothing */
    /* rq has taken too long. */
    enum blk_eh_timer_return (*late)(struct disk *d, struct request *rq);
    void (*free)(struct disk *d); /* the memory around d: nobody has the disk open any more */
};

/* The first part is filled before disk_add. */
struct disk {
    struct device *dev;
    const struct way *way;
    u64 sectors;         /* of 512 bytes */
    u32 limit;           /* sectors of the largest request */
    u32 block, physical; /* bytes: what requests are multiples of, and what they better were */
    unsigned depth;      /* requests the controller holds at once */
    unsigned segments;   /* pieces of memory a request may lie in */
    bool readonly, cache, discard, zeroes;

    int index;
    struct gendisk *gd;
    struct blk_mq_tag_set tags;
};

struct cmd { /* with each request */
    blk_status_t status;
    unsigned left;         /* pieces that have not ended, where the way counts them */
    struct list_head list; /* of those that have all ended */
    int segs;              /* of sg, mapped for DMA; 0: nothing to move */
    struct scatterlist sg[];
};

extern unsigned way_timeout; /* module parameter: seconds */

/* Makes the disk visible; requests may come before this returns. On failure d is as before. */
int disk_add(struct disk *d);
/* No requests come or run after it. */
void disk_del(struct disk *d);
/* The last thing: d is freed by way->free, at once or when its last user closes it. */
void disk_put(struct disk *d);

/* Ends a request: by any context (an interrupt, another CPU), or by start itself. */
void disk_end(struct request *rq, blk_status_t status);
void disk_end_here(struct request *rq, blk_status_t status);

#endif
