/*
 * An interrupt line and a message-signalled interrupt, as values handed to devices.
 * The level of a line is a function of device state: each device computes it in one x_irq().
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include "core/types.h"

struct ledger_row;

struct irq {
    void (*set)(void *chip, unsigned pin, bool level);
    void *chip;
    unsigned pin;
    /* For timers whose edges are counted. waits: an edge of this line stands before a CPU that has
     * not taken it, and another one now would be lost in it. watch: look(dev) is called whenever a
     * CPU has taken an interrupt, under the VM lock. Both NULL: nobody knows. */
    bool (*waits)(void *chip, unsigned pin);
    void (*watch)(void *chip, unsigned pin, void (*look)(void *dev), void *dev);
};

static inline void irq_set(const struct irq *irq, bool level)
{
    if (irq->set)
        irq->set(irq->chip, irq->pin, level);
}

/*
 * A message that is sent often may get a way of its own: a descriptor whose signal is the message.
 * It lives inside its device, one a vector, zero at first; the sink keeps it. Counted in row, if
 * there is one, when the message went that way.
 */
struct msi_way {
    uint64_t addr;
    uint32_t data;
    enum { MSI_WAY_NONE, MSI_WAY_SEEN, MSI_WAY_OPEN, MSI_WAY_REFUSED } is;
    int fd;
    unsigned gsi; /* the engine's name of it; 0: none */
    struct ledger_row *row;
};

/* Where a device's MSI/MSI-X messages go (the interrupt controller side of a DMA write). */
struct msi_sink {
    void (*send)(void *chip, uint64_t addr, uint32_t data);
    void *chip;
    /* Optional: the same message by its way, and the end of a way. */
    void (*send_by)(void *chip, struct msi_way *w, uint64_t addr, uint32_t data);
    void (*way_close)(void *chip, struct msi_way *w);
};

static inline void msi_post(const struct msi_sink *to, struct msi_way *w, uint64_t addr,
                            uint32_t data)
{
    if (to->send_by)
        to->send_by(to->chip, w, addr, data);
    else if (to->send)
        to->send(to->chip, addr, data);
}

static inline void msi_way_close(const struct msi_sink *to, struct msi_way *w)
{
    if (to->way_close)
        to->way_close(to->chip, w);
}

#define INTR_LAPIC_PAGE                                                                            \
    1024 /* a local APIC's registers as they lie in memory (SDM 3, table 11-1) */

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
 * If the engine keeps the local APICs itself (core/apics.h), pending and ack are the 8259's, and
 *   eoi:     a level-triggered vector was EOI-ed;
 *   lapic:   fills a register page with what reset and firmware leave in it;
 * all others but these four are NULL.
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
    void (*eoi)(void *ctl, unsigned vcpu, uint8_t vector);
    void (*lapic)(void *ctl, unsigned vcpu, uint8_t *page);
};

#endif
