/*
 * A cell: a short run that says how fast this way is, and a long one that is measured. Both make
 * the same machine, warm up alike and flush alike, so the difference of their ledgers is requests
 * and nothing else. The image is a memory file whose blocks carry their numbers; the guest judges
 * what it reads, and the stamps are looked at again from here.
 */
#include "cli/compare_child.h"
#include "core/tsc.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WARM          64u /* requests of the short run, or one batch if that is more */
#define PER_ROUND_MAX 10000000u

static int file_of(const void *data, size_t len, const char *name, struct error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        return error_set(err, -EIO, "no memory file for the %s: %s", name, strerror(errno));
    return fd;
}

/* Number, count of writes, complement of the number. */
static int image_stamp(struct compare *c, struct error *err)
{
    uint8_t *block = calloc(1, c->o.size);
    int code = block ? 0 : error_set(err, -ENOMEM, "out of memory");

    for (uint32_t i = 0; i < c->blocks && !code; i++) {
        le32_put(block, i);
        le32_put(block + c->o.size - 4, ~i);
        if (pwrite(c->image, block, c->o.size, (off_t)i * c->o.size) != (ssize_t)c->o.size)
            code = error_set(err, -EIO, "the image can't be written: %s", strerror(errno));
    }
    free(block);
    return code;
}

/* Blocks that are not where they belong, or torn. */
static unsigned image_wrong(const struct compare *c)
{
    unsigned wrong = 0;

    for (uint32_t i = 0; i < c->blocks; i++) {
        off_t at = (off_t)i * c->o.size;
        uint8_t head[4], tail[4];

        wrong += pread(c->image, head, 4, at) != 4 ||
                 pread(c->image, tail, 4, at + c->o.size - 4) != 4 || le32_get(head) != i ||
                 le32_get(tail) != ~i;
    }
    return wrong;
}

int compare_open(struct compare *c, struct error *err)
{
    static const struct {
        const uint8_t *from, *to;
    } what[COMPARE_FILES] = {[GUEST_64] = {workload64, workload64_end},
                             [GUEST_32] = {workload32, workload32_end},
                             [PROGRAM_64] = {program64, program64_end},
                             [PROGRAM_32] = {program32, program32_end}};

    for (unsigned i = 0; i < COMPARE_FILES; i++) {
        c->file[i] = file_of(what[i].from, (size_t)(what[i].to - what[i].from), "guest", err);
        if (c->file[i] < 0)
            return -EIO;
    }
    c->image = memfd_create("image", MFD_CLOEXEC);
    if (c->image < 0 || ftruncate(c->image, (off_t)c->blocks * c->o.size))
        return error_set(err, -EIO, "no memory file for the image: %s", strerror(errno));
    c->tsc_hz = (double)tsc_hz();
    return 0;
}

void compare_close(struct compare *c)
{
    close(c->image);
    for (unsigned i = 0; i < COMPARE_FILES; i++)
        close(c->file[i]);
}

/* ---- times ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of sorted values, between neighbours in proportion. */
static double quantile(const double *v, unsigned n, double q)
{
    double at = q * (n - 1);
    unsigned i = (unsigned)at;

    return i + 1 < n ? v[i] + (v[i + 1] - v[i]) * (at - i) : v[n - 1];
}

static void times_judge(struct cell *cell, const struct child *k)
{
    double v[COMPARE_ROUNDS_MAX];

    for (unsigned i = 0; i < k->rounds; i++)
        v[i] = cell->round_ns[i] = k->ns[i] / k->per_round;
    qsort(v, k->rounds, sizeof(*v), by_value);
    cell->f.rounds = k->rounds;
    cell->f.ns = quantile(v, k->rounds, 0.5);
    cell->f.ns_p5 = quantile(v, k->rounds, 0.05);
    cell->f.ns_p95 = quantile(v, k->rounds, 0.95);
    cell->f.ns_min = v[0];
    cell->f.ns_max = v[k->rounds - 1];
}

/* ---- runs ---- */

/* Requests a round: whole batches, so that what a batch shares divides evenly. */
static uint32_t per_round(const struct compare *c, const struct cell *cell, const struct child *few)
{
    double each = few->ns[0] / few->per_round, n;

    n = c->o.requests ? (double)c->o.requests / c->o.rounds
                      : c->o.seconds * 1e9 / (each * c->o.rounds);
    n = ceil(n / cell->depth) * cell->depth;
    if (n < cell->depth)
        n = cell->depth;
    return n < PER_ROUND_MAX ? (uint32_t)n : PER_ROUND_MAX / cell->depth * cell->depth;
}

static int run(struct compare *c, struct child *k, struct error *err)
{
    int code = image_stamp(c, err);
    unsigned wrong;

    if (!code)
        code = compare_child(c, k, err);
    if (code)
        return code;
    wrong = image_wrong(c);
    return wrong ? error_set(err, -EIO, "%u blocks of the image are not what was written", wrong)
                 : 0;
}

static void measure(struct compare *c, struct cell *cell, struct child *few, struct child *many,
                    struct error *err)
{
    struct compare_runs runs = {&few->ledger, &many->ledger, 0, c->o.size, cell->way->line};
    int code = run(c, few, err);

    if (!code) {
        many->per_round = per_round(c, cell, few);
        if ((uint64_t)many->per_round * many->rounds <= few->per_round) /* too few to differ */
            many->per_round = (2 * few->per_round / many->rounds / cell->depth + 1) * cell->depth;
        code = run(c, many, err);
    }
    if (code) {
        cell->state = code == -ENOTSUP ? CELL_REFUSED : CELL_FAILED;
        snprintf(cell->why, sizeof(cell->why), "%.399s", err->text);
        return;
    }
    runs.requests = (double)many->per_round * many->rounds - few->per_round;
    compare_count(&cell->f, &runs);
    times_judge(cell, many);
    cell->state = CELL_MEASURED;
}

void compare_cell(struct compare *c, struct cell *cell)
{
    struct child few = {.cell = cell,
                        .per_round = (WARM + cell->depth - 1) / cell->depth * cell->depth,
                        .rounds = 1};
    struct child many = {.cell = cell, .rounds = c->o.rounds};
    struct error err = {0};

    measure(c, cell, &few, &many, &err);
    compare_ledger_free(&few.ledger);
    compare_ledger_free(&many.ledger);
}
