/*
 * Finishing frames: a checksum is summed and put in its place; a TCP frame with segmentation to do
 * becomes segments, each with a copy of the headers in which lengths, IP identification, sequence
 * number, flags and checksums are made right, and a window onto the payload, which is not copied.
 * A frame that is passed on unfinished gets its headers as RFC-minded receivers (the Linux tap
 * driver, virtio drivers) expect them: full lengths, and the sum of the pseudo header where the TCP
 * checksum will stand. NICs leave these fields in different ways, so nothing is believed.
 */
#include "back/net_offload.h"
#include <errno.h>
#include <string.h>

#define TCP_CSUM 16u /* offset in the TCP header */
#define FIN_PSH  0x09
#define CWR      0x80

struct seg { /* a TCP frame being cut up */
    const struct net_frame *f;
    struct net_tcp t;
    uint8_t head[NET_HEAD_MAX];
    size_t payload; /* bytes in all */
};

static void be16_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t sum_flat(const uint8_t *p, size_t n)
{
    struct iovec iov = {(void *)(uintptr_t)p, n};

    return net_sum(&iov, 1, 0, n);
}

static uint32_t add16(uint32_t a, uint32_t b)
{
    a += b;
    return (a & 0xffff) + (a >> 16);
}

/* ---- one checksum ---- */

/* The field is replaced by an iovec of its own, since the frame's memory isn't ours to write. */
static int csum_emit(const struct net_frame *f, net_emit *emit, void *ctx)
{
    size_t at = (size_t)f->csum_start + f->csum_offset;
    struct net_frame g = {.len = f->len};
    struct iovec iov[NET_IOVS_MAX];
    uint8_t field[2];
    uint32_t sum;
    int n, m;

    if (f->csum_start > f->len || !range_in(at, 2, 0, f->len))
        return -EINVAL;
    sum = (uint16_t)~net_sum(f->iov, f->iovs, f->csum_start, f->len - f->csum_start);
    be16_put(field, sum ? sum : 0xffff); /* 0 would say: no UDP checksum; RFC 768 */
    n = net_slice(iov, NET_IOVS_MAX - 1, f, 0, at);
    if (n < 0)
        return n;
    iov[n++] = (struct iovec){field, 2};
    m = net_slice(iov + n, NET_IOVS_MAX - n, f, at + 2, f->len - at - 2);
    if (m < 0)
        return m;
    g.iov = iov;
    g.iovs = n + m;
    return emit(ctx, &g) ? 0 : -EAGAIN;
}

/* ---- segments ---- */

/* The sum of the pseudo header: addresses, protocol, length. */
static uint32_t pseudo(const struct seg *s, const uint8_t *head, uint32_t tcp_len)
{
    uint32_t sum = s->t.v6 ? sum_flat(head + s->t.l3 + 8, 32) : sum_flat(head + s->t.l3 + 12, 8);

    return add16(add16(sum, 6), tcp_len & 0xffff);
}

/* Makes a copy of the headers right for payload bytes [at, at + n); the TCP checksum field is left
 * with the sum of the pseudo header. */
static void head_make(const struct seg *s, uint8_t *h, size_t at, size_t n)
{
    uint8_t *ip = h + s->t.l3, *tcp = h + s->t.l4;
    uint32_t index = (uint32_t)(at / (s->f->gso_size ? s->f->gso_size : 1u));
    uint32_t seq, total = (uint32_t)(s->t.payload - s->t.l3 + n);

    memcpy(h, s->head, s->t.payload);
    if (s->t.v6) {
        be16_put(ip + 4, total - 40);
    } else {
        be16_put(ip + 2, total);
        be16_put(ip + 4, (uint32_t)(ip[4] << 8 | ip[5]) + index);
        be16_put(ip + 10, 0);
        be16_put(ip + 10, (uint16_t)~sum_flat(ip, s->t.l4 - s->t.l3));
    }
    seq = be32_get(tcp + 4) + (uint32_t)at;
    be16_put(tcp + 4, seq >> 16);
    be16_put(tcp + 6, seq);
    if (at + n < s->payload)
        tcp[13] &= (uint8_t)~FIN_PSH;
    if (at)
        tcp[13] &= (uint8_t)~CWR;
    be16_put(tcp + TCP_CSUM, pseudo(s, h, (uint32_t)(s->t.payload - s->t.l4 + n)));
}

