/*
 * Local APICs that an engine keeps itself (engine kvm, split irqchip), as the interrupt controllers
 * outside of it see them. All is called with the VM lock held.
 */
#ifndef CORE_APICS_H
#define CORE_APICS_H

#include "core/irq.h"

struct apics_ops {
    /* True: some local APIC took the message. */
    bool (*send)(void *ctx, uint64_t addr, uint32_t data);
    /* What a level-triggered pin of the I/O APIC sends from now on: when its vector is EOI-ed
     * intr_ops.eoi is told. */
    void (*pin)(void *ctx, unsigned pin, uint64_t addr, uint32_t data);
    /* Makes w->fd an eventfd whose signal is the message w->addr, w->data; again: another message,
     * the same fd. 0 or -errno. */
    int (*way_open)(void *ctx, struct msi_way *w);
    void (*way_close)(void *ctx, struct msi_way *w);
    /* The register page of a vCPU that doesn't run: INTR_LAPIC_PAGE bytes. 0 or -errno. */
    int (*page)(void *ctx, unsigned vcpu, uint8_t *page, bool set);
};

struct apics {
    const struct apics_ops *ops;
    void *ctx; /* the engine, or NULL while there is none: messages reach nobody */
};

#endif
