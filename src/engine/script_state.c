/* The verbs that look at the whole world: state (save, load, noise), reset, ledger. */
#include "core/error.h"
#include "core/loop.h"
#include "engine/script_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_ROUNDS_MAX 1000000u

int script_reset(struct script *s, int argc, char **argv, struct error *err)
{
    (void)argv;
    if (!s->world->reset || argc > 1)
        return error_set(err, -EINVAL, "reset takes no words, in a world that can be reset");
    s->world->reset(s->world->ctx);
    return 0;
}

static int save(struct script *s, uint8_t **buf, size_t *len, struct error *err)
{
    struct state st;
    int e;

    *buf = NULL;
    state_save_begin(&st);
    s->world->state(s->world->ctx, &st);
    *len = st.at;
    if (!st.err) {
        *buf = malloc(st.at ? st.at : 1);
        if (*buf && st.at)
            memcpy(*buf, st.buf, st.at);
    }
    e = state_end(&st);
    if (!e && !*buf)
        e = -ENOMEM;
    return e ? error_set(err, e, "the state can't be saved: %s", strerror(-e)) : 0;
}

static int load(struct script *s, const uint8_t *buf, size_t len)
{
    struct state st;

    state_load_begin(&st, buf, len);
    s->world->state(s->world->ctx, &st);
    return state_end(&st);
}

static int load_good(struct script *s, const uint8_t *buf, size_t len, struct error *err)
{
    int e = load(s, buf, len);

    return e ? error_set(err, -EPROTO, "the state that was saved is refused: %s", strerror(-e)) : 0;
}

/* Save, reset, load, save again: nothing may be lost on the way. */
static int roundtrip(struct script *s, struct error *err)
{
    uint8_t *before = NULL, *after = NULL;
    size_t len = 0, len2 = 0;
    int e;

    e = save(s, &before, &len, err);
    if (!e) {
        s->world->reset(s->world->ctx);
        e = load_good(s, before, len, err);
    }
    if (!e)
        e = save(s, &after, &len2, err);
    if (!e && len2 != len)
        e = error_set(err, -EPROTO, "state: %zu bytes saved, %zu after loading them", len, len2);
    if (!e)
        e = script_same(after, before, len, err);
    free(before);
    free(after);
    return e;
}

/* Each stream that is cut short must be refused. Then load what was there. */
static int cut(struct script *s, struct error *err)
{
    uint8_t *good = NULL, *tight;
    size_t len = 0, n;
    int e = save(s, &good, &len, err);

    for (n = 0; !e && n < len; n++) {
        tight = malloc(n ? n : 1); /* of exactly that size: a sanitizer sees reads past its end */
        if (!tight) {
            e = error_set(err, -ENOMEM, "out of memory");
            break;
        }
        memcpy(tight, good, n);
        s->world->reset(s->world->ctx);
        if (!load(s, tight, n))
            e = error_set(err, -EPROTO, "a state cut to %zu of %zu bytes was taken", n, len);
        free(tight);
    }
    s->world->reset(s->world->ctx);
    if (!e)
        e = load_good(s, good, len, err);
    free(good);
    return e;
}

/* Streams with wrong bytes in them: taken or refused, the devices must live on. */
static int noise(struct script *s, const char *word, struct error *err)
{
    uint8_t *good = NULL, *bad;
    uint64_t rounds = 0, i, seed = 1;
    size_t len = 0, k;
    int e;

    e = script_number(s, word, &rounds, err);
    if (!e && rounds > NOISE_ROUNDS_MAX)
        e = error_set(err, -EINVAL, "at most %u rounds", NOISE_ROUNDS_MAX);
    if (!e)
        e = save(s, &good, &len, err);
    bad = e ? NULL : malloc(len ? len : 1);
    for (i = 0; bad && len && i < rounds; i++) {
        memcpy(bad, good, len);
        for (k = 0; k <= i % 4; k++) { /* one to four wrong bytes */
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            bad[(seed >> 33) % len] = (uint8_t)(seed >> 25);
        }
        s->world->reset(s->world->ctx);
        (void)load(s, bad, len);
        if (s->world->loop)
            loop_advance(s->world->loop, 1000);
    }
    free(bad);
    if (!e) {
        s->world->reset(s->world->ctx);
        e = load_good(s, good, len, err);
    }
    free(good);
    return e;
}

