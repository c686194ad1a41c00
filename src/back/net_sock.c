/*
 * Frames to and from a stream socket, one system call a burst each way. What the peer does not read
 * is kept up to a bound, and the front end is asked to wait well before it; what the guest has no
 * room for stays unread, so that the peer waits. Errors of the socket are only dealt with in the
 * loop: a front end is never told of a lost link inside its own send.
 */
#include "back/net_sock.h"
#include "core/ledger.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_AT (256u << 10) /* kept bytes at which the front end is asked to wait */
#define ROOM_AT (64u << 10)  /* and to go on */
#define DROP_AT (1u << 20)   /* it did not wait */
#define LONG    4096u        /* a frame worth a call of its own rather than a copy */
#define READS   4            /* a turn of the loop: others want theirs */

static void sock_ready_fd(void *arg, uint32_t events);

static void watch(struct net_sock *s)
{
    bool reads = !s->holding || (s->ahead && s->in.end < s->in.size);
    uint32_t events = (reads ? EPOLLIN : 0) | (s->out.first ? EPOLLOUT : 0);

    if (s->fd >= 0 && events != s->events && !loop_fd(s->net.loop, s->fd, events, sock_ready_fd, s))
        s->events = events;
}

void net_sock_stop(struct net_sock *s)
{
    if (s->fd < 0)
        return;
    loop_fd_drop(s->net.loop, s->fd);
    close(s->fd);
    s->fd = -1;
    net_out_close(&s->out);
    net_in_close(&s->in);
    s->holding = s->was_full = false;
    s->net.resume = 0;
}

static void lose(struct net_sock *s, const char *why)
{
    net_sock_stop(s);
    net_link(&s->net, false);
    s->lost(s, why);
}

int net_sock_start(struct net_sock *s, int fd)
{
    int err = net_in_open(&s->in, NET_IN_SIZE + s->ahead);

    if (!err)
        err = net_out_open(&s->out, fd, NULL);
    if (s->whole)
        s->out.burst = NET_OUT_WHOLE;
    s->fd = fd;
    s->events = 0;
    if (!err)
        err = loop_fd(s->net.loop, fd, EPOLLIN, sock_ready_fd, s);
    if (err) {
        net_sock_stop(s);
        return err;
    }
    s->events = EPOLLIN;
    net_link(&s->net, true);
    return 0;
}

/* ---- from the guest ---- */

static void moved(struct net_sock *s)
{
    ledger_copy(s->net.row, s->out.moved);
    s->out.moved = 0;
}

static void flush(struct net_sock *s)
{
    if (s->fd >= 0 && net_out_flush(&s->out, 0))
        shutdown(s->fd, SHUT_RDWR); /* the loop hears of it */
    moved(s);
}

bool net_sock_send(struct net *n, const struct net_frame *f)
{
    struct net_sock *s = container_of(n, struct net_sock, net);

    if (s->fd < 0 || net_out_kept(&s->out) > DROP_AT)
        return false;
    if (f->len >= LONG && net_out_frame_last(&s->out, f)) {
        flush(s);
        return true;
    }
    if (net_out_frame(&s->out, f))
        return true;
    flush(s);
    return net_out_frame(&s->out, f); /* an empty burst has room for any frame */
}

void net_sock_flush(struct net *n)
{
    struct net_sock *s = container_of(n, struct net_sock, net);

    flush(s);
    watch(s);
}

bool net_sock_full(struct net *n)
{
    struct net_sock *s = container_of(n, struct net_sock, net);

    if (s->fd < 0 || net_out_kept(&s->out) <= (s->shared ? 0 : FULL_AT))
        return false;
    s->was_full = true;
    return true;
}

/* ---- to the guest ---- */

static int deliver(struct net_sock *s)
{
    int got;

    s->delivering = true;
    while ((got = net_in_next(&s->in, &s->held)) == 1) { /* ends: each takes bytes of in */
        if (s->peek && s->peek(s, &s->held))
            continue;
        if (!s->held.f.len) {
            s->held.f.len = s->held.iov.iov_len;
            net_recv_drop(&s->net, &s->held.f);
        } else if (!net_recv(&s->net, &s->held.f)) {
            s->holding = true;
            break;
        }
    }
    s->delivering = false;
    return got < 0 ? got : 0;
}

void net_sock_ready(struct net *n)
{
    struct net_sock *s = container_of(n, struct net_sock, net);

    if (!s->holding || s->delivering || s->fd < 0)
        return;
    s->delivering = true; /* the front end may say ready inside recv */
    s->holding = !net_recv(n, &s->held.f);
    s->delivering = false;
    if (!s->holding && deliver(s))
        shutdown(s->fd, SHUT_RDWR);
    net_recv_end(n);
    watch(s);
}

/* NULL, or why the peer is lost. */
static const char *take_in(struct net_sock *s)
{
    for (unsigned i = 0; i < (s->shared ? 1 : READS) && (!s->holding || s->ahead); i++) {
        size_t room;
        uint8_t *to = s->holding ? net_in_tail(&s->in, &room) : net_in_space(&s->in, &room);
        ssize_t n = room ? recv(s->fd, to, room, MSG_DONTWAIT) : -1;

        if (!room || (n < 0 && (errno == EAGAIN || errno == EINTR)))
            break;
        if (n <= 0)
            return "has gone";
        s->in.end += (size_t)n;
        ledger_copy(s->net.row, (uint64_t)n);
        if (!s->holding && deliver(s))
            return "sent what is no frame";
        if ((size_t)n < room)
            break;
    }
    return NULL;
}

static void sock_ready_fd(void *arg, uint32_t events)
{
    struct net_sock *s = arg;
    const char *why = NULL;

    if (events & EPOLLOUT && net_out_more(&s->out))
        why = "has gone";
    moved(s);
    if (!why && events & EPOLLIN)
        why = take_in(s);
    else if (!why && events & (EPOLLHUP | EPOLLERR))
        why = "has gone";
    net_recv_end(&s->net);
    if (why) {
        lose(s, why);
        return;
    }
    watch(s);
    if (s->was_full && net_out_kept(&s->out) <= (s->shared ? 0 : ROOM_AT)) {
        s->was_full = false;
        net_room(&s->net);
    }
}
