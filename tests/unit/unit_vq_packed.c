/*
 * Packed rings: a driver that keeps to VIRTIO 1.2, 2.8, with seeded choices (chains of any length,
 * indirect tables, completions in any order, event areas), and drivers that do not.
 */
#include "unit.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vq.h"
#include <errno.h>

enum { DESC = 0x1000, DRIVER = 0x2000, DEVICE = 0x2010, TABLES = 0x10000, DATA = 0x40000 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };
enum { MOST = 16 };

struct sent {
    bool flying;
    unsigned span;
    uint64_t token; /* of its first segment */
    uint32_t bytes;
};

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct dma dma;
    struct vq q;
    uint16_t size;
    /* the driver's side */
    unsigned place, used_place, free;
    bool wrap, used_wrap;
    struct sent sent[MOST]; /* by buffer ID */
    uint64_t tokens, seed;
};

static unsigned roll(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(w->seed >> 33) % n;
}

static uint8_t *desc_at(struct world *w, unsigned i)
{
    return ram_ptr(&w->ram, DESC + 16ull * i, 16);
}

static void desc_put(uint8_t *d, uint64_t addr, uint32_t len, uint16_t id)
{
    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, id);
}

static void start(struct world *w, uint16_t size, bool event_idx)
{
    struct vq_conf conf = {.size = size,
                           .event_idx = event_idx,
                           .indirect = true,
                           .packed = true,
                           .desc = DESC,
                           .avail = DRIVER,
                           .used = DEVICE};

    memset(ram_ptr(&w->ram, 0, 0x8000), 0, 0x8000);
    memset(w->sent, 0, sizeof(w->sent));
    w->place = w->used_place = 0;
    w->wrap = w->used_wrap = true;
    w->size = size;
    w->free = size;
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), 0);
}

static uint16_t flags_of(const struct world *w, unsigned flags)
{
    return (uint16_t)(flags | (w->wrap ? AVAIL : USED));
}

static void step(const struct world *w, unsigned *place, bool *wrap, unsigned by)
{
    *place += by;
    if (*place >= w->size) {
        *place -= w->size;
        *wrap = !*wrap;
    }
}

/* Makes a chain of n segments available under an ID; the last of them is the device's to write. */
static void send(struct world *w, uint16_t id, unsigned n, bool indirect)
{
    struct sent *s = &w->sent[id];
    unsigned first = w->place, places = indirect ? 1 : n;
    uint16_t first_flags = flags_of(w, 0);

    *s = (struct sent){true, places, DATA + 64 * w->tokens++ % 0x10000, 0};
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr = s->token + i;
        unsigned f = i == n - 1 ? WRITE : 0;

        if (indirect) {
            uint8_t *e = ram_ptr(&w->ram, TABLES + 0x1000ull * id + 16ull * i, 16);

            desc_put(e, addr, 1, 77);
            le16_put(e + 14, (uint16_t)(f | NEXT | INDIRECT)); /* only WRITE means something */
            continue;
        }
        f |= i == n - 1 ? 0 : NEXT;
        desc_put(desc_at(w, w->place), addr, 1, i == n - 1 ? id : 99);
        if (i)
            le16_put(desc_at(w, w->place) + 14, flags_of(w, f));
        else
            first_flags = flags_of(w, f);
        step(w, &w->place, &w->wrap, 1);
    }
    if (indirect) {
        desc_put(desc_at(w, first), TABLES + 0x1000ull * id, 16 * n, id);
        first_flags = flags_of(w, INDIRECT);
        step(w, &w->place, &w->wrap, 1);
    }
    le16_put(desc_at(w, first) + 14, first_flags);
    w->free -= places;
}

/* Takes one used descriptor; false: there is none. */
static bool take(struct world *w)
{
    const uint8_t *d = desc_at(w, w->used_place);
    uint16_t flags = le16_get(d + 14), id = le16_get(d + 12);
    bool avail = flags & AVAIL, used = flags & USED;

    if (avail != used || used != w->used_wrap)
        return false;
    assert_true(id < MOST && w->sent[id].flying);
    assert_int_equal(le32_get(d + 8), w->sent[id].bytes);
    w->sent[id].flying = false;
    w->free += w->sent[id].span;
    step(w, &w->used_place, &w->used_wrap, w->sent[id].span);
    return true;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 1 << 20), 0);
    w->ledger = ledger_open();
    w->dma = (struct dma){
        .ram = &w->ram, .row = ledger_row(w->ledger, LEDGER_DMA, "d", "dma"), .enabled = true};
    w->seed = 1;
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

