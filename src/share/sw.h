/*
 * A switch (IEEE 802.1Q) that joins network cards and cables within one process: `viaduct domain`
 * has it between the cards it serves, `viaduct switch` between its peers.
 *
 * A frame is not stored: the sender's memory is handed on to where it goes, and whoever is there
 * takes it or says that there is no room. Between two cards that is one copy, from one guest's
 * buffers to the other's. Only what finds no room, or comes faster than its receiver's rate, is
 * copied aside, by the port it came from; those take turns by weight (drr.h) when there is room.
 *
 * Everything happens on the loop's thread.
 */
#ifndef SHARE_SW_H
#define SHARE_SW_H

#include "back/net.h"
#include "share/l2.h"
#include "share/sw_policy.h"

#define SW_PORTS L2_PORTS
#define SW_QUEUE (4u << 20) /* bytes kept for a port that has no room; the most, without queue= */

struct sw;
struct sw_port;
struct ledger;

struct sw_opts {
    const char *name; /* of the switch: "lan"; rows are LAN.PORT's */
    uint64_t age_ns;  /* how long a silent address is remembered */
    uint64_t seed;    /* secret */
};

int sw_open(struct sw **out, const struct sw_opts *o, struct loop *loop, struct ledger *ledger);
void sw_close(struct sw *s); /* after its ports */

/* ---- ports ---- */

/* What is plugged into a port. */
struct sw_plug {
    /* Takes the frame whole, or has no room (false): then the very same one comes first when
     * sw_port_room has been called. */
    bool (*give)(void *plug, const struct net_frame *f);
    /* Several, of which nothing is left to be done: how many it took; the next has no room. NULL is
     * fine. */
    unsigned (*give_all)(void *plug, const struct net_frame *f, unsigned frames);
    void (*drop)(void *plug); /* it has no room, and the frame will not come again; NULL is fine */
    void (*end)(void *plug);  /* of a burst */
    unsigned (*takes)(const void *plug); /* NET_*: what is finished behind give otherwise */
    void (*go)(void *plug);              /* sw_port_may is true again */
    /* Copies of a frame that are made on its way from there to the switch, and from it. */
    unsigned copies_from, copies_to;
    bool still; /* frames that come from there don't change while they are looked at */
};

int sw_port_open(struct sw_port **out, struct sw *s, const struct sw_policy *policy,
                 const struct sw_plug *plug, void *ctx, struct error *err);
void sw_port_close(struct sw_port *p); /* NULL is fine */
const char *sw_port_name(const struct sw_port *p);

/* May a frame come from there now? If not, its rate or its turn is over, and go will be called. */
bool sw_port_may(struct sw_port *p);
/* When it may: so many bytes, and NET_COST a frame, before it is asked again. */
size_t sw_port_quota(const struct sw_port *p);
void sw_port_from(struct sw_port *p, const struct net_frame *f);
void sw_port_from_all(struct sw_port *p, const struct net_frame *f, unsigned frames);
void sw_port_from_end(struct sw_port *p); /* of a burst */
void sw_port_room(struct sw_port *p);     /* there is room again at its plug */
/* Who was plugged in there is gone: what is kept for it too, and its addresses. */
void sw_port_forget(struct sw_port *p);

struct sw_count {
    uint64_t in, in_bytes;   /* from it */
    uint64_t out, out_bytes; /* to it */
    uint64_t dropped;        /* to it: no room, and too much kept already */
    uint64_t bad, spoofed, crowded, vlan, storm, isolated; /* from it */
    uint64_t queued;                                       /* to it: had to wait */
};
const struct sw_count *sw_port_count(const struct sw_port *p);

struct sw_queue {
    const char *port;   /* its name: SWITCH.PORT */
    unsigned frames;    /* that wait for it */
    size_t kept, limit; /* bytes of memory */
    unsigned addresses; /* that live there */
};
/* index below SW_PORTS; false: nothing is plugged in there. */
bool sw_queue_look(const struct sw *s, unsigned index, struct sw_queue *out);

const char *sw_name(const struct sw *s);
unsigned sw_next(const struct sw *s); /* the number of the next port; SW_PORTS: all are taken */
struct loop *sw_loop(const struct sw *s);
struct ledger *sw_ledger(const struct sw *s);

/* ---- plugs ---- */

/* sw_card.c: *out is a cable for a card (back/net.h); net_close unplugs it. */
int sw_card_open(struct net **out, struct sw *s, const struct sw_policy *policy, const char *name,
                 struct error *err);
/* sw_cable.c: the switch takes the card's place at the end of a cable. */
struct sw_cable;
int sw_cable_open(struct sw_cable **out, struct sw *s, const struct sw_policy *policy,
                  struct net *cable, struct error *err); /* cable is the cable's now */
void sw_cable_close(struct sw_cable *c);
struct sw_port *sw_cable_port(struct sw_cable *c);

#endif
