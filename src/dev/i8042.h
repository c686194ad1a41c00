/* Intel 8042 keyboard controller with a keyboard on its first port and nothing on its second. */
#ifndef DEV_I8042_H
#define DEV_I8042_H

#include "bus/dev.h"

struct i8042;

struct i8042_opts {
    uint64_t data, command;               /* ports 0x60 and 0x64 of a PC */
    struct irq aux;                       /* line of the second port (the first is env->irq) */
    void (*reset)(void *ctx);             /* the reset line (output port bit 0, 0xfe) */
    void (*a20)(void *ctx, bool enabled); /* may be NULL: the gate has no effect */
    void *ctx;
};

int i8042_create(struct i8042 **out, const struct dev_env *env, const struct i8042_opts *o);
/* Scan codes (set 2 as the keyboard sends them) typed by the user; dropped when the buffer is full.
 */
void i8042_type(struct i8042 *k, const uint8_t *codes, size_t n);
extern const struct dev_class i8042_class;

#endif
