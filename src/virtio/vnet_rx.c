/*
 * virtio-net, to the guest: VIRTIO 1.2, 5.1.6.3 and 5.1.6.4. With MRG_RXBUF a frame goes into as
 * many buffers as it needs and the first one's header says how many; else into one that holds it.
 *
 * Buffers are taken off the ring when there is a frame for them. If there are too few, those taken
 * wait in the queue's stash and the backend keeps the frame until the driver has added more.
 * A flow comes back on the pair that it last went out on (5.1.6.5.5, automatic receive steering);
 * one that never did has a pair by its hash. Where that pair does not run the next one has its
 * frames.
 */
#include "mem/dma.h"
#include "virtio/vnet_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vnet_rx_make(struct vnet *d)
{
    for (unsigned i = 0; i < d->pairs; i++) {
        d->rx[i].stash = calloc(VNET_MERGE, sizeof(struct vq_chain));
        if (!d->rx[i].stash)
            return -ENOMEM;
    }
    return 0;
}

void vnet_rx_free(struct vnet *d)
{
    for (unsigned i = 0; i < d->pairs; i++)
        free(d->rx[i].stash);
}

void vnet_rx_forget(struct vnet *d, unsigned pair)
{
    d->rx[pair].stashed = 0;
    d->rx[pair].room = 0;
}

/* ---- flows ---- */

enum { ETH_LEN = 14, ETH_IP4 = 0x0800, ETH_IP6 = 0x86dd, IP6_LEN = 40, TCP = 6, UDP = 17 };

static uint32_t fold(const uint8_t *p, unsigned len)
{
    uint32_t h = 0;

    for (unsigned i = 0; i + 4 <= len; i += 4) /* a header at most */
        h ^= le32_get(p + i);
    return h;
}

/* Exclusive-or of both addresses and both ports: a reply has the same. */
unsigned vnet_flow(const uint8_t *frame, size_t len)
{
    unsigned type = len >= ETH_LEN ? (unsigned)frame[12] << 8 | frame[13] : 0, ip = 0, proto = 0;
    uint32_t h = 0;

    if (type == ETH_IP4 && len >= ETH_LEN + 20) {
        ip = (frame[ETH_LEN] & 15u) * 4;
        proto = frame[ETH_LEN + 9];
        h = fold(frame + ETH_LEN + 12, 8);
    } else if (type == ETH_IP6 && len >= ETH_LEN + IP6_LEN) {
        ip = IP6_LEN;
        proto = frame[ETH_LEN + 6];
        h = fold(frame + ETH_LEN + 8, 32);
    }
    if ((proto == TCP || proto == UDP) && len >= ETH_LEN + ip + 4)
        h ^= (uint32_t)(frame[ETH_LEN + ip] ^ frame[ETH_LEN + ip + 2]) << 8 |
             (uint32_t)(frame[ETH_LEN + ip + 1] ^ frame[ETH_LEN + ip + 3]);
    h ^= h >> 16;
    return (h ^ h >> 8) & 0xffff;
}

/* ---- buffers ---- */

static bool enough(const struct vnet *d, const struct vnet_ring *r, uint64_t len)
{
    if (virtio_has(&d->v, VIRTIO_NET_F_MRG_RXBUF))
        return r->room >= len;
    return r->stashed; /* one it is, whatever its size */
}

/* 1: the stash holds the frame; 0: not enough buffers yet; -EINVAL. Bound: the stash. */
static int gather(struct vnet *d, struct vnet_ring *r, struct vq *q, uint64_t len)
{
    while (!enough(d, r, len) && r->stashed < VNET_MERGE) {
        struct vq_chain *c = &r->stash[r->stashed];
        int got;

        got = vq_pop(q, c);
        if (got > 0 && c->in_len >= HDR_LEN) {
            r->stashed++;
            r->room += c->in_len;
            continue;
        }
        return got > 0 ? -EINVAL : got;
    }
    return enough(d, r, len);
}

static uint8_t gso_of(unsigned todo)
{
    return todo & NET_TSO4 ? GSO_TCPV4 : todo & NET_TSO6 ? GSO_TCPV6 : GSO_NONE;
}

