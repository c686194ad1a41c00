/*
 * How fast the time-stamp counter runs, by measurement: CPUID leaf 0x15 is empty on many hosts and
 * under most hypervisors. Two samples of (clock, TSC), each the tightest of several, a few
 * milliseconds apart.
 */
#include "core/tsc.h"
#include <time.h>

#define SAMPLE_TRIES 16
#define WINDOW_NS    8000000ull

struct sample {
    uint64_t ns, tsc;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The reading of the clock that was enclosed most tightly by two of the counter. */
static struct sample sample_take(void)
{
    struct sample best = {0};
    uint64_t width = UINT64_MAX;

    for (int i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t before = tsc_read();
        uint64_t ns = clock_ns();
        uint64_t after = tsc_read();

        if (after - before < width) {
            width = after - before;
            best = (struct sample){ns, before + width / 2};
        }
    }
    return best;
}

uint64_t tsc_hz(void)
{
    struct timespec nap = {0, (long)WINDOW_NS};
    struct sample a = sample_take(), b;

    nanosleep(&nap, NULL);
    b = sample_take();
    if (b.ns <= a.ns || b.tsc <= a.tsc)
        return 1000000000ull;
    return (uint64_t)((unsigned __int128)(b.tsc - a.tsc) * 1000000000ull / (b.ns - a.ns));
}
