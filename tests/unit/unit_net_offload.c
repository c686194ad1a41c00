/* Checksums and TCP segmentation in software, against a plain reference that sums bytes one by one
 * and reads each segment as a receiver would. */
#include "unit.h"
#include "back/net_offload.h"
#include <errno.h>

#define SEGS 4096

struct sink {
    uint8_t *frame[SEGS];
    size_t len[SEGS];
    unsigned todo[SEGS];
    struct net_frame meta[SEGS];
    unsigned n, room; /* room: how many more it takes */
};

static bool keep(void *ctx, const struct net_frame *f)
{
    struct sink *s = ctx;

    if (!s->room)
        return false;
    s->room--;
    assert_true(net_frame_ok(f));
    s->frame[s->n] = malloc(f->len);
    s->len[s->n] = net_head(f, s->frame[s->n], f->len);
    s->todo[s->n] = f->todo;
    s->meta[s->n] = *f;
    s->n++;
    return true;
}

static void sink_free(struct sink *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->frame[i]);
    *s = (struct sink){0};
}

/* RFC 1071 as one would write it on paper. */
static uint16_t ref_sum(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

struct shape { /* of a frame to make */
    bool v6;
    unsigned vlans, ip_more, tcp_opts, payload;
};

struct made {
    uint8_t bytes[70000];
    struct iovec iov[NET_SEGS_MAX];
    struct net_frame f;
    size_t l3, l4, at;
};

static void make(struct made *m, struct shape s, int iovs)
{
    uint8_t *p = m->bytes;

    for (size_t i = 0; i < sizeof(m->bytes); i++)
        p[i] = (uint8_t)(i * 31 + (i >> 8) * 17 + 3);
    m->l3 = 14 + 4 * s.vlans;
    for (unsigned i = 0; i < s.vlans; i++)
        memcpy(p + 12 + 4 * i, i ? "\x81\x00\x00\x07" : "\x88\xa8\x00\x05", 4);
    memcpy(p + m->l3 - 2, s.v6 ? "\x86\xdd" : "\x08\x00", 2);
    m->l4 = m->l3 + (s.v6 ? 40 : 20) + s.ip_more;
    m->at = m->l4 + 20 + s.tcp_opts;
    if (s.v6) {
        p[m->l3] = 0x60;
        p[m->l3 + 6] = s.ip_more ? 60 : 6;
        if (s.ip_more) {
            p[m->l3 + 40] = 6;
            p[m->l3 + 41] = (uint8_t)(s.ip_more / 8 - 1);
        }
    } else {
        p[m->l3] = (uint8_t)(0x40 | (20 + s.ip_more) / 4);
        memcpy(p + m->l3 + 4, "\xff\xfe\x40\x00\x40\x06", 6); /* identification goes round */
    }
    memcpy(p + m->l4 + 4, "\xff\xff\xff\x00", 4); /* and so does the sequence number */
    p[m->l4 + 12] = (uint8_t)((20 + s.tcp_opts) / 4 << 4);
    p[m->l4 + 13] = 0x80 | 0x10 | 0x09; /* CWR ACK PSH FIN */
    m->f = (struct net_frame){.iov = m->iov, .iovs = iovs, .len = m->at + s.payload};
    m->f.todo = NET_CSUM | (s.v6 ? NET_TSO6 : NET_TSO4);
    for (size_t i = 0, at = 0; i < (size_t)iovs; i++) { /* odd pieces, the first one tiny */
        size_t n = i == (size_t)iovs - 1 ? m->f.len - at : i ? m->f.len / (size_t)iovs : 7;

        m->iov[i] = (struct iovec){p + at, n};
        at += n;
    }
}

/* A receiver's checks of one finished frame. */
static void check_tcp(const struct made *m, const uint8_t *p, size_t len, bool v6)
{
    const uint8_t *ip = p + m->l3;
    size_t tcp_len = len - m->l4;
    uint32_t sum;

    if (v6) {
        assert_int_equal(be16(ip + 4), len - m->l3 - 40);
        sum = ref_sum(0, ip + 8, 32);
    } else {
        assert_int_equal(be16(ip + 2), len - m->l3);
        assert_int_equal(ref_sum(0, ip, m->l4 - m->l3), 0xffff);
        sum = ref_sum(0, ip + 12, 8);
    }
    assert_int_equal(ref_sum(sum + 6 + (uint32_t)tcp_len, p + m->l4, tcp_len), 0xffff);
}

static void check_segments(const struct made *m, const struct sink *s, unsigned mss, bool v6)
{
    size_t done = 0, payload = m->f.len - m->at;

    assert_int_equal(s->n, (payload + mss - 1) / mss);
    for (unsigned i = 0; i < s->n; i++) {
        const uint8_t *p = s->frame[i];
        size_t n = s->len[i] - m->at;
        bool last = i == s->n - 1;

        assert_int_equal(s->todo[i], 0);
        assert_true(n == mss || last);
        check_tcp(m, p, s->len[i], v6);
        assert_memory_equal(p, m->bytes, m->l3);
        assert_memory_equal(p + m->at, m->bytes + m->at + done, n);
        assert_int_equal(be32(p + m->l4 + 4), (uint32_t)(0xffffff00u + done));
        assert_int_equal(p[m->l4 + 13], (i ? 0 : 0x80) | 0x10 | (last ? 0x09 : 0));
        if (!v6)
            assert_int_equal(be16(p + m->l3 + 4), (0xfffe + i) & 0xffff);
        done += n;
    }
    assert_int_equal(done, payload);
}

static const struct shape shapes[] = {
    {false, 0, 0, 0, 1},     {false, 0, 0, 12, 1460},  {false, 0, 0, 12, 65000},
    {false, 1, 8, 0, 30001}, {false, 2, 40, 40, 9000}, {true, 0, 0, 12, 64000},
    {true, 1, 8, 20, 5555},  {true, 0, 64, 0, 2920},
};

static void segments_are_what_a_receiver_wants(void **state)
{
    static struct made m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        for (int iovs = 1; iovs <= NET_SEGS_MAX; iovs = iovs * 4 - 1) {
            struct sink s = {.room = SEGS};

            make(&m, shapes[i], iovs);
            m.f.gso_size = 1448;
            assert_int_equal(net_finish(&m.f, 0, NULL, keep, &s), 0);
            check_segments(&m, &s, 1448, shapes[i].v6);
            sink_free(&s);
        }
}

static void a_refused_segment_is_the_next_one(void **state)
{
    static struct made m;
    struct sink s = {0};
    unsigned skip = 0;
    int err;

    (void)state;
    make(&m, shapes[2], 5);
    m.f.gso_size = 1000;
    do {
        s.room = 7;
        err = net_finish(&m.f, 0, &skip, keep, &s);
    } while (err == -EAGAIN && s.n < SEGS);
    assert_int_equal(err, 0);
    check_segments(&m, &s, 1000, false);
    sink_free(&s);
}

static void whoever_takes_them_gets_clean_headers(void **state)
{
    static struct made m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct sink s = {.room = 1};
        const uint8_t *p;
        uint32_t sum;
        bool v6 = shapes[i].v6, cut = shapes[i].payload > 1000;

        make(&m, shapes[i], 3);
        m.f.gso_size = 1000;
        assert_int_equal(net_finish(&m.f, m.f.todo, NULL, keep, &s), 0);
        p = s.frame[0];
        assert_int_equal(s.n, 1);
        assert_int_equal(s.todo[0], cut ? m.f.todo : (unsigned)NET_CSUM);
        assert_int_equal(s.meta[0].csum_start, m.l4);
        assert_int_equal(s.meta[0].csum_offset, 16);
        assert_int_equal(s.meta[0].hdr_len, m.at);
        assert_int_equal(s.meta[0].gso_size, cut ? 1000 : 0);
        sum = v6 ? ref_sum(0, p + m.l3 + 8, 32) : ref_sum(0, p + m.l3 + 12, 8);
        sum = ref_sum(sum + 6 + (uint32_t)(s.len[0] - m.l4), NULL, 0);
        assert_int_equal(be16(p + m.l4 + 16), sum); /* the pseudo header's */
        sink_free(&s);
    }
}

