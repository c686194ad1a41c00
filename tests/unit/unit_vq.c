/* The ring walk: chains as the driver wrote them, rules it may not break, notifications spared. */
#include "unit.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vq.h"

#include <errno.h>

enum { SIZE = 8u, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, TABLE = 0x4000, DATA = 0x10000 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct dma dma;
    struct vq q;
    struct vq_chain c;
    uint16_t avail;
};

static void desc(struct world *w, gpa_t table, unsigned i, uint64_t addr, uint32_t len,
                 uint16_t flags, uint16_t next)
{
    uint8_t *d = ram_ptr(&w->ram, table + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, flags);
    le16_put(d + 14, next);
}

static void offer(struct world *w, uint16_t head)
{
    le16_put(ram_ptr(&w->ram, AVAIL + 4 + 2ull * (w->avail % SIZE), 2), head);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), ++w->avail);
}

static uint16_t word(struct world *w, gpa_t at)
{
    return le16_get(ram_ptr(&w->ram, at, 2));
}

static void start(struct world *w, bool event_idx)
{
    struct vq_conf conf = {.size = SIZE,
                           .event_idx = event_idx,
                           .indirect = true,
                           .desc = DESC,
                           .avail = AVAIL,
                           .used = USED};

    memset(ram_ptr(&w->ram, 0, 0x8000), 0, 0x8000);
    w->avail = 0;
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 1 << 20), 0);
    w->ledger = ledger_open();
    w->dma = (struct dma){
        .ram = &w->ram, .row = ledger_row(w->ledger, LEDGER_DMA, "d", "dma"), .enabled = true};
    start(w, false);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    assert_true(vq_sane(&w->q));
    ram_close(&w->ram);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void a_chain_arrives_as_written(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 5, DATA, 16, NEXT, 2);
    desc(w, DESC, 2, DATA + 0x100, 7, NEXT, 7);
    desc(w, DESC, 7, DATA + 0x200, 512, NEXT | WRITE, 0);
    desc(w, DESC, 0, DATA + 0x500, 1, WRITE, 99);
    assert_int_equal(vq_pop(&w->q, &w->c), 0);
    offer(w, 5);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_int_equal(w->c.head, 5);
    assert_int_equal(w->c.outs, 2);
    assert_int_equal(w->c.ins, 2);
    assert_int_equal(w->c.out_len, 23);
    assert_int_equal(w->c.in_len, 513);
    assert_int_equal(w->c.seg[2].gpa, DATA + 0x200);
    assert_int_equal(vq_pop(&w->q, &w->c), 0);
}

static void copies_cross_segments(void **state)
{
    struct world *w = *state;
    struct iovec iov[4];
    uint8_t buf[8];

    desc(w, DESC, 0, DATA, 3, NEXT, 1);
    desc(w, DESC, 1, DATA + 16, 5, NEXT, 2);
    desc(w, DESC, 2, DATA + 32, 2, NEXT | WRITE, 3);
    desc(w, DESC, 3, DATA + 48, 6, WRITE, 0);
    memcpy(ram_ptr(&w->ram, DATA, 3), "abc", 3);
    memcpy(ram_ptr(&w->ram, DATA + 16, 5), "defgh", 5);
    offer(w, 0);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_int_equal(vq_get(&w->q, &w->c, 2, buf, 4), 0);
    assert_memory_equal(buf, "cdef", 4);
    assert_int_equal(vq_get(&w->q, &w->c, 4, buf, 5), -EINVAL);
    assert_int_equal(vq_get(&w->q, &w->c, UINT64_MAX, buf, 2), -EINVAL);
    assert_int_equal(vq_put(&w->q, &w->c, 1, "xyz", 3), 0);
    assert_int_equal(*ram_ptr(&w->ram, DATA + 33, 1), 'x');
    assert_memory_equal(ram_ptr(&w->ram, DATA + 48, 2), "yz", 2);
    assert_int_equal(vq_hold(&w->q, &w->c, true, 1, 4, iov, 4), 2);
    assert_int_equal(iov[0].iov_len, 1);
    assert_int_equal(iov[1].iov_len, 3);
    assert_ptr_equal(iov[1].iov_base, ram_ptr(&w->ram, DATA + 48, 1));
    assert_int_equal(vq_hold(&w->q, &w->c, true, 1, 4, iov, 1), -E2BIG);
    assert_int_equal(vq_hold(&w->q, &w->c, false, 8, 0, iov, 4), 0);
}

/* The queue breaks, stays broken, and starts again after a reset. */
static void breaks(struct world *w, uint16_t head)
{
    offer(w, head);
    assert_int_equal(vq_pop(&w->q, &w->c), -EINVAL);
    assert_non_null(w->q.broken);
    desc(w, DESC, 6, DATA, 1, WRITE, 0);
    offer(w, 6);
    assert_int_equal(vq_pop(&w->q, &w->c), -EINVAL);
    assert_int_equal(w->q.in_flight, 0);
    assert_false(vq_listen(&w->q));
    start(w, false);
    desc(w, DESC, 6, DATA, 1, WRITE, 0);
    offer(w, 6);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    start(w, false);
}

