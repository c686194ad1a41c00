/* From keys to the words of a command (the tables are in lab_keys.c). */
#include "cli/lab_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lab_nomem(struct lab_build *b)
{
    return error_set(b->err, -ENOMEM, "not enough memory");
}

/* ---- texts ---- */

/* {n} and {name}, put in; the rest of a text stays. */
static char *filled(struct lab_build *b, const char *from)
{
    char *buf = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buf, &size);

    if (!out)
        return NULL;
    while (*from) { /* each round takes a character at least */
        if (!strncmp(from, "{n}", 3)) {
            fprintf(out, "%u", b->number);
            from += 3;
        } else if (!strncmp(from, "{name}", 6)) {
            fputs(b->unit->name, out);
            from += 6;
        } else {
            fputc(*from++, out);
        }
    }
    return fclose(out) ? NULL : buf;
}

static char *number_text(const struct toml *v)
{
    char *text;

    return asprintf(&text, "%lld", (long long)v->number) < 0 ? NULL : text;
}

char *lab_text(struct lab_build *b, const struct toml *v, bool file)
{
    char *text = v->kind == TOML_INT ? number_text(v) : filled(b, v->text), *path = NULL;

    if (text && file && *text && *text != '/') {
        if (asprintf(&path, "%s/%s", b->lab->dir, text) < 0)
            path = NULL;
        free(text);
        text = path;
    }
    if (!text)
        lab_nomem(b);
    return text;
}

/* ---- words ---- */

int lab_arg(struct lab_build *b, char *word)
{
    struct lab_unit *u = b->unit;

    if (!word)
        return lab_nomem(b);
    if (u->argc == LAB_ARGS) {
        free(word);
        return error_set(b->err, -EINVAL, "%.180s: %s: more than %u words in its command", b->file,
                         u->name, LAB_ARGS);
    }
    u->argv[u->argc++] = word;
    u->argv[u->argc] = NULL;
    return 0;
}

int lab_arg_copy(struct lab_build *b, const char *word)
{
    return lab_arg(b, strdup(word));
}

static int option(struct lab_build *b, const struct lab_key *key, const struct toml *v)
{
    char *text, *word;
    int code;

    if (v->kind == TOML_BOOL && !v->flag)
        return 0;
    if (v->kind == TOML_BOOL)
        return lab_mark(b, key, v, "") ? -ENOMEM : lab_arg_copy(b, key->option);
    text = lab_text(b, v, key->file);
    if (!text)
        return -ENOMEM;
    /* One word, since the value may start with a dash, and of some options it may be left out. */
    code = lab_mark(b, key, v, text);
    if (!code)
        code = asprintf(&word, "%s=%s", key->option, text) < 0 ? lab_nomem(b) : lab_arg(b, word);
    free(text);
    return code;
}

static int each(struct lab_build *b, const struct lab_key *key, const struct toml *v,
                int (*take)(struct lab_build *, const struct lab_key *, const struct toml *))
{
    int code = 0;

    if (v->kind != TOML_ARRAY)
        return take(b, key, v);
    for (const struct toml *e = v->first; e && !code; e = e->next)
        code = e->kind == TOML_STRING
                   ? take(b, key, e)
                   : toml_error(b->err, b->file, toml_at(e), "found %s, expected a string in %s",
                                toml_kind_name(e->kind), key->name);
    return code;
}

static int raw(struct lab_build *b, const struct lab_key *key, const struct toml *v)
{
    char *text = lab_text(b, v, key->file);

    if (text && !lab_mark(b, key, v, text))
        return lab_arg(b, text);
    free(text);
    return -ENOMEM;
}

int lab_options(struct lab_build *b, const struct lab_key *keys, const struct toml *table)
{
    int code = 0;

    for (const struct lab_key *k = keys; k->name && !code; k++) {
        const struct toml *v = toml_get(table, k->name);

        if (!v)
            continue;
        switch (k->does) {
        case KEY_OPTION: code = each(b, k, v, option); break;
        case KEY_RAW: code = each(b, k, v, raw); break;
        case KEY_TABLES: code = lab_tables(b, k, v); break;
        default: break;
        }
    }
    return code;
}

/* ---- what may be there ---- */

static int unknown(struct lab_build *b, const struct lab_key *keys, const struct toml *m,
                   const char *what)
{
    const char *near = lab_key_near(keys, m->key);

    if (near)
        return toml_error(b->err, b->file, toml_key_at(m),
                          "found '%.60s', which is no key of %s; did you mean '%s'?", m->key, what,
                          near);
    return toml_error(b->err, b->file, toml_key_at(m),
                      "found '%.60s', which is no key of %s (docs/lab.md lists them)", m->key,
                      what);
}

static void kinds_name(unsigned kinds, char *buf, size_t room)
{
    size_t n = 0;

    *buf = 0;
    for (unsigned k = 0; k <= TOML_TABLE; k++)
        if (kinds & 1u << k && n < room)
            n += (size_t)snprintf(buf + n, room - n, "%s%s", n ? " or " : "",
                                  toml_kind_name((enum toml_kind)k));
}

int lab_keys_check(struct lab_build *b, const struct lab_key *keys, const struct toml *table,
                   const char *what)
{
    char wanted[100];

    if (table->kind != TOML_TABLE)
        return toml_error(b->err, b->file, toml_at(table), "found %s, expected a table: %s",
                          toml_kind_name(table->kind), what);
    for (const struct toml *m = table->first; m; m = m->next) {
        const struct lab_key *k = lab_key_find(keys, m->key);

        if (!k)
            return unknown(b, keys, m, what);
        if (k->kinds & 1u << m->kind)
            continue;
        kinds_name(k->kinds, wanted, sizeof(wanted));
        return toml_error(b->err, b->file, toml_at(m), "found %s, expected %s for '%s'",
                          toml_kind_name(m->kind), wanted, m->key);
    }
    return 0;
}
