/* Intel 8254 timer with the PC's port B (gate of channel 2, speaker, refresh). */
#ifndef DEV_PIT8254_H
#define DEV_PIT8254_H

#include "bus/dev.h"

#define PIT8254_HZ 1193182u

struct pit8254;

/* env->irq is channel 0's output. base: 4 ports (0x40); port_b: 1 port (0x61), 0 for none. */
int pit8254_create(struct pit8254 **out, const struct dev_env *env, uint64_t base, uint64_t port_b);
extern const struct dev_class pit8254_class;

#endif
