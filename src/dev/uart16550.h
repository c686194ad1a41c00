/* National Semiconductor PC16550D UART in port space. */
#ifndef DEV_UART16550_H
#define DEV_UART16550_H

#include "bus/dev.h"

struct uart16550;
struct chr;

/* env->irq is its line; chr may be NULL (nothing connected) and is borrowed. */
int uart16550_create(struct uart16550 **out, const struct dev_env *env, uint64_t base,
                     struct chr *chr);
extern const struct dev_class uart16550_class;

#endif
