/*
 * One connection. A client that does not read is not listened to: its commands wait in its socket
 * until it has taken the answers so far; events to it are dropped.
 */
#include "api/ctl_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX  4096u       /* bytes of commands a round; others wait for their turn too */
#define OUT_EVENT (64u << 10) /* owed bytes above which events are dropped and nothing is read */
#define OUT_MAX   (4u << 20)  /* ... and the connection ends: more than any round's answers */

static void ready(void *client, uint32_t events);

static void listen_for(struct ctl_client *cl)
{
    uint32_t events = cl->ending || cl->out_len > OUT_EVENT ? 0 : EPOLLIN;

    if (cl->out_len)
        events |= EPOLLOUT;
    loop_fd(cl->ctl->o.loop, cl->fd, events, ready, cl);
}

void ctl_client_close(struct ctl_client *cl)
{
    if (cl->fd < 0)
        return;
    loop_fd_drop(cl->ctl->o.loop, cl->fd);
    close(cl->fd);
    cl->fd = -1;
    qmp_end(&cl->qmp);
    json_split_free(&cl->in);
    free(cl->out);
    cl->out = NULL;
    cl->out_len = cl->out_room = 0;
}

/* ---- out ---- */

static ssize_t fd_send(int sock, const char *p, size_t n, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec io = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Some of what is owed; a descriptor goes with the byte it belongs to. */
static ssize_t some_send(struct ctl_client *cl, size_t at)
{
    size_t end = cl->pass && at < cl->pass_at ? cl->pass_at : cl->out_len;
    ssize_t n;

    if (!cl->pass || at != cl->pass_at)
        return send(cl->fd, cl->out + at, end - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    n = fd_send(cl->fd, cl->out + at, end - at, cl->pass);
    if (n > 0)
        cl->pass = 0;
    return n;
}

/* false: the connection is gone. */
static bool flush(struct ctl_client *cl)
{
    size_t at = 0;

    while (at < cl->out_len) { /* each round takes a byte or ends */
        ssize_t n = some_send(cl, at);

        if (n > 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return false;
    }
    memmove(cl->out, cl->out + at, cl->out_len - at);
    cl->out_len -= at;
    cl->pass_at -= cl->pass ? at : 0;
    return true;
}

static bool keep(struct ctl_client *cl, const char *line, size_t n)
{
    size_t room = cl->out_room ? cl->out_room : 4096;
    char *out;

    if (n > OUT_MAX - cl->out_len)
        return false;
    while (room < cl->out_len + n)
        room *= 2;
    out = room == cl->out_room ? cl->out : realloc(cl->out, room);
    if (!out)
        return false;
    cl->out = out;
    cl->out_room = room;
    memcpy(out + cl->out_len, line, n);
    cl->out_len += n;
    return true;
}

void ctl_client_send(struct ctl_client *cl, char *line, bool event)
{
    bool ok = line;

    if (cl->fd < 0) { /* an event that could not be sent has closed it meanwhile */
        free(line);
        return;
    }
    if (ok && !(event && cl->out_len > OUT_EVENT))
        ok = keep(cl, line, strlen(line)) && flush(cl);
    free(line);
    if (!ok)
        ctl_client_close(cl);
    else
        listen_for(cl);
}

/* ---- in ---- */

/* One descriptor at a time: who asks for another has not read the one before. */
static void answer(struct ctl_client *cl)
{
    char *line = qmp_answer(&cl->qmp, cl->in.buf, cl->in.len);

    if (cl->qmp.pass && cl->pass) {
        free(line);
        line = NULL;
    } else if (cl->qmp.pass) {
        cl->pass = cl->qmp.pass;
        cl->pass_at = cl->out_len;
    }
    ctl_client_send(cl, line, false);
}

static void take(struct ctl_client *cl, char byte)
{
    switch (json_split_byte(&cl->in, byte)) {
    case JSON_MESSAGE: answer(cl); break;
    case JSON_BAD: ctl_client_send(cl, qmp_refusal("this is not a JSON object"), false); break;
    case JSON_TOO_LONG: ctl_client_send(cl, qmp_refusal("the message is too long"), false); break;
    default: break;
    }
}

static void hear(struct ctl_client *cl)
{
    char buf[READ_MAX];
    ssize_t n = recv(cl->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        ctl_client_close(cl);
        return;
    }
    if (!n)
        cl->ending = true;
    for (ssize_t i = 0; i < n && cl->fd >= 0; i++)
        take(cl, buf[i]);
    if (cl->fd >= 0)
        listen_for(cl);
}

static void ready(void *client, uint32_t events)
{
    struct ctl_client *cl = client;

    if ((events & EPOLLOUT) && !flush(cl)) {
        ctl_client_close(cl);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && cl->out_len <= OUT_EVENT && !cl->ending)
        hear(cl);
    else if (cl->fd >= 0)
        listen_for(cl);
    /* Said all, owed nothing; or nobody is left to owe it to. */
    if (cl->fd >= 0 && ((cl->ending && !cl->out_len) || (events & (EPOLLHUP | EPOLLERR))))
        ctl_client_close(cl);
}

/* ---- open ---- */

static void tell_all(void *ctl, const char *name, struct cJSON *data)
{
    struct ctl *c = ctl;
    char *line = qmp_event(name, data);

    for (unsigned i = 0; line && i < CTL_CLIENTS; i++)
        if (c->client[i].fd >= 0 && c->client[i].qmp.ready)
            ctl_client_send(&c->client[i], strdup(line), true);
    free(line);
}

void ctl_client_open(struct ctl *c, int fd)
{
    struct ctl_client *cl = c->client;

    while (cl < c->client + CTL_CLIENTS && cl->fd >= 0)
        cl++;
    if (cl == c->client + CTL_CLIENTS || loop_fd(c->o.loop, fd, EPOLLIN, ready, cl)) {
        close(fd);
        return;
    }
    *cl = (struct ctl_client){.ctl = c, .fd = fd};
    cl->qmp = (struct qmp){
        .ops = c->o.ops, .vm = c->o.machine, .event = tell_all, .ctx = c, .seat = &c->seat};
    ctl_client_send(cl, qmp_greeting(), false);
}
