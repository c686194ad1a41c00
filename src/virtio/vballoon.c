/*
 * virtio-balloon: VIRTIO 1.2, section 5.5. Pages in the balloon, and free pages that the guest
 * reports, are given back to the host at once; if the guest uses one again it is a fresh page of
 * zeros. So deflating needs nothing but an answer. Queues are numbered without those whose feature
 * was not negotiated, as drivers do.
 *
 * Left out: statistics, free page hints, page poisoning.
 */
#include "virtio/vballoon.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vport.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 2, VIRTIO_BALLOON_F_REPORTING = 5 };
enum { CFG_NUM_PAGES = 0, CFG_ACTUAL = 4, CFG_LEN = 16 };
enum { INFLATE = 0, DEFLATE = 1, REPORTING = 2, QUEUES = 3 };
enum { PFN_LEN = 4, PFNS = 256 /* at a time */, PFNS_MOST = 65536 /* a chain: 256 MiB */ };

struct vballoon {
    struct vport port;
    struct virtio v;
    struct ram *ram;
    uint32_t want, has; /* pages */
    struct ledger_row *back;
    struct vq_chain chain;
};

/* Not RAM, or not whole pages: the guest's mistake, and nothing happens. */
static void give_back(struct vballoon *d, uint64_t gpa, uint64_t len)
{
    bool ok =
        len && !(gpa % VBALLOON_PAGE) && !(len % VBALLOON_PAGE) && !ram_discard(d->ram, gpa, len);

    ledger_add(d->back, true, ok ? len : 0);
    if (!ok)
        ledger_refuse(d->back);
}

/* Runs of neighbours in one go: drivers list them downwards as often as upwards. */
static void pages_back(struct vballoon *d, const uint8_t *list, unsigned n)
{
    uint64_t lo = le32_get(list), hi = lo;

    for (unsigned i = 1; i < n; i++) {
        uint64_t pfn = le32_get(list + (size_t)i * PFN_LEN);

        if (pfn == hi + 1) {
            hi = pfn;
        } else if (pfn + 1 == lo) {
            lo = pfn;
        } else {
            give_back(d, lo * VBALLOON_PAGE, (hi - lo + 1) * VBALLOON_PAGE);
            lo = hi = pfn;
        }
    }
    give_back(d, lo * VBALLOON_PAGE, (hi - lo + 1) * VBALLOON_PAGE);
}

/* Bound: PFNS_MOST; a longer list is not looked at to its end. */
static void inflate(struct vballoon *d, struct vq *q)
{
    uint64_t pfns = d->chain.out_len / PFN_LEN;
    uint8_t list[PFNS * PFN_LEN];

    if (pfns > PFNS_MOST)
        pfns = PFNS_MOST;
    for (uint64_t at = 0; at < pfns; at += PFNS) {
        unsigned n = pfns - at < PFNS ? (unsigned)(pfns - at) : PFNS;

        if (vq_get(q, &d->chain, at * PFN_LEN, list, (size_t)n * PFN_LEN))
            return;
        pages_back(d, list, n);
    }
}

/* 5.5.6.7: the free pages are the writable segments themselves. Bound: the chain's segments. */
static void report(struct vballoon *d)
{
    const struct vq_chain *c = &d->chain;

    for (unsigned i = 0; i < c->ins; i++)
        give_back(d, c->seg[c->outs + i].gpa, c->seg[c->outs + i].len);
}

/* Bound: one ring's worth a kick. */
static void vballoon_notify(void *dev, unsigned queue)
{
    struct vballoon *d = dev;
    struct vq *q = &d->v.queue[queue].vq;
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size; n++) {
        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        if (queue == INFLATE)
            inflate(d, q);
        else if (queue == REPORTING && virtio_has(&d->v, VIRTIO_BALLOON_F_REPORTING))
            report(d);
        vq_push(q, d->chain.head, 0);
        virtio_done(&d->v, queue);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (vq_listen(q))
        virtio_again(&d->v, queue);
}

/* ---- configuration ---- */

static void vballoon_cfg_read(void *dev, uint8_t *cfg)
{
    const struct vballoon *d = dev;

    memset(cfg, 0, CFG_LEN);
    le32_put(cfg + CFG_NUM_PAGES, d->want);
    le32_put(cfg + CFG_ACTUAL, d->has);
}

static void vballoon_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val)
{
    struct vballoon *d = dev;

    if (off == CFG_ACTUAL && size == 4)
        d->has = val;
}

void vballoon_want(struct vballoon *d, uint32_t pages)
{
    d->want = pages;
    if (virtio_running(&d->v))
        virtio_config_changed(&d->v);
}

uint32_t vballoon_has(const struct vballoon *d)
{
    return d->has;
}

/* ---- life ---- */

static void vballoon_stop(void *dev)
{
    struct vballoon *d = dev;

    d->has = 0; /* a driver that starts anew has an empty balloon */
}

static void vballoon_state(void *dev, struct state *st)
{
    struct vballoon *d = dev;
    uint32_t has = d->has;

    state_section(st, "virtio-balloon", 1);
    vport_state(&d->port, st);
    state_u32(st, &d->want);
    state_u32(st, &has);
    d->has = has;
}

static void vballoon_reset(void *dev)
{
    struct vballoon *d = dev;

    vport_reset(&d->port);
}

static void vballoon_destroy(void *dev)
{
    struct vballoon *d = dev;

    vport_detach(&d->port);
    free(d);
}

static const struct virtio_class vballoon_virtio = {
    .name = "virtio-balloon",
    .id = 5,
    .pci_class = 0x00ff00, /* no class fits */
    .queues = QUEUES,
    .queue_max = VQ_SIZE_MAX,
    .cfg_len = CFG_LEN,
    .cfg_read = vballoon_cfg_read,
    .cfg_write = vballoon_cfg_write,
    .notify = vballoon_notify,
    .reset = vballoon_stop,
};

int vballoon_create(struct vballoon **out, const struct dev_env *env, uint64_t mmio, bool packed)
{
    uint64_t features =
        VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | VIRTIO_BIT(VIRTIO_BALLOON_F_REPORTING);
    struct vballoon *d = calloc(1, sizeof(*d));
    int err = -ENOMEM;

    if (!d)
        return -ENOMEM;
    d->ram = env->ram;
    d->back = ledger_row(env->ledger, LEDGER_DMA, env->name, "returned");
    if (!d->back)
        goto out;
    if (packed)
        features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    virtio_init(&d->v, &vballoon_virtio, d, features, 0);
    err = vport_attach(&d->port, &d->v, env, mmio);
    if (err)
        goto out;
    *out = d;
    return 0;
out:
    free(d);
    return err;
}

const struct dev_class vballoon_class = {
    .name = "virtio-balloon",
    .summary = "memory back to the host (VIRTIO 1.2)",
    .reset = vballoon_reset,
    .state = vballoon_state,
    .destroy = vballoon_destroy,
};
