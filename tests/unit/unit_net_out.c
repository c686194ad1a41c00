/* Records on a stream socket: what a slow peer gets, and in which pieces. */
#include "unit.h"
#include "back/net_out.h"
#include "back/net_rec.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a small socket takes in pieces comes out whole and in order, and shares are given back. */
static void out_in_pieces(void **state)
{
    struct net_out o;
    static uint8_t frame[3000], buf[65536];
    struct iovec iov = {frame, 0};
    struct net_frame f = {.iov = &iov, .iovs = 1};
    struct net_in in;
    struct net_rec r;
    size_t share[2] = {0}, next = 0;
    int pair[2], size = 4096;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert_int_equal(net_out_open(&o, pair[0], share), 0);
    assert_int_equal(net_in_open(&in, NET_IN_SIZE), 0);
    for (size_t i = 0; i < 300; i++) {
        memset(frame, (int)i, sizeof(frame));
        f.len = iov.iov_len = 14 + i * 9;
        assert_true(net_out_frame(&o, &f) || (!net_out_flush(&o, i & 1) && net_out_frame(&o, &f)));
        if (i % 3 == 0)
            assert_int_equal(net_out_flush(&o, i & 1), 0);
    }
    net_out_flush(&o, 0);
    assert_true(share[0] + share[1] == net_out_kept(&o) && share[0] && share[1]);
    for (unsigned round = 0; round < 10000 && next < 300; round++) {
        size_t room;
        uint8_t *to = net_in_space(&in, &room);
        ssize_t n = recv(pair[1], to, 777, 0);

        in.end += n > 0 ? (size_t)n : 0;
        while (net_in_next(&in, &r) == 1) {
            assert_int_equal(r.f.len, 14 + next * 9);
            memset(buf, (int)next, r.f.len);
            assert_memory_equal(r.iov.iov_base, buf, r.f.len);
            next++;
        }
        assert_int_equal(net_out_more(&o), 0);
    }
    assert_int_equal(next, 300);
    assert_int_equal(share[0] + share[1] + net_out_kept(&o), 0);
    close(pair[1]);
    assert_true(net_out_frame(&o, &f));
    assert_int_equal(net_out_flush(&o, 0), -EPIPE); /* and no signal */
    net_out_close(&o);
    net_in_close(&in);
    close(pair[0]);
}

/* Every read of a peer that must not be given half a record ends where a record does, however
 * little its socket takes. */
static void whole_records(void **state)
{
    struct net_out o;
    static uint8_t frame[32000], buf[1u << 20];
    struct iovec iov = {frame, 0};
    struct net_frame f = {.iov = &iov, .iovs = 1};
    size_t got = 0, reads = 0;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(net_out_open(&o, pair[0], NULL), 0);
    o.burst = NET_OUT_WHOLE;
    for (size_t i = 0; i < 30000; i++) {
        f.len = iov.iov_len = i % 7 ? 54 : 14 + i * 7919 % (sizeof(frame) - 14);
        assert_true(net_out_frame(&o, &f) || (!net_out_flush(&o, 0) && net_out_frame(&o, &f)));
        if (i % 300 == 0)
            assert_int_equal(net_out_flush(&o, 0), 0);
        if (i % 300)
            continue;
        for (ssize_t n, at; (n = recv(pair[1], buf, sizeof(buf), 0)) > 0; reads++) {
            for (at = 0; n - at >= (ssize_t)NET_REC_HEAD; got++)
                at += (ssize_t)NET_REC_HEAD + (buf[at + 2] << 8 | buf[at + 3]);
            assert_int_equal(at, n);
            assert_int_equal(net_out_more(&o), 0);
        }
    }
    assert_true(reads > 20);
    assert_in_range(got, 29000, 30000);
    net_out_close(&o);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_in_pieces),
        cmocka_unit_test(whole_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
