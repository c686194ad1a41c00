/*
 * TOML 1.0.0 (toml.io), the part that a lab file needs: tables, arrays of tables, dotted and quoted
 * keys, strings (basic and literal, on one line), whole numbers, booleans, arrays, inline tables,
 * comments. Left out, and refused with a word on it: fractions, dates and times, strings of several
 * lines, a NUL in a string. The text is hostile; every value knows where it stood, so that what is
 * wrong with it can be said later.
 */
#ifndef API_TOML_H
#define API_TOML_H

#include "core/types.h"

struct error;

#define TOML_SIZE_MAX   (1u << 20) /* bytes of a file */
#define TOML_VALUES_MAX 10000u     /* looking one up walks its table */
#define TOML_DEPTH_MAX  16u

enum toml_kind { TOML_STRING, TOML_INT, TOML_BOOL, TOML_ARRAY, TOML_TABLE };

/* How a table came to be says what may still be added to it. */
enum toml_made {
    TOML_BY_PATH,   /* [a.b] made a */
    TOML_BY_HEADER, /* [a.b] made b */
    TOML_BY_DOTS,   /* a.b = 1 made a */
    TOML_INLINE     /* { … } or [ … ]: complete */
};

struct toml {
    enum toml_kind kind;
    enum toml_made made;           /* tables and arrays; an array of [[a]] is TOML_BY_HEADER */
    char *key;                     /* NULL: in an array, or the whole file */
    unsigned line, column;         /* of the value */
    unsigned key_line, key_column; /* of its key */
    union {
        char *text;
        int64_t number;
        bool flag;
    };
    struct toml *first, *last, *next; /* members, elements; the one after this */
};

/* 0, or -EINVAL or -ENOMEM with err filled: "NAME:LINE:COLUMN: found this, expected that". */
int toml_parse(struct toml **out, const char *name, const char *text, size_t len,
               struct error *err);
void toml_free(struct toml *t); /* NULL is fine */

/* The member of a table; NULL: it has none of that name, or t is NULL or no table. */
const struct toml *toml_get(const struct toml *t, const char *key);
const char *toml_kind_name(enum toml_kind kind); /* "a string" */

struct toml_place {
    unsigned line, column;
};
struct toml_place toml_at(const struct toml *t);
struct toml_place toml_key_at(const struct toml *t);
/* Says what is wrong there: "NAME:LINE:COLUMN: …"; returns -EINVAL. */
int toml_error(struct error *err, const char *name, struct toml_place at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
