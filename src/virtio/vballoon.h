/* virtio-balloon: VIRTIO 1.2, section 5.5. Memory that the guest does without goes back to the
 * host. */
#ifndef VIRTIO_VBALLOON_H
#define VIRTIO_VBALLOON_H

#include "bus/dev.h"

#define VBALLOON_PAGE 4096u /* 5.5.6: whatever the guest's page size */

struct vballoon;

extern const struct dev_class vballoon_class;

/* mmio: where the registers go; 0: a PCI function. 0, -ENOMEM, or -EBUSY when env->devfn is taken.
 */
int vballoon_create(struct vballoon **out, const struct dev_env *env, uint64_t mmio, bool packed);
/* So many pages are wanted back; the guest gives what it can. The caller holds the VM lock. */
void vballoon_want(struct vballoon *d, uint32_t pages);
uint32_t vballoon_has(const struct vballoon *d); /* pages the guest says are in the balloon */

#endif
