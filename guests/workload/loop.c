/*
 * The request loop of the workload, the same for every way and wherever it runs: random reads and
 * writes of one size at a depth, in rounds that are timed by the TSC.
 *
 * Each block carries its number, the count of writes it had, and its number's complement at its
 * end. Reads are judged by that, so data that went astray is a failure and not a fast request.
 */
#include "work.h"

#define SPINS 2000000000u

bool polled;
unsigned request_size;

static struct req reqs[DEPTH_MAX], *idle[DEPTH_MAX];
static unsigned idles, depth;
static uint8_t buffers[DEPTH_MAX][REQUEST_MAX] __attribute__((aligned(REQUEST_MAX)));
static uint32_t version[BLOCKS_MAX], blocks, read_percent, rng = 1;
static uint64_t ticks[ROUNDS_MAX];
static unsigned wrong, failed;

/* ---- requests ---- */

static uint32_t random32(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng;
}

static uint32_t *word_at(struct req *r, unsigned off)
{
    return (uint32_t *)(void *)(r->buf + off);
}

/* A slot has blocks of its own, so that no two requests in flight touch one block. */
static void req_make(struct req *r)
{
    uint32_t row = random32() % (blocks / depth);

    r->block = row * depth + r->slot;
    r->write = random32() % 100 >= read_percent;
    r->flush = r->failed = false;
    r->sectors = request_size / SECTOR;
    r->sector = r->block * r->sectors;
    if (!r->write)
        return;
    *word_at(r, 0) = r->block;
    *word_at(r, 4) = ++version[r->block];
    *word_at(r, request_size - 4) = ~r->block;
}

static void req_judge(struct req *r)
{
    failed += r->failed;
    if (r->write || r->flush || r->failed)
        return;
    wrong += *word_at(r, 0) != r->block || *word_at(r, 4) != version[r->block] ||
             *word_at(r, request_size - 4) != ~r->block;
}

/* ---- the loop ---- */

/* Interrupts are open for a moment, as a kernel's are after it has started a request; then it
 * sleeps until one comes. */
static struct req *await(const struct way *w)
{
    struct req *r;

    if (!polled)
        work_open();
    r = w->reap();
    for (unsigned i = 0; i < SPINS && !r; i++) {
        if (polled)
            asm volatile("pause" ::: "memory");
        else
            work_sleep();
        r = w->reap();
    }
    return r;
}

static void end(struct req *r)
{
    req_judge(r);
    idle[idles++] = r;
}

static bool run(const struct way *w, uint32_t n)
{
    for (uint32_t issued = 0, done = 0; done < n;) {
        struct req *r;

        for (; issued < n && idles; issued++) {
            r = idle[--idles];
            req_make(r);
            w->submit(r);
        }
        if (w->kick)
            w->kick();
        r = await(w);
        if (!r)
            return check("a request ends", false);
        for (; r; r = w->reap(), done++)
            end(r);
    }
    return true;
}

static bool flush(const struct way *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct req *r = idle[--idles];

        r->flush = true;
        r->write = r->failed = false;
        w->submit(r);
        if (w->kick)
            w->kick();
        r = await(w);
        if (!r)
            return check("a flush ends", false);
        end(r);
    }
    return true;
}

/* ---- the whole of it ---- */

bool work_set(const struct work *o, const struct way *w)
{
    request_size = o->size;
    read_percent = o->read;
    blocks = o->blocks;
    depth = o->depth < w->depth ? o->depth : w->depth;
    rng = o->seed | 1;
    polled = o->polled;
    for (unsigned i = 0; i < depth && depth <= DEPTH_MAX; i++) {
        reqs[i].slot = i;
        reqs[i].buf = buffers[i];
        idle[idles++] = &reqs[i];
    }
    return request_size >= SECTOR && request_size <= REQUEST_MAX && request_size % SECTOR == 0 &&
           depth && depth <= DEPTH_MAX && blocks >= depth && blocks <= BLOCKS_MAX &&
           o->rounds <= ROUNDS_MAX;
}

void work_run(const struct work *o, const struct way *w)
{
    if (!flush(w, o->warm))
        return;
    for (uint32_t i = 0; i < o->rounds; i++) {
        uint64_t t = rdtsc();

        if (!run(w, o->n))
            return;
        ticks[i] = rdtsc() - t;
    }
    if (!flush(w, o->flushes))
        return;
    say("work %s depth %u\n", w->name, depth);
    for (uint32_t i = 0; i < o->rounds; i++)
        say("round %u requests %u ticks %08x%08x\n", i, o->n, (uint32_t)(ticks[i] >> 32),
            (uint32_t)ticks[i]);
    check_eq("no request failed", failed, 0);
    check_eq("what was read is what was written", wrong, 0);
}
