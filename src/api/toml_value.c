/* TOML's values (toml.io v1.0.0: "Integer", "Boolean", "Array", "Inline Table"). */
#include "api/toml_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED "a value: \"text\", a whole number, true, false, [ a list ] or { key = value }"

struct toml *toml_new(struct toml_reader *r, enum toml_kind kind)
{
    struct toml *t = NULL;

    if (r->values == TOML_VALUES_MAX) {
        toml_wrong(r, "found more than %u values, expected fewer", TOML_VALUES_MAX);
        return NULL;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        error_set(r->err, -ENOMEM, "not enough memory");
        return NULL;
    }
    r->values++;
    t->kind = kind;
    t->made = TOML_INLINE;
    t->line = t->key_line = r->line;
    t->column = t->key_column = r->column;
    return t;
}

void toml_add(struct toml *to, struct toml *t)
{
    if (to->last)
        to->last->next = t;
    else
        to->first = t;
    to->last = t;
}

static int list(struct toml_reader *r, struct toml *t)
{
    int code;

    toml_next(r); /* [ */
    for (;;) {    /* each round takes a value, or it is the last */
        struct toml *v;

        code = toml_lines(r);
        if (code || toml_skip(r, ']'))
            return code;
        code = toml_value(r, &v);
        if (code)
            return code;
        toml_add(t, v);
        code = toml_lines(r);
        if (code)
            return code;
        if (!toml_skip(r, ',') && toml_peek(r) != ']')
            return toml_expected(r, "a comma or ]");
    }
}

static int table(struct toml_reader *r, struct toml *t)
{
    int code = 0;

    toml_next(r); /* { */
    toml_blanks(r);
    if (toml_skip(r, '}'))
        return 0;
    do { /* each round takes a pair */
        toml_blanks(r);
        code = toml_pair(r, t);
        toml_blanks(r);
    } while (!code && toml_skip(r, ','));
    if (!code && !toml_skip(r, '}'))
        code = toml_expected(r, "a comma or }");
    return code;
}

static bool word_is(const char *at, size_t n, const char *word)
{
    return strlen(word) == n && !memcmp(at, word, n);
}

/* Digits with single underscores between them: into buf without these. */
static bool digits(const char *at, size_t n, char *buf, size_t room)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        bool digit = at[i] >= '0' && at[i] <= '9';

        if (!digit && !(i == 0 && n > 1 && (at[i] == '-' || at[i] == '+')) &&
            !(at[i] == '_' && i && i + 1 < n && at[i - 1] >= '0' && at[i - 1] <= '9' &&
              at[i + 1] != '_'))
            return false;
        if (at[i] == '_')
            continue;
        if (len + 1 >= room)
            return false;
        buf[len++] = at[i];
    }
    buf[len] = 0;
    at = buf + (*buf == '-' || *buf == '+');
    return len && *at && (*at != '0' || !at[1]); /* no leading zeroes */
}

static int scalar(struct toml_reader *r, struct toml *t)
{
    const char *was = r->at;
    char buf[24];
    size_t n = 0;

    while (was + n < r->end && !strchr(" \t\r\n,]}#=", was[n])) /* ends with the text */
        n++;
    if (word_is(was, n, "true") || word_is(was, n, "false")) {
        t->kind = TOML_BOOL;
        t->flag = *was == 't';
    } else if (digits(was, n, buf, sizeof(buf))) {
        errno = 0;
        t->kind = TOML_INT;
        t->number = strtoll(buf, NULL, 10);
        if (errno)
            return toml_expected(r, "a number of 64 bits");
    } else {
        return toml_expected(r, EXPECTED);
    }
    while (n--)
        toml_next(r);
    return 0;
}

static int value(struct toml_reader *r, struct toml *t)
{
    switch (toml_peek(r)) {
    case '"':
    case '\'': return toml_string(r, &t->text);
    case '[': t->kind = TOML_ARRAY; return list(r, t);
    case '{': t->kind = TOML_TABLE; return table(r, t);
    case -1:
    case '\n':
    case '\r': return toml_expected(r, EXPECTED);
    default: return scalar(r, t);
    }
}

int toml_value(struct toml_reader *r, struct toml **out)
{
    struct toml *t = toml_new(r, TOML_STRING);
    int code;

    *out = NULL;
    if (!t)
        return -EINVAL;
    if (++r->depth > TOML_DEPTH_MAX)
        code =
            toml_wrong(r, "found more than %u levels of brackets, expected fewer", TOML_DEPTH_MAX);
    else
        code = value(r, t);
    r->depth--;
    if (code)
        toml_free(t);
    else
        *out = t;
    return code;
}
