/*
 * The user at keyboard and mouse, in the person of a queue: what was asked for is done in order, no
 * faster than the guest reads, so that nothing is lost. One line of waiting for each of both.
 * All calls with the VM lock held.
 */
#ifndef DEV_TYPIST_H
#define DEV_TYPIST_H

#include "core/types.h"

#define TYPIST_ROOM  4096u /* actions that can wait at the keyboard, and at the mouse */
#define TYPIST_FAR   32767
#define TYPIST_CHORD 8u /* keys of one chord */

struct i8042;
struct loop;
struct typist;

int typist_open(struct typist **out, struct loop *loop, struct i8042 *at);
void typist_close(struct typist *t);
void typist_reset(struct typist *t); /* forgets what waits */

/* Each: 0, or -ENOSPC: the guest does not read, and too much waits already; nothing was taken. */
int typist_key(struct typist *t, unsigned key, bool down);
/* Presses all in order, holds them so long, releases them the other way round. */
int typist_chord(struct typist *t, const uint8_t *keys, size_t n, uint64_t hold_ns);
/* Text as a US keyboard types it, 250 characters a second at most; -EINVAL: it has no key for
 * text[*bad]. */
int typist_text(struct typist *t, const char *text, size_t len, size_t *bad);
/* Linux's signs; up to TYPIST_FAR a direction, however many packets that takes. */
int typist_move(struct typist *t, int dx, int dy, int wheel);
int typist_button(struct typist *t, unsigned buttons, bool down);

unsigned typist_leds(const struct typist *t); /* PS2_LED_… */
bool typist_idle(const struct typist *t);     /* all is done and the guest has read it */

#endif