static void maybe_send(struct world *w)
{
    uint16_t id = (uint16_t)roll(w, MOST);
    unsigned n = 1 + roll(w, w->size < 4 ? w->size : 4); /* no chain is longer than the ring */
    bool indirect = roll(w, 3) == 0;

    if (!w->sent[id].flying && w->free >= (indirect ? 1 : n))
        send(w, id, n, indirect);
}

/* Which of the driver's chains this is, by the address of its first segment. */
static struct sent *whose(struct world *w, const struct vq_chain *c)
{
    for (unsigned i = 0; i < MOST; i++)
        if (w->sent[i].flying && w->sent[i].token == c->seg[0].gpa)
            return &w->sent[i];
    fail_msg("a chain that nobody sent");
    return NULL;
}

static void any_order(struct world *w, uint16_t size)
{
    static struct vq_chain c[MOST];
    struct sent *of[MOST];
    unsigned held = 0, done = 0;

    start(w, size, false);
    for (unsigned i = 0; i < 20000; i++) {
        switch (roll(w, 4)) {
        case 0:
        case 1: maybe_send(w); break;
        case 2:
            if (held < MOST && vq_pop(&w->q, &c[held]) == 1) {
                of[held] = whose(w, &c[held]);
                assert_int_equal(c[held].ins, 1);
                held++;
            }
            break;
        default:
            if (held) {
                unsigned k = roll(w, held);

                of[k]->bytes = roll(w, 2);
                vq_push(&w->q, c[k].head, of[k]->bytes);
                c[k] = c[--held];
                of[k] = of[held];
            }
            if (roll(w, 3) == 0)
                vq_signal(&w->q);
            while (take(w))
                done++;
        }
        assert_null(w->q.broken);
        assert_true(vq_sane(&w->q));
    }
    assert_true(done > 500);
}

static void chains_in_any_order(void **state)
{
    any_order(*state, 16);
    any_order(*state, 7); /* no power of two */
    any_order(*state, 1);
    any_order(*state, 256);
}

static void a_batch_shows_at_once(void **state)
{
    struct world *w = *state;
    struct vq_chain a, b;

    start(w, 8, false);
    send(w, 3, 2, false);
    send(w, 5, 1, false);
    assert_int_equal(vq_pop(&w->q, &a), 1);
    assert_int_equal(vq_pop(&w->q, &b), 1);
    assert_int_equal(a.outs, 1);
    vq_push(&w->q, b.head, 0);
    vq_push(&w->q, a.head, 0);
    assert_false(take(w)); /* not before vq_signal */
    assert_true(vq_signal(&w->q));
    assert_true(take(w) && take(w));
    assert_false(take(w));
    assert_false(vq_signal(&w->q)); /* nothing new */
}

static void events(struct world *w, uint16_t off_wrap, uint16_t flags)
{
    le16_put(ram_ptr(&w->ram, DRIVER, 2), off_wrap);
    le16_put(ram_ptr(&w->ram, DRIVER + 2, 2), flags);
}

/* One chain of two places there and back: does the driver get an interrupt? */
static bool rings(struct world *w)
{
    struct vq_chain c;
    bool rang;

    send(w, 1, 2, false);
    assert_int_equal(vq_pop(&w->q, &c), 1);
    vq_push(&w->q, c.head, 0);
    rang = vq_signal(&w->q);
    assert_true(take(w));
    return rang;
}

static void interrupts_as_asked(void **state)
{
    struct world *w = *state;

    start(w, 6, true);
    events(w, 0, 1);
    assert_false(rings(w)); /* off; places 0 and 1 */
    events(w, 0, 0);
    assert_true(rings(w)); /* on; 2 and 3 */
    events(w, 1 << 15 | 5, 2);
    assert_true(rings(w)); /* 4 and 5 on the first round: named */
    events(w, 4, 2);
    assert_false(rings(w)); /* 0 and 1 of the second round: not yet */
    assert_false(rings(w));
    assert_true(rings(w));  /* 4 and 5 */
    assert_false(rings(w)); /* not again, a round later */
}

static void kicks_as_asked(void **state)
{
    struct world *w = *state;
    struct vq_chain c;

    start(w, 4, true);
    vq_quiet(&w->q);
    assert_int_equal(le16_get(ram_ptr(&w->ram, DEVICE + 2, 2)), 1);
    send(w, 1, 1, false);
    assert_true(vq_listen(&w->q)); /* one came while it was quiet */
    assert_int_equal(vq_pop(&w->q, &c), 1);
    assert_false(vq_listen(&w->q));
    assert_int_equal(le16_get(ram_ptr(&w->ram, DEVICE, 2)), 1 << 15 | 1); /* place 1, round one */
    assert_int_equal(le16_get(ram_ptr(&w->ram, DEVICE + 2, 2)), 2);
    vq_push(&w->q, c.head, 0);
}

