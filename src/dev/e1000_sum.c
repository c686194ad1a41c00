/*
 * What the 82540EM's receiver finds out about checksums: manual 3.2.9 and 13.5.15 (RXCSUM). The
 * packet checksum is the plain sum from byte PCSS to the end. IPOFL checks IPv4 headers, TUOFL TCP
 * and UDP in whole packets of IPv4 and, without extension headers, IPv6. A frame it could say
 * nothing about has IXSM set.
 */
#include "dev/e1000_impl.h"
#include "dev/e1000_wire.h"

#define TYPE_IP4 0x0800
#define TYPE_IP6 0x86dd
#define TYPE_TAG 0x8100
#define IP4_MIN  20u
#define IP6_LEN  40u
#define TCP      6
#define UDP      17
#define TCP_MIN  20u
#define UDP_MIN  8u

struct packet { /* where the layers are; all of it inside the frame */
    uint32_t ip, l4, end;
    uint8_t version, proto;
    bool whole; /* no fragment, known transport, its header is there */
};

static void transport(struct packet *p)
{
    uint32_t room = p->end - p->l4;

    p->whole = (p->proto == TCP && room >= TCP_MIN) || (p->proto == UDP && room >= UDP_MIN);
}

static bool parse_ip4(const uint8_t *f, uint32_t len, struct packet *p)
{
    const uint8_t *ip = f + p->ip;
    uint32_t room = len - p->ip, header, total;

    if (room < IP4_MIN || ip[0] >> 4 != 4)
        return false;
    header = (ip[0] & 15u) * 4;
    total = be16_get(ip + 2);
    if (header < IP4_MIN || total < header || total > room)
        return false;
    p->version = 4;
    p->l4 = p->ip + header;
    p->end = p->ip + total;
    p->proto = ip[9];
    if (!(be16_get(ip + 6) & 0x3fff)) /* neither more fragments nor an offset */
        transport(p);
    return true;
}

static bool parse_ip6(const uint8_t *f, uint32_t len, struct packet *p)
{
    const uint8_t *ip = f + p->ip;
    uint32_t room = len - p->ip;

    if (room < IP6_LEN || ip[0] >> 4 != 6 || be16_get(ip + 4) > room - IP6_LEN)
        return false;
    p->version = 6;
    p->l4 = p->ip + IP6_LEN;
    p->end = p->l4 + be16_get(ip + 4);
    p->proto = ip[6];
    transport(p);
    return true;
}

static bool parse(const uint8_t *f, uint32_t len, struct packet *p)
{
    unsigned type = be16_get(f + 12);

    p->ip = ETH_HDR;
    if (type == TYPE_TAG && len >= ETH_HDR + 4) {
        type = be16_get(f + 16);
        p->ip += 4;
    }
    if (type == TYPE_IP4)
        return parse_ip4(f, len, p);
    return type == TYPE_IP6 && parse_ip6(f, len, p);
}

static void check_ip(const uint8_t *f, const struct packet *p, struct e1000_rx_sums *out)
{
    out->status |= RXD_IPCS;
    if (inet_sum(f + p->ip, p->l4 - p->ip) != 0xffff)
        out->errors |= RXD_ERR_IP;
}

static void check_l4(const uint8_t *f, const struct packet *p, uint16_t l4,
                     struct e1000_rx_sums *out)
{
    uint32_t len = p->end - p->l4;
    uint32_t addrs = p->version == 4 ? p->ip + 12 : p->ip + 8;
    uint16_t sum;

    if (p->proto == UDP && !be16_get(f + p->l4 + 6))
        return; /* its sender made none */
    sum = inet_add(inet_sum(f + addrs, p->version == 4 ? 8 : 32), p->proto);
    sum = inet_add(inet_add(sum, (uint16_t)len), l4);
    out->status |= RXD_TCPCS;
    if (sum != 0xffff)
        out->errors |= RXD_ERR_TCP;
}

static uint16_t swapped(uint16_t sum, uint32_t distance)
{
    return distance & 1 ? (uint16_t)(sum << 8 | sum >> 8) : sum;
}

/* From start to the end of the frame, of which the sum of [l4, end) is known: one pass over the
 * payload is enough. A part that begins at an odd byte counts with its bytes swapped. */
static uint16_t packet_sum(const uint8_t *f, uint32_t len, uint32_t start, const struct packet *p,
                           uint16_t l4)
{
    uint16_t sum;

    if (start >= len)
        return 0;
    if (!p->whole || start > p->l4)
        return inet_sum(f + start, len - start);
    sum = inet_add(inet_sum(f + start, p->l4 - start), swapped(l4, p->l4 - start));
    return inet_add(sum, swapped(inet_sum(f + p->end, len - p->end), p->end - start));
}

void e1000_rx_sums(const struct e1000 *e, const uint8_t *frame, uint32_t len,
                   struct e1000_rx_sums *out)
{
    uint32_t rxcsum = e1000_get(e, RXCSUM), start = rxcsum & 0xff;
    struct packet p = {0};

    uint16_t l4 = 0;

    *out = (struct e1000_rx_sums){0};
    if (parse(frame, len, &p)) {
        l4 = p.whole ? inet_sum(frame + p.l4, p.end - p.l4) : 0;
        if (p.version == 4 && (rxcsum & RXCSUM_IPOFL))
            check_ip(frame, &p, out);
        if (p.whole && (rxcsum & RXCSUM_TUOFL))
            check_l4(frame, &p, l4, out);
    }
    out->packet = packet_sum(frame, len, start, &p, l4);
    if (!(out->status & (RXD_IPCS | RXD_TCPCS)))
        out->status |= RXD_IXSM;
}
