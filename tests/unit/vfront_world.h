/* A front end of vhost-user with a device and a driver, on one thread with a back end that is a
 * script: honest but for one thing. */
#ifndef TESTS_UNIT_VFRONT_WORLD_H
#define TESTS_UNIT_VFRONT_WORLD_H

#include "mem/ram.h"
#include "vhost/front_impl.h"

struct bus;
struct ledger;

enum { HEARD_MAX = 256 };

struct world;

/* Told before an answer goes out: m may be changed. False: it does not go out. */
typedef bool twist_fn(struct world *w, struct vu_msg *m);

struct world {
    struct loop *loop;
    struct ledger *ledger;
    struct bus *bus;
    struct ram ram;
    struct vfront *f;
    bool created;
    /* the back end */
    int sock, back; /* -1 */
    struct vu_in in;
    uint16_t heard[HEARD_MAX]; /* requests, as they came */
    unsigned hears;
    uint64_t features, protocol;
    uint8_t cfg[60];
    uint8_t *rings; /* what was lent for them */
    size_t rings_len;
    int ring_fd, ram_fd, kick, call;
    twist_fn *twist;
    uint32_t at;     /* the request whose answer is twisted */
    unsigned served; /* how often it was its turn */
    unsigned limit;  /* then it has enough, and hangs up; 0: never */
    void *liar;      /* the twist's */
};

void world_open(struct world *w, unsigned queues, bool packed);
void world_close(struct world *w);
void world_connect(struct world *w); /* a new back end comes; all that it is asked is answered */
void world_hang_up(struct world *w);
void world_create(struct world *w); /* the device */
void world_driver(struct world *w); /* its driver: negotiated, one split ring of 8, DRIVER_OK */
void world_serve(void *world);      /* the back end answers what has come */
void world_go(struct world *w);     /* both sides, until nothing happens any more */
void world_request(struct world *w, unsigned n); /* the n-th of the driver: 16 bytes out, 513 in */
uint16_t world_used(struct world *w);            /* the driver's used index */
/* The back end's view of its ring, split: what is available, and giving back. */
uint16_t world_posted(struct world *w);
uint16_t world_head(struct world *w, uint16_t at);
void world_give(struct world *w, uint32_t id, uint32_t len);

#endif
