/*
 * From descriptors' bytes to frames: checksums (manual 3.4.6), TCP segmentation (3.5) and tags
 * (chapter 9). A backend that takes unfinished work gets ordinary packets unfinished; what is
 * unusual, and everything for other backends, is finished here as the context descriptor says,
 * whatever the headers really are. Offsets are held against the bytes that are there.
 */
#include "dev/e1000_impl.h"
#include "dev/e1000_wire.h"

#include <string.h>

#define MACS        12u
#define TAG         4u
#define TYPE_IP4    0x0800
#define TYPE_IP6    0x86dd
#define IP4_MIN     20u
#define IP6_LEN     40u
#define TCP         6
#define TCP_FIN_PSH 0x09u
#define HEADER_MAX  256u /* HDRLEN has eight bits */
/* Linux never sends segments under 48 bytes; more pieces of 64 KiB than this are no traffic. */
#define SEGS_MAX 2048u

/* ---- onto the wire ---- */

bool e1000_loops(const struct e1000 *e)
{
    return e1000_phy_loops(e) || (e1000_get(e, RCTL) & RCTL_LBM);
}

static void put(struct e1000 *e, const struct net_frame *f)
{
    if (!(f->todo & (NET_TSO4 | NET_TSO6)))
        e1000_stat_sent(e, f->iov[0].iov_base, (uint32_t)f->len);
    if (e1000_loops(e))
        e1000_loop_back(e, f);
    else if (e->net && (e1000_get(e, STATUS) & STATUS_LU))
        net_send(e->net, f);
}

/* head is in front of body and has room for a tag at its end: addresses first, then the tag. */
static void put_parts(struct e1000 *e, struct net_frame *f, const uint8_t *p, uint32_t n,
                      const uint8_t *rest, uint32_t m)
{
    uint8_t head[MACS + TAG];
    struct iovec iov[3];
    int k = 0;

    if (e->tx.tag) {
        memcpy(head, p, MACS);
        be16_put(head + MACS, (uint16_t)e1000_get(e, VET));
        be16_put(head + MACS + 2, e->tx.tci);
        iov[k++] = (struct iovec){head, sizeof(head)};
        p += MACS;
        n -= MACS;
        f->csum_start = (uint16_t)(f->csum_start + TAG);
        f->hdr_len = (uint16_t)(f->hdr_len + TAG);
        f->len = TAG + MACS;
    }
    iov[k++] = (struct iovec){(void *)(uintptr_t)p, n};
    if (m)
        iov[k++] = (struct iovec){(void *)(uintptr_t)rest, m};
    f->iov = iov;
    f->iovs = k;
    f->len += (size_t)n + m;
    put(e, f);
}

/* ---- checksums ---- */

/* Sums [css, cse] or to the end, and stores at cso what makes it come out. Out of range: nothing.
 */
static void insert(uint8_t *p, uint32_t len, uint32_t css, uint32_t cso, uint32_t cse)
{
    uint32_t end = cse && cse < len ? cse + 1 : len;

    if (css >= end || cso > len - 2 || len < 2)
        return;
    be16_put(p + cso, (uint16_t)~inet_sum(p + css, end - css));
}

static void insert_udp_zero(uint8_t *at)
{
    if (!be16_get(at))
        be16_put(at, 0xffff); /* zero would say that there is none (RFC 768) */
}

/* May the backend do it? Only what a virtio device could be asked for. */
static bool csum_left(const struct e1000 *e, const struct e1000_ctx *c, uint32_t len)
{
    return e->net && (e->net->takes & NET_CSUM) && !e1000_loops(e) &&
           (!c->tucse || c->tucse >= len - 1) && c->tucss >= ETH_HDR && c->tucso >= c->tucss &&
           len >= 2 && c->tucso <= len - 2;
}

