/*
 * Virtio over PCI, modern only: VIRTIO 1.2, section 4.1. Three BARs, so that the ledger tells
 * configuration, kicks and MSI-X set-up apart.
 */
#ifndef VIRTIO_VPCI_H
#define VIRTIO_VPCI_H

#include "bus/pci_cap.h"
#include "core/bell.h"
#include "virtio/virtio.h"

#define VPCI_BELL_STEP 4 /* bytes from one queue's doorbell to the next */

struct vpci_bell {
    struct vpci *vpci;
    struct bell bell;
};

struct vpci {
    struct virtio *v;
    struct pci_func func;
    struct pci_msix msix;
    struct io_region cfg, bell, msix_io; /* BAR 0, 2, 4 */
    uint32_t feature_sel, taken_sel;
    uint16_t queue_sel;
    uint16_t config_vector;
    uint8_t isr;
    unsigned window; /* offset of the PCI configuration access capability */
    struct vpci_bell ring[VIRTIO_QUEUES_MAX];
    struct ledger_row *bell_row;
};

/* v was initialised; fills in its dma, loop, name and out. 0 or -errno. */
int vpci_attach(struct vpci *p, struct virtio *v, const struct dev_env *env);
void vpci_detach(struct vpci *p);
void vpci_reset(struct vpci *p);                   /* of the function and of the device */
void vpci_state(struct vpci *p, struct state *st); /* transport and virtio state */

/* vpci_bell.c: doorbells without traps, where the VM has them. They follow BAR 2 while wanted. */
int vpci_bells_init(struct vpci *p); /* 0 or -ENOMEM */
void vpci_bells_follow(struct vpci *p, bool wanted);

#endif
