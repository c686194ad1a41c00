/* Machines by the words of a command line, and the way to their control sockets. */
#include "cli/lab_ask.h"
#include "cli/lab_boss.h"
#include "cli/top.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_S 3u /* a machine that is stopped is waited for so long */

static int add(struct top_set *s, const char *lab, const char *name, const char *path,
               struct error *err)
{
    struct top_machine *m = reallocarray(s->machine, s->machines + 1, sizeof(*m));

    if (!m)
        return error_set(err, -ENOMEM, "not enough memory");
    s->machine = m;
    m += s->machines++;
    *m = (struct top_machine){.fd = -1, .call = {.fd = -1}};
    snprintf(m->name, sizeof(m->name), "%s%s%.70s", lab ? lab : "", lab ? "/" : "", name);
    snprintf(m->path, sizeof(m->path), "%s", path);
    return 0;
}

static int add_unit(struct top_set *s, const struct lab_view *v, const struct lab_view_unit *u,
                    struct error *err)
{
    char *path = lab_path(v->run, u->name, LAB_CTL);
    int code = path ? add(s, v->name, u->name, path, err) : -ENOMEM;

    free(path);
    if (code)
        return code;
    snprintf(s->machine[s->machines - 1].kind, sizeof(s->machine->kind), "%s", u->kind);
    s->machine[s->machines - 1].restarts = u->restarts;
    return 0;
}

struct adding {
    struct top_set *s;
    const char *lab; /* or NULL: all */
    bool found;
    struct error *err;
};

static int add_lab(struct lab_view *v, void *arg)
{
    struct adding *a = arg;
    int code = 0;

    if (a->lab && strcmp(a->lab, v->name))
        return 0;
    a->found = true;
    for (unsigned i = 0; i < v->units && !code; i++)
        if (strcmp(v->unit[i].kind, "seat") && v->unit[i].pid)
            code = add_unit(a->s, v, &v->unit[i], a->err);
    return code;
}

static bool is_socket(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISSOCK(st.st_mode);
}

static int add_word(struct top_set *s, const char *word, struct error *err)
{
    struct adding a = {.s = s, .lab = word, .err = err};
    struct lab_view_unit *u;
    struct lab_view v;
    int code;

    if (*word == '/' || *word == '.' || strstr(word, ".sock") || strstr(word, ".ctl") ||
        is_socket(word))
        return add(s, NULL, word, word, err);
    code = lab_each(add_lab, &a, err);
    if (code || a.found)
        return code;
    code = lab_unit_meant(&v, &u, word, err);
    if (code)
        return code;
    code = strcmp(u->kind, "seat")
               ? add_unit(s, &v, u, err)
               : error_set(err, -EINVAL, "%s: is a seat, and counts nothing", word);
    lab_view_free(&v);
    return code;
}

int top_set_open(struct top_set *s, const char *const *word, unsigned words, struct error *err)
{
    struct adding all = {.s = s, .err = err};
    int code;

    s->dial.sock = -1;
    code = words ? 0 : lab_each(add_lab, &all, err);
    for (unsigned i = 0; i < words && !code; i++)
        code = add_word(s, word[i], err);
    if (!code && !s->machines)
        code = error_set(err, -ENOENT,
                         "no machine runs; viaduct up starts some, or name a --ctl socket");
    for (unsigned i = 0; i < s->machines && !code; i++) {
        struct error none;

        s->machine[i].fd = ctl_dial(s->machine[i].path, PATIENCE_S, &none);
    }
    return code;
}

int top_set_again(struct top_set *s, const struct client *client, struct error *err)
{
    const char **path = calloc(s->machines, sizeof(*path));
    int code = -ENOMEM;

    for (unsigned i = 0; path && i < s->machines; i++)
        path[i] = s->machine[i].path;
    if (path)
        code = dial_open(&s->dial, client, path, s->machines, PATIENCE_S);
    free(path); /* the other process has a copy of all */
    return code ? error_set(err, code, "no process to dial again: %s", strerror(-code)) : 0;
}

void top_lose(struct top_machine *m)
{
    if (m->there)
        ctl_hang_up(&m->call);
    m->call = (struct ctl_call){.fd = -1};
    m->there = false;
}

bool top_reach(struct top_set *s, struct top_machine *m)
{
    struct error none;
    int fd = m->fd;

    if (m->there)
        return true;
    m->fd = -1;
    if (fd < 0 && s->dial.sock >= 0)
        fd = dial_again(&s->dial, (unsigned)(m - s->machine));
    if (fd < 0)
        return false;
    m->there = true;
    m->call = (struct ctl_call){.fd = -1, .passed = -1};
    if (!ctl_greet(&m->call, fd, &none))
        return true;
    top_lose(m);
    return false;
}

void top_set_close(struct top_set *s)
{
    for (unsigned i = 0; i < s->machines; i++) {
        top_lose(&s->machine[i]);
        if (s->machine[i].fd >= 0)
            close(s->machine[i].fd);
        top_sample_free(&s->machine[i].was);
        top_sample_free(&s->machine[i].is);
    }
    dial_close(&s->dial);
    free(s->machine);
}
