/* The loop's own struct, shared by core/loop.c (descriptors, running) and
 * core/loop_time.c (clock, timers, deferred work). */
#ifndef CORE_LOOP_IMPL_H
#define CORE_LOOP_IMPL_H

#include "core/loop.h"

struct loop_watch {
    int fd;       /* -1: free */
    uint32_t gen; /* so that an event of a dropped watch is known to be stale */
    void (*ready)(void *arg, uint32_t events);
    void *arg;
};

struct loop {
    pthread_mutex_t *lock; /* the VM lock; taken before queue, never after */
    pthread_mutex_t queue; /* timers and deferred work; never held while a handler runs */
    bool manual;
    int epoll, wake; /* wake: eventfd */
    bool woken;      /* wake was written and not yet read */
    bool stop;
    struct loop_watch *watch;
    unsigned watches;

    struct loop_timer *armed; /* sorted by due time: a VM has a dozen, so a list is enough */
    uint64_t tsc_hz;          /* 0: late is not kept */
    uint64_t late;            /* TSC after which the first of them is late; atomic */
    uint64_t late_of;         /* the due time that late was made of */
    uint64_t sleep_until;     /* when the sleeping loop thread wakes by itself; 0: it is awake */

    struct loop_work *first, *last;

    struct loop_poll *polls;
    uint64_t window, window_max; /* how long to look before sleeping */
    uint64_t look_until;
    bool looking, found; /* between two sleeps; something was found since */

    const struct loop_view_ops *view; /* of a view; else NULL */
    void *view_ctx;

    uint64_t start; /* CLOCK_MONOTONIC at open */
    uint64_t now;   /* manual loops */
};

void loop_lock(struct loop *l);
void loop_unlock(struct loop *l);
/* Fires what was due at now when called; re-armed timers wait for the next call. Lock held. */
void loop_timers_run(struct loop *l, uint64_t now);
/* Due time of the earliest timer, or 0. */
uint64_t loop_next_due(struct loop *l);

/* loop_poll.c: looks around for a turn; true: it is not yet time to sleep. */
bool loop_look(struct loop *l);
void loop_slept(struct loop *l, uint64_t ns); /* and was woken by a descriptor */

#endif
