/* Shared by toml.c (tables and lines), toml_value.c (values) and toml_word.c (characters). */
#ifndef API_TOML_IMPL_H
#define API_TOML_IMPL_H

#include "api/toml.h"
#include <stdarg.h>
#include "core/error.h"

struct toml_reader {
    const char *name;       /* of the file, for messages */
    const char *at, *end;   /* what is still to be read */
    unsigned line, column;  /* of *at; columns are characters, from 1 */
    unsigned values, depth; /* so far; here */
    struct error *err;
};

/* ---- toml_word.c: characters ---- */

int toml_peek(const struct toml_reader *r);    /* the next byte; -1: none */
void toml_next(struct toml_reader *r);         /* over it */
bool toml_skip(struct toml_reader *r, char c); /* over it, if it is c */
void toml_blanks(struct toml_reader *r);       /* over spaces and tabs */
/* Over blanks and a comment, to the end of the line and over it. */
int toml_line_end(struct toml_reader *r);
/* Over blanks, comments and line ends: inside of arrays, between lines. */
int toml_lines(struct toml_reader *r);
/* What stands here is not what should; always -EINVAL. */
int toml_expected(struct toml_reader *r, const char *what);
int toml_error_va(struct error *err, const char *name, struct toml_place at, const char *fmt,
                  va_list args) __attribute__((format(printf, 4, 0)));
int toml_wrong(struct toml_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int toml_key(struct toml_reader *r, char **key);     /* one part, bare or quoted */
int toml_string(struct toml_reader *r, char **text); /* at its quote */

/* ---- toml_value.c ---- */

struct toml *toml_new(struct toml_reader *r, enum toml_kind kind); /* NULL: told */
void toml_add(struct toml *to, struct toml *t);
int toml_value(struct toml_reader *r, struct toml **out);

/* ---- toml.c ---- */

/* KEY = VALUE into a table, with dots in KEY. */
int toml_pair(struct toml_reader *r, struct toml *table);

#endif
