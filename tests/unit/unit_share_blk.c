/* Limits and shares of disks, on a clock of the test's and a host disk that serves one request at a
 * time when it is told to: what is asserted is exact. */
#include "unit.h"
#include "back/blk.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "share/share_blk.h"

#include <errno.h>

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

struct host_blk {
    struct blk blk;
    struct host *host;
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

static uint8_t buffer[BIG];

static void host_serve(struct blk_req *r)
{

    for (int i = 0; r->op == BLK_READ && i < r->iovs; i++)
        memset(r->iov[i].iov_base, (int)(r->sector & 0xff), r->iov[i].iov_len);
    blk_finish(r, r->sector == SECTORS - 1 ? -EIO : 0);
}

static void host_submit(struct blk *b, struct blk_req *req)
{
    struct host *h = container_of(b, struct host_blk, blk)->host;

    if (h->at_once) {
        host_serve(req);
        return;
    }
    req->next = NULL;
    *h->end = req;
    h->end = &req->next;
    if (++h->queued > h->queued_most)
        h->queued_most = h->queued;
}

static bool host_one(struct host *h)
{
    struct blk_req *r = h->first;

    if (!r)
        return false;
    h->first = r->next;
    if (!h->first)
        h->end = &h->first;
    h->queued--;
    host_serve(r);
    return true;
}

static void host_drain(struct blk *b)
{
    struct host *h = container_of(b, struct host_blk, blk)->host;

    while (host_one(h))
        ;
}

static void host_close(struct blk *b)
{
    free(container_of(b, struct host_blk, blk));
}

static const struct blk_ops host_ops = {"host", host_submit, host_drain, host_close};

static void guest_send(struct guest *g, unsigned i)
{
    g->iov[i] = (struct iovec){buffer, g->len};
    g->req[i].op = g->op;
    g->req[i].sector = 0;
    g->req[i].sectors = g->len / BLK_SECTOR;
    g->req[i].iov = &g->iov[i];
    g->req[i].iovs = 1;
    blk_submit(g->b, &g->req[i]);
}

static void guest_done(struct blk_req *req, int err)
{
    struct guest *g = req->owner;

    g->done++;
    g->bytes += req->sectors * BLK_SECTOR;
    g->err = err;
    if (g->len)
        guest_send(g, (unsigned)(req - g->req));
}

static void guest_start(struct guest *g, uint32_t len, unsigned depth)
{
    g->len = len;
    for (unsigned i = 0; i < depth; i++)
        guest_send(g, i);
}

static void guest_open(struct world *w, unsigned n, struct share_disk *disk,
                       const struct share_limits *l)
{
    struct host_blk *h = calloc(1, sizeof(*h));
    struct guest *g = &w->guest[n];
    char name[8];

    assert_non_null(h);
    h->host = &w->host;
    h->blk.ops = &host_ops;
    h->blk.sectors = SECTORS;
    h->blk.can_discard = h->blk.can_zeroes = true;
    snprintf(name, sizeof(name), "disk%u", n);
    assert_int_equal(blk_init(&h->blk, name, w->loop, w->ledger), 0);
    assert_int_equal(share_blk_open(&g->b, &h->blk, disk, l, w->ledger), 0);
    g->op = BLK_WRITE;
    for (unsigned i = 0; i < DEEP; i++) {
        g->req[i].owner = g;
        g->req[i].done = guest_done;
    }
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->ledger = ledger_open();
    w->loop = loop_open(NULL, true);
    w->host.end = &w->host.first;
    assert_int_equal(share_disk_open(&w->disk, w->loop), 0);
    *state = w;
    return 0;
}

static void teardown_guests(struct world *w)
{
    for (unsigned i = 0; i < DISKS; i++) {
        w->guest[i].len = 0;
        blk_close(w->guest[i].b);
        memset(&w->guest[i], 0, sizeof(w->guest[i]));
    }
}

static int teardown(void **state)
{
    struct world *w = *state;

    teardown_guests(w);
    share_disk_close(w->disk);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

/* The host disk serves n requests, and the loop has its turn after each. */
static void serve(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        host_one(&w->host);
        loop_advance(w->loop, 1000);
    }
}

/* ---- limits ---- */

static void requests_a_second(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.iops = 100, .burst_ns = 100 * MS};

    w->host.at_once = true;
    guest_open(w, 0, NULL, &l);
    guest_start(&w->guest[0], 4096, DEEP);
    loop_advance(w->loop, 0);
    assert_int_equal(w->guest[0].done, 10); /* the burst */
    for (unsigned i = 1; i <= 1000; i++) {
        loop_advance(w->loop, 10 * MS);
        assert_int_equal(w->guest[0].done, 10 + i); /* one each 10 ms, to the ms, for 10 s */
    }
    assert_true(ledger_find(w->ledger, LEDGER_WAY, "disk0", "limited")->writes >= 1000);
}

