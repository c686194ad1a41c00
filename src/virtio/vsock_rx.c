/*
 * virtio-vsock, packets to the guest: VIRTIO 1.2, 5.10.6. The guest's buffers are small (Linux: one
 * page), so one read of the host's socket fills several of them, in place: as many as the last read
 * needed, and twice that when it filled them all. Without buffers the driver is asked for a kick;
 * while there are some it is asked for none.
 */
#include "core/ledger.h"
#include "virtio/vsock_impl.h"
#include <errno.h>

static struct vq *ring(struct vsock *d)
{
    return &d->v.queue[VSOCK_RXQ].vq;
}

static void put_hdr(struct vsock *d, const struct vq_chain *chain, const struct vsock_hdr *h)
{
    uint8_t p[HDR_LEN];

    le64_put(p + HDR_SRC_CID, h->src_cid);
    le64_put(p + HDR_DST_CID, h->dst_cid);
    le32_put(p + HDR_SRC_PORT, h->src_port);
    le32_put(p + HDR_DST_PORT, h->dst_port);
    le32_put(p + HDR_DATA, h->len);
    le16_put(p + HDR_TYPE, h->type);
    le16_put(p + HDR_OP, h->op);
    le32_put(p + HDR_FLAGS, h->flags);
    le32_put(p + HDR_BUF_ALLOC, h->buf_alloc);
    le32_put(p + HDR_FWD_CNT, h->fwd_cnt);
    vq_put(ring(d), chain, 0, p, HDR_LEN); /* not RAM: the driver's own loss */
    vq_push(ring(d), chain->head, HDR_LEN + h->len);
    virtio_done(&d->v, VSOCK_RXQ);
    ledger_add(h->op == OP_RW ? d->data : d->control, false, h->len);
}

/* 1: chain has room for a header; 0: none is there; -EINVAL: the driver must reset. */
static int buffer(struct vsock *d, struct vq_chain *chain)
{
    int got = virtio_answers(&d->v, VSOCK_RXQ) ? vq_pop(ring(d), chain) : 0;

    if (got > 0 && chain->in_len < HDR_LEN)
        got = -EINVAL;
    if (got < 0)
        virtio_needs_reset(&d->v,
                           ring(d)->broken ? ring(d)->broken : "a receive buffer without a header");
    return got;
}

static void conn_hdr(struct vsock_conn *c, unsigned op, struct vsock_hdr *h)
{
    *h = (struct vsock_hdr){.src_cid = c->cid,
                            .dst_cid = c->d->cid,
                            .src_port = c->host_port,
                            .dst_port = c->guest_port,
                            .type = VSOCK_TYPE_STREAM,
                            .op = (uint16_t)op,
                            .buf_alloc = c->room,
                            .fwd_cnt = c->fwd};
    c->told = c->fwd;
    c->owe &= ~(1u << OP_CREDIT_UPDATE); /* each packet says as much */
}

/* ---- what is owed ---- */

static const uint8_t order[] = {OP_RST,           OP_REQUEST,        OP_RESPONSE,
                                OP_CREDIT_UPDATE, OP_CREDIT_REQUEST, OP_SHUTDOWN};

static int owed_send(struct vsock_conn *c)
{
    struct vq_chain *chain = &c->d->batch[0];
    struct vsock_hdr h;
    unsigned i = 0;
    int got = buffer(c->d, chain);

    if (got <= 0)
        return got;
    while (i < ARRAY_LEN(order) - 1 && !(c->owe >> order[i] & 1))
        i++;
    conn_hdr(c, order[i], &h);
    if (order[i] == OP_SHUTDOWN)
        h.flags = c->gone ? SHUTDOWN_BOTH : SHUTDOWN_SEND;
    c->owe &= ~(1u << order[i]);
    put_hdr(c->d, chain, &h);
    return 1;
}

static int stray_send(struct vsock *d)
{
    int got = buffer(d, &d->batch[0]);

    if (got > 0)
        put_hdr(d, &d->batch[0], &d->stray[--d->strays]);
    if (got > 0 && d->tx_stopped) {
        d->tx_stopped = false;
        virtio_again(&d->v, VSOCK_TXQ);
    }
    return got;
}

/* ---- data ---- */

