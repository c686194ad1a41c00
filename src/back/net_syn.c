/* Flows with an unread SYN: net_syn.h. */
#include "back/net_syn.h"
#include <string.h>

static bool known(const struct net_syns *s, const uint8_t *flow)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!memcmp(s->flow[i], flow, NET_SEG_FLOW))
            return true;
    return false;
}

bool net_syn_may_go(struct net_syns *s, const struct net_seg *g, bool empty)
{
    if (empty)
        s->n = 0;
    if (known(s, g->flow))
        return false;
    if (!(g->flags & NET_SEG_SYN))
        return true;
    if (s->n == NET_SYNS)
        return false;
    memcpy(s->flow[s->n++], g->flow, NET_SEG_FLOW);
    return true;
}
