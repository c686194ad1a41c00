/* Network backends: what they promise to front ends. The far end of the socket is the test itself.
 */
#include "unit.h"
#include "back/net_pcap.h"
#include "back/net_rec.h"
#include "back/net_sock.h"
#include "core/error.h"
#include "core/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH "unit-net.sock"

struct world {
    struct ledger *ledger;
    struct loop *loop;
    struct net *net;
    int listener, peer;
    /* the front end */
    unsigned room, got, ends, ups, downs, rooms;
    size_t got_bytes, last_len;
};

static bool front_recv(void *front, const struct net_frame *f)
{
    struct world *w = front;

    if (!w->room)
        return false;
    w->room--;
    w->got++;
    w->got_bytes += f->len;
    w->last_len = f->len;
    return true;
}

static void front_end(void *front)
{
    ((struct world *)front)->ends++;
}

static void front_link(void *front, bool up)
{
    struct world *w = front;

    w->ups += up;
    w->downs += !up;
}

static void front_room(void *front)
{
    ((struct world *)front)->rooms++;
}

static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(path);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void net_make(struct world *w, const char *spec, const char *pcap)
{
    struct net_open_opts o = {.spec = spec, .name = "net0", .pcap = pcap, .snaplen = 100};
    struct net_front front = {front_recv, front_end, front_link, front_room, w, 0};
    struct error err = {{0}};

    if (net_open(&w->net, &o, w->loop, w->ledger, &err))
        fail_msg("%s", err.text);
    net_attach(w->net, &front);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->ledger = ledger_open();
    w->loop = loop_open(NULL, true);
    w->listener = w->peer = -1;
    w->room = 1u << 30;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    net_close(w->net);
    if (w->listener >= 0)
        close(w->listener);
    if (w->peer >= 0)
        close(w->peer);
    unlink(PATH);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void connect_switch(struct world *w)
{
    w->listener = listen_at(PATH);
    net_make(w, "switch=" PATH, NULL);
    w->peer = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(w->peer >= 0);
}

static size_t peer_read(struct world *w, uint8_t *buf, size_t n)
{
    ssize_t got = recv(w->peer, buf, n, 0);

    return got > 0 ? (size_t)got : 0;
}

static bool send_frame(struct world *w, uint8_t *bytes, size_t len)
{
    struct iovec iov = {bytes, len};
    struct net_frame f = {.iov = &iov, .iovs = 1, .len = len};

    return net_send(w->net, &f);
}

static const struct ledger_row *row(struct world *w, const char *kind)
{
    return ledger_find(w->ledger, LEDGER_NET, "net0", kind);
}

static void null_counts_and_drops(void **state)
{
    struct world *w = *state;
    uint8_t bytes[60] = {0};

    net_make(w, "null", NULL);
    assert_true(w->net->up);
    assert_true(send_frame(w, bytes, 60));
    assert_false(send_frame(w, bytes, 13)); /* no Ethernet header */
    net_flush(w->net);
    assert_int_equal(row(w, "null")->writes, 2);
    assert_int_equal(row(w, "null")->write_bytes, 73);
    assert_int_equal(row(w, "null")->refused, 1);
}

static void wrong_names_are_told(void **state)
{
    static const char *const bad[] = {
        "",
        "nil",
        "null=x",
        "tap",
        "tap=",
        "tap=a/b",
        "tap=waytoolongname00",
        "switch",
        "switch=",
        "switch=/nowhere/to/be/found",
        "user,forward=tcp:80",
        "user,forward=tcp:0:80",
        "user,forward=udp:1:65536",
        "user,forward=sctp:1:2",
        "user,forward=tcp:[::1:80:80",
        "user,forward=tcp:evil%lo:80:80",
        "user,what=ever",
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct net_open_opts o = {.spec = bad[i], .name = "net0"};
        struct error err = {{0}};

        assert_true(net_open(&w->net, &o, w->loop, w->ledger, &err) < 0);
        assert_null(w->net);
        assert_true(strstr(err.text, "--net"));
    }
}

/* The first thing on the wire is a hello; the right answer makes unfinished frames pass. */
static void hello_makes_offloads_pass(void **state)
{
    struct world *w = *state;
    uint8_t buf[1000] = {0}, frame[100] = {0};
    struct net_rec r = {.iov = {buf + 4, 60}, .f = {.len = 60}};
    struct net_hello h;
    struct iovec iov = {frame, sizeof(frame)};
    struct net_frame f = {.iov = &iov,
                          .iovs = 1,
                          .len = sizeof(frame),
                          .todo = NET_CSUM,
                          .csum_start = 34,
                          .csum_offset = 16};

    connect_switch(w);
    assert_int_equal(peer_read(w, buf, sizeof(buf)), NET_HELLO_LEN);
    assert_true(net_hello_get(&h, &r));
    assert_true(net_send(w->net, &f));
    net_flush(w->net);
    assert_int_equal(peer_read(w, buf, sizeof(buf)), 104); /* finished: no answer yet */
    h.takes = NET_CSUM;
    h.cookie++; /* somebody guesses */
    net_hello_put(buf, &h);
    assert_int_equal(send(w->peer, buf, NET_HELLO_LEN, 0), NET_HELLO_LEN);
    loop_step(w->loop, 0);
    assert_int_equal(w->net->takes, 0);
    assert_int_equal(w->got, 1); /* just a frame */
    h.cookie--;
    net_hello_put(buf, &h);
    assert_int_equal(send(w->peer, buf, NET_HELLO_LEN, 0), NET_HELLO_LEN);
    loop_step(w->loop, 0);
    assert_int_equal(w->net->takes, NET_CSUM);
    assert_int_equal(w->got, 1);
    assert_true(net_send(w->net, &f));
    net_flush(w->net);
    assert_int_equal(peer_read(w, buf, sizeof(buf)), 114);
    assert_int_equal(buf[0], 0x80);
}

static void a_burst_is_one_write(void **state)
{
    struct world *w = *state;
    uint8_t buf[20000], frame[1000] = {0};

    connect_switch(w);
    peer_read(w, buf, sizeof(buf));
    for (unsigned i = 0; i < 10; i++)
        assert_true(send_frame(w, frame, sizeof(frame)));
    assert_int_equal(peer_read(w, buf, sizeof(buf)), 0); /* nothing yet */
    net_flush(w->net);
    assert_int_equal(peer_read(w, buf, sizeof(buf)), 10040);
    assert_int_equal(row(w, "switch")->writes, 10);
    assert_int_equal(row(w, "switch")->refused, 0);
}

/* A peer that does not read: the front end is asked to wait, then frames are dropped, and memory is
 * bounded. When it reads all that was taken arrives whole. */
static void slow_peer(void **state)
{
    struct world *w = *state;
    static uint8_t buf[1 << 20], frame[9000];
    unsigned taken = 0, told = 0;
    size_t got = 0, n;

    connect_switch(w);
    peer_read(w, buf, sizeof(buf));
    for (unsigned i = 0; i < 1000; i++) {
        told += net_full(w->net);
        taken += send_frame(w, frame, sizeof(frame));
        net_flush(w->net);
    }
    assert_true(told > 0 && told > 1000 - taken);
    assert_in_range(taken, 110, 250); /* a megabyte and what the socket holds */
    assert_int_equal(row(w, "switch")->refused, 1000 - taken);
    for (unsigned i = 0; i < 1000 && got < taken * 9004u; i++) {
        while ((n = peer_read(w, buf, sizeof(buf))))
            got += n;
        loop_step(w->loop, 0);
    }
    assert_int_equal(got, taken * 9004u);
    assert_int_equal(w->rooms, 1);
    assert_false(net_full(w->net));
}

static void peer_send(struct world *w, unsigned frames, size_t len)
{
    static uint8_t rec[70000];
    struct net_frame f = {.len = len};

    net_rec_head(rec, &f);
    for (unsigned i = 0; i < frames; i++)
        assert_int_equal(send(w->peer, rec, len + 4, 0), len + 4);
}

/* A front end without room: nothing is lost, the peer waits; it goes on where it stopped. */
static void slow_front(void **state)
{
    struct world *w = *state;

    connect_switch(w);
    w->room = 3;
    peer_send(w, 10, 500);
    loop_step(w->loop, 0);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 3);
    w->room = 2;
    net_ready(w->net);
    assert_int_equal(w->got, 5);
    w->room = 100;
    net_ready(w->net);
    net_ready(w->net);
    assert_int_equal(w->got, 10);
    peer_send(w, 1, 500);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 11);
    assert_int_equal(row(w, "switch")->reads, 11);
    assert_int_equal(row(w, "switch")->refused, 0);
}

