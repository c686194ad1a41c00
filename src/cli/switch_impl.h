/* Shared by the files of viaduct switch. */
#ifndef CLI_SWITCH_IMPL_H
#define CLI_SWITCH_IMPL_H

#include "back/net_out.h"
#include "back/net_rec.h"
#include "core/log.h"
#include "core/loop.h"
#include "share/l2.h"

#define SWITCH_PORTS 32u
#define SWITCH_QUEUE (4u << 20) /* bytes kept for a port that does not read, and a burst more */

_Static_assert(SWITCH_PORTS <= L2_PORTS, "the table knows all ports");

struct net_pcap;
struct sw;

struct sw_count {
    uint64_t in, in_bytes;   /* frames from the peer */
    uint64_t out, out_bytes; /* to it */
    uint64_t dropped;        /* to it: it does not read */
    uint64_t bad;            /* from it: no sane header, or a group address as source */
    uint64_t spoofed;        /* from it, with another port's address */
    uint64_t crowded;        /* from it, with an address beyond its quota: not learnt */
    uint64_t copied;         /* bytes, by system calls from it and to it, or kept for it */
};

struct sw_port {
    struct sw *sw;
    unsigned index;
    int fd; /* -1: nobody there */
    struct net_in in;
    struct net_out out;
    size_t share[SWITCH_PORTS]; /* bytes kept here, by the port they came from */
    unsigned takes;             /* NET_* */
    bool spoke;                 /* its first record was seen */
    bool touched;               /* something is to be flushed */
    uint32_t events;
    unsigned peers; /* how many were here so far */
    struct sw_count count;
    struct net_pcap *pcap;
};

struct sw {
    struct loop *loop;
    struct l2 l2;
    struct sw_port port[SWITCH_PORTS];
    struct sw_port *source; /* whose burst is being forwarded */
    uint64_t now;
    struct log_budget budget;
};

/* switch_port.c */
int sw_port_start(struct sw_port *p, int fd);          /* takes fd; 0 or -errno (closed then) */
void sw_port_stop(struct sw_port *p, const char *why); /* why NULL: quietly */
/* switch_forward.c. False: the peer does not speak this. */
bool sw_forward_burst(struct sw_port *p);

#endif
