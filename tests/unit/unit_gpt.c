/* Partition tables on a disk in memory: what is made is read again, what is broken is told, a crash
 * at any moment of a change leaves the table of before or of after. */
#include "unit.h"
#include "back/gpt.h"
#include "core/crc32.h"
#include "core/error.h"

#include <errno.h>

#define BYTES (8u << 20)
#define BLOCK 512u

/* A disk that keeps what was written since the last sync apart, block by block. */
struct mem {
    uint8_t *now, *safe; /* as read; as a power failure leaves it, but for writes since the sync */
    unsigned budget;     /* blocks that are still written, then all fails; 0: no end */
    bool counting, dead;
    unsigned written;
    struct gpt_io io;
};

static int mem_read(void *ctx, uint64_t at, void *buf, size_t len)
{
    const struct mem *m = ctx;

    assert_true(range_in(at, len, 0, m->io.bytes));
    memcpy(buf, m->now + at, len);
    return 0;
}

static int mem_write(void *ctx, uint64_t at, const void *buf, size_t len)
{
    struct mem *m = ctx;

    assert_true(range_in(at, len, 0, m->io.bytes) && at % BLOCK == 0 && len % BLOCK == 0);
    for (size_t i = 0; i < len / BLOCK && !m->dead; i++) {
        if (m->budget && m->written == m->budget) {
            m->dead = true;
            break;
        }
        m->written++;
        memcpy(m->now + at + i * BLOCK, (const uint8_t *)buf + i * BLOCK, BLOCK);
    }
    return m->dead ? -EIO : 0;
}

static int mem_sync(void *ctx)
{
    struct mem *m = ctx;

    if (!m->dead)
        memcpy(m->safe, m->now, m->io.bytes);
    return m->dead ? -EIO : 0;
}

static int setup(void **state)
{
    struct mem *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    m->now = calloc(1, BYTES);
    m->safe = calloc(1, BYTES);
    m->io = (struct gpt_io){mem_read, mem_write, mem_sync, m, BYTES, BLOCK};
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct mem *m = *state;

    free(m->now);
    free(m->safe);
    free(m);
    return 0;
}

static void make(struct mem *m)
{
    struct gpt g;
    struct gpt_part p;

    assert_int_equal(gpt_init(&g, &m->io), 0);
    assert_int_equal(gpt_add(&g, "one", 1 << 20, &p), 0);
    assert_int_equal(gpt_add(&g, "two", 2 << 20, &p), 0);
    assert_int_equal(gpt_mbr_write(&m->io), 0);
    assert_int_equal(gpt_write(&g, &m->io), 0);
    gpt_free(&g);
}

static void what_is_made_is_read(void **state)
{
    struct mem *m = *state;
    struct gpt g;
    struct gpt_part p;
    char text[GPT_GUID_ROOM];

    make(m);
    assert_true(gpt_mbr_protects(m->now));
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_null(g.bad[GPT_PRIMARY]);
    assert_null(g.bad[GPT_BACKUP]);
    assert_false(g.differ || g.short_of_end);
    assert_int_equal(gpt_find(&g, "two", &p), 0);
    assert_int_equal(p.number, 2);
    assert_int_equal(p.first, 2 * 2048);
    assert_int_equal(p.last, 4 * 2048 - 1);
    gpt_guid_text(p.type, text);
    assert_string_equal(text, "99a12413-308e-4786-819e-9079007aa0cc");
    assert_int_equal(gpt_find(&g, "three", &p), -ENOENT);
    gpt_free(&g);
    /* 5.3.2, the fields a header has at which offsets */
    assert_memory_equal(m->now + 512, "EFI PART\0\0\1\0\x5c\0\0\0", 16);
    assert_int_equal(le64_get(m->now + 512 + 24), 1);
    assert_int_equal(le64_get(m->now + 512 + 32), BYTES / 512 - 1);
    assert_int_equal(le64_get(m->now + BYTES - 512 + 24), BYTES / 512 - 1);
    assert_int_equal(le64_get(m->now + BYTES - 512 + 72), BYTES / 512 - 33);
}