static void cut_in_two(struct world *w)
{
    uint8_t rec[104] = {0, 0, 0, 100};

    assert_int_equal(send(w->peer, rec, 50, 0), 50);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 0);
    assert_int_equal(send(w->peer, rec + 50, 54, 0), 54);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 1);
}

/* The switch goes in the middle of a frame, and comes back. */
static void switch_comes_and_goes(void **state)
{
    struct world *w = *state;
    uint8_t frame[60] = {0};

    connect_switch(w);
    cut_in_two(w);
    assert_int_equal(send(w->peer, "\0\0\0", 3, 0), 3);
    close(w->peer);
    close(w->listener);
    loop_step(w->loop, 0); /* what came before the end */
    loop_step(w->loop, 0);
    assert_int_equal(w->downs, 1);
    assert_false(w->net->up);
    assert_false(send_frame(w, frame, 60));
    assert_false(net_full(w->net));
    loop_advance(w->loop, 2000000000); /* looked for in vain */
    assert_int_equal(w->ups, 0);
    w->listener = listen_at(PATH);
    loop_advance(w->loop, 1000000000);
    assert_int_equal(w->ups, 1);
    w->peer = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
    peer_send(w, 2, 64);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 3);
}

static void a_peer_that_lies_is_left(void **state)
{
    struct world *w = *state;

    connect_switch(w);
    assert_int_equal(send(w->peer, "\xff\xff\xff\xff", 4, 0), 4);
    loop_step(w->loop, 0);
    assert_false(w->net->up);
    assert_int_equal(w->downs, 1);
}

