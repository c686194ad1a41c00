/* --evil: what each kind does to a driver, on both ring layouts; the same seed, the same deeds. */
#include "vblk_world.h"

#define KIND(k) (1u << (k))

enum { LEN = 1024, MS = 1000000 };

/* ---- a driver of either layout ---- */

static void start(struct world *w, bool packed)
{
    drive(w, 0);
    if (!packed)
        return;
    memset(ram_ptr(&w->ram, 0, 0x8000), 0, 0x8000);
    negotiate(w, 0);
    wr(w, STATUS, 1, 0);
    wr(w, STATUS, 1, 3);
    wr(w, CFG + 8, 4, 1);
    wr(w, CFG + 0xc, 4, 1 | 4); /* VERSION_1, RING_PACKED */
    wr(w, STATUS, 1, 0xb);
    wr(w, CFG + 0x10, 2, 0);
    wr(w, CFG + 0x16, 2, 0);
    wr(w, CFG + 0x1a, 2, 1);
    queue(w, SIZE, DESC);
    wr(w, STATUS, 1, 0xf);
}

static void place_put(struct world *w, unsigned i, uint64_t addr, uint32_t len, unsigned flags)
{
    uint8_t *d = ram_ptr(&w->ram, DESC + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, 7);
    le16_put(d + 14, (uint16_t)(flags | 0x80));
}

/* A read, of ID 7 with a packed ring: the three places from i on. */
static void read_one(struct world *w, bool packed, unsigned i)
{
    if (!packed) {
        request(w, i, IN, 0, LEN);
    } else {
        memset(ram_ptr(&w->ram, HDR, 32), 0, 32);
        *ram_ptr(&w->ram, HDR + 16, 1) = 0xee;
        place_put(w, i + 1, DATA, LEN, NEXT | WRITE);
        place_put(w, i + 2, HDR + 16, 1, WRITE);
        place_put(w, i, HDR, 16, NEXT);
    }
    kick(w);
    settle(w);
}

struct seen { /* of the first used element */
    bool done;
    unsigned id;
    uint32_t len;
};

static struct seen look(struct world *w, bool packed)
{
    const uint8_t *d = ram_ptr(&w->ram, DESC, 16), *e = ram_ptr(&w->ram, USED + 4, 8);

    if (packed)
        return (struct seen){le16_get(d + 14) >> 15, le16_get(d + 12), le32_get(d + 8)};
    return (struct seen){used(w) != 0, le32_get(e), le32_get(e + 4)};
}

static unsigned rule_of(bool packed)
{
    return packed ? 7 : 0;
}

/* ---- what each kind does ---- */

static void id_goes_wrong(struct world *w, bool packed)
{
    bool wrong = false;

    for (unsigned i = 0; i < 8 && !wrong; i++) { /* the wrong one may be the right one by chance */
        start(w, packed);
        read_one(w, packed, 0);
        assert_true(look(w, packed).done);
        wrong = look(w, packed).id != rule_of(packed);
    }
    assert_true(wrong);
    assert_int_equal(status(w, 0), 0);
}

static void length_goes_wrong(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_true(look(w, packed).done);
    assert_int_equal(look(w, packed).id, rule_of(packed));
    assert_int_not_equal(look(w, packed).len, LEN + 1);
}

static void twice_is_twice(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    if (!packed)
        assert_int_equal(used(w), 2);
    else
        assert_int_equal(le16_get(ram_ptr(&w->ram, DESC + 16 * 3 + 12, 2)), 7);
    assert_true(look(w, packed).done);
}

static void late_comes_later(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_false(look(w, packed).done);
    assert_int_equal(w->msis, 0);
    loop_advance(w->loop, 20 * MS);
    settle(w);
    assert_true(look(w, packed).done);
    assert_int_equal(w->msis, 1);
}

static void late_is_forgotten_by_a_reset(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    wr(w, STATUS, 1, 0);
    loop_advance(w->loop, 20 * MS);
    settle(w);
    assert_false(look(w, packed).done);
}

static void lost_never_comes(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    loop_advance(w->loop, 1000 * MS);
    settle(w);
    assert_false(look(w, packed).done);
}

static void short_leaves_the_status_out(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_true(look(w, packed).done);
    assert_int_equal(status(w, 0), 0xee);
}

static void jump_shows_more(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    if (packed)
        assert_true(le16_get(ram_ptr(&w->ram, DESC + 16 * 3 + 14, 2)) & 0x8000);
    else
        assert_true(used(w) > 1 && used(w) <= 1 + SIZE);
}