static void sums_insert(struct e1000 *e, struct net_frame *f, uint32_t len)
{
    const struct e1000_ctx *c = &e->tx.ctx[0];
    uint8_t *p = e->tx.buf;

    if (!e->tx.data) {
        if (e->tx.ic)
            insert(p, len, e->tx.css, e->tx.cso, 0);
        return;
    }
    if (e->tx.popts & POPTS_IXSM)
        insert(p, len, c->ipcss, c->ipcso, c->ipcse);
    if (!(e->tx.popts & POPTS_TXSM))
        return;
    if (csum_left(e, c, len)) {
        f->todo = NET_CSUM;
        f->csum_start = c->tucss;
        f->csum_offset = (uint16_t)(c->tucso - c->tucss);
        return;
    }
    insert(p, len, c->tucss, c->tucso, c->tucse);
    if (!(c->tucmd & TUCMD_TCP) && len >= 2 && c->tucso <= len - 2)
        insert_udp_zero(p + c->tucso);
}

static uint32_t pad(struct e1000 *e, uint32_t len)
{
    uint32_t least = ETH_MIN - (e->tx.tag ? TAG : 0);

    if (len >= least || !(e1000_get(e, TCTL) & TCTL_PSP))
        return len;
    memset(e->tx.buf + len, 0, least - len);
    return least;
}

static void frame_put(struct e1000 *e)
{
    struct net_frame f = {0};
    uint32_t len = e->tx.len;

    if (!e->tx.ifcs)
        len = len > ETH_FCS ? len - ETH_FCS : 0; /* the driver brought its own */
    if (len < ETH_HDR || len > E1000_WIRE - ETH_FCS - TAG)
        return;
    len = pad(e, len);
    sums_insert(e, &f, len);
    put_parts(e, &f, e->tx.buf, len, NULL, 0);
}

/* ---- segmentation ---- */

/* Every field that segmentation touches is inside the header. */
static bool seg_possible(const struct e1000 *e)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];
    uint32_t ip = c->tucmd & TUCMD_IP4 ? IP4_MIN : IP6_LEN, l4 = c->tucmd & TUCMD_TCP ? 14 : 8;

    return c->mss && c->hdrlen >= ETH_HDR && c->hdrlen <= e->tx.len && c->ipcss + ip <= c->hdrlen &&
           c->tucss + l4 <= c->hdrlen &&
           c->hdrlen + (uint32_t)c->mss <= E1000_WIRE - ETH_FCS - TAG &&
           e->tx.segs + (e->tx.len - c->hdrlen) / c->mss <= SEGS_MAX;
}

static void seg_ip(const struct e1000_ctx *c, uint8_t *h, uint32_t n, uint32_t index)
{
    uint32_t len = c->hdrlen - c->ipcss + n;
    uint8_t *ip = h + c->ipcss;

    if (!(c->tucmd & TUCMD_IP4)) {
        be16_put(ip + 4, (uint16_t)(len - IP6_LEN));
        return;
    }
    be16_put(ip + 2, (uint16_t)len);
    be16_put(ip + 4, (uint16_t)(be16_get(ip + 4) + index));
}

static void seg_l4(const struct e1000_ctx *c, uint8_t *h, uint32_t n, uint32_t index, bool last)
{
    uint8_t *l4 = h + c->tucss;

    if (!(c->tucmd & TUCMD_TCP)) {
        be16_put(l4 + 4, (uint16_t)(c->hdrlen - c->tucss + n));
        return;
    }
    be32_put(l4 + 4, be32_get(l4 + 4) + index * c->mss);
    if (!last)
        l4[13] &= (uint8_t)~TCP_FIN_PSH;
}

/* The field holds the pseudo header without its length, which differs from segment to segment. */
static void seg_sum(const struct e1000_ctx *c, uint8_t *h, const uint8_t *data, uint32_t n)
{
    uint32_t l4 = c->hdrlen - c->tucss;
    uint16_t rest = inet_sum(data, n);

    if (l4 & 1)
        rest = (uint16_t)(rest << 8 | rest >> 8);
    if (c->tucso + 2u > c->hdrlen)
        return;
    rest = inet_add(inet_add(inet_sum(h + c->tucss, l4), (uint16_t)(l4 + n)), rest);
    be16_put(h + c->tucso, (uint16_t)~rest);
    if (!(c->tucmd & TUCMD_TCP))
        insert_udp_zero(h + c->tucso);
}

