/* Networks of the bench: the other end of a NIC's cable, which keeps what was sent. */
#ifndef TESTS_DEV_BENCH_NET_H
#define TESTS_DEV_BENCH_NET_H

#include "back/net.h"

#define BENCH_FRAMES 512 /* kept until somebody looks; more are dropped */

struct bench;
struct script;

struct bench_frame {
    uint8_t *data;
    size_t len;
    unsigned todo;
    uint16_t csum_start, csum_offset, gso_size, hdr_len;
};

struct bench_net {
    struct net net;
    char name[32];
    bool full;
    struct bench_frame frame[BENCH_FRAMES];
    unsigned sent, seen;      /* counts; sent - seen are kept */
    unsigned flushes, readys; /* how often each was called, since the last look */
};

struct bench_net *bench_net(struct bench *b, const char *name); /* NULL if none, or name is NULL */
struct bench_net *bench_net_open(struct bench *b, const char *name); /* NULL: too many, no memory */
void bench_nets_close(struct bench *b);
/* A frame arrives, all of it in so many pieces. False: the NIC has no room. */
bool bench_net_recv(struct bench *b, struct bench_net *n, const uint8_t *p, size_t len, int pieces);
int bench_net_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err);

#endif
