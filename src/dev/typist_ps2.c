/* Keyboard and mouse behind a keyboard controller, as the typist has them. */
#include "dev/i8042.h"
#include "dev/typist.h"

#define STEP  120 /* of one packet: below its nine bits even when the guest scales by two */
#define CLICK 7   /* of the wheel in one packet */

static bool fits(void *dev, const struct typist_act *a)
{
    if (a->what != TYPIST_KEY)
        return i8042_mouse_idle(dev);
    return a->first ? i8042_kbd_idle(dev) : i8042_key_fits(dev, a->key, a->down);
}

static int piece(int *left, int most)
{
    int n = *left > most ? most : *left < -most ? -most : *left;

    *left -= n;
    return n;
}

/* Motion may take several packets. */
static bool act(void *dev, struct typist_act *a)
{
    int dx, dy, wheel;

    if (a->what == TYPIST_KEY) {
        i8042_key(dev, a->key, a->down);
        return true;
    }
    if (a->what == TYPIST_BUTTON) {
        i8042_button(dev, a->key, a->down);
        return true;
    }
    dx = piece(&a->x, STEP);
    dy = piece(&a->y, STEP);
    wheel = piece(&a->wheel, CLICK);
    i8042_move(dev, dx, dy, wheel);
    return !a->x && !a->y && !a->wheel;
}

static bool idle(void *dev, unsigned what)
{
    return (!(what & TYPIST_KEY) || i8042_kbd_idle(dev)) &&
           (!(what & ~(unsigned)TYPIST_KEY) || i8042_mouse_idle(dev));
}

static unsigned leds(void *dev)
{
    return i8042_leds(dev);
}

static void on_room(void *dev, void (*room)(void *ctx), void *ctx)
{
    i8042_on_room(dev, room, ctx);
}

void typist_ps2(struct typist_dev *d, struct i8042 *at)
{
    *d = (struct typist_dev){.name = "i8042",
                             .can = TYPIST_KEY | TYPIST_BUTTON | TYPIST_MOVE,
                             .fits = fits,
                             .act = act,
                             .idle = idle,
                             .leds = leds,
                             .on_room = on_room,
                             .dev = at};
}
