/*
 * --check virtio: how a driver sets up, resets and kicks queues. VIRTIO 1.2: 2.6.1, 2.7, 2.8.10,
 * 2.9, 3.1.1, 4.1.4.3, 4.2.2. In a file of the rings since it looks at where they are.
 */
#include "mem/ram.h"
#include "virtio/vcheck_impl.h"

/* ---- a queue as it is configured, about to be enabled ---- */

struct part {
    gpa_t at;
    uint64_t len;
    unsigned align;
};

static void parts_of(const struct vq_conf *conf, bool packed, struct part p[3])
{
    uint64_t n = conf->size;

    p[0] = (struct part){conf->desc, DESC_LEN * n, 16};
    p[1] = packed ? (struct part){conf->avail, 4, 4} : (struct part){conf->avail, 6 + 2 * n, 2};
    p[2] = packed ? (struct part){conf->used, 4, 4} : (struct part){conf->used, 6 + 8 * n, 4};
}

static bool overlap(const struct part *a, const struct part *b)
{
    return a->at < b->at ? b->at - a->at < a->len : a->at - b->at < b->len;
}

static void parts_judge(struct vcheck *c, unsigned queue, bool packed)
{
    static const char *const name[] = {"descriptor", "driver", "device"};
    struct dma *dma = c->v->dma;
    struct part p[3];
    int on = (int)queue;

    parts_of(&c->v->queue[queue].conf, packed, p);
    for (unsigned i = 0; i < 3; i++) {
        if (p[i].at % p[i].align)
            vcheck_broken(c, on, VRULE_QUEUE_ALIGN, "%s area 0x%llx, to %u", name[i],
                          (unsigned long long)p[i].at, p[i].align);
        if (!ram_ptr(dma->ram, p[i].at, p[i].len))
            vcheck_broken(c, on, VRULE_QUEUE_MEMORY, "%s area 0x%llx, %llu bytes", name[i],
                          (unsigned long long)p[i].at, (unsigned long long)p[i].len);
        for (unsigned j = 0; j < i; j++)
            if (overlap(&p[i], &p[j]))
                vcheck_broken(c, on, VRULE_QUEUE_OVERLAP, "%s area 0x%llx, %s area 0x%llx", name[j],
                              (unsigned long long)p[j].at, name[i], (unsigned long long)p[i].at);
    }
}

static void size_judge(struct vcheck *c, unsigned queue, bool packed)
{
    unsigned size = c->v->queue[queue].conf.size, most = c->v->cls->queue_max;

    if (!size || size > most)
        vcheck_broken(c, (int)queue, VRULE_QUEUE_SIZE, "%u entries, at most %u", size, most);
    else if (!packed && size & (size - 1))
        vcheck_broken(c, (int)queue, VRULE_QUEUE_POWER, "%u entries", size);
}

static void order_judge(struct vcheck *c, unsigned queue)
{
    const struct virtio *v = c->v;
    uint32_t bit = 1u << queue;

    if (v->queue[queue].enabled)
        vcheck_broken(c, (int)queue, VRULE_QUEUE_TWICE, "status 0x%02x", v->status);
    if (!(v->status & VIRTIO_FEATURES_OK))
        vcheck_broken(c, (int)queue, VRULE_QUEUE_EARLY, "status 0x%02x", v->status);
    else if (v->status & VIRTIO_DRIVER_OK && !(c->was_on & bit))
        vcheck_broken(c, (int)queue, VRULE_QUEUE_LATE, "status 0x%02x", v->status);
    if (c->stopped & bit)
        vcheck_broken(c, (int)queue, VRULE_RESET_UNREAD, "status 0x%02x", v->status);
    c->stopped &= ~bit;
}

void vcheck_enable(struct vcheck *c, unsigned queue)
{
    bool packed = virtio_has(c->v, VIRTIO_F_RING_PACKED);

    if (queue >= c->v->queues)
        return;
    order_judge(c, queue);
    if (c->v->queue[queue].enabled)
        return;
    size_judge(c, queue, packed);
    parts_judge(c, queue, packed);
}

struct vq_check *vcheck_enabled(struct vcheck *c, unsigned queue)
{
    c->was_on |= 1u << queue;
    vq_check_start(&c->q[queue], c, queue);
    return &c->q[queue];
}

void vcheck_queue_gone(struct vcheck *c, unsigned queue)
{
    if (queue < c->v->queues && c->v->queue[queue].enabled)
        c->stopped |= 1u << queue;
}

/* ---- kicks ---- */

/* 2.9: the place that the driver writes next. It may be past what is fetched, not past the ring. */
static void data_judge(struct vcheck *c, unsigned queue, uint16_t off_wrap)
{
    const struct vq *q = &c->v->queue[queue].vq;
    bool good;

    if (!q->desc)
        return;
    if (q->conf.packed)
        good = (off_wrap & 0x7fff) < q->conf.size;
    else
        good = (uint16_t)(off_wrap - q->next_avail) <= q->conf.size ||
               (uint16_t)(q->next_avail - off_wrap) <= q->conf.size; /* fetched meanwhile */
    if (!good)
        vcheck_broken(c, (int)queue, VRULE_KICK_DATA, "0x%04x, ring of %u, next 0x%04x", off_wrap,
                      q->conf.size, q->next_avail);
}

static void value_judge(struct vcheck *c, unsigned queue, unsigned size, uint32_t val)
{
    bool data = virtio_has(c->v, VIRTIO_F_NOTIFICATION_DATA);
    unsigned width = c->mmio || data ? 4 : 2;

    if (size != width || (data ? val & 0xffff : val) != queue)
        vcheck_broken(c, (int)queue, VRULE_KICK_VALUE, "%u bytes, 0x%x", size, val);
    else if (data && queue < c->v->queues)
        data_judge(c, queue, (uint16_t)(val >> 16));
}

void vcheck_kick(struct vcheck *c, unsigned queue, unsigned size, uint32_t val)
{
    const struct virtio *v = c->v;

    if (!size)
        return;
    if (queue >= v->queues || (v->status & VIRTIO_DRIVER_OK && !v->queue[queue].enabled))
        vcheck_broken(c, (int)queue, VRULE_KICK_NOBODY, "status 0x%02x", v->status);
    else if (!(v->status & VIRTIO_DRIVER_OK))
        vcheck_broken(c, (int)queue, VRULE_KICK_EARLY, "status 0x%02x", v->status);
    value_judge(c, queue, size, val);
}