/* It vanishes while frames wait for room in the guest: no endless loop, no use of what is gone. */
static void gone_while_held(void **state)
{
    struct world *w = *state;

    connect_switch(w);
    w->room = 1;
    peer_send(w, 3, 100);
    loop_step(w->loop, 0);
    close(w->peer);
    w->peer = -1;
    loop_step(w->loop, 0);
    loop_step(w->loop, 0);
    assert_int_equal(w->downs, 1);
    w->room = 10;
    net_ready(w->net);
    assert_int_equal(w->got, 1);
}

static void detached_is_fine(void **state)
{
    struct world *w = *state;

    connect_switch(w);
    net_attach(w->net, NULL);
    peer_send(w, 3, 100);
    loop_step(w->loop, 0);
    assert_int_equal(w->got, 0);
    assert_int_equal(row(w, "switch")->refused, 3);
}

static void pcap_holds_what_passed(void **state)
{
    struct world *w = *state;
    uint8_t frame[150], file[1000];
    size_t n;
    FILE *f;

    for (unsigned i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)i;
    net_make(w, "null", "unit-net.pcap");
    assert_true(send_frame(w, frame, 60));
    assert_true(send_frame(w, frame, 150));
    net_flush(w->net);
    f = fopen("unit-net.pcap", "rb"); /* whole after a burst, not only at the end */
    n = fread(file, 1, sizeof(file), f);
    fclose(f);
    unlink("unit-net.pcap");
    assert_int_equal(n, 24 + 16 + 60 + 16 + 100);
    assert_int_equal(le32_get(file), 0xa1b23c4d);
    assert_int_equal(le16_get(file + 4), 2);
    assert_int_equal(le16_get(file + 6), 4);
    assert_int_equal(le32_get(file + 16), 100);
    assert_int_equal(le32_get(file + 20), 1);
    assert_int_equal(le32_get(file + 24 + 8), 60);
    assert_int_equal(le32_get(file + 24 + 12), 60);
    assert_memory_equal(file + 40, frame, 60);
    assert_int_equal(le32_get(file + 100 + 8), 100); /* cut by snaplen */
    assert_int_equal(le32_get(file + 100 + 12), 150);
    assert_true(le32_get(file + 100 + 4) < 1000000000);
    assert_memory_equal(file + 116, frame, 100);
}

static void sock_lost(struct net_sock *s, const char *why)
{
    (void)why;
    ((struct world *)s->net.front.front)->downs += 100;
}

static void sock_close(struct net *n)
{
    struct net_sock *s = container_of(n, struct net_sock, net);

    net_sock_stop(s);
    free(s);
}

/* A peer like passt, which drops what its socket does not take: what the guest has no room for is
 * read ahead, up to a bound, and comes to it in order. */
static void reads_ahead(void **state)
{
    static const struct net_ops ops = {"test",        net_sock_send, net_sock_flush, net_sock_ready,
                                       net_sock_full, NULL,          sock_close};
    struct world *w = *state;
    struct net_sock *s = calloc(1, sizeof(*s));
    uint8_t rec[1504] = {0};
    struct net_frame f = {.len = 1500};
    unsigned sent = 0, was;
    int pair[2];

    s->net.ops = &ops;
    s->lost = sock_lost;
    s->ahead = 1u << 20;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    w->peer = pair[1];
    w->net = &s->net;
    s->net.front = (struct net_front){front_recv, front_end, front_link, front_room, w, 0};
    assert_int_equal(net_init(&s->net, "net0", w->loop, w->ledger), 0);
    assert_int_equal(net_sock_start(s, pair[0]), 0);
    w->room = 5;
    net_rec_head(rec, &f);
    do {
        was = sent;
        while (send(w->peer, rec, sizeof(rec), 0) == (ssize_t)sizeof(rec))
            sent++;
        for (unsigned i = 0; i < 20; i++)
            loop_step(w->loop, 0);
    } while (sent != was);
    assert_int_equal(w->got, 5);
    assert_in_range(sent, (1u << 20) / 1504, (2u << 20) / 1504);
    w->room = 1u << 30;
    net_ready(w->net);
    for (unsigned i = 0; i < 1000 && w->got < sent; i++)
        loop_step(w->loop, 0);
    assert_int_equal(w->got, sent);
    assert_int_equal(w->got_bytes, sent * 1500u);
    assert_int_equal(w->downs, 0);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(null_counts_and_drops),
        WORLD(wrong_names_are_told),
        WORLD(hello_makes_offloads_pass),
        WORLD(a_burst_is_one_write),
        WORLD(slow_peer),
        WORLD(slow_front),
        WORLD(switch_comes_and_goes),
        WORLD(a_peer_that_lies_is_left),
        WORLD(gone_while_held),
        WORLD(detached_is_fine),
        WORLD(pcap_holds_what_passed),
        WORLD(reads_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
