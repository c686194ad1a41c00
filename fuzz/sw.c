/*
 * Hostile frames and the switch: VLAN stacks, heads cut short, headers of unfinished work that lie,
 * addresses of others, from cards and cables of every policy, with receivers that have no room now
 * and then, ports that go and come back, and time that passes. What sw.h and docs/net.md promise
 * must hold for each frame that leaves.
 *
 * Two kinds of receivers: three that are plain functions and look at each frame, and a card
 * (sw_card.c) whose front refuses at times, so that cut frames are taken up where they were.
 */
#include "back/net_offload.h"
#include "back/net_vnet.h"
#include "core/error.h"
#include "core/ledger.h"
#include "input.h"
#include "share/sw.h"
#include <stdlib.h>

#define STEPS 256
#define PORTS 4
#define NS    1000000000ull

static const char *const policies[][PORTS] = {
    {"mac=02:00:00:00:00:01,ip=10.0.0.1,ip=2001:db8::1,vlan=5", "vlan=5", "vlans=5-6,native=7",
     "vlan=6"},
    {"mac=02:00:00:00:00:01", "isolate", "uplink", "isolate,weight=4"},
    {"rate=8M,storm=100", "rate-to=1M,burst=2K", "queue=4K,macs=3", "mac=02:00:00:00:00:04"},
    {"vlans=all", "vlans=5,native=5", "", "vlan=5,ip=10.0.0.4"},
};

struct world;

struct end {
    struct world *w;
    unsigned index;
    struct sw_policy policy;
    struct sw_port *port; /* the last one's is the card's */
};

struct world {
    struct loop *loop;
    struct ledger *ledger;
    struct sw *sw;
    struct end end[PORTS];
    struct net *card;
    unsigned from; /* whose frame is on its way; PORTS: it waited */
    unsigned refuse, asked;
    bool vlans;
};

/* ---- what leaves ---- */

static bool has_room(struct world *w)
{
    return !w->refuse || ++w->asked % w->refuse;
}

static void judge(const struct end *e, const struct net_frame *f)
{
    const struct world *w = e->w;
    const struct end *by = w->from < PORTS ? &w->end[w->from] : NULL;
    uint8_t head[64];
    struct l2_tag tag;
    size_t have = net_head(f, head, sizeof(head));

    PROMISE(net_frame_ok(f));
    PROMISE(e != by);
    PROMISE(!l2_is_group(l2_mac(head + 6)) && l2_mac(head + 6));
    PROMISE(l2_tag_get(&tag, head, have));
    if (w->vlans && !e->policy.trunk)
        PROMISE(!tag.tags);
    if (w->vlans && tag.tags)
        PROMISE(tag.tags == 1 && tag.vid != e->policy.native &&
                l2_vlans_has(&e->policy.vlans, tag.vid));
    for (unsigned i = 0; i < PORTS; i++) /* of a pinned address only its owner's frames */
        if (by && w->end[i].policy.has_mac && w->end[i].port &&
            !memcmp(head + 6, w->end[i].policy.mac, 6))
            PROMISE(by == &w->end[i]);
    if (by && (by->policy.isolate || e->policy.isolate))
        PROMISE(by->policy.uplink || e->policy.uplink);
}

static bool give(void *ctx, const struct net_frame *f)
{
    struct end *e = ctx;

    if (!has_room(e->w))
        return false;
    judge(e, f);
    return true;
}