static void long_frames_for_who_wants_bytes(void **state)
{
    static struct made m;
    struct sink s = {.room = SEGS};

    (void)state;
    make(&m, shapes[2], 9);
    m.f.gso_size = 1448;
    assert_int_equal(net_finish(&m.f, NET_JUMBO, NULL, keep, &s), 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.len[0] - m.at, NET_JUMBO_MAX / 1448 * 1448);
    for (unsigned i = 0; i < s.n; i++)
        check_tcp(&m, s.frame[i], s.len[i], false);
    sink_free(&s);
}

static void one_checksum(void **state)
{
    uint8_t p[200], all[] = {0xff, 0xff};
    struct iovec iov[3] = {{p, 35}, {p + 35, 16}, {p + 51, 148}};
    struct net_frame f = {.iov = iov, .iovs = 3, .len = 199, .todo = NET_CSUM};
    struct sink s = {.room = 3};

    (void)state;
    for (unsigned i = 0; i < sizeof(p); i++)
        p[i] = (uint8_t)(i * 89 + 1);
    f.csum_start = 34;
    f.csum_offset = 16; /* the field lies across two iovecs */
    assert_int_equal(net_finish(&f, 0, NULL, keep, &s), 0);
    assert_int_equal(be16(s.frame[0] + 50), (uint16_t)~ref_sum(0, p + 34, 165));
    assert_int_equal(s.todo[0], 0);
    memcpy(p + 50, s.frame[0] + 50, 2);
    assert_memory_equal(s.frame[0], p, 199);
    /* a sum of zero is written as its other form: 0 would mean none in UDP */
    memset(p, 0, sizeof(p));
    memcpy(p + 60, all, 2);
    assert_int_equal(net_finish(&f, 0, NULL, keep, &s), 0);
    assert_int_equal(be16(s.frame[1] + 50), 0xffff);
    /* taken as it is */
    assert_int_equal(net_finish(&f, NET_CSUM, NULL, keep, &s), 0);
    assert_int_equal(s.todo[2], NET_CSUM);
    sink_free(&s);
}

