/* The bus: overlap refused, widths cut as declared, map changes wait for the handler. */
#include "unit.h"
#include "bus/bus.h"
#include "core/ledger.h"

#include <errno.h>

struct chip { /* 64 bytes of registers, and a journal of the accesses that reached them */
    uint8_t reg[64];
    char log[256];
    struct io_region region;
    void (*on_write)(struct chip *c, uint64_t off);
    struct world *world;
};

struct world {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct bus *bus;
    struct chip a, b;
};

static void note(struct chip *c, char what, uint64_t off, unsigned size)
{
    size_t n = strlen(c->log);

    assert_int_not_equal(pthread_mutex_trylock(&c->world->lock), 0); /* the region's lock is held */
    snprintf(c->log + n, sizeof(c->log) - n, "%c%u@%u ", what, size, (unsigned)off);
}

static uint64_t chip_read(void *dev, uint64_t off, unsigned size)
{
    struct chip *c = dev;
    uint64_t val = 0;

    note(c, 'r', off, size);
    memcpy(&val, &c->reg[off], size);
    return val | (size < 8 ? 0xabull << 56 : 0); /* junk above the width: the bus masks it */
}

static void chip_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct chip *c = dev;

    note(c, 'w', off, size);
    assert_true(size == 8 || val >> (size * 8) == 0);
    memcpy(&c->reg[off], &val, size);
    if (c->on_write)
        c->on_write(c, off);
}

#define OPS(name, widths, cut)                                                                     \
    static const struct io_ops name = {                                                            \
        .read = chip_read, .write = chip_write, .sizes = widths, .split = cut}
OPS(ops_1, 1, false);
OPS(ops_1_cut, 1, true);
OPS(ops_4, 4, false);
OPS(ops_124_cut, 1 | 2 | 4, true);
OPS(ops_48_cut, 4 | 8, true);

static void chip_init(struct world *w, struct chip *c, const char *name, uint64_t base)
{
    unsigned i;

    for (i = 0; i < sizeof(c->reg); i++)
        c->reg[i] = (uint8_t)(0x10 + i);
    c->world = w;
    c->region = (struct io_region){.name = name,
                                   .ops = &ops_124_cut,
                                   .dev = c,
                                   .lock = &w->lock,
                                   .space = BUS_MMIO,
                                   .base = base,
                                   .len = 64};
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    pthread_mutex_init(&w->lock, NULL);
    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    chip_init(w, &w->a, "a", 0x1000);
    chip_init(w, &w->b, "b", 0x2000);
    *state = w;
    return w->bus ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;

    bus_close(w->bus);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void map(struct world *w, struct chip *c, const struct io_ops *ops)
{
    c->region.ops = ops;
    assert_int_equal(bus_map(w->bus, &c->region), 0);
}

static void overlap_is_refused(void **state)
{
    static const struct {
        uint64_t base, len;
        int want;
    } cases[] = {
        {0x1000, 64, -EBUSY},     {0xff0, 17, -EBUSY},
        {0x103f, 1, -EBUSY},      {0x0, UINT64_MAX, -EBUSY},
        {0x1010, 4, -EBUSY},      {0xfff, 1, 0},
        {0x1040, 1, 0},           {0x1000, 0, -EINVAL},
        {UINT64_MAX, 2, -EINVAL}, {UINT64_MAX, 1, 0},
        {0, UINT64_MAX, -EBUSY},
    };
    struct world *w = *state;
    size_t i;

    map(w, &w->a, &ops_1);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w->b.region.base = cases[i].base;
        w->b.region.len = cases[i].len;
        assert_ptr_equal(bus_clash(w->bus, &w->b.region),
                         cases[i].want == -EBUSY ? &w->a.region : NULL);
        assert_int_equal(bus_map(w->bus, &w->b.region), cases[i].want);
        assert_int_equal(w->b.region.mapped, cases[i].want == 0);
        bus_unmap(w->bus, &w->b.region);
    }
}

static void port_space_ends_at_64k(void **state)
{
    struct world *w = *state;

    w->a.region.space = BUS_PIO;
    w->a.region.base = 0xfff8;
    w->a.region.len = 9;
    assert_int_equal(bus_map(w->bus, &w->a.region), -EINVAL);
    w->a.region.len = 8;
    assert_int_equal(bus_map(w->bus, &w->a.region), 0);
    assert_int_equal(bus_map(w->bus, &w->a.region), -EINVAL); /* it is there already */
}

