/*
 * A Unix socket where a scraper asks for metrics by HTTP: GET / or /metrics, and nothing else. Tiny
 * on purpose: one answer a connection, a request has METRICS_ASK bytes at most and a few seconds to
 * come and to be answered, few connections at a time.
 */
#ifndef API_METRICS_DOOR_H
#define API_METRICS_DOOR_H

#include "core/types.h"

struct error;
struct loop;
struct metrics_door;
struct metrics_source;

#define METRICS_CLIENTS 4u
#define METRICS_ASK     2048u

struct metrics_door_opts {
    const char *option; /* for messages: "--metrics" */
    const char *path;   /* of the socket; mode 0600 */
    const char *name;   /* label vm; NULL: none; borrowed */
    struct loop *loop;
    /* Fills in what there is to tell; on the loop, with its lock held. */
    void (*source)(void *ctx, struct metrics_source *s);
    void *ctx;
};

/* Both with the loop's lock held. 0 or -errno with err filled. */
int metrics_door_open(struct metrics_door **out, const struct metrics_door_opts *o,
                      struct error *err);
void metrics_door_close(struct metrics_door *d); /* NULL is fine */

/* The answer to a request that has come whole, or is as long as it may be; to be freed. Fuzzers. */
char *metrics_http_answer(const char *ask, const struct metrics_source *s, const char *name);

#endif
