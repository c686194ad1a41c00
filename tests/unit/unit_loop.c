/* The loop: timers in order, deferred work once, descriptors, wake-ups that are never lost. */
#include "unit.h"
#include "core/loop.h"
#include "core/tsc.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static char journal[64];

struct note {
    char c;
    struct loop_timer timer;
    struct loop_work work;
    struct loop *loop;
    uint64_t again; /* re-arm after so many ns; or: defer again */
    unsigned left;
};

static void put(char c)
{
    size_t n = strlen(journal);

    if (n + 1 < sizeof(journal)) {
        journal[n] = c;
        journal[n + 1] = '\0';
    }
}

static void fire(void *arg)
{
    struct note *n = arg;

    put(n->c);
    if (n->again && n->left && n->left--)
        loop_timer_set(&n->timer, loop_now(n->loop) + n->again);
}

static void work(void *arg)
{
    struct note *n = arg;

    put(n->c);
    if (n->left && n->left--)
        loop_defer(n->loop, &n->work);
}

static struct note *note(struct loop *l, char c)
{
    struct note *n = calloc(1, sizeof(*n));

    n->c = c;
    n->loop = l;
    loop_timer_init(&n->timer, l, fire, n);
    n->work = (struct loop_work){.run = work, .arg = n};
    return n;
}

static int setup(void **state)
{
    journal[0] = '\0';
    *state = loop_open(NULL, true);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    loop_close(*state);
    return 0;
}

static void timers_fire_in_order_of_time_then_of_setting(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a'), *b = note(l, 'b'), *c = note(l, 'c'), *d = note(l, 'd');

    loop_timer_set(&a->timer, 300);
    loop_timer_set(&b->timer, 100);
    loop_timer_set(&c->timer, 200);
    loop_timer_set(&d->timer, 100);
    loop_advance(l, 99);
    assert_string_equal(journal, "");
    loop_advance(l, 1);
    assert_string_equal(journal, "bd");
    assert_int_equal(b->timer.due, 0);
    loop_timer_set(&c->timer, 400); /* re-armed: fires once, at the new time */
    loop_advance(l, 1000);
    assert_string_equal(journal, "bdac");
    assert_int_equal(loop_now(l), 1100);
    free(a);
    free(b);
    free(c);
    free(d);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a'), *b = note(l, 'b');

    loop_timer_set(&a->timer, 10);
    loop_timer_set(&b->timer, 10);
    loop_timer_stop(&a->timer);
    loop_timer_stop(&a->timer);
    loop_advance(l, 20);
    assert_string_equal(journal, "b");
    free(a);
    free(b);
}

static void a_periodic_timer_fires_at_each_period(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a'), *b = note(l, 'b');

    a->again = 100;
    a->left = 1000;
    loop_timer_set(&a->timer, 100);
    loop_timer_set(&b->timer, 250);
    loop_advance(l, 400);
    assert_string_equal(journal, "aabaa");
    free(a);
    free(b);
}

static void a_timer_in_the_past_fires_at_once(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a');

    loop_advance(l, 1000);
    loop_timer_set(&a->timer, 0);
    assert_int_not_equal(a->timer.due, 0);
    loop_advance(l, 0);
    assert_string_equal(journal, "a");
    assert_int_equal(loop_now(l), 1000);
    free(a);
}

static void wall_time_follows_manual_time(void **state)
{
    struct loop *l = *state;

    assert_int_equal(loop_wall(l), 946684800);
    loop_advance(l, 2500000000ull);
    assert_int_equal(loop_wall(l), 946684802);
}

static void work_runs_once_and_in_order(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a'), *b = note(l, 'b'), *c = note(l, 'c');

    assert_false(loop_deferred_pending(l));
    loop_defer(l, &a->work);
    loop_defer(l, &b->work);
    loop_defer(l, &a->work);
    loop_defer(l, &c->work);
    loop_work_cancel(l, &b->work);
    loop_work_cancel(l, &b->work);
    assert_true(loop_deferred_pending(l));
    loop_deferred_run(l);
    assert_string_equal(journal, "ac");
    assert_false(loop_deferred_pending(l));
    loop_defer(l, &b->work); /* cancelled work may be deferred again */
    loop_deferred_run(l);
    assert_string_equal(journal, "acb");
    free(a);
    free(b);
    free(c);
}

