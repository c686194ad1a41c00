/*
 * Streams between a guest's vsock and Unix sockets, as Firecracker's and cloud-hypervisor's users
 * know it (docs/vsock.md). A program of the host connects to PATH and says "CONNECT port\n"; when
 * the guest has taken it, it is told "OK port\n", and the stream begins. A guest's connection to
 * port P of the host goes to the socket PATH_P. Another machine is reached by playing the first
 * part with its PATH.
 *
 * While the two lines are exchanged a stream is nobody's but this file's: GREETED waits for
 * CONNECT, ASKED waits for OK. How many do is bounded, and so is how much of a line is looked at.
 * A socket whose owner is slow to accept takes no more connections for a while: QUEUED tries again.
 */
#include "back/vsk.h"
#include "core/error.h"
#include "core/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  128
#define GREETERS 128
#define LINE     32            /* bytes of a greeting: "CONNECT 4294967295\n" has 19 */
#define RETRY_NS 1000000000ull /* out of descriptors: nobody is accepted for so long */
#define DIAL_NS  5000000ull    /* between two tries at a socket that is full, */
#define DIALS    300u          /* so many: Linux's connect waits 2 s */

enum phase { QUEUED, GREETED, ASKED, OPEN };

struct vsk_unix;

struct end {
    struct vsk_end end;
    struct vsk_unix *k;
    int fd;
    enum phase phase;
    uint32_t events;         /* watched */
    struct end *prev, *next; /* of the greeters, or of the queued */
    const char *peer;        /* another machine's path; NULL: a program of the host */
    uint32_t port;
    unsigned dials;
};

struct vsk_unix {
    struct vsk vsk;
    struct vsk_opts o;
    struct loop *loop;
    struct loop_timer retry, redial;
    int fd; /* listens */
    dev_t dev;
    ino_t ino; /* what bind made: only that is taken away again */
    struct end *greeters, *queued;
    unsigned greeting;
};

static void on_end(void *arg, uint32_t events);

static struct end *of(struct vsk_end *e)
{
    return container_of(e, struct end, end);
}

/* Nothing to watch for: out of the loop, since it would tell of a hang-up for ever. */
static void events_set(struct end *e, uint32_t events)
{
    if (events == e->events)
        return;
    if (!events)
        loop_fd_drop(e->k->loop, e->fd);
    else if (loop_fd(e->k->loop, e->fd, events, on_end, e))
        return;
    e->events = events;
}

static struct end *end_new(struct vsk_unix *k, int fd, enum phase phase)
{
    struct end *e = calloc(1, sizeof(*e));

    if (!e) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    *e = (struct end){.end.vsk = &k->vsk, .k = k, .fd = fd, .phase = phase};
    return e;
}

static void list_add(struct end **list, struct end *e)
{
    e->next = *list;
    if (e->next)
        e->next->prev = e;
    *list = e;
}

static void list_drop(struct end **list, struct end *e)
{
    *(e->prev ? &e->prev->next : list) = e->next;
    if (e->next)
        e->next->prev = e->prev;
    e->prev = e->next = NULL;
}

static void end_free(struct end *e)
{
    if (e->phase == QUEUED)
        list_drop(&e->k->queued, e);
    if (e->events)
        loop_fd_drop(e->k->loop, e->fd);
    if (e->fd >= 0)
        close(e->fd);
    free(e);
}

static void greeter_add(struct end *e)
{
    list_add(&e->k->greeters, e);
    e->k->greeting++;
}

static void greeter_drop(struct end *e)
{
    list_drop(&e->k->greeters, e);
    e->k->greeting--;
}

/* ---- the two lines ---- */

/* One whole line without its end, and no byte behind it. 1; 0: not yet; -EPROTO. */
static int line_take(int fd, char line[LINE])
{
    ssize_t n = recv(fd, line, LINE - 1, MSG_PEEK | MSG_DONTWAIT);
    char *end;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -EPROTO;
    end = memchr(line, '\n', (size_t)n);
    if (!end)
        return n == LINE - 1 || !n ? -EPROTO : 0;
    if (recv(fd, line, (size_t)(end - line) + 1, MSG_DONTWAIT) != end - line + 1)
        return -EPROTO;
    *end = 0;
    return 1;
}

static bool number(const char *s, uint32_t *v)
{
    char *end;
    unsigned long long n = strtoull(s, &end, 10);

    *v = (uint32_t)n;
    return *s >= '0' && *s <= '9' && !*end && n < UINT32_MAX;
}

