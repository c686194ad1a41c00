/*
 * A device's time: the loop it was handed is a view whose clock stands still while an event runs,
 * so that all it reads in one event is the time written beside it. Its timers and deferred work run
 * on the VM's loop in its place and come back as events; playing, only the file makes them run.
 * They are numbered in the order in which the device first names them.
 */
#include "record/rec_impl.h"
#include <errno.h>
#include <stdlib.h>

#define NS 1000000000u

static void timer_fire(struct rec_dev *d, unsigned n)
{
    struct loop_timer *t = d->timer[n]->timer;

    rec_begin(d);
    rec_add(rec_new(d), "timer %u", n);
    rec_head(d);
    t->due = 0;
    t->fire(t->arg);
    rec_end(d);
}

static unsigned timer_index(const struct rec_dev *d, const struct loop_timer *t)
{
    unsigned i;

    for (i = 0; i < d->timers && d->timer[i]->timer != t; i++)
        ;
    return i;
}

static void on_timer(void *arg)
{
    struct rec_timer *rt = arg;

    timer_fire(rt->dev, timer_index(rt->dev, rt->timer));
}

/* Its number, making room for one that is new; REC_TIMERS: there is none. */
static unsigned timer_number(struct rec_dev *d, struct loop_timer *t)
{
    unsigned n = timer_index(d, t);
    struct rec_timer *rt;

    if (n < d->timers || n == REC_TIMERS)
        return n;
    rt = calloc(1, sizeof(*rt));
    if (!rt)
        return REC_TIMERS;
    rt->dev = d;
    rt->timer = t;
    if (!d->rec->play)
        loop_timer_init(&rt->real, d->rec->loop, on_timer, rt);
    d->timer[d->timers++] = rt;
    return n;
}

static void view_set(void *ctx, struct loop_timer *t, uint64_t due)
{
    struct rec_dev *d = ctx;
    unsigned n = timer_number(d, t);

    if (n == REC_TIMERS) {
        d->rec->short_of = true;
        return;
    }
    t->due = due ? due : 1;
    rec_add(rec_new(d), "arm %u %llu", n, (unsigned long long)t->due);
    rec_put(d);
    if (!d->rec->play)
        loop_timer_set(&d->timer[n]->real, t->due);
}

static void view_stop(void *ctx, struct loop_timer *t)
{
    struct rec_dev *d = ctx;
    unsigned n = timer_index(d, t);

    if (!t->due)
        return;
    t->due = 0;
    rec_add(rec_new(d), "arm %u off", n);
    rec_put(d);
    if (!d->rec->play && n < d->timers)
        loop_timer_stop(&d->timer[n]->real);
}

/* ---- deferred work ---- */

static unsigned work_index(const struct rec_dev *d, const struct loop_work *w)
{
    unsigned i;

    for (i = 0; i < d->works && d->work[i]->work != w; i++)
        ;
    return i;
}

static void work_run(struct rec_dev *d, unsigned n)
{
    struct loop_work *w = d->work[n]->work;

    rec_begin(d);
    rec_add(rec_new(d), "work %u", n);
    rec_head(d);
    w->queued = false;
    w->run(w->arg);
    rec_end(d);
}

static void on_work(void *arg)
{
    struct rec_work *rw = arg;

    work_run(rw->dev, work_index(rw->dev, rw->work));
}

static unsigned work_number(struct rec_dev *d, struct loop_work *w)
{
    unsigned n = work_index(d, w);
    struct rec_work *rw;

    if (n < d->works || n == REC_TIMERS)
        return n;
    rw = calloc(1, sizeof(*rw));
    if (!rw)
        return REC_TIMERS;
    *rw = (struct rec_work){.dev = d, .work = w, .real = {.run = on_work, .arg = rw}};
    d->work[d->works++] = rw;
    return n;
}

static void view_defer(void *ctx, struct loop_work *w)
{
    struct rec_dev *d = ctx;
    unsigned n = work_number(d, w);

    if (n == REC_TIMERS) {
        d->rec->short_of = true;
        return;
    }
    if (w->queued)
        return;
    w->queued = true;
    rec_add(rec_new(d), "defer %u", n);
    rec_put(d);
    if (!d->rec->play)
        loop_defer(d->rec->loop, &d->work[n]->real);
}

static void view_cancel(void *ctx, struct loop_work *w)
{
    struct rec_dev *d = ctx;
    unsigned n = work_index(d, w);

    if (!w->queued)
        return;
    w->queued = false;
    rec_add(rec_new(d), "cancel %u", n);
    rec_put(d);
    if (!d->rec->play && n < d->works)
        loop_work_cancel(d->rec->loop, &d->work[n]->real);
}

/* ---- the clock ---- */

static uint64_t view_now(const void *ctx)
{
    return ((const struct rec_dev *)ctx)->rec->now;
}

static uint64_t view_wall(const void *ctx)
{
    const struct rec *r = ((const struct rec_dev *)ctx)->rec;

    return r->m.epoch + r->now / NS;
}

static const struct loop_view_ops view_ops = {view_set,    view_stop, view_defer,
                                              view_cancel, view_now,  view_wall};

int rec_time_open(struct rec_dev *d)
{
    d->view = loop_view(&view_ops, d);
    return d->view ? 0 : -ENOMEM;
}

void rec_time_close(struct rec_dev *d)
{
    for (unsigned i = 0; i < d->timers; i++) {
        if (!d->rec->play)
            loop_timer_stop(&d->timer[i]->real);
        free(d->timer[i]);
    }
    for (unsigned i = 0; i < d->works; i++) {
        if (!d->rec->play)
            loop_work_cancel(d->rec->loop, &d->work[i]->real);
        free(d->work[i]);
    }
    loop_close(d->view);
}

/* ---- playing ---- */

void rec_time_play(struct rec_dev *d, bool timer, const char *rest)
{
    struct rec *r = d->rec;
    uint64_t n;

    if (!rec_number(&rest, 10, &n) || *rest)
        rec_differ(r, "not a number of a timer: %.40s", rest);
    else if (n >= (timer ? d->timers : d->works))
        rec_differ(r, "%s: has not used %s %u yet", d->name, timer ? "timer" : "work", (unsigned)n);
    else if (timer && (!d->timer[n]->timer->due || d->timer[n]->timer->due > r->now))
        rec_differ(r, "%s: expected timer %u to be due at %llu, got due at %llu (0: stopped)",
                   d->name, (unsigned)n, (unsigned long long)r->now,
                   (unsigned long long)d->timer[n]->timer->due);
    else if (!timer && !d->work[n]->work->queued)
        rec_differ(r, "%s: expected work %u to be waiting, got none", d->name, (unsigned)n);
    else if (timer)
        timer_fire(d, (unsigned)n);
    else
        work_run(d, (unsigned)n);
}
