/* Shared by the files of virtio-net: vnet.c (life, configuration), vnet_tx.c, vnet_rx.c,
 * vnet_ctrl.c (control queue, filters). VIRTIO 1.2, section 5.1. */
#ifndef VIRTIO_VNET_IMPL_H
#define VIRTIO_VNET_IMPL_H

#include "back/net.h"
#include "virtio/vnet.h"
#include "virtio/vport.h"

enum { /* 5.1.3 feature bits */
       VIRTIO_NET_F_CSUM = 0,
       VIRTIO_NET_F_GUEST_CSUM = 1,
       VIRTIO_NET_F_CTRL_GUEST_OFFLOADS = 2,
       VIRTIO_NET_F_MAC = 5,
       VIRTIO_NET_F_GUEST_TSO4 = 7,
       VIRTIO_NET_F_GUEST_TSO6 = 8,
       VIRTIO_NET_F_HOST_TSO4 = 11,
       VIRTIO_NET_F_HOST_TSO6 = 12,
       VIRTIO_NET_F_MRG_RXBUF = 15,
       VIRTIO_NET_F_STATUS = 16,
       VIRTIO_NET_F_CTRL_VQ = 17,
       VIRTIO_NET_F_CTRL_RX = 18,
       VIRTIO_NET_F_CTRL_VLAN = 19,
       VIRTIO_NET_F_CTRL_RX_EXTRA = 20,
       VIRTIO_NET_F_GUEST_ANNOUNCE = 21,
       VIRTIO_NET_F_MQ = 22,
       VIRTIO_NET_F_CTRL_MAC_ADDR = 23,
};
enum { /* 5.1.6, struct virtio_net_hdr */
       HDR_FLAGS = 0,
       HDR_GSO_TYPE = 1,
       HDR_HDR_LEN = 2,
       HDR_GSO_SIZE = 4,
       HDR_CSUM_START = 6,
       HDR_CSUM_OFFSET = 8,
       HDR_NUM_BUFFERS = 10,
       HDR_LEN = 12,
};
enum { HDR_F_NEEDS_CSUM = 1 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_ECN = 0x80 };

#define VNET_TABLE  64 /* addresses in a filter table; a longer one is promiscuous for its kind */
#define VNET_MERGE  64 /* buffers that one frame may be spread over */
#define VNET_FLOWS  256
#define VNET_VLANS  4096
#define VNET_PEEK   (14 + 40 + 4) /* Ethernet, IPv6, ports: what tells a flow */
#define VNET_QUEUES (2 * VNET_PAIRS_MAX + 1)

struct vnet_table {
    unsigned used;
    bool all; /* too many to list */
    uint8_t mac[VNET_TABLE][6];
};

struct vnet_filter {
    uint8_t mac[6];
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    struct vnet_table uni, multi;
    uint64_t vlan[VNET_VLANS / 64];
};

struct vnet_ring { /* one receive queue: buffers taken off it and not used yet, oldest first */
    struct vq_chain *stash; /* VNET_MERGE */
    unsigned stashed;
    uint64_t room; /* bytes in them */
};

struct vnet_burst { /* frames of a transmit queue that go together */
    unsigned heads, frames, iovs;
    uint16_t head[NET_BURST];
    struct net_frame f[NET_BURST];
    struct iovec iov[NET_BURST + NET_SEGS_MAX]; /* most frames are one piece */
};

struct vnet_tx { /* one transmit queue: see the top of vnet_tx.c */
    struct vnet *d;
    unsigned pair;
    uint64_t kicked; /* when, VM time */
    unsigned streak; /* kicks in close succession */
    struct loop_timer timer;
};

struct vnet {
    struct vport port;
    struct virtio v;
    struct net *net;
    uint8_t mac[6];    /* the card's own */
    unsigned pairs;    /* there are; in_use: the driver uses; see vnet.c */
    unsigned in_use;   /* 1 is all that most have: bursts go to it whole */
    unsigned ctrl;     /* the control queue's number: 5.1.2 */
    uint64_t offloads; /* GUEST_* that the driver has on */
    bool announce, all;
    struct vnet_filter filter;
    struct vnet_ring rx[VNET_PAIRS_MAX];
    struct vnet_tx tx[VNET_PAIRS_MAX];
    uint8_t flow[VNET_FLOWS]; /* by hash: the pair that last sent on this flow, from 1; 0: none */
    uint32_t touched;         /* receive queues with pushes of this burst */
    struct vq_chain chain;    /* being sent, or a command */
    struct vnet_burst burst;  /* being sent */
};

/* vnet_tx.c */
void vnet_tx_make(struct vnet *d, struct loop *loop);
void vnet_tx_forget(struct vnet *d, unsigned pair);
void vnet_send(struct vnet *d, unsigned pair);
/* vnet_rx.c */
int vnet_rx_make(struct vnet *d);
void vnet_rx_free(struct vnet *d);
void vnet_rx_forget(struct vnet *d, unsigned pair);
void vnet_rx_listen(struct vnet *d); /* ask for a kick when buffers come */
bool vnet_recv(void *vnet, const struct net_frame *f);
unsigned vnet_recv_all(void *vnet, const struct net_frame *f, unsigned frames);
void vnet_recv_end(void *vnet);
/* A pair whose receive ring runs, `pair` or the next; `pair` if none does. */
unsigned vnet_rx_runs(const struct vnet *d, unsigned pair);
/* A frame's flow, the same in both directions; 0 for what has no ports. */
unsigned vnet_flow(const uint8_t *frame, size_t len);
/* vnet_ctrl.c */
void vnet_command(struct vnet *d);
void vnet_filter_reset(struct vnet *d);
bool vnet_wants(const struct vnet *d, const uint8_t *frame, size_t len);
/* vnet.c: tell the backend what this driver takes. */
void vnet_attach(struct vnet *d);

static inline unsigned vnet_rxq(unsigned pair)
{
    return 2 * pair;
}

static inline unsigned vnet_txq(unsigned pair)
{
    return 2 * pair + 1;
}

#endif
