/*
 * A NIC of the hypercall family: whole Ethernet frames, finished ones only. A frame that comes goes
 * into the oldest read that waits in a ring; else it is kept for a read to come, up to KEPT, and
 * then by the backend.
 */
#include "back/net.h"
#include "core/ledger.h"
#include "core/state.h"
#include "pv/impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MTU = 1500, FRAME_MAX = MTU + 18, KEPT = 64 };

struct frame {
    uint16_t len;
    uint8_t data[FRAME_MAX];
};

struct pv_nic {
    struct pv_dev dev;
    struct net *net;
    uint8_t mac[6];
    bool sent;             /* since the last flush */
    unsigned first, count; /* of those kept */
    struct frame kept[KEPT];
};

static struct pv_nic *nic_of(struct pv_dev *d)
{
    return container_of(d, struct pv_nic, dev);
}

/* ---- to the network ---- */

static void send(struct pv_nic *n, struct pv_req *r)
{
    struct net_frame f = {.iov = &r->iov, .iovs = 1, .len = r->len};
    int32_t bad = r->len < NET_FRAME_MIN || r->len > FRAME_MAX ? PV_E_LENGTH : 0;

    if (!bad && dma_hold(&n->dev.dma, r->z, r->len, false, &r->iov, 1) != 1)
        bad = PV_E_ADDRESS;
    if (!bad && !net_send(n->net, &f))
        bad = PV_E_MEDIA;
    n->sent |= !bad;
    n->dev.pv->sent |= !bad;
    pv_end(r, bad, bad ? 0 : r->len);
}

static void write_start(struct pv_nic *n, struct pv_req *r)
{
    if (!n->dev.writes.first && !net_full(n->net))
        send(n, r);
    else if (r->form == PV_FORM_RING)
        pv_wait(&n->dev.writes, r);
    else
        pv_end_now(r, PV_E_ROOM);
}

static void nic_after(struct pv_dev *dev)
{
    struct pv_nic *n = nic_of(dev);

    if (n->sent)
        net_flush(n->net);
    n->sent = false;
}

/* Bound: the units in flight. */
static void nic_room(void *front)
{
    struct pv_nic *n = front;

    while (n->dev.writes.first && !net_full(n->net))
        send(n, pv_next(&n->dev.writes));
    pv_after(n->dev.pv);
}

/* ---- from it ---- */

static void give(struct pv_nic *n, struct pv_req *r, const struct net_frame *f)
{
    uint32_t at = 0;

    if (f->len > r->len) { /* the frame is lost, as in a buffer too short on any NIC */
        pv_end_now(r, PV_E_ROOM);
        return;
    }
    for (int i = 0; i < f->iovs; i++) {
        if (dma_write(&n->dev.dma, r->z + at, f->iov[i].iov_base, f->iov[i].iov_len)) {
            pv_end_now(r, PV_E_ADDRESS);
            return;
        }
        at += (uint32_t)f->iov[i].iov_len;
    }
    pv_end(r, 0, at);
}

static void keep(struct pv_nic *n, const struct net_frame *f)
{
    struct frame *k = &n->kept[(n->first + n->count++) % KEPT];

    k->len = 0;
    for (int i = 0; i < f->iovs; i++) {
        memcpy(k->data + k->len, f->iov[i].iov_base, f->iov[i].iov_len);
        k->len = (uint16_t)(k->len + f->iov[i].iov_len);
    }
}

static bool nic_recv(void *front, const struct net_frame *f)
{
    struct pv_nic *n = front;
    struct pv_req *r;

    if (f->len > FRAME_MAX)
        return true; /* more than this wire carries: lost */
    if (!n->count && (r = pv_next(&n->dev.reads))) {
        give(n, r, f);
        return true;
    }
    if (n->count == KEPT)
        return false;
    keep(n, f);
    return true;
}

static void nic_recv_end(void *front)
{
    struct pv_nic *n = front;

    pv_ring_show(n->dev.pv);
}

static void kept_give(struct pv_nic *n, struct pv_req *r)
{
    struct frame *k = &n->kept[n->first];
    struct iovec iov = {k->data, k->len};
    struct net_frame f = {.iov = &iov, .iovs = 1, .len = k->len};
    bool was_full = n->count == KEPT;

    n->first = (n->first + 1) % KEPT;
    n->count--;
    give(n, r, &f);
    if (was_full)
        net_ready(n->net);
}

static bool nic_fits(struct pv_dev *dev, struct pv_req *r)
{
    struct iovec iov;

    return r->len && r->len <= UINT16_MAX &&
           dma_hold(&dev->dma, r->z, r->len, r->y == PV_READ, &iov, 1) == 1;
}

static void read_start(struct pv_nic *n, struct pv_req *r)
{
    if (!r->len || r->len > UINT16_MAX)
        pv_end_now(r, PV_E_LENGTH);
    else if (!nic_fits(&n->dev, r))
        pv_end_now(r, PV_E_ADDRESS);
    else if (n->count)
        kept_give(n, r);
    else if (r->form == PV_FORM_RING)
        pv_wait(&n->dev.reads, r);
    else
        pv_end_now(r, PV_E_AGAIN);
}

/* ---- the device ---- */

static void nic_start(struct pv_dev *dev, struct pv_req *r)
{
    struct pv_nic *n = nic_of(dev);

    if ((r->cmd & ~(PV_CMD_WAIT | PV_CMD_INTR)) != PV_CMD_START || r->y > PV_WRITE)
        pv_end_now(r, PV_E_COMMAND);
    else if (r->y == PV_WRITE)
        write_start(n, r);
    else
        read_start(n, r);
}

static void nic_info(struct pv_dev *dev, struct pv_device *out)
{
    memcpy(out->mac, nic_of(dev)->mac, sizeof(out->mac));
    out->mtu = MTU;
    out->len_max = FRAME_MAX;
}

static void nic_reset(struct pv_dev *dev)
{
    struct pv_nic *n = nic_of(dev);
    bool was_full = n->count == KEPT;

    n->count = 0;
    if (was_full)
        net_ready(n->net);
}

/* Frames that nobody has read are lost, as on a wire. */
static void nic_state(struct pv_dev *dev, struct state *st)
{
    if (st->load)
        nic_reset(dev);
}

static void nic_destroy(struct pv_dev *dev)
{
    struct pv_nic *n = nic_of(dev);

    net_attach(n->net, NULL);
    free(n);
}

static const struct pv_dev_ops nic_ops = {
    .kind = PV_KIND_NET,
    .start = nic_start,
    .fits = nic_fits,
    .info = nic_info,
    .after = nic_after,
    .state = nic_state,
    .reset = nic_reset,
    .destroy = nic_destroy,
};

int pv_net_add(struct pv *p, const char *name, struct net *net, const uint8_t mac[6])
{
    struct pv_nic *n = calloc(1, sizeof(*n));
    int err = n ? pv_dev_init(p, &n->dev, &nic_ops, name) : -ENOMEM;
    const struct net_front front = {
        .recv = nic_recv, .recv_end = nic_recv_end, .room = nic_room, .front = n};

    if (err) {
        free(n);
        return err;
    }
    n->net = net;
    memcpy(n->mac, mac, sizeof(n->mac));
    net_attach(net, &front);
    return 0;
}
