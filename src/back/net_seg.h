/*
 * A TCP segment or a UDP datagram of a frame, as far as a peer that must be spared some of them has
 * to know it. IPv4: RFC 791, section 3.1; IPv6: RFC 8200, section 3; TCP: RFC 9293, section 3.1;
 * UDP: RFC 768. Frames are hostile.
 */
#ifndef BACK_NET_SEG_H
#define BACK_NET_SEG_H

#include "core/types.h"

#define NET_SEG_FLOW 37u  /* addresses, ports, protocol */
#define NET_SEG_HEAD 128u /* bytes of a frame that are looked at: headers with their options */

enum { NET_SEG_FIN = 1, NET_SEG_SYN = 2, NET_SEG_RST = 4, NET_SEG_ACK = 16 };

struct net_seg {
    uint8_t flow[NET_SEG_FLOW];
    bool udp;  /* all below is TCP's */
    bool bare; /* no payload */
    uint8_t flags;
    uint16_t window;
    uint32_t ack;
};

/* head: the first have bytes of a frame of len bytes, padding not counted. False: neither of the
 * two, or a fragment without its header. */
bool net_seg_get(struct net_seg *g, const uint8_t *head, size_t have, size_t len);

#endif
