/* Flows with a SYN or a datagram that is unread: net_once.h. */
#include "back/net_once.h"
#include <string.h>

static bool known(const struct net_once *o, const uint8_t *flow)
{
    for (unsigned i = 0; i < o->n; i++)
        if (!memcmp(o->flow[i], flow, NET_SEG_FLOW))
            return true;
    return false;
}

bool net_once_may_go(struct net_once *o, const struct net_seg *g)
{
    if (known(o, g->flow))
        return false;
    if (!g->udp && !(g->flags & NET_SEG_SYN))
        return true;
    if (o->n == NET_ONCE_FLOWS)
        return false;
    memcpy(o->flow[o->n++], g->flow, NET_SEG_FLOW);
    return true;
}
