/* The front end of vhost-user, and what a back end is told and asked a second time: the cache's
 * mode when another one comes, a configuration that changed while it was on its way; how soon one
 * that is of no use is tried again; and that nothing it may have written is left untold. */
#include "vfront_world.h"
#include "unit.h"
#include "mem/ram.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WCE = 11, CFG_CAPACITY = 0, CFG_WRITEBACK = 32, DATA = 0x8000 };

static int heard_at(const struct world *w, uint32_t request)
{
    for (unsigned i = 0; i < w->hears; i++)
        if (w->heard[i] == request)
            return (int)i;
    return -1;
}

/* A driver that wants no write-back cache gets none from the next one either: a write would be told
 * to be safe that is not. */
static void test_the_cache_mode_outlives_a_back_end(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    w.features |= VU_BIT(WCE);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    assert_int_equal(virtio_cfg_read(&w.f->v, CFG_WRITEBACK, 1), 1);
    virtio_cfg_write(&w.f->v, CFG_WRITEBACK, 1, 0);
    world_go(&w);
    assert_int_equal(w.cfg[CFG_WRITEBACK], 0);
    world_hang_up(&w);
    w.cfg[CFG_WRITEBACK] = 1; /* as each begins */
    world_connect(&w);
    assert_true(vfront_up(w.f));
    assert_int_equal(w.cfg[CFG_WRITEBACK], 0);
    assert_int_equal(virtio_cfg_read(&w.f->v, CFG_WRITEBACK, 1), 0);
    /* Features first: to take them is to begin. Then, before anything can be written. */
    assert_true(heard_at(&w, VU_SET_FEATURES) < heard_at(&w, VU_SET_CONFIG));
    assert_true(heard_at(&w, VU_SET_CONFIG) < heard_at(&w, VU_SET_VRING_KICK));
    world_close(&w);
}

static void test_a_mode_chosen_while_nobody_serves(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    w.features |= VU_BIT(WCE);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    world_hang_up(&w);
    virtio_cfg_write(&w.f->v, CFG_WRITEBACK, 1, 0);
    world_connect(&w);
    assert_int_equal(w.cfg[CFG_WRITEBACK], 0);
    world_close(&w);
}

/* ---- a configuration on its way ---- */

static struct vu_msg held;

static bool hold(struct world *w, struct vu_msg *m)
{
    held = *m;
    w->twist = NULL;
    return false;
}

/* What it was asked for is held back; then it grows, and says so; then the answer of before comes.
 */
static void grow_meanwhile(struct world *w)
{
    struct vu_msg change = {.request = VU_BACKEND_CONFIG_CHANGE, .flags = VU_VERSION};

    le64_put(w->cfg, le64_get(w->cfg) + 2048);
    assert_int_equal(vu_send(w->back, &change), 0);
    world_go(w);
    assert_int_equal(vu_send(w->sock, &held), 0);
    world_go(w);
}

static void test_a_change_while_it_is_asked(void **state)
{
    struct vu_msg change = {.request = VU_BACKEND_CONFIG_CHANGE, .flags = VU_VERSION};
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    w.at = VU_GET_CONFIG;
    w.twist = hold;
    world_connect(&w);
    assert_false(vfront_up(w.f));
    grow_meanwhile(&w);
    assert_true(vfront_up(w.f));
    world_create(&w);
    world_driver(&w);
    assert_int_equal(virtio_cfg_read(&w.f->v, CFG_CAPACITY, 4), 4096);
    w.twist = hold;
    assert_int_equal(vu_send(w.back, &change), 0);
    world_go(&w);
    grow_meanwhile(&w);
    assert_int_equal(virtio_cfg_read(&w.f->v, CFG_CAPACITY, 4), 6144);
    assert_true(vfront_sane(w.f));
    world_close(&w);
}

static void test_its_own_requests_may_end(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    close(w.back);
    w.back = -1;
    world_go(&w);
    assert_int_equal(loop_step(w.loop, 0), 0);
    world_request(&w, 0);
    assert_int_equal(world_posted(&w), 1);
    assert_true(vfront_up(w.f));
    assert_int_equal(w.f->back_lent, -1); /* sent is sent: else its end would never be heard of */
    world_close(&w);
}

/* ---- it comes and goes ---- */

static bool leave(struct world *w, struct vu_msg *m)
{
    (void)m;
    shutdown(w->sock, SHUT_RDWR);
    return false;
}

static void test_who_is_of_no_use_is_tried_less_often(void **state)
{
    struct world w;
    uint64_t first;

    (void)state;
    world_open(&w, 1, false);
    first = w.f->backoff;
    w.at = VU_GET_FEATURES;
    for (unsigned i = 1; i < 20; i++) {
        uint64_t before = w.f->backoff;

        w.twist = leave;
        world_connect(&w);
        world_hang_up(&w);
        assert_true(w.f->backoff == before * 2 || w.f->backoff == 500000000);
    }
    assert_int_equal(w.f->backoff, 500000000);
    w.twist = NULL;
    world_connect(&w);
    assert_true(vfront_up(w.f));
    assert_int_equal(w.f->backoff, first);
    world_hang_up(&w); /* one that served is expected back at once */
    assert_int_equal(w.f->backoff, first);
    world_close(&w);
}

/* ---- what it may have written ---- */

static void count_code(void *arg, gpa_t gpa, uint64_t len)
{
    *(unsigned *)arg += gpa <= DATA && DATA - gpa < len;
}

static void given_up(bool while_away)
{
    unsigned told = 0;
    struct world w;

    world_open(&w, 1, false);
    world_connect(&w);
    world_create(&w);
    world_driver(&w);
    world_request(&w, 0);
    w.ram.code_written = count_code; /* as a translator that has code of that page */
    w.ram.code_arg = &told;
    w.ram.page_flags[ram_page(&w.ram, DATA)] |= RAM_CODE;
    if (while_away)
        world_hang_up(&w);
    assert_int_equal(told, 0);
    virtio_set_status(&w.f->v, 0);
    assert_int_equal(told, 1);
    w.ram.code_written = NULL;
    world_close(&w);
}

static void test_what_is_given_up_may_be_written(void **state)
{
    (void)state;
    given_up(false);
    given_up(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cache_mode_outlives_a_back_end),
        cmocka_unit_test(test_a_mode_chosen_while_nobody_serves),
        cmocka_unit_test(test_a_change_while_it_is_asked),
        cmocka_unit_test(test_its_own_requests_may_end),
        cmocka_unit_test(test_who_is_of_no_use_is_tried_less_often),
        cmocka_unit_test(test_what_is_given_up_may_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
