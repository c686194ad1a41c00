/*
 * A port of the switch at the end of a cable: a tap, a socket, passt, another switch; the switch is
 * its front end, as a card would be. What the other end does not read waits in the switch, where
 * others have their turn; what comes faster than the port's rate waits at the other end.
 */
#include "core/error.h"
#include "share/sw.h"
#include <errno.h>
#include <stdlib.h>

struct sw_cable {
    struct net *net;
    struct sw_port *port;
};

/* ---- what the cable calls ---- */

static bool cable_recv(void *cable, const struct net_frame *f)
{
    struct sw_cable *c = cable;

    if (!sw_port_may(c->port))
        return false;
    sw_port_from(c->port, f);
    return true;
}

static void cable_recv_end(void *cable)
{
    sw_port_from_end(((struct sw_cable *)cable)->port);
}

static void cable_room(void *cable)
{
    sw_port_room(((struct sw_cable *)cable)->port);
}

static void cable_link(void *cable, bool up)
{
    if (!up)
        sw_port_forget(((struct sw_cable *)cable)->port);
}

/* ---- what the switch calls ---- */

/* What it refuses is lost and counted there: asking again would not help. */
static bool cable_give(void *cable, const struct net_frame *f)
{
    struct sw_cable *c = cable;

    if (net_full(c->net))
        return false;
    net_send(c->net, f);
    return true;
}

static void cable_end(void *cable)
{
    net_flush(((struct sw_cable *)cable)->net);
}

static unsigned cable_takes(const void *cable)
{
    return ((const struct sw_cable *)cable)->net->takes;
}

static void cable_go(void *cable)
{
    net_ready(((struct sw_cable *)cable)->net);
}

int sw_cable_open(struct sw_cable **out, struct sw *s, const struct sw_policy *policy,
                  struct net *cable, struct error *err)
{
    static const struct sw_plug plug = {.give = cable_give,
                                        .end = cable_end,
                                        .takes = cable_takes,
                                        .go = cable_go,
                                        .copies_from = 1,
                                        .copies_to = 1,
                                        .still = true};
    struct net_front front = {.recv = cable_recv,
                              .recv_end = cable_recv_end,
                              .link = cable_link,
                              .room = cable_room,
                              .takes = NET_CSUM | NET_TSO4 | NET_TSO6};
    struct sw_cable *c = calloc(1, sizeof(*c));
    int code = c ? sw_port_open(&c->port, s, policy, &plug, c, err)
                 : error_set(err, -ENOMEM, "%s: not enough memory", cable->name);

    if (code) {
        free(c);
        net_close(cable);
        return code;
    }
    c->net = cable;
    front.front = c;
    net_attach(cable, &front);
    *out = c;
    return 0;
}

void sw_cable_close(struct sw_cable *c)
{
    if (!c)
        return;
    net_attach(c->net, NULL);
    sw_port_close(c->port);
    net_close(c->net);
    free(c);
}

struct sw_port *sw_cable_port(struct sw_cable *c)
{
    return c->port;
}
