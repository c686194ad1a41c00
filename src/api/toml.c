/* TOML's lines: pairs, [table], [[array of tables]] (toml.io v1.0.0: "Key/Value Pair", "Table",
 * "Array of Tables"), and what others ask of what was read. */
#include "api/toml_impl.h"
#include "core/plain.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct toml *member(const struct toml *t, const char *key)
{
    for (struct toml *m = t->first; m; m = m->next) /* at most TOML_VALUES_MAX */
        if (!strcmp(m->key, key))
            return m;
    return NULL;
}

/* A table of that name, made if there is none; where it stood is where the reader is. */
static struct toml *table_make(struct toml_reader *r, struct toml *in, const char *key,
                               enum toml_made made)
{
    struct toml *t = toml_new(r, TOML_TABLE);

    if (!t)
        return NULL;
    t->made = made;
    t->key = strdup(key);
    if (!t->key) {
        error_set(r->err, -ENOMEM, "not enough memory");
        free(t);
        return NULL;
    }
    toml_add(in, t);
    return t;
}

static int twice(struct toml_reader *r, const char *key, const struct toml *was)
{
    return toml_wrong(r, "found '%.60s' again, expected another name: it was given in line %u", key,
                      was->line);
}

/* ---- KEY = VALUE ---- */

/* Into the table that the part of a key before a dot names. */
static int pair_step(struct toml_reader *r, struct toml **table, const char *key)
{
    struct toml *m = member(*table, key);

    if (m && (m->kind != TOML_TABLE || m->made != TOML_BY_DOTS))
        return twice(r, key, m);
    if (!m)
        m = table_make(r, *table, key, TOML_BY_DOTS);
    *table = m;
    return m ? 0 : -EINVAL;
}

static int pair_value(struct toml_reader *r, const struct toml_reader *start, struct toml *table,
                      const char *key)
{
    struct toml *v;
    int code;

    toml_next(r); /* = */
    toml_blanks(r);
    code = toml_value(r, &v);
    if (code)
        return code;
    v->key = strdup(key);
    if (!v->key) {
        toml_free(v);
        return error_set(r->err, -ENOMEM, "not enough memory");
    }
    v->key_line = start->line;
    v->key_column = start->column;
    toml_add(table, v);
    return 0;
}

/* One part of the key, and what follows: a dot, or = and the value. *more: a dot. */
static int pair_part(struct toml_reader *r, struct toml **table, bool *more)
{
    struct toml_reader start = *r; /* where to point if the key is wrong */
    char *key = NULL;
    int code = toml_key(r, &key);

    if (code)
        return code;
    toml_blanks(r);
    *more = toml_skip(r, '.');
    start.values = r->values;
    if (*more) {
        code = pair_step(&start, table, key);
        r->values = start.values;
        toml_blanks(r);
    } else if (toml_peek(r) != '=') {
        code = toml_expected(r, "= after the key");
    } else if (member(*table, key)) {
        code = twice(&start, key, member(*table, key));
    } else {
        code = pair_value(r, &start, *table, key);
    }
    free(key);
    return code;
}

int toml_pair(struct toml_reader *r, struct toml *table)
{
    bool more = true;
    int code = 0;

    for (unsigned i = 0; more && !code; i++) {
        if (i == TOML_DEPTH_MAX)
            return toml_wrong(r, "found a key of more than %u parts, expected fewer",
                              TOML_DEPTH_MAX);
        code = pair_part(r, &table, &more);
    }
    return code;
}

/* ---- [table] ---- */

/* On the way to a header's last part: an array stands for its newest element. */
static int header_step(struct toml_reader *r, struct toml **table, const char *key)
{
    struct toml *m = member(*table, key);

    if (m && m->kind == TOML_ARRAY && m->made == TOML_BY_HEADER)
        m = m->last;
    else if (m && (m->kind != TOML_TABLE || m->made == TOML_INLINE))
        return twice(r, key, m);
    if (!m)
        m = table_make(r, *table, key, TOML_BY_PATH);
    *table = m;
    return m ? 0 : -EINVAL;
}

static int header_table(struct toml_reader *r, struct toml **table, const char *key)
{
    struct toml *m = member(*table, key);

    if (m && (m->kind != TOML_TABLE || m->made != TOML_BY_PATH))
        return twice(r, key, m);
    if (m) {
        m->made = TOML_BY_HEADER;
        m->line = m->key_line = r->line;
        m->column = m->key_column = r->column;
    } else {
        m = table_make(r, *table, key, TOML_BY_HEADER);
    }
    *table = m;
    return m ? 0 : -EINVAL;
}

