/*
 * Runs a workload over one way to a disk, for viaduct compare: random reads and writes of one size
 * at a depth, in rounds that are timed by the TSC. The loop is the same for every way (work.h).
 *
 * Options: way=NAME; size=N bytes, a power of two; read=P percent; depth=N; n=N requests a round;
 * rounds=N; flushes=N at the end; blocks=N of that size on the disk; seed=N; poll: completion
 * without interrupts.
 *
 * Each block carries its number, the count of writes it had, and its number's complement at its
 * end. Reads are judged by that, so data that went astray is a failure and not a fast request.
 */
#include "work.h"

bool polled;
unsigned request_size;

static const struct way *const ways[] = {
    &way_regdisk_pio,   &way_regdisk_mmio, &way_ide_pio, &way_ide_dma, &way_virtio_split,
    &way_virtio_packed, &way_hypercall,    &way_batch,   &way_ring,    &way_ring_polled};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

#define ROUNDS_MAX 64
#define SPINS      2000000000u

static struct req reqs[DEPTH_MAX], *idle[DEPTH_MAX];
static unsigned idles, depth;
static uint8_t buffers[DEPTH_MAX][REQUEST_MAX] __attribute__((aligned(REQUEST_MAX)));
static uint32_t version[BLOCKS_MAX], blocks, read_percent, rng = 1;
static uint64_t ticks[ROUNDS_MAX];
static unsigned wrong, failed;
static void (*disk_hook)(void);

/* ---- interrupts ---- */

static bool vector_hook(struct frame *f)
{
    (void)f;
    disk_hook();
    lapic_set(LAPIC_EOI, 0);
    return true;
}

void disk_irq_init(void (*hook)(void))
{
    disk_hook = hook;
    trap_hook[DISK_VECTOR] = vector_hook;
    lapic_enable();
}

void disk_irq_pin(unsigned pin, bool level)
{
    ioapic_set(0x11 + 2 * pin, 0); /* to the first CPU */
    ioapic_set(0x10 + 2 * pin, DISK_VECTOR | (level ? 1u << 15 : 0));
}

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
        asm volatile("sti; nop; cli" ::: "memory");
    r = w->reap();
    for (unsigned i = 0; i < SPINS && !r; i++) {
        if (polled)
            asm volatile("pause" ::: "memory");
        else
            sti_hlt_cli();
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

/* ---- the rest ---- */

/* "way=" names one; it must match whole. */
static const struct way *way_named(const uint8_t *mbi)
{
    char want[64];

    for (unsigned i = 0; i < WAYS; i++) {
        const char *n = ways[i]->name;
        unsigned at = 4;

        mem_copy(want, "way=", 4);
        while (*n && at < sizeof(want) - 1)
            want[at++] = *n++;
        want[at] = 0;
        if (guest_has(mbi, want))
            return ways[i];
    }
    return NULL;
}

static bool options(const uint8_t *mbi, const struct way *w)
{
    request_size = (unsigned)guest_opt(mbi, "size", 4096);
    read_percent = (uint32_t)guest_opt(mbi, "read", 100);
    blocks = (uint32_t)guest_opt(mbi, "blocks", 64);
    depth = (unsigned)guest_opt(mbi, "depth", 1);
    rng = (uint32_t)guest_opt(mbi, "seed", 1) | 1;
    polled = guest_has(mbi, "poll");
    if (depth > w->depth)
        depth = w->depth;
    return request_size >= SECTOR && request_size <= REQUEST_MAX && request_size % SECTOR == 0 &&
           depth && depth <= DEPTH_MAX && blocks >= depth && blocks <= BLOCKS_MAX;
}

static void slots_init(void)
{
    for (unsigned i = 0; i < depth; i++) {
        reqs[i].slot = i;
        reqs[i].buf = buffers[i];
        idle[idles++] = &reqs[i];
    }
}

void guest_main(const uint8_t *mbi)
{
    uint32_t n = (uint32_t)guest_opt(mbi, "n", 100), rounds = (uint32_t)guest_opt(mbi, "rounds", 1);
    const struct way *w = way_named(mbi);

    if (!check("this way is known", w != NULL) ||
        !check("the workload can be run", options(mbi, w) && rounds <= ROUNDS_MAX))
        return;
    slots_init();
    if (!check("the controller is there", w->open()))
        return;
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t t = rdtsc();

        if (!run(w, n))
            return;
        ticks[i] = rdtsc() - t;
    }
    if (!flush(w, (uint32_t)guest_opt(mbi, "flushes", 0)))
        return;
    say("work %s depth %u\n", w->name, depth);
    for (uint32_t i = 0; i < rounds; i++)
        say("round %u requests %u ticks %08x%08x\n", i, n, (uint32_t)(ticks[i] >> 32),
            (uint32_t)ticks[i]);
    check_eq("no request failed", failed, 0);
    check_eq("what was read is what was written", wrong, 0);
}