static void mute_says_nothing(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_true(look(w, packed).done);
    assert_int_equal(w->msis, 0);
}

static void spurious_says_too_much(struct world *w, bool packed)
{
    kick(w);
    settle(w);
    assert_int_equal(w->msis, 1);
    assert_false(look(w, packed).done);
}

static void config_is_announced(struct world *w, bool packed)
{
    uint64_t before = rd(w, CFG + 0x15, 1);

    read_one(w, packed, 0);
    assert_int_equal(rd(w, CFG + 0x15, 1), before + 1);
    assert_int_equal(w->msis, 2);
}

static void config_is_a_lie(struct world *w, bool packed)
{
    (void)packed;
    assert_int_not_equal(rd(w, DEVCFG, 4), 2048);
    assert_int_not_equal(rd(w, DEVCFG, 4), rd(w, DEVCFG, 4));
}

static void deaf_hears_nothing(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_false(look(w, packed).done);
}

static void reset_is_asked_for(struct world *w, bool packed)
{
    read_one(w, packed, 0);
    assert_int_equal(rd(w, STATUS, 1), 0x4f);
    assert_false(look(w, packed).done);
}

static const struct deed {
    enum vevil_kind kind;
    void (*go)(struct world *w, bool packed);
} deeds[] = {
    {VEVIL_ID, id_goes_wrong},
    {VEVIL_LENGTH, length_goes_wrong},
    {VEVIL_TWICE, twice_is_twice},
    {VEVIL_LATE, late_comes_later},
    {VEVIL_LATE, late_is_forgotten_by_a_reset},
    {VEVIL_LOST, lost_never_comes},
    {VEVIL_SHORT, short_leaves_the_status_out},
    {VEVIL_JUMP, jump_shows_more},
    {VEVIL_MUTE, mute_says_nothing},
    {VEVIL_SPURIOUS, spurious_says_too_much},
    {VEVIL_CONFIG, config_is_announced},
    {VEVIL_LIE, config_is_a_lie},
    {VEVIL_DEAF, deaf_hears_nothing},
    {VEVIL_RESET, reset_is_asked_for},
};

static void each_kind_does_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(deeds); i++) {
        const struct deed *d = &deeds[i / 2];
        struct vevil_opts o = {.seed = 1, .rate = 1, .kinds = KIND(d->kind)};
        struct world *w = evil(&o);
        const struct ledger_row *row;
        void *world = w;

        start(w, i & 1);
        d->go(w, i & 1);
        row = ledger_find(w->ledger, LEDGER_EVIL, "vd0", vevil_name(d->kind));
        assert_non_null(row);
        assert_true(row->writes);
        teardown(&world);
    }
}

static void each_kind_has_a_deed(void **state)
{
    uint32_t there = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        there |= KIND(deeds[i].kind);
    assert_int_equal(there, KIND(VEVIL_KINDS) - 1);
    assert_null(vevil_name(VEVIL_KINDS));
}

/* ---- seeds ---- */

/* What a driver that goes on whatever it sees ends with: a sum of its memory and of the ledger. */
static uint64_t life(uint64_t seed, const char *device)
{
    struct vevil_opts o = {.seed = seed, .rate = 4, .device = device};
    struct world *w = evil(&o);
    void *world = w;
    uint64_t sum = 0;

    for (unsigned round = 0; round < 20; round++) {
        start(w, round & 1);
        for (unsigned i = 0; i < 3; i++) {
            read_one(w, round & 1, round & 1 ? 3 * i : i);
            loop_advance(w->loop, 3 * MS);
            sum = sum * 31 + rd(w, DEVCFG, 4);
            for (unsigned at = 0; at < 0x8000; at += 4)
                sum = sum * 31 + le32_get(ram_ptr(&w->ram, at, 4));
        }
    }
    for (unsigned k = 0; k < VEVIL_KINDS; k++) {
        const struct ledger_row *row = ledger_find(w->ledger, LEDGER_EVIL, "vd0", vevil_name(k));

        sum = sum * 31 + (row ? row->writes : 0);
    }
    teardown(&world);
    return sum;
}

static void the_same_seed_does_the_same(void **state)
{
    uint64_t good = life(0, "another"), first = life(1, NULL);

    (void)state;
    assert_int_equal(life(1, "vd0"), first);
    assert_int_not_equal(life(2, NULL), first);
    assert_int_not_equal(good, first);
    assert_int_equal(life(5, "another"), good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_a_deed),
        cmocka_unit_test(each_kind_does_what_it_says),
        cmocka_unit_test(the_same_seed_does_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