static void a_broken_rule_breaks_the_queue(void **state)
{
    struct world *w = *state;

    breaks(w, SIZE); /* head outside the table */
    breaks(w, 0xffff);
    desc(w, DESC, 0, DATA, 1, NEXT, 0); /* a loop of one */
    breaks(w, 0);
    desc(w, DESC, 0, DATA, 1, NEXT, 1); /* of two */
    desc(w, DESC, 1, DATA, 1, NEXT, 0);
    breaks(w, 0);
    desc(w, DESC, 0, DATA, 1, NEXT, SIZE); /* next outside */
    breaks(w, 0);
    desc(w, DESC, 0, DATA, 0, WRITE, 0); /* empty */
    breaks(w, 0);
    desc(w, DESC, 0, UINT64_MAX - 3, 8, WRITE, 0); /* wraps */
    breaks(w, 0);
    desc(w, DESC, 0, DATA, 1, NEXT | WRITE, 1); /* readable after writable */
    desc(w, DESC, 1, DATA, 1, 0, 0);
    breaks(w, 0);
    w->avail += SIZE; /* the index runs ahead: SIZE + 1 chains in a ring of SIZE */
    breaks(w, 0);
}

static void a_head_is_in_flight_once(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 3, DATA, 1, WRITE, 0);
    offer(w, 3);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    vq_push(&w->q, 3, 1);
    offer(w, 3);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    offer(w, 3);
    assert_int_equal(vq_pop(&w->q, &w->c), -EINVAL);
    assert_int_equal(w->q.in_flight, 1);
    vq_push(&w->q, 3, 1);
    vq_push(&w->q, 3, 1); /* refused: it is not in flight */
    vq_push(&w->q, 0xffff, 1);
    assert_int_equal(w->q.in_flight, 0);
    assert_int_equal(w->q.next_used, 2);
}

/* A head comes back to the driver when it is shown, not before. */
static void more_chains_than_descriptors(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 3, DATA, 1, WRITE, 0);
    for (unsigned i = 0; i < SIZE; i++) {
        offer(w, 3);
        assert_int_equal(vq_pop(&w->q, &w->c), 1);
        vq_push(&w->q, 3, 1);
    }
    assert_true(vq_sane(&w->q));
    offer(w, 3);
    assert_int_equal(vq_pop(&w->q, &w->c), -EINVAL);
}

static void indirect_tables(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 0, DATA, 4, NEXT, 1);
    desc(w, DESC, 1, TABLE, 16 * SIZE, INDIRECT | WRITE, 0); /* WRITE means nothing here */
    for (unsigned i = 0; i < SIZE - 1; i++)
        desc(w, TABLE, i, DATA + i, 1, i < SIZE - 2 ? WRITE | NEXT : WRITE, (uint16_t)(i + 1));
    offer(w, 0);
    assert_int_equal(vq_pop(&w->q, &w->c), 1); /* as long as the ring */
    assert_int_equal(w->c.outs, 1);
    assert_int_equal(w->c.ins, SIZE - 1);
    start(w, false);

    desc(w, DESC, 0, TABLE, 16 * VQ_SEGS_MAX, INDIRECT, 0); /* longer: the most there may be */
    for (unsigned i = 0; i < VQ_SEGS_MAX; i++)
        desc(w, TABLE, i, DATA + i, 1, i < VQ_SEGS_MAX - 1 ? NEXT : 0, (uint16_t)(i + 1));
    offer(w, 0);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_int_equal(w->c.outs, VQ_SEGS_MAX);
    start(w, false);
    desc(w, DESC, 0, DATA, 1, NEXT, 1); /* the same, and one more in the ring */
    desc(w, DESC, 1, TABLE, 16 * VQ_SEGS_MAX, INDIRECT, 0);
    breaks(w, 0);

    desc(w, DESC, 0, TABLE, 32, INDIRECT | NEXT, 1); /* both flags */
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 24, INDIRECT, 0); /* not whole descriptors */
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 0, INDIRECT, 0);
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 16 * VQ_SEGS_MAX + 16, INDIRECT, 0); /* too long */
    breaks(w, 0);
    desc(w, DESC, 0, (1 << 20) - 16, 32, INDIRECT, 0); /* not all RAM */
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 32, INDIRECT, 0); /* nested */
    desc(w, TABLE, 0, TABLE, 32, INDIRECT, 0);
    breaks(w, 0);
    desc(w, DESC, 0, DESC, 16 * SIZE, INDIRECT, 0); /* nested in the ring's own table */
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 32, INDIRECT, 0); /* next outside its own table */
    desc(w, TABLE, 0, DATA, 1, NEXT, 2);
    breaks(w, 0);
    desc(w, DESC, 0, TABLE, 32, INDIRECT, 0); /* a loop inside */
    desc(w, TABLE, 0, DATA, 1, NEXT, 1);
    desc(w, TABLE, 1, DATA, 1, NEXT, 0);
    breaks(w, 0);
    w->q.conf.indirect = false; /* not negotiated */
    desc(w, DESC, 0, TABLE, 16, INDIRECT, 0);
    desc(w, TABLE, 0, DATA, 1, WRITE, 0);
    offer(w, 0);
    assert_int_equal(vq_pop(&w->q, &w->c), -EINVAL);
}

