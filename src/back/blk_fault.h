/* A backend around a backend that fails or delays requests as told: how the front ends' bad days
 * are tested. */
#ifndef BACK_BLK_FAULT_H
#define BACK_BLK_FAULT_H

#include "back/blk.h"

struct blk_fault_plan {
    unsigned ops;             /* OR of 1 << enum blk_op: which ones fail; 0: none */
    uint64_t sector, sectors; /* READ, WRITE …: only those that touch this range; 0 sectors: all */
    unsigned skip;            /* let this many matching ones pass first */
    int err;                  /* -EIO … */
    bool hold;                /* keep all in flight until blk_fault_release or drain */
};

/* Takes inner over: closing this closes it. The plan may be changed at any time. */
int blk_fault_open(struct blk **out, struct blk_fault_plan **plan, struct blk *inner,
                   struct ledger *ledger);
void blk_fault_release(struct blk *b); /* hands held requests on; later ones are held again */

#endif
