/* A block backend that finishes requests when it is told to, in whatever order, and with errors. */
#ifndef FUZZ_SLOW_BLK_H
#define FUZZ_SLOW_BLK_H

#include "back/blk.h"

struct blk *slow_blk_open(uint64_t sectors, const char *name, struct loop *loop,
                          struct ledger *ledger);
/* Finishes the n-th of those that wait, counted from the newest; err: as if with that. */
void slow_blk_finish(struct blk *b, unsigned n, int err);

#endif
