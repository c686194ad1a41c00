/*
 * virtio-net: VIRTIO 1.2, section 5.1. Life and configuration; frames are vnet_tx.c's and
 * vnet_rx.c's, the control queue is vnet_ctrl.c's. Queues: receive and transmit of each pair, then
 * control, whose number depends on whether MQ was negotiated.
 *
 * Whatever the backend can't do, net_send does; so checksum and segmentation are always offered.
 * Left out: UFO and USO, receive-side coalescing, RSS and hash reports, MTU, standby, and ECN.
 */
#include "virtio/vnet.h"
#include "core/state.h"
#include "virtio/vnet_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { /* 5.1.4 configuration */
       CFG_MAC = 0,
       CFG_STATUS = 6,
       CFG_MAX_PAIRS = 8,
       CFG_LEN = 12,
};
enum { STATUS_LINK_UP = 1, STATUS_ANNOUNCE = 2 };

static const uint64_t guest_offloads = VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) |
                                       VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
                                       VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6);

/* ---- what the backend calls ---- */

/* The other end came back: whoever switches there must learn our address anew (5.1.6.5.4). */
static void vnet_link(void *vnet, bool up)
{
    struct vnet *d = vnet;

    if (up && virtio_has(&d->v, VIRTIO_NET_F_GUEST_ANNOUNCE))
        d->announce = true;
    if (virtio_running(&d->v))
        virtio_config_changed(&d->v);
}

static void vnet_room(void *vnet)
{
    struct vnet *d = vnet;

    for (unsigned i = 0; i < d->in_use; i++)
        virtio_again(&d->v, vnet_txq(i));
}

void vnet_attach(struct vnet *d)
{
    struct net_front front = {.recv = vnet_recv,
                              .recv_end = vnet_recv_end,
                              .link = vnet_link,
                              .room = vnet_room,
                              .front = d};

    if (d->offloads & VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM))
        front.takes |= NET_CSUM;
    if (d->offloads & VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4))
        front.takes |= NET_TSO4;
    if (d->offloads & VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6))
        front.takes |= NET_TSO6;
    net_attach(d->net, &front);
    net_attach_burst(d->net, vnet_recv_all);
}

/* ---- which pairs ---- */

/* Nobody says how many pairs are in use where the control queue is somebody else's (vhost): they
 * are those whose rings run. A ring that comes to run is notified. */
static void pairs_look(struct vnet *d)
{
    unsigned n = d->pairs;

    while (n > 1 && !virtio_answers(&d->v, vnet_rxq(n - 1)) &&
           !virtio_answers(&d->v, vnet_txq(n - 1)))
        n--;
    d->in_use = n;
}

/* The backend may keep a frame that waited for buffers of this pair: others have some. */
static void pair_gone(struct vnet *d, unsigned pair)
{
    unsigned other = vnet_rx_runs(d, pair);

    pairs_look(d);
    if (other != pair)
        virtio_again(&d->v, vnet_rxq(other));
}

/* ---- what virtio calls ---- */

static void vnet_cfg_read(void *dev, uint8_t *cfg)
{
    const struct vnet *d = dev;

    memset(cfg, 0, CFG_LEN);
    memcpy(cfg + CFG_MAC, d->mac, 6);
    le16_put(cfg + CFG_STATUS,
             (uint16_t)((d->net->up ? STATUS_LINK_UP : 0) | (d->announce ? STATUS_ANNOUNCE : 0)));
    le16_put(cfg + CFG_MAX_PAIRS, (uint16_t)d->pairs);
}

static void vnet_start(void *dev)
{
    struct vnet *d = dev;

    d->in_use = 1; /* until the driver asks for more */
    if (d->all)
        pairs_look(d);
    d->ctrl = virtio_has(&d->v, VIRTIO_NET_F_MQ) ? 2 * d->pairs : 2;
    d->offloads = d->v.taken & guest_offloads;
    vnet_filter_reset(d);
    vnet_attach(d);
    net_ready(d->net);
}

static void vnet_notify(void *dev, unsigned queue)
{
    struct vnet *d = dev;

    if (d->all && queue / 2 >= d->in_use)
        pairs_look(d);
    if (queue == d->ctrl && virtio_has(&d->v, VIRTIO_NET_F_CTRL_VQ))
        vnet_command(d);
    else if (queue >= 2 * d->pairs)
        return;
    else if (queue & 1)
        vnet_send(d, queue / 2);
    else
        net_ready(d->net); /* receive buffers came */
}

/* Buffers in a stash go back to the ring unused: they are taken off it again later. */
static void stash_return(struct vnet *d, unsigned pair)
{
    struct vnet_ring *r = &d->rx[pair];

    while (r->stashed)
        vq_unpop(&d->v.queue[vnet_rxq(pair)].vq, &r->stash[--r->stashed]);
    vnet_rx_forget(d, pair);
}

static void vnet_queue_reset(void *dev, unsigned queue)
{
    struct vnet *d = dev;

    if (queue < 2 * d->pairs && !(queue & 1))
        stash_return(d, queue / 2);
    else if (queue < 2 * d->pairs)
        vnet_tx_forget(d, queue / 2);
    if (d->all && d->pairs > 1)
        pair_gone(d, queue / 2);
}

static void vnet_stop(void *dev)
{
    struct vnet *d = dev;

    net_attach(d->net, NULL);
    for (unsigned i = 0; i < d->pairs; i++) {
        vnet_rx_forget(d, i);
        vnet_tx_forget(d, i);
    }
    d->in_use = 1;
    d->touched = 0;
    d->announce = false;
    d->offloads = 0;
    memset(&d->filter, 0, sizeof(d->filter));
    memset(d->flow, 0, sizeof(d->flow));
}

