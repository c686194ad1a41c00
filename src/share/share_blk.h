/*
 * Sharing disks: a backend around a backend that lets requests through at their time.
 *
 * A limit is a token bucket of one disk: requests a second, bytes a second. A share is what a disk
 * gets of a host disk that several disks of one process lie on: a share_disk hands their requests
 * on by deficit round robin over their cost (bytes, and a fixed part for each request), in
 * proportion to the weights, and keeps no more of them in flight than the host disk needs to be
 * busy, so that one that floods it stands in its own queue and not in its neighbours'.
 */
#ifndef SHARE_SHARE_BLK_H
#define SHARE_SHARE_BLK_H

#include "core/types.h"

struct blk;
struct ledger;
struct loop;
struct share_disk;

struct share_limits {
    uint64_t iops, bps; /* 0: no limit */
    uint64_t burst_ns;  /* how long the rates may be saved up; 0: SHARE_BURST_NS */
    unsigned weight;    /* 1 to DRR_WEIGHT_MAX; 0 is 1 */
};

#define SHARE_BURST_NS 100000000ull

#define SHARE_QUANTUM      8192u  /* cost a turn of weight 1 */
#define SHARE_COST         4096u  /* what a request costs besides its bytes */
#define SHARE_COST_CONTROL 65536u /* what a flush or a discard costs */
#define SHARE_PIECE        65536u /* larger transfers go piece by piece while others want the disk */
#define SHARE_TURN         131072u    /* cost that one turn of the loop hands on */
#define SHARE_REQUESTS     16u        /* in flight at most while several want the disk */
#define SHARE_WINDOW       524288u    /* ... and their cost */
#define SHARE_RECENT_NS    200000000u /* who asked within this wants the disk */

/* A host disk: what several disks are on. Closed after them. 0 or -ENOMEM. */
int share_disk_open(struct share_disk **out, struct loop *loop);
void share_disk_close(struct share_disk *d); /* NULL is fine */

/* Takes inner over: closing this closes it. disk NULL: only its own limits. 0 or -ENOMEM. */
int share_blk_open(struct blk **out, struct blk *inner, struct share_disk *disk,
                   const struct share_limits *l, struct ledger *ledger);
static inline bool share_limits_any(const struct share_limits *l)
{
    return l->iops || l->bps;
}

#endif
