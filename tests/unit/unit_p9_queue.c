/*
 * A shared directory's queue and its thread (back/p9.c): order, what is served at once, Tflush,
 * reset. The server is held up at a gate (__wrap_p9_serve): requests of type fsync wait there until
 * it opens.
 */
#include "unit.h"
#include "back/p9.h"
#include "back/p9_server.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FSYNC = 50,
    MKDIR = 72,
    GETATTR = 24,
    VERSION = 100,
    ATTACH = 104,
    FLUSH = 108,
    CLUNK = 120
};
enum { REQS = 64, ROOM = 1024 };

struct asked {
    struct p9_req req;
    struct world *w;
    uint8_t room[ROOM];
    struct iovec iov;
    unsigned ended; /* as the so-manieth; 0: not yet */
};

struct world {
    struct p9 *p;
    struct loop *loop;
    struct ledger *ledger;
    char dir[32];
    struct asked *a[REQS];
    unsigned asked, ended;
    bool inside; /* p9_submit is running: no done may be */
};

static sem_t gate, at_gate;
static char beside[32];        /* a file that is not in the share */
static int outside[4], inside; /* errno of what the thread tried there */
static char in_share[40];
static bool shut;

static void try_out(void)
{
    char fifo[48];
    int fd;

    if (!*beside)
        return;
    snprintf(fifo, sizeof(fifo), "%s-fifo", in_share);
    fd = open(in_share, O_WRONLY | O_CREAT, 0600);
    inside = fd < 0 ? errno : 0;
    close(fd);
    outside[0] = open(beside, O_RDONLY) < 0 ? errno : 0;
    outside[1] = unlink(beside) ? errno : 0;
    outside[2] = mkdir("/tmp/viaduct-q-made", 0700) ? errno : 0;
    outside[3] = mkfifo(fifo, 0600) ? errno : 0; /* not even there */
}

void __wrap_p9_serve(struct p9_server *s, struct p9_req *r);
void __real_p9_serve(struct p9_server *s, struct p9_req *r);

void __wrap_p9_serve(struct p9_server *s, struct p9_req *r)
{
    if (r->msg[4] == FSYNC && __atomic_load_n(&shut, __ATOMIC_ACQUIRE)) {
        try_out();
        sem_post(&at_gate);
        sem_wait(&gate);
    }
    __real_p9_serve(s, r);
}

static void done(struct p9_req *r)
{
    struct asked *a = r->owner;

    assert_false(a->w->inside);
    assert_int_equal(a->ended, 0);
    a->ended = ++a->w->ended;
}

static struct asked *ask(struct world *w, uint8_t type, const void *body, size_t len)
{
    struct asked *a = calloc(1, sizeof(*a));

    assert_true(w->asked < REQS);
    w->a[w->asked++] = a;
    a->w = w;
    a->iov = (struct iovec){a->room, ROOM};
    a->req.room = &a->iov;
    a->req.rooms = 1;
    a->req.room_len = ROOM;
    a->req.owner = a;
    a->req.done = done;
    a->req.len = (uint32_t)(P9_HEAD + len);
    le32_put(a->req.msg, a->req.len);
    a->req.msg[4] = type;
    le16_put(a->req.msg + 5, (uint16_t)w->asked);
    memcpy(a->req.msg + P9_HEAD, body, len);
    w->inside = true;
    p9_submit(w->p, &a->req);
    w->inside = false;
    return a;
}

static struct asked *ask_fid(struct world *w, uint8_t type, uint32_t fid, size_t len)
{
    uint8_t body[16] = {0};

    le32_put(body, fid);
    return ask(w, type, body, len);
}

static struct asked *ask_mkdir(struct world *w, char name)
{
    uint8_t body[15] = {0};

    body[4] = 1;
    body[6] = (uint8_t)name;
    le32_put(body + 7, 0755);
    return ask(w, MKDIR, body, sizeof(body));
}