static int seg_open(struct seg *s, const struct net_frame *f)
{
    size_t have = net_head(f, s->head, sizeof(s->head));

    s->f = f;
    if (net_tcp_find(&s->t, s->head, have, f->len))
        return -EINVAL;
    if (s->t.v6 != !!(f->todo & NET_TSO6))
        return -EINVAL;
    s->payload = f->len - s->t.payload;
    return f->gso_size && s->payload && s->payload / f->gso_size < NET_GSO_MAX ? 0 : -EINVAL;
}

/* One frame of payload bytes [at, at + n): finished, or with todo left. */
static int seg_emit(const struct seg *s, size_t at, size_t n, unsigned todo, net_emit *emit,
                    void *ctx)
{
    struct net_frame g = {.len = s->t.payload + n, .todo = todo};
    struct iovec iov[NET_IOVS_MAX];
    uint8_t head[NET_HEAD_MAX];
    int m = net_slice(iov + 1, NET_IOVS_MAX - 1, s->f, s->t.payload + at, n);

    if (m < 0)
        return m;
    head_make(s, head, at, n);
    iov[0] = (struct iovec){head, s->t.payload};
    g.iov = iov;
    g.iovs = m + 1;
    if (todo) {
        g.csum_start = (uint16_t)s->t.l4;
        g.csum_offset = TCP_CSUM;
        g.hdr_len = (uint16_t)s->t.payload;
        g.gso_size = todo & (NET_TSO4 | NET_TSO6) ? s->f->gso_size : 0;
    } else {
        uint32_t sum = net_sum(iov, g.iovs, s->t.l4, g.len - s->t.l4);

        be16_put(head + s->t.l4 + TCP_CSUM, ~sum);
    }
    return emit(ctx, &g) ? 0 : -EAGAIN;
}

/* Payload bytes of each frame that is passed on; a whole number of segments. */
static size_t tso_step(const struct net_frame *f, unsigned takes)
{
    return takes & NET_JUMBO && f->gso_size < NET_JUMBO_MAX
               ? NET_JUMBO_MAX - NET_JUMBO_MAX % f->gso_size
               : f->gso_size;
}

static int tso(const struct net_frame *f, unsigned takes, unsigned *skip, net_emit *emit, void *ctx)
{
    unsigned kind = f->todo & (NET_TSO4 | NET_TSO6);
    struct seg s;
    size_t step;
    int err = seg_open(&s, f);

    if (err)
        return err;
    if (s.payload <= f->gso_size || (takes & kind && takes & NET_CSUM))
        return seg_emit(&s, 0, s.payload,
                        takes & NET_CSUM ? NET_CSUM | (s.payload > f->gso_size ? kind : 0) : 0,
                        emit, ctx);
    step = tso_step(f, takes);
    /* at most NET_GSO_MAX rounds: seg_open */
    for (size_t at = *skip * step; at < s.payload; at += step) {
        size_t n = s.payload - at < step ? s.payload - at : step;

        err = seg_emit(&s, at, n, takes & NET_CSUM, emit, ctx);
        if (err)
            return err;
        ++*skip;
    }
    return 0;
}

static int as_it_is(const struct net_frame *f, net_emit *emit, void *ctx)
{
    if (f->todo && ((size_t)f->csum_start > f->len ||
                    !range_in((size_t)f->csum_start + f->csum_offset, 2, 0, f->len)))
        return -EINVAL;
    return emit(ctx, f) ? 0 : -EAGAIN;
}

int net_finish(const struct net_frame *f, unsigned takes, unsigned *skip, net_emit *emit, void *ctx)
{
    unsigned none = 0;

    if (!net_frame_ok(f) || f->todo & ~(unsigned)(NET_CSUM | NET_TSO4 | NET_TSO6) ||
        (f->todo & (NET_TSO4 | NET_TSO6)) == (NET_TSO4 | NET_TSO6))
        return -EINVAL;
    if (f->todo & (NET_TSO4 | NET_TSO6))
        return tso(f, takes, skip ? skip : &none, emit, ctx);
    if (f->todo & ~takes)
        return csum_emit(f, emit, ctx);
    return as_it_is(f, emit, ctx);
}
