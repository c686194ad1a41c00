/* The front end of vhost-user: what it makes of answers that are not so, of none, of a ring that
 * is not so, and of lies beside the rings. */
#include "vfront_world.h"
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_PROBE, AT_START, AT_RESET };

struct lie {
    const char *name;
    int at;
    uint32_t request;
    twist_fn *twist;
    const char *why; /* the front end leaves */
    uint64_t value;  /* the twist's */
    unsigned off;
};

static const struct lie *lie_of(const struct world *w)
{
    return w->liar;
}

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

/* An answer that is a number, and not the one that was asked for. */
static bool twist_number(struct world *w, struct vu_msg *m)
{
    le64_put(m->payload, lie_of(w)->value);
    return true;
}

static bool twist_size(struct world *w, struct vu_msg *m)
{
    m->size = (uint32_t)lie_of(w)->value;
    return true;
}

/* A field of the configuration; off is that of VIRTIO 1.2, 5.2.4. */
static bool twist_cfg(struct world *w, struct vu_msg *m)
{
    le32_put(m->payload + VU_CONFIG_DATA + lie_of(w)->off, (uint32_t)lie_of(w)->value);
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

static struct lie lies[] = {
    {"no VERSION_1", AT_PROBE, VU_GET_FEATURES, twist_no_v1, .why = "VERSION_1"},
    {"no protocol features", AT_PROBE, VU_GET_FEATURES, twist_no_protocol,
     .why = "protocol features"},
    {"a short number", AT_PROBE, VU_GET_FEATURES, twist_size, .why = "another size", .value = 4},
    {"a long number", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_size, .why = "another size",
     .value = 16},
    {"an empty number", AT_PROBE, VU_GET_MAX_MEM_SLOTS, twist_size, .why = "another size",
     .value = 0},
    {"another request's", AT_PROBE, VU_GET_FEATURES, twist_other, .why = "was not asked"},
    {"no answer's flag", AT_PROBE, VU_GET_FEATURES, twist_no_reply, .why = "was not asked"},
    {"another version", AT_PROBE, VU_GET_FEATURES, twist_version, .why = "no message"},
    {"a descriptor", AT_PROBE, VU_GET_FEATURES, twist_fd, .why = "descriptors"},
    {"an answer too many", AT_PROBE, VU_GET_CONFIG, twist_twice, .why = "without being asked"},
    {"a flood", AT_PROBE, VU_GET_FEATURES, twist_flood, .why = "no message"},
    {"half a header", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_cut_header,
     .why = "middle of a message"},
    {"half a payload", AT_PROBE, VU_GET_CONFIG, twist_cut_payload, .why = "middle of a message"},
    {"gone", AT_PROBE, VU_GET_CONFIG, twist_gone, .why = "hung up"},
    {"no CONFIG", AT_PROBE, VU_GET_PROTOCOL_FEATURES, twist_number, .why = "configuration"},
    {"no queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_number, .why = "no queues"},
    {"too many queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_number, .why = "more than a device",
     .value = 1ull << 40},
    {"too few queues", AT_PROBE, VU_GET_QUEUE_NUM, twist_number, .why = "fewer queues", .value = 1},
    {"an owner that is refused", AT_PROBE, VU_SET_OWNER, twist_number, .why = "refuses",
     .value = 1},
    {"no configuration", AT_PROBE, VU_GET_CONFIG, twist_size, .why = "shorter", .value = 0},
    {"a short configuration", AT_PROBE, VU_GET_CONFIG, twist_cfg_field, .why = "shorter"},
    {"a disk without end", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "larger than a disk",
     .off = 4, .value = 0xffffffff},
    {"blocks of 513", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "block size", .off = 20,
     .value = 513},
    {"segments of 1", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "segment", .off = 8, .value = 1},
    {"no segments", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "no data", .off = 12, .value = 0},
    {"no queues after all", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "fewer queues", .off = 32,
     .value = 0},
    {"blocks of 512 << 32", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "physical block size",
     .off = 24, .value = 32},
    {"pieces of 12 sectors", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "pieces to discard",
     .off = 44, .value = 12},
    {"pieces of 0 bytes", AT_PROBE, VU_GET_CONFIG, twist_cfg, .why = "pieces to discard", .off = 44,
     .value = 1u << 23},
    {"features refused", AT_START, VU_SET_FEATURES, twist_number, .why = "refuses", .value = 1},
    {"memory refused", AT_START, VU_ADD_MEM_REG, twist_number, .why = "refuses",
     .value = 1ull << 40},
    {"an acknowledgement cut", AT_START, VU_SET_VRING_ADDR, twist_size, .why = "acknowledgement",
     .value = 4},
    {"another's acknowledgement", AT_START, VU_SET_VRING_KICK, twist_other, .why = "was not asked"},
    {"gone at the start", AT_START, VU_SET_VRING_ENABLE, twist_gone, .why = "hung up"},
    {"another ring's place", AT_RESET, VU_GET_VRING_BASE, twist_ring, .why = "another ring"},
    {"a place cut short", AT_RESET, VU_GET_VRING_BASE, twist_size, .why = "another ring",
     .value = 4},
    {"gone at the reset", AT_RESET, VU_GET_VRING_BASE, twist_gone, .why = "hung up"},
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
        w.liar = &lies[i];
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

static void silence_from(uint32_t at, const char *why)
{
    struct world w;

    world_open(&w, 1, false);
    w.at = at;
    w.twist = twist_silent;
    world_connect(&w);
    assert_true(w.f->sock >= 0);
    loop_advance(w.loop, 9000000000ull);
    assert_true(w.f->sock >= 0);
    loop_advance(w.loop, 2000000000ull);
    assert_int_equal(w.f->sock, -1);
    assert_string_equal(w.f->gone_why, why);
    honest(&w);
    world_close(&w);
}

/* Not a word since the connect: another may be served there. */
static void test_silence_is_left(void **state)
{
    const struct {
        uint32_t at;
        const char *why;
    } silence[] = {{VU_GET_CONFIG, "it does not answer"},
                   {VU_GET_FEATURES, "it does not answer; perhaps another machine has it"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(silence); i++)
        silence_from(silence[i].at, silence[i].why);
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
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_silence_is_left),
        cmocka_unit_test(test_rings_that_lie),
        cmocka_unit_test(test_a_lie_beside_the_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
