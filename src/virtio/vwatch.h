/* What a user asked of all virtio devices beyond their work: --check virtio, --evil, --offer. A
 * board hands it to each device (dev_env); vport_attach acts on it. */
#ifndef VIRTIO_VWATCH_H
#define VIRTIO_VWATCH_H

#include "core/types.h"

struct vevil_opts;

struct vwatch {
    uint64_t offer;                /* more features, as bits: IN_ORDER, NOTIFICATION_DATA */
    bool check;                    /* drivers are watched: vcheck.h */
    const struct vevil_opts *evil; /* NULL: devices behave. vevil.h */
    bool quiet;                    /* nothing is said of it, only counted */
    unsigned evils;                /* devices that it is for */
    /* What was seen of drivers that broke rules, by all devices. Under the VM lock. */
    uint64_t broken;
    unsigned last; /* enum vrule: the newest */
};

#endif