static void indices_wrap(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 1, DATA, 1, WRITE, 0);
    for (unsigned i = 0; i < 3 * 65536u + 5; i++) {
        offer(w, 1);
        assert_int_equal(vq_pop(&w->q, &w->c), 1);
        vq_push(&w->q, 1, i);
        assert_true(vq_signal(&w->q));
        assert_int_equal(word(w, USED + 2), (uint16_t)(i + 1));
        assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 4 + 8 * (i % SIZE) + 4, 4)), i);
    }
}

static void pushes_show_at_signal(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 1, DATA, 1, WRITE, 0);
    desc(w, DESC, 2, DATA, 1, WRITE, 0);
    offer(w, 1);
    offer(w, 2);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_false(vq_signal(&w->q)); /* nothing to show */
    vq_push(&w->q, 2, 9);
    vq_push(&w->q, 1, 8);
    assert_int_equal(word(w, USED + 2), 0);
    assert_true(vq_signal(&w->q));
    assert_int_equal(word(w, USED + 2), 2);
    assert_int_equal(word(w, USED + 4), 2);
    assert_int_equal(word(w, USED + 12), 1);
    assert_false(vq_signal(&w->q));
    assert_true(w->ram.page_flags[USED >> RAM_PAGE_SHIFT] & RAM_DIRTY);
}

static void notifications_by_flags(void **state)
{
    struct world *w = *state;

    vq_quiet(&w->q);
    assert_int_equal(word(w, USED), 1);
    assert_false(vq_listen(&w->q));
    assert_int_equal(word(w, USED), 0);
    desc(w, DESC, 1, DATA, 1, WRITE, 0);
    offer(w, 1);
    assert_true(vq_listen(&w->q)); /* one came before it looked */
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 1); /* no interrupts, please */
    vq_push(&w->q, 1, 0);
    assert_false(vq_signal(&w->q));
    assert_int_equal(word(w, USED + 2), 1);
}

/* Memory of a peer has a log, and no flags. */
static void a_hush_is_in_the_dirty_log(void **state)
{
    struct world *w = *state;
    uint8_t log[32] = {0}, *flags = w->ram.page_flags;

    w->ram.page_flags = NULL;
    w->ram.log = log;
    w->ram.log_len = sizeof(log);
    start(w, true);
    vq_quiet(&w->q); /* writes nothing */
    assert_int_equal(log[0], 0);
    start(w, false);
    vq_quiet(&w->q);
    assert_int_equal(log[0], 1 << (USED >> RAM_PAGE_SHIFT));
    w->ram.log = NULL;
    w->ram.page_flags = flags;
}

static void notifications_by_event_idx(void **state)
{
    struct world *w = *state;
    const gpa_t used_event = AVAIL + 4 + 2 * SIZE, avail_event = USED + 4 + 8 * SIZE;

    start(w, true);
    for (uint16_t i = 0; i < SIZE; i++)
        desc(w, DESC, i, DATA, 1, WRITE, 0);
    for (uint16_t i = 0; i < 4; i++)
        offer(w, i);
    vq_quiet(&w->q);
    assert_int_equal(word(w, USED), 0); /* flags stay 0 with EVENT_IDX */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(vq_pop(&w->q, &w->c), 1);
    assert_int_equal(word(w, avail_event), 0); /* passed long ago: no kick while walking */
    assert_false(vq_listen(&w->q));
    assert_int_equal(word(w, avail_event), 4);

    le16_put(ram_ptr(&w->ram, used_event, 2), 2); /* when the third is done */
    vq_push(&w->q, 0, 1);
    vq_push(&w->q, 1, 1);
    assert_false(vq_signal(&w->q));
    vq_push(&w->q, 2, 1);
    assert_true(vq_signal(&w->q));
    vq_push(&w->q, 3, 1);
    assert_false(vq_signal(&w->q)); /* told already */
}

