/*
 * virtio-9p: device 9 of VIRTIO 1.2, chapter 5, which gives it a number and leaves the rest to
 * practice: one queue; a chain is a 9P request, readable, and room for its reply, writable; the
 * configuration is the mount tag, its length in 16 bits before it (feature bit 0).
 *
 * A request is copied, but for the data of a Twrite, which the backend takes from guest RAM by
 * itself, as it puts replies there. What a request says is the backend's to judge
 * (back/p9.h); only its length, its type and the room for an answer are looked at here.
 *
 * Left out of a state walk: the session. What a client has open are this host's files, so a guest
 * that is loaded elsewhere finds its fids unknown and mounts again (docs/share.md).
 */
#include "virtio/v9p.h"
#include "back/p9.h"
#include "core/state.h"
#include "virtio/vport.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VIRTIO_9P_MOUNT_TAG = 0 };                    /* feature bit */
enum { CFG_TAG_LEN = 0, CFG_TAG = 2, CFG_LEN = 34 }; /* CFG_TAG + P9_TAG_MAX */
enum { QUEUE_SIZE = 128, REQS = QUEUE_SIZE + 1 };    /* one more than can be in flight */

struct v9p_req {
    struct p9_req p9;
    struct vq_chain chain;
    struct iovec data[P9_IOVS], room[P9_IOVS];
};

struct v9p {
    struct vport port;
    struct virtio v;
    struct p9 *p9;
    char tag[P9_TAG_MAX];
    uint16_t tag_len;
    unsigned spare; /* requests not in use: a stack, so that warm ones go first */
    uint16_t spares[REQS];
    struct v9p_req *reqs; /* touched only as deep as they are used */
};

/* ---- ends of requests ---- */

static void req_end(struct v9p *d, struct v9p_req *r, uint32_t written)
{
    if (virtio_answers(&d->v, 0)) {
        vq_push(&d->v.queue[0].vq, r->chain.head, written);
        virtio_done(&d->v, 0);
    }
    d->spares[d->spare++] = (uint16_t)(r - d->reqs);
}

static void req_done(struct p9_req *p9)
{
    struct v9p_req *r = container_of(p9, struct v9p_req, p9);
    struct v9p *d = p9->owner;

    vq_drop(&d->v.queue[0].vq, &r->chain, 0, p9->replied);
    req_end(d, r, p9->replied);
}

/* An answer without the backend: err, or nothing where there is no room for that. */
static void req_refuse(struct v9p *d, struct v9p_req *r, int err)
{
    struct vq *q = &d->v.queue[0].vq;
    uint8_t reply[P9_ERROR_LEN];

    p9_error(reply, r->p9.msg, err);
    req_end(d, r, vq_put(q, &r->chain, 0, reply, sizeof(reply)) ? 0 : sizeof(reply));
}

/* ---- beginnings ---- */

/* The message, with its data left where it is. 0 or -errno. */
static int msg_get(struct vq *q, struct v9p_req *r)
{
    uint32_t size, len;
    int err = vq_get(q, &r->chain, 0, r->p9.msg, P9_HEAD);

    if (err)
        return err;
    size = le32_get(r->p9.msg);
    if (size < P9_HEAD || size > r->chain.out_len)
        return -EINVAL;
    len = r->p9.msg[4] == P9_TWRITE && size > P9_WRITE_HEAD ? P9_WRITE_HEAD : size;
    if (len > P9_MSG_MAX || size > P9_MSIZE_MAX)
        return -EMSGSIZE;
    err = vq_get(q, &r->chain, P9_HEAD, r->p9.msg + P9_HEAD, len - P9_HEAD);
    r->p9.len = len;
    r->p9.data_len = size - len;
    r->p9.data = r->data;
    r->p9.datas = 0;
    if (!err && size > len)
        r->p9.datas = vq_hold(q, &r->chain, false, len, size - len, r->data, P9_IOVS);
    return r->p9.datas < 0 ? r->p9.datas : err;
}

static int room_get(struct vq *q, struct v9p_req *r)
{
    uint64_t len = r->chain.in_len < P9_MSIZE_MAX ? r->chain.in_len : P9_MSIZE_MAX;

    r->p9.room = r->room;
    r->p9.room_len = len;
    r->p9.rooms = vq_hold(q, &r->chain, true, 0, len, r->room, P9_IOVS);
    return r->p9.rooms < 0 ? r->p9.rooms : 0;
}

