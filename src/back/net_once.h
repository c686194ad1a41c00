/*
 * Flows of which passt may get one frame a read. passt (2023_03_09) never ends when one of its
 * reads has a SYN and another segment of the same flow, as after a SYN sent again to a passt that
 * had no CPU for a second; nor when it has several datagrams of a UDP flow and the socket to the
 * host's wire takes some of them. So a second one must not be with it before it has read the first.
 * RFC 9293, section 3.1; RFC 768.
 */
#ifndef BACK_NET_ONCE_H
#define BACK_NET_ONCE_H

#include "back/net_seg.h"

#define NET_ONCE_FLOWS 64u

struct net_once { /* flows of which it may have an unread one */
    uint8_t flow[NET_ONCE_FLOWS][NET_SEG_FLOW];
    unsigned n;
};

static inline void net_once_read(struct net_once *o) /* it has read all */
{
    o->n = 0;
}

/* May the segment go? Remembers it if it must be alone. One more flow than there is room for may
 * not. */
bool net_once_may_go(struct net_once *o, const struct net_seg *g);

#endif
