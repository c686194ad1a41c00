/* Block backends: what they promise to front ends, on RAM, raw through each of its ways, and with
 * faults. The raw tests use a file in the current directory (a disk) and one in /dev/shm (tmpfs).
 */
#include "unit.h"
#include "back/blk_fault.h"
#include "back/blk_raw.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTORS 2048u
#define HOPS    4096 /* enough for any pattern test, and an end to a lost completion */

struct world {
    struct ledger *ledger;
    struct loop *loop;
    char file[64];
};

struct result {
    struct blk_req req;
    unsigned calls;
    int err;
    bool in_submit, was_in_submit;
};

static void done(struct blk_req *req, int err)
{
    struct result *r = req->owner;

    r->calls++;
    r->err = err;
    r->was_in_submit = r->in_submit;
}

static int world_open(struct world *w, const char *dir)
{
    int fd;

    w->ledger = ledger_open();
    w->loop = loop_open(NULL, false);
    snprintf(w->file, sizeof(w->file), "%s/unit-blk-XXXXXX", dir);
    fd = mkstemp(w->file);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SECTORS * BLK_SECTOR), 0);
    close(fd);
    return 0;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return world_open(*state, ".");
}

static int setup_shm(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return world_open(*state, "/dev/shm");
}

static int teardown(void **state)
{
    struct world *w = *state;

    unlink(w->file);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static struct blk *open_raw(struct world *w, bool readonly)
{
    struct blk_open_opts o = {.path = w->file, .readonly = readonly, .name = "disk0"};
    struct error err = {{0}};
    struct blk *b = NULL;

    if (blk_open(&b, &o, w->loop, w->ledger, &err))
        fail_msg("%s", err.text);
    return b;
}

static struct blk *open_mem(struct world *w)
{
    struct blk_open_opts o = {.path = "mem:1M", .name = "ram0"};
    struct blk *b = NULL;

    assert_int_equal(blk_open(&b, &o, w->loop, w->ledger, NULL), 0);
    assert_int_equal(b->sectors, SECTORS);
    return b;
}

static void submit(struct blk *b, struct result *r, enum blk_op op, uint64_t sector,
                   uint64_t sectors, struct iovec *iov, int iovs)
{
    *r = (struct result){.req = {.op = op,
                                 .sector = sector,
                                 .sectors = sectors,
                                 .iov = iov,
                                 .iovs = iovs,
                                 .done = done,
                                 .owner = r}};
    r->in_submit = true;
    blk_submit(b, &r->req);
    r->in_submit = false;
}

static int run(struct blk *b, enum blk_op op, uint64_t sector, uint64_t sectors, void *buf)
{
    struct iovec iov = {buf, sectors * BLK_SECTOR};
    struct result r;

    submit(b, &r, op, sector, sectors, &iov, buf ? 1 : 0);
    assert_int_equal(r.calls, 0); /* never inside submit */
    blk_drain(b);
    assert_int_equal(r.calls, 1);
    assert_false(r.was_in_submit);
    assert_int_equal(b->in_flight, 0);
    return r.err;
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 9) * 13 + seed);
}

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

/* Cut off under us: an error, not a hang, and only for what is gone. */
static void truncated_image(void **state)
{
    struct world *w = *state;
    struct blk *b = open_raw(w, false);
    uint8_t buf[4 * BLK_SECTOR];

    assert_int_equal(truncate(w->file, 10 * BLK_SECTOR), 0);
    assert_int_equal(run(b, BLK_READ, 8, 4, buf), -EIO);
    assert_int_equal(run(b, BLK_READ, 100, 4, buf), -EIO);
    assert_int_equal(run(b, BLK_READ, 6, 4, buf), 0);
    blk_close(b);
}

static void readonly_refuses_writes(void **state)
{
    struct blk *b = open_raw(*state, true);
    uint8_t buf[BLK_SECTOR];

    assert_int_equal(run(b, BLK_WRITE, 0, 1, buf), -EROFS);
    assert_int_equal(run(b, BLK_ZEROES, 0, 1, NULL), -EROFS);
    assert_int_equal(run(b, BLK_DISCARD, 0, 1, NULL), -EROFS);
    assert_int_equal(run(b, BLK_READ, 0, 1, buf), 0);
    assert_int_equal(run(b, BLK_FLUSH, 0, 0, NULL), 0);
    assert_int_equal(b->row[BLK_WRITE]->refused, 1);
    assert_int_equal(b->row[BLK_READ]->reads, 1);
    assert_int_equal(b->row[BLK_READ]->read_bytes, BLK_SECTOR);
    blk_close(b);
}

static int try_open(struct world *w, const char *path, bool readonly, const char *word)
{
    struct blk_open_opts o = {.path = path, .readonly = readonly, .name = "disk1"};
    struct error err = {{0}};
    struct blk *b = NULL;
    int rc = blk_open(&b, &o, w->loop, w->ledger, &err);

    if (!rc)
        blk_close(b);
    else if (!strstr(err.text, word) || !strstr(err.text, path))
        fail_msg("%s: no \"%s\" in it", err.text, word);
    return rc;
}

static void lock_conflicts(void **state)
{
    struct world *w = *state;
    struct blk *b = open_raw(w, false);

    assert_int_equal(try_open(w, w->file, false, "in use"), -EBUSY);
    assert_int_equal(try_open(w, w->file, true, "in use"), -EBUSY);
    blk_close(b);
    b = open_raw(w, true);
    assert_int_equal(try_open(w, w->file, true, ""), 0);
    assert_int_equal(try_open(w, w->file, false, "in use"), -EBUSY);
    blk_close(b);
    assert_int_equal(try_open(w, w->file, false, ""), 0); /* closing lets go */
}

