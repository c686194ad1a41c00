/* The I/O APIC (82093AA registers, version 0x20 with an EOI register). */
#ifndef IRQ_IOAPIC_H
#define IRQ_IOAPIC_H

#include "bus/dev.h"
#include "irq/apic_msg.h"

#define IOAPIC_PINS 24

struct ioapic;

/* deliver(ctx, msg): true if some local APIC took it. Called with the VM lock held. */
int ioapic_create(struct ioapic **out, const struct dev_env *env, uint64_t base, uint8_t id,
                  bool (*deliver)(void *ctx, const struct apic_msg *msg), void *ctx);
/* Optional: told when a pin has become level-triggered or sends another message (then called with
 * the VM lock held; ctx as above). */
void ioapic_tell(struct ioapic *io,
                 void (*pin)(void *ctx, unsigned pin, const struct apic_msg *msg));
void ioapic_set(void *ioapic, unsigned pin,
                bool level); /* true = asserted, whatever the polarity */
/* What an edge of this pin becomes; -1: it is masked, a level, or no vector. */
int ioapic_edge_vector(const struct ioapic *io, unsigned pin);
void ioapic_eoi(struct ioapic *io, uint8_t vector); /* a local APIC's EOI broadcast */

extern const struct dev_class ioapic_class;

#endif
