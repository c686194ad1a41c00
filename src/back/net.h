/*
 * Network backends: one interface, many front ends. Frames are Ethernet frames without preamble and
 * FCS. Every function here is called with the loop's lock held.
 *
 * From the guest: the front end calls net_send for each frame of a burst, then net_flush, so that a
 * backend can put a burst on its socket with one system call. To the guest: the backend calls
 * net_recv for each frame, then net_recv_end; the front end takes a frame or refuses it (no
 * buffers: the backend drops it or keeps it until the front end calls net_ready).
 *
 * Unfinished work on a frame (checksums, segmentation) travels beside it as in virtio 1.2, 5.1.6
 * (struct virtio_net_hdr), and only to a side that said it takes it: net_send finishes in software
 * what the backend does not take, net_recv what the front end does not take.
 *
 * Backpressure: a front end asks net_full before it fetches the next frame of its ring; when it is
 * told yes it leaves the frame there and goes on when the backend calls its room. One that does not
 * ask loses frames when the backend's queue is full.
 *
 * Bursts: whoever has several frames at once may hand them over together; they are then the same
 * frames in the same order, one call a burst instead of one a frame. A front end asks net_quota
 * instead of net_full for how much it may fetch for one.
 */
#ifndef BACK_NET_H
#define BACK_NET_H

#include "core/loop.h"
#include "core/types.h"
#include <sys/uio.h>

#define NET_FRAME_MIN 14u                /* an Ethernet header */
#define NET_FRAME_MAX (65536u + 64u)     /* with segmentation left to do; see net.takes */
#define NET_SEGS_MAX  64                 /* iovecs of a frame that a front end gives */
#define NET_BURST     32                 /* frames handed over together, at most */
#define NET_COST      640u               /* what a frame costs beside its bytes, of a quota */
#define NET_IOVS_MAX  (NET_SEGS_MAX + 8) /* of one it is given: headers may have been split off */

struct net;
struct ledger;
struct ledger_row;
struct error;

enum {               /* what a side takes unfinished */
       NET_CSUM = 1, /* the TCP or UDP checksum */
       NET_TSO4 = 2, /* TCP segments over IPv4 */
       NET_TSO6 = 4,
};

struct net_frame {
    const struct iovec *iov;
    int iovs;      /* at most NET_SEGS_MAX; of a frame received NET_IOVS_MAX */
    size_t len;    /* sum of the iovecs */
    unsigned todo; /* NET_*: still to be done; 0: nothing */
    /* NET_CSUM: checksum [start, end), store at start + offset, where the sum of the pseudo header
     * stands. NET_TSO*: these two and all checksums and lengths in the headers may be anything,
     * they are found anew. */
    uint16_t csum_start, csum_offset;
    uint16_t gso_size, hdr_len; /* NET_TSO*: payload bytes a segment; bytes of headers, a hint */
};

struct net_ops {
    const char *name;
    /* Takes the whole frame before it returns, or refuses it (full; dropped and counted). */
    bool (*send)(struct net *n, const struct net_frame *f);
    void (*flush)(struct net *n);  /* end of a burst; NULL: nothing is gathered */
    void (*ready)(struct net *n);  /* the front end has room again; NULL: nothing is kept */
    bool (*full)(struct net *n);   /* NULL: never */
    void (*attach)(struct net *n); /* n->front has changed; NULL is fine */
    void (*close)(struct net *n);  /* frees what contains n */
};

struct net_front {                                        /* what a NIC gives */
    bool (*recv)(void *front, const struct net_frame *f); /* false: no buffer for it now */
    void (*recv_end)(void *front);                        /* end of a burst; NULL is fine */
    void (*link)(void *front, bool up);                   /* NULL is fine */
    void (*room)(void *front);                            /* net_full is over; NULL is fine */
    void *front;
    unsigned takes; /* NET_* */
};

/* Several frames that have nothing left to be done: how many of the first were taken; the next has
 * no buffer now. */
typedef unsigned net_recv_burst(void *front, const struct net_frame *f, unsigned frames);

struct net_burst { /* what a backend gives that takes several at once */
    /* Takes or loses each, by its own count. */
    void (*send)(struct net *n, const struct net_frame *f, unsigned frames);
    size_t (*quota)(struct net *n); /* as net_quota, when it is not full */
};

struct net {
    const struct net_ops *ops;
    const struct net_burst *burst; /* NULL: one after the other */
    net_recv_burst *recv_all;      /* the front end's, likewise */
    struct loop *loop;
    unsigned takes; /* NET_* */
    bool up;        /* the other end is there */
    struct net_front front;
    struct ledger_row *row; /* writes: frames from the guest; reads: to it; refused: dropped */
    struct net_pcap *pcap;  /* or NULL: what passes is written down too */
    unsigned resume;        /* segments of the frame at hand that the front end has already */
    char name[32];
};

struct net_open_opts {
    const char *spec; /* user[,forward=…] | tap=NAME | switch=PATH | null */
    const char *pcap; /* file, or NULL */
    uint32_t snaplen; /* bytes of a frame that go to the pcap file; 0: all */
    const char *name; /* ledger name: "net0" */
};

int net_open(struct net **out, const struct net_open_opts *o, struct loop *loop,
             struct ledger *ledger, struct error *err);
void net_close(struct net *n); /* NULL is fine */

/* ---- front ends ---- */
void net_attach(struct net *n, const struct net_front *front);  /* NULL: detach */
void net_attach_burst(struct net *n, net_recv_burst *recv_all); /* after it */
/* False: the frame was refused and is lost (malformed, no link, queue full). The front end may use
 * the frame's memory again in either case. */
bool net_send(struct net *n, const struct net_frame *f);
void net_send_all(struct net *n, const struct net_frame *f, unsigned frames);
void net_flush(struct net *n);
/* Bytes that may be fetched before it is asked again, a frame's and NET_COST each, and the frame
 * that goes beyond is still welcome; 0: net_full. */
size_t net_quota(struct net *n);
bool net_full(struct net *n); /* better not send now: room will be called */
void net_ready(struct net *n);

/* ---- backends ---- */
int net_init(struct net *n, const char *name, struct loop *loop, struct ledger *ledger);
/* False: no room. Call it again with the very same frame after ready, or net_recv_drop. */
bool net_recv(struct net *n, const struct net_frame *f);
unsigned net_recv_all(struct net *n, const struct net_frame *f, unsigned frames); /* how many */
void net_recv_drop(struct net *n, const struct net_frame *f);
void net_recv_end(struct net *n);
void net_link(struct net *n, bool up);
void net_room(struct net *n);

/* net_null.c, net_tap.c …: what follows "=" or "," of the spec, or "" */
typedef int net_opener(struct net **out, const char *args, const struct net_open_opts *o,
                       struct loop *loop, struct ledger *ledger, struct error *err);
net_opener net_null_open, net_tap_open, net_user_open, net_switch_open;

#endif
