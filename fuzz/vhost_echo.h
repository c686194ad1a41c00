/* A card's other end for fuzzers: what it sends comes back to it, twice at a time. */
#ifndef FUZZ_VHOST_ECHO_H
#define FUZZ_VHOST_ECHO_H

#include "back/net.h"

struct vhost_echo {
    struct net net;
    uint8_t frame[2048];
    size_t len;       /* 0: none */
    unsigned waiting; /* how often it is still to come */
};

int vhost_echo_open(struct vhost_echo *e, struct loop *loop, struct ledger *ledger);
void vhost_echo_go(struct vhost_echo *e); /* gives back what there are buffers for */

#endif
