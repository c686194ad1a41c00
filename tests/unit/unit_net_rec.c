/* The framing of streams: whatever pieces the bytes come in, the same records; lies end it. */
#include "unit.h"
#include "back/net_rec.h"
#include <errno.h>

struct feed {
    struct net_in in;
    uint8_t bytes[400000];
    size_t len;
};

static int setup(void **state)
{
    struct feed *f = calloc(1, sizeof(*f));

    *state = f;
    return net_in_open(&f->in, NET_IN_SIZE);
}

static int teardown(void **state)
{
    struct feed *f = *state;

    net_in_close(&f->in);
    free(f);
    return 0;
}

static void put_frame(struct feed *f, size_t len, const struct net_frame *meta)
{
    struct net_frame none = {0}, m = meta ? *meta : none;

    m.len = len;
    f->len += net_rec_head(f->bytes + f->len, &m);
    for (size_t i = 0; i < len; i++)
        f->bytes[f->len + i] = (uint8_t)(len + i * 13);
    f->len += len;
}

static void check_bytes(const struct net_rec *r)
{
    const uint8_t *p = r->iov.iov_base;

    assert_int_equal(r->iov.iov_len, r->f.len);
    for (size_t i = 0; i < r->f.len; i++)
        if (p[i] != (uint8_t)(r->f.len + i * 13))
            fail_msg("byte %zu of %zu", i, r->f.len);
}

/* Gives at most step bytes at a time; the lengths of the records that came out. */
static unsigned drive(struct feed *f, size_t step, size_t *lens, unsigned max)
{
    unsigned n = 0;
    struct net_rec r;

    for (size_t at = 0; at < f->len;) {
        size_t room, part;
        uint8_t *to = net_in_space(&f->in, &room);

        assert_true(room >= NET_REC_MAX - 1);
        part = step < room ? step : room;
        if (part > f->len - at)
            part = f->len - at;
        memcpy(to, f->bytes + at, part);
        f->in.end += part;
        at += part;
        while (net_in_next(&f->in, &r) == 1) {
            assert_true(n < max);
            check_bytes(&r);
            lens[n++] = r.f.len;
        }
    }
    return n;
}

static void pieces_do_not_matter(void **state)
{
    static const size_t want[] = {
        14, 60, 1514, NET_FRAME_MAX, 15, NET_FRAME_MAX, 9000, NET_FRAME_MAX, NET_FRAME_MAX, 64};
    static const size_t step[] = {1, 2, 3, 7, 64, 1000, 65536, NET_IN_SIZE};
    struct feed *f = *state;
    size_t got[ARRAY_LEN(want)];

    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        put_frame(f, want[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(step); i++) {
        assert_int_equal(drive(f, step[i], got, ARRAY_LEN(want)), ARRAY_LEN(want));
        assert_memory_equal(got, want, sizeof(want));
        assert_int_equal(f->in.at, f->in.end);
    }
}

static int one(struct feed *f, uint32_t word, struct net_rec *r)
{
    size_t room;
    uint8_t *to = net_in_space(&f->in, &room);

    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(word >> (24 - 8 * i));
    memset(to + 4, 0, 200);
    f->in.end += 204;
    return net_in_next(&f->in, r);
}

static void lengths_that_lie_end_it(void **state)
{
    static const uint32_t bad[] = {0,          1,          13,         NET_FRAME_MAX + 1,
                                   0x7fffffff, 0x80000000, 0x80000040, 0xffffffff};
    struct feed *f = *state;
    struct net_rec r;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        f->in.at = f->in.end = 0;
        assert_int_equal(one(f, bad[i], &r), -EPROTO);
    }
    f->in.extended = true; /* now the highest bit has a meaning, the others are judged as ever */
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        f->in.at = f->in.end = 0;
        assert_int_equal(one(f, bad[i], &r), bad[i] == 0x80000040 ? 1 : -EPROTO);
    }
}

static void unfinished_work_travels(void **state)
{
    struct feed *f = *state;
    struct net_frame m = {.todo = NET_CSUM | NET_TSO6,
                          .csum_start = 54,
                          .csum_offset = 16,
                          .gso_size = 1440,
                          .hdr_len = 86};
    struct net_rec r;
    size_t room;

    put_frame(f, 5000, &m);
    f->in.extended = true;
    memcpy(net_in_space(&f->in, &room), f->bytes, f->len);
    f->in.end += f->len;
    assert_int_equal(net_in_next(&f->in, &r), 1);
    check_bytes(&r);
    assert_int_equal(r.raw_len, f->len);
    assert_int_equal(r.f.todo, m.todo);
    assert_int_equal(r.f.csum_start, 54);
    assert_int_equal(r.f.csum_offset, 16);
    assert_int_equal(r.f.gso_size, 1440);
    assert_int_equal(r.f.hdr_len, 86);
}

/* Headers that can't be: the record is known to be one, its frame is not used. */
static void headers_that_lie_are_known(void **state)
{
    static const uint8_t head[][NET_VNET_LEN] = {
        {1, 3, 0, 0, 100, 0, 34, 0, 6, 0},          /* UDP segments: nobody offered to take them */
        {1, 77, 0, 0, 100, 0, 34, 0, 6, 0},         /* no such kind */
        {0, 1, 0, 0, 100, 0, 34, 0, 16, 0},         /* segments without checksum */
        {1, 1, 0, 0, 0, 0, 34, 0, 16, 0},           /* of no bytes */
        {1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, /* a checksum far away */
        {1, 0, 0, 0, 0, 0, 59, 0, 0, 0},            /* or one byte beyond */
    };
    struct feed *f = *state;
    struct net_rec r;
    size_t room;

    f->in.extended = true;
    for (size_t i = 0; i < ARRAY_LEN(head); i++) {
        uint8_t *to = net_in_space(&f->in, &room);

        memcpy(to, "\x80\0\0\x3c", 4);
        memcpy(to + 4, head[i], NET_VNET_LEN);
        memset(to + 14, 1, 60);
        f->in.end += 74;
        assert_int_equal(net_in_next(&f->in, &r), 1);
        assert_int_equal(r.f.len, 0);
        assert_int_equal(r.raw_len, 74);
    }
}

static void hellos(void **state)
{
    struct feed *f = *state;
    struct net_hello h = {.cookie = 0x1122334455667788ull, .takes = NET_CSUM | NET_TSO4}, got;
    struct net_rec r;
    size_t room;

    net_hello_put(net_in_space(&f->in, &room), &h);
    f->in.end += NET_HELLO_LEN;
    assert_int_equal(net_in_next(&f->in, &r), 1);
    assert_true(net_hello_get(&got, &r));
    assert_int_equal(got.cookie, h.cookie);
    assert_int_equal(got.takes, h.takes);
    ((uint8_t *)r.iov.iov_base)[20] ^= 1;
    assert_false(net_hello_get(&got, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_that_lie_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(unfinished_work_travels, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_that_lie_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(hellos, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