/* Buffers for at most the guest's credit: how many chains, and their data as iovecs. */
static int gather(struct vsock_conn *c, struct iovec *iov, int *iovs)
{
    struct vsock *d = c->d;
    uint32_t credit = vsock_credit(c);
    unsigned n = 0;
    int got = 1;

    *iovs = 0;
    while (n < c->burst && credit && *iovs < VSOCK_IOVS) {
        struct vq_chain *chain = &d->batch[n];
        uint64_t room;
        int held;

        got = buffer(d, chain);
        if (got <= 0)
            break;
        room = chain->in_len - HDR_LEN < credit ? chain->in_len - HDR_LEN : credit;
        held = vq_hold(ring(d), chain, true, HDR_LEN, room, iov + *iovs, VSOCK_IOVS - *iovs);
        if (held == -E2BIG && n) {
            vq_unpop(ring(d), chain);
            break;
        }
        if (held <= 0) { /* not RAM, or a header alone */
            virtio_needs_reset(&d->v, "a receive buffer that can't hold data");
            return -EINVAL;
        }
        *iovs += held;
        credit -= (uint32_t)room;
        n++;
    }
    return got < 0 ? got : (int)n;
}

static void spread(struct vsock_conn *c, unsigned chains, size_t bytes)
{
    struct vsock *d = c->d;
    unsigned used = 0;

    for (struct vsock_hdr h; bytes; used++) { /* ends: the buffers hold what was read */
        const struct vq_chain *chain = &d->batch[used];
        uint64_t room = chain->in_len - HDR_LEN;

        conn_hdr(c, OP_RW, &h);
        h.len = (uint32_t)(bytes < room ? bytes : room);
        vq_drop(ring(d), chain, HDR_LEN, h.len);
        put_hdr(d, chain, &h);
        c->sent += h.len;
        bytes -= h.len;
    }
    while (chains > used) /* the newest first */
        vq_unpop(ring(d), &d->batch[--chains]);
}

static void end_read(struct vsock_conn *c, ssize_t why)
{
    c->reading = false;
    if (why == -EAGAIN)
        return;
    c->ended = true;
    if (why < 0)
        vsock_rst(c);
    else
        vsock_owe(c, OP_SHUTDOWN);
}

/* had: buffers of the last read. */
static void burst_next(struct vsock_conn *c, int had, bool filled)
{
    if (filled && (unsigned)had == c->burst && c->burst < VSOCK_BATCH)
        c->burst *= 2;
    else if (!filled && c->burst > 1)
        c->burst /= 2;
}

/* 1, 0: no buffers, -EINVAL. */
static int data_send(struct vsock_conn *c)
{
    struct iovec iov[VSOCK_IOVS];
    size_t room = 0;
    int iovs, n = gather(c, iov, &iovs);
    ssize_t got;

    if (n <= 0)
        return n;
    for (int i = 0; i < iovs; i++)
        room += iov[i].iov_len;
    got = c->end->vsk->ops->read(c->end, iov, iovs);
    if (got > 0)
        ledger_copy(c->d->data, (uint64_t)got);
    spread(c, (unsigned)n, got > 0 ? (size_t)got : 0);
    if (got <= 0)
        end_read(c, got);
    else if ((size_t)got < room)
        c->reading =
            c->gone || !vsock_credit(c); /* no more for now; or credit is to be asked for */
    burst_next(c, n, got > 0 && (size_t)got == room);
    return 1;
}

/* One packet, or one batch of data. 1, 0: no buffers, -EINVAL. */
static int turn(struct vsock_conn *c)
{
    int got = 1;

    if (c->owe)
        got = owed_send(c);
    else if (c->reading && vsock_credit(c))
        got = data_send(c);
    if (c->reading && !vsock_credit(c) && !c->asked && !c->owe) {
        c->asked = true;
        vsock_owe(c, OP_CREDIT_REQUEST);
    }
    return got;
}

/* Bound: a ring's worth of turns; the rest comes from deferred work. */
static int turns(struct vsock *d)
{
    unsigned left = VQ_SIZE_MAX;
    int got = 1;

    for (; left && d->strays && got > 0; left--)
        got = stray_send(d);
    for (; left && d->first && got > 0; left--) {
        struct vsock_conn *c = d->first;

        got = turn(c);
        if (got <= 0)
            break;
        vsock_unwant(c);
        if (c->owe || (c->reading && vsock_credit(c)))
            vsock_want(c); /* behind the others */
        vsock_settle(c);
    }
    if (!left)
        virtio_again(&d->v, VSOCK_RXQ);
    return got;
}

void vsock_serve(struct vsock *d)
{
    struct vq *q = ring(d);

    if (!virtio_running(&d->v) || !virtio_answers(&d->v, VSOCK_RXQ) || !(d->first || d->strays))
        return;
    vq_quiet(q);
    if (!turns(d) && vq_listen(q))
        virtio_again(&d->v, VSOCK_RXQ);
}
