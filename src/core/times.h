/*
 * How long things took: a histogram with four steps to each doubling, so that a quantile is told
 * within a fifth. Adding is a count of leading zeroes and three increments, under the lock of
 * whoever owns it.
 */
#ifndef CORE_TIMES_H
#define CORE_TIMES_H

#include "core/types.h"

#define TIMES_STEPS 160u /* up to 2^41 ns, half an hour; what takes longer is in the last */

struct times {
    uint64_t count, ns; /* how many, and all of them together */
    uint64_t step[TIMES_STEPS];
};

/* Below four each number is a step of its own; then the two bits after the first one tell which. */
static inline unsigned times_step(uint64_t ns)
{
    unsigned top, step;

    if (ns < 4)
        return (unsigned)ns;
    top = 63u - (unsigned)__builtin_clzll(ns);
    step = 4 * (top - 1) + (unsigned)(ns >> (top - 2) & 3);
    return step < TIMES_STEPS ? step : TIMES_STEPS - 1;
}

static inline void times_add(struct times *t, uint64_t ns)
{
    t->count++;
    t->ns += ns;
    t->step[times_step(ns)]++;
}

/* The first number that is too large for a step. */
uint64_t times_end(unsigned step);
/* How many took less than 2^shift ns; shift 2 to 41. */
uint64_t times_below(const struct times *t, unsigned shift);
/* The time that a share of all, 0 to 1, did not exceed, taken from the middle of its step; 0: there
 * are none. */
uint64_t times_quantile(const struct times *t, double share);

#endif
