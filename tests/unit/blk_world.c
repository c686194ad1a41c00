/* See blk_world.h. */
#include "blk_world.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void done(struct blk_req *req, int err)
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

int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return world_open(*state, ".");
}

int setup_shm(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return world_open(*state, "/dev/shm");
}

int teardown(void **state)
{
    struct world *w = *state;

    unlink(w->file);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

struct blk *open_raw(struct world *w, bool readonly)
{
    struct blk_open_opts o = {.path = w->file, .readonly = readonly, .name = "disk0"};
    struct error err = {{0}};
    struct blk *b = NULL;

    if (blk_open(&b, &o, w->loop, w->ledger, &err))
        fail_msg("%s", err.text);
    return b;
}

struct blk *open_direct(struct world *w)
{
    struct blk_open_opts o = {.path = w->file, .name = "disk0", .direct = true};
    struct error err = {{0}};
    struct blk *b = NULL;
    int rc = blk_open(&b, &o, w->loop, w->ledger, &err);

    if (rc && rc != -EINVAL)
        fail_msg("%s", err.text);
    if (rc) {
        assert_non_null(strstr(err.text, "leave direct out"));
        print_message("# skipped: %s\n", err.text);
    }
    return b;
}

struct blk *open_mem(struct world *w)
{
    struct blk_open_opts o = {.path = "mem:1M", .name = "ram0"};
    struct blk *b = NULL;

    assert_int_equal(blk_open(&b, &o, w->loop, w->ledger, NULL), 0);
    assert_int_equal(b->sectors, SECTORS);
    return b;
}

void submit(struct blk *b, struct result *r, enum blk_op op, uint64_t sector, uint64_t sectors,
            struct iovec *iov, int iovs)
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

int run(struct blk *b, enum blk_op op, uint64_t sector, uint64_t sectors, void *buf)
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

void fill(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 9) * 13 + seed);
}