/* ---- life ---- */

static void table_state(struct vnet_table *t, struct state *st)
{
    uint32_t used = t->used;

    state_u32(st, &used);
    state_bool(st, &t->all);
    if (st->load)
        t->used = state_check(st, used <= VNET_TABLE) ? used : 0;
    for (unsigned i = 0; i < t->used; i++)
        state_bytes(st, t->mac[i], 6);
}

static void filter_state(struct vnet_filter *f, struct state *st)
{
    state_bytes(st, f->mac, 6);
    state_bool(st, &f->promisc);
    state_bool(st, &f->allmulti);
    state_bool(st, &f->alluni);
    state_bool(st, &f->nomulti);
    state_bool(st, &f->nouni);
    state_bool(st, &f->nobcast);
    table_state(&f->uni, st);
    table_state(&f->multi, st);
    for (unsigned i = 0; i < ARRAY_LEN(f->vlan); i++)
        state_u64(st, &f->vlan[i]);
}

static void vnet_state(void *dev, struct state *st)
{
    struct vnet *d = dev;
    uint32_t in_use = d->in_use;

    for (unsigned i = 0; !st->load && i < d->pairs; i++)
        stash_return(d, i);
    state_section(st, "virtio-net", 1);
    vport_state(&d->port, st);
    state_u32(st, &in_use);
    state_u64(st, &d->offloads);
    state_bool(st, &d->announce);
    filter_state(&d->filter, st);
    if (!st->load || !state_check(st, in_use >= 1 && in_use <= d->pairs))
        return;
    d->in_use = in_use;
    d->offloads &= d->v.taken & guest_offloads;
    d->ctrl = virtio_has(&d->v, VIRTIO_NET_F_MQ) ? 2 * d->pairs : 2;
    if (virtio_running(&d->v))
        vnet_attach(d);
}

static void vnet_reset(void *dev)
{
    struct vnet *d = dev;

    vport_reset(&d->port);
}

static void vnet_destroy(void *dev)
{
    struct vnet *d = dev;

    net_attach(d->net, NULL);
    for (unsigned i = 0; i < d->pairs; i++)
        vnet_tx_forget(d, i);
    vport_detach(&d->port);
    vnet_rx_free(d);
    free(d);
}

static const struct virtio_class vnet_virtio = {
    .name = "virtio-net",
    .id = 1,
    .pci_class = 0x020000, /* Ethernet controller */
    .queues = VNET_QUEUES,
    .queue_max = VQ_SIZE_MAX,
    .cfg_len = CFG_LEN,
    .cfg_read = vnet_cfg_read,
    .start = vnet_start,
    .notify = vnet_notify,
    .queue_reset = vnet_queue_reset,
    .reset = vnet_stop,
};

static const uint64_t tso = VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
                            VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) |
                            VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6);
static const uint64_t sums = VIRTIO_BIT(VIRTIO_NET_F_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM);

static uint64_t features(const struct vnet_opts *o, unsigned pairs)
{
    static const uint8_t always[] = {
        VIRTIO_NET_F_CSUM,          VIRTIO_NET_F_GUEST_CSUM,    VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
        VIRTIO_NET_F_MAC,           VIRTIO_NET_F_GUEST_TSO4,    VIRTIO_NET_F_GUEST_TSO6,
        VIRTIO_NET_F_HOST_TSO4,     VIRTIO_NET_F_HOST_TSO6,     VIRTIO_NET_F_MRG_RXBUF,
        VIRTIO_NET_F_STATUS,        VIRTIO_NET_F_CTRL_VQ,       VIRTIO_NET_F_CTRL_RX,
        VIRTIO_NET_F_CTRL_VLAN,     VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_GUEST_ANNOUNCE,
        VIRTIO_NET_F_CTRL_MAC_ADDR,
    };
    uint64_t f = o->packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0;

    for (unsigned i = 0; i < ARRAY_LEN(always); i++)
        f |= VIRTIO_BIT(always[i]);
    if (o->less >= VNET_LESS_TSO)
        f &= ~tso;
    if (o->less >= VNET_LESS_CSUM)
        f &= ~sums;
    return pairs > 1 ? f | VIRTIO_BIT(VIRTIO_NET_F_MQ) : f;
}

int vnet_create(struct vnet **out, const struct dev_env *env, const struct vnet_opts *o)
{
    unsigned pairs = o->pairs ? o->pairs : 1;
    struct vnet *d;
    int err = -ENOMEM;

    if (pairs > VNET_PAIRS_MAX || !o->net)
        return -EINVAL;
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->net = o->net;
    d->pairs = pairs;
    d->in_use = 1;
    d->all = o->all;
    memcpy(d->mac, o->mac, 6);
    vnet_tx_make(d, env->loop);
    if (vnet_rx_make(d))
        goto out;
    virtio_init(&d->v, &vnet_virtio, d, features(o, pairs), 2 * pairs + !o->all);
    err = vport_attach(&d->port, &d->v, env, o->mmio);
    if (err)
        goto out;
    *out = d;
    return 0;
out:
    vnet_rx_free(d);
    free(d);
    return err;
}

const struct dev_class vnet_class = {
    .name = "virtio-net",
    .summary = "paravirtual network card (VIRTIO 1.2; PCI, MMIO)",
    .reset = vnet_reset,
    .state = vnet_state,
    .destroy = vnet_destroy,
};
