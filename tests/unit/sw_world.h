/* What the tests of the switch's core share: plugs that have as much room as a test says, frames
 * made for them, and a clock that the test moves. */
#ifndef TESTS_SW_WORLD_H
#define TESTS_SW_WORLD_H

#include "unit.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "share/sw.h"

#define NS     1000000000ull
#define PORTS  6
#define AGE    (300 * NS)
#define KEEP   64
#define BROAD  0xffffffffffffull
#define MAC(n) (0x020000000000ull + (n))

struct end { /* what is plugged in */
    struct world *w;
    struct sw_port *port;
    unsigned room;             /* frames it takes before it says no; counts down */
    unsigned got, ends, went;  /* frames; bursts; times that go was called */
    uint64_t bytes[PORTS + 1]; /* by the last byte of the source address */
    uint8_t last[KEEP];        /* the last frame's beginning */
    struct net_frame frame;    /* the last one; iov is not to be looked at */
    uint8_t *spoil;            /* a byte that the sender changes once this one was given */
};

struct world {
    struct loop *loop;
    struct ledger *ledger;
    struct sw *sw;
    struct end end[PORTS];
};

/* A port with a policy in words. */
struct end *plug(struct world *w, unsigned i, const char *words);
extern uint8_t buf[70000]; /* the frame that is sent */
struct net_frame frame(struct iovec *iov, uint64_t to, uint64_t from, size_t len);
void send(struct end *e, uint64_t to, uint64_t from, size_t len);
/* The bytes of hex digits, padded to 60, from that port. */
void send_hex(struct end *e, const char *hex);
int sw_setup(void **state);
int sw_teardown(void **state);

#define T(f) cmocka_unit_test_setup_teardown(f, sw_setup, sw_teardown)
#endif