static void bytes_a_second(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.bps = 1 << 20, .burst_ns = 125 * MS};

    w->host.at_once = true;
    guest_open(w, 0, NULL, &l);
    guest_start(&w->guest[0], 65536, 4);
    loop_advance(w->loop, 0);
    assert_int_equal(w->guest[0].bytes, 2 * 65536); /* 128 KiB: what 125 ms give */
    loop_advance(w->loop, 10000 * MS);
    assert_int_equal(w->guest[0].bytes, 2 * 65536 + (10u << 20));
    /* one that is larger than the burst goes when the bucket is full, and is paid for after */
    w->guest[0].len = BIG;
    loop_advance(w->loop, 10000 * MS);
    assert_in_range(w->guest[0].bytes, 20u << 20, (20u << 20) + 2 * 65536 + BIG);
}

static void both_limits_hold(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.iops = 10, .bps = 10 << 20, .burst_ns = 100 * MS};

    w->host.at_once = true;
    guest_open(w, 0, NULL, &l);
    guest_start(&w->guest[0], 512, 8); /* requests are short of here */
    loop_advance(w->loop, 10000 * MS);
    assert_int_equal(w->guest[0].done, 1 + 100);
    w->guest[0].len =
        4 * BIG / 4; /* bytes from here on: 10 requests a second of 1 MiB are 10 MiB */
    loop_advance(w->loop, 10000 * MS);
    assert_in_range(w->guest[0].done, 101 + 98, 101 + 100);
}

static void a_drain_waits_for_nothing_and_is_charged(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.iops = 10, .burst_ns = 100 * MS};

    guest_open(w, 0, NULL, &l);
    guest_start(&w->guest[0], 4096, 50);
    w->guest[0].len = 0;
    assert_int_equal(w->host.queued, 1);
    blk_drain(w->guest[0].b);
    assert_int_equal(w->guest[0].done, 50);
    guest_start(&w->guest[0], 4096, 1);
    w->guest[0].len = 0;
    w->host.at_once = true;
    loop_advance(w->loop, 4900 * MS); /* 49 were not paid for: they are now */
    assert_int_equal(w->guest[0].done, 50);
    loop_advance(w->loop, 200 * MS);
    assert_int_equal(w->guest[0].done, 51);
}

static void flushes_and_discards_are_requests(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.iops = 10, .bps = 4096, .burst_ns = 1000 * MS};
    struct guest *g = &w->guest[0];

    w->host.at_once = true;
    guest_open(w, 0, NULL, &l);
    for (unsigned i = 0; i < 20; i++) {
        g->req[i].op = i % 2 ? BLK_FLUSH : BLK_DISCARD;
        g->req[i].sector = 0;
        g->req[i].sectors = 1024;
        blk_submit(g->b, &g->req[i]);
    }
    loop_advance(w->loop, 0);
    assert_int_equal(g->done, 10); /* the second's; their bytes are not counted */
    loop_advance(w->loop, 1000 * MS);
    assert_int_equal(g->done, 20);
    g->req[0].op = BLK_ZEROES; /* 512 KiB: let in with a full bucket, and paid for over 127 s */
    blk_submit(g->b, &g->req[0]);
    loop_advance(w->loop, 1000 * MS);
    assert_int_equal(g->done, 21);
    guest_start(g, 4096, 1);
    g->len = 0;
    loop_advance(w->loop, 120000 * MS);
    assert_int_equal(g->done, 21);
    loop_advance(w->loop, 10000 * MS);
    assert_int_equal(g->done, 22);
}

/* ---- shares ---- */

/* Two flood the host disk with the same: the second gets want times what the first gets, exactly
 * but for what is in flight and for the turn that is going on. */
static void ratio(struct world *w, unsigned weight, uint32_t len)
{
    struct share_limits l = {.weight = 1}, m = {.weight = weight};
    struct guest *a = &w->guest[0], *b = &w->guest[1];
    int64_t off;

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &m);
    guest_start(a, len, DEEP);
    guest_start(b, len, DEEP);
    serve(w, 200); /* what the first sent while it was alone goes first */
    a->bytes = b->bytes = 0;
    serve(w, 20000);
    off = (int64_t)(a->bytes * weight) - (int64_t)b->bytes;
    assert_true(b->bytes > 1000u * len);
    assert_in_range(off + (int64_t)(40ll * weight * len), 0, 80ull * weight * len);
    assert_true((double)b->bytes / (double)a->bytes > weight * 0.99);
    assert_true((double)b->bytes / (double)a->bytes < weight * 1.01);
}