static void greeted(struct end *e)
{
    char line[LINE];
    uint32_t port;
    int got = line_take(e->fd, line);

    if (!got)
        return;
    greeter_drop(e);
    if (got < 0 || strncmp(line, "CONNECT ", 8) || !number(line + 8, &port)) {
        end_free(e);
        return;
    }
    e->phase = OPEN;
    events_set(e, 0); /* until the guest has answered */
    if (!e->k->vsk.front.incoming ||
        !e->k->vsk.front.incoming(e->k->vsk.front.front, &e->end, port))
        end_free(e);
}

static void asked(struct end *e, uint32_t events)
{
    char line[LINE];
    int got = events & EPOLLIN ? line_take(e->fd, line) : -EPROTO;

    if (!got)
        return;
    events_set(e, 0);
    e->phase = OPEN;
    e->k->vsk.front.ready(e->end.conn, got > 0 && !strncmp(line, "OK ", 3) ? VSK_OPEN : VSK_GONE);
}

static void on_end(void *arg, uint32_t events)
{
    struct end *e = arg;

    if (e->phase == GREETED)
        greeted(e);
    else if (e->phase == ASKED)
        asked(e, events);
    else
        e->k->vsk.front.ready(e->end.conn, (events & EPOLLIN ? VSK_IN : 0) |
                                               (events & EPOLLOUT ? VSK_OUT : 0) |
                                               (events & (EPOLLHUP | EPOLLERR) ? VSK_GONE : 0));
}

/* ---- connecting ---- */

static int unix_dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code = 0;

    if (fd < 0)
        return -errno;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at))) {
        code = -errno; /* EAGAIN: its backlog is full */
        close(fd);
    }
    return code ? code : fd;
}

static const char *peer_path(const struct vsk_unix *k, uint64_t cid)
{
    for (unsigned i = 0; i < k->o.peers; i++)
        if (k->o.peer[i].cid == cid)
            return k->o.peer[i].path;
    return NULL;
}

