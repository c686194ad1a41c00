/* TOML's characters: blanks, comments, line ends, keys and strings (toml.io v1.0.0: "Spec",
 * "Comment", "Keys", "String"). */
#include "api/toml_impl.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int toml_peek(const struct toml_reader *r)
{
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

void toml_next(struct toml_reader *r)
{
    unsigned char c = (unsigned char)*r->at++;

    if (c == '\n') {
        r->line++;
        r->column = 1;
    } else if ((c & 0xc0) != 0x80) { /* a character's first byte */
        r->column++;
    }
}

bool toml_skip(struct toml_reader *r, char c)
{
    if (toml_peek(r) != c)
        return false;
    toml_next(r);
    return true;
}

void toml_blanks(struct toml_reader *r)
{
    while (toml_peek(r) == ' ' || toml_peek(r) == '\t') /* each takes a byte */
        toml_next(r);
}

/* ---- what is wrong ---- */

int toml_wrong(struct toml_reader *r, const char *fmt, ...)
{
    va_list args;
    int code;

    va_start(args, fmt);
    code = toml_error_va(r->err, r->name, (struct toml_place){r->line, r->column}, fmt, args);
    va_end(args);
    return code;
}

/* The word that stands here, or what else it is, for a message. */
static void found(const struct toml_reader *r, char *buf, size_t room)
{
    size_t n = 0;

    while (n < 24 && r->at + n < r->end && r->at[n] > ' ' && r->at[n] < 0x7f &&
           !strchr("=,[]{}#\"'", r->at[n]))
        n++;
    if (r->at == r->end)
        snprintf(buf, room, "the end of the file");
    else if (*r->at == '\n' || (*r->at == '\r' && r->end - r->at > 1 && r->at[1] == '\n'))
        snprintf(buf, room, "the end of the line");
    else if (n)
        snprintf(buf, room, "'%.*s'", (int)n, r->at);
    else if (*r->at > ' ' && *r->at < 0x7f)
        snprintf(buf, room, "'%c'", *r->at);
    else
        snprintf(buf, room, "the byte 0x%02x", (unsigned char)*r->at);
}

int toml_expected(struct toml_reader *r, const char *what)
{
    char text[64];

    found(r, text, sizeof(text));
    return toml_wrong(r, "found %s, expected %s", text, what);
}

/* ---- UTF-8 (RFC 3629, section 4) ---- */

/* How many bytes the character here has; 0: it is none, or a control character. */
static size_t character(const char *at, const char *end)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first byte; of the second */
        unsigned char bytes;
    } kinds[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    const unsigned char *c = (const unsigned char *)at;
    size_t have = (size_t)(end - at);

    if (*c < 0x80)
        return *c == '\t' || (*c >= 0x20 && *c != 0x7f);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (*c < kinds[i].first || *c > kinds[i].last)
            continue;
        if (have < kinds[i].bytes || c[1] < kinds[i].low || c[1] > kinds[i].high)
            return 0;
        for (size_t k = 2; k < kinds[i].bytes; k++)
            if ((c[k] & 0xc0) != 0x80)
                return 0;
        return kinds[i].bytes;
    }
    return 0;
}

/* Over one character. */
static int character_take(struct toml_reader *r)
{
    size_t n = character(r->at, r->end);

    if (!n)
        return toml_expected(r, "a character in UTF-8 that is no control character");
    while (n--)
        toml_next(r);
    return 0;
}

static bool at_line_end(const struct toml_reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && r->end - r->at > 1 && r->at[1] == '\n');
}

static int comment(struct toml_reader *r)
{
    toml_blanks(r);
    if (toml_peek(r) != '#')
        return 0;
    while (!at_line_end(r)) { /* each takes a character */
        int code = character_take(r);

        if (code)
            return code;
    }
    return 0;
}

