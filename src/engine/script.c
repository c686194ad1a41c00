/*
 * Engine `script`: the player. A script is a list of lines, each one verb; `repeat` and `await` are
 * the only control. Its verbs are in script_verbs.c and script_state.c, its words in
 * script_words.c; docs/script.md is the user's side.
 */
#include "engine/script.h"
#include "core/error.h"
#include "core/loop.h"
#include "engine/script_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_MAX   1000000u
#define DEPTH_MAX    8u
#define AWAIT_ROUNDS 500 /* of 10 ms: backends that use the real world have 5 s */
#define AWAIT_MS     10
#define FILE_MAX     (8u << 20)

static int run_lines(struct script *s, unsigned from, unsigned to, struct error *err);

static int run_verb(struct script *s, int argc, char **argv, struct error *err)
{
    int e = script_verb(s, argc, argv, err);

    if (e == -ENOENT && s->world->verb)
        e = s->world->verb(s->world->ctx, s, argc, argv, err);
    if (e == -ENOENT)
        e = error_set(err, -EINVAL, "unknown verb");
    return e;
}

/* await VERB …: again and again, serving the event loop, until the verb's expectation holds */
static int run_await(struct script *s, int argc, char **argv, struct error *err)
{
    int round, e;

    if (argc < 2 || !s->world->loop)
        return error_set(err, -EINVAL, "await VERB …, in a world with time");
    for (round = 0; round < AWAIT_ROUNDS; round++) {
        e = run_verb(s, argc - 1, argv + 1, err);
        if (e != -EPROTO)
            return e;
        loop_step(s->world->loop, AWAIT_MS);
    }
    return e;
}

/* Words of line n, cut from a copy that the caller frees. */
static int line_words(struct script *s, unsigned n, char **copy, char **word, struct error *err)
{
    *copy = strdup(s->line[n]);
    if (!*copy)
        return error_set(err, -ENOMEM, "out of memory");
    return script_split(*copy, word, SCRIPT_WORDS_MAX, err);
}

/* The line of the `end` that closes the `repeat` at line n, or 0. */
static unsigned find_end(const struct script *s, unsigned n, unsigned to)
{
    unsigned depth = 0;
    char word[8];

    for (; n < to; n++) {
        if (sscanf(s->line[n], " %7s", word) != 1)
            continue;
        if (!strcmp(word, "repeat"))
            depth++;
        else if (!strcmp(word, "end") && !--depth)
            return n;
    }
    return 0;
}

/* repeat COUNT [NAME] … end; NAME counts from 0 */
static int run_repeat(struct script *s, int argc, char **argv, unsigned *n, unsigned to,
                      struct error *err)
{
    unsigned begin = *n, end = find_end(s, *n, to);
    uint64_t count = 0, i;
    int e;

    if (!end || argc < 2 || argc > 3)
        return error_set(err, -EINVAL, "repeat COUNT [NAME], closed by end");
    e = script_number(s, argv[1], &count, err);
    if (!e && (count > REPEAT_MAX || s->depth == DEPTH_MAX))
        e = error_set(err, -EINVAL, "at most %u times, %u deep", REPEAT_MAX, DEPTH_MAX);
    s->depth++;
    for (i = 0; !e && i < count; i++) {
        if (argc == 3)
            e = script_let(s, argv[2], i, err);
        if (!e)
            e = run_lines(s, begin + 1, end, err);
    }
    s->depth--;
    *n = end;
    return e;
}

static int run_line(struct script *s, unsigned *n, unsigned to, struct error *err)
{
    char *word[SCRIPT_WORDS_MAX + 1], *copy = NULL;
    int argc = line_words(s, *n, &copy, word, err), e;

    s->at = *n;
    if (argc <= 0)
        e = argc;
    else if (!strcmp(word[0], "repeat"))
        e = run_repeat(s, argc, word, n, to, err);
    else if (!strcmp(word[0], "end"))
        e = error_set(err, -EINVAL, "end without repeat");
    else if (!strcmp(word[0], "await"))
        e = run_await(s, argc, word, err);
    else
        e = run_verb(s, argc, word, err);
    free(copy);
    return e;
}

static int run_lines(struct script *s, unsigned from, unsigned to, struct error *err)
{
    unsigned n;
    int e = 0;

    for (n = from; !e && n < to; n++)
        e = run_line(s, &n, to, err);
    return e;
}

/* Cut the text into lines. */
static int load_lines(struct script *s, char *text)
{
    char *line;

    for (; (line = strsep(&text, "\n")); s->lines++) {
        char **all = realloc(s->line, (s->lines + 1) * sizeof(*all));

        if (!all)
            return -ENOMEM;
        s->line = all;
        all[s->lines] = line;
    }
    return 0;
}

/* FILE:LINE: the line itself: what is wrong */
static int blame(const struct script *s, int e, struct error *err)
{
    struct error why = err ? *err : (struct error){{0}};
    const char *line = s->line[s->at];

    line += strspn(line, " \t");
    return error_set(err, e, "%s:%u: %.60s: %.360s", s->name, s->at + 1, line, why.text);
}

int script_play_text(const char *name, const char *text, struct script_world *w, struct error *err)
{
    struct script *s = calloc(1, sizeof(*s));
    char *copy = strdup(text);
    int e = -ENOMEM;

    if (s && copy) {
        s->world = w;
        s->name = name;
        e = load_lines(s, copy);
    }
    if (e) {
        error_set(err, e, "%s: out of memory", name);
    } else {
        e = run_lines(s, 0, s->lines, err);
        if (e)
            blame(s, e, err);
    }
    if (s) {
        free(s->line);
        free(s->mark);
        free(s->saved);
    }
    free(s);
    free(copy);
    return e;
}

static int read_all(const char *path, char **text)
{
    FILE *f = fopen(path, "re");
    size_t n;
    int e = 0;

    if (!f)
        return -errno;
    *text = malloc(FILE_MAX + 1);
    if (!*text) {
        fclose(f);
        return -ENOMEM;
    }
    n = fread(*text, 1, FILE_MAX + 1, f);
    if (ferror(f))
        e = -EIO;
    else if (n > FILE_MAX)
        e = -EFBIG;
    else
        (*text)[n] = '\0';
    fclose(f);
    if (e)
        free(*text);
    return e;
}

int script_play(const char *path, struct script_world *w, struct error *err)
{
    char *text = NULL;
    int e = read_all(path, &text);

    if (e)
        return error_set(err, e, "%s: %s", path, strerror(-e));
    e = script_play_text(path, text, w, err);
    free(text);
    return e;
}
