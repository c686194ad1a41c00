/* Flows with an unread SYN: net_syn.h. IPv4: RFC 791, section 3.1; IPv6: RFC 8200, section 3. */
#include "back/net_syn.h"
#include <string.h>

enum { ETHER = 14, IP4 = 20, IP6 = 40, TCP = 20, PROTO_TCP = 6, SYN = 0x02 };

/* The TCP header of a frame, its flow filled in; NULL: none, or a fragment without one. */
static const uint8_t *tcp_of(const uint8_t *p, size_t len, uint8_t flow[NET_SYN_FLOW])
{
    const uint8_t *ip = p + ETHER;
    size_t at;

    memset(flow, 0, NET_SYN_FLOW);
    if (len >= ETHER + IP4 + TCP && p[12] == 0x08 && p[13] == 0x00) {
        at = ETHER + 4u * (ip[0] & 15u);
        if (ip[9] != PROTO_TCP || (ip[6] & 0x1f) || ip[7] || at < ETHER + IP4 || at + TCP > len)
            return NULL;
        memcpy(flow, ip + 12, 8);
    } else if (len >= ETHER + IP6 + TCP && p[12] == 0x86 && p[13] == 0xdd && ip[6] == PROTO_TCP) {
        at = ETHER + IP6;
        memcpy(flow, ip + 8, 32);
    } else {
        return NULL;
    }
    memcpy(flow + 32, p + at, 4);
    return p + at;
}

static bool known(const struct net_syns *s, const uint8_t *flow)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!memcmp(s->flow[i], flow, NET_SYN_FLOW))
            return true;
    return false;
}

bool net_syn_may_go(struct net_syns *s, const uint8_t *head, size_t len, bool empty)
{
    uint8_t flow[NET_SYN_FLOW];
    const uint8_t *tcp = tcp_of(head, len, flow);

    if (empty)
        s->n = 0;
    if (!tcp)
        return true;
    if (known(s, flow))
        return false;
    if (!(tcp[13] & SYN))
        return true;
    if (s->n == NET_SYNS)
        return false;
    memcpy(s->flow[s->n++], flow, NET_SYN_FLOW);
    return true;
}
