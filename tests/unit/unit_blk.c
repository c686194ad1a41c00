/* Block backends: what they promise to front ends, on RAM and raw through each of its ways. */
#include "blk_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The same promises for every backend. */
static void exercise(struct blk *b)
{
    static uint8_t out[64 * BLK_SECTOR], in[64 * BLK_SECTOR], zero[64 * BLK_SECTOR];

    fill(out, sizeof(out), 1);
    assert_int_equal(run(b, BLK_WRITE, 10, 64, out), 0);
    assert_int_equal(run(b, BLK_FLUSH, 0, 0, NULL), 0);
    assert_int_equal(run(b, BLK_READ, 10, 64, in), 0);
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(run(b, BLK_ZEROES, 11, 20, NULL), 0);
    assert_int_equal(run(b, BLK_READ, 10, 64, in), 0);
    assert_memory_equal(in, out, BLK_SECTOR);
    assert_memory_equal(in + BLK_SECTOR, zero, 20 * BLK_SECTOR);
    assert_memory_equal(in + 21 * BLK_SECTOR, out + 21 * BLK_SECTOR, 43 * BLK_SECTOR);
    assert_int_equal(run(b, BLK_DISCARD, 40, 8, NULL), 0);
    assert_int_equal(run(b, BLK_READ, 10, 30, in), 0);
    assert_memory_equal(in + 21 * BLK_SECTOR, out + 21 * BLK_SECTOR, 9 * BLK_SECTOR);
    /* the very last sector, and one further */
    assert_int_equal(run(b, BLK_WRITE, SECTORS - 1, 1, out), 0);
    assert_int_equal(run(b, BLK_READ, SECTORS - 1, 1, in), 0);
    assert_memory_equal(in, out, BLK_SECTOR);
    assert_int_equal(run(b, BLK_READ, SECTORS - 1, 2, in), -EINVAL);
    assert_int_equal(run(b, BLK_READ, SECTORS, 1, in), -EINVAL);
    assert_int_equal(run(b, BLK_WRITE, UINT64_MAX, 2, in), -EINVAL);
    assert_int_equal(run(b, BLK_ZEROES, 1, UINT64_MAX, NULL), -EINVAL);
    assert_int_equal(run(b, (enum blk_op)17, 0, 1, in), -EOPNOTSUPP);
}

static void segments(struct blk *b)
{
    static uint8_t data[256 * BLK_SECTOR], back[256 * BLK_SECTOR];
    struct iovec iov[BLK_SEGS_MAX];
    struct result r;
    int n = 0;

    fill(data, sizeof(data), 9);
    for (size_t at = 0; n < BLK_SEGS_MAX; n++) { /* odd lengths, an empty one among them */
        size_t len = n == BLK_SEGS_MAX - 1 ? sizeof(data) - at : n == 7 ? 0 : 100 + (size_t)n % 77;
        iov[n] = (struct iovec){data + at, len};
        at += len;
    }
    submit(b, &r, BLK_WRITE, 100, 256, iov, n);
    blk_drain(b);
    assert_int_equal(r.err, 0);
    assert_int_equal(run(b, BLK_READ, 100, 256, back), 0);
    assert_memory_equal(back, data, sizeof(data));
    memset(data, 0, sizeof(data));
    submit(b, &r, BLK_READ, 100, 256, iov, n);
    blk_drain(b);
    assert_int_equal(r.err, 0);
    assert_memory_equal(back, data, sizeof(data));
    /* lengths that don't add up are refused before the backend sees them */
    submit(b, &r, BLK_READ, 100, 255, iov, n);
    blk_drain(b);
    assert_int_equal(r.err, -EINVAL);
    submit(b, &r, BLK_READ, 100, 257, iov, n);
    blk_drain(b);
    assert_int_equal(r.err, -EINVAL);
}

static void mem_keeps_promises(void **state)
{
    struct blk *b = open_mem(*state);

    exercise(b);
    segments(b);
    blk_close(b);
}

static void raw_keeps_promises(void **state)
{
    struct blk *b = open_raw(*state, false);

    exercise(b);
    segments(b);
    blk_close(b);
}

static struct blk_raw *raw_of(struct blk *b)
{
    return container_of(b, struct blk_raw, blk);
}

/* As where a sandbox forbids io_uring: the worker does it all. */
static void raw_without_ring(void **state)
{
    struct blk *b = open_raw(*state, false);

    raw_ring_close(raw_of(b));
    raw_of(b)->in_memory = false; /* as on a disk, wherever this runs */
    assert_false(raw_of(b)->ring_ok);
    exercise(b);
    segments(b);
    assert_true(raw_of(b)->worker.started);
    blk_close(b);
}

static void cached_read_needs_no_handoff(void **state)
{
    struct blk *b = open_raw(*state, false);
    static uint8_t buf[8 * BLK_SECTOR];
    struct iovec iov = {buf, sizeof(buf)};
    struct result r;

    assert_int_equal(run(b, BLK_WRITE, 0, 8, buf), 0); /* now it is in the page cache */
    submit(b, &r, BLK_READ, 0, 8, &iov, 1);
    assert_int_equal(raw_of(b)->ring_pending, 0);
    assert_false(raw_of(b)->worker.started);
    assert_true(loop_deferred_pending(b->loop)); /* done waits for the caller to leave */
    loop_deferred_run(b->loop);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.err, 0);
    blk_close(b);
}

/* Past the page cache: what lies well goes by the ring, though it is cached; what does not by the
 * worker; and both are the same disk. On tmpfs all of it is inline. */
