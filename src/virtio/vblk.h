/* virtio-blk: VIRTIO 1.2, section 5.2, as a PCI function over any block backend. */
#ifndef VIRTIO_VBLK_H
#define VIRTIO_VBLK_H

#include "bus/dev.h"

struct blk;
struct vblk;

extern const struct dev_class vblk_class;

#define VBLK_QUEUES_MAX 8

struct vblk_opts {
    const char *serial; /* at most 20 bytes are shown; or NULL */
    unsigned queues;    /* 0: one */
    uint64_t mmio;      /* where its registers go; 0: a PCI function */
    unsigned seg_max;   /* segments a request may have; 0: what a chain has room for */
    bool packed;        /* offer packed rings: a driver that knows them takes them */
};

/* blk stays the caller's and must outlive the device. 0, -ENOMEM, -EINVAL (queues), or -EBUSY when
 * env->devfn is taken. */
int vblk_create(struct vblk **out, const struct dev_env *env, struct blk *blk,
                const struct vblk_opts *o);

#endif
