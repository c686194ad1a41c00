/*
 * Guarding addresses; see sw_guard.h. A port with ip= may send
 *   - IPv4 from its addresses, and from 0.0.0.0 what DHCP asks (RFC 2131, 4.1); no DHCP answers;
 *   - ARP that says its MAC address has one of its addresses, or asks for one before it has it
 *     (RFC 5227, 2.1);
 *   - IPv6 from its addresses, from the link-local one that is made of its MAC address (RFC 4291,
 *     appendix A), and from :: neighbour solicitations and multicast listener reports (RFC 4861,
 *     4.3; RFC 3810, 5.2.13); advertisements of its addresses only; neither router advertisements
 *     nor redirects (RFC 6105), nor DHCPv6 answers;
 *   - nothing else.
 * What is cut short, hides ICMPv6 behind fragments (RFC 6980) or behind more extensions than are
 * looked through does not pass. With mac= alone, ARP and ND must not tell other MAC addresses.
 */
#include "share/sw_guard.h"
#include <string.h>

enum { ETH_IP4 = 0x0800, ETH_ARP = 0x0806, ETH_IP6 = 0x86dd };
enum { IP_UDP = 17, IP_ICMP6 = 58, IP6_HOPS = 0, IP6_ROUTE = 43, IP6_FRAG = 44, IP6_DST = 60 };
enum { ND_RS = 133, ND_RA = 134, ND_NS = 135, ND_NA = 136, ND_REDIRECT = 137 };
enum { MLD_REPORT1 = 131, MLD_DONE = 132, MLD_REPORT2 = 143 };
enum { OPT_SOURCE_LLA = 1, OPT_TARGET_LLA = 2 };
enum { ARP_LEN = 28, IP4_LEN = 20, IP6_LEN = 40, UDP_LEN = 8, ND_LEN = 24, ND_RS_LEN = 8 };
enum { EXTENSIONS = 6, OPTIONS = 8 }; /* that are looked through */

struct look { /* a window onto what has been copied of a frame */
    const struct sw_policy *p;
    const uint8_t *at; /* the layer at hand */
    size_t have;
};

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool step(struct look *l, size_t n)
{
    if (n > l->have)
        return false;
    l->at += n;
    l->have -= n;
    return true;
}

static bool is_mine(const struct sw_policy *p, bool v6, const uint8_t *addr)
{
    for (unsigned i = 0; i < p->ips; i++)
        if (p->ip[i].v6 == v6 && !memcmp(p->ip[i].addr, addr, v6 ? 16 : 4))
            return true;
    return false;
}

static bool is_zero(const uint8_t *addr, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (addr[i])
            return false;
    return true;
}

static bool is_my_link_local(const struct sw_policy *p, const uint8_t *addr)
{
    const uint8_t *m = p->mac;
    const uint8_t mine[16] = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, (uint8_t)(m[0] ^ 2),
                              m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

    return p->has_mac && !memcmp(addr, mine, sizeof(mine));
}

static bool is_my_ip6(const struct sw_policy *p, const uint8_t *addr)
{
    return !p->ips || is_mine(p, true, addr) || is_my_link_local(p, addr);
}

/* ---- IPv4 ---- */

static bool arp_ok(const struct look *l)
{
    static const uint8_t ethernet_ip4[] = {0, 1, 8, 0, 6, 4};
    const uint8_t *mac = l->at + 8, *ip = l->at + 14;

    if (l->have < ARP_LEN || memcmp(l->at, ethernet_ip4, sizeof(ethernet_ip4)))
        return false;
    if (l->p->has_mac && memcmp(mac, l->p->mac, 6))
        return false;
    return !l->p->ips || is_zero(ip, 4) || is_mine(l->p, false, ip);
}

static bool ip4_ok(struct look *l)
{
    const uint8_t *from = l->at + 12;
    unsigned len;
    bool udp, later;

    if (l->have < IP4_LEN || l->at[0] >> 4 != 4)
        return false;
    len = (l->at[0] & 15u) * 4;
    udp = l->at[9] == IP_UDP;
    later = be16(l->at + 6) & 0x1fff; /* a fragment, not the first: no ports in it */
    if (len < IP4_LEN || !step(l, len))
        return false;
    if (udp && !later) {
        if (l->have < UDP_LEN)
            return false;
        if (is_zero(from, 4))
            return be16(l->at) == 68 && be16(l->at + 2) == 67;
        if (be16(l->at) == 67)
            return false; /* a DHCP server's */
    }
    return is_mine(l->p, false, from);
}