static void seg_put(struct e1000 *e, uint32_t at, uint32_t n, bool last)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];
    struct net_frame f = {0};
    uint8_t h[HEADER_MAX];

    memcpy(h, e->tx.buf, c->hdrlen);
    seg_ip(c, h, n, e->tx.segs);
    seg_l4(c, h, n, e->tx.segs, last);
    if ((e->tx.popts & POPTS_IXSM) && c->ipcso + 2u <= c->hdrlen)
        insert(h, c->hdrlen, c->ipcss, c->ipcso, c->ipcse);
    if (e->tx.popts & POPTS_TXSM)
        seg_sum(c, h, e->tx.buf + at, n);
    e->tx.segs++;
    put_parts(e, &f, h, c->hdrlen, e->tx.buf + at, n);
}

/* Sends what is gathered but for the last piece, which stays: the frame is longer than the buffer.
 * At most SEGS_MAX rounds. */
bool e1000_seg_drain(struct e1000 *e)
{
    uint32_t hdr = e->tx.ctx[1].hdrlen, mss = e->tx.ctx[1].mss, at = hdr;

    if (!seg_possible(e))
        return false;
    for (; e->tx.len - at > mss; at += mss)
        seg_put(e, at, mss, false);
    memmove(e->tx.buf + hdr, e->tx.buf + at, e->tx.len - at);
    e->tx.len -= at - hdr;
    return at != hdr;
}

/* ---- segmentation by the backend ---- */

/* The headers are what the context says they are, so whoever looks at them comes to the same. */
static bool is_plain(const struct e1000 *e, const uint8_t *p, uint32_t len)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];
    bool four = c->tucmd & TUCMD_IP4;
    unsigned sums = four ? POPTS_IXSM | POPTS_TXSM : POPTS_TXSM;
    struct net_tcp t;

    return (c->tucmd & TUCMD_TCP) && (e->tx.popts & sums) == sums && len - c->ipcss <= UINT16_MAX &&
           !net_tcp_find(&t, p, c->hdrlen, len) && t.v6 == !four && t.l3 == c->ipcss &&
           t.l4 == c->tucss && t.payload == c->hdrlen && c->tucso == c->tucss + 16 && !c->tucse &&
           (!four || (c->ipcso == c->ipcss + 10 && c->ipcse == c->tucss - 1));
}

static bool tso_left(const struct e1000 *e)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];

    return e->net && !e1000_loops(e) && !e->tx.segs && e->tx.len <= NET_FRAME_MAX - TAG &&
           e->tx.len > c->hdrlen + (uint32_t)c->mss && is_plain(e, e->tx.buf, e->tx.len);
}

/* The card has sent segments, whoever makes them. At most SEGS_MAX rounds. */
static void tso_count(struct e1000 *e)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];
    uint32_t left = e->tx.len - c->hdrlen, head = c->hdrlen + (e->tx.tag ? TAG : 0);

    for (uint32_t n; left; left -= n) {
        n = left < c->mss ? left : c->mss;
        e1000_stat_sent(e, e->tx.buf, head + n);
    }
}

/* The frame whole, with what is still to be done to it. */
static void tso_put(struct e1000 *e)
{
    const struct e1000_ctx *c = &e->tx.ctx[1];
    struct net_frame f = {.todo = NET_CSUM | (c->tucmd & TUCMD_IP4 ? NET_TSO4 : NET_TSO6),
                          .csum_start = c->tucss,
                          .csum_offset = 16,
                          .gso_size = c->mss,
                          .hdr_len = c->hdrlen};

    tso_count(e);
    put_parts(e, &f, e->tx.buf, e->tx.len, NULL, 0);
}

/* Without payload there is one segment, of headers alone. At most SEGS_MAX rounds. */
static void segs_put(struct e1000 *e)
{
    uint32_t mss = e->tx.ctx[1].mss, at = e->tx.ctx[1].hdrlen;

    do {
        uint32_t n = e->tx.len - at < mss ? e->tx.len - at : mss;

        seg_put(e, at, n, at + n == e->tx.len);
        at += n;
    } while (at < e->tx.len);
}

/* The last descriptor of a frame is in. */
void e1000_frame_end(struct e1000 *e)
{
    if (!e->tx.tse) {
        if (!e->tx.bad)
            frame_put(e);
        return;
    }
    if (e->tx.bad || !seg_possible(e)) {
        e1000_stat(e, TSCTFC);
        return;
    }
    e1000_stat(e, TSCTC);
    if (tso_left(e))
        tso_put(e);
    else
        segs_put(e);
}