static void req_start(struct v9p *d, struct v9p_req *r)
{
    struct vq *q = &d->v.queue[0].vq;
    int err;

    memset(r->p9.msg, 0, P9_HEAD);
    if (r->chain.in_len < P9_ERROR_LEN) {
        req_end(d, r, 0);
        return;
    }
    err = msg_get(q, r);
    if (!err)
        err = room_get(q, r);
    if (err) {
        req_refuse(d, r, err);
        return;
    }
    r->p9.owner = d;
    r->p9.done = req_done;
    p9_submit(d->p9, &r->p9);
}

/* Bound: one ring's worth a kick. */
static void v9p_notify(void *dev, unsigned queue)
{
    struct v9p *d = dev;
    struct vq *q = &d->v.queue[queue].vq;
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size; n++) {
        struct v9p_req *r = &d->reqs[d->spares[d->spare - 1]]; /* one is always left */

        got = vq_pop(q, &r->chain);
        if (got <= 0)
            break;
        d->spare--;
        req_start(d, r);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (vq_listen(q))
        virtio_again(&d->v, queue);
}

static void v9p_cfg_read(void *dev, uint8_t *cfg)
{
    const struct v9p *d = dev;

    memset(cfg, 0, CFG_LEN);
    le16_put(cfg + CFG_TAG_LEN, d->tag_len);
    memcpy(cfg + CFG_TAG, d->tag, d->tag_len);
}

/* ---- life ---- */

static void session_end(void *dev)
{
    struct v9p *d = dev;

    p9_reset(d->p9);
}

static void queue_drain(void *dev, unsigned queue)
{
    struct v9p *d = dev;

    (void)queue;
    p9_drain(d->p9);
}

static void v9p_state(void *dev, struct state *st)
{
    struct v9p *d = dev;

    if (!st->load)
        p9_drain(d->p9); /* what is in flight ends in the guest's memory, not in the stream */
    state_section(st, "virtio-9p", 1);
    vport_state(&d->port, st);
}

static void v9p_reset(void *dev)
{
    struct v9p *d = dev;

    vport_reset(&d->port);
}

static void v9p_destroy(void *dev)
{
    struct v9p *d = dev;

    d->v.status = 0;
    p9_reset(d->p9);
    vport_detach(&d->port);
    free(d->reqs);
    free(d);
}

static const struct virtio_class v9p_virtio = {
    .name = "virtio-9p",
    .id = 9,
    .pci_class = 0x00ff00, /* no class fits */
    .queues = 1,
    .queue_max = QUEUE_SIZE,
    .cfg_len = CFG_LEN,
    .cfg_read = v9p_cfg_read,
    .notify = v9p_notify,
    .queue_reset = queue_drain,
    .reset = session_end,
};

int v9p_create(struct v9p **out, const struct dev_env *env, struct p9 *p9, const struct v9p_opts *o)
{
    uint64_t features = VIRTIO_BIT(VIRTIO_9P_MOUNT_TAG);
    size_t len = strlen(o->tag);
    struct v9p *d;
    int err = -ENOMEM;

    if (!len || len > P9_TAG_MAX)
        return -EINVAL;
    d = calloc(1, sizeof(*d));
    if (d)
        d->reqs = calloc(REQS, sizeof(*d->reqs));
    if (!d || !d->reqs)
        goto out;
    while (d->spare < REQS)
        d->spares[d->spare] = (uint16_t)d->spare, d->spare++;
    d->p9 = p9;
    memcpy(d->tag, o->tag, len);
    d->tag_len = (uint16_t)len;
    if (o->packed)
        features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    virtio_init(&d->v, &v9p_virtio, d, features, 0);
    err = vport_attach(&d->port, &d->v, env, o->mmio);
    if (err)
        goto out;
    *out = d;
    return 0;
out:
    if (d)
        free(d->reqs);
    free(d);
    return err;
}

const struct dev_class v9p_class = {
    .name = "virtio-9p",
    .summary = "a host directory by 9P2000.L (VIRTIO 1.2; PCI, MMIO)",
    .reset = v9p_reset,
    .state = v9p_state,
    .destroy = v9p_destroy,
};
