/* What passt is given at once, with a socket pair and a clock of our own: we are passt. */
#include "unit.h"
#include "back/net_feed.h"
#include "core/ledger.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UDP = 17, TCP = 6, LEN = 14 + 20 + 20, LOOK = 50000, SEEN = 1600000 };

struct world {
    struct loop *loop;
    struct ledger *ledger;
    struct net_sock sock;
    struct net_feed feed;
    unsigned rooms;
    int peer;
};

static bool feed_send(struct net *n, const struct net_frame *f)
{
    return net_feed_send(&container_of(n, struct world, sock.net)->feed, f);
}

static void feed_flush(struct net *n)
{
    net_feed_flush(&container_of(n, struct world, sock.net)->feed);
}

static bool feed_full(struct net *n)
{
    return net_feed_full(&container_of(n, struct world, sock.net)->feed);
}

static void room(void *front)
{
    ((struct world *)front)->rooms++;
}

static void lost(struct net_sock *s, const char *why)
{
    (void)s, (void)why;
}

static const struct net_ops ops = {
    .name = "feed",
    .send = feed_send,
    .flush = feed_flush,
    .full = feed_full,
};

static void world_open(struct world *w)
{
    static struct net_front front = {.room = room};
    int pair[2];

    memset(w, 0, sizeof(*w));
    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    w->sock.net.ops = &ops;
    w->sock.lost = lost;
    w->sock.fd = -1;
    assert_int_equal(net_init(&w->sock.net, "net0", w->loop, w->ledger), 0);
    net_feed_init(&w->feed, &w->sock);
    front.front = w;
    net_attach(&w->sock.net, &front);
    assert_int_equal(net_sock_start(&w->sock, pair[0]), 0);
    w->peer = pair[1];
}

static void world_close(struct world *w)
{
    net_feed_stop(&w->feed);
    net_sock_stop(&w->sock);
    close(w->peer);
    loop_close(w->loop);
    ledger_close(w->ledger);
}

static void give(struct world *w, uint8_t proto, uint8_t port, uint8_t mark)
{
    uint8_t p[LEN] = {[12] = 0x08, [14] = 0x45, [17] = LEN - 14, [23] = proto, [35] = port};
    struct iovec iov = {p, sizeof(p)};
    struct net_frame f = {.iov = &iov, .iovs = 1, .len = sizeof(p)};

    p[26] = 10;
    p[46] = 5 << 4;
    p[53] = mark;
    net_send(&w->sock.net, &f);
}

/* The marks of all that is there to read. */
static unsigned take(struct world *w, uint8_t *marks)
{
    uint8_t buf[65536];
    ssize_t n = recv(w->peer, buf, sizeof(buf), MSG_DONTWAIT);
    unsigned got = 0;

    for (ssize_t at = 0; at < n; at += 4 + LEN)
        marks[got++] = buf[at + 4 + 53];
    return got;
}

static void one_datagram_of_a_flow_a_read(void **state)
{
    struct world w;
    uint8_t m[64];

    (void)state;
    world_open(&w);
    for (uint8_t i = 0; i < 3; i++)
        give(&w, UDP, 1, i);
    net_flush(&w.sock.net);
    assert_int_equal(take(&w, m), 1);
    assert_int_equal(m[0], 0);
    assert_int_equal(take(&w, m), 0);
    for (uint8_t i = 1; i < 3; i++) {
        loop_advance(w.loop, LOOK);
        assert_int_equal(take(&w, m), 1);
        assert_int_equal(m[0], i);
    }
    loop_advance(w.loop, 10 * LOOK);
    assert_int_equal(take(&w, m), 0);
    world_close(&w);
}

/* Nothing is given before it has read, however long that takes. */
static void who_does_not_read_gets_no_more(void **state)
{
    struct world w;
    uint8_t m[64];

    (void)state;
    world_open(&w);
    give(&w, UDP, 1, 0);
    give(&w, UDP, 1, 1);
    net_flush(&w.sock.net);
    loop_advance(w.loop, 100 * LOOK);
    assert_int_equal(take(&w, m), 1);
    loop_advance(w.loop, SEEN); /* it looks more and more seldom */
    assert_int_equal(take(&w, m), 1);
    give(&w, UDP, 1, 2);
    give(&w, UDP, 1, 3);
    net_flush(&w.sock.net);
    assert_int_equal(take(&w, m), 1);
    loop_advance(w.loop, LOOK); /* until it was right */
    assert_int_equal(take(&w, m), 1);
    world_close(&w);
}

/* Datagrams stay in order; other flows' go in one read; TCP waits for none of them. */
static void others_go_along(void **state)
{
    static const uint8_t first[] = {0, 1, 7}, second[] = {2, 3};
    struct world w;
    uint8_t m[64];

    (void)state;
    world_open(&w);
    give(&w, UDP, 1, 0);
    give(&w, UDP, 2, 1);
    give(&w, UDP, 1, 2);
    give(&w, UDP, 3, 3);
    give(&w, TCP, 1, 7);
    net_flush(&w.sock.net);
    assert_int_equal(take(&w, m), 3);
    assert_memory_equal(m, first, 3);
    loop_advance(w.loop, LOOK);
    assert_int_equal(take(&w, m), 2);
    assert_memory_equal(m, second, 2);
    world_close(&w);
}

/* As soon as passt has read, the guest's next datagram takes the first that waits along. */
static void a_sender_need_not_wait_for_the_clock(void **state)
{
    struct world w;
    uint8_t m[64];

    (void)state;
    world_open(&w);
    give(&w, UDP, 1, 0);
    give(&w, UDP, 1, 1);
    net_flush(&w.sock.net);
    take(&w, m);
    give(&w, UDP, 1, 2);
    net_flush(&w.sock.net);
    assert_int_equal(take(&w, m), 1);
    assert_int_equal(m[0], 1);
    world_close(&w);
}

static void a_flood_makes_the_card_wait(void **state)
{
    struct world w;
    uint8_t m[64];
    unsigned sent = 0, got = 0;

    (void)state;
    world_open(&w);
    for (; sent < 1000 && !net_full(&w.sock.net); sent++)
        give(&w, UDP, 1, (uint8_t)sent);
    net_flush(&w.sock.net);
    assert_in_range(sent, 64, NET_HOLD_MAX);
    for (; got < sent; got++) {
        if (got)
            loop_advance(w.loop, LOOK);
        assert_int_equal(take(&w, m), 1);
        assert_int_equal(m[0], (uint8_t)got);
    }
    assert_int_equal(w.rooms, 1);
    assert_false(net_full(&w.sock.net));
    world_close(&w);
}

/* A front end that does not ask loses what there is no room for, and no memory. */
static void and_who_does_not_ask_loses(void **state)
{
    struct world w;

    (void)state;
    world_open(&w);
    for (unsigned i = 0; i < 1000; i++)
        give(&w, UDP, 1, (uint8_t)i);
    assert_int_equal(w.feed.hold.n, NET_HOLD_MAX);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_datagram_of_a_flow_a_read),
        cmocka_unit_test(who_does_not_read_gets_no_more),
        cmocka_unit_test(others_go_along),
        cmocka_unit_test(a_sender_need_not_wait_for_the_clock),
        cmocka_unit_test(a_flood_makes_the_card_wait),
        cmocka_unit_test(and_who_does_not_ask_loses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
