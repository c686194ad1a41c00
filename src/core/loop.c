/*
 * The event loop: epoll, one eventfd to wake it, and the rounds. Time is in loop_time.c.
 *
 * A round: sleep without the lock until a descriptor is ready, a timer is due or somebody wakes us;
 * then, with the lock, serve descriptors, timers, deferred work. Nothing is lost between looking
 * and sleeping: sleep_until is published first, and whoever adds something earlier writes the
 * eventfd, which the coming epoll_wait then sees.
 */
#include "core/loop.h"
#include "core/loop_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS_MAX 32
#define WAKE_TAG   UINT64_MAX
#define NS_PER_S   1000000000ull
#define NS_PER_MS  1000000ull
#define SLEEP_MAX  (3600 * NS_PER_S)

void loop_lock(struct loop *l)
{
    if (l->lock)
        pthread_mutex_lock(l->lock);
}

void loop_unlock(struct loop *l)
{
    if (l->lock)
        pthread_mutex_unlock(l->lock);
}

struct loop *loop_open(pthread_mutex_t *lock, bool manual)
{
    struct loop *l = calloc(1, sizeof(*l));
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_TAG};

    if (!l)
        return NULL;
    l->lock = lock;
    pthread_mutex_init(&l->queue, NULL);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epoll < 0 || l->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev)) {
        loop_close(l);
        return NULL;
    }
    l->start = loop_now(l);
    l->manual = manual;
    return l;
}

struct loop *loop_view(const struct loop_view_ops *ops, void *ctx)
{
    struct loop *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    pthread_mutex_init(&l->queue, NULL);
    l->epoll = l->wake = -1;
    l->view = ops;
    l->view_ctx = ctx;
    return l;
}

void loop_close(struct loop *l)
{
    if (!l)
        return;
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->wake >= 0)
        close(l->wake);
    pthread_mutex_destroy(&l->queue);
    free(l->watch);
    free(l);
}

/* Descriptors. */

static struct loop_watch *watch_find(struct loop *l, int fd)
{
    unsigned i;

    for (i = 0; i < l->watches; i++)
        if (l->watch[i].fd == fd)
            return &l->watch[i];
    return NULL;
}

static struct loop_watch *watch_new(struct loop *l)
{
    struct loop_watch *w = watch_find(l, -1);

    if (w)
        return w;
    w = realloc(l->watch, (l->watches + 1) * sizeof(*w));
    if (!w)
        return NULL;
    l->watch = w;
    w[l->watches] = (struct loop_watch){.fd = -1};
    return &w[l->watches++];
}

int loop_fd(struct loop *l, int fd, uint32_t epoll_events,
            void (*ready)(void *arg, uint32_t events), void *arg)
{
    struct epoll_event ev = {.events = epoll_events};
    struct loop_watch *w;
    int op = EPOLL_CTL_MOD;

    if (fd < 0)
        return -EBADF;
    w = watch_find(l, fd);
    if (!w) {
        op = EPOLL_CTL_ADD;
        w = watch_new(l);
    }
    if (!w)
        return -ENOMEM;
    ev.data.u64 = (uint64_t)w->gen << 32 | (uint32_t)(w - l->watch);
    if (epoll_ctl(l->epoll, op, fd, &ev))
        return -errno;
    w->fd = fd;
    w->ready = ready;
    w->arg = arg;
    return 0;
}

void loop_fd_drop(struct loop *l, int fd)
{
    struct loop_watch *w = fd < 0 ? NULL : watch_find(l, fd);

    if (!w)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL); /* fails when fd is closed: gone already */
    w->fd = -1;
    w->gen++;
}

static void wake_drain(struct loop *l)
{
    uint64_t n;

    while (read(l->wake, &n, sizeof(n)) < 0 && errno == EINTR)
        ;
    /* Cleared before the round looks: a waker from here on writes again. */
    __atomic_store_n(&l->woken, false, __ATOMIC_SEQ_CST);
}

static void serve_fd(struct loop *l, const struct epoll_event *ev)
{
    uint32_t i = (uint32_t)ev->data.u64;
    const struct loop_watch *w;

    if (i >= l->watches)
        return;
    w = &l->watch[i];
    if (w->fd < 0 || w->gen != (uint32_t)(ev->data.u64 >> 32))
        return; /* dropped since the kernel reported it */
    w->ready(w->arg, ev->events);
}

/* Rounds. */

/* Bounded sleep; -1 errno as epoll_wait. Kernels before 5.11 have no nanosecond sleep: round up. */
static int wait_ns(struct loop *l, struct epoll_event *ev, uint64_t ns)
{
    struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    int n = epoll_pwait2(l->epoll, ev, EVENTS_MAX, &ts, NULL);

    if (n < 0 && (errno == ENOSYS || errno == EPERM))
        n = epoll_wait(l->epoll, ev, EVENTS_MAX, (int)((ns + NS_PER_MS - 1) / NS_PER_MS));
    return n;
}

static bool stopping(const struct loop *l)
{
    return __atomic_load_n(&l->stop, __ATOMIC_ACQUIRE);
}

/* How long this round may sleep; publishes until when. */
static uint64_t sleep_begin(struct loop *l, uint64_t limit)
{
    uint64_t now = loop_now(l), due;

    pthread_mutex_lock(&l->queue);
    due = now + limit;
    if (l->armed && l->armed->due < due && !l->manual)
        due = l->armed->due;
    if (l->first || stopping(l))
        due = now;
    l->sleep_until = due > now ? due : 0;
    pthread_mutex_unlock(&l->queue);
    return due > now ? due - now : 0;
}

static void sleep_end(struct loop *l)
{
    pthread_mutex_lock(&l->queue);
    l->sleep_until = 0;
    pthread_mutex_unlock(&l->queue);
}

static int loop_round(struct loop *l, uint64_t limit)
{
    struct epoll_event ev[EVENTS_MAX];
    struct loop *outer = loop_collector;
    uint64_t ns, begin = 0;
    int n, i;

    if (l->polls && limit && loop_look(l))
        limit = 0;
    ns = sleep_begin(l, limit);
    if (ns && l->window_max)
        begin = loop_now(l);
    n = wait_ns(l, ev, ns);
    if (n < 0 && errno != EINTR)
        return -errno;
    sleep_end(l);
    if (begin && n > 0)
        loop_slept(l, loop_now(l) - begin);
    loop_lock(l);
    loop_collector = l; /* what these handlers defer is run below, or by the next round */
    for (i = 0; i < n; i++) {
        if (ev[i].data.u64 == WAKE_TAG)
            wake_drain(l);
        else
            serve_fd(l, &ev[i]);
    }
    loop_timers_run(l, loop_now(l));
    loop_deferred_run(l);
    loop_collector = outer;
    loop_unlock(l);
    return 0;
}

int loop_step(struct loop *l, int wait_ms)
{
    return loop_round(l, wait_ms > 0 ? (unsigned)wait_ms * NS_PER_MS : 0);
}

int loop_run(struct loop *l)
{
    int err = 0;

    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* guests' timers are finer than 50 µs */
    while (!err && !stopping(l))
        err = loop_round(l, SLEEP_MAX);
    return err;
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;

    if (__atomic_exchange_n(&l->woken, true, __ATOMIC_SEQ_CST))
        return;
    while (write(l->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void loop_stop(struct loop *l)
{
    __atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
    loop_wake(l);
}
