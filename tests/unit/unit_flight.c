/*
 * The record of what is in flight, killed at every instruction. A child process serves a ring in
 * shared memory, one instruction at a time (ptrace); whenever memory has changed, a copy of it is
 * given to a successor, as if the child had been killed there. What the successor must find: a
 * request that the driver has been shown is never served again; one that it hasn't is served, once;
 * the order is the one in which they were made; and all have an answer in the end.
 */
#include "unit.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vq.h"
#include "virtio/vq_flight.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 8, MADE = 20, MEM = 0x10000 };
enum {
    DESC = 0x1000,
    AVAIL = 0x2000,
    USED = 0x3000,
    RECORD = 0x4000,
    DONE = 0x5000,
    DATA = 0x8000
};
enum { NEXT = 1, WRITE = 2, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

/* The driver keeps its own account in the same memory: it is copied with the rest. */
struct driver {
    uint16_t made, taken; /* requests made; answers taken */
    uint16_t avail, used; /* split: free-running; packed: places */
    bool avail_wrap, used_wrap;
    bool flying[SIZE];      /* by ID, or head */
    uint16_t request[SIZE]; /* which one it is */
    uint16_t span[SIZE];
    uint16_t starts[MADE]; /* how often the device began it; the device writes this */
    uint16_t order[8 * MADE], begun;
    bool busy; /* the driver's own steps are not cut in two: it is not the one that is killed */
};

struct place { /* one machine's memory and who serves it */
    struct ram ram;
    struct dma dma;
    struct vq q;
    struct vq_flight flight;
    uint8_t *mem;
    struct driver *d;
    bool packed;
    unsigned seed;
};

static unsigned roll(struct place *p, unsigned n)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return (p->seed >> 16) % n;
}

static void place_map(struct place *p, bool packed)
{
    memset(p, 0, sizeof(*p));
    p->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p->mem != MAP_FAILED);
    p->d = (struct driver *)(void *)(p->mem + DONE);
    p->d->avail_wrap = p->d->used_wrap = true;
    p->ram.slots = 1;
    p->ram.slot[0] = (struct ram_slot){.gpa = 0, .len = MEM, .host = p->mem};
    p->ram.size = MEM;
    p->dma = (struct dma){.ram = &p->ram, .enabled = true};
    p->packed = packed;
}

/* ---- the driver ---- */

static void desc(uint8_t *at, uint64_t addr, uint16_t a, uint16_t b)
{
    le64_put(at, addr);
    le32_put(at + 8, 8);
    le16_put(at + 12, a);
    le16_put(at + 14, b);
}

static bool id_free(const struct driver *d, unsigned *id)
{
    for (*id = 0; *id < SIZE / 2; ++*id)
        if (!d->flying[*id])
            return true;
    return false;
}

static void step(uint16_t *at, bool *wrap, unsigned by)
{
    *at = (uint16_t)(*at + by);
    if (*at >= SIZE) {
        *at = (uint16_t)(*at - SIZE);
        *wrap = !*wrap;
    }
}

/* Two descriptors a request, or one: its number is in the first one's address. */
static void make(struct place *p)
{
    struct driver *d = p->d;
    unsigned id, spans = 1 + d->made % 2;
    uint64_t addr = DATA + 16ull * d->made;

    if (d->made == MADE || !id_free(d, &id))
        return;
    d->flying[id] = true;
    d->request[id] = d->made++;
    d->span[id] = (uint16_t)spans;
    if (!p->packed) {
        desc(p->mem + DESC + 32 * id, addr, spans == 2 ? NEXT : WRITE, (uint16_t)(2 * id + 1));
        desc(p->mem + DESC + 32 * id + 16, addr, WRITE, 0);
        le16_put(p->mem + AVAIL + 4 + 2 * (d->avail % SIZE), (uint16_t)(2 * id));
        le16_put(p->mem + AVAIL + 2, ++d->avail);
        return;
    }
    for (unsigned i = 0; i < spans; i++) {
        uint16_t flags =
            (uint16_t)((i + 1 < spans ? NEXT : WRITE) | (d->avail_wrap ? F_AVAIL : F_USED));

        desc(p->mem + DESC + 16 * d->avail, addr, (uint16_t)id, flags);
        step(&d->avail, &d->avail_wrap, 1);
    }
}

/* Answers that can be seen are taken. */
static void take(struct place *p)
{
    struct driver *d = p->d;

    for (;;) {
        const uint8_t *at = p->mem + DESC + 16 * d->used;
        uint16_t flags = le16_get(at + 14), id = le16_get(at + 12);

        if (p->packed && (!(flags & F_AVAIL) != !(flags & F_USED) ||
                          !(flags & F_USED) == d->used_wrap || d->taken == d->made))
            return;
        if (!p->packed) {
            if (le16_get(p->mem + USED + 2) == d->used)
                return;
            id = (uint16_t)(le32_get(p->mem + USED + 4 + 8 * (d->used % SIZE)) / 2);
        }
        assert_true(id < SIZE && d->flying[id]); /* else it was answered twice */
        d->flying[id] = false;
        d->taken++;
        if (p->packed)
            step(&d->used, &d->used_wrap, d->span[id]);
        else
            d->used++;
    }
}