static int header_array(struct toml_reader *r, struct toml **table, const char *key)
{
    struct toml *m = member(*table, key), *t;

    if (m && (m->kind != TOML_ARRAY || m->made != TOML_BY_HEADER))
        return twice(r, key, m);
    if (!m) {
        m = table_make(r, *table, key, TOML_BY_HEADER);
        if (!m)
            return -EINVAL;
        m->kind = TOML_ARRAY;
    }
    t = toml_new(r, TOML_TABLE);
    if (!t)
        return -EINVAL;
    t->made = TOML_BY_HEADER;
    toml_add(m, t);
    *table = t;
    return 0;
}

/* One part of the path; *more: a dot follows. */
static int header_part(struct toml_reader *r, struct toml **table, bool array, bool *more)
{
    struct toml_reader start = *r;
    char *key = NULL;
    int code = toml_key(r, &key);

    if (code)
        return code;
    toml_blanks(r);
    *more = toml_skip(r, '.');
    start.values = r->values;
    if (*more)
        code = header_step(&start, table, key);
    else if (toml_peek(r) != ']')
        code = toml_expected(r, "] after the table's name");
    else
        code = array ? header_array(&start, table, key) : header_table(&start, table, key);
    r->values = start.values;
    toml_blanks(r);
    free(key);
    return code;
}

static int header(struct toml_reader *r, struct toml *top, struct toml **table)
{
    bool more = true, array;
    int code = 0;

    toml_next(r); /* [ */
    array = toml_skip(r, '[');
    toml_blanks(r);
    *table = top;
    for (unsigned i = 0; more && !code; i++) {
        if (i == TOML_DEPTH_MAX)
            return toml_wrong(r, "found a name of more than %u parts, expected fewer",
                              TOML_DEPTH_MAX);
        code = header_part(r, table, array, &more);
    }
    if (!code && (!toml_skip(r, ']') || (array && !toml_skip(r, ']'))))
        code = toml_expected(r, array ? "]] after the name of an array of tables" : "]");
    return code;
}

/* ---- the file ---- */

static int file(struct toml_reader *r, struct toml *top)
{
    struct toml *table = top;
    int code = 0;

    while (!code) { /* each round takes a line, or it is the last */
        code = toml_lines(r);
        if (code || r->at == r->end)
            return code;
        code = toml_peek(r) == '[' ? header(r, top, &table) : toml_pair(r, table);
        if (!code)
            code = toml_line_end(r);
    }
    return code;
}

int toml_parse(struct toml **out, const char *name, const char *text, size_t len, struct error *err)
{
    struct toml_reader r = {
        .name = name, .at = text, .end = text + len, .line = 1, .column = 1, .err = err};
    struct toml *top;
    int code;

    *out = NULL;
    if (len > TOML_SIZE_MAX)
        return toml_wrong(&r, "found %zu bytes, expected at most %u", len, TOML_SIZE_MAX);
    top = toml_new(&r, TOML_TABLE);
    if (!top)
        return -ENOMEM;
    top->made = TOML_BY_HEADER;
    code = file(&r, top);
    if (code)
        toml_free(top);
    else
        *out = top;
    return code;
}

void toml_free(struct toml *t)
{
    struct toml *next;

    if (!t)
        return;
    for (struct toml *m = t->first; m; m = next) { /* as deep as TOML_DEPTH_MAX twice over */
        next = m->next;
        toml_free(m);
    }
    if (t->kind == TOML_STRING)
        free(t->text);
    free(t->key);
    free(t);
}

const struct toml *toml_get(const struct toml *t, const char *key)
{
    return t && t->kind == TOML_TABLE ? member(t, key) : NULL;
}

const char *toml_kind_name(enum toml_kind kind)
{
    static const char *const name[] = {"a string", "a whole number", "true or false", "a list",
                                       "a table"};

    return (unsigned)kind < ARRAY_LEN(name) ? name[kind] : "?";
}

struct toml_place toml_at(const struct toml *t)
{
    return (struct toml_place){t->line, t->column};
}

struct toml_place toml_key_at(const struct toml *t)
{
    return (struct toml_place){t->key_line, t->key_column};
}

int toml_error_va(struct error *err, const char *name, struct toml_place at, const char *fmt,
                  va_list args)
{
    char text[300];

    vsnprintf(text, sizeof(text), fmt, args);
    plain_line(text); /* it has the file's words */
    return error_set(err, -EINVAL, "%.180s:%u:%u: %s", name, at.line, at.column, text);
}

int toml_error(struct error *err, const char *name, struct toml_place at, const char *fmt, ...)
{
    va_list args;
    int code;

    va_start(args, fmt);
    code = toml_error_va(err, name, at, fmt, args);
    va_end(args);
    return code;
}
