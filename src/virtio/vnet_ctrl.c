/*
 * virtio-net's control queue: VIRTIO 1.2, 5.1.6.5. What the driver wants to hear (addresses, VLANs,
 * modes), how many queue pairs it uses, which unfinished work it takes. Each command is answered
 * with one byte; a malformed or unknown one with ERR.
 */
#include "virtio/vnet_impl.h"
#include <errno.h>
#include <string.h>

enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_ANNOUNCE = 3, CLASS_MQ = 4 };
enum { CLASS_OFFLOADS = 5 };
enum { RX_PROMISC = 0, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE_SET = 0, MAC_ADDR_SET = 1 };
enum { VLAN_ADD = 0, VLAN_DEL = 1 };
enum { ANNOUNCE_ACK = 0, MQ_PAIRS_SET = 0, OFFLOADS_SET = 0 };
enum { CTRL_OK = 0, CTRL_ERR = 1 };
enum { CTRL_HDR = 2, ETH_VLAN = 0x8100, COMMANDS = 64 };

/* ---- filters ---- */

void vnet_filter_reset(struct vnet *d)
{
    memset(&d->filter, 0, sizeof(d->filter));
    memcpy(d->filter.mac, d->mac, 6);
    d->filter.promisc = !virtio_has(&d->v, VIRTIO_NET_F_CTRL_RX);
    if (!virtio_has(&d->v, VIRTIO_NET_F_CTRL_VLAN))
        memset(d->filter.vlan, 0xff, sizeof(d->filter.vlan));
}

static bool listed(const struct vnet_table *t, const uint8_t *mac)
{
    for (unsigned i = 0; i < t->used; i++)
        if (!memcmp(t->mac[i], mac, 6))
            return true;
    return t->all;
}

static bool address_wanted(const struct vnet_filter *f, const uint8_t *mac)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (f->promisc)
        return true;
    if (!memcmp(mac, broadcast, 6))
        return !f->nobcast;
    if (mac[0] & 1)
        return !f->nomulti && (f->allmulti || listed(&f->multi, mac));
    return !f->nouni && (f->alluni || !memcmp(mac, f->mac, 6) || listed(&f->uni, mac));
}

bool vnet_wants(const struct vnet *d, const uint8_t *frame, size_t len)
{
    const struct vnet_filter *f = &d->filter;

    if (d->all)
        return len >= NET_FRAME_MIN;
    if (len < NET_FRAME_MIN || !address_wanted(f, frame))
        return false;
    if (len >= 16 && ((unsigned)frame[12] << 8 | frame[13]) == ETH_VLAN) {
        unsigned id = ((unsigned)frame[14] << 8 | frame[15]) % VNET_VLANS;

        return f->vlan[id / 64] >> id % 64 & 1;
    }
    return true;
}

/* ---- commands: 0 or -errno ---- */

static int get(struct vnet *d, struct vq *q, uint64_t off, void *buf, size_t len)
{
    return vq_get(q, &d->chain, CTRL_HDR + off, buf, len);
}

static int rx_mode(struct vnet *d, struct vq *q, uint8_t cmd)
{
    struct vnet_filter *f = &d->filter;
    bool *const mode[] = {
        [RX_PROMISC] = &f->promisc, [RX_ALLMULTI] = &f->allmulti, [RX_ALLUNI] = &f->alluni,
        [RX_NOMULTI] = &f->nomulti, [RX_NOUNI] = &f->nouni,       [RX_NOBCAST] = &f->nobcast};
    uint8_t on;
    int err = cmd < ARRAY_LEN(mode) ? get(d, q, 0, &on, 1) : -EINVAL;

    if (!err)
        *mode[cmd] = on;
    return err;
}

/* A table: le32 entries, then the addresses. *off moves past it. */
static int table_get(struct vnet *d, struct vq *q, uint64_t *off, struct vnet_table *t)
{
    uint8_t n[4];
    uint64_t entries;
    int err = get(d, q, *off, n, 4);

    if (err)
        return err;
    entries = le32_get(n);
    if (entries > d->chain.out_len / 6)
        return -EINVAL;
    t->all = entries > VNET_TABLE;
    t->used = t->all ? 0 : (unsigned)entries;
    err = get(d, q, *off + 4, t->mac, 6u * t->used);
    *off += 4 + 6 * entries;
    return err;
}

