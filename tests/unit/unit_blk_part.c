/* An extent is a whole disk: nothing that is asked of it reaches what lies beside it, by any
 * operation, at any edge; and claims of extents keep each other out. */
#include "blk_world.h"
#include "back/blk_lock.h"
#include "back/gpt_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FIRST 100u
#define LEN   200u

/* What a request of an extent touched: everything else has the bytes of before. */
static void untouched(struct blk *whole, const uint8_t *before, uint64_t from, uint64_t to)
{
    static uint8_t now[SECTORS * BLK_SECTOR];

    assert_int_equal(run(whole, BLK_READ, 0, 2000, now), 0);
    assert_memory_equal(now, before, from * BLK_SECTOR);
    assert_memory_equal(now + to * BLK_SECTOR, before + to * BLK_SECTOR, (2000 - to) * BLK_SECTOR);
}

static void edges(struct blk *whole, struct blk *part)
{
    static const enum blk_op op[] = {BLK_READ, BLK_WRITE, BLK_DISCARD, BLK_ZEROES};
    static const struct {
        uint64_t sector, sectors;
        bool good;
    } range[] = {{0, 1, true},
                 {0, LEN, true},
                 {LEN - 1, 1, true},
                 {LEN - 1, 2, false},
                 {LEN, 1, false},
                 {0, LEN + 1, false},
                 {LEN, 0, false},
                 {UINT64_MAX, 1, false},
                 {UINT64_MAX, 2, false},
                 {1, UINT64_MAX, false},
                 {0 - (uint64_t)FIRST, 1, false},
                 {0 - (uint64_t)FIRST, FIRST + 1, false},
                 {UINT64_MAX - FIRST + 1, LEN, false}};
    static uint8_t before[SECTORS * BLK_SECTOR], data[(LEN + 1) * BLK_SECTOR];

    for (unsigned i = 0; i < ARRAY_LEN(op); i++)
        for (unsigned k = 0; k < ARRAY_LEN(range); k++) {
            bool moves = op[i] == BLK_READ || op[i] == BLK_WRITE;
            int rc;

            if (moves && range[k].sectors > LEN + 1)
                continue; /* no such buffer: blk.c says so without the layer */
            fill(before, sizeof(before), i + k);
            fill(data, sizeof(data), 77);
            assert_int_equal(run(whole, BLK_WRITE, 0, 2000, before), 0);
            rc = run(part, op[i], range[k].sector, range[k].sectors, moves ? data : NULL);
            if (range[k].good || (!range[k].sectors && !moves && rc != -EINVAL))
                assert_int_equal(rc, 0);
            else
                assert_int_equal(rc, -EINVAL);
            untouched(whole, before, FIRST, FIRST + LEN);
            if (rc)
                untouched(whole, before, FIRST, FIRST);
            else
                untouched(whole, before, FIRST + range[k].sector,
                          FIRST + range[k].sector + range[k].sectors);
        }
    assert_int_equal(run(part, BLK_FLUSH, 0, 0, NULL), 0);
    assert_int_equal(run(part, BLK_FLUSH, UINT64_MAX, 7, NULL), 0);
}

/* Two layers see one backend: the one that is asked, and the whole to look at. */
static void an_extent_keeps_its_bounds(void **state)
{
    struct world *w = *state;
    struct blk *whole = open_mem(w), *part;

    assert_int_equal(blk_part_open(&part, whole, FIRST, LEN, w->ledger), 0);
    assert_int_equal(part->sectors, LEN);
    edges(whole, part);
    blk_close(part);
}

/* The layer judges by itself, whoever hands requests to it. */
static void the_layer_needs_nobody(void **state)
{
    struct world *w = *state;
    struct blk *part;
    struct result r = {0};

    assert_int_equal(blk_part_open(&part, open_mem(w), FIRST, LEN, w->ledger), 0);
    for (unsigned op = 0; op < BLK_OPS; op++) {
        r.req = (struct blk_req){.op = (enum blk_op)op,
                                 .sector = LEN,
                                 .sectors = 1,
                                 .done = done,
                                 .owner = &r,
                                 .blk = part};
        r.calls = 0;
        part->in_flight++;
        part->ops->submit(part, &r.req);
        blk_drain(part);
        assert_int_equal(r.calls, 1);
        assert_int_equal(r.err, op == BLK_FLUSH ? 0 : -EINVAL);
        assert_int_equal(r.req.sector, LEN);
    }
    blk_close(part);
}

static void an_extent_of_an_extent(void **state)
{
    struct world *w = *state;
    struct blk *outer, *inner, *whole = open_mem(w);
    uint8_t in[BLK_SECTOR], out[BLK_SECTOR];

    assert_int_equal(blk_part_open(&outer, whole, 100, 200, w->ledger), 0);
    assert_int_equal(blk_part_open(&inner, outer, 10, 20, w->ledger), 0);
    fill(out, sizeof(out), 3);
    assert_int_equal(run(inner, BLK_WRITE, 19, 1, out), 0);
    assert_int_equal(run(inner, BLK_WRITE, 20, 1, out), -EINVAL);
    assert_int_equal(run(whole, BLK_READ, 129, 1, in), 0);
    assert_memory_equal(in, out, sizeof(in));
    blk_close(inner);
}

