/*
 * Statistics of the 82540EM: manual 13.7. Each register counts, sticks at its maximum and is
 * cleared by reading; of the octet counters, which are pairs, reading the high half clears both.
 * Lengths are from the destination address through the FCS.
 */
#include "dev/e1000_impl.h"

static bool is_pair_low(unsigned off)
{
    return off == GORCL || off == GOTCL || off == TORL || off == TOTL;
}

uint32_t e1000_stat_read(struct e1000 *e, unsigned off)
{
    uint32_t val = e1000_get(e, off);

    if (is_pair_low(off))
        return val;
    *e1000_at(e, off) = 0;
    if (is_pair_low(off - 4))
        *e1000_at(e, off - 4) = 0;
    return val;
}

void e1000_stat(struct e1000 *e, unsigned off)
{
    uint32_t *r = e1000_at(e, off);

    *r += *r != UINT32_MAX;
}

void e1000_stat_add64(struct e1000 *e, unsigned low, uint32_t bytes)
{
    uint32_t *lo = e1000_at(e, low), *hi = e1000_at(e, low + 4);
    uint64_t was = (uint64_t)*hi << 32 | *lo, sum = was + bytes;

    if (sum < was)
        sum = UINT64_MAX;
    *lo = (uint32_t)sum;
    *hi = (uint32_t)(sum >> 32);
}

/* 64, 65-127, 128-255, 256-511, 512-1023, 1024 and more: six registers in a row. */
static unsigned size_class(uint32_t len)
{
    static const uint16_t end[] = {64, 127, 255, 511, 1023};
    unsigned i = 0;

    while (i < ARRAY_LEN(end) && len > end[i])
        i++;
    return 4 * i;
}

static bool is_broadcast(const uint8_t *mac)
{
    return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

/* A frame that passed the filter and is stored. */
void e1000_stat_received(struct e1000 *e, const uint8_t *frame, uint32_t len)
{
    e1000_stat(e, GPRC);
    e1000_stat_add64(e, GORCL, len + ETH_FCS);
    e1000_stat(e, PRC64 + size_class(len + ETH_FCS));
    if (is_broadcast(frame))
        e1000_stat(e, BPRC);
    else if (frame[0] & 1)
        e1000_stat(e, MPRC);
}

void e1000_stat_sent(struct e1000 *e, const uint8_t *frame, uint32_t len)
{
    e1000_stat(e, TPT);
    e1000_stat(e, GPTC);
    e1000_stat_add64(e, TOTL, len + ETH_FCS);
    e1000_stat_add64(e, GOTCL, len + ETH_FCS);
    e1000_stat(e, PTC64 + size_class(len + ETH_FCS));
    if (is_broadcast(frame))
        e1000_stat(e, BPTC);
    else if (frame[0] & 1)
        e1000_stat(e, MPTC);
}
