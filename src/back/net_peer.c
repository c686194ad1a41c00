/*
 * The answering side of a stream of frames. The first record may be a hello, which is answered; a
 * peer that says none gets frames finished. When it goes, or sends what is no frame, gone is told.
 * What it does not read is not kept here: the switch has a queue where others have their turn.
 */
#include "back/net_peer.h"
#include "back/net_sock.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct net_peer {
    struct net_sock sock;
    bool spoke;
    void (*gone)(void *ctx, const char *why);
    void *ctx;
};

static bool peer_peek(struct net_sock *s, const struct net_rec *r)
{
    struct net_peer *p = container_of(s, struct net_peer, sock);
    uint8_t answer[NET_HELLO_LEN];
    struct net_hello h;

    if (p->spoke)
        return false;
    p->spoke = true;
    if (!net_hello_get(&h, r))
        return false;
    s->net.takes = h.takes;
    s->in.extended = true;
    h.takes = NET_CSUM | NET_TSO4 | NET_TSO6;
    net_hello_put(answer, &h);
    net_sock_flush(&s->net); /* the burst at hand may be full */
    net_out_ref(&s->out, answer, sizeof(answer));
    net_sock_flush(&s->net); /* before answer goes out of scope */
    return true;
}

static void peer_lost(struct net_sock *s, const char *why)
{
    struct net_peer *p = container_of(s, struct net_peer, sock);

    p->gone(p->ctx, why);
}

static void peer_close(struct net *n)
{
    struct net_peer *p = container_of(n, struct net_peer, sock.net);

    net_sock_stop(&p->sock);
    free(p);
}

static const struct net_ops peer_ops = {
    .name = "peer",
    .send = net_sock_send,
    .flush = net_sock_flush,
    .ready = net_sock_ready,
    .full = net_sock_full,
    .close = peer_close,
};

int net_peer_open(struct net **out, int fd, const struct net_peer_opts *o, struct loop *loop,
                  struct ledger *ledger)
{
    struct net_peer *p = calloc(1, sizeof(*p));
    int err = -ENOMEM;

    if (!p) {
        close(fd);
        return err;
    }
    p->gone = o->gone;
    p->ctx = o->ctx;
    p->sock.fd = -1;
    p->sock.shared = true;
    p->sock.lost = peer_lost;
    p->sock.peek = peer_peek;
    p->sock.net.ops = &peer_ops;
    err = net_init(&p->sock.net, o->name, loop, ledger);
    if (err)
        close(fd);
    else
        err = net_sock_start(&p->sock, fd);
    if (err) {
        free(p);
        return err;
    }
    *out = &p->sock.net;
    return 0;
}
