/* A net whose other end is a process at a stream socket: what passt and switch have in common. */
#ifndef BACK_NET_SOCK_H
#define BACK_NET_SOCK_H

#include "back/net.h"
#include "back/net_out.h"
#include "back/net_rec.h"

struct net_sock {
    struct net net;
    int fd; /* -1: nobody there */
    struct net_in in;
    struct net_out out;
    struct net_rec held; /* the guest has no room for it; in stands still meanwhile */
    bool holding, delivering, was_full;
    /* Bytes to read ahead while the guest has no room: for a peer that drops what the socket does
     * not take, instead of waiting. 0: leave it in the socket. */
    size_t ahead;
    bool shared;     /* others want their turn: read once, and full as soon as anything is kept */
    bool whole;      /* the peer can't do with half a record: NET_OUT_WHOLE */
    uint32_t events; /* what the loop watches for */
    /* The peer went, or lied: why is for the message. The socket is closed, the link down. */
    void (*lost)(struct net_sock *s, const char *why);
    /* A record the owner wants to see first; true: it was for the owner. NULL is fine. */
    bool (*peek)(struct net_sock *s, const struct net_rec *r);
};

/* Takes fd, which is in the loop from here on; the link goes up. 0 or -errno (fd is closed then).
 */
int net_sock_start(struct net_sock *s, int fd);
void net_sock_stop(struct net_sock *s); /* closes, quietly */

/* for net_ops */
bool net_sock_send(struct net *n, const struct net_frame *f);
void net_sock_flush(struct net *n);
void net_sock_ready(struct net *n);
bool net_sock_full(struct net *n);

#endif
