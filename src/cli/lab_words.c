/* Disks, cards and shares: a table becomes one option whose value is words joined by commas. */
#include "cli/cli.h"
#include "cli/lab_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_MAX (1ull << 46)

int lab_size(struct lab_build *b, const struct toml *v, uint64_t *bytes)
{
    if (v->kind == TOML_STRING && !opt_size(v->text, bytes) && *bytes && *bytes <= IMAGE_MAX)
        return 0;
    return toml_error(b->err, b->file, toml_at(v), "found %s%.40s%s, expected a size, as \"64M\"",
                      v->kind == TOML_STRING ? "\"" : "",
                      v->kind == TOML_STRING ? v->text : toml_kind_name(v->kind),
                      v->kind == TOML_STRING ? "\"" : "");
}

/* ---- one word ---- */

/* The word, and a mark on it: of a path, on the path alone. */
static int word_put(struct lab_build *b, const struct lab_key *k, const struct toml *v,
                    const char *text, FILE *out)
{
    bool first = k->does == KEY_FIRST, flag = v->kind == TOML_BOOL;
    char *all;
    int code;

    if (asprintf(&all, "%s%s%s%s", first ? "" : ",", k->option, first || flag ? "" : "=", text) < 0)
        return lab_nomem(b);
    fputs(all, out);
    code = lab_mark(b, k, v, first && k->file == KEY_THERE ? text : all);
    free(all);
    return code;
}

static int word(struct lab_build *b, const struct lab_key *k, const struct toml *v, FILE *out)
{
    char *text;
    int code;

    if (v->kind == TOML_BOOL)
        return v->flag ? word_put(b, k, v, "", out) : 0;
    text = lab_text(b, v, k->file);
    if (!text)
        return -ENOMEM;
    if (!*text || strchr(text, ',')) {
        free(text);
        return toml_error(b->err, b->file, toml_at(v),
                          "found %s, expected a value for '%s' without one",
                          *v->text ? "a comma" : "an empty string", k->name);
    }
    code = word_put(b, k, v, text, out);
    free(text);
    return code;
}

int lab_words_of(struct lab_build *b, const struct lab_key *k, const struct toml *v, FILE *out)
{
    int code = 0;

    if (v->kind != TOML_ARRAY)
        return word(b, k, v, out);
    for (const struct toml *e = v->first; e && !code; e = e->next)
        code = e->kind == TOML_STRING
                   ? word(b, k, e, out)
                   : toml_error(b->err, b->file, toml_at(e), "found %s, expected a string in %s",
                                toml_kind_name(e->kind), k->name);
    return code;
}

/* ---- the first word: what the disk is in, where the cable goes ---- */

static bool said(const struct toml *v)
{
    return v && !(v->kind == TOML_BOOL && !v->flag);
}

static int first_word(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                      unsigned number, FILE *out)
{
    int code = lab_plug(b, key, t, number, out);
    unsigned firsts = code > 0;

    code = code > 0 ? 0 : code;
    for (const struct lab_key *k = key->sub; k->name && !code; k++) {
        const struct toml *v = k->does == KEY_FIRST ? toml_get(t, k->name) : NULL;

        if (!said(v))
            continue;
        if (firsts++)
            return toml_error(b->err, b->file, toml_key_at(v),
                              "found '%s' besides another, expected one of %s", k->name, key->help);
        code = word(b, k, v, out);
    }
    if (!code && !firsts)
        code = toml_error(b->err, b->file, toml_at(t), "found a %s of nothing, expected %s",
                          key->name, key->help);
    return code;
}

/* ---- keys that are no words ---- */

/* size = "64M": a file that isn't there is made, with a hole of that size. */
static int size_take(struct lab_build *b, const struct toml *t)
{
    const struct toml *size = toml_get(t, "size"), *file = toml_get(t, "file");
    struct lab *l = b->lab;
    struct lab_image *image;
    uint64_t bytes;

    if (!size)
        return 0;
    if (!file)
        return toml_error(b->err, b->file, toml_key_at(size), "found 'size', expected 'file' too");
    if (lab_size(b, size, &bytes))
        return -EINVAL;
    image = reallocarray(l->image, l->images + 1, sizeof(*image));
    if (!image)
        return lab_nomem(b);
    l->image = image;
    image[l->images] = (struct lab_image){.path = lab_text(b, file, true), .bytes = bytes};
    return image[l->images].path ? (l->images++, 0) : -ENOMEM;
}