/* ---- the device ---- */

static void device_start(struct place *p)
{
    struct vq_conf conf = {
        .size = SIZE, .packed = p->packed, .desc = DESC, .avail = AVAIL, .used = USED};
    struct vq_place fresh = {.avail_wrap = true, .used_wrap = true};

    assert_int_equal(vq_start(&p->q, &p->dma, &conf), 0);
    if (vq_flight_start(&p->q, &p->flight, p->mem + RECORD, SIZE, &fresh))
        fail_msg("the record was refused: %s", p->flight.why);
}

/* What a device does for a request before it is answered: here, it is written down that it was. */
static void begin(struct place *p, const struct vq_chain *c)
{
    unsigned number = (unsigned)(c->seg[0].gpa - DATA) / 16;

    assert_true(number < MADE);
    p->d->starts[number]++;
    p->d->order[p->d->begun++ % (8 * MADE)] = (uint16_t)number;
}

/* Takes what there is, now and then at the second try; answers some of it in any order, shows it at
 * times. */
static void device_turn(struct place *p, uint16_t *held, unsigned *n, bool all)
{
    static struct vq_chain c;

    while (*n < SIZE && vq_pop(&p->q, &c) == 1) {
        if (!roll(p, 4)) {
            vq_unpop(&p->q, &c);
            continue;
        }
        begin(p, &c);
        held[(*n)++] = c.head;
    }
    assert_null(p->q.broken);
    while (*n && (all || roll(p, 3))) {
        unsigned i = roll(p, *n);

        vq_push(&p->q, held[i], 8);
        held[i] = held[--*n];
    }
    if (all || roll(p, 2))
        vq_signal(&p->q);
}

/* ---- the child, and who comes after it ---- */

enum { TURNS = 14 };

static void child(struct place *p)
{
    uint16_t held[SIZE];
    unsigned n = 0;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    device_start(p);
    for (unsigned i = 0; i < TURNS; i++) {
        __atomic_store_n(&p->d->busy, true, __ATOMIC_SEQ_CST);
        make(p);
        make(p);
        __atomic_store_n(&p->d->busy, false, __ATOMIC_SEQ_CST);
        device_turn(p, held, &n, false);
        __atomic_store_n(&p->d->busy, true, __ATOMIC_SEQ_CST);
        take(p);
        __atomic_store_n(&p->d->busy, false, __ATOMIC_SEQ_CST);
    }
    _exit(0);
}

/* What the driver could see at that moment it has got; the successor must not touch it. */
static void judge_successor(struct place *p, struct place *from)
{
    uint16_t held[SIZE], before[MADE];
    bool open[MADE] = {false};
    unsigned n = 0, last = 0, begun;
    struct driver *d = p->d;

    memcpy(p->mem, from->mem, MEM);
    p->seed = 5 + from->d->begun;
    take(p);
    for (unsigned i = 0; i < SIZE; i++)
        if (d->flying[i])
            open[d->request[i]] = true;
    memcpy(before, d->starts, sizeof(before));
    begun = d->begun;
    device_start(p);
    device_turn(p, held, &n, true);
    take(p);
    for (unsigned i = begun; i < d->begun; i++) {
        unsigned number = d->order[i % (8 * MADE)];

        assert_true(open[number]);                               /* not one that has its answer */
        assert_int_equal(d->starts[number], before[number] + 1); /* and once */
        assert_true(i == begun || number > last);                /* in the order of making */
        last = number;
    }
    for (unsigned i = 0; i < MADE; i++)
        assert_int_equal(d->starts[i] - before[i], open[i]);
    assert_int_equal(d->taken, d->made); /* nothing is forgotten */
    vq_stop(&p->q);
}

static void every_instruction(bool packed)
{
    struct place served, next;
    uint8_t *was = malloc(MEM);
    unsigned long steps = 0, kills = 0;
    int status;
    pid_t pid;

    place_map(&served, packed);
    place_map(&next, packed);
    served.seed = 1;
    pid = fork();
    if (!pid)
        child(&served);
    assert_true(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    memset(was, 0xff, MEM);
    while (WIFSTOPPED(status)) {
        if (!served.d->busy && memcmp(was, served.mem, MEM)) {
            memcpy(was, served.mem, MEM);
            judge_successor(&next, &served);
            kills++;
        }
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
            break;
        steps++;
    }
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    print_message("%lu instructions, %lu kills\n", steps, kills);
    assert_true(kills > 100);
    munmap(served.mem, MEM);
    munmap(next.mem, MEM);
    free(was);
}

static void split_ring(void **state)
{
    (void)state;
    every_instruction(false);
}

static void packed_ring(void **state)
{
    (void)state;
    every_instruction(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_ring),
        cmocka_unit_test(packed_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
