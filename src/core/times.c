/* Reading a histogram of times; core/times.h. */
#include "core/times.h"

uint64_t times_end(unsigned step)
{
    if (step < 4)
        return step + 1;
    return (uint64_t)(step % 4 + 5) << (step / 4 - 1);
}

uint64_t times_below(const struct times *t, unsigned shift)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < 4 * (shift - 1) && i < TIMES_STEPS; i++)
        n += t->step[i];
    return n;
}

uint64_t times_quantile(const struct times *t, double share)
{
    uint64_t all = 0, seen = 0, want;

    for (unsigned i = 0; i < TIMES_STEPS; i++)
        all += t->step[i];
    want = (uint64_t)(share * (double)all);
    want = want < all ? want : all - 1;
    for (unsigned i = 0; i < TIMES_STEPS && all; i++) {
        seen += t->step[i];
        if (seen > want)
            return (times_end(i) + (i ? times_end(i - 1) : 0)) / 2;
    }
    return 0;
}
