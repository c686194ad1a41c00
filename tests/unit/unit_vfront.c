/* The front end of vhost-user: what it asks and in which order, what it makes of answers that are
 * not so, and what becomes of requests when the back end goes. */
#include "vfront_world.h"
#include "unit.h"
#include "mem/ram.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void heard(struct world *w, const uint16_t *want, unsigned n)
{
    for (unsigned i = 0; i < n && i < w->hears; i++)
        assert_string_equal(vu_request_name(w->heard[i]), vu_request_name(want[i]));
    assert_int_equal(w->hears, n);
    w->hears = 0;
}
#define HEARD(w, ...)                                                                              \
    do {                                                                                           \
        static const uint16_t want_[] = {__VA_ARGS__};                                             \
        heard(w, want_, ARRAY_LEN(want_));                                                         \
    } while (0)

static void test_order(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, false);
    world_connect(&w);
    assert_true(vfront_up(w.f));
    HEARD(&w, VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES, VU_SET_PROTOCOL_FEATURES, VU_GET_QUEUE_NUM,
          VU_GET_MAX_MEM_SLOTS, VU_SET_BACKEND_REQ_FD, VU_SET_OWNER, VU_GET_CONFIG);
    world_create(&w);
    world_driver(&w);
    HEARD(&w, VU_SET_FEATURES, VU_ADD_MEM_REG, VU_ADD_MEM_REG, VU_SET_VRING_NUM, VU_SET_VRING_BASE,
          VU_SET_VRING_ADDR, VU_SET_VRING_CALL, VU_SET_VRING_KICK, VU_SET_VRING_ENABLE,
          VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR, VU_SET_VRING_CALL,
          VU_SET_VRING_KICK, VU_SET_VRING_ENABLE);
    virtio_queue_reset(&w.f->v, 0); /* one alone */
    world_go(&w);
    assert_int_equal(w.hears, 0); /* RING_RESET was not taken */
    virtio_set_status(&w.f->v, 0);
    HEARD(&w, VU_GET_VRING_BASE, VU_GET_VRING_BASE);
    world_driver(&w); /* a second time on one connection: it has the memory */
    assert_int_equal(w.heard[0], VU_SET_FEATURES);
    assert_int_equal(w.heard[1], VU_SET_VRING_NUM);
    world_close(&w);
}

static void test_order_without_slots(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    w.protocol = VU_BIT(VU_F_CONFIG);
    world_connect(&w);
    HEARD(&w, VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES, VU_SET_PROTOCOL_FEATURES, VU_SET_OWNER,
          VU_GET_CONFIG);
    world_create(&w);
    world_driver(&w);
    HEARD(&w, VU_SET_FEATURES, VU_SET_MEM_TABLE, VU_SET_VRING_NUM, VU_SET_VRING_BASE,
          VU_SET_VRING_ADDR, VU_SET_VRING_CALL, VU_SET_VRING_KICK, VU_SET_VRING_ENABLE);
    world_request(&w, 0);
    assert_int_equal(world_posted(&w), 1);
    world_close(&w);
}

