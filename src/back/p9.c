/*
 * A directory's queue and its thread. What can be served without waiting is, as it is submitted
 * (p9_try.c), if nothing is before it; all else is the thread's. The thread serves requests in
 * order with blocking system calls and knows nothing of the VM; results are reaped by the loop,
 * which counts them and tells their owners. Only one thread is in the server at a time: its own,
 * or, when that has nothing to do, the one that resets or closes.
 *
 * Tflush: a request that it names and that has not begun fails at once (EINTR); one that has begun
 * is answered before the Tflush, since all are served in order. Clunks and removes are never
 * flushed: the fids would stay.
 */
#include "back/p9.h"
#include "back/p9_server.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TFLUSH = 108, TREAD = 116, TCLUNK = 120, TREMOVE = 122 };

enum way { INLINE, WORKER, WAYS };

struct list {
    struct p9_req *head, **end;
};

struct p9 {
    struct p9_server *server;
    struct loop *loop;
    int event; /* eventfd: there are results */
    struct ledger_row *row[P9_KINDS];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle; /* todo is not empty or stop; ended is not empty */
    struct list todo, ended;   /* under lock */
    bool started, stop, threadless;
    /* The owner's side only: */
    struct loop_work work;   /* there is something in quick */
    struct list quick;       /* served as they were submitted, not yet reaped */
    unsigned pending, given; /* submitted and not yet reaped; of these, given to the thread */
    struct ledger_row *way[WAYS];
};

static void list_init(struct list *l)
{
    l->head = NULL;
    l->end = &l->head;
}

static void list_add(struct list *l, struct p9_req *r)
{
    r->next = NULL;
    *l->end = r;
    l->end = &r->next;
}

static struct p9_req *list_take(struct list *l)
{
    struct p9_req *r = l->head;

    if (!r)
        return NULL;
    l->head = r->next;
    if (!l->head)
        l->end = &l->head;
    return r;
}

/* ---- the thread ---- */

