/* A shared directory's server that dies, hangs or lies: it is the test itself. */
#include "p9_queue_world.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void all_failed(struct world *w)
{
    settle(w, w->asked);
    for (unsigned i = 0; i < w->asked; i++) {
        assert_int_equal(w->a[i]->req.err, -EIO);
        assert_int_equal(w->a[i]->req.replied, P9_ERROR_LEN);
        assert_int_equal(w->a[i]->room[4], 7);
        assert_memory_equal(w->a[i]->room + 5, w->a[i]->req.msg + 5, 2);
        assert_int_equal(le32_get(w->a[i]->room + P9_HEAD), EIO);
    }
}

/* It ends with requests of all kinds on their way: each fails, and so does what comes after. */
static void dies(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2 * P9_SLOTS; i++)
        ask_fid(w, GETATTR, 0, 12);
    close(w->far.sock);
    w->far.sock = -1;
    all_failed(w);
    ask_fid(w, CLUNK, 0, 4);
    all_failed(w);
    p9_reset(w->p); /* of which nothing is left */
    ask_fid(w, CLUNK, 0, 4);
    all_failed(w);
}

/* Nobody listens any more when the first request comes. */
static void dead(void **state)
{
    struct world *w = *state;

    close(w->far.sock);
    w->far.sock = -1;
    ask_fid(w, GETATTR, 0, 12);
    all_failed(w);
}

/* It never answers: a drain has patience, but not for ever. */
static void hangs(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2 * P9_SLOTS; i++)
        ask_fid(w, GETATTR, 0, 12);
    p9_drain(w->p);
    assert_int_equal(w->ended, w->asked);
    all_failed(w);
}

/* An answer to the request in slot 0, a getattr with tag 1, but for what the case changes. */
static void lie(struct world *w, const struct p9_answer *a, size_t len)
{
    uint8_t packet[sizeof(*a) + 8] = {0};
    unsigned was = w->ended;

    ask_fid(w, GETATTR, 0, 12);
    memcpy(packet, a, sizeof(*a));
    assert_int_equal(send(w->far.sock, packet, len, 0), len);
    settle(w, was + 1);
}

static struct p9_answer honest(uint32_t replied)
{
    struct p9_answer a = {.replied = replied, .head = {0, 0, 0, 0, GETATTR + 1, 1, 0}};

    le32_put(a.head, replied);
    return a;
}

#define LIE(name, change, len)                                                                     \
    static void lie_##name(void **state)                                                           \
    {                                                                                              \
        struct p9_answer a = honest(160);                                                          \
                                                                                                   \
        change;                                                                                    \
        lie(*state, &a, len);                                                                      \
        all_failed(*state);                                                                        \
        ask_fid(*state, GETATTR, 0, 12);                                                           \
        all_failed(*state);                                                                        \
    }
LIE(short, , sizeof(a) - 1)
LIE(long, , sizeof(a) + 8)
LIE(slot, a.slot = 1, sizeof(a))
LIE(slot_far, a.slot = UINT32_MAX, sizeof(a))
LIE(tag, a.head[5] = 2, sizeof(a))
LIE(type, a.head[4] = GETATTR, sizeof(a))
LIE(size, a.head[0]++, sizeof(a))
LIE(room, (a.replied = ROOM + 1, le32_put(a.head, ROOM + 1)), sizeof(a))
LIE(huge, (a.replied = UINT32_MAX, le32_put(a.head, UINT32_MAX)), sizeof(a))
LIE(little, (a.replied = 6, le32_put(a.head, 6)), sizeof(a))
LIE(piped, a.piped = 1, sizeof(a)) /* and there is nothing */
LIE(half_piped,
    (a.piped = 1, assert_int_equal(write(((struct world *)*state)->pipe, "half", 4), 4)), sizeof(a))
LIE(no_pipe, a.piped = 2, sizeof(a))
LIE(nothing_piped, (a.piped = 1, a.replied = 11, le32_put(a.head, 11)), sizeof(a))
LIE(no_error, (a.replied = 11, le32_put(a.head, 11), a.head[4] = 7), sizeof(a))
LIE(error, (a.replied = 11, le32_put(a.head, 11), a.head[4] = 7, a.head[8] = 0xff), sizeof(a))

static void honesty(void **state)
{
    struct world *w = *state;
    struct p9_answer a = honest(ROOM);

    memset(w->far.shared->bulk[0], 0x5a, ROOM);
    lie(w, &a, sizeof(a)); /* the longest there may be */
    assert_int_equal(w->a[0]->req.err, 0);
    assert_int_equal(w->a[0]->req.replied, ROOM);
    assert_int_equal(w->a[0]->room[P9_ERROR_LEN], 0x5a);
    assert_int_equal(w->a[0]->room[ROOM - 1], 0x5a);
    assert_int_equal(send(w->far.sock, &a, sizeof(a), 0), sizeof(a)); /* again: to nothing */
    ask_fid(w, GETATTR, 0, 12);
    settle(w, 2);
    assert_int_equal(w->a[1]->req.err, -EIO);
}

/* The memory they share can't be cut off below the machine that reads it. */
static void sealed(void **state)
{
    struct p9_wire w = {0};
    struct p9_ends far;

    (void)state;
    assert_int_equal(p9_wire_open(&w, &far), 0);
    assert_int_equal(ftruncate(far.mem, 0), -1);
    assert_int_equal(errno, EPERM);
    close(far.sock);
    close(far.mem);
    close(far.pipe);
    p9_wire_close(&w);
}

#define ALONE(f) cmocka_unit_test_setup_teardown(f, p9q_setup_alone, p9q_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(dies),           ALONE(dead),         ALONE(hangs),
        ALONE(honesty),        ALONE(lie_short),    ALONE(lie_long),
        ALONE(lie_slot),       ALONE(lie_slot_far), ALONE(lie_tag),
        ALONE(lie_type),       ALONE(lie_size),     ALONE(lie_room),
        ALONE(lie_huge),       ALONE(lie_little),   ALONE(lie_piped),
        ALONE(lie_half_piped), ALONE(lie_no_pipe),  ALONE(lie_nothing_piped),
        ALONE(lie_no_error),   ALONE(lie_error),    cmocka_unit_test(sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