static struct asked *ask_flush(struct world *w, const struct asked *a)
{
    return ask(w, FLUSH, a->req.msg + 5, 2);
}

/* Until n have ended; a minute at most. */
static void settle(struct world *w, unsigned n)
{
    for (unsigned i = 0; w->ended < n && i < 600; i++)
        loop_step(w->loop, 100);
    assert_int_equal(w->ended, n);
}

static bool there(struct world *w, char name)
{
    char path[40];

    snprintf(path, sizeof(path), "%s/%c", w->dir, name);
    return !access(path, F_OK);
}

static void begin(struct world *w)
{
    static const uint8_t version[] = "\0\x20\0\0\x08\0"
                                     "9P2000.L";
    uint8_t attach[16] = {0};

    le32_put(attach + 4, UINT32_MAX);
    ask(w, VERSION, version, 14);
    ask(w, ATTACH, attach, sizeof(attach));
    settle(w, w->asked);
}

static void gate_shut(void)
{
    __atomic_store_n(&shut, true, __ATOMIC_RELEASE);
}

static void gate_open(void)
{
    __atomic_store_n(&shut, false, __ATOMIC_RELEASE);
    sem_post(&gate);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct p9_opts o = {.dir = w->dir, .name = "share0"};
    struct error err;

    sem_init(&gate, 0, 0);
    sem_init(&at_gate, 0, 0);
    snprintf(w->dir, sizeof(w->dir), "/tmp/viaduct-q-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    assert_int_equal(p9_open(&w->p, &o, w->loop, w->ledger, &err), 0);
    begin(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[40];

    p9_close(w->p);
    loop_close(w->loop);
    ledger_close(w->ledger);
    for (char c = 'a'; c <= 'z'; c++) {
        snprintf(path, sizeof(path), "%s/%c", w->dir, c);
        rmdir(path);
    }
    rmdir(w->dir);
    while (w->asked)
        free(w->a[--w->asked]);
    free(w);
    return 0;
}

static uint64_t way(struct world *w, const char *name)
{
    const struct ledger_row *r = ledger_find(w->ledger, LEDGER_WAY, "share0", name);

    return r->reads + r->writes;
}

/* Served in order, whoever serves: nothing overtakes what the thread has. */
static void order(void **state)
{
    struct world *w = *state;
    unsigned n = w->asked;
    uint64_t at_once = way(w, "inline"), by_thread;
    struct asked *a[5];

    a[0] = ask_fid(w, GETATTR, 0, 12);
    if (way(w, "inline") == at_once)
        skip(); /* not on this file system */
    loop_step(w->loop, 0);
    assert_int_equal(a[0]->ended, n + 1);
    by_thread = way(w, "worker");
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
    assert_int_equal(way(w, "worker"), by_thread + 4);
    at_once = way(w, "inline");
    ask_fid(w, GETATTR, 0, 12); /* and at once again */
    assert_int_equal(way(w, "inline"), at_once + 1);
    settle(w, n + 6);
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

/* The kernel lets the thread do nothing outside, whatever the server would have it do. */
static void confined(void **state)
{
    struct world *w = *state;

    if (!p9_confinable())
        skip();
    snprintf(beside, sizeof(beside), "/tmp/viaduct-q-beside-XXXXXX");
    close(mkstemp(beside));
    snprintf(in_share, sizeof(in_share), "%s/file", w->dir);
    gate_shut();
    ask_fid(w, FSYNC, 0, 8);
    sem_wait(&at_gate);
    gate_open();
    settle(w, w->asked);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(outside[i], EACCES);
    assert_int_equal(inside, 0);
    assert_int_equal(unlink(in_share), 0);
    assert_int_equal(unlink(beside), 0); /* this thread may */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order, setup, teardown),
        cmocka_unit_test_setup_teardown(flushes, setup, teardown),
        cmocka_unit_test_setup_teardown(resets, setup, teardown),
        cmocka_unit_test_setup_teardown(drains, setup, teardown),
        cmocka_unit_test_setup_teardown(confined, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
