/* What is a card's own in a front end (VIRTIO 1.2, 5.1): its address and link, and with several
 * pairs of queues the control queue, by which the driver says how many it uses. */
#include "mem/dma.h"
#include "vhost/front_impl.h"
#include <errno.h>
#include <string.h>

enum { /* 5.1.3 */
       VIRTIO_NET_F_CSUM = 0,
       VIRTIO_NET_F_GUEST_CSUM = 1,
       VIRTIO_NET_F_MAC = 5,
       VIRTIO_NET_F_GUEST_TSO4 = 7,
       VIRTIO_NET_F_GUEST_TSO6 = 8,
       VIRTIO_NET_F_GUEST_ECN = 9,
       VIRTIO_NET_F_HOST_TSO4 = 11,
       VIRTIO_NET_F_HOST_TSO6 = 12,
       VIRTIO_NET_F_HOST_ECN = 13,
       VIRTIO_NET_F_MRG_RXBUF = 15,
       VIRTIO_NET_F_STATUS = 16,
       VIRTIO_NET_F_CTRL_VQ = 17,
       VIRTIO_NET_F_MQ = 22,
};
enum { CFG_MAC = 0, CFG_STATUS = 6, CFG_MAX_PAIRS = 8, CFG_LEN = 12 };
enum { STATUS_LINK_UP = 1 };
enum { CLASS_MQ = 4, MQ_PAIRS_SET = 0, CTRL_HDR = 2, CTRL_OK = 0, CTRL_ERR = 1 };
enum { COMMANDS = 64 };
enum { HDR_LEN = 12 }; /* 5.1.6.1 */

uint64_t front_net_offer(const struct vfront *f, uint64_t features)
{
    features |= VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_STATUS);
    if (f->o.queues > 1)
        return features | VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_BIT(VIRTIO_NET_F_MQ);
    return features & ~VIRTIO_BIT(VIRTIO_NET_F_MQ);
}

/* While its back end is away a card's link is up: frames wait, as at a slow wire. */
void front_net_config(const struct vfront *f, uint8_t *cfg)
{
    memset(cfg, 0, CFG_LEN);
    memcpy(cfg + CFG_MAC, f->o.mac, sizeof(f->o.mac));
    le16_put(cfg + CFG_STATUS, STATUS_LINK_UP);
    le16_put(cfg + CFG_MAX_PAIRS, (uint16_t)f->o.queues);
}

/* 5.1.2: behind all pairs, if the driver knows of them; else behind the first. */
unsigned front_net_ctrl(const struct vfront *f)
{
    if (f->kind != &front_net || !virtio_has(&f->v, VIRTIO_NET_F_CTRL_VQ))
        return VIRTIO_QUEUES_MAX;
    return virtio_has(&f->v, VIRTIO_NET_F_MQ) ? f->rings : 2;
}

static void pairs_use(struct vfront *f, unsigned pairs)
{
    f->pairs_used = pairs;
    for (unsigned i = 0; i < f->rings; i++) {
        bool on = i / 2 < pairs;

        if (f->ring[i].enabled == on)
            continue;
        f->ring[i].enabled = on;
        if (f->started)
            front_ask_enable(f, i);
    }
    front_asks_go(f);
}

/* 0: nothing that is known; else so many pairs are to be used. */
static unsigned command(struct vfront *f, struct vq *q)
{
    uint8_t hdr[CTRL_HDR], raw[2];
    unsigned pairs;

    if (!virtio_has(&f->v, VIRTIO_NET_F_MQ) || vq_get(q, &f->chain, 0, hdr, CTRL_HDR) ||
        hdr[0] != CLASS_MQ || hdr[1] != MQ_PAIRS_SET || vq_get(q, &f->chain, CTRL_HDR, raw, 2))
        return 0;
    pairs = le16_get(raw);
    return pairs <= f->o.queues ? pairs : 0;
}

/* Bound: so many commands a kick. Obeyed when f->chain is done with: a ring that comes to life in
 * there uses it, too. */
void front_net_command(struct vfront *f)
{
    unsigned queue = front_net_ctrl(f);
    struct vq *q = &f->v.queue[queue].vq;
    int got = 0;

    for (unsigned n = 0; n < COMMANDS; n++) {
        unsigned pairs;
        uint8_t ack;

        got = vq_pop(q, &f->chain);
        if (got <= 0)
            break;
        pairs = command(f, q);
        ack = pairs ? CTRL_OK : CTRL_ERR;
        if (f->chain.in_len)
            vq_put(q, &f->chain, 0, &ack, 1);
        vq_push(q, f->chain.head, f->chain.in_len ? 1 : 0);
        virtio_done(&f->v, queue);
        if (pairs)
            pairs_use(f, pairs);
    }
    if (got < 0)
        virtio_needs_reset(&f->v, q->broken);
    else if (got > 0 || vq_listen(q))
        virtio_again(&f->v, queue);
}

static const char *net_judge(struct vfront *f, uint8_t *cfg)
{
    (void)f;
    (void)cfg;
    return NULL; /* never asked for */
}

static const char *net_request(unsigned queue, const struct vq_chain *c)
{
    bool receives = !(queue % 2); /* 5.1.2; the control queue does not come here */

    return receives && c->in_len < HDR_LEN ? "a receive buffer without a header" : NULL;
}

/* A frame from nowhere is not sent; a buffer that is nowhere receives nothing. */
static uint32_t net_refuse(struct vfront *f, struct vq *q, const struct vq_chain *c)
{
    (void)f;
    (void)q;
    (void)c;
    return 0;
}

const struct front_kind front_net = {
    .name = "vhost-user-net",
    .id = 1,
    .pci_class = 0x020000,
    .cfg_len = CFG_LEN,
    .features = VIRTIO_BIT(VIRTIO_NET_F_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) |
                VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) |
                VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) |
                VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_HOST_ECN) |
                VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_BIT(VIRTIO_NET_F_MQ),
    .cfg_judge = net_judge,
    .judge = net_request,
    .refuse = net_refuse,
};
