/*
 * A directory's requests, on their way to the process that serves it and back (p9_wire.h). What has
 * no slot there waits here. The loop takes answers, counts them and tells the owners; all of it
 * under the loop's lock.
 *
 * Tflush: a request that it names and that has not begun fails (EINTR); one that has begun is
 * answered before the Tflush, since all are served in order. Clunks and removes are never flushed:
 * the fids would stay.
 *
 * Needs after start-up: its end of the socket pair, the pipe, the memory it shares with the
 * server; send, recv, readv, poll; and once the server is gone kill and wait for it.
 */
#include "back/p9.h"
#include "back/p9_server.h"
#include "back/p9_wire.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"
#include "core/loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { TVERSION = 100, TFLUSH = 108, TREAD = 116, TCLUNK = 120, TREMOVE = 122 };
enum { END_MS = 200, HURRY = 16, RESET_ROOM = 64 };

struct list {
    struct p9_req *head, **end;
};

struct p9 {
    struct p9_wire wire;
    struct loop *loop;
    struct p9_spin spin;
    struct ledger_row *row[P9_KINDS];
    char name[P9_NAMED];
    struct p9_req *slot[P9_SLOTS]; /* at the server */
    unsigned at_server, pending;   /* how many there; submitted and not yet told */
    struct list todo, ended;       /* no slot yet; answered, not yet told */
    struct loop_work work;         /* there is something in ended */
    unsigned hurry;                /* how many requests not to wait for (linger) */
    bool listens;                  /* the loop does, for answers */
    bool lost;                     /* the server is no more */
    bool used;                     /* since the last reset */
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

/* ---- ends ---- */

/* Answered here, without the server. */
static void end_with(struct p9 *p, struct p9_req *r, int err)
{
    uint8_t reply[P9_ERROR_LEN];

    r->err = err;
    r->replied = 0;
    if (r->room_len >= P9_ERROR_LEN) {
        p9_error(reply, r->msg, err);
        p9_copy(r->room, r->rooms, 0, reply, sizeof(reply));
        r->replied = sizeof(reply);
    }
    list_add(&p->ended, r);
    loop_defer(p->loop, &p->work);
}

static void say_lost(const struct p9 *p, const char *why, int status)
{
    static const char then[] = "its requests fail with I/O errors from now on";

    if (status >= 0 && WIFSIGNALED(status))
        log_error("%s: %s (signal %d, %s): %s", p->name, why, WTERMSIG(status),
                  strsignal(WTERMSIG(status)), then);
    else
        log_error("%s: %s: %s", p->name, why, then);
}

/* The server is gone, or must go: nothing that it has or gets is ever answered. */
static void lose(struct p9 *p, const char *why, bool now)
{
    struct p9_req *r;
    int status;

    if (p->lost)
        return;
    p->lost = true;
    loop_fd_drop(p->loop, p->wire.sock);
    status = p9_spawn_end(&p->wire, now, END_MS);
    say_lost(p, why, now ? -1 : status);
    for (unsigned i = 0; i < P9_SLOTS; i++)
        if (p->slot[i]) {
            end_with(p, p->slot[i], -EIO);
            p->slot[i] = NULL;
        }
    p->at_server = 0;
    while ((r = list_take(&p->todo)))
        end_with(p, r, -EIO);
}

/* ---- there ---- */

static unsigned slot_free(const struct p9 *p)
{
    unsigned i = 0;

    while (p->slot[i]) /* bound: P9_SLOTS, of which one is free */
        i++;
    return i;
}

/* Of Twrite: where the server can see it. */
static void data_put(uint8_t *bulk, const struct p9_req *r)
{
    struct iovec part[P9_IOVS];
    int parts = p9_slice(r->data, r->datas, 0, r->data_len, part);

    for (int i = 0; i < parts; i++) {
        memcpy(bulk, part[i].iov_base, part[i].iov_len);
        bulk += part[i].iov_len;
    }
}

static void give(struct p9 *p, struct p9_req *r)
{
    unsigned slot = slot_free(p);
    uint32_t ask[P9_ASK_HEAD / 4] = {slot, r->len, (uint32_t)r->data_len, (uint32_t)r->room_len,
                                     (uint32_t)sched_getcpu()};
    struct iovec iov[2] = {{ask, sizeof(ask)}, {r->msg, r->len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov)};

    p->slot[slot] = r;
    p->at_server++;
    __atomic_store_n(&p->wire.shared->cancelled[slot], r->cancelled, __ATOMIC_RELAXED);
    data_put(p->wire.shared->bulk[slot], r);
    if (sendmsg(p->wire.sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        lose(p, "its server doesn't listen", errno != EPIPE && errno != ECONNRESET);
    else if (p->wire.pump) {
        p->wire.pump(p->wire.pump_ctx);
        loop_defer(p->loop, &p->work);
    }
}

static void give_all(struct p9 *p)
{
    while (p->todo.head && p->at_server < P9_SLOTS && !p->lost) /* bound: the owner's requests */
        give(p, list_take(&p->todo));
}

static void cancel(struct p9 *p, struct p9_req *r)
{
    uint8_t type = r->len >= P9_HEAD ? r->msg[4] : 0;

    if (type == TCLUNK || type == TREMOVE)
        return;
    r->cancelled = true;
    for (unsigned i = 0; i < P9_SLOTS; i++)
        if (p->slot[i] == r)
            __atomic_store_n(&p->wire.shared->cancelled[i], 1, __ATOMIC_RELAXED);
}

static void flush_list(struct p9 *p, struct p9_req *r, uint16_t tag)
{
    for (; r; r = r->next) /* bound: the owner's requests */
        if (r->len >= P9_HEAD && le16_get(r->msg + 5) == tag)
            cancel(p, r);
}

static void flush(struct p9 *p, uint16_t tag)
{
    flush_list(p, p->todo.head, tag);
    for (unsigned i = 0; i < P9_SLOTS; i++)
        if (p->slot[i])
            flush_list(p, p->slot[i], tag);
}

static void on_event(void *arg, uint32_t events);

/* ---- and back ---- */

/* One answer, if flags (of recv(2)) and the socket's own timeout bring one: was there one? */
static bool fetch(struct p9 *p, int flags)
{
    struct p9_answer a;
    struct p9_req *r;
    const char *why;
    ssize_t n;

    if (p->lost)
        return false;
    n = flags & MSG_DONTWAIT ? 0 : p9_spin(&p->spin, p->wire.sock, &a, sizeof(a));
    if (!n)
        n = recv(p->wire.sock, &a, sizeof(a), flags | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        lose(p, "its server has ended", false);
        return false;
    }
    r = p9_answered(p->slot, &a, (size_t)n, &why);
    if (!r) {
        lose(p, why, true);
        return false;
    }
    p->spin.other = a.cpu;
    if (!p9_answer_take(r, &a, p->wire.shared->bulk[a.slot], p->wire.pipe)) {
        lose(p, "its server sent less than it told and is ended", true);
        return false;
    }
    p->slot[a.slot] = NULL;
    p->at_server--;
    list_add(&p->ended, r);
    return true;
}

/* The loop listens for answers only while there are some that nobody waits for. */
static void listen_for(struct p9 *p)
{
    bool want = p->at_server > 0;

    if (p->lost || want == p->listens)
        return;
    p->listens = want;
    if (loop_fd(p->loop, p->wire.sock, want ? EPOLLIN : 0, on_event, p))
        lose(p, "it can't be listened to", true);
}

/* Most answers come in less time than it takes to go on and be interrupted: who has asked waits.
 * The server was too slow for that? Then the next ones aren't waited for either. */
static void linger(struct p9 *p)
{
    if (p->at_server == 1 && !p->listens && !p->wire.pump) {
        if (p->hurry)
            p->hurry--;
        else if (fetch(p, 0))
            loop_defer(p->loop, &p->work);
        else if (errno != EINTR)
            p->hurry = HURRY;
    }
    listen_for(p);
}

void p9_submit(struct p9 *p, struct p9_req *r)
{
    r->cancelled = false;
    r->next = NULL;
    p->pending++;
    p->used = true;
    if (r->len > P9_MSG_MAX || r->data_len > P9_BULK || r->room_len > P9_BULK ||
        r->room_len < P9_ERROR_LEN)
        end_with(p, r, -EMSGSIZE);
    else if (p->lost)
        end_with(p, r, -EIO);
    else {
        if (r->len >= P9_HEAD + 2 && r->msg[4] == TFLUSH)
            flush(p, le16_get(r->msg + P9_HEAD));
        list_add(&p->todo, r);
        give_all(p);
        linger(p);
    }
}

/* The owner of a request of our own (forget). */
static void nobody(struct p9_req *r)
{
    (void)r;
}

static void count(struct p9 *p, const struct p9_req *r)
{
    uint8_t type = r->len >= P9_HEAD ? r->msg[4] : 0;
    struct ledger_row *row = p->row[p9_kind_of(type)];
    uint64_t bytes = 0;

    if (type == P9_TWRITE)
        bytes = r->data_len;
    else if (type == TREAD && !r->err && r->replied > P9_ERROR_LEN)
        bytes = r->replied - P9_ERROR_LEN;
    ledger_add(row, p9_changes(type), bytes);
    ledger_copy(row, bytes);
    if (r->err)
        ledger_refuse(row);
}

static void tell(struct p9 *p)
{
    struct p9_req *r = p->ended.head, *next;

    list_init(&p->ended);
    for (; r; r = next) {
        next = r->next;
        p->pending--;
        if (r->done != nobody)
            count(p, r);
        r->done(r);
    }
}

/* Bound: what can be at the server at once; there may be more, and then there is an event. */
static void reap(struct p9 *p)
{
    while (p->at_server && fetch(p, MSG_DONTWAIT)) /* bound: P9_SLOTS */
        ;
    give_all(p);
    listen_for(p);
    tell(p);
}

static void on_event(void *arg, uint32_t events)
{
    struct p9 *p = arg;

    if (events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN))
        lose(p, "its server has ended", false);
    reap(p);
}

static void on_work(void *arg)
{
    reap(arg);
}

/* Is there an answer, or the end, in time? */
static bool awaited(struct p9 *p)
{
    struct pollfd ready = {.fd = p->wire.sock, .events = POLLIN};
    int n = poll(&ready, 1, (int)p->wire.patience_ms);

    return n > 0 || (n < 0 && errno == EINTR);
}

void p9_drain(struct p9 *p)
{
    while (p->pending) {
        if (!p->ended.head && p->at_server && !awaited(p))
            lose(p, "its server hangs and is ended", true);
        reap(p);
    }
}

/* ---- sessions ---- */

/* A version that is none: all fids go, and no request but a new version is served. */
static void forget(struct p9 *p)
{
    static const uint8_t version[P9_HEAD + 6] = {
        sizeof(version), 0, 0, 0, TVERSION, 0xff, 0xff, 0, 0, 1, 0};
    uint8_t room[RESET_ROOM];
    struct iovec iov = {room, sizeof(room)};
    struct p9_req *r = calloc(1, sizeof(*r));

    if (!r) {
        lose(p, "not enough memory to end its session", true);
        return;
    }
    memcpy(r->msg, version, sizeof(version));
    r->len = sizeof(version);
    r->room = &iov;
    r->rooms = 1;
    r->room_len = sizeof(room);
    r->done = nobody;
    p9_submit(p, r);
    p9_drain(p);
    free(r);
}

void p9_reset(struct p9 *p)
{
    for (struct p9_req *r = p->todo.head; r; r = r->next) /* bound: the owner's requests */
        r->cancelled = true;
    for (unsigned i = 0; i < P9_SLOTS; i++)
        __atomic_store_n(&p->wire.shared->cancelled[i], 1, __ATOMIC_RELAXED);
    p9_drain(p);
    if (p->used && !p->lost)
        forget(p);
    p->used = false;
}

/* ---- life ---- */

static int rows(struct p9 *p, struct ledger *ledger)
{
    static const char *const kind[P9_KINDS] = {
        [P9_SESSION] = "session", [P9_NAMES] = "names", [P9_ATTRS] = "attrs", [P9_FILES] = "files",
        [P9_TREE] = "tree",       [P9_READ] = "read",   [P9_WRITE] = "write", [P9_OTHER] = "other"};

    for (unsigned i = 0; i < P9_KINDS; i++) {
        p->row[i] = ledger_row(ledger, LEDGER_SHARE, p->name, kind[i]);
        if (!p->row[i])
            return -ENOMEM;
    }
    return 0;
}

int p9_attach(struct p9 **out, const struct p9_wire *w, const char *name, struct loop *loop,
              struct ledger *ledger)
{
    struct p9 *p = calloc(1, sizeof(*p));
    int code;

    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->wire = *w;
    strncpy(p->name, name, sizeof(p->name) - 1);
    list_init(&p->todo);
    list_init(&p->ended);
    p->work = (struct loop_work){.run = on_work, .arg = p};
    code = rows(p, ledger);
    if (!code)
        code = loop_fd(loop, p->wire.sock, 0, on_event, p);
    if (code)
        free(p);
    else
        *out = p;
    return code;
}

int p9_open(struct p9 **out, const struct p9_opts *o, struct loop *loop, struct ledger *ledger,
            struct error *err)
{
    struct p9_wire w = {0};
    int code = p9_spawn(&w, o, err);

    if (code)
        return code;
    code = p9_attach(out, &w, o->name, loop, ledger);
    if (!code)
        return 0;
    p9_spawn_end(&w, true, END_MS);
    p9_wire_close(&w);
    return error_set(err, code, "--share %s: %s", o->dir, strerror(-code));
}

void p9_close(struct p9 *p)
{
    if (!p)
        return;
    p9_drain(p);
    loop_work_cancel(p->loop, &p->work);
    if (!p->lost) {
        loop_fd_drop(p->loop, p->wire.sock);
        shutdown(p->wire.sock, SHUT_RDWR); /* by which it ends itself */
        p9_spawn_end(&p->wire, false, END_MS);
    }
    p9_wire_close(&p->wire);
    free(p);
}
