/* virtio-blk: VIRTIO 1.2, section 5.2, as a PCI function over any block backend. */
#ifndef VIRTIO_VBLK_H
#define VIRTIO_VBLK_H

#include "bus/dev.h"

struct blk;
struct vblk;

extern const struct dev_class vblk_class;

/* blk stays the caller's and must outlive the device. serial: at most 20 bytes are shown; may be
 * NULL. 0, -ENOMEM, or -EBUSY when env->devfn is taken. */
int vblk_create(struct vblk **out, const struct dev_env *env, struct blk *blk, const char *serial);

#endif