int toml_line_end(struct toml_reader *r)
{
    int code = comment(r);

    if (code)
        return code;
    if (!at_line_end(r))
        return toml_expected(r, "the end of the line");
    toml_skip(r, '\r');
    toml_skip(r, '\n');
    return 0;
}

int toml_lines(struct toml_reader *r)
{
    for (;;) { /* each round takes a line's end, or it is the last */
        int code = comment(r);

        if (code)
            return code;
        if (r->at == r->end || !at_line_end(r))
            return 0;
        toml_skip(r, '\r');
        toml_skip(r, '\n');
    }
}

/* ---- strings ---- */

/* The UTF-8 of a code point; how many bytes; 0: it is none. */
static size_t utf8_put(uint32_t c, char *to)
{
    if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

static int hex(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \uXXXX, \UXXXXXXXX: the u has been read. */
static int escape_code(struct toml_reader *r, unsigned digits, char *to, size_t *n)
{
    uint32_t c = 0;

    for (unsigned i = 0; i < digits; i++) {
        int d = hex(toml_peek(r));

        if (d < 0)
            return toml_expected(r, digits == 4 ? "four hexadecimal digits"
                                                : "eight hexadecimal digits");
        c = c << 4 | (uint32_t)d;
        toml_next(r);
    }
    *n = utf8_put(c, to);
    return *n ? 0 : toml_wrong(r, "found \\u of 0x%x, expected a character other than NUL", c);
}

/* After the backslash. An escape is never shorter than what it stands for. */
static int escape(struct toml_reader *r, char *to, size_t *n)
{
    static const char from[] = "btnfr\"\\", into[] = "\b\t\n\f\r\"\\";
    int c = toml_peek(r);
    const char *known = c > 0 ? strchr(from, c) : NULL;

    if (c == 'u' || c == 'U') {
        toml_next(r);
        return escape_code(r, c == 'u' ? 4 : 8, to, n);
    }
    if (!known)
        return toml_expected(r, "one of b t n f r \" \\ u U after the backslash");
    *to = into[known - from];
    *n = 1;
    toml_next(r);
    return 0;
}

static int string_byte(struct toml_reader *r, char quote, char *to, size_t *n)
{
    const char *was = r->at;
    int code;

    if (at_line_end(r))
        return toml_expected(r, quote == '"' ? "a \" that ends the string"
                                             : "a ' that ends the string");
    if (quote == '"' && toml_skip(r, '\\'))
        return escape(r, to, n);
    code = character_take(r);
    if (code)
        return code;
    *n = (size_t)(r->at - was);
    memcpy(to, was, *n);
    return 0;
}

int toml_string(struct toml_reader *r, char **text)
{
    char quote = *r->at;
    size_t len = 0, n = 0;
    int code = 0;

    if (r->end - r->at >= 3 && r->at[1] == quote && r->at[2] == quote)
        return toml_wrong(r, "found a string of several lines, expected one in single quotes or "
                             "double quotes, on one line");
    *text = malloc((size_t)(r->end - r->at));
    if (!*text)
        return error_set(r->err, -ENOMEM, "not enough memory");
    toml_next(r);
    while (!code && !toml_skip(r, quote)) { /* each takes a byte at least */
        code = string_byte(r, quote, *text + len, &n);
        len += code ? 0 : n;
    }
    if (code) {
        free(*text);
        *text = NULL;
        return code;
    }
    (*text)[len] = 0; /* there is room: the quotes were two */
    return 0;
}

static bool bare(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

int toml_key(struct toml_reader *r, char **key)
{
    const char *was = r->at;

    if (toml_peek(r) == '"' || toml_peek(r) == '\'')
        return toml_string(r, key);
    while (bare(toml_peek(r))) /* each takes a byte */
        toml_next(r);
    if (r->at == was)
        return toml_expected(r, "a key, of letters, digits, - and _");
    *key = strndup(was, (size_t)(r->at - was));
    return *key ? 0 : error_set(r->err, -ENOMEM, "not enough memory");
}
