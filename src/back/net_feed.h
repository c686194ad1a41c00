/*
 * What the guest sends on its way to passt: which frames it gets, and when. Padding is cut off,
 * frames that must be alone in one of its reads (net_once.h) wait for it or are lost, duplicate
 * acknowledgements are few (net_acks.h).
 */
#ifndef BACK_NET_FEED_H
#define BACK_NET_FEED_H

#include "back/net_acks.h"
#include "back/net_hold.h"
#include "back/net_once.h"
#include "back/net_sock.h"

struct net_feed {
    struct net_sock *sock;
    struct net_once once;
    struct net_acks acks;
    struct net_hold hold;    /* datagrams; segments that may not go are sent again by TCP */
    struct loop_timer later; /* has passt read? nobody tells us */
    uint64_t wait;           /* ns until then */
    bool was_full;
};

void net_feed_init(struct net_feed *f, struct net_sock *sock); /* after net_init */
void net_feed_stop(struct net_feed *f);                        /* what waits is lost */

/* for net_ops */
bool net_feed_send(struct net_feed *f, const struct net_frame *frame);
void net_feed_flush(struct net_feed *f);
bool net_feed_full(struct net_feed *f);

#endif