static bool card_recv(void *ctx, const struct net_frame *f)
{
    struct end *e = ctx;

    if (!has_room(e->w))
        return false;
    judge(e, f);
    PROMISE(!(f->todo & ~(unsigned)NET_CSUM));
    return true;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static unsigned takes(const void *ctx)
{
    (void)ctx;
    return NET_CSUM | NET_TSO4 | NET_TSO6;
}

/* ---- ports ---- */

static void plug(struct world *w, unsigned i)
{
    static const struct sw_plug plugs = {
        .give = give, .end = nothing, .takes = takes, .go = nothing};
    struct end *e = &w->end[i];
    struct net_front front = {.recv = card_recv, .takes = NET_CSUM, .front = e};

    if (i < PORTS - 1) {
        PROMISE(!sw_port_open(&e->port, w->sw, &e->policy, &plugs, e, NULL));
        return;
    }
    PROMISE(!sw_card_open(&w->card, w->sw, &e->policy, "card", NULL));
    net_attach(w->card, &front);
    e->port = (struct sw_port *)w->card; /* it is there */
}

static void unplug(struct world *w, unsigned i)
{
    if (i < PORTS - 1)
        sw_port_close(w->end[i].port);
    else
        net_close(w->card);
    w->end[i].port = NULL;
}

static void start(struct world *w, const char *const words[PORTS])
{
    struct sw_opts o = {.name = "fuzz", .age_ns = NS, .seed = 0x9e3779b97f4a7c15};

    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    PROMISE(!sw_open(&w->sw, &o, w->loop, w->ledger));
    for (unsigned i = 0; i < PORTS; i++) {
        char text[128], *save = NULL;

        memcpy(text, words[i], strlen(words[i]) + 1);
        w->end[i].w = w;
        w->end[i].index = i;
        for (char *t = strtok_r(text, ",", &save); t; t = strtok_r(NULL, ",", &save))
            PROMISE(sw_policy_word(&w->end[i].policy, t, NULL) == 1);
        w->vlans |= sw_policy_has_vlans(&w->end[i].policy);
        plug(w, i);
    }
}

static void stop(struct world *w)
{
    for (unsigned i = 0; i < PORTS; i++)
        if (w->end[i].port)
            unplug(w, i);
    sw_close(w->sw);
    ledger_close(w->ledger);
    loop_close(w->loop);
}

/* ---- what comes ---- */

/* A frame as a socket or a guest gives it: bytes, then as many zeroes as it says, in two pieces. */
static void frame(struct world *w, unsigned port, struct input *in)
{
    static uint8_t buf[NET_FRAME_MAX];
    uint8_t vnet[NET_VNET_LEN], how = take_u8(in);
    size_t len = take_u8(in), cut;
    struct iovec iov[2];
    struct net_frame f = {.iov = iov, .iovs = 2};

    memset(vnet, 0, sizeof(vnet));
    if (how & 1)
        take(in, vnet, sizeof(vnet));
    len = len < NET_FRAME_MIN ? NET_FRAME_MIN : len;
    take(in, buf, len);
    f.len = how & 2 ? len + 20000 : len;
    memset(buf + len, 0, f.len - len);
    if (net_vnet_get(&f, vnet))
        return;
    cut = how >> 2 < len ? how >> 2 : len;
    iov[0] = (struct iovec){buf, cut};
    iov[1] = (struct iovec){buf + cut, f.len - cut};
    w->from = port;
    if (port == PORTS - 1)
        net_send(w->card, &f);
    else if (sw_port_may(w->end[port].port))
        sw_port_from(w->end[port].port, &f);
    if (!(how & 2) && port < PORTS - 1)
        sw_port_from_end(w->end[port].port);
    else if (port == PORTS - 1)
        net_flush(w->card);
    w->from = PORTS;
}

static void step(struct world *w, struct input *in)
{
    uint8_t what = take_u8(in);
    unsigned port = what % PORTS;

    if (what >= 250)
        w->refuse = take_u8(in) % 8;
    else if (what >= 240)
        loop_advance(w->loop, take_int(in, 2) * 10000);
    else if (what >= 232 && w->end[port].port)
        unplug(w, port);
    else if (!w->end[port].port)
        plug(w, port);
    else if (what >= 220)
        port < PORTS - 1 ? sw_port_room(w->end[port].port) : net_ready(w->card);
    else
        frame(w, port, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    struct world w = {.from = PORTS};

    start(&w, policies[take_u8(&in) % ARRAY_LEN(policies)]);
    for (unsigned i = 0; i < STEPS && in.len; i++)
        step(&w, &in);
    w.refuse = 0;
    for (unsigned i = 0; i < PORTS - 1; i++)
        if (w.end[i].port)
            sw_port_room(w.end[i].port);
    loop_advance(w.loop, NS / 10);
    stop(&w);
    return 0;
}