/* 0: it is there. -EINPROGRESS: another machine was asked. -EAGAIN: full. -errno. */
static int end_dial(struct end *e)
{
    char text[VSK_PATH + 16];
    int n;

    snprintf(text, sizeof(text), "%s_%u", e->k->o.path, e->port);
    e->fd = unix_dial(e->peer ? e->peer : text);
    if (e->fd < 0)
        return e->fd;
    e->phase = e->peer ? ASKED : OPEN;
    if (!e->peer)
        return 0;
    n = snprintf(text, sizeof(text), "CONNECT %u\n", e->port);
    if (send(e->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
        return -ECONNREFUSED;
    events_set(e, EPOLLIN);
    return -EINPROGRESS;
}

static void queue(struct end *e)
{
    e->phase = QUEUED;
    list_add(&e->k->queued, e);
    if (!e->k->redial.due)
        loop_timer_set(&e->k->redial, loop_now(e->k->loop) + DIAL_NS);
}

/* The device may close it, and only it of those that are queued, when it is told. */
static void redial(struct end *e)
{
    int err;

    list_drop(&e->k->queued, e);
    e->phase = OPEN;
    err = end_dial(e);
    if (err == -EAGAIN && ++e->dials < DIALS)
        queue(e);
    else if (err != -EINPROGRESS)
        e->k->vsk.front.ready(e->end.conn, err ? VSK_GONE : VSK_OPEN);
}

static void on_redial(void *arg)
{
    struct vsk_unix *k = arg;

    for (struct end *e = k->queued, *next; e; e = next) { /* bound: the device's connections */
        next = e->next;
        redial(e);
    }
}

static int unix_connect(struct vsk *vsk, uint64_t cid, uint32_t port, struct vsk_end **out)
{
    struct vsk_unix *k = container_of(vsk, struct vsk_unix, vsk);
    const char *peer = cid == VSK_CID_HOST ? NULL : peer_path(k, cid);
    struct end *e;
    int err;

    if (cid != VSK_CID_HOST && !peer)
        return -ENETUNREACH;
    e = end_new(k, -1, OPEN);
    if (!e)
        return -ENOMEM;
    e->peer = peer;
    e->port = port;
    *out = &e->end;
    err = end_dial(e);
    if (err == -EAGAIN) {
        queue(e);
        return -EINPROGRESS;
    }
    if (err && err != -EINPROGRESS)
        end_free(e);
    return err;
}

static void on_retry(void *arg);

static void on_listen(void *arg, uint32_t events)
{
    struct vsk_unix *k = arg;
    int fd = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct end *e;

    (void)events;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        loop_fd_drop(k->loop, k->fd); /* else the loop would turn without end */
        loop_timer_set(&k->retry, loop_now(k->loop) + RETRY_NS);
    }
    if (fd < 0)
        return;
    if (k->greeting == GREETERS) {
        close(fd);
        return;
    }
    e = end_new(k, fd, GREETED);
    if (!e)
        return;
    greeter_add(e);
    events_set(e, EPOLLIN);
}

static void on_retry(void *arg)
{
    struct vsk_unix *k = arg;

    loop_fd(k->loop, k->fd, EPOLLIN, on_listen, k);
}

/* ---- a stream ---- */

static ssize_t unix_read(struct vsk_end *end, const struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    ssize_t got;

    do
        got = recvmsg(of(end)->fd, &m, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static ssize_t unix_write(struct vsk_end *end, const struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(of(end)->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == ENOBUFS ? -EAGAIN : -errno;
    return sent;
}

static void unix_watch(struct vsk_end *end, unsigned what)
{
    if (of(end)->phase == OPEN)
        events_set(of(end), (what & VSK_IN ? EPOLLIN : 0) | (what & VSK_OUT ? EPOLLOUT : 0));
}

static void unix_accepted(struct vsk_end *end, uint32_t port)
{
    char text[LINE];
    int n = snprintf(text, sizeof(text), "OK %u\n", port);

    /* An empty socket takes it, or its owner has gone, which reading tells. */
    if (send(of(end)->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
        shutdown(of(end)->fd, SHUT_RDWR);
}

static void unix_shut(struct vsk_end *end)
{
    shutdown(of(end)->fd, SHUT_WR);
}

static void unix_close(struct vsk_end *end)
{
    end_free(of(end));
}

/* ---- the listening socket ---- */

/* Is somebody there? Only a socket that nobody answers at may be taken away. */
static int place_clear(const char *path, struct error *err)
{
    struct stat st;
    int fd;

    if (lstat(path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "--vsock path=%s: is there, and is no socket", path);
    fd = unix_dial(path);
    if (fd >= 0)
        close(fd);
    if (fd != -ECONNREFUSED)
        return error_set(err, -EADDRINUSE, "--vsock path=%s: %s", path,
                         fd < 0 ? strerror(-fd) : "another machine is there; name another path");
    unlink(path);
    return 0;
}

static int unix_listen(struct vsk_unix *k)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", k->o.path);
    k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->fd < 0 || bind(k->fd, (const struct sockaddr *)&at, sizeof(at)))
        return -errno;
    /* Nobody can connect before listen, and then the mode is right. */
    if (chmod(at.sun_path, 0600) || listen(k->fd, BACKLOG) || lstat(at.sun_path, &st)) {
        int code = -errno;

        unlink(at.sun_path);
        return code;
    }
    k->dev = st.st_dev;
    k->ino = st.st_ino;
    return loop_fd(k->loop, k->fd, EPOLLIN, on_listen, k);
}

static void unix_free(struct vsk *vsk)
{
    struct vsk_unix *k = container_of(vsk, struct vsk_unix, vsk);
    struct stat st;

    while (k->greeters) {
        struct end *e = k->greeters;

        greeter_drop(e);
        end_free(e);
    }
    loop_timer_stop(&k->retry);
    loop_timer_stop(&k->redial);
    if (k->fd >= 0) {
        loop_fd_drop(k->loop, k->fd);
        close(k->fd);
    }
    if (k->ino && !lstat(k->o.path, &st) && st.st_dev == k->dev && st.st_ino == k->ino)
        unlink(k->o.path);
    free(k);
}

static const struct vsk_ops unix_ops = {
    .name = "unix",
    .connect = unix_connect,
    .read = unix_read,
    .write = unix_write,
    .watch = unix_watch,
    .accepted = unix_accepted,
    .shut = unix_shut,
    .close = unix_close,
    .free = unix_free,
};

int vsk_unix_open(struct vsk **out, const struct vsk_opts *o, struct loop *loop, struct error *err)
{
    struct vsk_unix *k;
    int code = place_clear(o->path, err);

    if (code)
        return code;
    k = calloc(1, sizeof(*k));
    if (!k)
        return error_set(err, -ENOMEM, "not enough memory to start");
    *k = (struct vsk_unix){.vsk.ops = &unix_ops, .o = *o, .loop = loop, .fd = -1};
    loop_timer_init(&k->retry, loop, on_retry, k);
    loop_timer_init(&k->redial, loop, on_redial, k);
    code = unix_listen(k);
    if (code) {
        unix_free(&k->vsk);
        return error_set(err, code, "--vsock path=%s: %s", o->path, strerror(-code));
    }
    *out = &k->vsk;
    return 0;
}

void vsk_free(struct vsk *k)
{
    if (k)
        k->ops->free(k);
}
