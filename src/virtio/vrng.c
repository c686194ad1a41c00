/*
 * virtio-rng: VIRTIO 1.2, section 5.4. One queue of buffers to fill with random bytes. A buffer may
 * come back with fewer bytes than it holds (5.4.6.2), so what a kick can cost the host is bounded.
 */
#include "virtio/vrng.h"
#include "core/state.h"
#include "virtio/vport.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_SIZE = 8, PIECE = 256, BUFFER_MOST = 4096 };

struct vrng {
    struct vport port;
    struct virtio v;
    int (*entropy)(void *buf, size_t len);
    struct vq_chain chain;
};

/* How many bytes went into the chain. Bound: BUFFER_MOST, in pieces. */
static uint32_t fill(struct vrng *d, struct vq *q)
{
    uint64_t len = d->chain.in_len < BUFFER_MOST ? d->chain.in_len : BUFFER_MOST, done = 0;
    uint8_t buf[PIECE];

    while (done < len) {
        size_t n = len - done < PIECE ? (size_t)(len - done) : PIECE;

        if (d->entropy(buf, n) || vq_put(q, &d->chain, done, buf, n))
            break;
        done += n;
    }
    memset(buf, 0, sizeof(buf));
    return (uint32_t)done;
}

/* Bound: one ring's worth a kick. */
static void vrng_notify(void *dev, unsigned queue)
{
    struct vrng *d = dev;
    struct vq *q = &d->v.queue[queue].vq;
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size; n++) {
        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        vq_push(q, d->chain.head, fill(d, q));
        virtio_done(&d->v, queue);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (vq_listen(q))
        virtio_again(&d->v, queue);
}

static void vrng_cfg_read(void *dev, uint8_t *cfg)
{
    (void)dev;
    (void)cfg; /* 5.4.4: there is none */
}

static void vrng_stop(void *dev)
{
    (void)dev; /* nothing is ever in flight */
}

static void vrng_state(void *dev, struct state *st)
{
    struct vrng *d = dev;

    state_section(st, "virtio-rng", 1);
    vport_state(&d->port, st);
}

static void vrng_reset(void *dev)
{
    struct vrng *d = dev;

    vport_reset(&d->port);
}

static void vrng_destroy(void *dev)
{
    struct vrng *d = dev;

    vport_detach(&d->port);
    free(d);
}

static const struct virtio_class vrng_virtio = {
    .name = "virtio-rng",
    .id = 4,
    .pci_class = 0x00ff00, /* no class fits */
    .queues = 1,
    .queue_max = QUEUE_SIZE,
    .cfg_read = vrng_cfg_read,
    .notify = vrng_notify,
    .reset = vrng_stop,
};

int vrng_create(struct vrng **out, const struct dev_env *env, int (*entropy)(void *buf, size_t len),
                uint64_t mmio, bool packed)
{
    struct vrng *d = calloc(1, sizeof(*d));
    int err;

    if (!d)
        return -ENOMEM;
    d->entropy = entropy;
    virtio_init(&d->v, &vrng_virtio, d, packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0, 0);
    err = vport_attach(&d->port, &d->v, env, mmio);
    if (err)
        free(d);
    else
        *out = d;
    return err;
}

const struct dev_class vrng_class = {
    .name = "virtio-rng",
    .summary = "entropy for the guest (VIRTIO 1.2)",
    .reset = vrng_reset,
    .state = vrng_state,
    .destroy = vrng_destroy,
};