static void sums_of_all_lengths(void **state)
{
    uint8_t p[300];

    (void)state;
    for (unsigned i = 0; i < sizeof(p); i++)
        p[i] = (uint8_t)(0xff - i * 7);
    for (unsigned len = 0; len <= 150; len++)
        for (unsigned at = 0; at < 9; at++) {
            struct iovec iov[4] = {{p, 0}, {p, 5}, {p + 5, 64}, {p + 69, sizeof(p) - 69}};

            assert_int_equal(net_sum(iov, 4, at, len), ref_sum(0, p + at, len));
        }
}

static int finish(struct net_frame *f)
{
    struct sink s = {.room = SEGS};
    int err = net_finish(f, 0, NULL, keep, &s);

    if (err)
        assert_int_equal(s.n, 0);
    sink_free(&s);
    return err;
}

static void lies_are_refused(void **state)
{
    static struct made m;
    struct net_frame f;

    (void)state;
    make(&m, shapes[2], 3);
    f = m.f;
    assert_int_equal(finish(&f), -EINVAL); /* a segment size of zero */
    f.gso_size = 1;
    assert_int_equal(finish(&f), -EINVAL); /* 65000 frames out of one */
    f.gso_size = 1000;
    assert_int_equal(finish(&f), 0);
    f.todo = NET_CSUM | NET_TSO6;
    assert_int_equal(finish(&f), -EINVAL); /* it is IPv4 */
    f.todo = NET_CSUM | NET_TSO4 | NET_TSO6;
    assert_int_equal(finish(&f), -EINVAL);
    f.todo = 0x8000;
    assert_int_equal(finish(&f), -EINVAL);
    f = m.f;
    f.gso_size = 1000;
    f.len++;
    assert_int_equal(finish(&f), -EINVAL);    /* iovecs don't add up */
    for (size_t cut = 0; cut < m.at; cut++) { /* headers longer than the packet */
        m.iov[0].iov_len = cut;
        f = (struct net_frame){
            .iov = m.iov, .iovs = 1, .len = cut, .todo = NET_TSO4, .gso_size = 100};
        assert_int_equal(finish(&f), -EINVAL);
    }
    f = (struct net_frame){.iov = m.iov, .iovs = 1, .len = 60, .todo = NET_CSUM};
    m.iov[0].iov_len = 60;
    f.csum_start = 59;
    assert_int_equal(finish(&f), -EINVAL);
    f.csum_start = 0xffff;
    f.csum_offset = 0xffff;
    assert_int_equal(finish(&f), -EINVAL);
    f.csum_start = 0;
    f.csum_offset = 58;
    assert_int_equal(finish(&f), 0);
}

static void headers_that_lie_are_refused(void **state)
{
    static struct made m;
    static const struct {
        size_t shape, at;
        uint8_t value;
    } lie[] = {
        {1, 14, 0x4f},     /* an IPv4 header longer than what is there of TCP … */
        {1, 14, 0x44},     /* shorter than one can be */
        {1, 14, 0x65},     /* of version 6 */
        {1, 23, 17},       /* UDP */
        {1, 20, 0x20},     /* a fragment: more to come */
        {1, 21, 1},        /* a fragment: not the first */
        {1, 34 + 12, 0x40} /* a TCP header shorter than one can be */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lie); i++) {
        make(&m, shapes[lie[i].shape], 1);
        m.f.gso_size = 100;
        assert_int_equal(finish(&m.f), 0);
        m.bytes[lie[i].at] = lie[i].value;
        if (i == 0) { /* options reach beyond the copy of the head */
            m.f.len = m.iov[0].iov_len = 14 + 60 + 19;
        }
        assert_int_equal(finish(&m.f), -EINVAL);
    }
    make(&m, shapes[7], 1); /* IPv6 extension headers without an end */
    m.f.gso_size = 100;
    for (unsigned i = 0; i < 16; i++)
        memcpy(m.bytes + m.l3 + 40 + 8 * i, "\x3c\x00", 2);
    assert_int_equal(finish(&m.f), -EINVAL);
    m.bytes[m.l3 + 41] = 255; /* or one that is longer than the frame */
    assert_int_equal(finish(&m.f), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_what_a_receiver_wants),
        cmocka_unit_test(a_refused_segment_is_the_next_one),
        cmocka_unit_test(whoever_takes_them_gets_clean_headers),
        cmocka_unit_test(long_frames_for_who_wants_bytes),
        cmocka_unit_test(one_checksum),
        cmocka_unit_test(sums_of_all_lengths),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
