/* Where a queue's device is in its rings, for a transport that takes a queue over from another
 * device and hands it on: vhost. VIRTIO 1.2, sections 2.7.13 and 2.8.1. */
#include "virtio/vq_ring.h"
#include <errno.h>

void vq_where(const struct vq *q, struct vq_place *p)
{
    *p = (struct vq_place){.avail = q->next_avail,
                           .used = q->next_used,
                           .avail_wrap = q->pk.avail_wrap,
                           .used_wrap = q->pk.used_wrap};
}

int vq_seek(struct vq *q, const struct vq_place *p)
{
    if (q->conf.packed && (p->avail >= q->conf.size || p->used >= q->conf.size))
        return -EINVAL;
    q->next_avail = p->avail;
    q->next_used = p->used;
    q->known = 0;
    q->pk.avail_wrap = p->avail_wrap;
    q->pk.used_wrap = p->used_wrap;
    return 0;
}

uint16_t vq_used_idx(const struct vq *q)
{
    return q->desc && !q->conf.packed ? ring_load(q, q->used + RING_IDX) : 0;
}