/* A domain's device has a name, and its socket is named after it. */
static int name_take(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                     FILE *out)
{
    const struct lab_key *own = lab_key_find(key->sub, "name");
    const struct toml *name = toml_get(t, "name");
    char what[LAB_NAME + 8], *path;
    int code;

    if (!own || own->does != KEY_OWN)
        return 0;
    if (!name || !lab_name_good(name->text))
        return toml_error(b->err, b->file, name ? toml_at(name) : toml_at(t),
                          "found no name that can be one, expected name = \"…\" of up to %u "
                          "letters, digits, - and _",
                          LAB_NAME);
    snprintf(what, sizeof(what), "%s." LAB_SOCKET, name->text);
    path = lab_path(b->lab->run, b->unit->name, what);
    for (unsigned n = 0; path && b->unit->socket[n]; n++)
        if (!strcmp(b->unit->socket[n], path)) {
            free(path);
            return toml_error(b->err, b->file, toml_at(name),
                              "found '%s' again, expected another name", name->text);
        }
    if (path)
        fprintf(out, ",socket=%s", path);
    code = lab_socket_add(b, b->unit, path);
    return code ? code : lab_device_add(b, key, t, path);
}

static int table_words(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                       unsigned number, FILE *out)
{
    int code = lab_keys_check(b, key->sub, t, key->name);

    if (!code)
        code = first_word(b, key, t, number, out);
    if (!code)
        code = name_take(b, key, t, out);
    if (!code)
        code = size_take(b, t);
    for (const struct lab_key *k = key->sub; k->name && !code; k++) {
        const struct toml *v = k->does == KEY_WORD ? toml_get(t, k->name) : NULL;

        if (v)
            code = lab_words_of(b, k, v, out);
    }
    return code;
}

/* A card without mac= gets one made of its name, the same each time (FNV-1a; IEEE 802, 8.2.2:
 * locally administered). */
void lab_mac(struct lab_build *b, const struct toml *card, unsigned number, char *buf, size_t room)
{
    const struct toml *mac = toml_get(card, "mac");
    char *given = mac ? lab_text(b, mac, false) : NULL, text[2 * LAB_NAME + 32];
    uint64_t h = 0xcbf29ce484222325ull;

    snprintf(text, sizeof(text), "%s/%s/%u", b->lab->name, b->unit->name, number);
    for (const char *p = text; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
    snprintf(buf, room, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(h & 255),
             (unsigned)(h >> 8 & 255), (unsigned)(h >> 16 & 255), (unsigned)(h >> 24 & 255),
             (unsigned)(h >> 32 & 255));
    if (given)
        snprintf(buf, room, "%s", given);
    free(given);
}

static void mac_put(struct lab_build *b, const struct toml *card, unsigned number, FILE *out)
{
    char text[32];

    lab_mac(b, card, number, text, sizeof(text));
    fprintf(out, ",mac=%s", text);
}

/* A table; or, where it may be, a text, which is the value. */
static int value_put(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                     unsigned number, FILE *out)
{
    bool table = t->kind != TOML_STRING || !(key->kinds & KEY_TEXT);
    char *text = table ? NULL : lab_text(b, t, false);
    int code = table || text ? lab_mark(b, NULL, t, text ? text : "") : -ENOMEM;

    if (!code && table)
        code = table_words(b, key, t, number, out);
    else if (!code)
        fputs(text, out);
    free(text);
    return code;
}

static int table_take(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                      unsigned number)
{
    char *buf = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buf, &size);
    int code;

    if (!out)
        return lab_nomem(b);
    b->port = NULL;
    fprintf(out, "%s=", key->option);
    code = value_put(b, key, t, number, out);
    if (!code && b->unit->kind == LAB_VM && lab_key_find(key->sub, "mac") && !toml_get(t, "mac"))
        mac_put(b, t, number, out);
    if (fclose(out) || code) {
        free(buf);
        return code ? code : lab_nomem(b);
    }
    return lab_arg(b, buf);
}

int lab_tables(struct lab_build *b, const struct lab_key *key, const struct toml *v)
{
    unsigned n = 0;
    int code = 0;

    if (v->kind != TOML_ARRAY)
        return table_take(b, key, v, 0);
    for (const struct toml *t = v->first; t && !code; t = t->next)
        code = table_take(b, key, t, n++);
    return code;
}