static void direct_keeps_promises(void **state)
{
    static uint8_t out[9 * BLK_SECTOR] __attribute__((aligned(512)));
    static uint8_t in[9 * BLK_SECTOR] __attribute__((aligned(512)));
    struct blk *b = open_raw(*state, false);
    struct ledger_row *const *way;
    uint64_t aligned, askew;

    fill(out, sizeof(out), 3);
    assert_int_equal(run(b, BLK_WRITE, 0, 8, out), 0);
    blk_close(b);
    b = open_direct(*state);
    if (!b)
        skip();
    way = raw_of(b)->way;
    aligned = way[raw_of(b)->ring_ok ? RAW_RING : RAW_WORKER]->reads;
    assert_int_equal(run(b, BLK_READ, 0, 8, in), 0);
    assert_memory_equal(in, out, 8 * BLK_SECTOR);
    askew = way[RAW_WORKER]->reads;
    assert_int_equal(run(b, BLK_READ, 0, 8, in + 1), 0);
    assert_memory_equal(in + 1, out, 8 * BLK_SECTOR);
    if (!raw_of(b)->in_memory) {
        assert_int_equal(way[raw_of(b)->ring_ok ? RAW_RING : RAW_WORKER]->reads,
                         aligned + 1 + !raw_of(b)->ring_ok);
        assert_int_equal(way[RAW_WORKER]->reads, askew + 1);
        assert_int_equal(way[RAW_INLINE]->reads, 0);
    }
    assert_int_equal(run(b, BLK_WRITE, 8, 8, out + 2), 0);
    assert_int_equal(run(b, BLK_READ, 8, 8, in), 0);
    assert_memory_equal(in, out + 2, 8 * BLK_SECTOR);
    exercise(b);
    segments(b);
    blk_close(b);
}

/* More than the worker has room for at once, one byte askew. */
static void direct_askew_in_pieces(void **state)
{
    enum { LEN = SECTORS * BLK_SECTOR };
    struct blk *b = open_direct(*state);
    uint8_t *out = malloc(LEN + 1), *in = malloc(LEN + 1);

    if (b) {
        fill(out + 1, LEN, 5);
        assert_true(LEN > 2 * RAW_ASIDE);
        assert_int_equal(run(b, BLK_WRITE, 0, SECTORS, out + 1), 0);
        assert_int_equal(run(b, BLK_READ, 0, SECTORS, in + 1), 0);
        assert_memory_equal(in + 1, out + 1, LEN);
        blk_close(b);
    }
    free(out);
    free(in);
    if (!b)
        skip();
}

struct stopper {
    struct loop *loop;
    unsigned left;
};

static void count_down(struct blk_req *req, int err)
{
    struct stopper *s = req->owner;

    assert_int_equal(err, 0);
    if (!--s->left)
        loop_stop(s->loop);
}

/* More at once than the ring holds, and completed by the loop itself. */
static void loop_delivers(void **state)
{
    struct world *w = *state;
    struct blk *b = open_raw(w, false);
    static struct blk_req req[3 * RAW_DEPTH];
    static uint8_t data[3 * RAW_DEPTH][BLK_SECTOR], back[3 * RAW_DEPTH * BLK_SECTOR];
    static struct iovec iov[3 * RAW_DEPTH];
    struct stopper s = {w->loop, ARRAY_LEN(req)};

    for (unsigned i = 0; i < ARRAY_LEN(req); i++) {
        fill(data[i], BLK_SECTOR, i);
        iov[i] = (struct iovec){data[i], BLK_SECTOR};
        req[i] = (struct blk_req){.op = BLK_WRITE,
                                  .sector = i,
                                  .sectors = 1,
                                  .iov = &iov[i],
                                  .iovs = 1,
                                  .done = count_down,
                                  .owner = &s};
        blk_submit(b, &req[i]);
    }
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(s.left, 0);
    assert_int_equal(run(b, BLK_READ, 0, ARRAY_LEN(req), back), 0);
    assert_memory_equal(back, data, sizeof(back));
    blk_close(b);
}

/* A partial transfer goes on where it stopped, inside an iovec and between two. */
static void rest_of_short_transfer(void **state)
{
    uint8_t mem[1024];
    struct iovec iov[3] = {{mem, 100}, {mem + 100, 0}, {mem + 100, 924}}, part;
    struct blk_req req = {.iov = iov, .iovs = 3};
    const struct iovec *rest;

    (void)state;
    assert_int_equal(raw_rest(&req, &part, &rest), 3);
    req.moved = 99;
    assert_int_equal(raw_rest(&req, &part, &rest), 1);
    assert_ptr_equal(rest->iov_base, mem + 99);
    assert_int_equal(rest->iov_len, 1);
    req.moved = 100;
    assert_int_equal(raw_rest(&req, &part, &rest), 1);
    assert_ptr_equal(rest->iov_base, mem + 100);
    assert_int_equal(rest->iov_len, 924);
    req.moved = 1000;
    assert_int_equal(raw_rest(&req, &part, &rest), 1);
    assert_ptr_equal(rest->iov_base, mem + 1000);
    assert_int_equal(rest->iov_len, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(mem_keeps_promises),
        ON_DISK(raw_keeps_promises),
        ON_SHM(raw_keeps_promises),
        ON_DISK(raw_without_ring),
        ON_DISK(direct_keeps_promises),
        ON_SHM(direct_keeps_promises),
        ON_DISK(direct_askew_in_pieces),
        ON_DISK(cached_read_needs_no_handoff),
        ON_SHM(cached_read_needs_no_handoff),
        ON_DISK(loop_delivers),
        ON_SHM(loop_delivers),
        ON_DISK(rest_of_short_transfer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
