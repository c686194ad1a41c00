/* A port of the switch as a cable for a card: a struct net whose other end is the switch. */
#include "core/error.h"
#include "share/sw.h"
#include <errno.h>
#include <stdlib.h>

struct sw_card {
    struct net net;
    struct sw_port *port;
};

/* ---- what the card calls ---- */

static bool card_send(struct net *n, const struct net_frame *f)
{
    sw_port_from(container_of(n, struct sw_card, net)->port, f);
    return true; /* what becomes of it is the switch's to count */
}

static void card_send_all(struct net *n, const struct net_frame *f, unsigned frames)
{
    sw_port_from_all(container_of(n, struct sw_card, net)->port, f, frames);
}

static void card_flush(struct net *n)
{
    sw_port_from_end(container_of(n, struct sw_card, net)->port);
}

static void card_ready(struct net *n)
{
    sw_port_room(container_of(n, struct sw_card, net)->port);
}

static bool card_full(struct net *n)
{
    return !sw_port_may(container_of(n, struct sw_card, net)->port);
}

static size_t card_quota(struct net *n)
{
    return sw_port_quota(container_of(n, struct sw_card, net)->port);
}

/* The driver has gone: nothing waits for it. */
static void card_attach(struct net *n)
{
    if (!n->front.recv)
        sw_port_forget(container_of(n, struct sw_card, net)->port);
}

static void card_close(struct net *n)
{
    struct sw_card *c = container_of(n, struct sw_card, net);

    sw_port_close(c->port);
    free(c);
}

static const struct net_ops card_ops = {
    .name = "card",
    .send = card_send,
    .flush = card_flush,
    .ready = card_ready,
    .full = card_full,
    .attach = card_attach,
    .close = card_close,
};

static const struct net_burst card_burst = {.send = card_send_all, .quota = card_quota};

/* ---- what the switch calls ---- */

static bool card_give(void *card, const struct net_frame *f)
{
    return net_recv(&((struct sw_card *)card)->net, f);
}

static unsigned card_give_all(void *card, const struct net_frame *f, unsigned frames)
{
    return net_recv_all(&((struct sw_card *)card)->net, f, frames);
}

static void card_drop(void *card)
{
    ((struct sw_card *)card)->net.resume = 0;
}

static void card_end(void *card)
{
    net_recv_end(&((struct sw_card *)card)->net);
}

static unsigned card_takes(const void *card)
{
    return ((const struct sw_card *)card)->net.front.takes;
}

static void card_go(void *card)
{
    net_room(&((struct sw_card *)card)->net);
}

int sw_card_open(struct net **out, struct sw *s, const struct sw_policy *policy, const char *name,
                 struct error *err)
{
    static const struct sw_plug plug = {.give = card_give,
                                        .give_all = card_give_all,
                                        .drop = card_drop,
                                        .end = card_end,
                                        .takes = card_takes,
                                        .go = card_go,
                                        .copies_to = 1};
    struct sw_card *c = calloc(1, sizeof(*c));
    int code = c ? 0 : -ENOMEM;

    if (!c)
        return error_set(err, code, "%s: not enough memory", name);
    c->net.ops = &card_ops;
    c->net.burst = &card_burst;
    c->net.takes = NET_CSUM | NET_TSO4 | NET_TSO6;
    c->net.up = true;
    code = net_init(&c->net, name, sw_loop(s), sw_ledger(s));
    if (code)
        error_set(err, code, "%s: not enough memory", name);
    else
        code = sw_port_open(&c->port, s, policy, &plug, c, err);
    if (code) {
        free(c);
        return code;
    }
    *out = &c->net;
    return 0;
}
