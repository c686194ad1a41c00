/* The loop's time: the clock, timers, deferred work. */
#include "core/loop.h"
#include "core/loop_impl.h"
#include "core/tsc.h"

#include <time.h>

#define NS           1000000000ull
#define MANUAL_EPOCH 946684800ull /* 2000-01-01 */
#define LATE_NS      200000ull    /* what a loop thread that gets its CPU never needs */
#define LATE_FAR     (1ull << 53) /* hundred days: a timer after that is never late */
/* A timer due at 0 would read as not armed. */
#define DUE_MIN 1u
/* Timers fired in one loop_advance: a device that re-arms without a floor ends here. */
#define ADVANCE_FIRES_MAX 1000000u
/* Rounds a trap's thread gives to deferred work that defers more, before the loop takes over. */
#define COLLECT_ROUNDS 4u

_Thread_local struct loop *loop_collector __attribute__((tls_model("initial-exec")));

uint64_t loop_now(const struct loop *l)
{
    struct timespec ts;

    if (l->view)
        return l->view->now(l->view_ctx);
    if (l->manual)
        return l->now;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec - l->start;
}

uint64_t loop_wall(const struct loop *l)
{
    if (l->view)
        return l->view->wall(l->view_ctx);
    return l->manual ? MANUAL_EPOCH + l->now / NS : (uint64_t)time(NULL);
}

/* Timers. */

/* The queue is locked, and may have another first timer than before. */
static void late_update(struct loop *l)
{
    uint64_t due = l->armed ? l->armed->due : 0, now, late = UINT64_MAX;

    if (!l->tsc_hz || due == l->late_of)
        return;
    l->late_of = due;
    now = loop_now(l);
    if (due && due < now + LATE_FAR)
        late =
            tsc_read() + (uint64_t)((unsigned __int128)(due > now ? due + LATE_NS - now : LATE_NS) *
                                    l->tsc_hz / NS);
    __atomic_store_n(&l->late, late, __ATOMIC_RELAXED);
}

const uint64_t *loop_late(struct loop *l, uint64_t tsc_hz)
{
    pthread_mutex_lock(&l->queue);
    l->tsc_hz = tsc_hz;
    l->late = UINT64_MAX;
    l->late_of = 0;
    late_update(l);
    pthread_mutex_unlock(&l->queue);
    return &l->late;
}

void loop_catch_up(struct loop *l)
{
    struct loop *outer = loop_collector;

    loop_lock(l);
    loop_collector = l;
    loop_timers_run(l, loop_now(l));
    loop_deferred_run(l);
    loop_collector = outer;
    loop_unlock(l);
}

static void timer_unlink(struct loop *l, struct loop_timer *t)
{
    struct loop_timer **p = &l->armed;

    while (*p && *p != t)
        p = &(*p)->next;
    if (*p)
        *p = t->next;
    t->next = NULL;
    t->due = 0;
}

/* After those due at the same time: timers of one instant fire in the order they were set. */
static void timer_link(struct loop *l, struct loop_timer *t, uint64_t due)
{
    struct loop_timer **p = &l->armed;

    t->due = due > DUE_MIN ? due : DUE_MIN;
    while (*p && (*p)->due <= t->due)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(void *), void *arg)
{
    *t = (struct loop_timer){.fire = fire, .arg = arg, .loop = l};
}

void loop_timer_set(struct loop_timer *t, uint64_t due_ns)
{
    struct loop *l = t->loop;
    bool wake;

    if (l->view) {
        l->view->set(l->view_ctx, t, due_ns);
        return;
    }
    pthread_mutex_lock(&l->queue);
    if (t->due)
        timer_unlink(l, t);
    timer_link(l, t, due_ns);
    late_update(l);
    /* A sleeper that wakes in time by itself is left alone; later, it just sleeps again. */
    wake = l->sleep_until && t->due < l->sleep_until;
    pthread_mutex_unlock(&l->queue);
    if (wake)
        loop_wake(l);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (!t->loop)
        return;
    if (t->loop->view) {
        t->loop->view->stop(t->loop->view_ctx, t);
        return;
    }
    pthread_mutex_lock(&t->loop->queue);
    if (t->due)
        timer_unlink(t->loop, t);
    late_update(t->loop);
    pthread_mutex_unlock(&t->loop->queue);
}

uint64_t loop_next_due(struct loop *l)
{
    uint64_t due;

    pthread_mutex_lock(&l->queue);
    due = l->armed ? l->armed->due : 0;
    pthread_mutex_unlock(&l->queue);
    return due;
}

