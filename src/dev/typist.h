/*
 * The user at keyboard and mouse, in the person of a queue: what was asked for is done in order, no
 * faster than the guest reads, so that nothing is lost. One line of waiting for each of both. Where
 * there are several devices, an action goes to the newest that can do it and that a driver listens
 * at, as in QEMU. All calls with the VM lock held.
 */
#ifndef DEV_TYPIST_H
#define DEV_TYPIST_H

#include "core/types.h"

#define TYPIST_ROOM 4096u /* actions that can wait at the keyboard, and at the mouse … */
#define TYPIST_SPARE                                                                               \
    256u /* … and so many more that only let go: no key stays down for want of room */
#define TYPIST_FAR   32767 /* of one motion; and the last place of a tablet */
#define TYPIST_CHORD 8u    /* keys of one chord */
#define TYPIST_DEVS  6u

struct i8042;
struct loop;
struct typist;

enum typist_what { TYPIST_KEY = 1, TYPIST_BUTTON = 2, TYPIST_MOVE = 4, TYPIST_PLACE = 8 };

struct typist_act {
    enum typist_what what;
    uint8_t key; /* of ps2_keys.h; or buttons, PS2_LEFT … */
    bool down;
    bool first;      /* the keyboard is idle before it */
    bool on_x, on_y; /* which of both a place says */
    uint8_t dev;     /* 1 + which device; 0: the one that fits */
    uint64_t wait;   /* ns after the action before it */
    int x, y;        /* to the right and down; or the place */
    int wheel;       /* away from the user */
};

struct typist_dev { /* a device that hands can be at; it is told one action after the other */
    const char *name;
    unsigned can;               /* enum typist_what, several. TYPIST_BUTTON: and a wheel */
    bool (*listens)(void *dev); /* does a driver? NULL: always */
    bool (*fits)(void *dev, const struct typist_act *a); /* would it be taken now? */
    bool (*act)(void *dev, struct typist_act *a);        /* false: a is what is left of it */
    bool (*idle)(void *dev, unsigned what);              /* the guest has read all of what */
    unsigned (*leds)(void *dev);                         /* PS2_LED_…; NULL: it has none */
    /* room(ctx) is called whenever the guest has read, from inside its access; NULL: no more. */
    void (*on_room)(void *dev, void (*room)(void *ctx), void *ctx);
    void *dev;
};

/* at: the keyboard controller, or NULL. */
int typist_open(struct typist **out, struct loop *loop, struct i8042 *at);
int typist_add(struct typist *t, const struct typist_dev *d); /* 0, or -ENOSPC */
void typist_close(struct typist *t);
void typist_reset(struct typist *t);                     /* forgets what waits */
void typist_ps2(struct typist_dev *d, struct i8042 *at); /* typist_ps2.c */

/* What is asked for from now on goes to the device of that name; NULL: to the one that fits.
 * 0, or -ENOENT. */
int typist_aim(struct typist *t, const char *name);
/* Each: 0; -ENODEV: no device can do that; or -ENOSPC: the guest does not read, and too much waits
 * already; nothing was taken. */
int typist_key(struct typist *t, unsigned key, bool down);
/* Presses all in order, holds them so long, releases them the other way round. */
int typist_chord(struct typist *t, const uint8_t *keys, size_t n, uint64_t hold_ns);
/* Text as a US keyboard types it, 250 characters a second at most; -EINVAL: it has no key for
 * text[*bad]. */
int typist_text(struct typist *t, const char *text, size_t len, size_t *bad);
/* Linux's signs; up to TYPIST_FAR a direction, however many packets that takes. */
int typist_move(struct typist *t, int dx, int dy, int wheel);
/* Where a tablet's pen is, 0 to TYPIST_FAR; NULL: as it was. */
int typist_place(struct typist *t, const int *x, const int *y);
int typist_button(struct typist *t, unsigned buttons, bool down);

unsigned typist_leds(const struct typist *t); /* PS2_LED_…, of whoever has the keys */
bool typist_idle(const struct typist *t);     /* all is done and the guest has read it */

#endif
