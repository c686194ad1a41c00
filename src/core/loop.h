/*
 * The event loop: file descriptors, timers, deferred work. One per VM.
 *
 * Threads: loop_run runs on one thread (the VM's main thread). loop_defer, loop_timer_* and
 * loop_wake may be called from any thread. Handlers run with the loop's lock (the VM lock, handed
 * in at loop_open) held. Deferred work runs "soon": by the loop thread, or earlier by whoever calls
 * loop_deferred_run (a vCPU thread just after a trap, outside any region handler).
 *
 * Time is nanoseconds of VM time. A loop opened with manual=true has no clock of its own: the
 * script engine and tests advance it with loop_advance, which fires due timers in order.
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "core/types.h"
#include <pthread.h>

struct loop;

struct loop_timer {
    void (*fire)(void *arg);
    void *arg;
    uint64_t due; /* VM time, ns; 0 = not armed */
    struct loop *loop;
    struct loop_timer *next; /* private */
};

struct loop_work { /* embedded in what is deferred; queued at most once at a time */
    void (*run)(void *arg);
    void *arg;
    struct loop_work *next;
    bool queued;
};

struct loop *loop_open(pthread_mutex_t *lock, bool manual); /* lock NULL: single-threaded tests */
void loop_close(struct loop *l);

/* The lock is held by whoever adds or drops a descriptor while the loop runs. Adding one that is
 * there replaces its events and handler. A regular file can't be polled: -EPERM. */
int loop_fd(struct loop *l, int fd, uint32_t epoll_events,
            void (*ready)(void *arg, uint32_t events), void *arg); /* 0 or -errno */
void loop_fd_drop(struct loop *l, int fd);

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(void *), void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t due_ns); /* re-arms; past = at once */
void loop_timer_stop(struct loop_timer *t);

void loop_defer(struct loop *l, struct loop_work *w);
void loop_work_cancel(struct loop *l, struct loop_work *w); /* unqueue, if queued */
bool loop_deferred_pending(const struct loop *l);           /* cheap, no lock */
void loop_deferred_run(struct loop *l);                     /* caller holds the loop's lock */

/*
 * A trap's thread collects what its handler defers: between begin and end, loop_defer from this
 * thread wakes nobody, and end runs the work itself (taking the loop's lock). l may be NULL.
 */
extern _Thread_local struct loop *loop_collector __attribute__((tls_model("initial-exec")));
void loop_collect(struct loop *l); /* the slow half of end */

static inline void loop_collect_begin(struct loop *l)
{
    loop_collector = l;
}

static inline void loop_collect_end(struct loop *l)
{
    if (l && __builtin_expect(loop_deferred_pending(l), 0))
        loop_collect(l);
    loop_collector = NULL;
}

/*
 * A loop thread that a busy host keeps from running is late with its timers. A thread that would
 * notice (a vCPU about to read the time) compares the host's TSC with *loop_late, a little after
 * the next timer's due time, and calls loop_catch_up, which fires what is due; it takes the lock.
 */
const uint64_t *loop_late(struct loop *l, uint64_t tsc_hz); /* from now on; an atomic word */
void loop_catch_up(struct loop *l);

uint64_t loop_now(const struct loop *l);  /* VM time, ns since loop_open */
uint64_t loop_wall(const struct loop *l); /* seconds since the Unix epoch, for RTCs; a manual loop
                                             starts at 946684800 (2000-01-01) */
/*
 * A view of a loop: what a device is handed by somebody who stands between the two (a wire-tap).
 * loop_timer_*, loop_defer, loop_work_cancel, loop_now and loop_wall of a view go to these; the
 * others are not for views. Closed with loop_close.
 */
struct loop_view_ops {
    void (*set)(void *ctx, struct loop_timer *t, uint64_t due);
    void (*stop)(void *ctx, struct loop_timer *t);
    void (*defer)(void *ctx, struct loop_work *w);
    void (*cancel)(void *ctx, struct loop_work *w);
    uint64_t (*now)(const void *ctx);
    uint64_t (*wall)(const void *ctx);
};
struct loop *loop_view(const struct loop_view_ops *ops, void *ctx); /* NULL: out of memory */

/*
 * Who can be looked at instead of being waited for: a ring in shared memory. A loop that is allowed
 * to (loop_poll_for) looks for a while after it had something to do, before it sleeps. Called with
 * the lock held, from loop_run only.
 */
struct loop_poll {
    bool (*look)(void *arg); /* serves what has come; true: something had */
    bool (*rest)(void *arg); /* from here on it must wake us. true: something came just now */
    void *arg;
    struct loop_poll *next; /* private */
};
void loop_poll_add(struct loop *l, struct loop_poll *p);
void loop_poll_drop(struct loop *l, struct loop_poll *p);
void loop_poll_for(struct loop *l,
                   uint64_t ns); /* at most, with nothing found; 0, as at first: never */

/* Manual loops only; takes the lock. Time goes on by ns, stopping at each timer due on the way to
 * fire it; deferred work and ready descriptors are served too. */
void loop_advance(struct loop *l, uint64_t ns);
/* One round without loop_run: waits up to wait_ms for a descriptor, serves what there is. Takes
 * the lock. For tests and for whoever owns no loop thread. */
int loop_step(struct loop *l, int wait_ms);

int loop_run(struct loop *l);   /* until loop_stop; 0 or -errno */
void loop_wake(struct loop *l); /* any thread: let it look again */
void loop_stop(struct loop *l); /* any thread */

#endif