static void spaces_are_apart(void **state)
{
    struct world *w = *state;

    w->b.region.space = BUS_PIO;
    w->b.region.base = 0x1000;
    map(w, &w->a, &ops_1);
    map(w, &w->b, &ops_1);
    w->b.reg[0] = 0x77;
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x1000, 1), 0x77);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x1000, 1), 0x10);
}

static void access_is(struct world *w, const struct io_ops *ops, uint64_t off, unsigned size,
                      uint64_t want, const char *log)
{
    map(w, &w->a, ops);
    w->a.log[0] = '\0';
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x1000 + off, size), want);
    assert_string_equal(w->a.log, log);
    bus_unmap(w->bus, &w->a.region);
}

static void widths_are_cut_as_declared(void **state)
{
    struct world *w = *state;

    access_is(w, &ops_1, 0, 1, 0x10, "r1@0 ");
    access_is(w, &ops_1, 0, 2, 0xffff, "");
    access_is(w, &ops_1_cut, 4, 4, 0x17161514, "r1@4 r1@5 r1@6 r1@7 ");
    access_is(w, &ops_1_cut, 1, 3, 0x131211, "r1@1 r1@2 r1@3 ");
    access_is(w, &ops_4, 4, 4, 0x17161514, "r4@4 ");
    access_is(w, &ops_4, 4, 1, 0xff, "");
    access_is(w, &ops_4, 2, 4, 0xffffffff, "");
    access_is(w, &ops_4, 0, 8, UINT64_MAX, "");
    access_is(w, &ops_124_cut, 0, 8, 0x1716151413121110, "r4@0 r4@4 ");
    access_is(w, &ops_124_cut, 1, 4, 0x14131211, "r1@1 r2@2 r1@4 ");
    access_is(w, &ops_124_cut, 3, 7, 0x19181716151413, "r1@3 r4@4 r2@8 ");
    access_is(w, &ops_48_cut, 8, 8, 0x1f1e1d1c1b1a1918, "r8@8 ");
    access_is(w, &ops_48_cut, 4, 8, 0x1b1a191817161514, "r4@4 r4@8 ");
    access_is(w, &ops_48_cut, 2, 6, 0x17161514ffff, "r4@4 "); /* nobody decodes the two below */
}

static void refused_widths_are_counted(void **state)
{
    struct world *w = *state;
    const struct ledger_row *row;

    map(w, &w->a, &ops_4);
    bus_write(w->bus, BUS_MMIO, 0x1000, 4, 0x1122334455667788);
    bus_write(w->bus, BUS_MMIO, 0x1001, 4, 1);
    bus_write(w->bus, BUS_MMIO, 0x1000, 1, 1);
    bus_read(w->bus, BUS_MMIO, 0x1000, 8);
    assert_string_equal(w->a.log, "w4@0 ");
    assert_int_equal(le32_get(w->a.reg), 0x55667788);
    row = ledger_find(w->ledger, LEDGER_MMIO, "a", "regs");
    assert_ptr_equal(row, w->a.region.row);
    assert_int_equal(row->writes, 3);
    assert_int_equal(row->reads, 1);
    assert_int_equal(row->refused, 3);
    assert_int_equal(row->write_bytes, 9);
}

static void unclaimed_reads_all_ones(void **state)
{
    struct world *w = *state;
    const struct ledger_row *row = ledger_find(w->ledger, LEDGER_MMIO, "bus", "unclaimed");

    map(w, &w->a, &ops_1);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x5000, 4), 0xffffffff);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, UINT64_MAX - 3, 8), UINT64_MAX);
    bus_write(w->bus, BUS_MMIO, 0xfff, 1, 0);
    assert_int_equal(row->reads, 2);
    assert_int_equal(row->writes, 1);
    assert_int_equal(row->refused, 3);
    assert_int_equal(row->read_bytes, 12);
    assert_string_equal(w->a.log, "");
}