static void gaps_are_found(void **state)
{
    struct mem *m = *state;
    struct gpt g;
    struct gpt_part p, q;

    make(m); /* [1, 2) one, [2, 4) two, [4, 7) free: the last MiB has the backup */
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_int_equal(gpt_room(&g), 3 << 20);
    assert_int_equal(gpt_add(&g, "big", 4 << 20, &p), -ENOSPC);
    assert_int_equal(gpt_add(&g, "one", 1 << 20, &p), -EEXIST);
    assert_int_equal(gpt_find(&g, "one", &q), 0);
    gpt_remove(&g, &q);
    assert_int_equal(gpt_add(&g, "three", 2 << 20, &p), 0); /* not in the gap of one */
    assert_int_equal(p.first, 4 * 2048);
    assert_int_equal(gpt_add(&g, "four", 1 << 20, &p), 0);
    assert_int_equal(p.first, 1 * 2048);
    assert_int_equal(gpt_add(&g, "rest", 0, &p), 0);
    assert_int_equal(p.first, 6 * 2048);
    assert_int_equal(p.last, 7 * 2048 - 1);
    assert_int_equal(gpt_room(&g), 0);
    assert_int_equal(gpt_add(&g, "none", 0, &p), -ENOSPC);
    gpt_free(&g);
}

static void names(void **state)
{
    uint8_t utf16[2 * GPT_NAME_UNITS];
    char text[GPT_NAME_ROOM];

    (void)state;
    assert_true(gpt_name_put("abcdefghijklmnopqrstuvwxyz0123456789", utf16));
    gpt_name_text(utf16, text);
    assert_string_equal(text, "abcdefghijklmnopqrstuvwxyz0123456789");
    assert_false(gpt_name_put("abcdefghijklmnopqrstuvwxyz01234567890", utf16));
    assert_false(gpt_name_put("", utf16));
    assert_false(gpt_name_put("a,b", utf16));
    assert_false(gpt_name_put("a b", utf16));
    assert_false(gpt_name_put("-a", utf16));
    for (unsigned i = 0; i < GPT_NAME_UNITS; i++) /* halves of pairs, 36 of them: the most room */
        le16_put(utf16 + 2 * i, 0xdfff);
    gpt_name_text(utf16, text);
    assert_int_equal(strlen(text), GPT_NAME_ROOM - 1);
    le16_put(utf16, 0xd83d); /* U+1F600, e with acute, end */
    le16_put(utf16 + 2, 0xde00);
    le16_put(utf16 + 4, 0xe9);
    le16_put(utf16 + 6, 0);
    gpt_name_text(utf16, text);
    assert_string_equal(text, "\xf0\x9f\x98\x80\xc3\xa9");
}

/* ---- damage ---- */

static uint8_t *head(struct mem *m, enum gpt_copy which)
{
    return m->now + (which == GPT_PRIMARY ? 512 : BYTES - 512);
}

/* The header of a copy with a field changed, and its checksum right again. */
static void forge(struct mem *m, enum gpt_copy which, unsigned at, unsigned width, uint64_t value)
{
    uint8_t *h = head(m, which);

    for (unsigned i = 0; i < width; i++)
        h[at + i] = (uint8_t)(value >> 8 * i);
    le32_put(h + 16, 0);
    le32_put(h + 16, crc32_ieee(h, le32_get(h + 12) <= 512 ? le32_get(h + 12) : 92));
}

static void headers_that_lie(void **state)
{
    static const struct {
        unsigned at, width;
        uint64_t value;
    } lie[] = {
        {0, 1, 'X'},         {8, 4, 0x20000},     {12, 4, 0},          {12, 4, 91},
        {12, 4, 513},        {12, 4, 0xffffffff}, {24, 8, 2},          {40, 8, 0},
        {40, 8, 1},          {40, 8, UINT64_MAX}, {48, 8, UINT64_MAX}, {48, 8, BYTES / 512},
        {48, 8, 1},          {72, 8, 0},          {72, 8, 1},          {72, 8, 100},
        {72, 8, UINT64_MAX}, {72, 8, 1ull << 63}, {80, 4, 0},          {80, 4, 0xffffffff},
        {80, 4, 8193},       {80, 4, 127},        {84, 4, 0},          {84, 4, 64},
        {84, 4, 129},        {84, 4, 8192},       {84, 4, 0x80000000}, {84, 4, 192},
        {88, 4, 0x12345678},
    };

    for (unsigned i = 0; i < ARRAY_LEN(lie); i++) {
        struct mem *m = *state;
        struct error err = {0};
        struct gpt g;

        make(m);
        forge(m, GPT_PRIMARY, lie[i].at, lie[i].width, lie[i].value);
        assert_int_equal(gpt_read(&g, &m->io, &err), 0); /* by the backup */
        assert_non_null(g.bad[GPT_PRIMARY]);
        assert_int_equal(g.from, GPT_BACKUP);
        gpt_free(&g);
        make(m);
        forge(m, GPT_PRIMARY, 0, 1, 'X');
        forge(m, GPT_BACKUP, lie[i].at, lie[i].width, lie[i].value);
        assert_true(gpt_read(&g, &m->io, &err) < 0);
        assert_null(g.entries);
        assert_true(strlen(err.text) > 10);
        gpt_free(&g);
    }
}

