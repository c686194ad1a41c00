/*
 * viaduct metrics: what machines have counted, as Prometheus reads it, all in one text. In that
 * format the lines of one metric stand together, so the machines' texts are taken apart and joined
 * by metric: in a jail (sandbox/rows_client.c), with connected sockets and the standard streams.
 */
#include "cli/cli.h"
#include "cli/top.h"
#include "core/error.h"
#include "core/log.h"
#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS    64u
#define FAMILIES 64u

struct family { /* the head of one, and its lines of all machines */
    char *head, *lines;
    size_t len, room;
};

struct options {
    struct client client;
    const char *word[WORDS];
    unsigned words;
};

static bool lines_add(struct family *f, const char *text, size_t n)
{
    char *more = f->lines;

    if (f->room - f->len < n) {
        f->room = 2 * f->room + n;
        more = realloc(f->lines, f->room);
    }
    if (!more)
        return false;
    f->lines = more;
    memcpy(more + f->len, text, n);
    f->len += n;
    return true;
}

/* The family whose head, its HELP line, this is; made if there is none. NULL: too many. */
static struct family *family_of(struct family *all, const char *head, size_t n)
{
    for (unsigned i = 0; i < FAMILIES; i++) {
        if (!all[i].head)
            all[i].head = strndup(head, n);
        if (!all[i].head)
            return NULL;
        if (strlen(all[i].head) == n && !memcmp(all[i].head, head, n))
            return &all[i];
    }
    return NULL;
}

/* A HELP line and the TYPE line after it are a head; lines after that are its. */
static int text_take(struct family *all, const char *text)
{
    struct family *f = NULL;

    while (*text) { /* each round takes a line */
        size_t n = strcspn(text, "\n");
        bool head = !strncmp(text, "# HELP ", 7);

        if (head && text[n])
            n += 1 + strcspn(text + n + 1, "\n");
        n += text[n] == '\n';
        if (head)
            f = family_of(all, text, n);
        if (!f || (!head && !lines_add(f, text, n)))
            return -ENOMEM;
        text += n;
    }
    return 0;
}

static int machine_take(struct family *all, struct top_set *s, struct top_machine *m,
                        struct error *err)
{
    cJSON *args = cJSON_CreateObject(), *got = NULL;
    const char *text;
    int code;

    cJSON_AddStringToObject(args, "name", m->name);
    if (!top_reach(s, m)) {
        cJSON_Delete(args);
        return error_set(err, -EIO, "%s: does not answer", m->name);
    }
    code = ctl_call(&m->call, "query-metrics", args, &got, err);
    text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(got, "text"));
    if (!code && (!text || text_take(all, text)))
        code = error_set(err, -ENOMEM, "%s: its answer makes no sense, or is too long", m->name);
    cJSON_Delete(got);
    return code;
}

/* What the lab knows of those in it. */
static int lab_take(struct family *all, const struct top_set *s, const char *head, bool up)
{
    const char *name = up ? "up" : "restarts_total";
    int code = text_take(all, head);
    char line[256];

    for (unsigned i = 0; i < s->machines && !code; i++) {
        const struct top_machine *m = &s->machine[i];

        if (!*m->kind)
            continue;
        snprintf(line, sizeof(line), "%sviaduct_%s{%s=\"%s\"} %u\n", head, name, m->kind, m->name,
                 up ? m->there : m->restarts);
        code = text_take(all, line);
    }
    return code;
}

static int labs_take(struct family *all, const struct top_set *s, struct error *err)
{
    if (lab_take(all, s,
                 "# HELP viaduct_up 1 if it answers.\n"
                 "# TYPE viaduct_up gauge\n",
                 true) ||
        lab_take(all, s,
                 "# HELP viaduct_restarts_total How often the lab has started it again.\n"
                 "# TYPE viaduct_restarts_total counter\n",
                 false))
        return error_set(err, -ENOMEM, "not enough memory");
    return 0;
}

/* A machine that does not answer is told and left out; all of them: a failure. */
static int collect(const struct options *o, struct family *all, struct error *err)
{
    struct top_set s = {0};
    int code = top_set_open(&s, o->word, o->words, err);
    unsigned good = 0;

    if (!code)
        code = client_box_enter(&o->client, err);
    for (unsigned i = 0; i < s.machines && !code; i++)
        if (machine_take(all, &s, &s.machine[i], err))
            log_warn("%s", err->text);
        else
            good++;
    if (!code && !good)
        code = error_set(err, -EIO, "no machine answers");
    if (!code)
        code = labs_take(all, &s, err);
    top_set_close(&s);
    return code;
}

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct options *o = ctx;

    if (o->words == WORDS)
        return error_set(err, -EINVAL, "metrics: at most %u names", WORDS);
    o->word[o->words++] = word;
    return 0;
}

static const struct opt options[] = {CLIENT_OPTIONS, {0}};

static int metrics_run(int argc, char **argv)
{
    struct family all[FAMILIES] = {{0}};
    struct options o = {
        .client = {.role = "metrics",
                   .sets = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_ASK)}};
    struct error err = {0};
    bool help;
    int code = opt_parse(options, argc, argv, &o, take_word, &help, &err);

    if (!code && help) {
        opt_help(&verb_metrics, options);
        return EXIT_OFF;
    }
    if (!code)
        code = collect(&o, all, &err);
    for (unsigned i = 0; i < FAMILIES; i++) {
        if (!code && all[i].head)
            printf("%s%.*s", all[i].head, (int)all[i].len, all[i].lines ? all[i].lines : "");
        free(all[i].head);
        free(all[i].lines);
    }
    if (code)
        log_error("%s", err.text);
    return !code ? EXIT_OFF : code == -EIO ? EXIT_VMM : EXIT_USAGE;
}

const struct verb verb_metrics = {"metrics", "[LAB|NAME|SOCKET…]",
                                  "what machines have counted, for Prometheus", metrics_run};
