/* Two Intel 8259A interrupt controllers in cascade, as in a PC, with the edge/level registers. */
#ifndef IRQ_PIC8259_H
#define IRQ_PIC8259_H

#include "bus/dev.h"

struct pic8259;

struct pic8259_at {
    uint64_t master, slave; /* port bases: two ports each */
    uint64_t elcr;          /* edge/level control, two ports; 0: none */
    uint16_t level_pins;    /* what firmware would have put into it: bit n = IRQ n is level */
};

/* intr(ctx, level) is the INTR output; it is called with the VM lock held. */
int pic8259_create(struct pic8259 **out, const struct dev_env *env, const struct pic8259_at *at,
                   void (*intr)(void *ctx, bool level), void *ctx);
void pic8259_set(void *pic, unsigned pin, bool level); /* pin 0..15; 2 is the cascade: ignored */
bool pic8259_waits(const struct pic8259 *pic, unsigned pin); /* unmasked, asked, not served yet */
int pic8259_peek(const struct pic8259 *pic); /* the vector an INTA would get, -1 if INTR is low */
uint8_t pic8259_ack(struct pic8259 *pic);    /* the INTA cycles; IRQ 7 or 15 if it went away */

extern const struct dev_class pic8259_class;

#endif
