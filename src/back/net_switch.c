/*
 * A cable to a viaduct switch, or to anything else that listens on a Unix socket and speaks the
 * framing of QEMU's "-netdev stream". Hello is said once; only an answer with the same cookie,
 * which other guests on the switch can't know, makes records that say more than a frame. When the
 * switch goes the link is down, and it is looked for every half second.
 */
#include "back/net_sock.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_NS 500000000ull

struct net_switch {
    struct net_sock sock;
    struct sockaddr_un at;
    struct loop_timer retry;
    uint64_t cookie;
    struct log_budget budget;
};

static bool switch_peek(struct net_sock *s, const struct net_rec *r)
{
    struct net_switch *w = container_of(s, struct net_switch, sock);
    struct net_hello h;

    if (s->in.extended || !net_hello_get(&h, r) || h.cookie != w->cookie)
        return false;
    s->in.extended = true;
    s->net.takes = h.takes;
    return true;
}

static int hello_say(struct net_switch *w, int fd)
{
    struct net_hello h = {.takes = NET_CSUM | NET_TSO4 | NET_TSO6};
    uint8_t rec[NET_HELLO_LEN];

    if (getrandom(&w->cookie, sizeof(w->cookie), GRND_NONBLOCK) != (ssize_t)sizeof(w->cookie))
        return 0; /* it works without */
    h.cookie = w->cookie;
    net_hello_put(rec, &h);
    /* A new socket has room for it. */
    return send(fd, rec, sizeof(rec), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(rec) ? 0
                                                                                           : -EPIPE;
}

static int switch_connect(struct net_switch *w)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&w->at, sizeof(w->at)))
        err = -errno;
    if (!err)
        err = hello_say(w, fd);
    if (err) {
        close(fd);
        return err;
    }
    w->sock.net.takes = 0;
    return net_sock_start(&w->sock, fd);
}

static void retry_set(struct net_switch *w)
{
    loop_timer_set(&w->retry, loop_now(w->sock.net.loop) + RETRY_NS);
}

static void switch_retry(void *arg)
{
    struct net_switch *w = arg;

    if (switch_connect(w))
        retry_set(w);
    else
        log_peer(&w->budget, "%s: the switch at %s is back", w->sock.net.name, w->at.sun_path);
}

static void switch_lost(struct net_sock *s, const char *why)
{
    struct net_switch *w = container_of(s, struct net_switch, sock);

    log_peer(&w->budget, "%s: the switch at %s %s; the link is down until it is back", s->net.name,
             w->at.sun_path, why);
    retry_set(w);
}

static void switch_close(struct net *n)
{
    struct net_switch *w = container_of(n, struct net_switch, sock.net);

    loop_timer_stop(&w->retry);
    net_sock_stop(&w->sock);
    free(w);
}

static const struct net_ops switch_ops = {
    .name = "switch",
    .send = net_sock_send,
    .flush = net_sock_flush,
    .ready = net_sock_ready,
    .full = net_sock_full,
    .close = switch_close,
};

static int switch_explain(const char *path, int code, struct error *err)
{
    if (code == -ENOENT || code == -ECONNREFUSED)
        return error_set(err, code,
                         "--net switch=%s: no switch is there; start one: viaduct switch %s", path,
                         path);
    return error_set(err, code, "--net switch=%s: %s", path, strerror(-code));
}

int net_switch_open(struct net **out, const char *args, const struct net_open_opts *o,
                    struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct net_switch *w;
    int code;

    if (!*args || strlen(args) >= sizeof(w->at.sun_path))
        return error_set(err, -EINVAL,
                         "--net switch=%s: must be the path of a socket, up to %zu "
                         "characters",
                         args, sizeof(w->at.sun_path) - 1);
    w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, -ENOMEM, "--net switch: not enough memory");
    w->at.sun_family = AF_UNIX;
    snprintf(w->at.sun_path, sizeof(w->at.sun_path), "%s", args);
    w->sock.fd = -1;
    w->sock.net.ops = &switch_ops;
    w->sock.lost = switch_lost;
    w->sock.peek = switch_peek;
    w->budget.left = 100;
    loop_timer_init(&w->retry, loop, switch_retry, w);
    *out = &w->sock.net;
    code = net_init(&w->sock.net, o->name, loop, ledger);
    if (!code)
        code = switch_connect(w);
    return code ? switch_explain(args, code, err) : 0;
}