static void test_lent_files_are_sealed(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    assert_true(w.ram_fd >= 0 && w.ring_fd >= 0);
    assert_int_equal(ftruncate(w.ram_fd, 4096), -1);
    assert_int_equal(ftruncate(w.ring_fd, 4096), -1);
    assert_int_equal(fcntl(w.ram_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    world_close(&w);
}

/* Three in flight: the second was done, and the back end dies. The next one gets the first and the
 * third, in that order; the driver gets each of the three once. */
static void replay(bool packed)
{
    struct world w;

    world_open(&w, 1, packed);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    for (unsigned i = 0; i < 3; i++)
        world_request(&w, i);
    if (!packed) {
        assert_int_equal(world_posted(&w), 3);
        world_give(&w, world_head(&w, 1), 513);
        assert_int_equal(world_used(&w), 1);
    }
    world_hang_up(&w);
    assert_false(vfront_up(w.f));
    assert_true(vfront_sane(w.f));
    assert_int_equal(front_in_flight(w.f), packed ? 3 : 2);
    world_connect(&w);
    assert_true(vfront_up(w.f));
    assert_true(vfront_sane(w.f));
    assert_int_equal(front_in_flight(w.f), packed ? 3 : 2);
    if (!packed) {
        uint16_t first = world_head(&w, 0), third = world_head(&w, 1);
        const uint8_t *table = w.rings + SHADOW_TABLES;

        assert_int_equal(world_posted(&w), 2);
        assert_int_equal(le64_get(table + (size_t)first * SHADOW_TABLE_LEN), 0x4000);
        assert_int_equal(le64_get(table + (size_t)third * SHADOW_TABLE_LEN), 0x4020);
        world_give(&w, third, 513);
        world_give(&w, first, 513);
        assert_int_equal(world_used(&w), 3);
        assert_int_equal(front_in_flight(w.f), 0);
    }
    virtio_set_status(&w.f->v, 0);
    assert_int_equal(front_in_flight(w.f), 0);
    assert_true(vfront_sane(w.f));
    world_close(&w);
}

static void test_requests_are_sent_again_once(void **state)
{
    (void)state;
    replay(false);
}

static void test_packed_ones_too(void **state)
{
    (void)state;
    replay(true);
}

static void test_another_device_is_not_taken(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    world_request(&w, 0);
    world_hang_up(&w);
    w.features &= ~VU_BIT(9); /* no FLUSH any more, which the driver counts on */
    world_connect(&w);
    assert_false(vfront_up(w.f));
    assert_non_null(strstr(w.f->gone_why, "lacks features"));
    world_hang_up(&w);
    w.features |= VU_BIT(9);
    world_connect(&w);
    assert_true(vfront_up(w.f));
    assert_int_equal(world_posted(&w), 1);
    assert_int_equal(w.f->v.status, 15); /* the driver never knew */
    world_close(&w);
}

static void test_a_disk_that_grew(void **state)
{
    struct vu_msg m = {.request = VU_BACKEND_CONFIG_CHANGE, .flags = VU_VERSION | VU_NEED_REPLY};
    struct vu_in in = {0};
    struct world w;
    uint8_t before;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    before = w.f->v.generation;
    le64_put(w.cfg, 4096);
    assert_int_equal(vu_send(w.back, &m), 0);
    world_go(&w);
    assert_int_equal(virtio_cfg_read(&w.f->v, 0, 4), 4096);
    assert_int_equal(w.f->v.generation, (uint8_t)(before + 1));
    assert_int_equal(vu_recv(&in, w.back), 1);
    assert_int_equal(le64_get(in.msg.payload), 0);
    world_close(&w);
}

/* ---- lies ---- */

static bool twist_no_v1(struct world *w, struct vu_msg *m)
{
    le64_put(m->payload, w->features & ~VU_BIT(32));
    return true;
}

static bool twist_no_protocol(struct world *w, struct vu_msg *m)
{
    le64_put(m->payload, w->features & ~VU_BIT(30));
    return true;
}

static bool twist_zero(struct world *w, struct vu_msg *m)
{
    (void)w;
    le64_put(m->payload, 0);
    return true;
}

static bool twist_one(struct world *w, struct vu_msg *m)
{
    (void)w;
    le64_put(m->payload, 1);
    return true;
}

static bool twist_huge(struct world *w, struct vu_msg *m)
{
    (void)w;
    le64_put(m->payload, 1ull << 40);
    return true;
}

static bool twist_short(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->size = 4;
    return true;
}

static bool twist_empty(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->size = 0;
    return true;
}

static bool twist_long(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->size = 16;
    return true;
}

static bool twist_other(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->request++;
    return true;
}

static bool twist_no_reply(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->flags = VU_VERSION;
    return true;
}

static bool twist_version(struct world *w, struct vu_msg *m)
{
    (void)w;
    m->flags = VU_REPLY | 2;
    return true;
}

static bool twist_fd(struct world *w, struct vu_msg *m)
{
    m->fds = 1;
    m->fd[0] = w->sock;
    return true;
}

static bool twist_twice(struct world *w, struct vu_msg *m)
{
    vu_send(w->sock, m);
    return true;
}

static void raw(struct world *w, const void *bytes, size_t n)
{
    if (send(w->sock, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
        abort();
}

/* A header that promises more than any message has. */
static bool twist_flood(struct world *w, struct vu_msg *m)
{
    uint8_t hdr[VU_HDR_LEN];

    le32_put(hdr, m->request);
    le32_put(hdr + 4, m->flags);
    le32_put(hdr + 8, 0x7fffffff);
    raw(w, hdr, sizeof(hdr));
    return false;
}

static bool twist_cut_header(struct world *w, struct vu_msg *m)
{
    (void)m;
    raw(w, "\1\0\0\0\5", 5);
    shutdown(w->sock, SHUT_RDWR);
    return false;
}

static bool twist_cut_payload(struct world *w, struct vu_msg *m)
{
    uint8_t hdr[VU_HDR_LEN + 3] = {0};

    le32_put(hdr, m->request);
    le32_put(hdr + 4, m->flags);
    le32_put(hdr + 8, m->size);
    raw(w, hdr, sizeof(hdr));
    shutdown(w->sock, SHUT_RDWR);
    return false;
}

static bool twist_gone(struct world *w, struct vu_msg *m)
{
    (void)m;
    shutdown(w->sock, SHUT_RDWR);
    return false;
}

static bool twist_silent(struct world *w, struct vu_msg *m)
{
    (void)w;
    (void)m;
    return false;
}

static bool cfg32(struct vu_msg *m, unsigned off, uint32_t val)
{
    le32_put(m->payload + VU_CONFIG_DATA + off, val);
    return true;
}

static bool twist_cfg_capacity(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 4, 0xffffffff);
}

static bool twist_cfg_block(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 20, 513);
}

static bool twist_cfg_size(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 8, 1);
}

static bool twist_cfg_segs(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 12, 0);
}

