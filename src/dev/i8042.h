/* Intel 8042 keyboard controller with a keyboard on its first port and a mouse on its second. */
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

/* What the user does, and what is shown to him. Keys are those of ps2_keys.h, buttons and signs
 * those of ps2mouse.h. What finds no room is lost, as with real ones: ask first. VM lock held. */
void i8042_key(struct i8042 *k, unsigned key, bool down);
bool i8042_key_fits(const struct i8042 *k, unsigned key, bool down);
bool i8042_kbd_idle(const struct i8042 *k); /* the guest has read all */
void i8042_move(struct i8042 *k, int dx, int dy, int wheel);
void i8042_button(struct i8042 *k, unsigned buttons, bool down);
bool i8042_mouse_idle(const struct i8042 *k);
unsigned i8042_leds(const struct i8042 *k); /* PS2_LED_… */
/* room is called whenever the guest has read, from inside its access. */
void i8042_on_room(struct i8042 *k, void (*room)(void *ctx), void *ctx);
extern const struct dev_class i8042_class;

#endif
