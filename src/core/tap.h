/*
 * A wire-tap: stands on the wires between one device and the rest of the machine and is told of
 * what crosses. Layers below the tap's maker (bus, PCI, DMA) call these; a device without a tap
 * costs them one test of a pointer. Called with the device's lock held.
 */
#ifndef CORE_TAP_H
#define CORE_TAP_H

#include "core/types.h"

struct io_region;
struct pci_func;

struct tap {
    const struct tap_ops *ops;
};

struct tap_access {
    struct io_region *region; /* NULL: configuration space */
    uint64_t off, val;        /* of a read: what the device answered */
    unsigned size;
    bool write;
};

enum tap_dma_kind { TAP_READ, TAP_WRITE, TAP_HOLD_READ, TAP_HOLD_WRITE, TAP_DROP };

struct tap_dma {
    enum tap_dma_kind kind;
    gpa_t gpa;
    size_t len;
    /* NULL: refused. Of READ and HOLD_READ the tap may change the bytes: they are the device's
     * copy, or guest memory itself. */
    void *data;
};

struct tap_ops {
    /* The device has these registers; this is its PCI function. Told once each. */
    void (*region)(struct tap *t, struct io_region *r);
    void (*func)(struct tap *t, struct pci_func *f);
    /* An access is about to reach the device; it has been served. */
    void (*begin)(struct tap *t);
    void (*end)(struct tap *t, const struct tap_access *a);
    void (*dma)(struct tap *t, const struct tap_dma *d);
    /* Something that did not come by the bus (a key) has been taken: its name, three numbers. */
    void (*input)(struct tap *t, const char *what, const int v[3]);
};

/* Around what a device does with such an input. */
static inline void tap_input_begin(struct tap *t)
{
    if (t)
        t->ops->begin(t);
}

static inline void tap_input_end(struct tap *t, const char *what, int a, int b, int c)
{
    if (t)
        t->ops->input(t, what, (const int[]){a, b, c});
}

#endif
