/* Feeding passt: net_feed.h. */
#include "back/net_feed.h"
#include "back/net_offload.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define PADDED  60u      /* frames up to this length may have padding */
#define LOOK_NS 50000u   /* how soon we look again whether passt has read, */
#define SEEN_NS 1600000u /* and how seldom, when it goes on not reading */
#define FULL_AT (NET_HOLD_MAX / 2)
#define ROOM_AT (NET_HOLD_MAX / 4)

/* How long a frame is without the padding up to Ethernet's least length: passt would take it for
 * payload. */
static size_t bare_len(const uint8_t *p, size_t len)
{
    size_t ip = 0;

    if (len >= 34 && p[12] == 0x08 && p[13] == 0x00)
        ip = (size_t)p[16] << 8 | p[17]; /* total length */
    else if (len >= 54 && p[12] == 0x86 && p[13] == 0xdd)
        ip = 40 + ((size_t)p[18] << 8 | p[19]); /* payload length */
    return ip && ip < len - NET_FRAME_MIN ? ip + NET_FRAME_MIN : len;
}

static bool all_read(const struct net_sock *s)
{
    int unread = 0;

    return !s->out.refs && !s->out.copied && !net_out_kept(&s->out) &&
           (s->fd < 0 || (!ioctl(s->fd, SIOCOUTQ, &unread) && !unread));
}

static void learn(struct net_feed *f)
{
    if (f->once.n && all_read(f->sock))
        net_once_read(&f->once);
}

static bool send_flat(struct net_feed *f, void *bytes, size_t len)
{
    struct iovec iov = {bytes, len};
    struct net_frame frame = {.iov = &iov, .iovs = 1, .len = len};

    return net_sock_send(&f->sock->net, &frame);
}

/* In order, until one has to wait: at most NET_HOLD_MAX. */
static void release(struct net_feed *f)
{
    const struct iovec *first;
    struct net_seg g;

    learn(f);
    while ((first = net_hold_first(&f->hold))) {
        if (net_seg_get(&g, first->iov_base, first->iov_len, first->iov_len) &&
            !net_once_may_go(&f->once, &g))
            break;
        send_flat(f, first->iov_base, first->iov_len);
        net_hold_drop(&f->hold);
    }
}

static void look(void *arg)
{
    struct net_feed *f = arg;
    unsigned waiting = f->hold.n;

    release(f);
    f->wait = f->hold.n < waiting ? LOOK_NS : f->wait < SEEN_NS ? 2 * f->wait : SEEN_NS;
    net_feed_flush(f);
    if (f->was_full && f->hold.n <= ROOM_AT) {
        f->was_full = false;
        net_room(&f->sock->net);
    }
}

enum verdict { GO, WAIT, LOSE };

static enum verdict judge(struct net_feed *f, const uint8_t *head, size_t have, size_t len)
{
    struct net_seg g;

    if (!net_seg_get(&g, head, have, len))
        return GO;
    if (g.udp && f->hold.n)
        release(f);
    else
        learn(f);
    if (g.udp)
        return f->hold.n || !net_once_may_go(&f->once, &g) ? WAIT : GO;
    return net_once_may_go(&f->once, &g) &&
                   net_ack_may_go(&f->acks, &g, loop_now(f->sock->net.loop))
               ? GO
               : LOSE;
}

/* What is lost counts as sent: it went, and the wire lost it. */
bool net_feed_send(struct net_feed *f, const struct net_frame *frame)
{
    uint8_t flat[NET_SEG_HEAD];
    size_t have = net_head(frame, flat, sizeof(flat));
    size_t len = frame->len > PADDED ? frame->len : bare_len(flat, have);
    enum verdict v = judge(f, flat, have, len);

    if (v == WAIT)
        return net_hold_put(&f->hold, frame, len);
    if (v == LOSE)
        return true;
    return len < frame->len ? send_flat(f, flat, len) : net_sock_send(&f->sock->net, frame);
}

void net_feed_flush(struct net_feed *f)
{
    net_sock_flush(&f->sock->net);
    if (f->hold.n && !f->later.due)
        loop_timer_set(&f->later, loop_now(f->sock->net.loop) + f->wait);
}

bool net_feed_full(struct net_feed *f)
{
    if (f->hold.n < FULL_AT)
        return net_sock_full(&f->sock->net);
    f->was_full = true;
    return true;
}

void net_feed_init(struct net_feed *f, struct net_sock *sock)
{
    f->sock = sock;
    f->wait = LOOK_NS;
    loop_timer_init(&f->later, sock->net.loop, look, f);
}

void net_feed_stop(struct net_feed *f)
{
    loop_timer_stop(&f->later);
    net_hold_clear(&f->hold);
    f->was_full = false;
}
