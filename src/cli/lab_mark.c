/*
 * Which place of the file a word of a command is from: each text that a key put there is marked, so
 * that who judges the command, this process or the one that is started, can be quoted with a place.
 */
#include "cli/lab_build.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SURE 100000u /* more than any text is long */

int lab_mark_at(struct lab_build *b, struct lab_unit *u, unsigned word, const struct toml *v,
                const char *text)
{
    struct lab_mark *m = reallocarray(u->mark, u->marks + 1, sizeof(*m));

    if (!m)
        return lab_nomem(b);
    u->mark = m;
    m += u->marks;
    *m = (struct lab_mark){.word = word, .text = strdup(text)};
    m->line = toml_at(v).line;
    m->column = toml_at(v).column;
    return m->text ? (u->marks++, 0) : lab_nomem(b);
}

int lab_mark(struct lab_build *b, const struct lab_key *k, const struct toml *v, const char *text)
{
    struct lab_unit *u = b->into ? b->into : b->unit;
    int code = lab_mark_at(b, u, u->argc, v, text);

    if (!code && k)
        u->mark[u->marks - 1].there = k->file == KEY_THERE;
    return code;
}

/* ---- what a message is about ---- */

static bool inside(char c)
{
    return isalnum((unsigned char)c) || c == '-';
}

/* text stands in message, and not as a part of a longer word. */
static bool names(const char *message, const char *text, size_t len)
{
    for (const char *at = message; (at = strstr(at, text)); at++)
        if ((at == message || !inside(at[-1]) || !inside(*text)) &&
            (!inside(at[len]) || !inside(text[len - 1])))
            return true;
    return false;
}

static bool option_named(const char *message, const char *word)
{
    char option[32];
    size_t len = strcspn(word, "=");

    if (strncmp(word, "--", 2) || len >= sizeof(option))
        return false;
    memcpy(option, word, len);
    option[len] = 0;
    return names(message, option, len);
}

/* How sure it is: a value that is named, if it is no stray digit, by its length; with its option,
 * more; an option alone is little: others may have it too. */
static size_t likely(const struct lab_unit *u, const struct lab_mark *m, const char *message)
{
    const char *text = lab_mark_text(m), *word = u->argv[m->word];
    bool is_option = !strncmp(word, "--", 2);
    /* In options = […] a value may be a word of its own, behind its option. */
    bool option = option_named(message, is_option || !m->word ? word : u->argv[m->word - 1]);
    size_t len = is_option && !strcmp(word, text) ? 0 : strlen(text);
    bool value = len && (len > 3 || option) && names(message, text, len);

    return value ? (option ? 2 * SURE : SURE) + len : option;
}

const struct lab_mark *lab_mark_meant(const struct lab_unit *u, const char *message)
{
    const struct lab_mark *best = NULL;
    size_t most = 0, now;

    for (unsigned i = 0; i < u->marks; i++) {
        now = likely(u, &u->mark[i], message);
        if (now > most)
            best = &u->mark[i];
        most = now > most ? now : most;
    }
    return best;
}

const char *lab_mark_text(const struct lab_mark *m)
{
    return m->text + (*m->text == ',');
}
