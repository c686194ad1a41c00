/* Sending records: one sendmsg for a burst, chunks for what did not fit; see net_out.h. */
#include "back/net_out.h"
#include "back/net_rec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK_IOVS 64

struct net_chunk {
    struct net_chunk *next;
    size_t at, len, cost;
    unsigned source;
    uint8_t data[];
};

int net_out_open(struct net_out *o, int fd, size_t *share)
{
    *o = (struct net_out){
        .fd = fd, .burst = NET_OUT_BURST, .share = share, .copy = malloc(NET_OUT_COPY)};
    return o->copy ? 0 : -ENOMEM;
}

static void chunk_free(struct net_out *o)
{
    struct net_chunk *c = o->first;

    o->first = c->next;
    if (!o->first)
        o->last = NULL;
    o->kept -= c->cost;
    if (o->share)
        o->share[c->source] -= c->cost;
    free(c);
}

void net_out_close(struct net_out *o)
{
    while (o->first)
        chunk_free(o);
    free(o->copy);
    o->copy = NULL;
    o->refs = 0;
}

/* ---- gathering ---- */

static bool fits(const struct net_out *o, size_t len)
{
    return !o->ref_bytes || (o->ref_bytes < o->burst && len <= o->burst - o->ref_bytes);
}

bool net_out_ref(struct net_out *o, const void *bytes, size_t len)
{
    struct iovec *last = o->refs ? &o->ref[o->refs - 1] : NULL;

    if (!fits(o, len))
        return false;
    if (last && (const uint8_t *)last->iov_base + last->iov_len == bytes) {
        last->iov_len += len; /* neighbours in the buffer they were read to go as one */
    } else {
        if (o->refs == NET_OUT_REFS)
            return false;
        o->ref[o->refs++] = (struct iovec){(void *)(uintptr_t)bytes, len};
    }
    o->ref_bytes += len;
    return true;
}

static void copy_add(struct net_out *o, const void *bytes, size_t len)
{
    memcpy(o->copy + o->copied, bytes, len);
    o->copied += len;
    o->moved += len;
}

bool net_out_frame(struct net_out *o, const struct net_frame *f)
{
    uint8_t head[NET_REC_HEAD + NET_VNET_LEN];
    size_t n = net_rec_head(head, f), begin = o->copied;

    if (n + f->len > NET_OUT_COPY - o->copied || !fits(o, n + f->len) || o->refs == NET_OUT_REFS)
        return false;
    copy_add(o, head, n);
    for (int i = 0; i < f->iovs; i++)
        copy_add(o, f->iov[i].iov_base, f->iov[i].iov_len);
    return net_out_ref(o, o->copy + begin, n + f->len);
}

bool net_out_frame_last(struct net_out *o, const struct net_frame *f)
{
    uint8_t head[NET_REC_HEAD + NET_VNET_LEN];
    size_t n = net_rec_head(head, f), begin = o->copied;

    if (n > NET_OUT_COPY - o->copied || o->refs + f->iovs + 1 > NET_OUT_REFS ||
        !fits(o, n + f->len))
        return false;
    copy_add(o, head, n);
    net_out_ref(o, o->copy + begin, n);
    for (int i = 0; i < f->iovs; i++)
        net_out_ref(o, f->iov[i].iov_base, f->iov[i].iov_len);
    return true;
}

/* ---- sending ---- */

static ssize_t send_some(struct net_out *o, struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(o->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
    o->moved += (uint64_t)sent;
    return sent;
}

/* Keeps the burst but its first skip bytes. */
static int burst_keep(struct net_out *o, size_t skip, unsigned source)
{
    size_t len = o->ref_bytes - skip;
    struct net_chunk *c = malloc(sizeof(*c) + len);

    if (!c)
        return -ENOMEM; /* half a record may be out: the stream is lost */
    *c = (struct net_chunk){.source = source, .cost = sizeof(*c) + len};
    for (int i = 0; i < o->refs; i++) {
        size_t n = o->ref[i].iov_len;

        if (skip >= n) {
            skip -= n;
            continue;
        }
        memcpy(c->data + c->len, (uint8_t *)o->ref[i].iov_base + skip, n - skip);
        c->len += n - skip;
        skip = 0;
    }
    if (o->last)
        o->last->next = c;
    else
        o->first = c;
    o->last = c;
    o->kept += c->cost;
    o->moved += len;
    if (o->share)
        o->share[source] += c->cost;
    return 0;
}

int net_out_flush(struct net_out *o, unsigned source)
{
    ssize_t sent = 0;
    int err = 0;

    if (!o->refs)
        return 0;
    if (!o->first) /* else it is this burst's turn when the socket has taken what is kept */
        sent = send_some(o, o->ref, o->refs);
    if (sent < 0)
        err = (int)sent;
    else if ((size_t)sent < o->ref_bytes)
        err = burst_keep(o, (size_t)sent, source);
    o->refs = 0;
    o->ref_bytes = 0;
    o->copied = 0;
    return err;
}

int net_out_more(struct net_out *o)
{
    while (o->first) { /* ends: each round sends something or leaves */
        struct iovec iov[CHUNK_IOVS];
        size_t bytes = 0;
        int n = 0;
        ssize_t sent;

        for (struct net_chunk *c = o->first; c && n < CHUNK_IOVS; c = c->next) {
            if (n && bytes + c->len - c->at > o->burst)
                break;
            iov[n++] = (struct iovec){c->data + c->at, c->len - c->at};
            bytes += c->len - c->at;
        }
        sent = send_some(o, iov, n);
        if (sent <= 0)
            return (int)sent;
        while (sent) {
            size_t left = o->first->len - o->first->at;

            if ((size_t)sent < left) {
                o->first->at += (size_t)sent;
                break;
            }
            sent -= (ssize_t)left;
            chunk_free(o);
        }
    }
    return 0;
}
