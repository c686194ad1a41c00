/*
 * Ports of a switch: a cable that is there from the start, or a socket at which peers come and go.
 * After its start a place needs accept4, and what its nets need: recvmsg, sendmsg, close,
 * epoll_ctl; a tap read and writev.
 */
#include "cli/switch_place.h"
#include "back/net_pcap.h"
#include "back/net_peer.h"
#include "core/error.h"
#include "core/ledger.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS 8 /* a turn */

struct switch_peer {
    struct switch_place *place;
    struct switch_peer *next;
    struct net *net;
    struct sw_cable *cable;
    char name[sizeof(((struct net *)0)->name)];
};

/* ---- words ---- */

static int place_word(struct switch_place *p, const char *w, struct error *err)
{
    size_t len = strlen(p->spec);
    int code = sw_policy_word(&p->policy, w, err);
    char *end;

    if (code)
        return code < 0 ? code : 0;
    if (!strncmp(w, "socket=", 7) && w[7])
        p->socket = w + 7;
    else if (!strncmp(w, "pcap=", 5) && w[5])
        p->pcap = w + 5;
    else if (!strncmp(w, "peers=", 6) && w[6] >= '1' && w[6] <= '9' &&
             (p->peers_max = (unsigned)strtoul(w + 6, &end, 10)) <= SW_PORTS && !*end)
        return 0;
    else if (len || strncmp(w, "peers=", 6))
        /* fits: it is shorter than text, where it comes from */
        snprintf(p->spec + len, sizeof(p->spec) - len, "%s%s", len ? "," : "", w);
    else
        return error_set(err, -EINVAL, "%s: must be 1 to %u", w, SW_PORTS);
    return 0;
}

int switch_place_take(struct switch_place *p, const char *value, struct error *err)
{
    char *save = NULL;
    int code = 0;

    p->at.fd = -1;
    p->peers_max = 1;
    if (strlen(value) >= sizeof(p->text))
        return error_set(err, -EINVAL, "--port: too long");
    snprintf(p->text, sizeof(p->text), "%s", value);
    for (char *w = strtok_r(p->text, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = place_word(p, w, err);
    if (!code)
        code = sw_policy_check(&p->policy, err);
    if (!code && !*p->spec == !p->socket)
        code =
            error_set(err, -EINVAL,
                      "--port %s: must be one of socket=PATH, tap=NAME, switch=PATH, user", value);
    if (!code && p->policy.has_mac && p->peers_max > 1)
        code = error_set(err, -EINVAL, "--port %s: peers= and mac=: one address, one peer", value);
    return code;
}

/* ---- peers ---- */

static void peer_free(struct switch_peer *peer)
{
    struct switch_peer **at = &peer->place->peers;

    while (*at && *at != peer)
        at = &(*at)->next;
    if (*at)
        *at = peer->next;
    if (peer->place->pcaps)
        peer->net->pcap = NULL; /* it is written for whoever comes next, too */
    sw_cable_close(peer->cable);
    free(peer);
}

static void peer_gone(void *ctx, const char *why)
{
    struct switch_peer *peer = ctx;

    log_peer(peer->place->budget, "%s: the peer %s", peer->name, why);
    peer_free(peer);
}

static unsigned peers_count(const struct switch_place *p)
{
    unsigned n = 0;

    for (const struct switch_peer *i = p->peers; i; i = i->next)
        n++;
    return n;
}

static void name_make(const struct switch_place *p, char *name, size_t room)
{
    if (*p->policy.name)
        snprintf(name, room, "%s.%s", sw_name(p->sw), p->policy.name);
    else
        snprintf(name, room, "%s.%u", sw_name(p->sw), sw_next(p->sw));
}

/* The net's row has the port's name. */
static int peer_plug(struct switch_peer *peer, int fd)
{
    struct switch_place *p = peer->place;
    struct net_peer_opts o = {.name = peer->name, .gone = peer_gone, .ctx = peer};
    unsigned index = sw_next(p->sw);
    struct ledger_row *row;
    struct error err = {0};
    int code;

    name_make(p, peer->name, sizeof(peer->name));
    row = ledger_row(sw_ledger(p->sw), LEDGER_SWITCH, peer->name, "peer");
    code = net_peer_open(&peer->net, fd, &o, sw_loop(p->sw), sw_ledger(p->sw));
    if (code)
        return code;
    code = sw_cable_open(&peer->cable, p->sw, &p->policy, peer->net, &err);
    if (code)
        return code;
    if (p->pcaps)
        peer->net->pcap = p->pcaps[index];
    if (row)
        ledger_add(row, true, 0);
    return 0;
}

static void peer_new(struct switch_place *p, int fd)
{
    struct switch_peer *peer = calloc(1, sizeof(*peer));

    if (!peer) {
        close(fd);
        return;
    }
    peer->place = p;
    if (peer_plug(peer, fd)) {
        free(peer);
        return;
    }
    peer->next = p->peers;
    p->peers = peer;
    log_peer(p->budget, "%s: a peer came", peer->name);
}

static void on_connect(void *arg, uint32_t events)
{
    struct switch_place *p = arg;

    (void)events;
    for (unsigned i = 0; i < ACCEPTS; i++) {
        int fd = accept4(p->at.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (peers_count(p) < p->peers_max && sw_next(p->sw) < SW_PORTS) {
            peer_new(p, fd);
            continue;
        }
        log_peer(p->budget, "%s: all its %u ports are taken, one more peer is turned away",
                 p->socket, p->peers_max);
        close(fd);
    }
}

/* ---- open and close ---- */

static int socket_open(struct switch_place *p, struct error *err)
{
    int code = listen_open(&p->at, "switch", p->socket, 16, err);

    if (code == -EADDRINUSE)
        return error_set(err, code, "switch %s: there is a switch already", p->socket);
    if (!code && p->pcap) { /* one file for all who come there */
        p->pcaps = calloc(SW_PORTS, sizeof(struct net_pcap *));
        code = p->pcaps ? error_lead(err, net_pcap_open(&p->pcaps[0], p->pcap, 0, err), "--port ")
                        : -ENOMEM;
        for (unsigned i = 1; i < SW_PORTS && !code; i++)
            p->pcaps[i] = p->pcaps[0];
    }
    if (!code)
        code = loop_fd(sw_loop(p->sw), p->at.fd, EPOLLIN, on_connect, p);
    return code;
}

static int cable_open(struct switch_place *p, struct error *err)
{
    char name[sizeof(((struct net *)0)->name)];
    struct net_open_opts o = {.spec = p->spec, .pcap = p->pcap, .name = name};
    struct net *net;
    int code;

    name_make(p, name, sizeof(name));
    code = net_open(&net, &o, sw_loop(p->sw), sw_ledger(p->sw), err);
    return code ? code : sw_cable_open(&p->cable, p->sw, &p->policy, net, err);
}

int switch_place_open(struct switch_place *p, struct sw *sw, struct log_budget *budget,
                      struct error *err)
{
    p->sw = sw;
    p->budget = budget;
    return p->socket ? socket_open(p, err) : cable_open(p, err);
}

void switch_place_close(struct switch_place *p)
{
    while (p->peers)
        peer_free(p->peers);
    sw_cable_close(p->cable);
    p->cable = NULL;
    if (p->at.fd >= 0) {
        loop_fd_drop(sw_loop(p->sw), p->at.fd);
        listen_close(&p->at);
    }
    if (p->pcap && p->pcaps) {
        net_pcap_close(p->pcaps[0]);
        free(p->pcaps);
        p->pcaps = NULL;
    }
}
