/* Segments of frames without VLAN tags and extension headers, which passt does not take: net_seg.h.
 */
#include "back/net_seg.h"
#include <string.h>

enum { ETHER = 14, IP4 = 20, IP6 = 40, UDP = 8, TCP = 20, PROTO_TCP = 6, PROTO_UDP = 17 };

static bool wanted(uint8_t proto)
{
    return proto == PROTO_TCP || proto == PROTO_UDP;
}

/* Where the header of TCP or UDP is, the flow but for its ports noted; 0: nowhere. */
static size_t head_at(struct net_seg *g, const uint8_t *p, size_t have)
{
    const uint8_t *ip = p + ETHER;
    size_t at = 0;

    memset(g, 0, sizeof(*g));
    if (have >= ETHER + IP4 + UDP && p[12] == 0x08 && p[13] == 0x00) {
        at = ETHER + 4u * (ip[0] & 15u);
        if (!wanted(ip[9]) || (ip[6] & 0x1f) || ip[7] || at < ETHER + IP4)
            return 0;
        memcpy(g->flow, ip + 12, 8);
        g->flow[36] = ip[9];
    } else if (have >= ETHER + IP6 + UDP && p[12] == 0x86 && p[13] == 0xdd && wanted(ip[6])) {
        at = ETHER + IP6;
        memcpy(g->flow, ip + 8, 32);
        g->flow[36] = ip[6];
    }
    g->udp = g->flow[36] == PROTO_UDP;
    return at && at + (g->udp ? UDP : TCP) <= have ? at : 0;
}

bool net_seg_get(struct net_seg *g, const uint8_t *head, size_t have, size_t len)
{
    size_t at = head_at(g, head, have);
    const uint8_t *tcp = head + at;

    if (!at)
        return false;
    memcpy(g->flow + 32, tcp, 4);
    if (g->udp)
        return true;
    g->ack = (uint32_t)tcp[8] << 24 | (uint32_t)tcp[9] << 16 | (uint32_t)tcp[10] << 8 | tcp[11];
    g->flags = tcp[13];
    g->window = (uint16_t)(tcp[14] << 8 | tcp[15]);
    g->bare = at + 4u * (tcp[12] >> 4) == len;
    return true;
}