static struct loop_timer *timer_pop(struct loop *l, uint64_t until)
{
    struct loop_timer *t;

    pthread_mutex_lock(&l->queue);
    t = l->armed;
    if (t && t->due <= until)
        timer_unlink(l, t);
    else
        t = NULL;
    late_update(l);
    pthread_mutex_unlock(&l->queue);
    return t;
}

static unsigned timers_due(struct loop *l, uint64_t now)
{
    const struct loop_timer *t;
    unsigned n = 0;

    pthread_mutex_lock(&l->queue);
    for (t = l->armed; t && t->due <= now; t = t->next)
        n++;
    pthread_mutex_unlock(&l->queue);
    return n;
}

void loop_timers_run(struct loop *l, uint64_t now)
{
    unsigned n = timers_due(l, now);
    struct loop_timer *t;

    for (; n && (t = timer_pop(l, now)); n--)
        t->fire(t->arg);
}

void loop_advance(struct loop *l, uint64_t ns)
{
    uint64_t until = ns < UINT64_MAX - l->now ? l->now + ns : UINT64_MAX;
    unsigned fires = ADVANCE_FIRES_MAX;
    struct loop_timer *t;
    uint64_t due;

    if (!l->manual)
        return;
    loop_lock(l);
    loop_deferred_run(l);
    while (fires-- && (due = loop_next_due(l)) && due <= until) {
        if (due > l->now)
            l->now = due;
        t = timer_pop(l, due);
        if (t)
            t->fire(t->arg);
        loop_deferred_run(l);
    }
    l->now = until;
    loop_unlock(l);
    loop_step(l, 0);
}

/* Deferred work. */

void loop_defer(struct loop *l, struct loop_work *w)
{
    bool wake;

    if (l->view) {
        l->view->defer(l->view_ctx, w);
        return;
    }
    pthread_mutex_lock(&l->queue);
    wake = !w->queued && loop_collector != l;
    if (!w->queued) {
        w->queued = true;
        w->next = NULL;
        if (l->last)
            l->last->next = w;
        l->last = w;
        if (!l->first)
            __atomic_store_n(&l->first, w, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&l->queue);
    if (wake)
        loop_wake(l);
}

void loop_work_cancel(struct loop *l, struct loop_work *w)
{
    struct loop_work *at, *prev = NULL;

    if (l->view) {
        l->view->cancel(l->view_ctx, w);
        return;
    }
    pthread_mutex_lock(&l->queue);
    for (at = l->first; at && at != w; at = at->next)
        prev = at;
    if (at && prev)
        prev->next = w->next;
    else if (at)
        __atomic_store_n(&l->first, w->next, __ATOMIC_RELEASE);
    if (at && l->last == w)
        l->last = prev;
    w->queued = false;
    w->next = NULL;
    pthread_mutex_unlock(&l->queue);
}

bool loop_deferred_pending(const struct loop *l)
{
    return __atomic_load_n(&l->first, __ATOMIC_RELAXED) != NULL;
}

static struct loop_work *work_pop(struct loop *l)
{
    struct loop_work *w;

    pthread_mutex_lock(&l->queue);
    w = l->first;
    if (w) {
        __atomic_store_n(&l->first, w->next, __ATOMIC_RELEASE);
        if (!w->next)
            l->last = NULL;
        w->next = NULL;
        w->queued = false;
    }
    pthread_mutex_unlock(&l->queue);
    return w;
}

static unsigned work_queued(struct loop *l)
{
    const struct loop_work *w;
    unsigned n = 0;

    pthread_mutex_lock(&l->queue);
    for (w = l->first; w; w = w->next)
        n++;
    pthread_mutex_unlock(&l->queue);
    return n;
}

/* Runs as many as were queued when called: work that defers itself again can't hold the lock. */
void loop_deferred_run(struct loop *l)
{
    unsigned n = work_queued(l);
    struct loop_work *w;

    for (; n && (w = work_pop(l)); n--)
        w->run(w->arg);
}

void loop_collect(struct loop *l)
{
    unsigned rounds;

    loop_lock(l);
    for (rounds = 0; rounds < COLLECT_ROUNDS && loop_deferred_pending(l); rounds++)
        loop_deferred_run(l);
    loop_unlock(l);
    if (loop_deferred_pending(l))
        loop_wake(l);
}
