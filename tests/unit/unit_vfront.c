/* The front end of vhost-user: what it asks and in which order, and what becomes of requests when
 * the back end goes. */
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

/* A back end would stop its ring, and the driver wait for ever. What was in flight is answered. */
static void test_no_request_at_all(void **state)
{
    const struct vq_conf *conf;
    struct world w;
    uint8_t *ram;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    world_request(&w, 0);
    conf = &w.f->v.queue[0].vq.conf;
    ram = w.ram.slot[0].host;
    le64_put(ram + conf->desc + 32, 0x4000);
    le32_put(ram + conf->desc + 40, 16); /* a header, and no byte for the status */
    le16_put(ram + conf->desc + 44, 0);
    le16_put(ram + conf->avail + 6, 2);
    le16_put(ram + conf->avail + 2, 2);
    virtio_notify(&w.f->v, 0);
    world_go(&w);
    assert_int_equal(w.f->v.status & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
    assert_int_equal(world_posted(&w), 1);
    assert_true(vfront_up(w.f));
    virtio_set_status(&w.f->v, 0);
    assert_int_equal(front_in_flight(w.f), 0);
    assert_true(vfront_sane(w.f));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_without_slots),
        cmocka_unit_test(test_lent_files_are_sealed),
        cmocka_unit_test(test_no_request_at_all),
        cmocka_unit_test(test_requests_are_sent_again_once),
        cmocka_unit_test(test_packed_ones_too),
        cmocka_unit_test(test_another_device_is_not_taken),
        cmocka_unit_test(test_a_disk_that_grew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
