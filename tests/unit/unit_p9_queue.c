/*
 * A shared directory's queue (back/p9.c): order, Tflush, reset, drain, more requests than slots;
 * and a server that dies, hangs or lies. The server is a thread of this test, held up at a gate
 * (__wrap_p9_serve): requests of type fsync wait there until it opens. Who lies is the test itself.
 */
#include "unit.h"
#include "back/p9_main.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
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
    struct p9_far far; /* the server's end */
    pthread_t server;
    int pipe;
    bool alone; /* there is no server: the test answers */
    struct loop *loop;
    struct ledger *ledger;
    char dir[32];
    struct asked *a[REQS];
    unsigned asked, ended;
    bool inside; /* p9_submit is running: no done may be */
};

static sem_t gate, at_gate;
static bool shut;

void __wrap_p9_serve(struct p9_server *s, struct p9_req *r);
void __real_p9_serve(struct p9_server *s, struct p9_req *r);

void __wrap_p9_serve(struct p9_server *s, struct p9_req *r)
{
    if (r->msg[4] == FSYNC && __atomic_load_n(&shut, __ATOMIC_ACQUIRE)) {
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

static void *serve_all(void *arg)
{
    while (p9_far_serve(arg))
        ;
    return NULL;
}

/* alone: nobody is at the other end but the test. */
static struct world *world_make(bool alone, unsigned patience_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    struct p9_wire wire = {0};
    struct p9_ends far;

    sem_init(&gate, 0, 0);
    sem_init(&at_gate, 0, 0);
    snprintf(w->dir, sizeof(w->dir), "/tmp/viaduct-q-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    w->alone = alone;
    assert_int_equal(p9_wire_open(&wire, &far), 0);
    w->far.sock = far.sock;
    w->pipe = far.pipe;
    wire.patience_ms = patience_ms;
    w->far.shared = p9_shared_map(far.mem);
    close(far.mem);
    assert_int_equal(p9_attach(&w->p, &wire, "share0", w->loop, w->ledger), 0);
    if (alone)
        return w;
    assert_int_equal(p9_server_open(&w->far.server, open(w->dir, O_PATH | O_CLOEXEC), false), 0);
    assert_int_equal(pthread_create(&w->server, NULL, serve_all, &w->far), 0);
    return w;
}

static int setup(void **state)
{
    *state = world_make(false, 60000);
    begin(*state);
    return 0;
}

static int setup_alone(void **state)
{
    *state = world_make(true, 100);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[40];

    p9_close(w->p);
    if (!w->alone)
        pthread_join(w->server, NULL);
    p9_server_close(w->far.server);
    close(w->pipe);
    munmap(w->far.shared, sizeof(*w->far.shared));
    if (w->far.sock >= 0)
        close(w->far.sock);
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

/* ---- servers that are none ---- */

static void all_failed(struct world *w)
{
    settle(w, w->asked);
    for (unsigned i = 0; i < w->asked; i++) {
        assert_int_equal(w->a[i]->req.err, -EIO);
        assert_int_equal(w->a[i]->req.replied, P9_ERROR_LEN);
        assert_int_equal(w->a[i]->room[4], 7);
        assert_memory_equal(w->a[i]->room + 5, w->a[i]->req.msg + 5, 2);
        assert_int_equal(le32_get(w->a[i]->room + P9_HEAD), EIO);
    }
}

/* It ends with requests of all kinds on their way: each fails, and so does what comes after. */
static void dies(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2 * P9_SLOTS; i++)
        ask_fid(w, GETATTR, 0, 12);
    close(w->far.sock);
    w->far.sock = -1;
    all_failed(w);
    ask_fid(w, CLUNK, 0, 4);
    all_failed(w);
    p9_reset(w->p); /* of which nothing is left */
    ask_fid(w, CLUNK, 0, 4);
    all_failed(w);
}

/* Nobody listens any more when the first request comes. */
static void dead(void **state)
{
    struct world *w = *state;

    close(w->far.sock);
    w->far.sock = -1;
    ask_fid(w, GETATTR, 0, 12);
    all_failed(w);
}

/* It never answers: a drain has patience, but not for ever. */
static void hangs(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2 * P9_SLOTS; i++)
        ask_fid(w, GETATTR, 0, 12);
    p9_drain(w->p);
    assert_int_equal(w->ended, w->asked);
    all_failed(w);
}

/* An answer to the request in slot 0, a getattr with tag 1, but for what the case changes. */
static void lie(struct world *w, const struct p9_answer *a, size_t len)
{
    uint8_t packet[sizeof(*a) + 8] = {0};
    unsigned was = w->ended;

    ask_fid(w, GETATTR, 0, 12);
    memcpy(packet, a, sizeof(*a));
    assert_int_equal(send(w->far.sock, packet, len, 0), len);
    settle(w, was + 1);
}

static struct p9_answer honest(uint32_t replied)
{
    struct p9_answer a = {.replied = replied, .head = {0, 0, 0, 0, GETATTR + 1, 1, 0}};

    le32_put(a.head, replied);
    return a;
}

#define LIE(name, change, len)                                                                     \
    static void lie_##name(void **state)                                                           \
    {                                                                                              \
        struct p9_answer a = honest(160);                                                          \
                                                                                                   \
        change;                                                                                    \
        lie(*state, &a, len);                                                                      \
        all_failed(*state);                                                                        \
        ask_fid(*state, GETATTR, 0, 12);                                                           \
        all_failed(*state);                                                                        \
    }
LIE(short, , sizeof(a) - 1)
LIE(long, , sizeof(a) + 8)
LIE(slot, a.slot = 1, sizeof(a))
LIE(slot_far, a.slot = UINT32_MAX, sizeof(a))
LIE(tag, a.head[5] = 2, sizeof(a))
LIE(type, a.head[4] = GETATTR, sizeof(a))
LIE(size, a.head[0]++, sizeof(a))
LIE(room, (a.replied = ROOM + 1, le32_put(a.head, ROOM + 1)), sizeof(a))
LIE(huge, (a.replied = UINT32_MAX, le32_put(a.head, UINT32_MAX)), sizeof(a))
LIE(little, (a.replied = 6, le32_put(a.head, 6)), sizeof(a))
LIE(piped, a.piped = 1, sizeof(a)) /* and there is nothing */
LIE(half_piped,
    (a.piped = 1, assert_int_equal(write(((struct world *)*state)->pipe, "half", 4), 4)), sizeof(a))
LIE(no_pipe, a.piped = 2, sizeof(a))
LIE(nothing_piped, (a.piped = 1, a.replied = 11, le32_put(a.head, 11)), sizeof(a))
LIE(no_error, (a.replied = 11, le32_put(a.head, 11), a.head[4] = 7), sizeof(a))
LIE(error, (a.replied = 11, le32_put(a.head, 11), a.head[4] = 7, a.head[8] = 0xff), sizeof(a))

static void honesty(void **state)
{
    struct world *w = *state;
    struct p9_answer a = honest(ROOM);

    memset(w->far.shared->bulk[0], 0x5a, ROOM);
    lie(w, &a, sizeof(a)); /* the longest there may be */
    assert_int_equal(w->a[0]->req.err, 0);
    assert_int_equal(w->a[0]->req.replied, ROOM);
    assert_int_equal(w->a[0]->room[P9_ERROR_LEN], 0x5a);
    assert_int_equal(w->a[0]->room[ROOM - 1], 0x5a);
    assert_int_equal(send(w->far.sock, &a, sizeof(a), 0), sizeof(a)); /* again: to nothing */
    ask_fid(w, GETATTR, 0, 12);
    settle(w, 2);
    assert_int_equal(w->a[1]->req.err, -EIO);
}

/* The memory they share can't be cut off below the machine that reads it. */
static void sealed(void **state)
{
    struct p9_wire w = {0};
    struct p9_ends far;

    (void)state;
    assert_int_equal(p9_wire_open(&w, &far), 0);
    assert_int_equal(ftruncate(far.mem, 0), -1);
    assert_int_equal(errno, EPERM);
    close(far.sock);
    close(far.mem);
    close(far.pipe);
    p9_wire_close(&w);
}

#define ALONE(f) cmocka_unit_test_setup_teardown(f, setup_alone, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order, setup, teardown),
        cmocka_unit_test_setup_teardown(flushes, setup, teardown),
        cmocka_unit_test_setup_teardown(resets, setup, teardown),
        cmocka_unit_test_setup_teardown(drains, setup, teardown),
        cmocka_unit_test_setup_teardown(many, setup, teardown),
        ALONE(dies),
        ALONE(dead),
        ALONE(hangs),
        ALONE(honesty),
        ALONE(lie_short),
        ALONE(lie_long),
        ALONE(lie_slot),
        ALONE(lie_slot_far),
        ALONE(lie_tag),
        ALONE(lie_type),
        ALONE(lie_size),
        ALONE(lie_room),
        ALONE(lie_huge),
        ALONE(lie_little),
        ALONE(lie_piped),
        ALONE(lie_half_piped),
        ALONE(lie_no_pipe),
        ALONE(lie_nothing_piped),
        ALONE(lie_no_error),
        ALONE(lie_error),
        cmocka_unit_test(sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
