/*
 * A peer's bytes: the framing of streams in pieces of any size, with and without the extension,
 * each record that comes out finished for receivers that take this or that, with receivers that
 * refuse in between; and the switch's address table, fed by the records' addresses. What net_rec.h,
 * net_offload.h and l2.h promise must hold.
 */
#include "back/net_offload.h"
#include "back/net_rec.h"
#include "input.h"
#include "share/l2.h"
#include <errno.h>
#include <stdlib.h>

#define STEPS 256

struct play {
    struct net_in in;
    struct input bytes;
    struct l2 *l2;
    uint64_t now;
    unsigned takes, emitted, refuse; /* refuse: each so-manieth frame; 0: none */
    size_t payload;
};

static bool emit(void *ctx, const struct net_frame *f)
{
    struct play *p = ctx;
    static uint8_t flat[NET_FRAME_MAX];

    if (p->refuse && ++p->emitted % p->refuse == 0)
        return false;
    PROMISE(net_frame_ok(f));
    PROMISE(!(f->todo & ~p->takes));
    PROMISE(net_head(f, flat, sizeof(flat)) == f->len);
    if (f->todo)
        PROMISE(range_in((size_t)f->csum_start + f->csum_offset, 2, 0, f->len));
    p->payload += f->len;
    return true;
}

/* What was refused is offered again until all of it is through: it ends, and nothing comes twice.
 */
static void finish(struct play *p, const struct net_rec *r)
{
    unsigned skip = 0, tries = 0;
    int err;

    p->payload = 0;
    do
        err = net_finish(&r->f, p->takes, &skip, emit, p);
    while (err == -EAGAIN && ++tries <= 2 * NET_GSO_MAX);
    PROMISE(err != -EAGAIN || p->refuse == 1);
    if (!err)
        PROMISE(p->payload >= r->f.len);
}

static void table(struct play *p, const uint8_t *frame)
{
    uint64_t from = l2_mac(frame + 6);
    unsigned port = frame[5] % L2_PORTS;

    p->now += frame[4];
    if (from && !l2_is_group(from) && l2_learn(p->l2, from, port, L2_QUOTA, p->now) != L2_FOREIGN)
        PROMISE(p->l2->count[port] <= L2_QUOTA);
    if (l2_find(p->l2, l2_mac(frame), p->now) >= 0)
        PROMISE(l2_find(p->l2, l2_mac(frame), p->now) < (int)L2_PORTS);
    if (frame[3] == 7)
        l2_forget(p->l2, port);
    if (frame[3] == 9)
        l2_age(p->l2, p->now);
}

static void record(struct play *p, const struct net_rec *r)
{
    struct net_hello h;

    PROMISE(r->iov.iov_len >= NET_FRAME_MIN && r->iov.iov_len <= NET_FRAME_MAX);
    PROMISE(range_in((uintptr_t)r->raw, r->raw_len, (uintptr_t)p->in.buf, p->in.end));
    if (net_hello_get(&h, r))
        p->in.extended = true;
    table(p, r->iov.iov_base);
    if (r->f.len)
        finish(p, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.bytes = {data, len}};
    struct net_rec r;
    uint8_t how = take_u8(&p.bytes);

    p.takes = how & (NET_CSUM | NET_TSO4 | NET_TSO6);
    p.takes |= how & 8 ? NET_JUMBO : 0;
    p.refuse = how >> 4 & 7;
    p.l2 = malloc(sizeof(*p.l2));
    PROMISE(p.l2 && !net_in_open(&p.in, NET_IN_SIZE));
    l2_init(p.l2, 0x9e3779b97f4a7c15, 1000);
    p.in.extended = how & 128;
    for (unsigned n = 0; n < STEPS && p.bytes.len; n++) {
        size_t room, part = take_u8(&p.bytes);
        uint8_t *to = net_in_space(&p.in, &room);
        int got;

        PROMISE(room >= NET_REC_MAX - 1);
        if (part == 255) { /* as much as a long record wants, without so long an input */
            memset(to, take_u8(&p.bytes), 20000);
            p.in.end += 20000;
        } else {
            p.in.end += take(&p.bytes, to, part);
        }
        while ((got = net_in_next(&p.in, &r)) == 1)
            record(&p, &r);
        if (got < 0)
            break;
    }
    net_in_close(&p.in);
    free(p.l2);
    return 0;
}