/* ---- IPv6 ---- */

/* Its options must not give out another MAC address. */
static bool nd_options_ok(struct look *l, size_t skip)
{
    if (!step(l, skip))
        return false;
    for (unsigned i = 0; i < OPTIONS && l->have >= 8; i++) {
        size_t len = l->at[1] * 8u;

        if (!len)
            return false;
        if ((l->at[0] == OPT_SOURCE_LLA || l->at[0] == OPT_TARGET_LLA) && l->p->has_mac &&
            memcmp(l->at + 2, l->p->mac, 6))
            return false;
        if (!step(l, len))
            return false;
    }
    return l->have < 8;
}

static bool icmp6_ok(struct look *l, const uint8_t *from, size_t len)
{
    bool unknown = is_zero(from, 16);

    if (len < 8 || l->have < 8)
        return false;
    if (l->have > len)
        l->have = len; /* what pads the frame is no option */
    switch (l->at[0]) {
    case ND_RA:
    case ND_REDIRECT: return !l->p->ips;
    case ND_RS: return nd_options_ok(l, ND_RS_LEN);
    case ND_NS: return l->have >= ND_LEN && nd_options_ok(l, ND_LEN);
    case ND_NA: return l->have >= ND_LEN && is_my_ip6(l->p, l->at + 8) && nd_options_ok(l, ND_LEN);
    case MLD_REPORT1:
    case MLD_DONE:
    case MLD_REPORT2: return true;
    default: return !unknown;
    }
}

/* *next: the protocol behind the extensions. False: they are none, too many, or fragments of ND. */
static bool extensions_skip(struct look *l, unsigned *next, size_t *len)
{
    for (unsigned i = 0; i <= EXTENSIONS; i++) {
        size_t n;

        if (*next != IP6_HOPS && *next != IP6_ROUTE && *next != IP6_DST && *next != IP6_FRAG)
            return true;
        if (l->have < 8)
            return false;
        n = *next == IP6_FRAG ? 8 : 8u * (l->at[1] + 1u);
        if (*next == IP6_FRAG) {
            bool later = be16(l->at + 2) & 0xfff8;

            if (l->at[0] == IP_ICMP6)
                return false;
            *next = later ? 59u : l->at[0]; /* 59: nothing to be looked at */
        } else {
            *next = l->at[0];
        }
        if (n > *len || !step(l, n))
            return false;
        *len -= n;
    }
    return false;
}

static bool ip6_ok(struct look *l)
{
    const uint8_t *from = l->at + 8;
    size_t len;
    unsigned next;

    if (l->have < IP6_LEN || l->at[0] >> 4 != 6)
        return false;
    next = l->at[6];
    len = be16(l->at + 4);
    if (!is_my_ip6(l->p, from) && !is_zero(from, 16))
        return false;
    step(l, IP6_LEN);
    if (!extensions_skip(l, &next, &len))
        return false;
    if (next == IP_ICMP6)
        return icmp6_ok(l, from, len);
    if (l->p->ips && next == IP_UDP && (l->have < UDP_LEN || be16(l->at) == 547))
        return false; /* a DHCPv6 server's */
    return !l->p->ips || !is_zero(from, 16);
}

bool sw_guard(const struct sw_policy *p, const uint8_t *head, size_t have, const struct l2_tag *tag)
{
    struct look l = {p, head, have};

    if (p->has_mac && memcmp(head + 6, p->mac, 6))
        return false;
    if (l2_is_tag(tag->type) || !step(&l, tag->l3))
        return false; /* more tags than are looked through */
    switch (tag->type) {
    case ETH_ARP: return arp_ok(&l);
    case ETH_IP4: return !p->ips || ip4_ok(&l);
    case ETH_IP6: return ip6_ok(&l);
    default: return !p->ips;
    }
}
