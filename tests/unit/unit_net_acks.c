/* Which segments of a guest are duplicate acknowledgements, and how often one may go to passt. */
#include "unit.h"
#include "back/net_acks.h"

#include <string.h>

enum { MS = 1000000 };

static struct net_seg ack_of(uint8_t flow, uint32_t ack, uint16_t window)
{
    struct net_seg g = {.ack = ack, .window = window, .flags = NET_SEG_ACK, .bare = true};

    memset(g.flow, flow, sizeof(g.flow));
    return g;
}

static bool goes(struct net_acks *a, struct net_seg g, uint64_t now)
{
    return net_ack_may_go(a, &g, now);
}

static void the_first_duplicate_goes_and_then_one_a_while(void **state)
{
    struct net_acks a = {0};

    (void)state;
    assert_true(goes(&a, ack_of(1, 5000, 10), MS));
    assert_true(goes(&a, ack_of(1, 5000, 10), MS));
    for (uint64_t t = 0; t < 20; t++)
        assert_false(goes(&a, ack_of(1, 5000, 10), MS + t * MS));
    assert_true(goes(&a, ack_of(1, 5000, 10), 21 * MS));
    assert_false(goes(&a, ack_of(1, 5000, 10), 22 * MS));
}

/* Also when the byte has changed in between: each would have passt send its whole burst again. */
static void the_while_is_the_flows(void **state)
{
    struct net_acks a = {0};

    (void)state;
    goes(&a, ack_of(1, 5000, 10), 0);
    assert_true(goes(&a, ack_of(1, 5000, 10), 0));
    assert_true(goes(&a, ack_of(1, 6000, 10), MS));
    assert_false(goes(&a, ack_of(1, 6000, 10), MS));
    goes(&a, ack_of(2, 6000, 10), MS);
    assert_true(goes(&a, ack_of(2, 6000, 10), MS));
}

static void what_says_something_new_goes(void **state)
{
    struct net_acks a = {0};
    struct net_seg fin = ack_of(1, 5000, 20), data = fin;

    (void)state;
    goes(&a, ack_of(1, 5000, 10), 0);
    goes(&a, ack_of(1, 5000, 10), 0);
    assert_true(goes(&a, ack_of(1, 5000, 20), 0)); /* room */
    assert_true(goes(&a, ack_of(1, 5000, 0), 0));
    assert_true(goes(&a, ack_of(1, 5000, 20), 0));
    fin.flags |= NET_SEG_FIN;
    data.bare = false;
    assert_true(goes(&a, fin, 0));
    assert_true(goes(&a, data, 0));
    assert_false(goes(&a, ack_of(1, 5000, 20), 0));
}

/* More flows than are looked after: none is kept from anything but a duplicate. */
static void many_flows(void **state)
{
    struct net_acks a = {0};

    (void)state;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 200; i++)
            assert_true(goes(&a, ack_of((uint8_t)(i + 1), 5000 + round, 10), 0));
}

/* Of frames: padding is no payload, payload is. */
static void a_frame_without_payload(void **state)
{
    uint8_t p[60] = {[12] = 0x08, [14] = 0x45, [23] = 6, [42] = 1, [43] = 2, [44] = 3, [45] = 4};
    struct net_seg g;

    (void)state;
    p[46] = 5 << 4, p[47] = NET_SEG_ACK, p[48] = 0x12, p[49] = 0x34;
    assert_true(net_seg_get(&g, p, sizeof(p), 54));
    assert_true(g.bare && g.ack == 0x01020304 && g.window == 0x1234 && g.flags == NET_SEG_ACK);
    assert_true(net_seg_get(&g, p, sizeof(p), 55));
    assert_false(g.bare);
    p[46] = 15 << 4; /* a header that would end behind the frame */
    assert_true(net_seg_get(&g, p, sizeof(p), 54));
    assert_false(g.bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_duplicate_goes_and_then_one_a_while),
        cmocka_unit_test(the_while_is_the_flows),
        cmocka_unit_test(what_says_something_new_goes),
        cmocka_unit_test(many_flows),
        cmocka_unit_test(a_frame_without_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
