/* A PS/2 mouse as the controller sees it: bytes in, bytes out; and as the user does: motion. */
#ifndef DEV_PS2MOUSE_H
#define DEV_PS2MOUSE_H

#include "core/loop.h"

#define PS2MOUSE_SEND 8

enum {
    PS2_LEFT = 1,
    PS2_RIGHT = 2,
    PS2_MIDDLE = 4,
    PS2_SIDE = 8,
    PS2_EXTRA = 16,
    PS2_BUTTONS = 31
};

struct state;

struct ps2mouse {
    uint8_t send[PS2MOUSE_SEND]; /* one answer or one packet at a time; kept for RESEND */
    uint8_t sent, sends;
    uint8_t command; /* one that waits for its argument, else 0 */
    uint8_t id;      /* 0 three buttons, 3 with a wheel, 4 with five buttons */
    uint8_t rate, resolution;
    uint8_t knock[2];                    /* the two rates set before, newest first */
    bool reporting, remote, wrap, scale; /* scale: 2:1 */
    bool refused;                        /* the byte before was refused */
    uint8_t buttons, shown;              /* now; in the newest packet */
    int16_t dx, dy, dz;                  /* since the newest packet; y up, z down */
    bool over_x, over_y;                 /* a counter has overflowed */
    struct loop_timer timer;             /* runs until the next packet may go */
    void (*wake)(void *ctx);
    void *ctx;
};

void ps2mouse_init(struct ps2mouse *m, struct loop *loop, void (*wake)(void *ctx), void *ctx);
void ps2mouse_reset(struct ps2mouse *m); /* power-on */
void ps2mouse_stop(struct ps2mouse *m);  /* before it is freed */
void ps2mouse_command(struct ps2mouse *m, uint8_t byte);
bool ps2mouse_next(struct ps2mouse *m, uint8_t *byte);
/* The user's hand: x to the right, y down, wheel away from the user (Linux's signs). */
void ps2mouse_move(struct ps2mouse *m, int dx, int dy, int wheel);
void ps2mouse_button(struct ps2mouse *m, unsigned buttons, bool down);
bool ps2mouse_idle(
    const struct ps2mouse *m); /* all that happened has been read, or isn't asked for */
void ps2mouse_state(struct ps2mouse *m, struct state *st);

#endif
