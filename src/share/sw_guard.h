/*
 * What may come from a port whose owner's addresses are known: frames from its MAC address; of
 * IPv4, ARP (RFC 826), IPv6 and neighbour discovery (RFC 4861) what speaks for its IP addresses.
 * Pure; the head of a frame is a copy.
 */
#ifndef SHARE_SW_GUARD_H
#define SHARE_SW_GUARD_H

#include "share/sw_policy.h"

/* As much of a frame as is looked at: two tags, IPv6, some of its extensions, ND's options. */
#define SW_GUARD_HEAD 192u

/* l3, type: from l2_tag_get. True: it may pass. */
bool sw_guard(const struct sw_policy *p, const uint8_t *head, size_t have,
              const struct l2_tag *tag);

#endif