static void one_to_one(void **state)
{
    ratio(*state, 1, 4096);
}

static void one_to_four(void **state)
{
    ratio(*state, 4, 4096);
}

static void one_to_four_large(void **state)
{
    ratio(*state, 4, 65536);
}

/* At most so much stands before a request of a neighbour that asks now and then. */
static void a_flood_delays_a_neighbour_by_a_window(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(flood, 4096, DEEP);
    guest_start(g, 4096, 1);
    g->len = 0;
    serve(w, 200);
    assert_int_equal(g->done, 1);
    w->host.queued_most = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = flood->done, was = g->done;

        guest_start(g, 4096, 1);
        g->len = 0;
        while (g->done == was)
            serve(w, 1);
        assert_true(flood->done - before <= SHARE_REQUESTS + 2);
        serve(w, 7);
    }
    assert_in_range(w->host.queued_most, 1, SHARE_REQUESTS);
}

/* A host disk that works on so many requests at once, 60 to 140 us each, in steps of 5 us. */
struct arm {
    bool busy;
    unsigned until;
};

enum { STEP_US = 5, STEPS = 1000000 / STEP_US * 3, ARMS = 16 };

struct sample {
    unsigned n, queued; /* queued: at most, in the host disk */
    uint16_t took[65536];
};

static int by_size(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static unsigned p99(struct sample *s)
{
    qsort(s->took, s->n, sizeof(s->took[0]), by_size);
    return s->took[s->n - 1 - s->n / 100] * STEP_US;
}

/* An arm that has ended its request ends the oldest of the queue. */
static void arms_step(struct world *w, struct arm *arm, unsigned arms, unsigned step)
{
    unsigned working = 0;

    for (unsigned i = 0; i < arms; i++) {
        if (arm[i].busy && arm[i].until == step) {
            arm[i].busy = false;
            host_one(&w->host);
        }
        working += arm[i].busy;
    }
    loop_advance(w->loop, 0);
    for (unsigned i = 0; i < arms; i++)
        if (!arm[i].busy && working < w->host.queued) {
            w->seed = w->seed * 1103515245 + 12345;
            arm[i] = (struct arm){true, step + (60 + (w->seed >> 16) % 17 * 5) / STEP_US};
            working++;
        }
}

/* A neighbour that has one read in flight, and, or not, a flood; after a second. */
static void settle(struct world *w, unsigned arms, bool flooded, struct sample *s)
{
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];
    struct arm arm[ARMS] = {0};
    uint64_t done = 0;

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    flood->op = g->op = BLK_READ;
    guest_start(g, 4096, 1);
    if (flooded)
        guest_start(flood, 4096, DEEP);
    s->n = s->queued = 0;
    for (unsigned step = 0, last = 0; step < STEPS; step++) {
        loop_advance(w->loop, STEP_US * 1000);
        arms_step(w, arm, arms, step);
        if (step > STEPS / 3 && w->host.queued > s->queued)
            s->queued = w->host.queued;
        if (g->done > done) {
            if (step > STEPS / 3 && s->n < ARRAY_LEN(s->took))
                s->took[s->n++] = (uint16_t)(step - last);
            last = step;
            done = g->done;
        }
    }
    flood->len = g->len = 0;
    w->flood_rate = (unsigned)(flood->done / 3);
}

static void one_arm_is_given_one_request(void **state)
{
    static struct sample s;

    settle(*state, 1, true, &s);
    printf("# one arm: at most %u in it, the neighbour's p99 is %u us\n", s.queued, p99(&s));
    assert_in_range(s.queued, 1, 3);
    assert_in_range(p99(&s), 60, 420);
}

/* They are kept busy (8 arms do 80,000 a second), and the neighbour's p99 is at most 1.5 times what
 * it has alone. */
static void eight_arms_are_kept_busy(void **state)
{
    static struct sample s, alone;
    struct world *w = *state;

    settle(w, 8, false, &alone);
    teardown_guests(w);
    settle(w, 8, true, &s);
    printf(
        "# eight arms: at most %u in them, %u a second; the neighbour's p99 is %u us, alone %u\n",
        s.queued, w->flood_rate, p99(&s), p99(&alone));
    assert_true(w->flood_rate > 60000);
    assert_true(2 * p99(&s) <= 3 * p99(&alone));
}

