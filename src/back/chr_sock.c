/*
 * A character device behind a listening Unix socket: one client at a time is the other end, others
 * wait in the socket's backlog until it has gone.
 *
 * Nothing is lost between clients. What the guest sent and no client took is kept, up to CHR_OUT
 * bytes, for the next; what a client wrote before it went is read to its end before the next is let
 * in. The front end reads when it can, and that is when the client is read.
 *
 * epoll tells of a hang-up whether it is asked to or not. So a client that has gone while the front
 * end has no room is taken out of the loop, and is looked at again when there is room.
 */
#include "back/chr_sock.h"
#include "back/listen.h"
#include "core/error.h"
#include "core/loop.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_ROOM = 65536, PIECE = 4096, BACKLOG = 8 };
#define RETRY_NS 1000000000ull /* out of descriptors: nobody is let in for so long */

struct chr_sock {
    struct chr chr;
    struct listen_place at;
    int fd;          /* the client; -1: none */
    uint32_t events; /* what fd waits for in the loop */
    bool watched;    /* fd is in the loop */
    bool full;       /* the front end had no room */
    bool ended;      /* the client will write no more */
    bool deaf;       /* it will read no more */
    struct loop_work flush;
    struct loop_timer retry;
    uint8_t out[OUT_ROOM];
    size_t len;
};

static struct chr_sock *sock_of(struct chr *c)
{
    return container_of(c, struct chr_sock, chr);
}

static void client_ready(void *arg, uint32_t events);
static void listen_on(struct chr_sock *s);

/* Tells the loop what the client is waited for. */
static void watch(struct chr_sock *s)
{
    uint32_t events = (s->full || s->ended ? 0 : EPOLLIN) | (s->len && !s->deaf ? EPOLLOUT : 0);

    if (s->fd < 0 || (s->watched && events == s->events))
        return;
    s->watched = !loop_fd(s->chr.loop, s->fd, events, client_ready, s);
    s->events = events;
}

static void unwatch(struct chr_sock *s)
{
    if (s->watched)
        loop_fd_drop(s->chr.loop, s->fd);
    s->watched = false;
}

static void link_say(struct chr_sock *s, bool away)
{
    s->chr.away = away;
    if (s->chr.link)
        s->chr.link(s->chr.front);
}

static void client_gone(struct chr_sock *s)
{
    unwatch(s);
    close(s->fd);
    s->fd = -1;
    listen_on(s);
    link_say(s, true);
}

/* ---- output ---- */

static void out_write(struct chr_sock *s)
{
    size_t at = 0;

    while (at < s->len && s->fd >= 0 && !s->deaf) {
        ssize_t n = send(s->fd, s->out + at, s->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            s->deaf = errno != EAGAIN; /* it has gone, which reading will find out */
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    memmove(s->out, s->out + at, s->len - at);
    s->len -= at;
    watch(s);
    if (at && s->chr.drained)
        s->chr.drained(s->chr.front);
}

static void flush_run(void *arg)
{
    out_write(arg);
}

static void sock_send(struct chr *c, const uint8_t *buf, size_t len)
{
    struct chr_sock *s = sock_of(c);
    size_t n = len < OUT_ROOM - s->len ? len : OUT_ROOM - s->len;

    memcpy(s->out + s->len, buf, n);
    s->len += n;
    loop_defer(c->loop, &s->flush); /* after the guest's burst: one system call for all of it */
}

static size_t sock_space(struct chr *c)
{
    return OUT_ROOM - sock_of(c)->len;
}

static void sock_flush(struct chr *c)
{
    out_write(sock_of(c));
}

/* ---- input ---- */

/* One read of what the front end takes. False: there is nothing to read any more. */
static bool in_read(struct chr_sock *s)
{
    uint8_t buf[PIECE];
    size_t room = s->chr.room ? s->chr.room(s->chr.front) : 0;
    ssize_t n;

    s->full = !room;
    if (!room)
        return true;
    n = recv(s->fd, buf, room < sizeof(buf) ? room : sizeof(buf), MSG_DONTWAIT);
    if (n > 0)
        s->chr.recv(s->chr.front, buf, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void client_ready(void *arg, uint32_t events)
{
    struct chr_sock *s = arg;
    bool gone = events & (EPOLLHUP | EPOLLERR);

    if (events & EPOLLOUT)
        out_write(s);
    if (!s->ended && (gone || events & EPOLLIN))
        s->ended = !in_read(s);
    if (gone && s->ended)
        client_gone(s);
    else if (gone && s->full)
        unwatch(s);
    else
        watch(s);
}

static void sock_ready(struct chr *c)
{
    struct chr_sock *s = sock_of(c);

    if (!s->full)
        return;
    s->full = false;
    watch(s);
}

/* ---- coming and going ---- */

static void on_connect(void *arg, uint32_t events)
{
    struct chr_sock *s = arg;
    int fd = accept4(s->at.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool poor = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;

    (void)events;
    if (fd < 0 && !poor)
        return;
    loop_fd_drop(s->chr.loop, s->at.fd);
    if (fd < 0) { /* else the loop would turn without end */
        loop_timer_set(&s->retry, loop_now(s->chr.loop) + RETRY_NS);
        return;
    }
    s->fd = fd;
    s->full = s->ended = s->deaf = false;
    link_say(s, false);
    watch(s);
}

static void listen_on(struct chr_sock *s)
{
    loop_fd(s->chr.loop, s->at.fd, EPOLLIN, on_connect, s);
}

static void on_retry(void *arg)
{
    listen_on(arg);
}

static void sock_close(struct chr *c)
{
    struct chr_sock *s = sock_of(c);

    s->chr.drained = s->chr.link = NULL;
    out_write(s); /* what the client takes at once */
    loop_work_cancel(c->loop, &s->flush);
    loop_timer_stop(&s->retry);
    unwatch(s);
    if (s->fd >= 0)
        close(s->fd);
    if (s->at.fd >= 0)
        loop_fd_drop(c->loop, s->at.fd);
    listen_close(&s->at);
    free(s);
}

static const struct chr_ops sock_ops = {.send = sock_send,
                                        .flush = sock_flush,
                                        .ready = sock_ready,
                                        .close = sock_close,
                                        .space = sock_space};

int chr_sock_open(struct chr **out, const char *option, const char *path, struct loop *loop,
                  struct error *err)
{
    struct chr_sock *s = calloc(1, sizeof(*s));
    int code;

    if (!s)
        return error_set(err, -ENOMEM, "%s socket=%s: not enough memory", option, path);
    s->chr = (struct chr){.ops = &sock_ops, .loop = loop, .away = true};
    s->fd = -1;
    s->flush = (struct loop_work){.run = flush_run, .arg = s};
    loop_timer_init(&s->retry, loop, on_retry, s);
    code = listen_open(&s->at, option, path, BACKLOG, err);
    if (!code) {
        code = loop_fd(loop, s->at.fd, EPOLLIN, on_connect, s);
        if (code)
            error_set(err, code, "%s socket=%s: %s", option, path, strerror(-code));
    }
    if (code)
        sock_close(&s->chr);
    else
        *out = &s->chr;
    return code;
}