static const char *broken(struct world *w)
{
    struct vq_chain c;

    assert_int_equal(vq_pop(&w->q, &c), -EINVAL);
    assert_non_null(w->q.broken);
    assert_int_equal(vq_pop(&w->q, &c), -EINVAL); /* and stays so */
    return w->q.broken;
}

/* Memory of a peer has a log, and no flags. */
static void a_hush_is_in_the_dirty_log(void **state)
{
    struct world *w = *state;
    uint8_t log[32] = {0}, *flags = w->ram.page_flags;

    w->ram.page_flags = NULL;
    w->ram.log = log;
    w->ram.log_len = sizeof(log);
    start(w, 4, false);
    vq_quiet(&w->q);
    assert_int_equal(log[0], 1 << (DEVICE >> RAM_PAGE_SHIFT));
    w->ram.log = NULL;
    w->ram.page_flags = flags;
}

static void drivers_that_break_rules(void **state)
{
    struct world *w = *state;
    struct vq_chain c;

    start(w, 4, false); /* a chain that never ends */
    for (unsigned i = 0; i < 4; i++) {
        desc_put(desc_at(w, i), DATA, 1, 0);
        le16_put(desc_at(w, i) + 14, AVAIL | NEXT);
    }
    assert_string_equal(broken(w), "a chain that is longer than its ring");
    start(w, 4, false); /* the whole ring in flight, and more */
    send(w, 1, 3, false);
    assert_int_equal(vq_pop(&w->q, &c), 1);
    desc_put(desc_at(w, 3), DATA, 1, 0);
    le16_put(desc_at(w, 3) + 14, AVAIL | NEXT);
    desc_put(desc_at(w, 0), DATA, 1, 0);
    le16_put(desc_at(w, 0) + 14, AVAIL);
    assert_string_equal(broken(w), "a chain over descriptors that are still in flight");
    vq_push(&w->q, c.head, 0);
    start(w, 4, false); /* indirect: longer than the ring, then too long, then with a next */
    for (unsigned i = 0; i < VQ_SEGS_MAX; i++)
        desc_put(ram_ptr(&w->ram, TABLES + 16 * i, 16), DATA + i, 1, 0);
    desc_put(desc_at(w, 0), TABLES, 16 * VQ_SEGS_MAX, 0);
    le16_put(desc_at(w, 0) + 14, AVAIL | INDIRECT);
    assert_int_equal(vq_pop(&w->q, &c), 1);
    assert_int_equal(c.outs, VQ_SEGS_MAX);
    vq_push(&w->q, c.head, 0);
    start(w, 4, false);
    desc_put(desc_at(w, 0), TABLES, 16 * (VQ_SEGS_MAX + 1), 0);
    le16_put(desc_at(w, 0) + 14, AVAIL | INDIRECT);
    assert_string_equal(broken(w), "an indirect table of more than 256 entries");
    start(w, 4, false);
    desc_put(desc_at(w, 0), TABLES, 16, 0);
    le16_put(desc_at(w, 0) + 14, AVAIL | INDIRECT | NEXT);
    broken(w);
    start(w, 4, false);
    desc_put(desc_at(w, 0), UINT64_MAX - 8, 16, 0);
    le16_put(desc_at(w, 0) + 14, AVAIL | INDIRECT);
    assert_string_equal(broken(w), "an indirect table that is not in RAM");
}

static void places_survive_a_save(void **state)
{
    struct world *w = *state;
    struct vq_conf conf;
    struct state save, load;

    start(w, 3, false);
    for (unsigned i = 0; i < 4; i++)
        rings(w);
    conf = w->q.conf;
    state_save_begin(&save);
    vq_state(&w->q, &save);
    assert_int_equal(save.err, 0);
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), 0);
    state_load_begin(&load, save.buf, save.at);
    vq_state(&w->q, &load);
    assert_int_equal(state_end(&load), 0);
    state_end(&save);
    rings(w);
}

static void absurd_areas(void **state)
{
    struct world *w = *state;
    struct vq_conf conf = {
        .size = 4, .packed = true, .desc = DESC, .avail = DRIVER + 2, .used = DEVICE};

    assert_int_equal(vq_start(&w->q, &w->dma, &conf), -EINVAL);
    conf.avail = DRIVER;
    conf.desc = DESC + 8;
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), -EINVAL);
    conf.desc = (1 << 20) - 16;
    assert_int_equal(vq_start(&w->q, &w->dma, &conf), -EFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chains_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_shows_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(kicks_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hush_is_in_the_dirty_log, setup, teardown),
        cmocka_unit_test_setup_teardown(drivers_that_break_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(places_survive_a_save, setup, teardown),
        cmocka_unit_test_setup_teardown(absurd_areas, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