static void cancel_of_the_last_keeps_the_queue_whole(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a'), *b = note(l, 'b');

    loop_defer(l, &a->work);
    loop_defer(l, &b->work);
    loop_work_cancel(l, &b->work);
    loop_defer(l, &b->work);
    loop_deferred_run(l);
    assert_string_equal(journal, "ab");
    free(a);
    free(b);
}

static void work_that_defers_itself_waits_for_the_next_run(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a');

    a->left = 1000000;
    loop_defer(l, &a->work);
    loop_deferred_run(l);
    assert_string_equal(journal, "a");
    loop_deferred_run(l);
    assert_string_equal(journal, "aa");
    loop_work_cancel(l, &a->work);
    free(a);
}

static void a_trap_collects_its_own_work(void **state)
{
    struct loop *l = *state;
    struct note *a = note(l, 'a');

    loop_collect_begin(l);
    loop_defer(l, &a->work);
    assert_string_equal(journal, "");
    loop_collect_end(l);
    assert_string_equal(journal, "a");
    assert_null(loop_collector);
    free(a);
}

static int pipe_end[2];

static void ready(void *arg, uint32_t events)
{
    char c;

    assert_true(events & EPOLLIN);
    assert_int_equal(read(pipe_end[0], &c, 1), 1);
    put(c);
    if (c == 'x')
        loop_fd_drop(arg, pipe_end[0]);
}

static void descriptors_are_served_until_dropped(void **state)
{
    struct loop *l = *state;

    assert_int_equal(pipe(pipe_end), 0);
    assert_int_equal(loop_fd(l, -1, EPOLLIN, ready, l), -EBADF);
    assert_int_equal(loop_fd(l, pipe_end[0], EPOLLIN, ready, l), 0);
    assert_int_equal(write(pipe_end[1], "pxq", 3), 3);
    assert_int_equal(loop_step(l, 0), 0);
    assert_string_equal(journal, "p");
    loop_advance(l, 5);
    assert_string_equal(journal, "px");
    assert_int_equal(loop_step(l, 0), 0);
    assert_string_equal(journal, "px");
    assert_int_equal(loop_fd(l, pipe_end[0], EPOLLIN, ready, l), 0);
    assert_int_equal(loop_step(l, 0), 0);
    assert_string_equal(journal, "pxq");
    loop_fd_drop(l, pipe_end[0]);
    close(pipe_end[0]);
    close(pipe_end[1]);
}

/* Threads. The real clock here, but nothing sleeps: the loop thread is woken for each step. */

static pthread_mutex_t vm_lock = PTHREAD_MUTEX_INITIALIZER;

static void *runner(void *arg)
{
    return (void *)(intptr_t)loop_run(arg);
}

struct counter {
    struct loop *loop;
    struct loop_work work;
    struct loop_timer timer;
    pthread_cond_t cond;
    unsigned n;
};

static void count(void *arg)
{
    struct counter *c = arg;

    c->n++;
    assert_int_not_equal(pthread_mutex_trylock(&vm_lock), 0); /* the lock is held here */
    pthread_cond_signal(&c->cond);
}

