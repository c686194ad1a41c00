/*
 * The keys of a PC keyboard: their names and what they send. A key is an index into one table; the
 * names are those of QEMU's QKeyCode ("a", "ret", "kp_enter"), which Linux's follow too.
 */
#ifndef DEV_PS2_KEYS_H
#define DEV_PS2_KEYS_H

#include "core/types.h"

#define PS2_KEY_NONE 0xffu
#define PS2_KEYS_MAX 160u
#define PS2_CODE_MAX 12u /* bytes one press or release can send: two fake shifts and the code */

/* What a key of set 3 does while it is down and when it comes up, at power-on and by 0xf7-0xfd. */
enum { PS2_REPEATS = 1, PS2_BREAKS = 2 };

enum ps2_kind {
    PS2_PLAIN,
    PS2_EXT,    /* prefix 0xe0 in sets 1 and 2 */
    PS2_NAV,    /* such a key that old programs know from the key pad: fake shifts around it */
    PS2_DIVIDE, /* '/' of the key pad: a fake shift only when shifted */
    PS2_PRINT,
    PS2_PAUSE
};

struct ps2_key {
    const char *name;
    uint8_t kind; /* enum ps2_kind */
    uint8_t set2, set3;
    uint8_t type3; /* PS2_REPEATS, PS2_BREAKS: of set 3 at power-on */
    uint8_t code;  /* as Linux and virtio keyboards number them (input-event-codes.h) */
};

struct ps2_mods { /* what changes the codes of other keys */
    bool shift, shift_r, ctrl, alt, num;
};

extern const struct ps2_key ps2_keys[];
unsigned ps2_keys_count(void);

/* PS2_KEY_NONE: no such key. */
unsigned ps2_key_find(const char *name, size_t len);
unsigned ps2_key_number(unsigned number); /* a set 1 code, + 0x80 where it has the prefix */
unsigned ps2_key_set3(uint8_t code);
/* The key of a US keyboard that types c; *shift: with Shift. */
unsigned ps2_key_char(char c, bool *shift);

/* What the key sends when it goes down or up, in set 1, 2 or 3; 0: nothing. */
size_t ps2_key_code(unsigned key, bool down, unsigned set, const struct ps2_mods *mods,
                    uint8_t out[PS2_CODE_MAX]);

/* Set 2 to set 1, byte by byte, as the controller does it. *release remembers that 0xf0 was seen.
 * false: the byte is swallowed. */
bool ps2_translate(bool *release, uint8_t *byte);

#endif
