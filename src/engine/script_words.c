/* The words of a script: splitting lines, numbers and names, byte patterns, comparisons. */
#include "core/error.h"
#include "engine/script_impl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (64u << 20)

/* Splitting. A quoted word keeps its opening quote, so that it is known as text later. */

static char *word_end(char *p)
{
    bool quoted = *p == '"';

    for (p += quoted; *p; p++) {
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (quoted && *p == '"')
            return p;
        else if (!quoted && (isspace((unsigned char)*p) || *p == '#'))
            return p;
    }
    return quoted ? NULL : p;
}

int script_split(char *line, char **word, int max, struct error *err)
{
    char *p = line, *end;
    int n = 0;
    bool comment;

    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (!*p || *p == '#')
            break;
        if (n == max)
            return error_set(err, -EINVAL, "more than %d words on a line", max);
        end = word_end(p);
        if (!end)
            return error_set(err, -EINVAL, "a text has no closing quote");
        word[n++] = p;
        comment = *end == '#';
        p = *end ? end + 1 : end;
        *end = '\0';
        if (comment)
            break;
    }
    word[n] = NULL;
    return n;
}

/* Numbers: sums of products, without blanks; a term is a C number or a name. */

static const struct script_var *var_find(const struct script *s, const char *name, size_t len)
{
    unsigned i;

    for (i = 0; i < s->vars; i++)
        if (strlen(s->var[i].name) == len && !memcmp(s->var[i].name, name, len))
            return &s->var[i];
    return NULL;
}

int script_let(struct script *s, const char *name, uint64_t value, struct error *err)
{
    size_t len = strlen(name);
    struct script_var *v = (struct script_var *)(uintptr_t)var_find(s, name, len);

    if (!v) {
        if (len >= SCRIPT_NAME_MAX || !isalpha((unsigned char)name[0]))
            return error_set(err, -EINVAL, "%s: not a name", name);
        if (s->vars == SCRIPT_VARS_MAX)
            return error_set(err, -EINVAL, "more than %d names", SCRIPT_VARS_MAX);
        v = &s->var[s->vars++];
        memcpy(v->name, name, len + 1);
    }
    v->value = value;
    return 0;
}

static uint64_t unit_of(char c)
{
    switch (c) {
    case 'K': return 1ull << 10;
    case 'M': return 1ull << 20;
    case 'G': return 1ull << 30;
    default: return 0;
    }
}

static bool term(struct script *s, const char **p, uint64_t *v)
{
    const struct script_var *var;
    const char *start = *p;
    char *end;

    if (isdigit((unsigned char)*start)) {
        errno = 0;
        *v = strtoull(start, &end, 0);
        if (errno)
            return false;
        if (unit_of(*end))
            *v *= unit_of(*end++);
        *p = end;
        return true;
    }
    while (isalnum((unsigned char)**p) || **p == '_')
        ++*p;
    var = var_find(s, start, (size_t)(*p - start));
    if (var)
        *v = var->value;
    return var != NULL;
}

static bool product(struct script *s, const char **p, uint64_t *v)
{
    uint64_t x;

    if (!term(s, p, v))
        return false;
    while (**p == '*') {
        ++*p;
        if (!term(s, p, &x))
            return false;
        *v *= x;
    }
    return true;
}

/* Reads a number from *p up to a character that is stop, or the end. */
static bool number(struct script *s, const char **p, char stop, uint64_t *v)
{
    uint64_t x;
    char op;

    if (!product(s, p, v))
        return false;
    while (**p && **p != stop) {
        op = *(*p)++;
        if ((op != '+' && op != '-') || !product(s, p, &x))
            return false;
        *v = op == '+' ? *v + x : *v - x;
    }
    return true;
}

int script_number(struct script *s, const char *word, uint64_t *v, struct error *err)
{
    const char *p = word;

    if (!word)
        return error_set(err, -EINVAL, "a number is missing");
    if (!number(s, &p, '\0', v))
        return error_set(err, -EINVAL, "%s: not a number or a known name", word);
    return 0;
}

int script_expect(struct script *s, const char *word, uint64_t got, struct error *err)
{
    uint64_t want, mask = UINT64_MAX;
    const char *p = word;

    if (!number(s, &p, '/', &want) || (*p++ == '/' && !number(s, &p, '\0', &mask)))
        return error_set(err, -EINVAL, "%s: not VALUE or VALUE/MASK", word);
    if ((got & mask) == (want & mask))
        return 0;
    if (mask == UINT64_MAX)
        return error_set(err, -EPROTO, "expected 0x%" PRIx64 ", got 0x%" PRIx64, want, got);
    return error_set(err, -EPROTO,
                     "expected 0x%" PRIx64 " under mask 0x%" PRIx64 ", got 0x%" PRIx64, want & mask,
                     mask, got);
}

/* Bytes. */

struct bytes {
    uint8_t *buf;
    size_t len;
};

