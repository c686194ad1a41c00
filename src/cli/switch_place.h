/*
 * One --port of a switch, or the socket that everybody may come to: what is plugged in there, and
 * what the operator says about it. Used by viaduct switch and by viaduct domain --switch.
 */
#ifndef CLI_SWITCH_PLACE_H
#define CLI_SWITCH_PLACE_H

#include "back/listen.h"
#include "core/log.h"
#include "share/sw.h"

#define SWITCH_PLACE_VALUE                                                                         \
    "socket=PATH[,peers=N]|tap=NAME|switch=PATH|user[,…][,pcap=FILE]" SW_POLICY_VALUE

struct net_pcap;
struct switch_peer;

struct switch_place {
    char text[1024], spec[1024]; /* spec: of a cable, as for net_open; or "" */
    const char *socket, *pcap;
    unsigned peers_max; /* at once */
    struct sw_policy policy;
    struct sw *sw;
    struct log_budget *budget;
    struct listen_place at;
    struct sw_cable *cable;
    struct switch_peer *peers; /* those that are there */
    struct net_pcap **pcaps;   /* by port, the owner's; or NULL */
};

/* From its words. 0 or -EINVAL with err filled. */
int switch_place_take(struct switch_place *p, const char *value, struct error *err);
/* Plugged in, or listening. 0 or -errno with err filled. */
int switch_place_open(struct switch_place *p, struct sw *sw, struct log_budget *budget,
                      struct error *err);
void switch_place_close(struct switch_place *p); /* also after a failed open, or none */

#endif
