/* Block backends: images that can not be opened or fail, injected faults, draining. */
#include "blk_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