static void *work(void *arg)
{
    struct p9 *p = arg;
    const uint64_t one = 1;

    p9_confine(p->server);  /* where the kernel can: the rules of p9_path.c hold without it */
    if (!unshare(CLONE_FS)) /* modes are as the guest's umask left them, not as ours */
        umask(0);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct p9_req *r = list_take(&p->todo);

        if (!r && p->stop)
            break;
        if (!r) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        p9_serve(p->server, r);
        pthread_mutex_lock(&p->lock);
        list_add(&p->ended, r);
        pthread_cond_signal(&p->idle);
        if (write(p->event, &one, sizeof(one)) < 0) {
            /* Only when the counter is full: then the loop is awake anyway. */
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* All signals stay with the threads that expect them; SIGXFSZ then is an error of the write. */
static bool start(struct p9 *p)
{
    sigset_t all, old;

    if (p->started || p->threadless)
        return p->started;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->started = !pthread_create(&p->thread, NULL, work, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return p->started;
}

/* ---- the owner's side ---- */

/* p->lock is held. */
static void cancel(struct p9_req *r)
{
    uint8_t type = r->len >= P9_HEAD ? r->msg[4] : 0;

    if (type != TCLUNK && type != TREMOVE)
        r->cancelled = true;
}

static void flush(struct p9 *p, uint16_t tag)
{
    for (struct p9_req *r = p->todo.head; r; r = r->next) /* bound: the owner's requests */
        if (r->len >= P9_HEAD && le16_get(r->msg + 5) == tag)
            cancel(r);
}

/* The thread has nothing to do: the server is free. */
static bool serve_here(struct p9 *p, struct p9_req *r)
{
    if (!p9_try(p->server, r)) {
        if (start(p))
            return false;
        p9_serve(p->server, r); /* no thread to be had: the guest waits, then */
    }
    ledger_add(p->way[INLINE], p9_changes(r->msg[4]), 0);
    return true;
}

void p9_submit(struct p9 *p, struct p9_req *r)
{
    bool is_flush = r->len >= P9_HEAD + 2 && r->msg[4] == TFLUSH;

    r->cancelled = false;
    p->pending++;
    if (!p->given && serve_here(p, r)) {
        list_add(&p->quick, r);
        loop_defer(p->loop, &p->work);
        return;
    }
    p->given++;
    ledger_add(p->way[WORKER], p9_changes(r->msg[4]), 0);
    pthread_mutex_lock(&p->lock);
    if (is_flush)
        flush(p, le16_get(r->msg + P9_HEAD));
    list_add(&p->todo, r);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void count(struct p9 *p, const struct p9_req *r)
{
    uint8_t type = r->len >= P9_HEAD ? r->msg[4] : 0;
    struct ledger_row *row = p->row[p9_kind_of(type)];
    uint64_t bytes = type == P9_TWRITE          ? r->data_len
                     : type == TREAD && !r->err ? r->replied - P9_ERROR_LEN
                                                : 0;

    ledger_add(row, p9_changes(type), bytes);
    if (r->err)
        ledger_refuse(row);
}

static void tell(struct p9 *p, struct p9_req *r)
{
    struct p9_req *next;

    for (; r; r = next) {
        next = r->next;
        p->pending--;
        count(p, r);
        r->done(r);
    }
}

static void reap(struct p9 *p, bool wait)
{
    struct p9_req *r = p->quick.head;

    list_init(&p->quick);
    tell(p, r);
    if (!p->given)
        return;
    pthread_mutex_lock(&p->lock);
    while (wait && !p->ended.head)
        pthread_cond_wait(&p->idle, &p->lock);
    r = p->ended.head;
    list_init(&p->ended);
    pthread_mutex_unlock(&p->lock);
    for (struct p9_req *e = r; e; e = e->next)
        p->given--;
    tell(p, r);
}

static void on_event(void *arg, uint32_t events)
{
    struct p9 *p = arg;
    eventfd_t n;

    (void)events;
    eventfd_read(p->event, &n);
    reap(p, false);
}

static void on_work(void *arg)
{
    reap(arg, false);
}

void p9_drain(struct p9 *p)
{
    while (p->pending)
        reap(p, true);
}

void p9_reset(struct p9 *p)
{
    pthread_mutex_lock(&p->lock);
    for (struct p9_req *r = p->todo.head; r; r = r->next) /* bound: the owner's requests */
        r->cancelled = true;
    pthread_mutex_unlock(&p->lock);
    p9_drain(p);
    p9_server_forget(p->server);
}

/* ---- life ---- */

static int rows(struct p9 *p, const char *name, struct ledger *ledger)
{
    static const char *const kind[P9_KINDS] = {
        [P9_SESSION] = "session", [P9_NAMES] = "names", [P9_ATTRS] = "attrs", [P9_FILES] = "files",
        [P9_TREE] = "tree",       [P9_READ] = "read",   [P9_WRITE] = "write", [P9_OTHER] = "other"};

    for (unsigned i = 0; i < P9_KINDS; i++) {
        p->row[i] = ledger_row(ledger, LEDGER_SHARE, name, kind[i]);
        if (!p->row[i])
            return -ENOMEM;
    }
    p->way[INLINE] = ledger_row(ledger, LEDGER_WAY, name, "inline");
    p->way[WORKER] = ledger_row(ledger, LEDGER_WAY, name, "worker");
    return p->way[INLINE] && p->way[WORKER] ? 0 : -ENOMEM;
}

int p9_open(struct p9 **out, const struct p9_opts *o, struct loop *loop, struct ledger *ledger,
            struct error *err)
{
    struct p9 *p = calloc(1, sizeof(*p));
    int code;

    if (!p)
        return error_set(err, -ENOMEM, "--share %s: not enough memory", o->dir);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->idle, NULL);
    list_init(&p->todo);
    list_init(&p->ended);
    list_init(&p->quick);
    p->loop = loop;
    p->threadless = o->threadless;
    p->work = (struct loop_work){.run = on_work, .arg = p};
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    code = p->event < 0 ? -errno : rows(p, o->name, ledger);
    if (!code)
        code = loop_fd(loop, p->event, EPOLLIN, on_event, p);
    if (code)
        error_set(err, code, "--share %s: %s", o->dir, strerror(-code));
    else
        code = p9_server_open(&p->server, o->dir, o->readonly, err);
    if (!code && o->shares > 1)
        p->server->fids_max /= o->shares;
    if (code)
        p9_close(p);
    else
        *out = p;
    return code;
}

void p9_close(struct p9 *p)
{
    if (!p)
        return;
    p9_drain(p);
    if (p->started) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    loop_work_cancel(p->loop, &p->work);
    if (p->event >= 0) {
        loop_fd_drop(p->loop, p->event);
        close(p->event);
    }
    p9_server_close(p->server);
    pthread_cond_destroy(&p->idle);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
