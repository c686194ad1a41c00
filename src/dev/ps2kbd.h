/* A PS/2 keyboard as the controller sees it: bytes in, bytes out; and as the user does: keys. */
#ifndef DEV_PS2KBD_H
#define DEV_PS2KBD_H

#include "core/loop.h"
#include "dev/ps2_keys.h"

#define PS2KBD_QUEUE   16 /* bytes of scan codes, as real ones have; one more for "overrun" */
#define PS2KBD_REPLIES 4

enum { PS2_LED_SCROLL = 1, PS2_LED_NUM = 2, PS2_LED_CAPS = 4 };

struct state;

struct ps2kbd {
    uint8_t queue[PS2KBD_QUEUE + 1]; /* scan codes on their way to the controller */
    uint8_t head, count;
    uint8_t reply[PS2KBD_REPLIES]; /* answers to the newest command: they go first */
    uint8_t reply_at, replies;
    uint8_t command;         /* one that waits for its argument, else 0 */
    uint8_t leds, rate, set; /* LED bits, typematic byte, scan code set */
    uint8_t last;            /* for RESEND */
    bool scanning, overrun;
    bool down[PS2_KEYS_MAX];     /* what the user holds */
    uint8_t type3[PS2_KEYS_MAX]; /* PS2_REPEATS, PS2_BREAKS of each key in set 3 */
    uint8_t repeat;              /* the key that repeats, or PS2_KEY_NONE */
    struct loop_timer timer;
    void (*wake)(void *ctx); /* the keyboard has something by itself */
    void *ctx;
};

/* timer belongs to loop; wake is called with its lock held. */
void ps2kbd_init(struct ps2kbd *k, struct loop *loop, void (*wake)(void *ctx), void *ctx);
void ps2kbd_reset(struct ps2kbd *k);                        /* power-on */
void ps2kbd_stop(struct ps2kbd *k);                         /* before it is freed */
void ps2kbd_command(struct ps2kbd *k, uint8_t byte);        /* a byte from the host */
bool ps2kbd_next(struct ps2kbd *k, uint8_t *byte);          /* the next byte for the host, if any */
void ps2kbd_key(struct ps2kbd *k, unsigned key, bool down); /* the user's finger */
/* Would the codes of this key fit now? Keys beyond that are lost, and the host told so. */
bool ps2kbd_fits(const struct ps2kbd *k, unsigned key, bool down);
bool ps2kbd_idle(const struct ps2kbd *k); /* nothing waits to be read */
void ps2kbd_state(struct ps2kbd *k, struct state *st);

#endif
