/*
 * virtio-vsock: VIRTIO 1.2, section 5.10. Life, configuration, queues; connections are
 * vsock_conn.c's, packets vsock_tx.c's and vsock_rx.c's. The host is CID 2; whom else the guest can
 * reach, the backend knows.
 *
 * Connections are this process's: a loaded state has none, and tells the driver so by a transport
 * reset (5.10.6.7). Left out: SEQPACKET, which is not offered, and answered with RST.
 */
#include "virtio/vsock.h"
#include "core/ledger.h"
#include "core/state.h"
#include "virtio/vsock_impl.h"
#include <errno.h>
#include <stdlib.h>

enum { CFG_GUEST_CID = 0, CFG_LEN = 8 };

/* 5.10.6.7: waits for a buffer, as all that goes to the driver. */
static void event_tell(struct vsock *d)
{
    struct vq *q = &d->v.queue[VSOCK_EVENTQ].vq;
    uint8_t id[VSOCK_EVENT_LEN];
    int got;

    if (!d->event || !virtio_answers(&d->v, VSOCK_EVENTQ))
        return;
    got = vq_pop(q, &d->chain);
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    if (got <= 0)
        return;
    le32_put(id, VSOCK_EVENT_TRANSPORT_RESET);
    d->event = vq_put(q, &d->chain, 0, id, sizeof(id)) != 0; /* too short: the next one */
    vq_push(q, d->chain.head, d->event ? 0 : sizeof(id));
    virtio_done(&d->v, VSOCK_EVENTQ);
}

/* ---- what the backend calls ---- */

static void conn_ready(struct vsock_conn *c, unsigned what)
{
    if (c->phase == VSOCK_CALLING) {
        if (what & VSK_OPEN) {
            c->phase = VSOCK_OPEN;
            vsock_owe(c, OP_RESPONSE);
        } else {
            vsock_rst(c);
        }
        return;
    }
    c->gone |= (what & VSK_GONE) != 0;
    if (c->kept)
        vsock_flush(c);
    if (c->phase == VSOCK_OPEN && what & (VSK_IN | VSK_GONE) && !c->deaf && !c->ended) {
        c->reading = true;
        vsock_want(c);
    }
}

static void vsock_ready(void *conn, unsigned what)
{
    struct vsock_conn *c = conn;
    struct vsock *d = c->d;

    d->current = c;
    conn_ready(c, what);
    vsock_serve(d);
    if (d->current)
        vsock_settle(c);
    d->current = NULL;
}

/* ---- what virtio calls ---- */

static void vsock_cfg_read(void *dev, uint8_t *cfg)
{
    le64_put(cfg + CFG_GUEST_CID, ((struct vsock *)dev)->cid);
}

static void vsock_start(void *dev)
{
    event_tell(dev);
}

static void vsock_notify(void *dev, unsigned queue)
{
    struct vsock *d = dev;

    if (queue == VSOCK_TXQ)
        vsock_walk(d);
    else if (queue == VSOCK_RXQ)
        vsock_serve(d);
    else
        event_tell(d);
}

static void vsock_stop(void *dev)
{
    struct vsock *d = dev;

    vsock_close_all(d);
    d->event = false; /* a driver that starts anew has no connections */
}

/* ---- life ---- */

static void vsock_state(void *dev, struct state *st)
{
    struct vsock *d = dev;

    state_section(st, "virtio-vsock", 1);
    vport_state(&d->port, st);
    if (st->load)
        d->event = virtio_running(&d->v);
}

static void vsock_reset(void *dev)
{
    struct vsock *d = dev;

    vport_reset(&d->port);
}

static void vsock_destroy(void *dev)
{
    struct vsock *d = dev;

    vsock_close_all(d);
    d->vsk->front = (struct vsk_front){0};
    vport_detach(&d->port);
    free(d);
}

static const struct virtio_class vsock_virtio = {
    .name = "virtio-vsock",
    .id = 19,
    .pci_class = 0x078000, /* other communication device */
    .queues = VSOCK_QUEUES,
    .queue_max = VQ_SIZE_MAX,
    .cfg_len = CFG_LEN,
    .cfg_read = vsock_cfg_read,
    .start = vsock_start,
    .notify = vsock_notify,
    .reset = vsock_stop,
};

int vsock_create(struct vsock **out, const struct dev_env *env, const struct vsock_opts *o)
{
    uint64_t features = VIRTIO_BIT(VIRTIO_VSOCK_F_STREAM);
    struct vsock *d = calloc(1, sizeof(*d));
    int err = -ENOMEM;

    if (!d)
        return -ENOMEM;
    d->vsk = o->vsk;
    d->cid = o->cid;
    d->data = ledger_row(env->ledger, LEDGER_NET, env->name, "data");
    d->control = ledger_row(env->ledger, LEDGER_NET, env->name, "control");
    d->kept = ledger_row(env->ledger, LEDGER_NET, env->name, "kept");
    if (!d->data || !d->control || !d->kept)
        goto out;
    if (o->packed)
        features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    virtio_init(&d->v, &vsock_virtio, d, features, 0);
    err = vport_attach(&d->port, &d->v, env, o->mmio);
    if (err)
        goto out;
    d->vsk->front = (struct vsk_front){vsock_incoming, vsock_ready, d};
    *out = d;
    return 0;
out:
    free(d);
    return err;
}

const struct dev_class vsock_class = {
    .name = "virtio-vsock",
    .summary = "byte streams between guest and host (VIRTIO 1.2)",
    .reset = vsock_reset,
    .state = vsock_state,
    .destroy = vsock_destroy,
};