static void an_access_over_an_end_is_cut_into_bytes(void **state)
{
    struct world *w = *state;
    const struct ledger_row *none = ledger_find(w->ledger, LEDGER_MMIO, "bus", "unclaimed");

    map(w, &w->a, &ops_124_cut);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x103e, 4), 0xffff4f4e);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xffe, 4), 0x1110ffff);
    bus_write(w->bus, BUS_MMIO, 0xfff, 2, 0x9988);
    assert_int_equal(w->a.reg[0], 0x99);
    assert_string_equal(w->a.log, "r1@62 r1@63 r1@0 r1@1 w1@0 ");
    assert_int_equal(none->read_bytes + none->write_bytes, 5);
    assert_int_equal(w->a.region.row->read_bytes + w->a.region.row->write_bytes, 5);
}

static void a_seam_between_regions_reaches_both(void **state)
{
    struct world *w = *state;

    w->b.region.base = 0x1040;
    map(w, &w->a, &ops_1_cut);
    map(w, &w->b, &ops_1_cut);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x103e, 4), 0x11104f4e);
}

static void moved_regions_answer_at_the_new_place_only(void **state)
{
    struct world *w = *state;

    map(w, &w->a, &ops_1);
    map(w, &w->b, &ops_1);
    assert_int_equal(bus_move(w->bus, &w->a.region, 0x2010), -EBUSY);
    assert_int_equal(w->a.region.base, 0x1000);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x1001, 1), 0x11);
    assert_int_equal(bus_move(w->bus, &w->a.region, 0x1010), 0); /* over its own old place */
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x1001, 1), 0xff);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0x1011, 1), 0x11);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x104f), &w->a.region);
    assert_null(bus_find(w->bus, BUS_MMIO, 0x1050));
    bus_unmap(w->bus, &w->a.region);
    assert_null(bus_find(w->bus, BUS_MMIO, 0x1011));
    assert_int_equal(bus_move(w->bus, &w->a.region, 0x2000), 0); /* unmapped: only remembers */
    assert_int_equal(bus_map(w->bus, &w->a.region), -EBUSY);
}

static void b_moves_away(struct chip *c, uint64_t off)
{
    struct world *w = c->world;

    if (off)
        return;
    assert_int_equal(bus_move(w->bus, &w->a.region, 0x8000), 0);
    bus_unmap(w->bus, &w->b.region);
    assert_int_equal(w->a.region.base, 0x8000);                         /* asked for … */
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x1000), &w->a.region); /* … not yet in force */
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x2000), &w->b.region);
    /* The place given up is free for the next to ask. */
    w->b.region.base = 0x1000;
    assert_int_equal(bus_map(w->bus, &w->b.region), 0);
}

static void changes_wait_for_the_handler(void **state)
{
    struct world *w = *state;

    map(w, &w->a, &ops_1_cut);
    map(w, &w->b, &ops_1);
    w->a.on_write = b_moves_away;
    bus_write(w->bus, BUS_MMIO, 0x1000, 4, 0x44332211); /* the first byte moves the region */
    assert_string_equal(w->a.log, "w1@0 w1@1 w1@2 w1@3 ");
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x1000), &w->b.region);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x8000), &w->a.region);
    assert_null(bus_find(w->bus, BUS_MMIO, 0x2000));
}

static void strings_count_each_element(void **state)
{
    struct world *w = *state;
    uint8_t buf[1400];

    w->a.region.space = BUS_PIO;
    map(w, &w->a, &ops_124_cut);
    memset(buf, 0, sizeof(buf));
    bus_ins(w->bus, 0x1002, 2, buf, 3);
    assert_memory_equal(buf, "\x12\x13\x12\x13\x12\x13\0", 7);
    assert_string_equal(w->a.log, "r2@2 r2@2 r2@2 ");
    w->a.log[0] = '\0';
    bus_outs(w->bus, 0x1004, 4, (const uint8_t *)"abcdefgh", 2);
    assert_string_equal(w->a.log, "w4@4 w4@4 ");
    assert_memory_equal(&w->a.reg[4], "efgh", 4);
    assert_int_equal(w->a.region.row->reads, 3);
    assert_int_equal(w->a.region.row->write_bytes, 8);
    bus_ins(w->bus, 0x1002, 1, buf, sizeof(buf)); /* more than one batch */
    assert_int_equal(w->a.region.row->reads, 3 + sizeof(buf));
    assert_int_equal(buf[sizeof(buf) - 1], 0x12);
    bus_ins(w->bus, 0x3000, 2, buf, 2); /* nobody there */
    assert_memory_equal(buf, "\xff\xff\xff\xff\x12", 5);
}

