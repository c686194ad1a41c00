/*
 * An interrupt line and a message-signalled interrupt, as values handed to devices.
 * The level of a line is a function of device state: each device computes it in one x_irq().
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include "core/types.h"

struct irq {
    void (*set)(void *chip, unsigned pin, bool level);
    void *chip;
    unsigned pin;
};

static inline void irq_set(const struct irq *irq, bool level)
{
    if (irq->set)
        irq->set(irq->chip, irq->pin, level);
}

/* Where a device's MSI/MSI-X messages go (the interrupt controller side of a DMA write). */
struct msi_sink {
    void (*send)(void *chip, uint64_t addr, uint32_t data);
    void *chip;
};

/*
 * What a CPU asks of its interrupt controllers. pending and ack are called by the vCPU's thread
 * with no lock held; the implementation takes its own.
 *   pending: the vector that would be delivered now given TPR/priority, or -1. Must be cheap.
 *   ack:     accept it (INTA): the vector, or -1 if it went away (spurious is the chip's business).
 *   tpr:     CR8 value 0..15; set_tpr may make an interrupt deliverable.
 *   nmi:     take a pending NMI, if any.
 *   wanted:  is an NMI, INIT or SIPI waiting? They wake a vCPU whatever its flags are.
 *   init:    take a pending INIT (bit 0) or SIPI (bit 1, *vector): used by SMP start-up.
 *   msr_read/msr_write: IA32_APIC_BASE, TSC_DEADLINE (0x1b, 0x6e0): 0, or -1 for #GP.
 */
struct intr_ops {
    int (*pending)(void *ctl, unsigned vcpu);
    int (*ack)(void *ctl, unsigned vcpu);
    unsigned (*tpr)(void *ctl, unsigned vcpu);
    void (*set_tpr)(void *ctl, unsigned vcpu, unsigned tpr);
    bool (*nmi)(void *ctl, unsigned vcpu);
    bool (*wanted)(void *ctl, unsigned vcpu);
    unsigned (*init)(void *ctl, unsigned vcpu, uint8_t *vector);
    int (*msr_read)(void *ctl, unsigned vcpu, uint32_t msr, uint64_t *val);
    int (*msr_write)(void *ctl, unsigned vcpu, uint32_t msr, uint64_t val);
};

#endif