/* An entry of the primary, and the checksums right again. */
static void forge_entry(struct mem *m, unsigned i, uint64_t first, uint64_t last)
{
    uint8_t *e = m->now + 1024 + 128 * i;

    e[0] |= 1;
    le64_put(e + 32, first);
    le64_put(e + 40, last);
    forge(m, GPT_PRIMARY, 88, 4, crc32_ieee(m->now + 1024, 128 * 128));
}

static void entries_that_lie(void **state)
{
    static const struct {
        uint64_t first, last;
    } lie[] = {{33, 40},       {100, 99},       {0, UINT64_MAX}, {3000, 4100}, {4200, 4300},
               {16300, 16383}, {UINT64_MAX, 0}, {100, 16350},    {4095, 4095}, {100, 1ull << 63}};

    for (unsigned i = 0; i < ARRAY_LEN(lie); i++) {
        struct mem *m = *state;
        struct gpt g;

        make(m);
        forge_entry(m, 5, 9000, 9001); /* an honest one among them: no lie */
        assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
        assert_null(g.bad[GPT_PRIMARY]);
        assert_true(g.differ);
        gpt_free(&g);
        forge_entry(m, 5, lie[i].first, lie[i].last);
        assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
        assert_non_null(g.bad[GPT_PRIMARY]);
        gpt_free(&g);
    }
}

static void foreign_ones_stay(void **state)
{
    struct mem *m = *state;
    uint8_t foreign[128];
    struct gpt g;
    struct gpt_part p;

    make(m);
    for (unsigned i = 0; i < 128; i++)
        foreign[i] = (uint8_t)(i * 7 + 1);
    le64_put(foreign + 32, 4 * 2048 + 1);
    le64_put(foreign + 40, 4 * 2048 + 1);
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    memcpy(g.entries + 3 * 128, foreign, 128);
    memcpy(g.entries + 3 * 128 + 56, "t\0w\0o\0\0", 8);
    memcpy(foreign, g.entries + 3 * 128, 128);
    assert_int_equal(gpt_write(&g, &m->io), 0);
    gpt_free(&g);
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_int_equal(gpt_find(&g, "two", &p), 0); /* ours, of that name */
    assert_true(p.ours);
    gpt_remove(&g, &p);
    assert_int_equal(gpt_find(&g, "two", &p), -EPERM);
    assert_int_equal(gpt_add(&g, "two", 1 << 20, &p), -EEXIST);
    assert_int_equal(gpt_add(&g, "new", 1 << 20, &p), 0);
    assert_int_equal(gpt_add(&g, "next", 1 << 20, &p), 0);
    assert_int_equal(p.first, 3 * 2048); /* and the one behind it is not in the foreign one's MiB */
    assert_int_equal(gpt_add(&g, "last", 1 << 20, &p), 0);
    assert_int_equal(p.first, 5 * 2048);
    assert_int_equal(gpt_write(&g, &m->io), 0);
    assert_memory_equal(m->now + 1024 + 3 * 128, foreign, 128);
    gpt_free(&g);
}

/* ---- crashes ---- */

static bool has(const struct gpt *g, const char *name)
{
    struct gpt_part p;

    return !gpt_find(g, name, &p);
}

/* After the crash: one copy is good, it is the table of before or of after, repair makes both good,
 * and the extent that was there all the time is where it was. */
