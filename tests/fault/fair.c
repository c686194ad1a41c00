/*
 * fair SECONDS BLOCKS SOCKET DEPTH read|write …: vhost-user front ends, each a thread, which
 * ask for random blocks of 4 KiB of the first BLOCKS of their disk, DEPTH at once. A line each:
 *
 *     SOCKET requests/s p50 p99      (microseconds from the kick to the answer)
 *
 * and at depth 1 the latter two again, without what its own thread and the process of the
 * environment's FAIR_PID waited for a CPU meanwhile (waits.h).
 *
 * At most four; all run for the same SECONDS.
 * bench/fair_disk, tests/fault/domain_limits and tests/api/service use it.
 */
#include "vu_front.h"
#include "waits.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRONTS = 4, PATIENCE_MS = 20000, SAMPLES = 1 << 20, WARM_PART = 5 };

struct load {
    struct front front;
    const char *path;
    unsigned depth, kind;
    double seconds;
    uint64_t blocks, seed, done;
    uint64_t sent[FRONT_SLOTS]; /* ns */
    uint32_t *sample;           /* ns, of those after the warm part */
    uint32_t *ours;             /* the same without waits; or NULL */
    struct waits waits;
    uint64_t waited; /* before the one that is under way */
    size_t samples;
    double measured;
    bool bad;
    pthread_barrier_t *start;
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void ask(struct load *l, unsigned slot)
{
    l->seed = l->seed * 6364136223846793005ull + 1442695040888963407ull;
    if (l->ours)
        l->waited = waits_ns(&l->waits);
    l->sent[slot] = now();
    front_send(&l->front, slot, l->kind, (l->seed >> 20) % l->blocks * (FRONT_BLOCK / 512));
}

static uint32_t in_range(uint64_t ns)
{
    return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void sample_add(struct load *l, uint64_t took)
{
    uint64_t waited = l->ours ? waits_ns(&l->waits) - l->waited : 0;

    if (l->ours)
        l->ours[l->samples] = in_range(took > waited ? took - waited : 0);
    l->sample[l->samples++] = in_range(took);
}

static int turn(struct load *l, bool more, bool counts)
{
    int slot, n = 0;

    while ((slot = front_take(&l->front)) >= 0) {
        uint64_t took = now() - l->sent[slot];

        if (*l->front.slot[slot].status)
            return -1;
        if (counts) {
            l->done++;
            if (l->samples < SAMPLES)
                sample_add(l, took);
        }
        if (more)
            ask(l, (unsigned)slot);
        n++;
    }
    if (n && more)
        front_kick(&l->front);
    return slot == -1 ? n : -1;
}

/* The first fifth of the time is not counted. */
static void *run(void *arg)
{
    struct load *l = arg;
    uint64_t begin, warm, end, t;

    if (l->ours) {
        waits_add(&l->waits, 0);
        waits_add(&l->waits, atoi(getenv("FAIR_PID")));
    }
    pthread_barrier_wait(l->start);
    begin = now();
    warm = begin + (uint64_t)(l->seconds * 1e9 / WARM_PART);
    end = begin + (uint64_t)(l->seconds * 1e9);
    for (unsigned i = 0; i < l->depth; i++)
        ask(l, i);
    front_kick(&l->front);
    for (t = begin; t < end || l->front.flying; t = now()) {
        int n = turn(l, t < end, t >= warm && t < end);

        if (n < 0 || (!n && !front_wait(&l->front, PATIENCE_MS))) {
            l->bad = true;
            break;
        }
    }
    l->measured = (double)(end - warm) / 1e9;
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void times_tell(uint32_t *sample, size_t n)
{
    qsort(sample, n, sizeof(*sample), by_value);
    printf(" %.0f %.0f", n ? sample[n / 2] / 1e3 : 0, n ? sample[n - 1 - n / 100] / 1e3 : 0);
}

static void tell(struct load *l)
{
    printf("%s %.0f", l->path, (double)l->done / l->measured);
    times_tell(l->sample, l->samples);
    if (l->ours)
        times_tell(l->ours, l->samples);
    printf("\n");
}

static int load_open(struct load *l, char **arg)
{
    l->path = arg[0];
    l->depth = (unsigned)strtoul(arg[1], NULL, 10);
    l->kind = strcmp(arg[2], "write") ? FRONT_READ : FRONT_WRITE;
    l->sample = calloc(SAMPLES, sizeof(*l->sample));
    if (l->depth == 1 && getenv("FAIR_PID"))
        l->ours = calloc(SAMPLES, sizeof(*l->ours));
    if (!l->depth || l->depth > FRONT_SLOTS || !l->sample)
        return -EINVAL;
    return front_open(&l->front, false) ? -errno : front_connect(&l->front, l->path, 10);
}

int main(int argc, char **argv)
{
    static struct load load[FRONTS];
    pthread_t thread[FRONTS];
    pthread_barrier_t start;
    unsigned n = argc > 3 ? (unsigned)(argc - 3) / 3 : 0;
    bool bad = false;

    if (!n || n > FRONTS)
        return 2;
    pthread_barrier_init(&start, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        load[i].seconds = strtod(argv[1], NULL);
        load[i].blocks = strtoull(argv[2], NULL, 10);
        load[i].seed = 12345 + i * 7919 + now();
        load[i].start = &start;
        if (!load[i].blocks || load_open(&load[i], argv + 3 + 3 * i)) {
            fprintf(stderr, "fair: %s: can't be used\n", argv[3 + 3 * i]);
            return 1;
        }
    }
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&thread[i], NULL, run, &load[i]))
            return 1;
    for (unsigned i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < n; i++) {
        tell(&load[i]);
        bad = bad || load[i].bad;
        front_close(&load[i].front);
    }
    return bad;
}
