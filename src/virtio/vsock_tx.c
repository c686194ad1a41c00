/*
 * virtio-vsock, packets from the guest: VIRTIO 1.2, 5.10.6. A kick is served where it arrives. Each
 * header is copied once and then judged; data goes to the host straight from the guest's buffer.
 * What belongs to no connection is answered with RST. Answers wait for buffers of the guest's: a
 * connection owes at most one of each kind, and when too many RSTs wait that belong to none, the
 * walk stops until some have gone (5.10.6.1.1: so neither side can make the other keep without
 * end).
 */
#include "core/ledger.h"
#include "virtio/vsock_impl.h"
#include <errno.h>

void vsock_hdr_get(struct vsock_hdr *h, const uint8_t *p)
{
    *h = (struct vsock_hdr){
        .src_cid = le64_get(p + HDR_SRC_CID),
        .dst_cid = le64_get(p + HDR_DST_CID),
        .src_port = le32_get(p + HDR_SRC_PORT),
        .dst_port = le32_get(p + HDR_DST_PORT),
        .len = le32_get(p + HDR_DATA),
        .type = le16_get(p + HDR_TYPE),
        .op = le16_get(p + HDR_OP),
        .flags = le32_get(p + HDR_FLAGS),
        .buf_alloc = le32_get(p + HDR_BUF_ALLOC),
        .fwd_cnt = le32_get(p + HDR_FWD_CNT),
    };
}

/* The walk made sure of a place. */
static void stray(struct vsock *d, const struct vsock_hdr *h)
{
    if (h->op == OP_RST || d->strays == VSOCK_STRAYS)
        return;
    d->stray[d->strays++] = (struct vsock_hdr){.src_cid = h->dst_cid,
                                               .dst_cid = h->src_cid,
                                               .src_port = h->dst_port,
                                               .dst_port = h->src_port,
                                               .type = h->type,
                                               .op = OP_RST};
    ledger_refuse(d->control);
}

static void reset(struct vsock_conn *c)
{
    ledger_refuse(c->d->control);
    vsock_rst(c);
}

/*
 * 5.10.6.3: what the guest says of its room. More forwarded than was ever sent is a lie; less than
 * it said before is a packet that was overtaken. False: the connection was reset.
 */
static bool credit(struct vsock_conn *c, const struct vsock_hdr *h)
{
    uint32_t flying = c->sent - h->fwd_cnt;
    bool had = vsock_credit(c);

    if (flying > VSOCK_CREDIT_MAX) {
        reset(c);
        return false;
    }
    if (flying <= c->sent - c->peer_fwd)
        c->peer_fwd = h->fwd_cnt;
    c->alloc = h->buf_alloc < VSOCK_CREDIT_MAX ? h->buf_alloc : VSOCK_CREDIT_MAX;
    if (!had && vsock_credit(c)) {
        c->asked = false;
        if (c->reading)
            vsock_want(c);
    }
    return true;
}

static void request(struct vsock *d, const struct vsock_hdr *h)
{
    struct vsock_conn *c = vsock_conn_new(d, h->dst_cid, h->dst_port, h->src_port);
    int err;

    if (!c) {
        stray(d, h);
        return;
    }
    err = d->vsk->ops->connect(d->vsk, h->dst_cid, h->dst_port, &c->end);
    if (err && err != -EINPROGRESS) {
        c->end = NULL;
        reset(c); /* nobody is there */
        return;
    }
    c->end->conn = c;
    c->alloc = h->buf_alloc < VSOCK_CREDIT_MAX ? h->buf_alloc : VSOCK_CREDIT_MAX;
    c->phase = err ? VSOCK_CALLING : VSOCK_OPEN;
    if (!err)
        vsock_owe(c, OP_RESPONSE);
}

static void response(struct vsock_conn *c)
{
    if (c->phase != VSOCK_ASKED) {
        reset(c);
        return;
    }
    c->phase = VSOCK_OPEN;
    c->end->vsk->ops->accepted(c->end, c->host_port);
}

static void data(struct vsock_conn *c, const struct vsock_hdr *h, struct vq *q)
{
    struct vsock *d = c->d;
    struct iovec iov[VSOCK_IOVS];
    int n = -EINVAL;

    ledger_add(d->data, true, h->len);
    if (c->phase == VSOCK_OPEN && !c->mute && h->len <= c->room - c->kept)
        n = vq_hold(q, &d->chain, false, HDR_LEN, h->len, iov, VSOCK_IOVS);
    if (n < 0 || (h->len && vsock_write(c, iov, n, h->len)))
        reset(c);
}

/* Both directions over: the guest is told so at once, and the host gets what is kept. */
static void shutdown_both(struct vsock_conn *c)
{
    vsock_flush(c);
    vsock_over(c, true);
    vsock_owe(c, OP_RST);
}

static void over(struct vsock_conn *c, const struct vsock_hdr *h)
{
    c->deaf |= (h->flags & SHUTDOWN_RECEIVE) != 0;
    c->mute |= (h->flags & SHUTDOWN_SEND) != 0;
    if (c->phase != VSOCK_OPEN)
        reset(c);
    else if (c->deaf && c->mute)
        shutdown_both(c);
    else if (c->deaf)
        c->reading = false;
    else if (c->mute)
        vsock_flush(c);
}

static void of_conn(struct vsock_conn *c, const struct vsock_hdr *h, struct vq *q)
{
    if (h->op != OP_RST && !credit(c, h))
        return;
    switch (h->op) {
    case OP_RESPONSE: response(c); break;
    case OP_RST: vsock_over(c, c->mute); break;
    case OP_SHUTDOWN: over(c, h); break;
    case OP_RW: data(c, h, q); break;
    case OP_CREDIT_UPDATE: break;
    case OP_CREDIT_REQUEST: vsock_owe(c, OP_CREDIT_UPDATE); break;
    default: reset(c); /* a second REQUEST, or no operation there is */
    }
}

static void packet(struct vsock *d, struct vq *q)
{
    uint8_t raw[HDR_LEN];
    struct vsock_hdr h;
    struct vsock_conn *c;

    if (vq_get(q, &d->chain, 0, raw, HDR_LEN))
        return; /* less than a header: nobody's */
    vsock_hdr_get(&h, raw);
    if (h.op != OP_RW)
        ledger_add(d->control, true, 0);
    if (h.src_cid != d->cid)
        return; /* 5.10.6.2: not in the guest's name */
    c = h.type == VSOCK_TYPE_STREAM ? vsock_find(d, h.dst_cid, h.dst_port, h.src_port) : NULL;
    if (c && c->phase == VSOCK_DEAD)
        return; /* its RST is on the way */
    if (c) {
        of_conn(c, &h, q);
        vsock_settle(c);
    } else if (h.type == VSOCK_TYPE_STREAM && h.op == OP_REQUEST) {
        request(d, &h);
    } else {
        stray(d, &h);
    }
}

/* Bound: one ring's worth a kick. */
void vsock_walk(struct vsock *d)
{
    struct vq *q = &d->v.queue[VSOCK_TXQ].vq;
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size && !d->tx_stopped; n++) {
        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        packet(d, q);
        vq_push(q, d->chain.head, 0);
        virtio_done(&d->v, VSOCK_TXQ);
        d->tx_stopped = d->strays == VSOCK_STRAYS;
    }
    vsock_serve(d);
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (!d->tx_stopped && vq_listen(q))
        virtio_again(&d->v, VSOCK_TXQ);
}