static void one_that_is_not_on_the_disk(void **state)
{
    struct world *w = *state;
    struct blk *whole = open_mem(w), *part;

    assert_int_equal(blk_part_open(&part, whole, SECTORS, 1, w->ledger), -EINVAL);
    assert_int_equal(blk_part_open(&part, whole, 1, SECTORS, w->ledger), -EINVAL);
    assert_int_equal(blk_part_open(&part, whole, UINT64_MAX, 2, w->ledger), -EINVAL);
    assert_int_equal(blk_part_open(&part, whole, 0, 0, w->ledger), -EINVAL);
    blk_close(whole);
}

/* ---- claims ---- */

static int claim(struct world *w, const char *extent, bool readonly, struct blk **out)
{
    struct blk_open_opts o = {
        .path = w->file, .readonly = readonly, .name = "disk0", .extent = extent};
    struct error err = {0};
    int rc = blk_open(out, &o, w->loop, w->ledger, &err);

    assert_true(!rc || strlen(err.text) > 20);
    return rc;
}

static void carve(struct world *w)
{
    struct gpt_file f;
    struct gpt g;
    struct gpt_part p;
    int fd = open(w->file, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0 && !ftruncate(fd, 8 << 20));
    assert_int_equal(gpt_file_init(&f, fd), 0);
    assert_int_equal(gpt_init(&g, &f.io), 0);
    assert_int_equal(gpt_add(&g, "a", 1 << 20, &p), 0);
    assert_int_equal(gpt_add(&g, "b", 2 << 20, &p), 0);
    assert_int_equal(gpt_write(&g, &f.io), 0);
    gpt_free(&g);
    close(fd);
}

static void claims_keep_each_other_out(void **state)
{
    struct world *w = *state;
    struct blk *a, *b, *c;
    int fd;

    carve(w);
    assert_int_equal(claim(w, "a", false, &a), 0);
    assert_int_equal(a->sectors, 2048);
    assert_int_equal(claim(w, "b", false, &b), 0); /* side by side */
    assert_int_equal(b->sectors, 4096);
    assert_int_equal(claim(w, "a", false, &c), -EBUSY);
    assert_int_equal(claim(w, "a", true, &c), -EBUSY);
    assert_int_equal(claim(w, NULL, false, &c), -EBUSY); /* the whole */
    assert_int_equal(claim(w, NULL, true, &c), -EBUSY);
    assert_int_equal(claim(w, "c", false, &c), -ENOENT);
    fd = open(w->file, O_RDWR | O_CLOEXEC); /* the table may be changed now, but not a's place */
    assert_int_equal(blk_lock(fd, true, 0, BLK_LOCK_TABLE), 0);
    assert_int_equal(blk_lock(fd, true, 1 << 20, 1 << 20), -EBUSY);
    assert_int_equal(claim(w, "a", false, &c), -EBUSY); /* the table is held */
    close(fd);
    blk_close(a);
    assert_int_equal(claim(w, "a", true, &a), 0);
    assert_int_equal(claim(w, "a", true, &c), 0); /* readers side by side */
    blk_close(c);
    assert_int_equal(claim(w, "a", false, &c), -EBUSY);
    blk_close(a);
    blk_close(b);
    assert_int_equal(claim(w, NULL, false, &a), 0);
    assert_int_equal(claim(w, "b", true, &c), -EBUSY);
    blk_close(a);
}

static void extents_are_apart(void **state)
{
    struct world *w = *state;
    struct blk *a, *b;
    uint8_t in[BLK_SECTOR], out[BLK_SECTOR];

    carve(w);
    assert_int_equal(claim(w, "a", false, &a), 0);
    assert_int_equal(claim(w, "b", false, &b), 0);
    fill(out, sizeof(out), 5);
    assert_int_equal(run(a, BLK_WRITE, 2047, 1, out), 0);
    assert_int_equal(run(a, BLK_WRITE, 2048, 1, out), -EINVAL);
    assert_int_equal(run(a, BLK_DISCARD, 2047, 2, NULL), -EINVAL);
    assert_int_equal(run(b, BLK_READ, 0, 1, in), 0);
    assert_int_equal(in[0] | in[511], 0);
    assert_int_equal(run(b, BLK_ZEROES, 0, 4096, NULL), 0);
    assert_int_equal(run(b, BLK_DISCARD, 0, 4096, NULL), 0);
    assert_int_equal(run(a, BLK_READ, 2047, 1, in), 0);
    assert_memory_equal(in, out, sizeof(in));
    blk_close(a);
    blk_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(an_extent_keeps_its_bounds), ON_DISK(the_layer_needs_nobody),
        ON_DISK(an_extent_of_an_extent),     ON_DISK(one_that_is_not_on_the_disk),
        ON_DISK(claims_keep_each_other_out), ON_DISK(extents_are_apart),
        ON_SHM(extents_are_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
