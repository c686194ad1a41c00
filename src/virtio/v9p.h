/* virtio-9p: a host directory by 9P2000.L over one queue. */
#ifndef VIRTIO_V9P_H
#define VIRTIO_V9P_H

#include "bus/dev.h"

struct p9;
struct v9p;

struct v9p_opts {
    const char *tag; /* what the guest mounts it by; at most P9_TAG_MAX bytes */
    uint64_t mmio;   /* where its registers are; 0: a PCI function */
    bool packed;     /* offer packed rings */
};

extern const struct dev_class v9p_class;

/* 0, -ENOMEM, -EINVAL (the tag), or -EBUSY when env->devfn is taken. */
int v9p_create(struct v9p **out, const struct dev_env *env, struct p9 *p9,
               const struct v9p_opts *o);

#endif
