/* viaduct compare --net: what bench/ladder measured of the depth of a guest's network stack. */
#ifndef CLI_COMPARE_NET_H
#define CLI_COMPARE_NET_H

#include "cli/compare.h"

#define NET_RUNGS_MAX 16

enum net_key { /* of a megabyte of a stream, then of a round trip of a byte */
               NET_MB_S,
               NET_CPU_MB,
               NET_TRAPS_MB,
               NET_IRQS_MB,
               NET_PACKETS_MB,
               NET_COPIES,
               NET_RTT,
               NET_CPU_TRIP,
               NET_TRAPS_TRIP,
               NET_IRQS_TRIP,
               NET_PACKETS_TRIP,
               NET_KEYS
};
#define NET_STREAM_KEYS NET_RTT /* those before are the stream's */

struct net_figure { /* of all rounds; NAN: not determined */
    double mid, least, greatest;
};

struct net_rung {
    char name[64], layers[256];
    struct net_figure f[NET_KEYS];
};

struct net_column {
    const char *key, *name, *what; /* key: in the ladder's JSON */
    void (*show)(char *to, size_t room, double v);
};
extern const struct net_column net_columns[NET_KEYS];

struct compare_net {
    char engine[16];
    struct net_rung rung[NET_RUNGS_MAX];
    unsigned rungs;
    char *json; /* as it was read */
};

/* Of the ladder's JSON. 0, or -EINVAL with err filled */
int compare_net_parse(struct compare_net *n, const char *json, struct error *err);

/* compare_net_tell.c */
void compare_net_table(const struct compare_net *n);
void compare_net_html(FILE *out, const struct compare_net *n);

#endif
