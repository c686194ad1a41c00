/* Records of a stream of frames: docs/net.md. */
#include "back/net_rec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void be32_put(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

int net_in_open(struct net_in *in, size_t size)
{
    *in = (struct net_in){.buf = malloc(size), .size = size};
    return in->buf ? 0 : -ENOMEM;
}

void net_in_close(struct net_in *in)
{
    free(in->buf);
    in->buf = NULL;
}

uint8_t *net_in_space(struct net_in *in, size_t *room)
{
    size_t left = in->end - in->at;

    if (in->at && (!left || in->size - in->end < NET_REC_MAX)) {
        memmove(in->buf, in->buf + in->at, left);
        in->at = 0;
        in->end = left;
    }
    return net_in_tail(in, room);
}

uint8_t *net_in_tail(struct net_in *in, size_t *room)
{
    *room = in->size - in->end;
    return in->buf + in->end;
}

int net_in_next(struct net_in *in, struct net_rec *r)
{
    const uint8_t *p = in->buf + in->at;
    size_t have = in->end - in->at, head = NET_REC_HEAD, len;
    uint32_t word;

    if (have < NET_REC_HEAD)
        return 0;
    word = be32_get(p);
    len = word;
    if (in->extended && word & NET_REC_MORE) {
        len = word & ~NET_REC_MORE;
        head += NET_VNET_LEN;
    }
    if (len < NET_FRAME_MIN || len > NET_FRAME_MAX)
        return -EPROTO;
    if (have < head || have - head < len)
        return 0;
    r->raw = p;
    r->raw_len = head + len;
    r->iov = (struct iovec){(uint8_t *)in->buf + in->at + head, len};
    r->f = (struct net_frame){.iov = &r->iov, .iovs = 1, .len = len};
    if (head > NET_REC_HEAD && net_vnet_get(&r->f, p + NET_REC_HEAD))
        r->f.len = 0;
    in->at += r->raw_len;
    return 1;
}

size_t net_rec_head(uint8_t *h, const struct net_frame *f)
{
    be32_put(h, (uint32_t)f->len | (f->todo ? NET_REC_MORE : 0));
    if (!f->todo)
        return NET_REC_HEAD;
    net_vnet_put(h + NET_REC_HEAD, f);
    return NET_REC_HEAD + NET_VNET_LEN;
}

/*
 * A hello looks like a frame to a peer that doesn't know it: to an address that bridges never
 * forward (IEEE 802.1Q, table 8-1), of an EtherType for local experiments (IEEE 802, 9.2.4).
 */
static const uint8_t hello_head[] = {
    0x01, 0x80, 0xc2, 0,   0,   0x0f, 0x02, 0,   0,   0,   0, 0, /* to, from */
    0x88, 0xb5, 'v',  'i', 'a', 'd',  'u',  'c', 't', '1',
};
enum { HELLO_TAKES = sizeof(hello_head), HELLO_COOKIE = HELLO_TAKES + 2 };

void net_hello_put(uint8_t *rec, const struct net_hello *h)
{
    memset(rec, 0, NET_HELLO_LEN);
    be32_put(rec, NET_HELLO_LEN - NET_REC_HEAD);
    rec += NET_REC_HEAD;
    memcpy(rec, hello_head, sizeof(hello_head));
    le16_put(rec + HELLO_TAKES, (uint16_t)h->takes);
    le64_put(rec + HELLO_COOKIE, h->cookie);
}

bool net_hello_get(struct net_hello *h, const struct net_rec *r)
{
    const uint8_t *p = r->iov.iov_base;

    if (r->f.len != NET_HELLO_LEN - NET_REC_HEAD || memcmp(p, hello_head, sizeof(hello_head)))
        return false;
    h->takes = le16_get(p + HELLO_TAKES) & (NET_CSUM | NET_TSO4 | NET_TSO6);
    h->cookie = le64_get(p + HELLO_COOKIE);
    return true;
}
