/*
 * Flows whose SYN a peer has been given and may not have read. passt (2023_03_09) never ends when
 * one of its reads has such a segment and another of the same flow, as after a SYN sent again to a
 * passt that had no CPU for a second: whoever feeds it holds the second back (drops it; TCP sends
 * it again) until the first was read. RFC 9293, section 3.1.
 */
#ifndef BACK_NET_SYN_H
#define BACK_NET_SYN_H

#include "back/net_seg.h"

#define NET_SYNS 64u

struct net_syns {
    uint8_t flow[NET_SYNS][NET_SEG_FLOW];
    unsigned n;
};

/* The peer having read all (empty) or not: may the segment go? Remembers a SYN. One more flow than
 * there is room for may not. */
bool net_syn_may_go(struct net_syns *s, const struct net_seg *g, bool empty);

#endif
