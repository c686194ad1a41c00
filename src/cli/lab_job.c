/*
 * What clients ask the supervisor for. Up: networks, then domains, then machines, each kind when
 * the one before listens; if one fails, what this job started is stopped again, and the client is
 * told why. Down: the other way round.
 *
 * Each line to a client starts with a sign: "." tells what was done, "+" ends well, "-" doesn't.
 */
#include "cli/cli.h"
#include "cli/lab_boss.h"
#include "cli/lab_tell.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void line_send(struct boss *b, char sign, const char *text)
{
    char line[1200];
    int n = snprintf(line, sizeof(line), "%c%.1100s\n", sign, text);

    if (b->job.client >= 0)
        (void)!send(b->job.client, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void job_say(struct boss *b, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    if (b->job.kind == JOB_NONE)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    line_send(b, '.', text);
}

static bool any_lives(const struct boss *b)
{
    for (unsigned i = 0; i < b->units; i++)
        if (boss_lives(b->unit[i]) || b->unit[i]->state == LAB_WAITING)
            return true;
    return false;
}

/* text NULL: it went well. */
static void job_end(struct boss *b, const char *text)
{
    for (unsigned i = 0; i < b->units; i++)
        b->unit[i]->tried = false;
    state_save(b); /* before the client looks */
    if (b->job.all && b->job.kind == JOB_DOWN)
        boss_clean(b);
    if (!any_lives(b)) /* who hears how it ended may come back at once: to another one */
        boss_leave(b);
    line_send(b, text ? '-' : '+', text ? text : "");
    if (b->job.client >= 0)
        close(b->job.client);
    b->job = (struct boss_job){.client = -1};
}

/* ---- up ---- */

/* A plan against what runs: words that one has and the other has not. */
static void differs(struct boss *b, const struct boss_unit *u, const struct lab_unit *plan)
{
    char text[600];

    if (lab_tell_difference(u->plan.argv, plan->argv, text, sizeof(text)))
        job_say(b, "%s runs with other settings: %s; viaduct down %s %s, then up, changes that",
                plan->name, text, b->name, plan->name);
}

static void plan_move(struct boss_unit *u, struct lab_unit *plan)
{
    struct lab_unit was = u->plan;

    u->plan = *plan;
    *plan = was; /* lab_close frees it */
}

static int plan_take(struct boss *b, struct lab_unit *plan)
{
    struct boss_unit *u = boss_find(b, plan->name);

    if (u && (boss_lives(u) || u->state == LAB_WAITING)) {
        differs(b, u, plan);
        u->plan.restart = plan->restart;
        return 0;
    }
    if (!u)
        u = unit_add(b);
    if (!u)
        return error_set(&b->job.err, -ENOMEM, "more than %u processes, or not enough memory",
                         LAB_UNITS);
    plan_move(u, plan);
    u->fails = 0;
    unit_state(u, LAB_OFF);
    return 0;
}

static bool planned(const struct lab *l, const char *name)
{
    for (unsigned i = 0; i < l->units; i++)
        if (!strcmp(l->unit[i].name, name))
            return true;
    return false;
}

/* What the file has no more: told if it runs, else forgotten. */
static void others(struct boss *b, const struct lab *l)
{
    for (unsigned i = b->units; i-- > 0;) {
        struct boss_unit *u = b->unit[i];

        if (planned(l, u->plan.name))
            continue;
        if (boss_lives(u))
            job_say(b, "%s runs, and is not in %s", u->plan.name, l->file);
        else
            unit_drop(b, i);
    }
}

static int by_kind(const void *a, const void *b)
{
    const struct boss_unit *const *u = a, *const *v = b;

    return (int)(*u)->plan.kind - (int)(*v)->plan.kind;
}

void job_up(struct boss *b, const char *file)
{
    struct lab *l = NULL;
    int code;

    b->job.kind = JOB_UP;
    code = lab_open(&l, file, &b->job.err);
    if (!code && strcmp(l->name, b->name))
        code = error_set(&b->job.err, -EINVAL, "%s: is lab %s now, not %s", file, l->name, b->name);
    if (!code)
        others(b, l);
    for (unsigned i = 0; !code && i < l->units; i++)
        code = plan_take(b, &l->unit[i]);
    if (!code) {
        free(b->file);
        b->file = strdup(l->file);
        qsort(b->unit, b->units, sizeof(b->unit[0]), by_kind);
    }
    lab_close(l);
    if (code)
        job_end(b, b->job.err.text);
}

/* "FILE:LINE:COLUMN: " of the key that the process found wrong; "": it was another matter. */
static void place_tell(const struct boss *b, const struct boss_unit *u, const char *said,
                       char *place, size_t room)
{
    const char *last = strrchr(said, '|');
    const struct lab_mark *m = last ? lab_mark_meant(&u->plan, last) : NULL;

    m = m ? m : lab_mark_meant(&u->plan, said);
    *place = 0;
    if (u->status != -1 && WIFEXITED(u->status) && WEXITSTATUS(u->status) == EXIT_USAGE)
        snprintf(place, room, "%.180s:%u:%u: ", b->file, m ? m->line : u->plan.line,
                 m ? m->column : u->plan.column);
}

static void up_failed(struct boss *b, const struct boss_unit *u, const char *why)
{
    char tail[500], place[220];

    lab_tell_tail(b->run, u->plan.name, tail, sizeof(tail));
    place_tell(b, u, tail, place, sizeof(place));
    error_set(&b->job.err, -EIO, "%s%s %s %s%s%s", place, lab_kind_name(u->plan.kind), u->plan.name,
              why, *tail ? ": " : "", tail);
    b->job.kind = JOB_UNDO;
}

/* False: it failed. */
static bool up_one(struct boss *b, struct boss_unit *u)
{
    char how[64];
    int code;

    if (!boss_lives(u) && u->state != LAB_WAITING && !u->tried) {
        u->tried = true;
        code = unit_spawn(u, false);
        if (code)
            up_failed(b, u, strerror(-code));
        return !code;
    }
    if (!u->tried || boss_lives(u) || u->status == 0) /* one that has done its work is no failure */
        return true;
    lab_tell_status(u->status, how, sizeof(how));
    up_failed(b, u, how);
    return false;
}

static void up_tick(struct boss *b)
{
    enum lab_kind kind = LAB_NETWORK;
    bool waiting = false;

    for (unsigned i = 0; i < b->units; i++) {
        struct boss_unit *u = b->unit[i];

        if (u->plan.kind != kind && waiting)
            return;
        kind = u->plan.kind;
        if (!up_one(b, u))
            return;
        waiting |= u->state == LAB_STARTING;
    }
    if (!waiting)
        job_end(b, NULL);
}

/* ---- down ---- */

/* Those that tried says, in the other order. True: none is left. */
static bool down_step(struct boss *b, bool quick)
{
    enum lab_kind kind = LAB_KINDS;
    bool waiting = false;

    for (unsigned i = b->units; i-- > 0;) {
        struct boss_unit *u = b->unit[i];

        if (!u->tried || (!boss_lives(u) && u->state != LAB_WAITING))
            continue;
        if (u->plan.kind != kind && waiting)
            return false;
        kind = u->plan.kind;
        waiting = true;
        if (u->state != LAB_STOPPING)
            unit_stop(u, quick);
    }
    return !waiting;
}

static void down_tick(struct boss *b)
{
    if (down_step(b, false))
        job_end(b, NULL);
}

static void undo_tick(struct boss *b)
{
    struct error err = b->job.err;

    if (down_step(b, true))
        job_end(b, err.text);
}

void job_down(struct boss *b, char *names)
{
    char *save = NULL;

    b->job.kind = JOB_DOWN;
    b->job.all = !*names;
    for (unsigned i = 0; i < b->units; i++)
        b->unit[i]->tried = b->job.all;
    for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
        struct boss_unit *u = boss_find(b, n);

        if (!u) {
            error_set(&b->job.err, -ENOENT, "lab %s has no %s", b->name, n);
            job_end(b, b->job.err.text);
            return;
        }
        u->tried = true;
    }
}

void job_tick(struct boss *b)
{
    switch (b->job.kind) {
    case JOB_UP: up_tick(b); break;
    case JOB_DOWN: down_tick(b); break;
    case JOB_UNDO: undo_tick(b); break;
    default: break;
    }
}
