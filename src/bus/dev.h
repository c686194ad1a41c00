/* A device's whole world, and its identity card. */
#ifndef BUS_DEV_H
#define BUS_DEV_H

#include "core/irq.h"
#include "core/types.h"
#include <pthread.h>

struct bearer;
struct bell_sink;
struct shadow_sink;
struct bus;
struct pci_bus;
struct tap;
struct vwatch;
struct dma;
struct ram;
struct loop;
struct ledger;
struct state;
struct error;

struct dev_env {      /* all handed by the board; borrowed for the life of the device */
    const char *name; /* instance: "com1" */
    struct bus *bus;
    struct ram *ram;       /* to make its dma view of */
    struct loop *loop;     /* timers, deferred completions */
    pthread_mutex_t *lock; /* the lock of all its regions (the VM lock) */
    struct ledger *ledger;
    struct irq irq;                    /* its line, if it has one */
    struct msi_sink msi;               /* where PCI functions send messages */
    const struct bell_sink *bells;     /* NULL: every doorbell traps */
    const struct shadow_sink *shadows; /* NULL: every read traps */
    struct pci_bus *pci;               /* for PCI functions, else NULL */
    uint8_t devfn;                     /* for PCI functions */
    struct tap *tap;                   /* for its dma view; NULL: nobody listens */
    struct vwatch *vwatch;             /* for virtio devices: virtio/vwatch.h; NULL: nothing */
    struct bearer *bearer;             /* for virtio devices: carries them; NULL: PCI or MMIO */
};

struct dev_class {
    const char *name; /* as in the class table and in docs */
    const char *summary;
    void (*reset)(void *dev);
    void (*state)(void *dev, struct state *st);
    void (*destroy)(void *dev); /* unmaps, cancels, frees */
};

/* A created device as boards and the VM hold it. create functions are typed, one per device. */
struct dev {
    const struct dev_class *cls;
    void *dev;
    const char *name;
};

#endif
