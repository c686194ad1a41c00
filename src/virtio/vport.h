/* A virtio device's transport, whichever the board gave it: PCI or MMIO. */
#ifndef VIRTIO_VPORT_H
#define VIRTIO_VPORT_H

#include "virtio/vmmio.h"
#include "virtio/vpci.h"

struct vport {
    bool mmio;
    union {
        struct vpci pci;
        struct vmmio regs;
    };
};

/* mmio: where the registers go; 0: a PCI function, as env says. 0 or -errno. */
int vport_attach(struct vport *p, struct virtio *v, const struct dev_env *env, uint64_t mmio);
void vport_detach(struct vport *p);

static inline void vport_reset(struct vport *p)
{
    if (p->mmio)
        vmmio_reset(&p->regs);
    else
        vpci_reset(&p->pci);
}

static inline void vport_state(struct vport *p, struct state *st)
{
    if (p->mmio)
        vmmio_state(&p->regs, st);
    else
        vpci_state(&p->pci, st);
}

#endif