static void no_wake_up_is_lost(void **state)
{
    struct counter c = {.cond = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    unsigned i;

    (void)state;
    c.loop = loop_open(&vm_lock, false);
    c.work = (struct loop_work){.run = count, .arg = &c};
    loop_timer_init(&c.timer, c.loop, count, &c);
    assert_int_equal(pthread_create(&thread, NULL, runner, c.loop), 0);
    for (i = 1; i <= 2000; i++) {
        if (i & 1)
            loop_defer(c.loop, &c.work);
        else
            loop_timer_set(&c.timer, loop_now(c.loop) + i * 10);
        pthread_mutex_lock(&vm_lock);
        while (c.n < i) /* a lost wake-up would hang here, and time the test out */
            pthread_cond_wait(&c.cond, &vm_lock);
        pthread_mutex_unlock(&vm_lock);
    }
    loop_stop(c.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.n, 2000);
    loop_close(c.loop);
}

struct looker {
    unsigned looks, rests, finds,
        comes; /* finds: looks that find something; comes: rests that do */
};

static bool looker_look(void *arg)
{
    struct looker *l = arg;

    l->looks++;
    return l->finds && l->finds--;
}

static bool looker_rest(void *arg)
{
    struct looker *l = arg;

    l->rests++;
    return l->comes && l->comes--;
}

static void nothing(void *arg, uint32_t events)
{
    (void)arg;
    (void)events;
}

/* A loop whose sleeps are over at once looks around before the next; one that finds nothing stops
 * looking; before each sleep it is asked to be woken. */
static void it_looks_for_as_long_as_that_pays(void **state)
{
    struct looker k = {0};
    struct loop_poll poll = {.look = looker_look, .rest = looker_rest, .arg = &k};
    struct loop *l = loop_open(NULL, false);
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    loop_poll_add(l, &poll);
    assert_int_equal(loop_fd(l, fd[0], EPOLLIN, nothing, NULL), 0);
    assert_int_equal(write(fd[1], "x", 1), 1);
    loop_step(l, 1000);
    loop_step(l, 1000);
    assert_int_equal(k.looks + k.rests, 0); /* not allowed to */
    loop_poll_for(l, 1000000000);
    loop_step(l, 1000); /* is woken at once */
    assert_int_equal(k.looks, 0);
    k.finds = 3;
    loop_step(l, 1000);
    assert_true(k.looks > 0);
    for (unsigned i = 0; i < 1000 && k.finds; i++) /* a turn has its end */
        loop_step(l, 1000);
    assert_int_equal(k.finds, 0);
    loop_fd_drop(l, fd[0]);
    k.comes = 1; /* just before a sleep: no sleep then */
    loop_step(l, 1000000);
    for (unsigned i = 0; i < 1000 && k.looks; i++) {
        k.looks = 0;
        loop_step(l, 1);
    }
    assert_true(k.rests > 1 && !k.comes);
    k.looks = k.rests = 0;
    loop_step(l, 1);
    assert_int_equal(k.looks + k.rests, 0); /* it has learnt */
    loop_poll_drop(l, &poll);
    close(fd[0]);
    close(fd[1]);
    loop_close(l);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void count_one(void *n)
{
    ++*(unsigned *)n;
}

/* A loop that nobody runs is late; who sees it fires the timers. */
static void a_late_loop_is_caught_up(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct loop *l = loop_open(&lock, false);
    const uint64_t *late = loop_late(l, tsc_hz());
    struct loop_timer t;
    unsigned fired = 0;

    (void)state;
    assert_true(*late == UINT64_MAX);
    loop_timer_init(&t, l, count_one, &fired);
    loop_timer_set(&t, loop_now(l) + 3600 * 1000000000ull);
    assert_true(*late != UINT64_MAX && tsc_read() < *late);
    loop_timer_set(&t, loop_now(l) + 1000);
    while (tsc_read() <= *late)
        ;
    assert_true(loop_now(l) > t.due);
    assert_int_equal(fired, 0);
    loop_catch_up(l);
    assert_int_equal(fired, 1);
    assert_true(*late == UINT64_MAX);
    loop_catch_up(l);
    assert_int_equal(fired, 1);
    loop_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(timers_fire_in_order_of_time_then_of_setting),
        T(a_stopped_timer_does_not_fire),
        T(a_periodic_timer_fires_at_each_period),
        T(a_timer_in_the_past_fires_at_once),
        T(wall_time_follows_manual_time),
        T(work_runs_once_and_in_order),
        T(cancel_of_the_last_keeps_the_queue_whole),
        T(work_that_defers_itself_waits_for_the_next_run),
        T(a_trap_collects_its_own_work),
        T(descriptors_are_served_until_dropped),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(it_looks_for_as_long_as_that_pays),
        cmocka_unit_test(a_late_loop_is_caught_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
