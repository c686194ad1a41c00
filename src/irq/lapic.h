/*
 * The local APICs of all vCPUs (xAPIC mode), in one struct so that messages can be routed.
 * The caller holds the VM lock, but for lapic_want, lapic_wanted and lapic_tpr, which need none.
 */
#ifndef IRQ_LAPIC_H
#define IRQ_LAPIC_H

#include "bus/dev.h"
#include "irq/apic_msg.h"

#define LAPIC_MAX 64 /* vCPUs: ids 0..63 in 8 bits of physical destination */

struct lapics;
struct io_region;

struct lapic_opts {
    unsigned vcpus;
    uint64_t base;     /* 0xfee00000 on a PC; 0: no local APIC, INTR goes to vCPU 0 */
    uint64_t timer_hz; /* the timer's clock before the divider */
    /* VM time (loop_now) at which this vCPU's TSC reaches tsc; NULL: no TSC-deadline mode. */
    uint64_t (*tsc_to_ns)(void *ctx, unsigned vcpu, uint64_t tsc);
    bool virtual_wire; /* vCPU 0 as PC firmware leaves it: enabled, LINT0 = ExtINT, LINT1 = NMI */
    void (*eoi)(void *ctx, uint8_t vector);    /* EOI of a level-triggered vector */
    void (*changed)(void *ctx, unsigned vcpu); /* what the vCPU would take may have changed */
    void *ctx;                                 /* of eoi and changed */
    void *tsc_ctx;
};

enum { LAPIC_WANT_NMI = 1, LAPIC_WANT_INIT = 2, LAPIC_WANT_SIPI = 4 };

int lapic_create(struct lapics **out, const struct dev_env *env, const struct lapic_opts *o);
bool lapic_deliver(void *lapics, const struct apic_msg *msg); /* true: somebody took it */
void lapic_lint(struct lapics *ls, unsigned pin, bool level); /* LINT0 or LINT1 of every CPU */

int lapic_pending(const struct lapics *ls, unsigned vcpu); /* vector above the priority, or -1 */
int lapic_ack(struct lapics *ls, unsigned vcpu);           /* IRR → ISR; -1 if it went away */
bool lapic_waits(const struct lapics *ls, uint8_t vector); /* some CPU has yet to take it */
void lapic_extint_over(struct lapics *ls); /* INTR fell: ExtINT messages have nothing to take */
bool lapic_extint(const struct lapics *ls, unsigned vcpu); /* does INTR (the PIC) reach this CPU? */
unsigned lapic_want(struct lapics *ls, unsigned vcpu, unsigned take); /* takes NMI/INIT/SIPI bits */
unsigned lapic_wanted(const struct lapics *ls, unsigned vcpu);        /* which there are */
uint8_t lapic_sipi_vector(const struct lapics *ls, unsigned vcpu);
void lapic_init_cpu(struct lapics *ls, unsigned vcpu);      /* what an INIT does to the APIC */
unsigned lapic_tpr(const struct lapics *ls, unsigned vcpu); /* CR8 */
void lapic_set_tpr(struct lapics *ls, unsigned vcpu, unsigned tpr);
int lapic_msr_read(struct lapics *ls, unsigned vcpu, uint32_t msr, uint64_t *val);
int lapic_msr_write(struct lapics *ls, unsigned vcpu, uint32_t msr, uint64_t val);

/* This vCPU's register page: not on the bus, since each CPU sees its own at the same address. */
struct io_region *lapic_page(struct lapics *ls, unsigned vcpu);

extern const struct dev_class lapic_class;

#endif
