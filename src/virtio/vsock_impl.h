/* Shared by the files of virtio-vsock: vsock.c (life, configuration, queues), vsock_conn.c
 * (connections: who they are, how they end), vsock_tx.c (packets from the guest), vsock_rx.c (to
 * it). VIRTIO 1.2, section 5.10. How a connection works is told at the top of vsock_conn.c. */
#ifndef VIRTIO_VSOCK_IMPL_H
#define VIRTIO_VSOCK_IMPL_H

#include "back/vsk.h"
#include "virtio/vport.h"
#include "virtio/vsock.h"

struct ledger_row;

enum { VIRTIO_VSOCK_F_STREAM = 0 };
enum { VSOCK_RXQ = 0, VSOCK_TXQ = 1, VSOCK_EVENTQ = 2, VSOCK_QUEUES = 3 };
enum { VSOCK_TYPE_STREAM = 1 };
enum { VSOCK_EVENT_TRANSPORT_RESET = 0, VSOCK_EVENT_LEN = 4 };
enum { /* 5.10.6: struct virtio_vsock_hdr */
       HDR_SRC_CID = 0,
       HDR_DST_CID = 8,
       HDR_SRC_PORT = 16,
       HDR_DST_PORT = 20,
       HDR_DATA = 24, /* len */
       HDR_TYPE = 28,
       HDR_OP = 30,
       HDR_FLAGS = 32,
       HDR_BUF_ALLOC = 36,
       HDR_FWD_CNT = 40,
       HDR_LEN = 44,
};
enum { /* op */
       OP_REQUEST = 1,
       OP_RESPONSE = 2,
       OP_RST = 3,
       OP_SHUTDOWN = 4,
       OP_RW = 5,
       OP_CREDIT_UPDATE = 6,
       OP_CREDIT_REQUEST = 7,
};
enum { SHUTDOWN_RECEIVE = 1, SHUTDOWN_SEND = 2, SHUTDOWN_BOTH = 3 };

#define VSOCK_CONNS      1024u        /* more are refused with RST */
#define VSOCK_ROOM       (256u << 10) /* what a connection keeps for a slow host, the first … */
#define VSOCK_ROOM_CONNS 128u         /* … so many of them; */
#define VSOCK_ROOM_LATE  (32u << 10)  /* the others: 60 MiB at most altogether */
#define VSOCK_CREDIT_MAX (64u << 20)  /* more room than this is not believed */
#define VSOCK_STRAYS     64u          /* RSTs that wait for a buffer and belong to nobody */
#define VSOCK_BATCH      16           /* buffers that one read of the host's socket may fill */
#define VSOCK_IOVS       256          /* VQ_SEGS_MAX: any one chain fits */
#define VSOCK_HASH       256u
#define VSOCK_PORT_FIRST (1u << 30) /* the host's side of what the host begins */

struct vsock_hdr {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, len;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
};

enum vsock_phase {
    VSOCK_CALLING, /* the guest asked; the other machine has not answered */
    VSOCK_ASKED,   /* the host asked; the guest has not answered */
    VSOCK_OPEN,
    VSOCK_DEAD, /* over for the guest but for a RST; the host may still get what is kept */
};

struct vsock_conn {
    struct vsock *d;
    struct vsk_end *end; /* NULL: the host's side is over */
    struct vsock_conn *chain;
    struct vsock_conn *prev, *next; /* in the queue of those who want a buffer of the guest's */
    bool queued;
    enum vsock_phase phase;
    uint64_t cid; /* of the other side */
    uint32_t host_port, guest_port;
    unsigned owe;   /* packets to the guest: 1 << op */
    unsigned watch; /* VSK_*, as the backend knows it */
    /* From the guest. */
    uint32_t room, fwd, told; /* buf_alloc, fwd_cnt, and the fwd_cnt that the guest knows */
    uint8_t *keep;            /* room bytes, a ring; NULL until it is needed */
    uint32_t keep_at, kept;
    bool mute; /* the guest sends no more */
    bool deaf; /* the guest hears no more */
    /* To the guest. */
    uint32_t alloc, peer_fwd, sent; /* its buf_alloc and fwd_cnt; our count */
    unsigned burst;                 /* buffers for the next read */
    bool reading;                   /* the host has something, or may have */
    bool ended;                     /* the host says no more */
    bool gone;                      /* and hears no more */
    bool asked;                     /* for credit, since it ran out */
};

struct vsock {
    struct vport port;
    struct virtio v;
    struct vsk *vsk;
    uint32_t cid;
    struct vsock_conn *hash[VSOCK_HASH];
    struct vsock_conn *first, *last; /* the queue */
    struct vsock_conn *current;      /* the backend tells of it; NULL: it was freed meanwhile */
    unsigned conns;
    uint32_t next_port;
    struct vsock_hdr stray[VSOCK_STRAYS];
    unsigned strays;
    bool tx_stopped; /* the strays were full */
    bool event;      /* a transport reset that the driver has not been told of */
    struct ledger_row *data, *control, *kept;
    struct vq_chain chain; /* from the guest */
    struct vq_chain batch[VSOCK_BATCH];
};

/* vsock_conn.c */
struct vsock_conn *vsock_find(struct vsock *d, uint64_t cid, uint32_t host, uint32_t guest);
/* NULL: too many, or no memory. The end is the connection's from here on. */
struct vsock_conn *vsock_conn_new(struct vsock *d, uint64_t cid, uint32_t host, uint32_t guest);
void vsock_want(struct vsock_conn *c); /* there is something for the guest */
void vsock_unwant(struct vsock_conn *c);
void vsock_watch(struct vsock_conn *c); /* as its state asks for */
void vsock_rst(struct vsock_conn *c);   /* to the guest; the host's side ends at once */
/* Nothing more comes from the guest nor goes to it; kept: the host may still get what is kept. */
void vsock_over(struct vsock_conn *c, bool kept);
void vsock_settle(struct vsock_conn *c); /* frees it if both sides are done; c may be gone after */
int vsock_write(struct vsock_conn *c, const struct iovec *iov, int n, uint32_t len);
void vsock_flush(struct vsock_conn *c); /* what is kept */
void vsock_close_all(struct vsock *d);
bool vsock_incoming(void *dev, struct vsk_end *e, uint32_t port);
/* vsock_tx.c */
void vsock_walk(struct vsock *d);
void vsock_hdr_get(struct vsock_hdr *h, const uint8_t *p);
/* vsock_rx.c: packets to the guest while there are buffers for them */
void vsock_serve(struct vsock *d);

static inline void vsock_owe(struct vsock_conn *c, unsigned op)
{
    c->owe |= 1u << op;
    vsock_want(c);
}

/* 5.10.6.3: bytes that the guest has room for. */
static inline uint32_t vsock_credit(const struct vsock_conn *c)
{
    uint32_t flying = c->sent - c->peer_fwd;

    return c->alloc > flying ? c->alloc - flying : 0;
}

#endif
