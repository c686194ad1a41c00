/*
 * Virtio over MMIO: VIRTIO 1.2, section 4.2, version 2. One page of registers and one line; no
 * discovery, so the board tells the guest where it is. Kicks are a region of their own, so that the
 * ledger tells them apart.
 */
#ifndef VIRTIO_VMMIO_H
#define VIRTIO_VMMIO_H

#include "bus/bus.h"
#include "core/irq.h"
#include "mem/dma.h"
#include "virtio/virtio.h"

#define VMMIO_LEN 0x1000u

struct dev_env;

struct vmmio {
    struct virtio *v;
    struct bus *bus;
    struct irq irq;
    struct dma dma;
    struct io_region low, bell, high; /* registers before QueueNotify, it, and those behind */
    uint32_t feature_sel, taken_sel, queue_sel;
    uint8_t isr;
};

/* v was initialised; fills in its dma, loop, name and out. 0 or -errno. */
int vmmio_attach(struct vmmio *m, struct virtio *v, const struct dev_env *env, uint64_t base);
void vmmio_detach(struct vmmio *m);
void vmmio_reset(struct vmmio *m);
void vmmio_state(struct vmmio *m, struct state *st);

#endif
