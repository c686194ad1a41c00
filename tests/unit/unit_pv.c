/*
 * Hypercall devices over a backend that ends requests when it is told to: ends after the call, by
 * table, status and ring; what a guest does to its memory meanwhile; waiting, resetting, saving.
 */
#include "unit.h"
#include "back/blk.h"
#include "bus/bus.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/ram.h"
#include "pv/abi.h"
#include "pv/pv.h"

#include <errno.h>

enum { PORT = 0xe00, RING = 0x40000, N = 16, BATCH = 0x8000, TABLE = 0x9000, DATA = 0x10000 };

struct slow {
    struct blk blk;
    struct blk_req *list; /* the newest first */
    unsigned waiting;
};

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct bus *bus;
    struct loop *loop;
    pthread_mutex_t lock;
    struct slow slow;
    struct pv *pv;
    unsigned edges;
    bool level;
};

/* ---- a slow disk ---- */

static void slow_submit(struct blk *b, struct blk_req *req)
{
    struct slow *s = container_of(b, struct slow, blk);

    req->next = s->list;
    s->list = req;
    s->waiting++;
}

/* The n-th of those that wait, the newest is 0. Reads give the sector's number. */
static void slow_end(struct slow *s, unsigned n, int err)
{
    struct blk_req **link = &s->list, *req;

    while (n-- && (*link)->next)
        link = &(*link)->next;
    req = *link;
    *link = req->next;
    s->waiting--;
    if (!err && req->op == BLK_READ)
        memset(req->iov->iov_base, (int)req->sector, req->iov->iov_len);
    blk_finish(req, err);
}

static void slow_drain(struct blk *b)
{
    struct slow *s = container_of(b, struct slow, blk);

    while (s->list)
        slow_end(s, 0, 0);
}

static void slow_close(struct blk *b)
{
    (void)b;
}

static const struct blk_ops slow_ops = {"slow", slow_submit, slow_drain, slow_close};

/* ---- the world ---- */

