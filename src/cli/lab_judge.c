/*
 * A plan is judged before anything of it is started: each command by the very parser that will take
 * it, and the files that are to be there are looked for. What is wrong is told with the place in
 * the lab's file of the key it came from. Nothing is opened or made here, so what only the use of a
 * thing shows is left to the process that uses it (lab_job.c quotes that with a place too).
 */
#include "cli/lab_judge.h"
#include "cli/cli.h"
#include "core/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static verb_judge *judge_of(enum lab_kind kind)
{
    return kind == LAB_VM       ? run_judge
           : kind == LAB_DOMAIN ? domain_judge
           : kind == LAB_SEAT   ? seat_judge
                                : switch_judge;
}

/* The first words of a command, argv[0] being viaduct. */
static bool good(const struct lab_unit *u, char **argv, unsigned words, struct error *why)
{
    *why = (struct error){0};
    return !judge_of(u->kind)((int)words - 1, argv + 1, why);
}

/* The word with which the command becomes what it is in the end. Bound: LAB_ARGS. */
static unsigned word_find(const struct lab_unit *u, const struct error *why)
{
    struct error now;
    unsigned n = 3;

    while (n < u->argc && (good(u, u->argv, n, &now) || strcmp(now.text, why->text)))
        n++;
    return n - 1;
}

/* ",iops=0" taken out of a word: is it good then? */
static bool good_without(const struct lab_unit *u, const struct lab_mark *m)
{
    size_t len = strlen(m->text);
    char **argv = calloc(u->argc + 1, sizeof(*argv)), *word = strdup(u->argv[m->word]);
    char *at = word;
    struct error why;
    bool is;

    while (at && (at = strstr(at, m->text)) && at[len] && at[len] != ',')
        at++;
    is = argv && at && *m->text == ',';
    if (is) {
        memmove(at, at + len, strlen(at + len) + 1);
        memcpy(argv, u->argv, u->argc * sizeof(*argv));
        argv[m->word] = word;
        is = good(u, argv, m->word + 1, &why);
    }
    free(argv);
    free(word);
    return is;
}

/* Which of the texts in that word; NULL: no key made it. */
static const struct lab_mark *text_find(const struct lab_unit *u, unsigned word, const char *why)
{
    const struct lab_mark *meant = lab_mark_meant(u, why), *whole = NULL;

    for (unsigned i = 0; i < u->marks; i++) {
        const struct lab_mark *m = &u->mark[i];

        if (m->word == word && good_without(u, m))
            return m;
        if (m->word == word && (!whole || !*m->text))
            whole = m;
    }
    return meant && meant->word == word ? meant : whole;
}

static int told(const struct lab *l, const struct lab_unit *u, const struct lab_mark *m,
                const char *why, struct error *err)
{
    const char *text = m ? lab_mark_text(m) : "";

    return error_set(err, -EINVAL, "%.180s:%u:%u: found %s%.60s%s: %s", l->file,
                     m ? m->line : u->line, m ? m->column : u->column,
                     *text ? "\"" : "what can't be run", text, *text ? "\"" : "", why);
}

static int command_judge(const struct lab *l, const struct lab_unit *u, struct error *err)
{
    struct error why;
    unsigned word;

    if (good(u, u->argv, u->argc, &why))
        return 0;
    word = word_find(u, &why);
    return told(l, u, text_find(u, word, why.text), why.text, err);
}

/* ---- files ---- */

static bool will_be_made(const struct lab *l, const char *path)
{
    for (unsigned i = 0; i < l->images; i++)
        if (!strcmp(l->image[i].path, path))
            return true;
    return false;
}

static int files_judge(const struct lab *l, const struct lab_unit *u, struct error *err)
{
    for (unsigned i = 0; i < u->marks; i++) {
        const struct lab_mark *m = &u->mark[i];

        if (!m->there || !access(m->text, R_OK) || (errno == ENOENT && will_be_made(l, m->text)))
            continue;
        return error_set(err, -EINVAL,
                         "%.180s:%u:%u: found \"%.160s\", expected a file that can be read: %s",
                         l->file, m->line, m->column, m->text, strerror(errno));
    }
    return 0;
}

int lab_judge(const struct lab *l, struct error *err)
{
    int code = 0;

    for (unsigned i = 0; i < l->units && !code; i++) {
        code = command_judge(l, &l->unit[i], err);
        if (!code)
            code = files_judge(l, &l->unit[i], err);
    }
    return code;
}
