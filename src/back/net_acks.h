/*
 * Duplicate acknowledgements (RFC 5681, section 2), few enough for a peer that has no congestion
 * window. passt (2023_03_09) answers each with 128 segments from the acknowledged byte on. A guest
 * whose receive buffer is full drops all of them and says so with a duplicate each: from then on
 * both do nothing else, and the program that would empty the buffer gets no CPU. So the first
 * duplicate goes and others of that flow do not for a while: what is missing is sent again at a
 * rate that the guest can live with, until it has room.
 */
#ifndef BACK_NET_ACKS_H
#define BACK_NET_ACKS_H

#include "back/net_seg.h"

#define NET_ACKS      64u       /* flows looked after; others of the same slot take turns */
#define NET_ACKS_REST 20000000u /* ns without a duplicate of the flow */

struct net_acks_flow {
    uint8_t flow[NET_SEG_FLOW];
    uint32_t ack;
    uint16_t window;
    uint64_t rest_until;
};

struct net_acks {
    struct net_acks_flow flow[NET_ACKS];
};

/* At time now (ns): may the guest's segment go? */
bool net_ack_may_go(struct net_acks *a, const struct net_seg *g, uint64_t now);

#endif