static void irq_line(void *chip, unsigned pin, bool level)
{
    struct world *w = chip;

    (void)pin;
    w->edges += level && !w->level;
    w->level = level;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct dev_env env;

    assert_non_null(w);
    pthread_mutex_init(&w->lock, NULL);
    assert_int_equal(ram_open(&w->ram, 1 << 20), 0);
    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    w->loop = loop_open(&w->lock, true);
    w->slow.blk = (struct blk){.ops = &slow_ops, .sectors = 2048};
    assert_int_equal(blk_init(&w->slow.blk, "slow", w->loop, w->ledger), 0);
    env = (struct dev_env){.name = "pv",
                           .bus = w->bus,
                           .ram = &w->ram,
                           .loop = w->loop,
                           .lock = &w->lock,
                           .ledger = w->ledger,
                           .irq = {.set = irq_line, .chip = w}};
    assert_int_equal(pv_create(&w->pv, &env, PORT), 0);
    assert_int_equal(pv_disk_add(w->pv, "pv-disk0", &w->slow.blk), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    pv_class.destroy(w->pv);
    loop_close(w->loop);
    bus_close(w->bus);
    ledger_close(w->ledger);
    ram_close(&w->ram);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static int64_t call(struct world *w, unsigned what, uint64_t b, uint64_t c, uint64_t d, uint64_t si)
{
    uint64_t r[6] = {what, b, c, d, si, 0};

    pv_hcall(w->pv, 0, r);
    return (int64_t)r[0];
}

/* One sector from X to DATA + 512 X. */
static int64_t io(struct world *w, uint64_t x, unsigned cmd, unsigned tag)
{
    return call(w, PV_CALL_IO, x, PV_READ | 512 << PV_Y_LEN, DATA + 512 * x,
                cmd | (uint64_t)tag << PV_CMD_TAG);
}

static uint8_t *at(struct world *w, gpa_t gpa)
{
    return ram_ptr(&w->ram, gpa, 64);
}

static void unit(struct world *w, gpa_t gpa, uint64_t x, unsigned cmd)
{
    struct pv_unit u = {.x = x, .z = DATA + 512 * x, .len = 512, .cmd = (uint8_t)cmd, .status = 7};

    memcpy(at(w, gpa), &u, sizeof(u));
}

static int status(struct world *w, gpa_t gpa)
{
    return (int)le32_get(at(w, gpa + 24));
}

static unsigned edges(struct world *w)
{
    unsigned n = w->edges;

    w->edges = 0;
    return n;
}

static void finish(struct world *w, unsigned n, int err)
{
    slow_end(&w->slow, n, err);
    loop_deferred_run(w->loop); /* the disk's, then the ring's */
    loop_deferred_run(w->loop);
}

static void ring(struct world *w, unsigned flags)
{
    memset(at(w, RING), 0, PV_RING_BYTES(N));
    assert_int_equal(call(w, PV_CALL_RING, 0, RING, N, flags), 0);
}

static void submit(struct world *w, unsigned slot, uint64_t x)
{
    uint32_t avail = le32_get(at(w, RING));

    unit(w, RING + PV_RING_UNIT(N, slot), x, PV_CMD_START);
    le16_put(at(w, RING + PV_RING_SUBMIT + 2 * (avail % N)), (uint16_t)slot);
    le32_put(at(w, RING), avail + 1);
}

static unsigned used(struct world *w)
{
    return le32_get(at(w, RING + 64));
}

/* ---- in registers ---- */

static void without_a_table_the_call_waits(void **state)
{
    struct world *w = *state;

    assert_int_equal(io(w, 3, PV_CMD_START | PV_CMD_INTR, 0), 512);
    assert_int_equal(*at(w, DATA + 3 * 512), 3);
    assert_int_equal(edges(w), 0);
}

static void the_table_gets_the_end(void **state)
{
    struct world *w = *state;

    assert_int_equal(call(w, PV_CALL_TABLE, TABLE, 4, 0, 0), 0);
    assert_int_equal(io(w, 1, PV_CMD_START | PV_CMD_INTR, 2), -PV_E_PENDING);
    assert_int_equal(io(w, 2, PV_CMD_START, 3), -PV_E_PENDING);
    le32_put(at(w, TABLE + 2 * 8 + 4), 77);
    le32_put(at(w, TABLE + 3 * 8 + 4), 77);
    finish(w, 1, 0);
    assert_int_equal(le32_get(at(w, TABLE + 2 * 8)), 512);
    assert_int_equal(le32_get(at(w, TABLE + 2 * 8 + 4)), 0);
    assert_int_equal(le32_get(at(w, TABLE + 3 * 8 + 4)), 77);
    assert_int_equal(edges(w), 1);
    finish(w, 0, -EIO);
    assert_int_equal(le32_get(at(w, TABLE + 3 * 8)), 0);
    assert_int_equal((int)le32_get(at(w, TABLE + 3 * 8 + 4)), -PV_E_MEDIA);
    assert_int_equal(edges(w), 0);
    assert_int_equal(io(w, 5, PV_CMD_START | PV_CMD_WAIT, 2), 512);
    assert_int_equal(io(w, 5, PV_CMD_START, 4), 512); /* no such entry: waits */
}

static void a_table_that_goes_gets_nothing(void **state)
{
    struct world *w = *state;

    call(w, PV_CALL_TABLE, TABLE, 4, 0, 0);
    assert_int_equal(io(w, 1, PV_CMD_START, 3), -PV_E_PENDING);
    call(w, PV_CALL_TABLE, 0, 0, 0, 0);
    memset(at(w, TABLE), 0x55, 32);
    memset(at(w, 0), 0x55, 32);
    finish(w, 0, 0);
    assert_int_equal(le32_get(at(w, TABLE + 3 * 8 + 4)), 0x55555555);
    assert_int_equal(le32_get(at(w, 3 * 8 + 4)), 0x55555555);
    call(w, PV_CALL_TABLE, TABLE, 4, 0, 0);
    assert_int_equal(io(w, 1, PV_CMD_START, 3), -PV_E_PENDING);
    call(w, PV_CALL_TABLE, TABLE, 2, 0, 0); /* a smaller one */
    finish(w, 0, 0);
    assert_int_equal(le32_get(at(w, TABLE + 3 * 8 + 4)), 0x55555555);
}

/* ---- in an array ---- */

static void units_end_one_by_one(void **state)
{
    struct world *w = *state;

    unit(w, BATCH, 1, PV_CMD_START);
    unit(w, BATCH + 32, 4000, PV_CMD_START);
    unit(w, BATCH + 64, 2, PV_CMD_START | PV_CMD_INTR);
    assert_int_equal(call(w, PV_CALL_BATCH, BATCH, 3, 0, 0), 3);
    assert_int_equal(status(w, BATCH), -PV_E_PENDING);
    assert_int_equal(status(w, BATCH + 32), -PV_E_RANGE);
    assert_int_equal(status(w, BATCH + 64), -PV_E_PENDING);
    /* The guest thinks better of it: too late. */
    le64_put(at(w, BATCH), 9);
    le64_put(at(w, BATCH + 8), 0);
    le32_put(at(w, BATCH + 16), UINT32_MAX);
    finish(w, 0, 0);
    assert_int_equal(status(w, BATCH), -PV_E_PENDING);
    assert_int_equal(status(w, BATCH + 64), 0);
    assert_int_equal(edges(w), 1);
    finish(w, 0, 0);
    assert_int_equal(status(w, BATCH), 0);
    assert_int_equal(*at(w, DATA + 512), 1);
    assert_int_equal(*at(w, 0), 0);
    assert_int_equal(edges(w), 0);
}

static void a_batch_can_wait(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 8; i++)
        unit(w, BATCH + 32 * i, i, PV_CMD_START | PV_CMD_INTR);
    assert_int_equal(call(w, PV_CALL_BATCH, BATCH, 8, PV_BATCH_WAIT, 0), 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(status(w, BATCH + 32 * i), 0);
    assert_int_equal(edges(w), 0);
}

static void in_flight_is_bounded(void **state)
{
    struct world *w = *state;
    unsigned most = 0;

    for (unsigned i = 0; i < 1100; i++) {
        unit(w, BATCH, 1, PV_CMD_START);
        call(w, PV_CALL_BATCH, BATCH, 1, 0, 0);
        if (status(w, BATCH) == -PV_E_PENDING)
            most++;
        else
            assert_int_equal(status(w, BATCH), -PV_E_ROOM);
    }
    assert_int_equal(most, 1024);
    assert_int_equal(w->slow.waiting, 1024);
    call(w, PV_CALL_RESET, 0, 0, 0, 0);
    assert_int_equal(w->slow.waiting, 0);
    assert_int_equal(io(w, 1, PV_CMD_START, 0), 512);
}

/* ---- in a ring ---- */

static void a_ring_ends_in_any_order(void **state)
{
    struct world *w = *state;

    ring(w, 0);
    le32_put(at(w, RING + 4), 1); /* intr_at: when two have ended */
    for (unsigned i = 0; i < 3; i++)
        submit(w, 5 + i, 10 + i);
    assert_int_equal(call(w, PV_CALL_KICK, 0, 0, 0, 0), 0);
    assert_int_equal(used(w), 0);
    finish(w, 1, 0);
    assert_int_equal(used(w), 1);
    assert_int_equal(edges(w), 0);
    finish(w, 1, -EIO);
    assert_int_equal(used(w), 2);
    assert_int_equal(edges(w), 1);
    assert_int_equal(le16_get(at(w, RING + PV_RING_DONE(N))), 6);
    assert_int_equal(le16_get(at(w, RING + PV_RING_DONE(N) + 2)), 5);
    assert_int_equal(status(w, RING + PV_RING_UNIT(N, 6)), 0);
    assert_int_equal(status(w, RING + PV_RING_UNIT(N, 5)), -PV_E_MEDIA);
    assert_int_equal(status(w, RING + PV_RING_UNIT(N, 7)), 7);
    /* A slot that came back may go out again, one that did not breaks the ring. */
    submit(w, 6, 20);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    assert_int_equal(le32_get(at(w, RING + 72)), 0);
    submit(w, 7, 20);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    assert_int_equal(le32_get(at(w, RING + 72)), PV_RING_BROKEN);
    assert_int_equal(edges(w), 1);
    assert_int_equal(w->slow.waiting, 2);
    finish(w, 0, 0); /* what was in flight still ends */
    finish(w, 0, 0);
    assert_int_equal(used(w), 4);
}

static void words_in_flight_may_change(void **state)
{
    struct world *w = *state;

    ring(w, 0);
    submit(w, 0, 10);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    memset(at(w, RING + PV_RING_UNIT(N, 0)), 0xff, 32);
    le32_put(at(w, RING + 64), 0x12345);          /* our used */
    le16_put(at(w, RING + PV_RING_SUBMIT), 9999); /* long taken */
    memset(at(w, RING + PV_RING_DONE(N)), 0xee, 2 * N);
    finish(w, 0, 0);
    assert_int_equal(used(w), 1);
    assert_int_equal(le16_get(at(w, RING + PV_RING_DONE(N))), 0);
    assert_int_equal(*at(w, DATA + 512 * 10), 10);
    assert_int_equal(le32_get(at(w, RING + 72)), 0);
}

static void a_ring_that_goes_ends_first(void **state)
{
    struct world *w = *state;

    ring(w, 0);
    submit(w, 0, 10);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    assert_int_equal(call(w, PV_CALL_RING, 0, 0, 0, 0), 0);
    assert_int_equal(w->slow.waiting, 0);
    assert_int_equal(used(w), 1);
    assert_int_equal(call(w, PV_CALL_KICK, 0, 0, 0, 0), -PV_E_DEVICE);
}

/* Ends that come by themselves are shown once, with one interrupt. */
static void ends_are_gathered(void **state)
{
    struct world *w = *state;

    ring(w, 0);
    for (unsigned i = 0; i < 8; i++)
        submit(w, i, i);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    for (unsigned i = 0; i < 8; i++)
        slow_end(&w->slow, 0, 0);
    loop_deferred_run(w->loop);
    loop_deferred_run(w->loop);
    assert_int_equal(used(w), 8);
    assert_int_equal(edges(w), 1);
}

/* In a ring intr_at alone asks for interrupts. */
static void a_rings_units_ask_for_none(void **state)
{
    struct world *w = *state;

    ring(w, 0);
    le32_put(at(w, RING + 4), UINT32_MAX);
    submit(w, 0, 10);
    at(w, RING + PV_RING_UNIT(N, 0))[20] |= PV_CMD_INTR;
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    finish(w, 0, 0);
    assert_int_equal(used(w), 1);
    assert_int_equal(edges(w), 0);
}

static void saved_with_units_in_flight(void **state)
{
    struct world *w = *state;
    struct state save, load;

    ring(w, 0);
    submit(w, 0, 10);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    state_save_begin(&save);
    pv_class.state(w->pv, &save);
    assert_int_equal(save.err, 0);
    assert_int_equal(used(w), 1); /* it ended first */
    pv_class.reset(w->pv);
    state_load_begin(&load, save.buf, save.at);
    pv_class.state(w->pv, &load);
    assert_int_equal(state_end(&load), 0);
    state_end(&save);
    submit(w, 0, 11);
    call(w, PV_CALL_KICK, 0, 0, 0, 0);
    finish(w, 0, 0);
    assert_int_equal(used(w), 2);
    assert_int_equal(*at(w, DATA + 512 * 11), 11);
}

static void a_disk_that_may_not_be_written(void **state)
{
    struct world *w = *state;

    w->slow.blk.readonly = true;
    assert_int_equal(call(w, PV_CALL_IO, 0, PV_WRITE | 512 << PV_Y_LEN, DATA, PV_CMD_START),
                     -PV_E_READONLY);
    assert_int_equal(call(w, PV_CALL_IO, 0, 512 << PV_Y_LEN, 0, PV_CMD_ZEROES), -PV_E_COMMAND);
    assert_int_equal(call(w, PV_CALL_DEVICE, 0, DATA, 0, 0), 0);
    assert_int_equal(le32_get(at(w, DATA + 4)), PV_DEVICE_READONLY);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_a_table_the_call_waits),
        T(the_table_gets_the_end),
        T(a_table_that_goes_gets_nothing),
        T(units_end_one_by_one),
        T(a_batch_can_wait),
        T(in_flight_is_bounded),
        T(a_ring_ends_in_any_order),
        T(words_in_flight_may_change),
        T(a_ring_that_goes_ends_first),
        T(ends_are_gathered),
        T(a_rings_units_ask_for_none),
        T(saved_with_units_in_flight),
        T(a_disk_that_may_not_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
