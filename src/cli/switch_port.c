/*
 * One port of the switch: its socket in the loop. A turn reads once, as much as the buffer has room
 * for, so that a peer that floods gets no more turns than one that does not.
 */
#include "back/net_pcap.h"
#include "cli/switch_impl.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void port_ready(void *arg, uint32_t events);

static void port_watch(struct sw_port *p)
{
    uint32_t events = EPOLLIN | (p->out.first ? EPOLLOUT : 0);

    if (p->fd >= 0 && events != p->events && !loop_fd(p->sw->loop, p->fd, events, port_ready, p))
        p->events = events;
}

/* After a burst: what each port it touched waits for, and its file. */
static void touched_end(struct sw *sw)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        struct sw_port *p = &sw->port[i];

        if (!p->touched && sw->source != p)
            continue;
        p->touched = false;
        port_watch(p);
        if (p->pcap)
            net_pcap_flush(p->pcap);
    }
}

/* NULL, or why the peer is lost. */
static const char *take_in(struct sw_port *p)
{
    size_t room;
    uint8_t *to = net_in_space(&p->in, &room);
    ssize_t n = recv(p->fd, to, room, MSG_DONTWAIT);
    bool sane;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (n <= 0)
        return p->in.end > p->in.at ? "left in the middle of a frame" : "left";
    p->in.end += (size_t)n;
    p->count.copied += (uint64_t)n;
    sane = sw_forward_burst(p);
    touched_end(p->sw);
    return sane ? NULL : "sent what is no frame, and is thrown out";
}

static void port_ready(void *arg, uint32_t events)
{
    struct sw_port *p = arg;
    const char *why = NULL;

    if (events & EPOLLOUT && net_out_more(&p->out))
        why = "left";
    if (!why && events & EPOLLIN)
        why = take_in(p);
    else if (!why && events & (EPOLLHUP | EPOLLERR))
        why = "left";
    if (why)
        sw_port_stop(p, why);
    else
        port_watch(p);
}

int sw_port_start(struct sw_port *p, int fd)
{
    int err = net_in_open(&p->in, NET_IN_SIZE);

    memset(p->share, 0, sizeof(p->share));
    p->takes = 0;
    p->spoke = p->touched = false;
    p->fd = fd;
    if (!err)
        err = net_out_open(&p->out, fd, p->share);
    if (!err)
        err = loop_fd(p->sw->loop, fd, EPOLLIN, port_ready, p);
    p->events = EPOLLIN;
    if (err)
        sw_port_stop(p, NULL);
    else
        log_peer(&p->sw->budget, "switch: port %u: a peer came", p->index);
    p->peers += !err;
    return err;
}

void sw_port_stop(struct sw_port *p, const char *why)
{
    if (p->fd < 0)
        return;
    loop_fd_drop(p->sw->loop, p->fd);
    close(p->fd);
    p->fd = -1;
    net_in_close(&p->in);
    net_out_close(&p->out);
    p->count.copied += p->out.moved;
    p->out.moved = 0;
    l2_forget(&p->sw->l2, p->index);
    for (unsigned i = 0; i < SWITCH_PORTS; i++) /* the number will be another peer's */
        p->sw->port[i].touched &= i != p->index;
    if (why)
        log_peer(&p->sw->budget, "switch: port %u: the peer %s", p->index, why);
}
