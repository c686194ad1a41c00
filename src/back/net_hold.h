/* Frames that have to wait, in order, as copies. */
#ifndef BACK_NET_HOLD_H
#define BACK_NET_HOLD_H

#include "back/net.h"

#define NET_HOLD_MAX 256u

struct net_hold {
    struct iovec frame[NET_HOLD_MAX]; /* a ring; each owned */
    unsigned first, n;
};

/* The first len bytes of f. False: no room, or no memory. */
bool net_hold_put(struct net_hold *h, const struct net_frame *f, size_t len);
const struct iovec *net_hold_first(const struct net_hold *h); /* NULL: none */
void net_hold_drop(struct net_hold *h);                       /* the first, which there is */
void net_hold_clear(struct net_hold *h);

#endif