/* A backend that ends all at once: the flood's requests must leave the loop its turns. */
static void a_flood_of_cached_reads_leaves_turns(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];

    w->host.at_once = true;
    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(g, 4096, 1);
    g->len = 0;
    guest_start(flood, 65536, DEEP);
    loop_step(w->loop, 0);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = flood->bytes, was = g->done;

        guest_start(g, 4096, 1);
        g->len = 0;
        for (unsigned n = 0; g->done == was; n++) {
            assert_true(n < 4);
            loop_step(w->loop, 0);
        }
        assert_true(flood->bytes - before <= 4 * SHARE_TURN);
    }
    assert_true(flood->done > 100);
}

/* Alone, a disk has all of the host disk. */
static void alone_there_is_no_window(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(&w->guest[0], 4096, DEEP);
    serve(w, 1000);
    assert_int_equal(w->host.queued_most, DEEP);
}

/* ---- pieces ---- */

static void large_ones_go_in_pieces_and_end_once(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];
    static uint8_t in[BIG];
    struct iovec iov[5] = {{in, 100},
                           {in + 100, 0},
                           {in + 100, 400000},
                           {in + 400100, 600000},
                           {in + 1000100, BIG - 1000100}};

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(flood, BIG, DEEP);
    guest_start(g, 4096, 1);
    g->len = 0;
    serve(w, 100);
    for (unsigned i = 0; i < 20; i++) { /* a request of 4 KiB waits for pieces, not for a MiB */
        uint64_t was = g->done;
        unsigned n = 0;

        guest_start(g, 4096, 1);
        g->len = 0;
        for (; g->done == was; n++)
            serve(w, 1);
        assert_in_range(n, 1, SHARE_WINDOW / SHARE_PIECE + 2);
    }
    assert_true(flood->done > 10);
    g->req[1] = (struct blk_req){.op = BLK_READ,
                                 .sector = 256,
                                 .sectors = 2048,
                                 .iov = iov,
                                 .iovs = 5,
                                 .owner = g,
                                 .done = guest_done};
    memset(in, 0xee, sizeof(in));
    g->done = 0;
    blk_submit(g->b, &g->req[1]);
    for (unsigned i = 0; i < 200 && !g->done; i++)
        serve(w, 1);
    assert_int_equal(g->done, 1);
    assert_int_equal(g->err, 0);
    assert_int_equal(g->req[1].sector, 256);
    for (unsigned i = 0; i < BIG; i++) /* the byte is its piece's first sector, 256 a piece */
        assert_int_equal(in[i], 0);
    /* the last piece fails, of one whose piece it is: the whole does, once */
    iov[0].iov_base = in;
    g->req[1].sector = SECTORS - 257;
    g->req[1].sectors = 257; /* 256, and the very last sector */
    g->req[1].iovs = 2;
    iov[0].iov_len = 1000;
    iov[1] = (struct iovec){in + 1000, 257 * BLK_SECTOR - 1000};
    blk_submit(g->b, &g->req[1]);
    for (unsigned i = 0; i < 200 && g->done < 2; i++)
        serve(w, 1);
    serve(w, 50);
    assert_int_equal(g->done, 2);
    assert_int_equal(g->err, -EIO);
}

static void a_drain_ends_pieces(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *a = &w->guest[0], *b = &w->guest[1];

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(b, 4096, 1);
    guest_start(a, BIG, DEEP);
    serve(w, 3);
    a->len = b->len = 0;
    blk_drain(a->b);
    assert_int_equal(a->done, DEEP);
    blk_drain(b->b);
    guest_start(b, 4096, 8); /* and the host disk's accounts are even: all goes on */
    b->len = 0;
    serve(w, 40);
    assert_true(b->done >= 9);
    assert_int_equal(w->host.queued, 0);
}

static void a_limit_and_a_share(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1, .iops = 1000, .burst_ns = 1 * MS}, m = {.weight = 1};

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &m);
    guest_start(&w->guest[0], 4096, DEEP);
    guest_start(&w->guest[1], 4096, DEEP);
    serve(w, 100000); /* 1 µs each: 100 ms */
    assert_in_range(w->guest[0].done, 98, 102);
    assert_in_range(w->guest[1].done, 99000, 100000); /* what one may not have the other gets */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(requests_a_second),
        T(bytes_a_second),
        T(both_limits_hold),
        T(a_drain_waits_for_nothing_and_is_charged),
        T(flushes_and_discards_are_requests),
        T(one_to_one),
        T(one_to_four),
        T(one_to_four_large),
        T(a_flood_delays_a_neighbour_by_a_window),
        T(a_flood_of_cached_reads_leaves_turns),
        T(alone_there_is_no_window),
        T(one_arm_is_given_one_request),
        T(eight_arms_are_kept_busy),
        T(large_ones_go_in_pieces_and_end_once),
        T(a_drain_ends_pieces),
        T(a_limit_and_a_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