static void unmap_a(struct chip *c, uint64_t off)
{
    if (off == 0 && strlen(c->log) >= 10) /* at the second element */
        bus_unmap(c->world->bus, &c->region);
}

static void a_string_that_unmaps_its_port_goes_on_into_nothing(void **state)
{
    struct world *w = *state;
    const struct ledger_row *none = ledger_find(w->ledger, LEDGER_PIO, "bus", "unclaimed");

    w->a.region.space = BUS_PIO;
    w->a.on_write = unmap_a;
    map(w, &w->a, &ops_1);
    bus_outs(w->bus, 0x1000, 1, (const uint8_t *)"abcdef", 6);
    assert_string_equal(w->a.log, "w1@0 w1@0 ");
    assert_int_equal(none->writes, 4);
    assert_int_equal(none->refused, 4);
}

static void many_regions_are_all_found(void **state)
{
    struct world *w = *state;
    struct chip *chips = calloc(BUS_REGIONS_MAX + 1, sizeof(*chips));
    unsigned i, at;

    for (i = 0; i < BUS_REGIONS_MAX; i++) {
        at = i * 37 % BUS_REGIONS_MAX; /* in no order */
        chip_init(w, &chips[i], "many", 0x10000 + at * 96);
        assert_int_equal(bus_map(w->bus, &chips[i].region), 0);
    }
    chip_init(w, &chips[i], "many", 0);
    assert_int_equal(bus_map(w->bus, &chips[i].region), -ENOMEM);
    for (i = 0; i < BUS_REGIONS_MAX; i++) {
        uint64_t base = chips[i].region.base;

        assert_ptr_equal(bus_find(w->bus, BUS_MMIO, base), &chips[i].region);
        assert_ptr_equal(bus_find(w->bus, BUS_MMIO, base + 63), &chips[i].region);
        assert_null(bus_find(w->bus, BUS_MMIO, base + 64));
        assert_int_equal(bus_read(w->bus, BUS_MMIO, base + 5, 1), 0x15);
    }
    for (i = 0; i < BUS_REGIONS_MAX; i += 2)
        bus_unmap(w->bus, &chips[i].region);
    for (i = 0; i < BUS_REGIONS_MAX; i++)
        assert_ptr_equal(bus_find(w->bus, BUS_MMIO, chips[i].region.base),
                         i & 1 ? &chips[i].region : NULL);
    free(chips);
}

/* A reader on another thread while the map changes all the time: each answer is one that was true.
 */
struct race {
    struct world *w;
    unsigned bad;
};

static void *race_reader(void *arg)
{
    struct race *r = arg;
    unsigned i;
    uint64_t v;

    for (i = 0; i < 200000; i++) {
        v = bus_read(r->w->bus, BUS_MMIO, 0x4001, 1);
        r->bad += v != 0x11 && v != 0xff;
        v = bus_read(r->w->bus, BUS_MMIO, 0x2001, 1); /* b never moves */
        r->bad += v != 0x11;
    }
    return NULL;
}

static uint64_t quiet_read(void *dev, uint64_t off, unsigned size)
{
    (void)size;
    return ((struct chip *)dev)->reg[off];
}

static void readers_never_see_a_half_changed_map(void **state)
{
    static const struct io_ops quiet = {.read = quiet_read, .write = chip_write, .sizes = 1};
    struct world *w = *state;
    struct race r = {.w = w};
    pthread_t thread;
    unsigned i;

    map(w, &w->a, &quiet);
    map(w, &w->b, &quiet);
    assert_int_equal(pthread_create(&thread, NULL, race_reader, &r), 0);
    for (i = 0; i < 20000; i++)
        assert_int_equal(bus_move(w->bus, &w->a.region, i & 1 ? 0x1000 : 0x4000), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(r.bad, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(overlap_is_refused),
        T(port_space_ends_at_64k),
        T(spaces_are_apart),
        T(widths_are_cut_as_declared),
        T(refused_widths_are_counted),
        T(unclaimed_reads_all_ones),
        T(an_access_over_an_end_is_cut_into_bytes),
        T(a_seam_between_regions_reaches_both),
        T(moved_regions_answer_at_the_new_place_only),
        T(changes_wait_for_the_handler),
        T(strings_count_each_element),
        T(a_string_that_unmaps_its_port_goes_on_into_nothing),
        T(many_regions_are_all_found),
        T(readers_never_see_a_half_changed_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
