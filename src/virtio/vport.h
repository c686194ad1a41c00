/* A virtio device's transport, whichever the board gave it: PCI, MMIO, or one from elsewhere. */
#ifndef VIRTIO_VPORT_H
#define VIRTIO_VPORT_H

#include "virtio/vmmio.h"
#include "virtio/vpci.h"

/* A transport that is not made here (vhost): dev_env hands it to the device. */
struct bearer {
    /* v was initialised; fills in its dma, loop, name and out. 0 or -errno. */
    int (*attach)(struct bearer *b, struct virtio *v, const struct dev_env *env);
    void (*detach)(struct bearer *b);
};

struct vport {
    struct bearer *bearer; /* NULL: one of the two below */
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
    if (p->bearer)
        return; /* its peer is not the machine's to reset */
    if (p->mmio)
        vmmio_reset(&p->regs);
    else
        vpci_reset(&p->pci);
}

static inline void vport_state(struct vport *p, struct state *st)
{
    if (p->bearer)
        return;
    if (p->mmio)
        vmmio_state(&p->regs, st);
    else
        vpci_state(&p->pci, st);
}

#endif