static void open_errors(void **state)
{
    struct world *w = *state;
    char fifo[80];

    assert_int_equal(try_open(w, "/nonexistent/x.img", false, "no such file"), -ENOENT);
    assert_int_equal(try_open(w, "/tmp", false, "directory"), -EISDIR);
    assert_int_equal(try_open(w, "/dev/null", false, "neither"), -EINVAL);
    snprintf(fifo, sizeof(fifo), "%s.fifo", w->file);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(try_open(w, fifo, true, "neither"), -EINVAL);
    unlink(fifo);
    assert_int_equal(truncate(w->file, 1000), 0);
    assert_int_equal(try_open(w, w->file, false, "multiple of 512"), -EINVAL);
    assert_int_equal(truncate(w->file, 0), 0);
    assert_int_equal(try_open(w, w->file, false, "empty"), -EINVAL);
    assert_int_equal(try_open(w, "mem:", false, "size"), -EINVAL);
    assert_int_equal(try_open(w, "mem:12Q", false, "size"), -EINVAL);
    assert_int_equal(try_open(w, "mem:99999999999999999999G", false, "size"), -EINVAL);
    assert_int_equal(blk_mem_open(&(struct blk *){NULL}, 1000, "m", w->loop, w->ledger, NULL),
                     -EINVAL);
}

static void no_permission(void **state)
{
    struct world *w = *state;

    if (!geteuid()) { /* root may all: become nobody for this */
        assert_int_equal(chmod(w->file, 0600), 0);
        assert_int_equal(seteuid(65534), 0);
    } else {
        assert_int_equal(chmod(w->file, 0), 0);
    }
    assert_int_equal(try_open(w, w->file, false, "permission"), -EACCES);
    assert_int_equal(seteuid(getuid()), 0);
}

static void faults_hit_only_their_request(void **state)
{
    struct world *w = *state;
    struct blk_fault_plan *plan;
    struct blk *b;
    uint8_t buf[8 * BLK_SECTOR];

    assert_int_equal(blk_fault_open(&b, &plan, open_mem(w), w->ledger), 0);
    *plan = (struct blk_fault_plan){
        .ops = 1u << BLK_READ | 1u << BLK_FLUSH, .sector = 20, .sectors = 2, .err = -EIO};
    assert_int_equal(run(b, BLK_READ, 12, 8, buf), 0);
    assert_int_equal(run(b, BLK_READ, 13, 8, buf), -EIO);
    assert_int_equal(run(b, BLK_READ, 22, 8, buf), 0);
    assert_int_equal(run(b, BLK_WRITE, 20, 1, buf), 0);
    assert_int_equal(run(b, BLK_FLUSH, 0, 0, NULL), -EIO);
    plan->ops = 0;
    assert_int_equal(run(b, BLK_FLUSH, 0, 0, NULL), 0);
    assert_int_equal(b->row[BLK_READ]->refused, 1);
    blk_close(b);
}

static void drain_waits_for_all(void **state)
{
    struct world *w = *state;
    struct blk_fault_plan *plan;
    struct result r[5];
    struct blk *b;
    uint8_t buf[BLK_SECTOR];
    struct iovec iov = {buf, sizeof(buf)};

    assert_int_equal(blk_fault_open(&b, &plan, open_raw(w, false), w->ledger), 0);
    plan->hold = true;
    for (unsigned i = 0; i < ARRAY_LEN(r); i++)
        submit(b, &r[i], i & 1 ? BLK_READ : BLK_WRITE, i, 1, &iov, 1);
    loop_deferred_run(w->loop);
    assert_int_equal(b->in_flight, ARRAY_LEN(r));
    blk_drain(b);
    assert_int_equal(b->in_flight, 0);
    for (unsigned i = 0; i < ARRAY_LEN(r); i++)
        assert_int_equal(r[i].calls, 1);
    assert_false(loop_deferred_pending(w->loop)); /* nothing calls done a second time */
    blk_close(b);
}

/* A done that submits again must not starve the loop. */
static void chain(struct blk_req *req, int err)
{
    unsigned *left = req->owner;

    assert_int_equal(err, 0);
    if (*left && --*left)
        blk_submit(req->blk, req);
}

static void chained_submits_take_turns(void **state)
{
    struct blk *b = open_mem(*state);
    uint8_t buf[BLK_SECTOR];
    struct iovec iov = {buf, sizeof(buf)};
    unsigned left = HOPS;
    struct blk_req req = {
        .op = BLK_READ, .sectors = 1, .iov = &iov, .iovs = 1, .done = chain, .owner = &left};

    blk_submit(b, &req);
    blk_drain(b);
    assert_int_equal(left, 0);
    assert_int_equal(b->row[BLK_READ]->reads, HOPS);
    blk_close(b);
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ON_SHM(f)                                                                                  \
    {                                                                                              \
#f "_shm", f, setup_shm, teardown, NULL                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(mem_keeps_promises),
        ON_DISK(raw_keeps_promises),
        ON_SHM(raw_keeps_promises),
        ON_DISK(raw_without_ring),
        ON_DISK(cached_read_needs_no_handoff),
        ON_SHM(cached_read_needs_no_handoff),
        ON_DISK(loop_delivers),
        ON_SHM(loop_delivers),
        ON_DISK(rest_of_short_transfer),
        ON_DISK(truncated_image),
        ON_SHM(truncated_image),
        ON_DISK(readonly_refuses_writes),
        ON_DISK(lock_conflicts),
        ON_DISK(open_errors),
        ON_DISK(no_permission),
        ON_DISK(faults_hit_only_their_request),
        ON_DISK(drain_waits_for_all),
        ON_DISK(chained_submits_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
