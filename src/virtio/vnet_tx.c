/*
 * virtio-net, from the guest: VIRTIO 1.2, 5.1.6.1 and 5.1.6.2. A kick is served where it arrives:
 * the ring is walked to its end, each frame goes to the backend straight from guest memory, and the
 * burst is flushed. Work that the driver left to be done (checksum, segmentation) goes along.
 */
#include "virtio/vnet_impl.h"
#include <string.h>

/* What the header asks for. False: it asks for what was not negotiated, or for nonsense. */
static bool todo_of(const struct vnet *d, const uint8_t *hdr, struct net_frame *f)
{
    uint8_t gso = hdr[HDR_GSO_TYPE] & (uint8_t)~GSO_ECN;

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
    d->flow[vnet_flow(head, len < VNET_PEEK ? len : VNET_PEEK) % VNET_FLOWS] = (uint8_t)pair;
}

/* A frame that can't be sent is dropped, as a wire would. */
static void frame_send(struct vnet *d, const struct vq_chain *c, unsigned pair, struct vq *q)
{
    struct iovec iov[NET_SEGS_MAX];
    struct net_frame f = {.iov = iov};
    uint8_t hdr[HDR_LEN];

    if (c->out_len < HDR_LEN + NET_FRAME_MIN || c->out_len - HDR_LEN > NET_FRAME_MAX)
        return;
    if (vq_get(q, c, 0, hdr, HDR_LEN) || !todo_of(d, hdr, &f))
        return;
    f.len = c->out_len - HDR_LEN;
    f.iovs = vq_hold(q, c, false, HDR_LEN, f.len, iov, NET_SEGS_MAX);
    if (f.iovs < 0)
        return;
    flow_note(d, c, pair, q);
    net_send(d->net, &f);
}

/* Bound: one ring's worth a kick. 0, or -EINVAL: the driver must reset. */
static int walk(struct vnet *d, unsigned pair, struct vq *q)
{
    int got = 0;

    for (unsigned budget = q->conf.size; budget; budget--) {
        if (net_full(d->net)) /* vnet_room comes back to it */
            break;
        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        frame_send(d, &d->chain, pair, q);
        vq_push(q, d->chain.head, 0);
    }
    net_flush(d->net);
    virtio_done(&d->v, vnet_txq(pair));
    return got < 0 ? got : 0;
}

void vnet_send(struct vnet *d, unsigned pair)
{
    struct vq *q = &d->v.queue[vnet_txq(pair)].vq;

    vq_quiet(q);
    if (walk(d, pair, q))
        virtio_needs_reset(&d->v, q->broken);
    else if (!net_full(d->net) && vq_listen(q))
        virtio_again(&d->v, vnet_txq(pair));
}