static void header(uint8_t *hdr, const struct net_frame *f, unsigned buffers)
{
    memset(hdr, 0, HDR_LEN);
    if (f->todo & (NET_CSUM | NET_TSO4 | NET_TSO6)) {
        hdr[HDR_FLAGS] = HDR_F_NEEDS_CSUM;
        le16_put(hdr + HDR_CSUM_START, f->csum_start);
        le16_put(hdr + HDR_CSUM_OFFSET, f->csum_offset);
    }
    hdr[HDR_GSO_TYPE] = gso_of(f->todo);
    if (hdr[HDR_GSO_TYPE]) {
        le16_put(hdr + HDR_HDR_LEN, f->hdr_len);
        le16_put(hdr + HDR_GSO_SIZE, f->gso_size);
    }
    le16_put(hdr + HDR_NUM_BUFFERS, (uint16_t)buffers);
}

struct source { /* the frame's bytes, in order */
    const struct iovec *iov;
    size_t off;
};

/* Copies the next n bytes into the writable part of c at `at`. */
static int fill(struct vq *q, const struct vq_chain *c, uint64_t at, struct source *s, uint64_t n)
{
    while (n) { /* at most a round an iovec */
        size_t room = s->iov->iov_len - s->off, k = room < n ? room : (size_t)n;
        int err = vq_put(q, c, at, (const uint8_t *)s->iov->iov_base + s->off, k);

        if (err)
            return err;
        at += k;
        n -= k;
        s->off += k;
        if (s->off == s->iov->iov_len) {
            s->iov++;
            s->off = 0;
        }
    }
    return 0;
}

static unsigned buffers_for(const struct vnet_ring *r, uint64_t len)
{
    unsigned n = 0;

    while (n < r->stashed && len) {
        len -= len < r->stash[n].in_len ? len : r->stash[n].in_len;
        n++;
    }
    return n;
}

static void put(struct vnet_ring *r, struct vq *q, const struct net_frame *f, unsigned buffers)
{
    struct source s = {f->iov, 0};
    uint64_t left = f->len;
    uint8_t hdr[HDR_LEN];

    header(hdr, f, buffers);
    for (unsigned i = 0; i < buffers; i++) {
        const struct vq_chain *c = &r->stash[i];
        uint64_t at = i ? 0 : HDR_LEN, room = c->in_len - at, n = left < room ? left : room;

        if (!i)
            vq_put(q, c, 0, hdr, HDR_LEN);
        fill(q, c, at, &s, n); /* a buffer that isn't RAM stays empty: the driver's own loss */
        vq_push(q, c->head, (uint32_t)(at + n));
        r->room -= c->in_len;
        left -= n;
    }
    r->stashed -= buffers;
    memmove(r->stash, r->stash + buffers, r->stashed * sizeof(*r->stash));
}

/* ---- what the backend calls ---- */

/* The frame's first bytes, from however many pieces: how many. */
static size_t peek(const struct net_frame *f, uint8_t head[VNET_PEEK])
{
    size_t at = 0;

    for (int i = 0; i < f->iovs && at < VNET_PEEK; i++) {
        size_t room = VNET_PEEK - at, n = f->iov[i].iov_len < room ? f->iov[i].iov_len : room;

        memcpy(head + at, f->iov[i].iov_base, n);
        at += n;
    }
    return at;
}

unsigned vnet_rx_runs(const struct vnet *d, unsigned pair)
{
    for (unsigned i = 0; i < d->pairs; i++) /* each of them once */
        if (virtio_answers(&d->v, vnet_rxq((pair + i) % d->pairs)))
            return (pair + i) % d->pairs;
    return pair;
}

static unsigned pair_of(const struct vnet *d, const uint8_t *head, size_t len)
{
    unsigned flow, pair;

    if (d->in_use == 1)
        return 0;
    flow = vnet_flow(head, len) % VNET_FLOWS;
    pair = (d->flow[flow] ? d->flow[flow] - 1u : flow) % d->in_use;
    return d->all ? vnet_rx_runs(d, pair) : pair;
}

