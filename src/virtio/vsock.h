/* virtio-vsock: VIRTIO 1.2, section 5.10, byte streams between the guest and its host. */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include "bus/dev.h"

struct vsk;
struct vsock;

extern const struct dev_class vsock_class;

struct vsock_opts {
    struct vsk *vsk; /* borrowed; whom the guest talks to */
    uint32_t cid;    /* the guest's */
    uint64_t mmio;   /* where the registers go; 0: a PCI function, as env says */
    bool packed;     /* offer packed rings */
};

/* 0, -ENOMEM, or -EBUSY when env->devfn is taken. */
int vsock_create(struct vsock **out, const struct dev_env *env, const struct vsock_opts *o);

#endif
