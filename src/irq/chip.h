/*
 * The interrupt controllers of one machine, wired together: lines fan out to PIC and I/O APIC,
 * messages go to the local APICs, and vCPU threads ask through intr_ops (core/irq.h).
 */
#ifndef IRQ_CHIP_H
#define IRQ_CHIP_H

#include "bus/dev.h"
#include "irq/pic8259.h"

struct chip;
struct io_region;
struct apics;

struct chip_opts {
    unsigned vcpus;
    const struct pic8259_at *pic; /* NULL: no PIC */
    uint64_t ioapic;              /* base; 0: none */
    uint8_t ioapic_id;
    uint64_t lapic;            /* base; 0: none */
    uint64_t lapic_hz;         /* the LAPIC timer's clock */
    bool virtual_wire;         /* see irq/lapic.h */
    const struct apics *apics; /* the engine keeps the local APICs, here are none; or NULL */
    /* VM time (loop_now) at which this vCPU's TSC reaches tsc; NULL: no TSC-deadline mode. */
    uint64_t (*tsc_to_ns)(void *ctx, unsigned vcpu, uint64_t tsc);
    /* Something became deliverable to the vCPU. Called with the VM lock held, from any thread. */
    void (*kick)(void *ctx, unsigned vcpu);
    void *ctx;
};

/* env: name, bus, loop, lock, ledger are used. */
int chip_create(struct chip **out, const struct dev_env *env, const struct chip_opts *o);

/*
 * A new input of a line. A line is high while any of its inputs is, so devices that share one
 * each ask for their own. gsi 0..23 is the I/O APIC pin; 1, 3..15 also reach the PIC's pin of that
 * number. chip_isa is by ISA IRQ: the same, but for IRQ 0, which is GSI 2 where there is a PIC.
 * Ask in the same order on every run: inputs are saved by number. .set is NULL if gsi is absurd.
 */
struct irq chip_gsi(struct chip *c, unsigned gsi);
struct irq chip_isa(struct chip *c, unsigned irq);
/* PCI: line of INTA..INTD (pin 1..4) of a slot, spread over `lines` GSIs from `first` (swizzle). */
unsigned chip_pci_gsi(unsigned slot, unsigned pin, unsigned first, unsigned lines);

struct msi_sink chip_msi(struct chip *c);
struct io_region *chip_lapic_page(struct chip *c,
                                  unsigned vcpu); /* for dispatch's local[]; or NULL */

extern const struct intr_ops chip_intr_ops;             /* ctl is the struct chip */
const struct intr_ops *chip_intr(const struct chip *c); /* these, or those with o.apics */
extern const struct dev_class chip_class; /* resets, saves and destroys all its chips */

#endif