bool vnet_recv(void *vnet, const struct net_frame *f)
{
    struct vnet *d = vnet;
    uint8_t head[VNET_PEEK];
    size_t n = peek(f, head);
    unsigned pair;
    struct vnet_ring *r;
    struct vq *q;
    int got;

    if (!virtio_running(&d->v) || !vnet_wants(d, head, n))
        return true; /* nobody's frame: gone by */
    pair = pair_of(d, head, n);
    r = &d->rx[pair];
    q = &d->v.queue[vnet_rxq(pair)].vq;
    if (!virtio_answers(&d->v, vnet_rxq(pair)) || f->len > NET_FRAME_MAX)
        return true;
    vq_quiet(q);
    got = gather(d, r, q, HDR_LEN + f->len);
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken ? q->broken : "a receive buffer without a header");
    if (got == 0 && r->stashed < VNET_MERGE) {
        if (vq_listen(q)) /* some came just now */
            virtio_again(&d->v, vnet_rxq(pair));
        return false;
    }
    if (got > 0 &&
        (virtio_has(&d->v, VIRTIO_NET_F_MRG_RXBUF) || r->stash[0].in_len >= HDR_LEN + f->len)) {
        put(r, q, f, buffers_for(r, HDR_LEN + f->len));
        d->touched |= 1u << pair;
    }
    return true; /* taken, or too long for any buffer there will be */
}

/* ---- several at once ---- */

/* How many of the first go to one pair, and to which. */
static unsigned run_of(const struct vnet *d, const struct net_frame *f, unsigned frames,
                       unsigned *pair)
{
    uint8_t head[VNET_PEEK];
    unsigned n = 1;

    *pair = 0;
    if (d->in_use == 1 || !d->all)
        return frames;
    *pair = pair_of(d, head, peek(f, head));
    while (n < frames && pair_of(d, head, peek(&f[n], head)) == *pair)
        n++;
    return n;
}

/* Nobody else is to be asked which frame, which buffer: of what comes together. */
static bool is_simple(const struct vnet *d, unsigned pair)
{
    return d->all && !d->rx[pair].stashed && virtio_running(&d->v) &&
           virtio_answers(&d->v, vnet_rxq(pair));
}

/* A buffer of one piece that has room for the whole frame. False: see vnet_recv. */
static bool put_simple(struct vnet_ring *r, struct vq *q, const struct net_frame *f)
{
    struct vq_chain *c = r->stash;
    uint8_t hdr[HDR_LEN];
    struct dma_parts p = {hdr, HDR_LEN, f->iov, f->iovs, HDR_LEN + f->len};

    if (f->todo || f->len > NET_FRAME_MAX || vq_pop(q, c) <= 0)
        return false;
    if (c->ins != 1 || c->in_len < HDR_LEN + f->len) {
        vq_unpop(q, c);
        return false;
    }
    header(hdr, f, 1);
    vq_put_parts(q, c, &p); /* not RAM: as put */
    vq_push(q, c->head, (uint32_t)(HDR_LEN + f->len));
    return true;
}

/* A run; how many were taken. */
static unsigned run_put(struct vnet *d, unsigned pair, const struct net_frame *f, unsigned frames)
{
    struct vq *q = &d->v.queue[vnet_rxq(pair)].vq;
    unsigned n = 0;

    if (is_simple(d, pair)) {
        vq_quiet(q);
        vq_ahead(q, frames, true);
        while (n < frames && put_simple(&d->rx[pair], q, &f[n]))
            n++;
        d->touched |= n ? 1u << pair : 0;
    }
    while (n < frames && vnet_recv(d, &f[n]))
        n++;
    return n;
}

unsigned vnet_recv_all(void *vnet, const struct net_frame *f, unsigned frames)
{
    struct vnet *d = vnet;
    unsigned n = 0;

    while (n < frames) { /* each round takes one at least, or is the last */
        unsigned pair, run = run_of(d, &f[n], frames - n, &pair);
        unsigned got = run_put(d, pair, &f[n], run);

        n += got;
        if (got < run)
            break;
    }
    return n;
}

void vnet_recv_end(void *vnet)
{
    struct vnet *d = vnet;

    for (unsigned i = 0; i < d->pairs; i++)
        if (d->touched >> i & 1)
            virtio_done(&d->v, vnet_rxq(i));
    d->touched = 0;
}