int script_state(struct script *s, int argc, char **argv, struct error *err)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!s->world->state || !s->world->reset)
        return error_set(err, -EINVAL, "this world has no state");
    if (argc == 1)
        return roundtrip(s, err);
    if (!strcmp(what, "cut"))
        return cut(s, err);
    if (!strcmp(what, "noise") && argc == 3)
        return noise(s, argv[2], err);
    if (!strcmp(what, "save")) {
        free(s->saved);
        return save(s, &s->saved, &s->saved_len, err);
    }
    if (!strcmp(what, "load") && s->saved)
        return load_good(s, s->saved, s->saved_len, err);
    return error_set(err, -EINVAL, "state [save | load (after save) | cut | noise ROUNDS]");
}

/* The ledger. */

static int ledger_mark(struct script *s, struct error *err)
{
    const struct ledger_row *row;
    struct script_mark *m;

    s->marks = 0;
    for (row = ledger_first(s->world->ledger); row; row = row->next) {
        m = realloc(s->mark, (s->marks + 1) * sizeof(*m));
        if (!m)
            return error_set(err, -ENOMEM, "out of memory");
        s->mark = m;
        m[s->marks++] = (struct script_mark){.row = row, .was = *row};
    }
    return 0;
}

/* Adds what a row counted since the mark. */
static void row_sum(const struct script *s, const struct ledger_row *row, struct ledger_row *sum)
{
    static const struct ledger_row none;
    const struct ledger_row *was = &none;
    unsigned i;

    for (i = 0; i < s->marks; i++)
        if (s->mark[i].row == row)
            was = &s->mark[i].was;
    sum->reads += row->reads - was->reads;
    sum->writes += row->writes - was->writes;
    sum->read_bytes += row->read_bytes - was->read_bytes;
    sum->write_bytes += row->write_bytes - was->write_bytes;
    sum->refused += row->refused - was->refused;
}

static bool matches(const char *pattern, const char *name)
{
    return !strcmp(pattern, "*") || !strcmp(pattern, name);
}

static unsigned rows_sum(const struct script *s, char **argv, struct ledger_row *sum)
{
    const struct ledger_row *row;
    unsigned n = 0;

    for (row = ledger_first(s->world->ledger); row; row = row->next) {
        if (!matches(argv[0], ledger_kind_name(row->kind)) || !matches(argv[1], row->dev) ||
            !matches(argv[2], row->name))
            continue;
        row_sum(s, row, sum);
        n++;
    }
    return n;
}

static int field_check(struct script *s, const struct ledger_row *sum, const char *word,
                       struct error *err)
{
    const struct {
        const char *name;
        uint64_t got;
    } field[] = {
        {"reads=", sum->reads},           {"writes=", sum->writes},
        {"read_bytes=", sum->read_bytes}, {"write_bytes=", sum->write_bytes},
        {"refused=", sum->refused},
    };
    struct error why = {{0}};
    size_t i, n;
    int e;

    for (i = 0; i < ARRAY_LEN(field); i++) {
        n = strlen(field[i].name);
        if (strncmp(word, field[i].name, n))
            continue;
        e = script_expect(s, word + n, field[i].got, &why);
        return e ? error_set(err, e, "%.*s: %s", (int)n - 1, word, why.text) : 0;
    }
    return error_set(err, -EINVAL,
                     "%s: not reads=, writes=, read_bytes=, write_bytes=, refused=", word);
}

/* ledger mark; ledger KIND DEV NAME FIELD=EXPECT… ("*" matches all, rows are summed) */
int script_ledger(struct script *s, int argc, char **argv, struct error *err)
{
    struct ledger_row sum = {0};
    int i, e = 0;

    if (!s->world->ledger)
        return error_set(err, -EINVAL, "this world has no ledger");
    if (argc == 2 && !strcmp(argv[1], "mark"))
        return ledger_mark(s, err);
    if (argc < 5)
        return error_set(err, -EINVAL, "ledger mark, or ledger KIND DEV NAME FIELD=VALUE…");
    if (!rows_sum(s, argv + 1, &sum))
        return error_set(err, -EPROTO, "no row %s %s %s", argv[1], argv[2], argv[3]);
    for (i = 4; !e && i < argc; i++)
        e = field_check(s, &sum, argv[i], err);
    return e;
}
