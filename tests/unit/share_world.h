/* What the tests of shared disks have in common: a host disk that serves one request at a time when
 * it is told to, guests that keep so many in flight, and a clock that the test moves. */
#ifndef TESTS_SHARE_WORLD_H
#define TESTS_SHARE_WORLD_H

#include "unit.h"
#include "back/blk.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "share/share_blk.h"

#define MS      1000000ull
#define DISKS   3u
#define DEEP    64u
#define SECTORS 65536u
#define BIG     (1u << 20)

/* The host disk: one queue for all that lies on it; or at_once, where requests end inside submit.
 */
struct host {
    struct blk_req *first, **end;
    unsigned queued, queued_most;
    bool at_once;
};

struct guest {
    struct blk *b;
    struct blk_req req[DEEP];
    struct iovec iov[DEEP];
    uint64_t done, bytes;
    uint32_t len; /* of each request it keeps in flight; 0: it sends no more */
    enum blk_op op;
    int err;
};

struct world {
    struct ledger *ledger;
    struct loop *loop;
    struct host host;
    struct share_disk *disk;
    struct guest guest[DISKS];
    unsigned flood_rate; /* a second */
    uint32_t seed;
};

bool host_one(struct host *h); /* the oldest ends; false: there was none */
void guest_open(struct world *w, unsigned n, struct share_disk *disk, const struct share_limits *l);
void guest_start(struct guest *g, uint32_t len, unsigned depth);
void guest_done(struct blk_req *req, int err);
void guests_close(struct world *w);
/* The host disk serves n requests, and the loop has its turn after each. */
void serve(struct world *w, unsigned n);
int share_setup(void **state);
int share_teardown(void **state);

#define T(f) cmocka_unit_test_setup_teardown(f, share_setup, share_teardown)
#endif
