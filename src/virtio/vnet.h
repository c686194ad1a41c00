/* virtio-net: VIRTIO 1.2, section 5.1, as a PCI function over any network backend. */
#ifndef VIRTIO_VNET_H
#define VIRTIO_VNET_H

#include "bus/dev.h"

#define VNET_PAIRS_MAX 8

struct net;
struct vnet;

/* What is left to the driver: nothing; cutting into segments; checksums too. */
enum vnet_less { VNET_LESS_NOTHING, VNET_LESS_TSO, VNET_LESS_CSUM };

struct vnet_opts {
    struct net *net; /* the caller's; outlives the device */
    uint8_t mac[6];
    unsigned pairs; /* of queues: 0 is 1, at most VNET_PAIRS_MAX */
    uint64_t mmio;  /* where its registers go; 0: a PCI function */
    bool packed;    /* offer packed rings */
    bool all;       /* no filters and no control queue: they are who drives the device's (vhost) */
    unsigned less;  /* enum vnet_less */
};

extern const struct dev_class vnet_class;

/* 0, -ENOMEM, -EINVAL (pairs, no net), or -EBUSY when env->devfn is taken. */
int vnet_create(struct vnet **out, const struct dev_env *env, const struct vnet_opts *o);

#endif
