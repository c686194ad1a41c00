/*
 * The switch's core: how fast, in which shares, and what becomes of frames that find no room.
 */
#include "sw_world.h"

/* ---- how fast ---- */

static void storms_are_damped(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "storm=100"), *b = plug(w, 1, "");

    send(b, MAC(1), MAC(2), 60);
    for (unsigned i = 0; i < 1000; i++)
        send(a, i & 1 ? BROAD : MAC(9), MAC(1), 60);
    assert_int_equal(b->got, 100);
    assert_int_equal(sw_port_count(a->port)->storm, 900);
    for (unsigned i = 0; i < 1000; i++)
        send(a, MAC(2), MAC(1), 60); /* what has a goal is no storm */
    assert_int_equal(b->got, 1100);
    loop_advance(w->loop, NS / 2);
    for (unsigned i = 0; i < 1000; i++)
        send(a, BROAD, MAC(1), 60);
    assert_int_equal(b->got, 1150);
}

/* 8 Mbit/s is a million bytes a second; nothing is lost of what waits to be asked for. */
static void a_port_gets_in_as_fast_as_its_rate(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "rate-from=8M,burst=10K"), *b = plug(w, 1, "");
    uint64_t sum = 0;

    for (unsigned ms = 0; ms < 10000; ms++) {
        while (sw_port_may(a->port)) {
            send(a, MAC(2), MAC(1), 1000);
            sum += 1000;
        }
        loop_advance(w->loop, NS / 1000);
    }
    assert_in_range(sum, 10000000 - 2000, 10000000 + 10240 + 2000);
    assert_int_equal(b->bytes[1], sum);
    assert_true(a->went > 100 && a->went < 10000);
}

/* A frame costs the switch as much time whatever its size: a flood of short ones has few more. */
static void a_turn_of_short_frames_is_no_longer(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "");
    struct iovec iov;
    struct net_frame f = frame(&iov, MAC(2), MAC(1), 60);
    unsigned n = 0;

    plug(w, 1, "");
    for (; sw_port_may(a->port) && n < 10000; n++)
        sw_port_from(a->port, &f);
    sw_port_from_end(a->port);
    assert_int_equal(n, (256 << 10) / (60 + 640) + 1);
}

static unsigned turn_of(struct end *e, const struct net_frame *f)
{
    unsigned n = 0;

    for (; sw_port_may(e->port) && n < 10000; n++)
        sw_port_from(e->port, f);
    sw_port_from_end(e->port);
    return n;
}

/* After so many bytes others have their turn, rate or not. */
static void a_turn_ends(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, "");
    struct iovec iov, other;
    struct net_frame f = frame(&iov, MAC(2), MAC(1), 1500);
    struct net_frame g = frame(&other, MAC(1), MAC(2), 1500);

    assert_int_equal(turn_of(a, &f), (256 << 10) / (1500 + 640) + 1); /* nobody else is there */
    assert_int_equal(a->went, 0);
    loop_advance(w->loop, 1);
    assert_int_equal(a->went, 1);
    send(b, MAC(1), MAC(2), 60); /* a neighbour: shorter ones, and a rest after each */
    assert_int_equal(turn_of(a, &f), (16 << 10) / (1500 + 640) + 1);
    loop_advance(w->loop, 9000);
    assert_int_equal(a->went, 1);
    loop_advance(w->loop, 1000);
    assert_int_equal(a->went, 2);
    loop_advance(w->loop, 10000000); /* it was long ago */
    assert_int_equal(turn_of(a, &f), (256 << 10) / (1500 + 640) + 1);
    loop_advance(w->loop, 1);
    turn_of(b, &g); /* as much a flood */
    assert_int_equal(turn_of(a, &f), (256 << 10) / (1500 + 640) + 1);
}

/* Both send more than the link takes, all the time: the link is full, and shared by weight. */
static void share(struct world *w, const char *one, const char *two, size_t len1, size_t len2,
                  uint64_t got[2])
{
    struct end *a = plug(w, 0, one), *b = plug(w, 1, two),
               *up = plug(w, 2, "rate-to=80M,burst=10K");

    send(up, BROAD, MAC(3), 60);
    for (unsigned ms = 0; ms < 5000; ms++) { /* 10,000 bytes a ms go out */
        for (unsigned i = 0; i < 20; i++) {
            send(a, MAC(3), MAC(1), len1);
            send(b, MAC(3), MAC(2), len2);
        }
        loop_advance(w->loop, NS / 1000);
    }
    got[0] = up->bytes[1];
    got[1] = up->bytes[2];
    assert_in_range(got[0] + got[1], 50000000 - 20000, 50000000 + 20000);
    assert_true(sw_port_count(up->port)->dropped > 1000);
}

