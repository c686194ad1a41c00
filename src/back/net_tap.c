/*
 * A tap device of the host (Linux: Documentation/networking/tuntap.rst), with a virtio_net_hdr
 * before each frame, so that checksums and segmentation stay undone on the way to and from the
 * host's stack. All offloads are on towards us: one long frame is one system call, and what the
 * front end does not take net_recv finishes.
 */
#include "back/net.h"
#include "back/net_vnet.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BURST 64 /* frames a turn of the loop: others want theirs */

struct net_tap {
    struct net net;
    int fd;
    size_t kept; /* bytes in buf that the front end had no room for; 0: none */
    uint8_t buf[NET_VNET_LEN + NET_FRAME_MAX];
};

static bool tap_send(struct net *n, const struct net_frame *f)
{
    struct net_tap *t = container_of(n, struct net_tap, net);
    struct iovec iov[NET_IOVS_MAX + 1];
    uint8_t head[NET_VNET_LEN];
    ssize_t sent;

    net_vnet_put(head, f);
    iov[0] = (struct iovec){head, sizeof(head)};
    memcpy(iov + 1, f->iov, (size_t)f->iovs * sizeof(*iov));
    do
        sent = writev(t->fd, iov, f->iovs + 1);
    while (sent < 0 && errno == EINTR);
    return sent > 0; /* EIO: the host has not set it up; EAGAIN: its queue is full */
}

/* False: no room in the guest. A frame that lies is dropped. */
static bool tap_deliver(struct net_tap *t, size_t len)
{
    struct iovec iov = {t->buf + NET_VNET_LEN, len - NET_VNET_LEN};
    struct net_frame f = {.iov = &iov, .iovs = 1, .len = iov.iov_len};

    if (net_vnet_get(&f, t->buf)) {
        net_recv_drop(&t->net, &f);
        return true;
    }
    return net_recv(&t->net, &f);
}

static void tap_ready_fd(void *arg, uint32_t events)
{
    struct net_tap *t = arg;

    if (!(events & EPOLLIN)) { /* the device was deleted */
        loop_fd_drop(t->net.loop, t->fd);
        net_link(&t->net, false);
        return;
    }
    for (unsigned i = 0; i < BURST && !t->kept; i++) {
        ssize_t n = read(t->fd, t->buf, sizeof(t->buf));

        if (n < (ssize_t)(NET_VNET_LEN + NET_FRAME_MIN))
            break;
        if (!tap_deliver(t, (size_t)n))
            t->kept = (size_t)n;
    }
    if (t->kept)
        loop_fd(t->net.loop, t->fd, 0, tap_ready_fd, t);
    net_recv_end(&t->net);
}

static void tap_ready(struct net *n)
{
    struct net_tap *t = container_of(n, struct net_tap, net);

    if (!t->kept || !tap_deliver(t, t->kept))
        return;
    t->kept = 0;
    net_recv_end(n);
    loop_fd(n->loop, t->fd, EPOLLIN, tap_ready_fd, t);
}

static void tap_close(struct net *n)
{
    struct net_tap *t = container_of(n, struct net_tap, net);

    if (t->fd >= 0) {
        loop_fd_drop(n->loop, t->fd);
        close(t->fd);
    }
    free(t);
}

static const struct net_ops tap_ops = {
    .name = "tap", .send = tap_send, .ready = tap_ready, .close = tap_close};

static int tap_explain(const char *name, int code, struct error *err)
{
    if (code == -EPERM || code == -EACCES)
        return error_set(err, code,
                         "--net tap=%s: no permission; make it once as root: ip tuntap add %s mode "
                         "tap user $USER && ip link set %s up",
                         name, name, name);
    if (code == -ENOENT || code == -ENODEV)
        return error_set(err, code, "--net tap=%s: no /dev/net/tun here; modprobe tun", name);
    if (code == -EBUSY)
        return error_set(err, code, "--net tap=%s: another process has it", name);
    if (code == -EINVAL)
        return error_set(err, code, "--net tap=%s: there is such an interface, and it is no tap",
                         name);
    return error_set(err, code, "--net tap=%s: %s", name, strerror(-code));
}

static int tap_fd(struct net_tap *t, const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int len = NET_VNET_LEN;

    t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (t->fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (ioctl(t->fd, TUNSETIFF, &ifr) || ioctl(t->fd, TUNSETVNETHDRSZ, &len) ||
        ioctl(t->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
        return -errno;
    return loop_fd(t->net.loop, t->fd, EPOLLIN, tap_ready_fd, t);
}

int net_tap_open(struct net **out, const char *args, const struct net_open_opts *o,
                 struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct net_tap *t;
    int code;

    if (!*args || strlen(args) >= IFNAMSIZ || strpbrk(args, ",/"))
        return error_set(err, -EINVAL, "--net tap=%s: must be an interface's name", args);
    t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, -ENOMEM, "--net tap: not enough memory");
    t->fd = -1;
    t->net.ops = &tap_ops;
    t->net.takes = NET_CSUM | NET_TSO4 | NET_TSO6;
    t->net.up = true;
    *out = &t->net;
    code = net_init(&t->net, o->name, loop, ledger);
    if (!code)
        code = tap_fd(t, args);
    return code ? tap_explain(args, code, err) : 0;
}
