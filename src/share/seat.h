/*
 * The seat: one keyboard and one mouse, and many machines that want them. What is pressed goes to
 * the machine that has the seat then, and waits in that machine's own line until it takes it; what
 * is let go goes where it was pressed. A switch lets go, in the old machine, of all that is held;
 * what the user's fingers still hold is nobody's until they come up. So no machine ever hears of a
 * key that was not pressed for it, and none keeps one down that the user can't let go.
 *
 * Pure: no descriptors and no time. Keys are numbers below SEAT_KEYS, whosever they are.
 */
#ifndef SHARE_SEAT_H
#define SHARE_SEAT_H

#include "core/types.h"

#define SEAT_VMS     16u
#define SEAT_KEYS    256u
#define SEAT_BUTTONS 8u
#define SEAT_LINE    1024u /* events that wait for one machine */
#define SEAT_NOBODY  SEAT_VMS

enum seat_what { SEAT_KEY, SEAT_BUTTON, SEAT_POINT };

struct seat_event {
    enum seat_what what;
    uint8_t key; /* or button */
    bool down;
    int x, y;   /* where the pointer is now … */
    int dx, dy; /* … and how it came there from the last one taken */
    int wheel;  /* away from the user */
};

struct seat_vm {
    bool there; /* it runs, and takes events */
    struct seat_event line[SEAT_LINE];
    unsigned head, count;
    uint64_t dropped; /* presses and motion that found no room, or no machine */
};

struct seat {
    struct seat_vm vm[SEAT_VMS];
    unsigned vms, focus;          /* focus: who has the seat, or SEAT_NOBODY */
    unsigned held;                /* how many keys and buttons focus holds down */
    uint8_t key[SEAT_KEYS];       /* 0: up; 1 + who holds it down; or pressed for nobody */
    uint8_t button[SEAT_BUTTONS]; /* the same */
};

void seat_init(struct seat *s, unsigned vms);
void seat_key(struct seat *s, unsigned key, bool down);
void seat_button(struct seat *s, unsigned button, bool down);
void seat_point(struct seat *s, const struct seat_event *to);
/* Gives the seat to another machine, that need not be there. False: there is no such. */
bool seat_switch(struct seat *s, unsigned to);
/* Whoever sat here has left: nothing is held by anybody. */
void seat_leave(struct seat *s);
/* The machine has gone, with all that waited for it; or is there (again). */
void seat_vm_there(struct seat *s, unsigned vm, bool there);
/* The oldest event that waits for vm, which stays there; NULL: none. */
const struct seat_event *seat_next(const struct seat *s, unsigned vm);
void seat_taken(struct seat *s, unsigned vm); /* … until now */

/* ---- the hot key of a terminal: Ctrl-] and one more ---- */

enum seat_hot {
    SEAT_PASS,  /* the byte goes to the machine */
    SEAT_EATEN, /* it was part of a hot key that does nothing (yet) */
    SEAT_TO,    /* the seat goes to machine *n */
    SEAT_STEP,  /* … *n further on, 1 or -1 */
    SEAT_QUIT
};

#define SEAT_PREFIX 0x1d /* Ctrl-] */

/* armed remembers that the prefix was typed. Twice is once, to the machine. */
enum seat_hot seat_hot_byte(bool *armed, uint8_t byte, int *n);

#endif
