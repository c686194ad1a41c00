/* Token buckets; see bucket.h. Levels are whole units and a fraction, so that no rate is rounded.
 */
#include "share/bucket.h"
#include <string.h>

#define NS 1000000000ull

typedef unsigned __int128 wide;

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now)
{
    memset(b, 0, sizeof(*b));
    b->rate = least(rate, BUCKET_RATE_MAX);
    b->burst = least(burst ? burst : b->rate / 20, BUCKET_BURST_MAX);
    b->burst += !b->burst;
    b->level = (int64_t)b->burst;
    b->last = now;
}

static void refill(struct bucket *b, uint64_t now)
{
    wide gain;

    if (now <= b->last)
        return;
    gain = (wide)(now - b->last) * b->rate + b->fraction;
    b->last = now;
    if (gain / NS >= (wide)((int64_t)b->burst - b->level)) {
        b->level = (int64_t)b->burst;
        b->fraction = 0;
    } else {
        b->level += (int64_t)(gain / NS);
        b->fraction = (uint64_t)(gain % NS);
    }
}

/* How full it must be for n units to go. */
static int64_t mark(const struct bucket *b, uint64_t n)
{
    return (int64_t)least(n, b->burst);
}

bool bucket_take(struct bucket *b, uint64_t now, uint64_t n)
{
    if (!b->rate)
        return true;
    refill(b, now);
    if (b->level < mark(b, n))
        return false;
    b->level -= (int64_t)least(n, BUCKET_BURST_MAX);
    return true;
}

void bucket_charge(struct bucket *b, uint64_t now, uint64_t n)
{
    if (!b->rate)
        return;
    refill(b, now);
    b->level -= (int64_t)least(n, BUCKET_BURST_MAX);
    if (b->level < -(int64_t)BUCKET_BURST_MAX) /* so that no number of charges overflows */
        b->level = -(int64_t)BUCKET_BURST_MAX;
}

uint64_t bucket_when(struct bucket *b, uint64_t now, uint64_t n)
{
    wide lack;

    if (!b->rate)
        return now;
    refill(b, now);
    if (b->level >= mark(b, n))
        return now;
    lack = (wide)(mark(b, n) - b->level) * NS - b->fraction;
    lack = (lack + b->rate - 1) / b->rate;
    return lack > UINT64_MAX - b->last ? UINT64_MAX : b->last + (uint64_t)lack;
}