static int mac_command(struct vnet *d, struct vq *q, uint8_t cmd)
{
    struct vnet_table uni, multi;
    uint64_t off = 0;
    int err;

    if (cmd == MAC_ADDR_SET)
        return virtio_has(&d->v, VIRTIO_NET_F_CTRL_MAC_ADDR) ? get(d, q, 0, d->filter.mac, 6)
                                                             : -EINVAL;
    if (cmd != MAC_TABLE_SET)
        return -EINVAL;
    err = table_get(d, q, &off, &uni);
    if (!err)
        err = table_get(d, q, &off, &multi);
    if (err)
        return err;
    d->filter.uni = uni;
    d->filter.multi = multi;
    return 0;
}

static int vlan_command(struct vnet *d, struct vq *q, uint8_t cmd)
{
    uint8_t raw[2];
    uint16_t id;
    int err = cmd <= VLAN_DEL ? get(d, q, 0, raw, 2) : -EINVAL;

    if (err)
        return err;
    id = le16_get(raw);
    if (id >= VNET_VLANS)
        return -EINVAL;
    if (cmd == VLAN_ADD)
        d->filter.vlan[id / 64] |= 1ull << id % 64;
    else
        d->filter.vlan[id / 64] &= ~(1ull << id % 64);
    return 0;
}

static int mq_command(struct vnet *d, struct vq *q, uint8_t cmd)
{
    uint8_t raw[2];
    uint16_t pairs;
    int err = cmd == MQ_PAIRS_SET ? get(d, q, 0, raw, 2) : -EINVAL;

    if (err)
        return err;
    pairs = le16_get(raw);
    if (!pairs || pairs > d->pairs)
        return -EINVAL;
    d->in_use = pairs;
    memset(d->flow, 0, sizeof(d->flow));
    return 0;
}

static int announce_command(struct vnet *d, uint8_t cmd)
{
    if (cmd != ANNOUNCE_ACK || !d->announce)
        return -EINVAL;
    d->announce = false;
    return 0;
}

/* The bits of the features' own numbers: what the driver takes from now on. */
static int offloads_command(struct vnet *d, struct vq *q, uint8_t cmd)
{
    static const uint64_t known = VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) |
                                  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
                                  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6);
    uint8_t raw[8];
    int err = cmd == OFFLOADS_SET ? get(d, q, 0, raw, 8) : -EINVAL;

    if (err)
        return err;
    if (le64_get(raw) & ~(known & d->v.taken))
        return -EINVAL;
    d->offloads = le64_get(raw);
    vnet_attach(d);
    return 0;
}

static int command(struct vnet *d, struct vq *q)
{
    static const uint8_t needs[] = {
        [CLASS_RX] = VIRTIO_NET_F_CTRL_RX,     [CLASS_MAC] = VIRTIO_NET_F_CTRL_RX,
        [CLASS_VLAN] = VIRTIO_NET_F_CTRL_VLAN, [CLASS_ANNOUNCE] = VIRTIO_NET_F_GUEST_ANNOUNCE,
        [CLASS_MQ] = VIRTIO_NET_F_MQ,          [CLASS_OFFLOADS] = VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
    };
    uint8_t hdr[CTRL_HDR];
    int err = vq_get(q, &d->chain, 0, hdr, CTRL_HDR);

    if (err || hdr[0] >= ARRAY_LEN(needs) || !virtio_has(&d->v, needs[hdr[0]]))
        return -EINVAL;
    switch (hdr[0]) {
    case CLASS_RX: return rx_mode(d, q, hdr[1]);
    case CLASS_MAC: return mac_command(d, q, hdr[1]);
    case CLASS_VLAN: return vlan_command(d, q, hdr[1]);
    case CLASS_ANNOUNCE: return announce_command(d, hdr[1]);
    case CLASS_MQ: return mq_command(d, q, hdr[1]);
    default: return offloads_command(d, q, hdr[1]);
    }
}

/* Bound: so many commands a kick, or the ring. */
void vnet_command(struct vnet *d)
{
    unsigned queue = d->ctrl;
    struct vq *q = &d->v.queue[queue].vq;
    int got = 0;

    for (unsigned n = 0; n < COMMANDS; n++) {
        uint8_t ack;

        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        ack = command(d, q) ? CTRL_ERR : CTRL_OK;
        if (d->chain.in_len)
            vq_put(q, &d->chain, 0, &ack, 1);
        vq_push(q, d->chain.head, d->chain.in_len ? 1 : 0);
        virtio_done(&d->v, queue);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (got > 0 || vq_listen(q))
        virtio_again(&d->v, queue);
}
