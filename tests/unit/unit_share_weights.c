/* Shares of one host disk: by weight, with a bound on what a flood does to a neighbour, on a clock
 * of the test's: what is asserted is exact. */
#include "share_world.h"

/* ---- shares ---- */

/* Two flood the host disk with the same: the second gets want times what the first gets, exactly
 * but for what is in flight and for the turn that is going on. */
static void ratio(struct world *w, unsigned weight, uint32_t len)
{
    struct share_limits l = {.weight = 1}, m = {.weight = weight};
    struct guest *a = &w->guest[0], *b = &w->guest[1];
    int64_t off;

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &m);
    guest_start(a, len, DEEP);
    guest_start(b, len, DEEP);
    serve(w, 200); /* what the first sent while it was alone goes first */
    a->bytes = b->bytes = 0;
    serve(w, 20000);
    off = (int64_t)(a->bytes * weight) - (int64_t)b->bytes;
    assert_true(b->bytes > 1000u * len);
    assert_in_range(off + (int64_t)(40ll * weight * len), 0, 80ull * weight * len);
    assert_true((double)b->bytes / (double)a->bytes > weight * 0.99);
    assert_true((double)b->bytes / (double)a->bytes < weight * 1.01);
}

static void one_to_one(void **state)
{
    ratio(*state, 1, 4096);
}

static void one_to_four(void **state)
{
    ratio(*state, 4, 4096);
}

static void one_to_four_large(void **state)
{
    ratio(*state, 4, 65536);
}

static void one_to_four_in_pieces(void **state)
{
    ratio(*state, 4, 4 * SHARE_PIECE);
}

/* At most so much stands before a request of a neighbour that asks now and then, and it is in the
 * host disk at once, past the flood's window. */
static void a_flood_delays_a_neighbour_by_a_window(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(flood, 4096, DEEP);
    guest_start(g, 4096, 1);
    g->len = 0;
    serve(w, 200);
    assert_int_equal(g->done, 1);
    w->host.queued_most = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = flood->done, was = g->done;
        unsigned queued = w->host.queued;

        guest_start(g, 4096, 1);
        g->len = 0;
        assert_int_equal(w->host.queued, queued + 1);
        while (g->done == was)
            serve(w, 1);
        assert_true(flood->done - before <= SHARE_REQUESTS);
        serve(w, 7);
    }
    assert_in_range(w->host.queued_most, 1, SHARE_REQUESTS + 1);
}

/* ... but for no more than its share. */
static void who_asks_for_little_has_its_share_at_most(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1}, m = {.weight = 4};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];

    guest_open(w, 0, w->disk, &m);
    guest_open(w, 1, w->disk, &l);
    guest_start(flood, 4096, DEEP);
    guest_start(g, 4096, 1);
    serve(w, 200);
    flood->bytes = g->bytes = 0;
    serve(w, 20000);
    assert_true(g->bytes > 1000u * 4096);
    assert_true(4 * g->bytes <= flood->bytes + flood->bytes / 100);
}

/* A host disk that works on so many requests at once, 60 to 140 us each, in steps of 5 us. */
struct arm {
    bool busy;
    unsigned until;
};

enum { STEP_US = 5, STEPS = 1000000 / STEP_US * 3, ARMS = 16 };

struct sample {
    unsigned n, queued; /* queued: at most, in the host disk */
    uint16_t took[65536];
};

