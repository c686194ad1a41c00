/*
 * A token bucket: at most rate units a second in the long run, and burst units at once. What a unit
 * is (bytes, requests) is the owner's. Time is an argument, in nanoseconds, and never goes back.
 *
 * Something larger than the burst is let through when the bucket is full, and leaves it in debt:
 * the rate holds, and nothing waits for ever.
 */
#ifndef SHARE_BUCKET_H
#define SHARE_BUCKET_H

#include "core/types.h"

#define BUCKET_RATE_MAX  (1ull << 48) /* units a second */
#define BUCKET_BURST_MAX (1ull << 48) /* units; also what a take may ask for */

struct bucket {
    uint64_t rate; /* 0: no limit */
    uint64_t burst;
    int64_t level;     /* whole units; below zero: debt */
    uint64_t fraction; /* of a unit, in 1/10^9 */
    uint64_t last;     /* when level was true */
};

/* It is full at first. burst 0: what the rate gives in 50 ms, and at least one unit. */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now);
/* True: n units were taken. False: nothing was, and bucket_when says when to come again. */
bool bucket_take(struct bucket *b, uint64_t now, uint64_t n);
/* Takes n units that are spent already, into debt if need be; bucket_take refuses until it is paid.
 */
void bucket_charge(struct bucket *b, uint64_t now, uint64_t n);
/* The first moment, not before now, at which bucket_take(n) would be true. */
uint64_t bucket_when(struct bucket *b, uint64_t now, uint64_t n);

#endif