static bool bytes_add(struct bytes *b, const void *p, size_t n)
{
    uint8_t *buf;

    if (n > BYTES_MAX - b->len)
        return false;
    buf = realloc(b->buf, b->len + n + 1);
    if (!buf)
        return false;
    b->buf = buf;
    memcpy(buf + b->len, p, n);
    b->len += n;
    return true;
}

static bool bytes_text(struct bytes *b, const char *p)
{
    char hex[3] = {0};
    uint8_t c;

    for (; *p; p++) {
        c = (uint8_t)*p;
        if (*p == '\\' && p[1]) {
            p++;
            c = (uint8_t)(*p == 'n' ? '\n' : *p == 'r' ? '\r' : *p == '0' ? '\0' : *p);
            if (*p == 'x' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
                memcpy(hex, p + 1, 2);
                c = (uint8_t)strtoul(hex, NULL, 16);
                p += 2;
            }
        }
        if (!bytes_add(b, &c, 1))
            return false;
    }
    return true;
}

/* What pattern fill:, seq: or rand: has at index i. */
static uint8_t pattern_byte(char kind, uint64_t arg, size_t i)
{
    uint64_t x;

    if (kind == 'f')
        return (uint8_t)arg;
    if (kind == 's')
        return (uint8_t)(arg + i);
    x = (arg + 1) * 0x9e3779b97f4a7c15ull + i * 0xd1342543de82ef95ull;
    x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull;
    return (uint8_t)(x >> 56);
}

/* fill:LEN:BYTE, seq:LEN:FIRST, rand:LEN:SEED */
static bool bytes_pattern(struct script *s, struct bytes *b, char kind, const char *p)
{
    uint64_t len, arg;
    uint8_t c;
    size_t i;

    if (!number(s, &p, ':', &len) || *p++ != ':' || !number(s, &p, '\0', &arg))
        return false;
    if (len > BYTES_MAX)
        return false;
    for (i = 0; i < len; i++) { /* at most BYTES_MAX */
        c = pattern_byte(kind, arg, i);
        if (!bytes_add(b, &c, 1))
            return false;
    }
    return true;
}

static bool bytes_number(struct script *s, struct bytes *b, unsigned size, const char *p)
{
    uint8_t le[8];
    uint64_t v;

    if (!number(s, &p, '\0', &v))
        return false;
    le64_put(le, v);
    return bytes_add(b, le, size);
}

/* Bare words are hex digits, two a byte. */
static bool bytes_hex(struct bytes *b, const char *p)
{
    char hex[3] = {0};
    uint8_t c;

    for (; *p; p += 2) {
        if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
            return false;
        memcpy(hex, p, 2);
        c = (uint8_t)strtoul(hex, NULL, 16);
        if (!bytes_add(b, &c, 1))
            return false;
    }
    return true;
}

static bool bytes_word(struct script *s, struct bytes *b, const char *word)
{
    static const struct {
        const char *prefix;
        char kind;
        unsigned size;
    } form[] = {
        {"fill:", 'f', 0}, {"seq:", 's', 0},  {"rand:", 'r', 0}, {"le16:", 'n', 2},
        {"le32:", 'n', 4}, {"le64:", 'n', 8}, {"u8:", 'n', 1},
    };
    size_t i, n;

    if (word[0] == '"')
        return bytes_text(b, word + 1);
    for (i = 0; i < ARRAY_LEN(form); i++) {
        n = strlen(form[i].prefix);
        if (strncmp(word, form[i].prefix, n))
            continue;
        return form[i].size ? bytes_number(s, b, form[i].size, word + n)
                            : bytes_pattern(s, b, form[i].kind, word + n);
    }
    return bytes_hex(b, word);
}

int script_bytes(struct script *s, int argc, char **argv, uint8_t **buf, size_t *len,
                 struct error *err)
{
    struct bytes b = {0};
    int i;

    for (i = 0; i < argc; i++) {
        if (bytes_word(s, &b, argv[i]))
            continue;
        free(b.buf);
        return error_set(err, -EINVAL, "%s: not bytes (hex, \"text\", le32:N, fill:LEN:BYTE …)",
                         argv[i]);
    }
    if (!b.buf)
        return error_set(err, -EINVAL, "bytes are missing");
    *buf = b.buf;
    *len = b.len;
    return 0;
}

int script_same(const uint8_t *got, const uint8_t *want, size_t len, struct error *err)
{
    char g[3 * 8 + 1] = "", w[3 * 8 + 1] = "";
    size_t at, i;

    for (at = 0; at < len && got[at] == want[at]; at++)
        ;
    if (at == len)
        return 0;
    for (i = 0; i < 8 && at + i < len; i++) {
        snprintf(g + i * 3, 4, " %02x", got[at + i]);
        snprintf(w + i * 3, 4, " %02x", want[at + i]);
    }
    return error_set(err, -EPROTO, "at byte %zu of %zu: expected%s, got%s", at, len, w, g);
}
