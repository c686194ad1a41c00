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
 */
#ifndef BACK_NET_H
#define BACK_NET_H

#include "core/loop.h"
#include "core/types.h"
#include <sys/uio.h>

#define NET_FRAME_MIN 14u            /* an Ethernet header */
#define NET_FRAME_MAX (65536u + 64u) /* with segmentation left to do; see net.takes */
#define NET_SEGS_MAX  64

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
    int iovs;                         /* at most NET_SEGS_MAX */
    size_t len;                       /* sum of the iovecs */
    unsigned todo;                    /* NET_*: still to be done; 0: nothing */
    uint16_t csum_start, csum_offset; /* NET_CSUM: checksum [start, end), store at start + offset */
    uint16_t gso_size, hdr_len;       /* NET_TSO*: bytes a segment, bytes of headers */
};

struct net_ops {
    const char *name;
    /* Takes the whole frame before it returns, or refuses it (full; dropped and counted). */
    bool (*send)(struct net *n, const struct net_frame *f);
    void (*flush)(struct net *n); /* end of a burst; NULL: nothing is gathered */
    void (*ready)(struct net *n); /* the front end has room again; NULL: nothing is kept */
    void (*close)(struct net *n); /* frees what contains n */
};

struct net_front {                                        /* what a NIC gives */
    bool (*recv)(void *front, const struct net_frame *f); /* false: no buffer for it now */
    void (*recv_end)(void *front);                        /* end of a burst; NULL is fine */
    void (*link)(void *front, bool up);                   /* NULL is fine */
    void *front;
    unsigned takes; /* NET_* */
};

struct net {
    const struct net_ops *ops;
    struct loop *loop;
    unsigned takes; /* NET_* */
    bool up;        /* the other end is there */
    struct net_front front;
    struct ledger_row *row; /* writes: frames from the guest; reads: to it; refused: dropped */
    struct net_pcap *pcap;  /* or NULL: what passes is written down too */
    char name[64];
};

struct net_open_opts {
    const char *spec; /* user[,forward=…] | tap=NAME | switch=PATH | null */
    const char *pcap; /* file, or NULL */
    const char *name; /* ledger name: "net0" */
};

int net_open(struct net **out, const struct net_open_opts *o, struct loop *loop,
             struct ledger *ledger, struct error *err);
void net_close(struct net *n); /* NULL is fine */

/* ---- front ends ---- */
void net_attach(struct net *n, const struct net_front *front); /* NULL: detach */
bool net_send(struct net *n, const struct net_frame *f);
void net_flush(struct net *n);
void net_ready(struct net *n);

/* ---- backends ---- */
int net_init(struct net *n, const char *name, struct loop *loop, struct ledger *ledger);
bool net_recv(struct net *n, const struct net_frame *f);
void net_recv_end(struct net *n);
void net_link(struct net *n, bool up);

#endif
