/*
 * User-mode NAT: passt, in a process of its own (net_passt.c starts it), at the other end of a
 * socket pair. It answers ARP, DHCP, NDP and DHCPv6, forwards TCP, UDP and pings as an ordinary
 * user of the host, and ends when the socket closes.
 *
 * TCP frames go to it in larger pieces than the guest's MTU, since passt looks at the bytes only;
 * up to 32 KB, and records only whole: a read that ends inside a record's length makes passt
 * (2023_03_09) take what follows for a length, and the rest of a cut frame it waits for with all
 * else standing still. What else it must be spared is net_feed.h's business.
 */
#include "back/net_feed.h"
#include "back/net_offload.h"
#include "back/net_passt.h"
#include "back/net_sock.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 10000
#define AHEAD    (4u << 20) /* passt drops what its socket does not take; TCP windows are less */

struct net_user {
    struct net_sock sock;
    struct passt passt;
    struct net_feed feed;
    struct log_budget budget;
};

static void user_log(void *arg, uint32_t events)
{
    struct net_user *u = arg;
    char line[256];

    (void)events;
    /* ends: a pipe's worth at most, and each call takes a line */
    while (passt_line(&u->passt, line, sizeof(line)))
        log_peer(&u->budget, "%s: passt: %s", u->sock.net.name, line);
    if (u->passt.log_end) {
        loop_fd_drop(u->sock.net.loop, u->passt.log);
        passt_log_close(&u->passt);
    }
}

static struct net_user *user_of(struct net *n)
{
    return container_of(n, struct net_user, sock.net);
}

static bool user_send(struct net *n, const struct net_frame *f)
{
    return net_feed_send(&user_of(n)->feed, f);
}

static void user_flush(struct net *n)
{
    net_feed_flush(&user_of(n)->feed);
}

static bool user_full(struct net *n)
{
    return net_feed_full(&user_of(n)->feed);
}

static void passt_bye(struct net_user *u, char *how, size_t room)
{
    if (u->passt.log >= 0)
        loop_fd_drop(u->sock.net.loop, u->passt.log);
    passt_stop(&u->passt, how, room);
}

static void user_lost(struct net_sock *s, const char *why)
{
    struct net_user *u = container_of(s, struct net_user, sock);
    char how[64];

    user_log(u, 0);
    net_feed_stop(&u->feed);
    passt_bye(u, how, sizeof(how));
    log_warn("%s: passt %s (%s); this card's link stays down", s->net.name, why, how);
}

static void user_close(struct net *n)
{
    struct net_user *u = user_of(n);

    net_feed_stop(&u->feed);
    net_sock_stop(&u->sock);
    passt_bye(u, NULL, 0);
    free(u);
}

static const struct net_ops user_ops = {
    .name = "user",
    .send = user_send,
    .flush = user_flush,
    .ready = net_sock_ready,
    .full = user_full,
    .close = user_close,
};

/* ---- starting ---- */

/* An ARP request, RFC 826, which passt answers as soon as it serves; nobody is asked for. */
static int probe_send(int fd)
{
    static const uint8_t probe[] = {
        0,    0,    0,    42,                                      /* the record's length */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0,   0, 0, 0, 1, /* to all, from us */
        0x08, 0x06, 0,    1,    0x08, 0,    6,    4,   0, 1,       /* ARP: who has */
        0x02, 0,    0,    0,    0,    1,    0,    0,   0, 0,       /* us, no address */
        0,    0,    0,    0,    0,    0,    169,  254, 0, 1,
    };

    return send(fd, probe, sizeof(probe), MSG_NOSIGNAL) == (ssize_t)sizeof(probe) ? 0 : -EPIPE;
}

/* Until it has answered, or is gone; the answer is left for user_peek, as it comes in pieces. */
static int ready_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t byte;
    int n;

    if (probe_send(fd))
        return -EPIPE;
    do
        n = poll(&p, 1, READY_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return -ETIMEDOUT;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1 ? 0 : -EPIPE;
}

/* The answer to the probe is not for the guest. */
static bool user_peek(struct net_sock *s, const struct net_rec *r)
{
    static const uint8_t us[6] = {0x02, 0, 0, 0, 0, 1};

    s->peek = NULL;
    return !memcmp(r->iov.iov_base, us, sizeof(us));
}

/* What passt may send before we have to be awake: all we are allowed to give it. */
static void socket_widen(int fd)
{
    int size = 4 << 20;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Starts passt and waits for it: the socket to it, or -errno and its last words. */
static int passt_up(struct net_user *u, const struct passt_args *a, char *last, size_t room)
{
    char line[256];
    int pair[2], code;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    socket_widen(pair[1]);
    code = passt_start(&u->passt, a, pair[1]);
    close(pair[1]);
    if (!code)
        code = ready_wait(pair[0]);
    if (!code)
        return pair[0];
    close(pair[0]);
    snprintf(last, room, "it said nothing");
    while (passt_line(&u->passt, line, sizeof(line))) /* ends: as there */
        snprintf(last, room, "%s", line);
    passt_stop(&u->passt, NULL, 0);
    return code;
}

static int user_start(struct net_user *u, const char *args, struct error *err)
{
    struct loop *loop = u->sock.net.loop;
    char last[256] = "";
    struct passt_args a;
    int code = passt_args_parse(&a, args, err), fd;

    if (code)
        return code;
    fd = passt_up(u, &a, last, sizeof(last));
    if (fd < 0 && strstr(last, "xternal interface")) {
        a.island = true;
        fd = passt_up(u, &a, last, sizeof(last));
        if (fd >= 0)
            log_info("%s: this host has no default route: the guest reaches nothing but the host, "
                     "at " PASST_GATEWAY,
                     u->sock.net.name);
    }
    if (fd == -ENOENT)
        return error_set(err, fd, "--net user: passt is not installed; apt-get install passt");
    if (fd < 0)
        return error_set(err, fd, "--net user: passt could not start: %s", last);
    loop_fd(loop, u->passt.log, EPOLLIN, user_log, u); /* without, its messages are just not seen */
    code = net_sock_start(&u->sock, fd);
    return code ? error_set(err, code, "--net user: %s", strerror(-code)) : 0;
}

int net_user_open(struct net **out, const char *args, const struct net_open_opts *o,
                  struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct net_user *u = calloc(1, sizeof(*u));
    int code;

    if (!u)
        return error_set(err, -ENOMEM, "--net user: not enough memory");
    u->sock.fd = -1;
    u->sock.lost = user_lost;
    u->sock.peek = user_peek;
    u->sock.ahead = AHEAD;
    u->sock.whole = true;
    u->sock.net.ops = &user_ops;
    u->sock.net.takes = NET_JUMBO;
    u->passt = (struct passt){.pid = -1, .pidfd = -1, .log = -1};
    u->budget.left = 100;
    *out = &u->sock.net;
    code = net_init(&u->sock.net, o->name, loop, ledger);
    net_feed_init(&u->feed, &u->sock);
    return code ? code : user_start(u, args, err);
}