static void survives(struct mem *m, const char *when, unsigned n)
{
    struct gpt g;
    struct gpt_part p;
    struct error err = {0};

    if (gpt_read(&g, &m->io, &err))
        fail_msg("%s at block %u: %s", when, n, err.text);
    assert_int_equal(gpt_find(&g, "one", &p), 0);
    assert_int_equal(p.first, 2048);
    assert_true(has(&g, "two") != has(&g, "after"));
    if (g.bad[0] || g.bad[1] || g.differ)
        assert_int_equal(gpt_repair(&g, &m->io), 0);
    gpt_free(&g);
    assert_int_equal(gpt_read(&g, &m->io, &err), 0);
    assert_true(!g.bad[0] && !g.bad[1] && !g.differ && !g.short_of_end);
    assert_true(has(&g, "two") != has(&g, "after"));
    gpt_free(&g);
}

static void crash_at(struct mem *m, unsigned n, unsigned lost)
{
    struct gpt g;
    struct gpt_part p;
    uint8_t *torn;

    make(m);
    memcpy(m->safe, m->now, BYTES);
    m->written = 0;
    m->budget = n;
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_int_equal(gpt_find(&g, "two", &p), 0);
    gpt_remove(&g, &p);
    assert_int_equal(gpt_add(&g, "after", 1 << 20, &p), 0);
    assert_true(gpt_write(&g, &m->io) == (m->dead ? -EIO : 0));
    gpt_free(&g);
    /* Of what was written since the last sync, some blocks did not reach the disk. */
    torn = m->now;
    for (size_t i = 0; i < BYTES / BLOCK; i++)
        if (lost && i % lost == 0)
            memcpy(torn + i * BLOCK, m->safe + i * BLOCK, BLOCK);
    m->budget = 0;
    m->dead = false;
    survives(m, lost ? "torn" : "cut", n);
}

static void a_crash_at_any_block(void **state)
{
    struct mem *m = *state;

    for (unsigned n = 1; n <= 2 * 33; n++)
        for (unsigned lost = 0; lost < 4; lost++)
            crash_at(m, n, lost);
}

/* The same of a repair: of either copy from the other. */
static void a_crash_in_a_repair(void **state)
{
    struct mem *m = *state;

    for (unsigned which = 0; which < 2; which++)
        for (unsigned n = 1; n <= 2 * 33; n++) {
            struct gpt g;

            make(m);
            memset(head(m, (enum gpt_copy)which), 0, 512);
            memcpy(m->safe, m->now, BYTES);
            assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
            m->written = 0;
            m->budget = n;
            gpt_repair(&g, &m->io);
            gpt_free(&g);
            m->budget = 0;
            m->dead = false;
            survives(m, "repair", n);
        }
}

static void a_disk_that_has_grown(void **state)
{
    struct mem *m = *state;
    struct gpt g;
    struct gpt_part p;

    m->io.bytes = BYTES / 8 * 5;
    make(m);
    m->io.bytes = BYTES;
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_true(g.short_of_end && !g.bad[0] && !g.bad[1] && !g.differ);
    assert_int_equal(gpt_room(&g), 0);
    assert_int_equal(gpt_repair(&g, &m->io), 0);
    gpt_free(&g);
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_false(g.short_of_end || g.differ || g.bad[0] || g.bad[1]);
    assert_int_equal(gpt_find(&g, "two", &p), 0);
    assert_int_equal(gpt_room(&g), 3 << 20);
    gpt_free(&g);
}

static void small_and_odd_disks(void **state)
{
    struct mem *m = *state;
    struct gpt g;

    for (uint64_t bytes = 0; bytes < 64 * 512; bytes += 100) {
        m->io.bytes = bytes;
        assert_int_equal(gpt_read(&g, &m->io, NULL), -ENOENT);
        gpt_free(&g);
        assert_int_equal(gpt_init(&g, &m->io), -ENOSPC);
    }
    m->io.bytes = 4 << 20; /* the smallest, and in large blocks */
    m->io.block = 4096;
    assert_int_equal(gpt_init(&g, &m->io), 0);
    assert_int_equal(gpt_room(&g), 2 << 20);
    assert_int_equal(gpt_write(&g, &m->io), 0);
    gpt_free(&g);
    assert_int_equal(gpt_read(&g, &m->io, NULL), 0);
    assert_int_equal(g.head[GPT_PRIMARY].first, 6);
    gpt_free(&g);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_made_is_read), T(gaps_are_found),      T(names),
        T(headers_that_lie),     T(entries_that_lie),    T(foreign_ones_stay),
        T(a_crash_at_any_block), T(a_crash_in_a_repair), T(a_disk_that_has_grown),
        T(small_and_odd_disks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
