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
    uint64_t due;         /* VM time, ns; 0 = not armed */
    struct loop *loop;
    size_t slot;          /* index in the heap, private */
};

struct loop_work { /* embedded in what is deferred; queued at most once at a time */
    void (*run)(void *arg);
    void *arg;
    struct loop_work *next;
    bool queued;
};

struct loop *loop_open(pthread_mutex_t *lock, bool manual);
void loop_close(struct loop *l);

int loop_fd(struct loop *l, int fd, uint32_t epoll_events,
            void (*ready)(void *arg, uint32_t events), void *arg); /* 0 or -errno */
void loop_fd_drop(struct loop *l, int fd);

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fire)(void *), void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t due_ns); /* re-arms; past = at once */
void loop_timer_stop(struct loop_timer *t);

void loop_defer(struct loop *l, struct loop_work *w);
void loop_work_cancel(struct loop *l, struct loop_work *w); /* unqueue, if queued */
bool loop_deferred_pending(const struct loop *l);  /* cheap, no lock */
void loop_deferred_run(struct loop *l);            /* caller holds the loop's lock */

uint64_t loop_now(const struct loop *l);           /* VM time, ns since loop_open */
uint64_t loop_wall(const struct loop *l);          /* seconds since the Unix epoch, for RTCs; a manual loop starts at 946684800 (2000-01-01) */
void loop_advance(struct loop *l, uint64_t ns);    /* manual loops only */

int loop_run(struct loop *l);                      /* until loop_stop; 0 or -errno */
void loop_stop(struct loop *l);                    /* any thread */

#endif