static void equal_weights_get_equal_shares(void **state)
{
    uint64_t got[2];

    share(*state, "", "", 1500, 1500, got);
    assert_in_range(got[0] * 100 / (got[0] + got[1]), 49, 51);
}

static void weights_are_shares_whatever_the_sizes(void **state)
{
    uint64_t got[2];

    share(*state, "weight=1", "weight=4", 1500, 700, got);
    assert_in_range(got[0] * 1000 / (got[0] + got[1]), 195, 205);
}

static void segments_of_64k_do_not_push_others_aside(void **state)
{
    uint64_t got[2];

    share(*state, "weight=1", "weight=1", 60000, 700, got);
    assert_in_range(got[1] * 100 / (got[0] + got[1]), 49, 51);
}

/* A flood fills a slow link; a neighbour's single frame waits for its turn, not for the flood. */
static void a_flood_does_not_delay_a_neighbour(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, ""), *up = plug(w, 2, "rate-to=80M,burst=3K");
    unsigned worst = 0;

    send(up, BROAD, MAC(3), 60);
    for (unsigned i = 0; i < 10000; i++)
        send(a, MAC(3), MAC(1), 1500);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t before = up->bytes[1], had = up->bytes[2];

        for (unsigned k = 0; k < 30; k++)
            send(a, MAC(3), MAC(1), 1500);
        send(b, MAC(3), MAC(2), 100);
        while (up->bytes[2] == had)
            loop_advance(w->loop, 10000);
        worst = up->bytes[1] - before > worst ? (unsigned)(up->bytes[1] - before) : worst;
    }
    assert_in_range(worst, 1500, 2 * 1514 + 3072); /* a turn, and what went in the same burst */
}

/* ---- what has no room ---- */

static void a_flood_does_not_take_all_of_a_queue(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, ""), *c = plug(w, 2, "queue=128K");
    unsigned kept;

    send(c, BROAD, MAC(3), 60);
    c->room = 0;
    for (unsigned i = 0; i < 1000; i++)
        send(a, MAC(3), MAC(1), 1000);
    send(b, MAC(3), MAC(2), 1000);
    kept = 1001 - (unsigned)sw_port_count(c->port)->dropped;
    assert_in_range(kept, 50, 100);
    c->room = UINT32_MAX;
    sw_port_room(c->port);
    assert_true(c->got == kept && c->bytes[2] == 1000 && c->bytes[1] == 1000u * (kept - 1));
    assert_int_equal(c->ends, 1);
}

/* The frame that was refused comes first when there is room, whoever else has more weight. */
static void a_refused_frame_comes_first(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, "weight=100"), *c = plug(w, 2, "");

    send(c, BROAD, MAC(3), 60);
    for (unsigned i = 0; i < 10; i++) {
        c->room = 0;
        send(a, MAC(3), MAC(1), 60000);
        for (unsigned k = 0; k < 20; k++)
            send(b, MAC(3), MAC(2), 1000);
        c->room = 1;
        sw_port_room(c->port);
        assert_int_equal(c->last[11], 1);
        c->room = UINT32_MAX;
        sw_port_room(c->port);
    }
    assert_int_equal(c->got, 210);
}

/* Ports come and go while their frames wait; the sanitizers look on. */
static void ports_go_while_frames_wait(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "weight=3"), *b = plug(w, 1, ""), *c = plug(w, 2, "");

    send(c, BROAD, MAC(3), 60);
    c->room = 0;
    for (unsigned i = 0; i < 50; i++) {
        send(a, MAC(3), MAC(1), 500);
        send(b, MAC(3), MAC(2), 500);
    }
    sw_port_close(a->port);
    a = plug(w, 0, "weight=9");
    send(a, MAC(3), MAC(1), 500);
    c->room = UINT32_MAX;
    sw_port_room(c->port);
    assert_int_equal(c->got, 101); /* what was taken is delivered */
    c->room = 0;
    send(b, MAC(3), MAC(2), 500);
    sw_port_close(c->port);
    w->end[2].port = NULL;
    send(b, MAC(3), MAC(2), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(storms_are_damped),
        T(a_port_gets_in_as_fast_as_its_rate),
        T(a_turn_ends),
        T(a_turn_of_short_frames_is_no_longer),
        T(equal_weights_get_equal_shares),
        T(weights_are_shares_whatever_the_sizes),
        T(segments_of_64k_do_not_push_others_aside),
        T(a_flood_does_not_delay_a_neighbour),
        T(a_flood_does_not_take_all_of_a_queue),
        T(a_refused_frame_comes_first),
        T(ports_go_while_frames_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
