/* The host's time-stamp counter. */
#ifndef CORE_TSC_H
#define CORE_TSC_H

#include "core/types.h"

static inline uint64_t tsc_read(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* Its frequency, measured against CLOCK_MONOTONIC_RAW; takes about 8 ms. Callers keep the result.
 */
uint64_t tsc_hz(void);

#endif