static bool twist_cfg_queues(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 32, 0);
}

static bool twist_cfg_shift(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 24, 32);
}

static bool twist_cfg_discard(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 44, 12);
}

static bool twist_cfg_discard_far(struct world *w, struct vu_msg *m)
{
    (void)w;
    return cfg32(m, 44, 1u << 23);
}

static bool twist_cfg_field(struct world *w, struct vu_msg *m)
{
    (void)w;
    le32_put(m->payload + VU_CONFIG_SIZE, 8);
    return true;
}

static bool twist_ring(struct world *w, struct vu_msg *m)
{
    (void)w;
    le32_put(m->payload + VU_STATE_QUEUE, 7);
    return true;
}

enum { AT_PROBE, AT_START, AT_RESET };
static const struct {
    const char *name;
    int at;
    uint32_t request;
    twist_fn *twist;
    const char *why;
} lies[] = {
    {"no VERSION_1", AT_PROBE, VU_GET_FEATURES, twist_no_v1, "VERSION_1"},
    {"no protocol features", AT_PROBE, VU_GET_FEATURES, twist_no_protocol, "protocol features"},
    {"a short number", AT_PROBE, VU_GET_FEATURES, twist_short, "another size"},
    {"a long number", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_long, "another size"},
    {"an empty number", AT_PROBE, VU_GET_MAX_MEM_SLOTS, twist_empty, "another size"},
    {"another request's", AT_PROBE, VU_GET_FEATURES, twist_other, "was not asked"},
    {"no answer's flag", AT_PROBE, VU_GET_FEATURES, twist_no_reply, "was not asked"},
    {"another version", AT_PROBE, VU_GET_FEATURES, twist_version, "no message"},
    {"a descriptor", AT_PROBE, VU_GET_FEATURES, twist_fd, "descriptors"},
    {"an answer too many", AT_PROBE, VU_GET_CONFIG, twist_twice, "without being asked"},
    {"a flood", AT_PROBE, VU_GET_FEATURES, twist_flood, "no message"},
    {"half a header", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_cut_header, "middle of a message"},
    {"half a payload", AT_PROBE, VU_GET_CONFIG, twist_cut_payload, "middle of a message"},
    {"gone", AT_PROBE, VU_GET_CONFIG, twist_gone, "hung up"},
    {"no CONFIG", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_zero, "configuration"},
    {"no queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_zero, "no queues"},
    {"too many queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_huge, "more than a device"},
    {"too few queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_one, "fewer queues"},
    {"an owner that is refused", AT_PROBE, VU_SET_OWNER, twist_one, "refuses"},
    {"no configuration", AT_PROBE, VU_GET_CONFIG, twist_empty, "shorter"},
    {"a short configuration", AT_PROBE, VU_GET_CONFIG, twist_cfg_field, "shorter"},
    {"a disk without end", AT_PROBE, VU_GET_CONFIG, twist_cfg_capacity, "larger than a disk"},
    {"blocks of 513", AT_PROBE, VU_GET_CONFIG, twist_cfg_block, "block size"},
    {"segments of 1", AT_PROBE, VU_GET_CONFIG, twist_cfg_size, "segment"},
    {"no segments", AT_PROBE, VU_GET_CONFIG, twist_cfg_segs, "no data"},
    {"blocks of 512 << 32", AT_PROBE, VU_GET_CONFIG, twist_cfg_shift, "physical block size"},
    {"pieces of 12 sectors", AT_PROBE, VU_GET_CONFIG, twist_cfg_discard, "pieces to discard"},
    {"pieces of 0 bytes", AT_PROBE, VU_GET_CONFIG, twist_cfg_discard_far, "pieces to discard"},
    {"no queues after all", AT_PROBE, VU_GET_CONFIG, twist_cfg_queues, "fewer queues"},
    {"features refused", AT_START, VU_SET_FEATURES, twist_one, "refuses"},
    {"memory refused", AT_START, VU_ADD_MEM_REG, twist_huge, "refuses"},
    {"an acknowledgement cut", AT_START, VU_SET_VRING_ADDR, twist_short, "acknowledgement"},
    {"another's acknowledgement", AT_START, VU_SET_VRING_KICK, twist_other, "was not asked"},
    {"gone at the start", AT_START, VU_SET_VRING_ENABLE, twist_gone, "hung up"},
    {"another ring's place", AT_RESET, VU_GET_VRING_BASE, twist_ring, "another ring"},
    {"a place cut short", AT_RESET, VU_GET_VRING_BASE, twist_short, "another ring"},
    {"gone at the reset", AT_RESET, VU_GET_VRING_BASE, twist_gone, "hung up"},
};

/* After any lie an honest one comes, and a request is served. */
static void honest(struct world *w)
{
    w->twist = NULL;
    world_hang_up(w);
    assert_int_equal(w->f->sock, -1);
    world_connect(w);
    assert_true(vfront_up(w->f));
    if (!w->created)
        world_create(w);
    world_driver(w);
    world_request(w, 0);
    assert_int_equal(world_posted(w), 1);
    world_give(w, world_head(w, 0), 513);
    assert_int_equal(world_used(w), 1);
    assert_true(vfront_sane(w->f));
}

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct world w;

        world_open(&w, 2, false);
        if (lies[i].at != AT_PROBE) {
            world_connect(&w);
            world_create(&w);
        }
        if (lies[i].at == AT_RESET)
            world_driver(&w);
        w.at = lies[i].request;
        w.twist = lies[i].twist;
        if (lies[i].at == AT_PROBE)
            world_connect(&w);
        else if (lies[i].at == AT_START)
            world_driver(&w);
        else
            virtio_set_status(&w.f->v, 0);
        if (w.f->sock >= 0 || !w.f->gone_why || !strstr(w.f->gone_why, lies[i].why))
            fail_msg("%s: left because %s", lies[i].name,
                     w.f->sock >= 0 ? "it was not" : w.f->gone_why);
        assert_true(vfront_sane(w.f));
        honest(&w);
        world_close(&w);
    }
}

static void test_silence_is_left(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    w.at = VU_GET_CONFIG;
    w.twist = twist_silent;
    world_connect(&w);
    assert_true(w.f->sock >= 0);
    loop_advance(w.loop, 9000000000ull);
    assert_true(w.f->sock >= 0);
    loop_advance(w.loop, 2000000000ull);
    assert_int_equal(w.f->sock, -1);
    assert_non_null(strstr(w.f->gone_why, "does not answer"));
    honest(&w);
    world_close(&w);
}

/* ---- what is not so in a ring ---- */

static void give_ahead(struct world *w)
{
    le16_put(w->rings + SHADOW_DEVICE + 2, 100);
    world_give(w, 0, 0);
}

static void give_far(struct world *w)
{
    world_give(w, 0x10000, 0);
}

static void give_idle(struct world *w)
{
    world_give(w, (world_head(w, 0) + 9u) % SHADOW_SIZE, 0);
}

static void give_twice(struct world *w)
{
    world_give(w, world_head(w, 0), 513);
    world_give(w, world_head(w, 0), 513);
}

static void give_long(struct world *w)
{
    world_give(w, world_head(w, 0), 514);
}

static void give_back(struct world *w) /* the index runs backwards */
{
    world_give(w, world_head(w, 0), 513);
    le16_put(w->rings + SHADOW_DEVICE + 2, 0xffff);
    world_give(w, world_head(w, 1), 513);
    le16_put(w->rings + SHADOW_DEVICE + 2, 0);
    world_give(w, world_head(w, 1), 513);
    le16_put(w->rings + SHADOW_DEVICE + 2, 0xfff0);
    world_give(w, world_head(w, 1), 513);
}

static void test_rings_that_lie(void **state)
{
    static void (*const how[])(struct world *) = {give_ahead, give_far,  give_idle,
                                                  give_twice, give_long, give_back};
    static const char *const why[] = {"runs ahead",    "not in flight", "not in flight",
                                      "not in flight", "wrote more",    "runs ahead"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        struct world w;

        world_open(&w, 1, false);
        world_connect(&w);
        world_create(&w);
        world_driver(&w);
        world_request(&w, 0);
        world_request(&w, 1);
        world_request(&w, 2);
        how[i](&w);
        assert_int_equal(w.f->sock, -1);
        assert_non_null(strstr(w.f->gone_why, why[i]));
        assert_int_equal(w.f->v.status & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
        assert_int_equal(front_in_flight(w.f), 0);
        assert_true(vfront_sane(w.f));
        honest(&w); /* the driver resets in there */
        world_close(&w);
    }
}

static void test_a_lie_beside_the_rings(void **state)
{
    struct vu_msg m = {.request = VU_BACKEND_CONFIG_CHANGE, .flags = VU_VERSION};
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    world_request(&w, 0);
    le32_put(w.cfg + 20, 3); /* a change to what can't be */
    assert_int_equal(vu_send(w.back, &m), 0);
    world_go(&w);
    assert_int_equal(w.f->sock, -1);
    assert_non_null(strstr(w.f->gone_why, "block size"));
    assert_int_equal(w.f->v.status & VIRTIO_NEEDS_RESET, 0); /* nothing is lost */
    assert_int_equal(front_in_flight(w.f), 1);
    le32_put(w.cfg + 20, 512);
    world_hang_up(&w);
    world_connect(&w);
    assert_int_equal(world_posted(&w), 1);
    assert_int_equal(write(w.back, "no message at all", 17), 17);
    world_go(&w);
    assert_int_equal(w.f->sock, -1);
    assert_non_null(strstr(w.f->gone_why, "no message"));
    honest(&w);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_without_slots),
        cmocka_unit_test(test_lent_files_are_sealed),
        cmocka_unit_test(test_requests_are_sent_again_once),
        cmocka_unit_test(test_packed_ones_too),
        cmocka_unit_test(test_another_device_is_not_taken),
        cmocka_unit_test(test_a_disk_that_grew),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_silence_is_left),
        cmocka_unit_test(test_rings_that_lie),
        cmocka_unit_test(test_a_lie_beside_the_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
