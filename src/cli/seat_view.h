/* What the seat and the process that serves VNC tell each other: messages over a socket of a pair,
 * one of these structs each. */
#ifndef CLI_SEAT_VIEW_H
#define CLI_SEAT_VIEW_H

#include "core/types.h"

enum { VNC_KEY = 1, VNC_POINT = 2, VNC_LEFT = 3 }; /* LEFT: the viewer has gone */

struct vnc_said { /* to the seat */
    uint8_t what, key, down;
    uint8_t buttons; /* RFB's: left, middle, right, wheel away, wheel near */
    uint16_t x, y;   /* pixels */
};

struct vnc_show { /* from the seat; with a screen's descriptor, or none: there is nothing to see */
    uint32_t width, height, stride;
    char name[32];
};

enum { VNC_SEAT = 3, VNC_LISTENER = 4 }; /* its descriptors */

/* seat_vnc_jail.c: from here on it reads, writes and looks. 0 or -errno. */
int seat_vnc_jail(void);

#endif
