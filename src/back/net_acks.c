/* Which acknowledgements are duplicates, and when the last of a flow went: net_acks.h. */
#include "back/net_acks.h"
#include <string.h>

static struct net_acks_flow *slot_of(struct net_acks *a, const uint8_t *flow)
{
    uint32_t h = 2166136261u; /* FNV-1a; a guest that finds collisions has found its own flows */

    for (unsigned i = 0; i < NET_SEG_FLOW; i++)
        h = (h ^ flow[i]) * 16777619u;
    return &a->flow[h % NET_ACKS];
}

bool net_ack_may_go(struct net_acks *a, const struct net_seg *g, uint64_t now)
{
    struct net_acks_flow *f = slot_of(a, g->flow);
    bool ours = !memcmp(f->flow, g->flow, NET_SEG_FLOW);
    bool same = ours && f->ack == g->ack && f->window == g->window;

    if (!ours) {
        *f = (struct net_acks_flow){0};
        memcpy(f->flow, g->flow, NET_SEG_FLOW);
    }
    f->ack = g->ack;
    f->window = g->window;
    if (!same || !g->bare || g->flags != NET_SEG_ACK)
        return true;
    if (now < f->rest_until)
        return false;
    f->rest_until = now + NET_ACKS_REST;
    return true;
}
