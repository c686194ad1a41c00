/* Finding the TCP header of a frame: IEEE 802.3 and 802.1Q, RFC 791 (IPv4), RFC 8200 (IPv6 and its
 * extension headers), RFC 9293 (TCP). */
#include "back/net_offload.h"
#include <errno.h>

#define ETHERTYPE_AT 12u
#define TCP          6
#define VLANS_MAX    2 /* a tag in a tag */
#define EXTS_MAX     4 /* what fits NET_HEAD_MAX anyhow */

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static int tcp_at(struct net_tcp *t, const uint8_t *head, size_t have, size_t at)
{
    size_t len;

    if (at > have || have - at < 20)
        return -EINVAL;
    len = (size_t)(head[at + 12] >> 4) * 4;
    if (len < 20 || len > have - at)
        return -EINVAL;
    t->l4 = (unsigned)at;
    t->payload = (unsigned)(at + len);
    return 0;
}

static int find_v4(struct net_tcp *t, const uint8_t *head, size_t have, size_t at)
{
    size_t len;

    if (have - at < 20 || head[at] >> 4 != 4)
        return -EINVAL;
    len = (size_t)(head[at] & 15) * 4;
    if (len < 20 || head[at + 9] != TCP || be16(head + at + 6) & 0x3fff) /* a fragment */
        return -EINVAL;
    return tcp_at(t, head, have, at + len);
}

static int find_v6(struct net_tcp *t, const uint8_t *head, size_t have, size_t at)
{
    unsigned next;

    if (have - at < 40 || head[at] >> 4 != 6)
        return -EINVAL;
    next = head[at + 6];
    at += 40;
    for (unsigned i = 0; i <= EXTS_MAX; i++) {
        if (next == TCP)
            return tcp_at(t, head, have, at);
        if (next != 0 && next != 43 && next != 60) /* hop by hop, routing, destination */
            return -EINVAL;
        if (at > have || have - at < 8)
            return -EINVAL;
        next = head[at];
        at += 8 + (size_t)head[at + 1] * 8;
    }
    return -EINVAL;
}

int net_tcp_find(struct net_tcp *t, const uint8_t *head, size_t have, size_t len)
{
    size_t at = ETHERTYPE_AT;
    unsigned type = 0;

    for (unsigned i = 0; i <= VLANS_MAX; i++) {
        if (have < at + 2)
            return -EINVAL;
        type = be16(head + at);
        at += 2;
        if (type != 0x8100 && type != 0x88a8)
            break;
        at += 2;
    }
    if (at > have || len - at > 65535 + 40) /* no IP length could say it */
        return -EINVAL;
    t->l3 = (unsigned)at;
    t->v6 = type == 0x86dd;
    if (t->v6)
        return find_v6(t, head, have, at);
    return type == 0x0800 && len - at <= 65535 ? find_v4(t, head, have, at) : -EINVAL;
}
