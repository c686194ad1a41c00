/* What passt may not read at once: a SYN and more of its flow, two datagrams of a flow. */
#include "unit.h"
#include "back/net_once.h"

#include <string.h>

enum { FIN = NET_SEG_FIN, SYN = NET_SEG_SYN, RST = NET_SEG_RST, ACK = NET_SEG_ACK };

static bool may_go(struct net_once *s, const uint8_t *p, size_t len, bool empty)
{
    struct net_seg g;

    if (empty)
        net_once_read(s);
    return !net_seg_get(&g, p, len, len) || net_once_may_go(s, &g);
}

static size_t frame4(uint8_t *p, uint16_t port, uint8_t flags)
{
    static const uint8_t ip[20] = {0x46, 0, 0,  44, 0, 1,  0x40, 0, 64, 6,
                                   0,    0, 10, 0,  2, 15, 10,   0, 2,  2};

    memset(p, 0, 14 + 24 + 20);
    p[12] = 0x08;
    memcpy(p + 14, ip, sizeof(ip));
    p[38] = (uint8_t)(port >> 8), p[39] = (uint8_t)port, p[41] = 80;
    p[38 + 13] = flags;
    return 14 + 24 + 20;
}

static size_t frame6(uint8_t *p, uint8_t last, uint8_t flags)
{
    memset(p, 0, 14 + 40 + 20);
    p[12] = 0x86, p[13] = 0xdd, p[14] = 0x60, p[20] = 6;
    p[14 + 39] = last;
    p[54 + 13] = flags;
    return 14 + 40 + 20;
}

static void more_of_the_flow_waits(void **state)
{
    static const uint8_t then[] = {SYN, SYN | ACK, RST, ACK, FIN | ACK};
    struct net_once s = {0};
    uint8_t p[128];

    (void)state;
    assert_true(may_go(&s, p, frame4(p, 1000, SYN), false));
    for (unsigned i = 0; i < ARRAY_LEN(then); i++)
        assert_false(may_go(&s, p, frame4(p, 1000, then[i]), false));
    assert_true(may_go(&s, p, frame4(p, 1001, ACK), false));
    assert_true(may_go(&s, p, frame4(p, 1001, ACK), false));
    assert_true(may_go(&s, p, frame4(p, 1001, SYN | ACK), false));
    assert_false(may_go(&s, p, frame4(p, 1001, SYN | ACK), false));
    assert_true(may_go(&s, p, frame6(p, 1, SYN), false));
    assert_true(may_go(&s, p, frame6(p, 2, SYN), false));
    assert_false(may_go(&s, p, frame6(p, 1, RST), false));
}

static void so_does_a_flows_second_datagram(void **state)
{
    struct net_once s = {0};
    uint8_t p[128];
    size_t len = frame4(p, 1000, 0);

    (void)state;
    p[14 + 9] = 17;
    assert_true(may_go(&s, p, len, false));
    assert_false(may_go(&s, p, len, false));
    frame4(p, 1001, 0);
    p[14 + 9] = 17;
    assert_true(may_go(&s, p, len, false));
    assert_true(may_go(&s, p, frame4(p, 1000, ACK), false)); /* TCP's ports are others */
    frame4(p, 1000, 0);
    p[14 + 9] = 17;
    assert_true(may_go(&s, p, len, true));
    len = frame6(p, 1, 0);
    p[20] = 17;
    assert_true(may_go(&s, p, len, false));
    assert_false(may_go(&s, p, len, false));
}

static void until_all_was_read(void **state)
{
    struct net_once s = {0};
    uint8_t p[128];

    (void)state;
    assert_true(may_go(&s, p, frame4(p, 1000, SYN), false));
    assert_true(may_go(&s, p, frame4(p, 1000, SYN), true));
    assert_false(may_go(&s, p, frame4(p, 1000, SYN), false));
    assert_true(may_go(&s, p, frame4(p, 1000, ACK), true));
    assert_true(may_go(&s, p, frame4(p, 1000, ACK), false));
}

static void one_flow_too_many_waits(void **state)
{
    struct net_once s = {0};
    uint8_t p[128];

    (void)state;
    for (uint16_t i = 0; i < NET_ONCE_FLOWS; i++)
        assert_true(may_go(&s, p, frame4(p, i, SYN), false));
    assert_false(may_go(&s, p, frame4(p, NET_ONCE_FLOWS, SYN), false));
    assert_true(may_go(&s, p, frame4(p, NET_ONCE_FLOWS, ACK), false));
    assert_true(may_go(&s, p, frame4(p, NET_ONCE_FLOWS, SYN), true));
}

/* Cut at any byte, a fragment, other protocols: nobody's business, and no byte behind is read. */
static void what_is_neither_goes(void **state)
{
    struct net_once s = {0};
    uint8_t p[128];

    (void)state;
    for (unsigned form = 0; form < 2; form++) {
        size_t len = form ? frame6(p, 1, SYN) : frame4(p, 1, SYN);

        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);

            memcpy(exact, p, cut);
            assert_true(may_go(&s, exact, cut, false));
            free(exact);
        }
    }
    frame4(p, 1, SYN);
    p[14 + 7] = 1; /* not the first fragment */
    assert_true(may_go(&s, p, 58, false));
    frame4(p, 1, SYN);
    p[14 + 9] = 1;
    assert_true(may_go(&s, p, 58, false));
    assert_int_equal(s.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_of_the_flow_waits), cmocka_unit_test(so_does_a_flows_second_datagram),
        cmocka_unit_test(until_all_was_read),     cmocka_unit_test(one_flow_too_many_waits),
        cmocka_unit_test(what_is_neither_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
