/* A shared directory's queue (back/p9.c): order, Tflush, reset, drain, more requests than slots. */
#include "p9_queue_world.h"

#include <errno.h>

/* Served in order, the first while its asker waits, and none is told within p9_submit. */
static void order(void **state)
{
    struct world *w = *state;
    unsigned n = w->asked;
    struct asked *a[5];

    a[0] = ask_fid(w, GETATTR, 0, 12);
    settle(w, n + 1);
    gate_shut();
    a[1] = ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    a[2] = ask_fid(w, GETATTR, 0, 12);
    a[3] = ask_mkdir(w, 'a');
    a[4] = ask_fid(w, GETATTR, 0, 12);
    loop_step(w->loop, 0);
    assert_int_equal(w->ended, n + 1);
    assert_false(there(w, 'a'));
    gate_open();
    settle(w, n + 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(a[i]->ended, n + 1 + i);
    assert_true(there(w, 'a'));
}

/* More than the server has slots for: the rest waits here, and can be flushed here. */
static void many(void **state)
{
    struct world *w = *state;
    unsigned n = w->asked;
    struct asked *a[3 * P9_SLOTS], *last;

    gate_shut();
    ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    for (unsigned i = 0; i < ARRAY_LEN(a); i++)
        a[i] = ask_fid(w, GETATTR, 0, 12);
    last = ask_mkdir(w, 'e');
    ask_flush(w, last);
    gate_open();
    settle(w, n + 3 + ARRAY_LEN(a));
    for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
        assert_int_equal(a[i]->ended, n + 2 + i);
        assert_int_equal(a[i]->req.err, 0);
    }
    assert_int_equal(last->req.err, -EINTR);
    assert_false(there(w, 'e'));
}

static void flushes(void **state)
{
    struct world *w = *state;
    unsigned n = w->asked;
    struct asked *begun, *waits, *clunk, *flush[4];

    gate_shut();
    begun = ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    waits = ask_mkdir(w, 'b');
    clunk = ask_fid(w, CLUNK, 0, 4);
    flush[0] = ask_flush(w, waits);
    flush[1] = ask_flush(w, begun);
    flush[2] = ask_flush(w, clunk);
    flush[3] = ask_flush(w, w->a[0]); /* answered long ago */
    gate_open();
    settle(w, n + 7);
    assert_int_equal(begun->req.err, -EBADF); /* its own answer: not open */
    assert_int_equal(waits->req.err, -EINTR);
    assert_false(there(w, 'b'));
    assert_int_equal(clunk->req.err, 0); /* never flushed: the fid would stay */
    assert_int_equal(begun->ended, n + 1);
    for (unsigned i = 0; i < 4; i++) { /* after what they name */
        assert_int_equal(flush[i]->req.err, 0);
        assert_int_equal(flush[i]->ended, n + 4 + i);
    }
}

static void *opener(void *arg)
{
    (void)arg;
    gate_open();
    return NULL;
}

/* All have ended when reset returns, and the session is over. */
static void resets(void **state)
{
    struct world *w = *state;
    struct asked *last;
    pthread_t t;

    gate_shut();
    ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    for (char c = 'c'; c <= 'z'; c++)
        ask_mkdir(w, c);
    assert_int_equal(pthread_create(&t, NULL, opener, NULL), 0);
    p9_reset(w->p);
    assert_int_equal(w->ended, w->asked);
    pthread_join(t, NULL);
    last = ask_fid(w, GETATTR, 0, 12);
    settle(w, w->asked);
    assert_int_equal(last->req.err, -EPROTO);
    begin(w);
    last = ask_fid(w, GETATTR, 0, 12);
    settle(w, w->asked);
    assert_int_equal(last->req.err, 0);
}

/* A drain ends all as they would have ended. */
static void drains(void **state)
{
    struct world *w = *state;
    pthread_t t;

    ask_fid(w, GETATTR, 0, 12);
    p9_drain(w->p); /* what was served at once, too */
    assert_int_equal(w->ended, w->asked);
    gate_shut();
    ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    ask_mkdir(w, 'd');
    assert_int_equal(pthread_create(&t, NULL, opener, NULL), 0);
    p9_drain(w->p);
    pthread_join(t, NULL);
    assert_int_equal(w->ended, w->asked);
    assert_true(there(w, 'd'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order, p9q_setup, p9q_teardown),
        cmocka_unit_test_setup_teardown(flushes, p9q_setup, p9q_teardown),
        cmocka_unit_test_setup_teardown(resets, p9q_setup, p9q_teardown),
        cmocka_unit_test_setup_teardown(drains, p9q_setup, p9q_teardown),
        cmocka_unit_test_setup_teardown(many, p9q_setup, p9q_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
