/* virtio-console: VIRTIO 1.2, section 5.3. A console, and named ports beside it. */
#ifndef VIRTIO_VCON_H
#define VIRTIO_VCON_H

#include "bus/dev.h"

#define VCON_NAMED    8u  /* ports beside the console */
#define VCON_NAME_MAX 63u /* bytes of a name */

struct chr;
struct vcon;

struct vcon_port_opts {
    const char *name; /* borrowed for the life of the device */
    struct chr *chr;  /* borrowed */
};

struct vcon_opts {
    struct chr *console; /* port 0; NULL: there is none */
    struct vcon_port_opts port[VCON_NAMED];
    unsigned ports;
    bool packed;   /* offer packed rings */
    uint64_t mmio; /* where the registers go; 0: a PCI function */
};

extern const struct dev_class vcon_class;

/* 0, -ENOMEM, -EINVAL (too many ports), or -EBUSY when env->devfn is taken. */
int vcon_create(struct vcon **out, const struct dev_env *env, const struct vcon_opts *o);

struct vcon_port_info {
    const char *name;   /* NULL: the console */
    bool plugged, open; /* open: a program of the guest has it open */
};

/* The nth port, from 0; false: there are not so many. The caller holds the VM lock, here and below.
 */
bool vcon_port_info(const struct vcon *d, unsigned n, struct vcon_port_info *info);
/* Takes a port away from the guest or gives it back. 0, or -ENOENT. */
int vcon_plug(struct vcon *d, const char *name, bool plugged);

#endif
