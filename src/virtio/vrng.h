/* virtio-rng: VIRTIO 1.2, section 5.4, an entropy device. */
#ifndef VIRTIO_VRNG_H
#define VIRTIO_VRNG_H

#include "bus/dev.h"

struct vrng;

extern const struct dev_class vrng_class;

/* entropy fills buf and says 0, or -errno. mmio: where the registers go; 0: a PCI function.
 * packed: offer packed rings. 0, -ENOMEM, or -EBUSY when env->devfn is taken. */
int vrng_create(struct vrng **out, const struct dev_env *env, int (*entropy)(void *buf, size_t len),
                uint64_t mmio, bool packed);

#endif
