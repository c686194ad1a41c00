/* p9_queue_world.h: a queue, its requests and its server. */
#include "p9_queue_world.h"
#include "core/ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sem_t gate;
sem_t at_gate;
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

struct asked *ask_fid(struct world *w, uint8_t type, uint32_t fid, size_t len)
{
    uint8_t body[16] = {0};

    le32_put(body, fid);
    return ask(w, type, body, len);
}

struct asked *ask_mkdir(struct world *w, char name)
{
    uint8_t body[15] = {0};

    body[4] = 1;
    body[6] = (uint8_t)name;
    le32_put(body + 7, 0755);
    return ask(w, MKDIR, body, sizeof(body));
}

struct asked *ask_flush(struct world *w, const struct asked *a)
{
    return ask(w, FLUSH, a->req.msg + 5, 2);
}

void settle(struct world *w, unsigned n)
{
    for (unsigned i = 0; w->ended < n && i < 600; i++)
        loop_step(w->loop, 100);
    assert_int_equal(w->ended, n);
}

bool there(struct world *w, char name)
{
    char path[40];

    snprintf(path, sizeof(path), "%s/%c", w->dir, name);
    return !access(path, F_OK);
}

void begin(struct world *w)
{
    static const uint8_t version[] = "\0\x20\0\0\x08\0"
                                     "9P2000.L";
    uint8_t attach[16] = {0};

    le32_put(attach + 4, UINT32_MAX);
    ask(w, VERSION, version, 14);
    ask(w, ATTACH, attach, sizeof(attach));
    settle(w, w->asked);
}

void gate_shut(void)
{
    __atomic_store_n(&shut, true, __ATOMIC_RELEASE);
}

void gate_open(void)
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

int p9q_setup(void **state)
{
    *state = world_make(false, 60000);
    begin(*state);
    return 0;
}

int p9q_setup_alone(void **state)
{
    *state = world_make(true, 100);
    return 0;
}

int p9q_teardown(void **state)
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
