/* A net whose other end has come to our socket, and speaks QEMU's "-netdev stream" or viaduct's own
 * extension of it (docs/net.md): what a switch has at a port. */
#ifndef BACK_NET_PEER_H
#define BACK_NET_PEER_H

#include "back/net.h"

struct net_peer_opts {
    const char *name;                         /* of the net's row */
    void (*gone)(void *ctx, const char *why); /* may close the net */
    void *ctx;
};

/* Takes fd. 0 or -errno (it is closed then). */
int net_peer_open(struct net **out, int fd, const struct net_peer_opts *o, struct loop *loop,
                  struct ledger *ledger);

#endif
