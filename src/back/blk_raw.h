/* Private to the raw backend: one open image, its ring, and the thread for what a ring can't do. */
#ifndef BACK_BLK_RAW_H
#define BACK_BLK_RAW_H

#include "back/blk.h"

#include <liburing.h>
#include <pthread.h>

#define RAW_DEPTH 128u    /* requests in the ring at once; the rest wait in a list */
#define RAW_ASIDE 131072u /* bytes */

struct raw_list {
    struct blk_req *head, **end;
};

struct raw_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;   /* todo is not empty or stop; ended is not empty */
    struct raw_list todo, ended; /* under lock */
    bool started, stop;
    unsigned pending; /* given and not yet reaped: owner's thread only */
};

enum raw_way { RAW_INLINE, RAW_RING, RAW_WORKER, RAW_WAYS };

struct blk_raw {
    struct blk blk;
    int fd;
    int event;      /* eventfd: the ring or the worker has results */
    bool in_memory; /* tmpfs: nothing there ever blocks, so all of it runs inline */
    bool direct;    /* O_DIRECT */
    uint8_t *aside; /* direct: RAW_ASIDE bytes for what lies askew in memory; the worker's */
    bool block_device;
    bool ring_ok;
    int held;                            /* the kernel's partition that is the extent, or -1 */
    uint64_t claim_first, claim_sectors; /* the extent that is locked; the bound is blk_part's */
    struct ledger_row *way[RAW_WAYS];    /* requests by who served them */
    struct io_uring ring;
    unsigned ring_pending;
    struct raw_list waiting; /* for a free place in the ring */
    struct raw_worker worker;
};

void raw_list_init(struct raw_list *l);
void raw_list_add(struct raw_list *l, struct blk_req *req);
struct blk_req *raw_list_take(struct raw_list *l);

/* blk_raw_sync.c. raw_sync does all that is left of req, blocking: 0 or -errno. */
int raw_sync(struct blk_raw *raw, struct blk_req *req);
/* One try without blocking; true: it is complete (*err says how). */
bool raw_inline(struct blk_raw *raw, struct blk_req *req, int *err);
/* The iovecs still to be moved: how many, at *iov. *part is used when the first is partly done, and
 * then it is the only one. */
int raw_rest(const struct blk_req *req, struct iovec *part, const struct iovec **iov);

/* blk_raw_direct.c: past the page cache. */
int raw_direct_open(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err);
void raw_direct_close(struct blk_raw *raw);
/* Some of it is not where O_DIRECT can have it. */
bool raw_askew(const struct blk_raw *raw, const struct blk_req *req);
/* Moves the next of what is left, blocking: bytes or -errno. */
ssize_t raw_askew_move(const struct blk_raw *raw, struct blk_req *req);

/* blk_raw_worker.c */
void raw_worker_init(struct blk_raw *raw);
void raw_worker_give(struct blk_raw *raw, struct blk_req *req);
void raw_worker_reap(struct blk_raw *raw, bool wait);
void raw_worker_close(struct blk_raw *raw);

/* blk_raw_ring.c */
int raw_ring_init(struct blk_raw *raw); /* 0, or -errno: io_uring is not to be had */
void raw_ring_give(struct blk_raw *raw, struct blk_req *req);
void raw_ring_reap(struct blk_raw *raw, bool wait);
void raw_ring_close(struct blk_raw *raw);

#endif