static int by_size(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static unsigned p99(struct sample *s)
{
    qsort(s->took, s->n, sizeof(s->took[0]), by_size);
    return s->took[s->n - 1 - s->n / 100] * STEP_US;
}

/* An arm that has ended its request ends the oldest of the queue. */
static void arms_step(struct world *w, struct arm *arm, unsigned arms, unsigned step)
{
    unsigned working = 0;

    for (unsigned i = 0; i < arms; i++) {
        if (arm[i].busy && arm[i].until == step) {
            arm[i].busy = false;
            host_one(&w->host);
        }
        working += arm[i].busy;
    }
    loop_advance(w->loop, 0);
    for (unsigned i = 0; i < arms; i++)
        if (!arm[i].busy && working < w->host.queued) {
            w->seed = w->seed * 1103515245 + 12345;
            arm[i] = (struct arm){true, step + (60 + (w->seed >> 16) % 17 * 5) / STEP_US};
            working++;
        }
}

/* A neighbour that has one read in flight, and, or not, a flood; after a second. All takes so many
 * times as long on a slow disk. */
static void settle_slow(struct world *w, unsigned arms, bool flooded, struct sample *s,
                        unsigned times)
{
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];
    struct arm arm[ARMS] = {0};
    uint64_t done = 0;

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    flood->op = g->op = BLK_READ;
    guest_start(g, 4096, 1);
    if (flooded)
        guest_start(flood, 4096, DEEP);
    s->n = s->queued = 0;
    for (unsigned step = 0, last = 0; step < STEPS; step++) {
        loop_advance(w->loop, (uint64_t)STEP_US * 1000 * times);
        arms_step(w, arm, arms, step);
        if (step > STEPS / 3 && w->host.queued > s->queued)
            s->queued = w->host.queued;
        if (g->done > done) {
            if (step > STEPS / 3 && s->n < ARRAY_LEN(s->took))
                s->took[s->n++] = (uint16_t)(step - last);
            last = step;
            done = g->done;
        }
    }
    flood->len = g->len = 0;
    w->flood_rate = (unsigned)(flood->done / 3);
}

static void settle(struct world *w, unsigned arms, bool flooded, struct sample *s)
{
    settle_slow(w, arms, flooded, s, 1);
}

static void one_arm_is_given_one_request(void **state)
{
    static struct sample s;

    settle(*state, 1, true, &s);
    printf("# one arm: at most %u in it, the neighbour's p99 is %u us\n", s.queued, p99(&s));
    assert_in_range(s.queued, 1, 3);
    assert_in_range(p99(&s), 60, 420);
}

/* They are kept busy (8 arms do 80,000 a second), and the neighbour's p99 is at most 1.5 times what
 * it has alone. */
static void eight_arms_are_kept_busy(void **state)
{
    static struct sample s, alone;
    struct world *w = *state;

    settle(w, 8, false, &alone);
    guests_close(w);
    settle(w, 8, true, &s);
    printf(
        "# eight arms: at most %u in them, %u a second; the neighbour's p99 is %u us, alone %u\n",
        s.queued, w->flood_rate, p99(&s), p99(&alone));
    assert_true(w->flood_rate > 60000);
    assert_true(2 * p99(&s) <= 3 * p99(&alone));
}

/* Requests of 6 to 14 ms: what is learnt about the disk must not take up its time. */
static void slow_arms_are_kept_busy(void **state)
{
    static struct sample s;
    struct world *w = *state;

    settle_slow(w, 8, true, &s, 100);
    printf("# eight slow arms: %u in 100 s\n", w->flood_rate);
    assert_true(w->flood_rate > 60000);
}

/* A backend that ends all at once: the flood's requests must leave the loop its turns. */
static void a_flood_of_cached_reads_leaves_turns(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};
    struct guest *flood = &w->guest[0], *g = &w->guest[1];

    w->host.at_once = true;
    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(g, 4096, 1);
    g->len = 0;
    guest_start(flood, 65536, DEEP);
    loop_step(w->loop, 0);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = flood->bytes, was = g->done;

        guest_start(g, 4096, 1);
        g->len = 0;
        for (unsigned n = 0; g->done == was; n++) {
            assert_true(n < 4);
            loop_step(w->loop, 0);
        }
        assert_true(flood->bytes - before <= 4 * SHARE_TURN);
    }
    assert_true(flood->done > 100);
}

/* Alone, a disk has all of the host disk. */
static void alone_there_is_no_window(void **state)
{
    struct world *w = *state;
    struct share_limits l = {.weight = 1};

    guest_open(w, 0, w->disk, &l);
    guest_open(w, 1, w->disk, &l);
    guest_start(&w->guest[0], 4096, DEEP);
    serve(w, 1000);
    assert_int_equal(w->host.queued_most, DEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_to_one),
        T(one_to_four),
        T(one_to_four_large),
        T(one_to_four_in_pieces),
        T(a_flood_delays_a_neighbour_by_a_window),
        T(who_asks_for_little_has_its_share_at_most),
        T(a_flood_of_cached_reads_leaves_turns),
        T(alone_there_is_no_window),
        T(one_arm_is_given_one_request),
        T(eight_arms_are_kept_busy),
        T(slow_arms_are_kept_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
