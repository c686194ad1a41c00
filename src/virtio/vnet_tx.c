/*
 * virtio-net, from the guest: VIRTIO 1.2, 5.1.6.1 and 5.1.6.2. A kick is served where it arrives:
 * the ring is walked to its end, each frame goes to the backend straight from guest memory, and the
 * burst is flushed. Work that the driver left to be done (checksum, segmentation) goes along.
 *
 * A driver that kicks for every single frame, one close upon the other, is asked for no kicks for a
 * while: the ring is looked at by a timer, and a walk then costs one system call and one interrupt
 * for all that has come. As soon as there is little to find, kicks are wanted again. A frame waits
 * WAIT_NS at most for that; whoever sends and waits for an answer never kicks so fast.
 */
#include "virtio/vnet_impl.h"
#include <string.h>

enum {
    CLOSE_NS = 30000, /* kicks this close … */
    STREAK = 16,      /* … so many in a row: the timer takes over, */
    WAIT_NS = 100000, /* every so often, */
    FEW = 4,          /* as long as it finds as many frames each time */
};

enum { WALK = 2 * NET_BURST }; /* frames a walk of a ring that is looked at all the time */

/* What the header asks for. False: it asks for what was not negotiated, or for nonsense. */
static bool todo_of(const struct vnet *d, const uint8_t *hdr, struct net_frame *f)
{
    uint8_t gso = hdr[HDR_GSO_TYPE] & (uint8_t)~GSO_ECN;

    if (!(hdr[HDR_FLAGS] & HDR_F_NEEDS_CSUM) && gso == GSO_NONE)
        return true;
    f->csum_start = le16_get(hdr + HDR_CSUM_START);
    f->csum_offset = le16_get(hdr + HDR_CSUM_OFFSET);
    f->gso_size = le16_get(hdr + HDR_GSO_SIZE);
    f->hdr_len = le16_get(hdr + HDR_HDR_LEN);
    if (hdr[HDR_FLAGS] & HDR_F_NEEDS_CSUM) {
        if (!virtio_has(&d->v, VIRTIO_NET_F_CSUM))
            return false;
        f->todo |= NET_CSUM;
    }
    switch (gso) {
    case GSO_NONE: return true;
    case GSO_TCPV4: f->todo |= NET_TSO4; return virtio_has(&d->v, VIRTIO_NET_F_HOST_TSO4);
    case GSO_TCPV6: f->todo |= NET_TSO6; return virtio_has(&d->v, VIRTIO_NET_F_HOST_TSO6);
    default: return false;
    }
}

static void flow_note(struct vnet *d, const struct vq_chain *c, unsigned pair, struct vq *q)
{
    uint8_t head[VNET_PEEK];
    uint64_t len = c->out_len - HDR_LEN;

    if (d->in_use == 1 || vq_get(q, c, HDR_LEN, head, len < VNET_PEEK ? len : VNET_PEEK))
        return;
    d->flow[vnet_flow(head, len < VNET_PEEK ? len : VNET_PEEK) % VNET_FLOWS] = (uint8_t)(pair + 1);
}

/* The chain at hand as the burst's next frame; one that can't be sent is dropped, as a wire would.
 * Says what it costs of a quota. */
static size_t frame_take(struct vnet *d, unsigned pair, struct vq *q)
{
    const struct vq_chain *c = &d->chain;
    struct vnet_burst *b = &d->burst;
    struct iovec *iov = b->iov + b->iovs;
    struct net_frame *f = &b->f[b->frames];
    uint8_t hdr[HDR_LEN];
    struct vq_peel peel = {hdr, HDR_LEN, iov, NET_SEGS_MAX};

    if (c->out_len < HDR_LEN + NET_FRAME_MIN || c->out_len - HDR_LEN > NET_FRAME_MAX)
        return 0;
    *f = (struct net_frame){.iov = iov, .len = c->out_len - HDR_LEN};
    f->iovs = vq_peel(q, c, &peel);
    if (f->iovs < 0 || !todo_of(d, hdr, f))
        return 0;
    flow_note(d, c, pair, q);
    b->frames++;
    b->iovs += (unsigned)f->iovs;
    return f->len + NET_COST;
}

/* Takes what the backend may be given at once, at most `most`. As vq_pop. */
static int burst_take(struct vnet *d, unsigned pair, struct vq *q, unsigned most)
{
    struct vnet_burst *b = &d->burst;
    size_t quota = net_quota(d->net), spent = 0;
    int got = 0;

    b->heads = b->frames = b->iovs = 0;
    if (quota > 1)
        vq_ahead(q, most, false);
    while (b->heads < most && spent < quota && b->iovs <= NET_BURST) {
        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        b->head[b->heads++] = d->chain.head;
        spent += frame_take(d, pair, q);
    }
    return got;
}

static void burst_send(struct vnet *d, struct vq *q)
{
    struct vnet_burst *b = &d->burst;

    net_send_all(d->net, b->f, b->frames);
    for (unsigned i = 0; i < b->heads; i++)
        vq_push(q, b->head[i], 0);
}

/* Bound: one ring's worth a kick. How many frames, or -EINVAL: the driver must reset. */
static int walk(struct vnet *d, unsigned pair, struct vq *q)
{
    unsigned n = 0, most = q->polled && q->conf.size > WALK ? WALK : q->conf.size;
    int got = 1;

    while (n < most && got > 0) {
        got = burst_take(d, pair, q, most - n < NET_BURST ? most - n : NET_BURST);
        burst_send(d, q);
        n += d->burst.heads;
    }
    net_flush(d->net);
    virtio_done(&d->v, vnet_txq(pair));
    return got < 0 ? got : (int)n;
}

/* wait: look again after a while instead of asking for a kick. */
static int serve(struct vnet *d, unsigned pair, bool wait)
{
    struct vq *q = &d->v.queue[vnet_txq(pair)].vq;
    int n;

    vq_quiet(q);
    n = walk(d, pair, q);
    if (n < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (net_full(d->net))
        return n;
    else if (wait)
        loop_timer_set(&d->tx[pair].timer, loop_now(d->v.loop) + WAIT_NS);
    else if (vq_listen(q))
        virtio_again(&d->v, vnet_txq(pair));
    return n;
}

/* So few that asking for kicks costs less than looking: back to that. */
static void on_timer(void *arg)
{
    struct vnet_tx *t = arg;
    unsigned txq = vnet_txq(t->pair);

    if (!virtio_running(&t->d->v) || !virtio_answers(&t->d->v, txq))
        return;
    if (serve(t->d, t->pair, true) >= FEW)
        return;
    loop_timer_stop(&t->timer);
    t->streak = 0;
    virtio_again(&t->d->v, txq);
}

void vnet_send(struct vnet *d, unsigned pair)
{
    struct vnet_tx *t = &d->tx[pair];
    uint64_t now = loop_now(d->v.loop);

    if (t->timer.due)
        return; /* it comes soon */
    t->streak = now - t->kicked < CLOSE_NS ? t->streak + 1 : 0;
    t->kicked = now;
    serve(d, pair, t->streak >= STREAK && !d->v.queue[vnet_txq(pair)].vq.polled);
}

void vnet_tx_make(struct vnet *d, struct loop *loop)
{
    for (unsigned i = 0; i < d->pairs; i++) {
        d->tx[i] = (struct vnet_tx){.d = d, .pair = i};
        loop_timer_init(&d->tx[i].timer, loop, on_timer, &d->tx[i]);
    }
}

void vnet_tx_forget(struct vnet *d, unsigned pair)
{
    loop_timer_stop(&d->tx[pair].timer);
    d->tx[pair].streak = 0;
}
