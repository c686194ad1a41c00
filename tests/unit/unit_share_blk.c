/* Limits of disks, and large requests that go in pieces, on a clock of the test's and a host disk
 * that serves one request at a time when it is told to: what is asserted is exact. */
#include "share_world.h"

#include <errno.h>

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
    for (unsigned i = 0; i < BIG; i++) /* the byte is its piece's first sector */
        assert_int_equal(in[i], (uint8_t)(256 + i / SHARE_PIECE * (SHARE_PIECE / BLK_SECTOR)));
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
    const struct CMUnitTest tests[] = {
        T(requests_a_second),
        T(bytes_a_second),
        T(both_limits_hold),
        T(a_drain_waits_for_nothing_and_is_charged),
        T(flushes_and_discards_are_requests),
        T(large_ones_go_in_pieces_and_end_once),
        T(a_drain_ends_pieces),
        T(a_limit_and_a_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