static void event_math(void **state)
{
    (void)state;
    assert_true(vq_passed(0, 1, 0));
    assert_false(vq_passed(1, 1, 0));
    assert_true(vq_passed(0xffff, 0, 0xffff));
    assert_true(vq_passed(0, 2, 0xfffe));
    assert_false(vq_passed(2, 2, 0xfffe));
    assert_false(vq_passed(0xfffd, 2, 0xfffe));
    assert_false(vq_passed(5, 7, 7));
    for (unsigned event = 0; event < 65536; event += 257) /* against the definition */
        for (unsigned old = 0; old < 65536; old += 4099)
            for (unsigned n = 0; n < 20; n++) {
                bool in = false;

                for (unsigned k = 0; k < n; k++)
                    in |= (uint16_t)(old + k) == (uint16_t)event;
                assert_int_equal(vq_passed((uint16_t)event, (uint16_t)(old + n), (uint16_t)old),
                                 in);
            }
}

static void absurd_configurations_are_refused(void **state)
{
    static const struct {
        struct vq_conf conf;
        int err;
    } bad[] = {
        {{.size = 0, .desc = DESC, .avail = AVAIL, .used = USED}, -EINVAL},
        {{.size = 6, .desc = DESC, .avail = AVAIL, .used = USED}, -EINVAL},
        {{.size = 512, .desc = DESC, .avail = AVAIL, .used = USED}, -EINVAL},
        {{.size = 8, .desc = DESC + 8, .avail = AVAIL, .used = USED}, -EINVAL},
        {{.size = 8, .desc = DESC, .avail = AVAIL + 1, .used = USED}, -EINVAL},
        {{.size = 8, .desc = DESC, .avail = AVAIL, .used = USED + 2}, -EINVAL},
        {{.size = 8, .desc = (1 << 20) - 64, .avail = AVAIL, .used = USED}, -EFAULT},
        {{.size = 8, .desc = DESC, .avail = (1 << 20) - 20, .used = USED}, -EFAULT},
        {{.size = 8, .desc = DESC, .avail = AVAIL, .used = 0xfec00000}, -EFAULT},
        {{.size = 8, .desc = UINT64_MAX - 15, .avail = AVAIL, .used = USED}, -EFAULT},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(vq_start(&w->q, &w->dma, &bad[i].conf), bad[i].err);
        assert_int_equal(vq_pop(&w->q, &w->c), 0);
        assert_false(vq_signal(&w->q));
        vq_push(&w->q, 0, 0);
        vq_quiet(&w->q);
        assert_false(vq_listen(&w->q));
    }
}

static void no_bus_master_no_walk(void **state)
{
    struct world *w = *state;

    desc(w, DESC, 1, DATA, 1, WRITE, 0);
    offer(w, 1);
    w->dma.enabled = false;
    assert_int_equal(vq_pop(&w->q, &w->c), 0);
    w->dma.enabled = true;
    assert_int_equal(vq_pop(&w->q, &w->c), 1);
}

/* 2.7.9: whatever order they end in, they are given back as they came. */
static void in_order(void **state)
{
    struct world *w = *state;
    struct vq_conf conf = w->q.conf;
    struct vq_chain c[3];

    conf.in_order = true;
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), 0);
    for (unsigned round = 0; round < 200; round++) { /* well around the line */
        for (unsigned i = 0; i < 3; i++) {
            desc(w, DESC, 2 * i, DATA, 1, WRITE, 0);
            offer(w, (uint16_t)(2 * i));
            assert_int_equal(vq_pop(&w->q, &c[i]), 1);
        }
        vq_unpop(&w->q, &c[2]);
        assert_int_equal(vq_pop(&w->q, &c[2]), 1);
        vq_push(&w->q, c[2].head, 12);
        vq_push(&w->q, c[2].head, 13); /* once is enough; the newest counts */
        vq_push(&w->q, c[1].head, 11);
        assert_false(vq_signal(&w->q));
        assert_int_equal(word(w, USED + 2), (uint16_t)(3 * round));
        assert_int_equal(w->q.in_flight, 3);
        vq_push(&w->q, c[0].head, 10);
        assert_true(vq_signal(&w->q));
        assert_int_equal(word(w, USED + 2), (uint16_t)(3 * round + 3));
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(word(w, USED + 4 + 8 * ((3ull * round + i) % SIZE)), 2 * i);
        assert_true(vq_sane(&w->q));
    }
    vq_push(&w->q, c[0].head, 1);
    assert_int_equal(w->q.in_flight, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_chain_arrives_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_cross_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_rule_breaks_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_is_in_flight_once, setup, teardown),
        cmocka_unit_test_setup_teardown(more_chains_than_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(indirect_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(indices_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(pushes_show_at_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(notifications_by_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hush_is_in_the_dirty_log, setup, teardown),
        cmocka_unit_test_setup_teardown(notifications_by_event_idx, setup, teardown),
        cmocka_unit_test(event_math),
        cmocka_unit_test_setup_teardown(in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(absurd_configurations_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_bus_master_no_walk, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
