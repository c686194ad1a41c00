/* A PS/2 keyboard as the controller sees it: bytes in, bytes out. */
#ifndef DEV_PS2KBD_H
#define DEV_PS2KBD_H

#include "core/types.h"

#define PS2KBD_QUEUE 32

struct state;

struct ps2kbd {
    uint8_t queue[PS2KBD_QUEUE]; /* bytes on their way to the controller */
    uint8_t head, count;
    uint8_t command;         /* one that waits for its argument, else 0 */
    uint8_t leds, rate, set; /* LED bits, typematic byte, scan code set */
    uint8_t last;            /* for RESEND */
    bool scanning;
};

void ps2kbd_reset(struct ps2kbd *k);
void ps2kbd_command(struct ps2kbd *k, uint8_t byte); /* a byte from the host */
bool ps2kbd_next(struct ps2kbd *k, uint8_t *byte);   /* the next byte for the host, if any */
void ps2kbd_type(struct ps2kbd *k, const uint8_t *codes, size_t n); /* all or nothing */
void ps2kbd_state(struct ps2kbd *k, struct state *st);

#endif
