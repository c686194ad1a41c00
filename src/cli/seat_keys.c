/*
 * Keys as RFB names them (X keysyms: RFC 6143, section 7.5.4, and X.Org's keysymdef.h) as keys of a
 * US keyboard. Whoever types a capital holds Shift too, which comes by itself.
 */
#include "cli/seat.h"
#include "dev/ps2_keys.h"
#include <stdio.h>
#include <string.h>

struct run { /* of keysyms with names in order */
    uint32_t first;
    const char *names; /* separated by blanks; - is none */
};

static const struct run runs[] = {
    {0xfe03, "alt_r"},
    {0xfe20, "tab"},
    {0xff08, "backspace tab"},
    {0xff0d, "ret"},
    {0xff13, "pause scroll_lock sysrq"},
    {0xff1b, "esc"},
    {0xff50, "home left up right down pgup pgdn end"},
    {0xff61, "print - insert"},
    {0xff67, "compose"},
    {0xff7f, "num_lock kp_space"},
    {0xff8d, "kp_enter"},
    {0xff95, "kp_7 kp_4 kp_8 kp_6 kp_2 kp_9 kp_3 kp_1 kp_5 kp_0 kp_decimal"},
    {0xffaa, "kp_multiply kp_add kp_comma kp_subtract kp_decimal kp_divide kp_0 kp_1 kp_2 kp_3 "
             "kp_4 kp_5 kp_6 kp_7 kp_8 kp_9"},
    {0xffbd, "kp_equals"},
    {0xffe1, "shift shift_r ctrl ctrl_r caps_lock - meta_l meta_r alt alt_r meta_l meta_r"},
    {0xffff, "delete"},
};

static unsigned named(const struct run *r, uint32_t nth)
{
    const char *p = r->names;

    for (; nth && p; nth--) {
        p = strchr(p, ' ');
        p += p ? 1 : 0;
    }
    return p ? ps2_key_find(p, strcspn(p, " ")) : PS2_KEY_NONE;
}

unsigned seat_keysym(uint32_t keysym)
{
    char name[8];
    bool shift;

    if (keysym >= 0x20 && keysym < 0x7f)
        return ps2_key_char((char)keysym, &shift);
    if (keysym >= 0xffbe && keysym < 0xffbe + 24) {
        snprintf(name, sizeof(name), "f%u", keysym - 0xffbe + 1);
        return ps2_key_find(name, strlen(name));
    }
    for (size_t i = ARRAY_LEN(runs); i--;)
        if (keysym >= runs[i].first)
            return named(&runs[i], keysym - runs[i].first);
    return PS2_KEY_NONE;
}

static bool is(unsigned key, const char *name)
{
    return key == ps2_key_find(name, strlen(name));
}

enum seat_hot seat_hot_key(unsigned *held, unsigned key, bool down, int *n)
{
    unsigned mod = is(key, "ctrl") || is(key, "ctrl_r") ? SEAT_HELD_CTRL
                   : is(key, "alt") || is(key, "alt_r") ? SEAT_HELD_ALT
                                                        : 0;
    char digit[2] = "1";

    *held = down ? *held | mod : *held & ~mod;
    if (!down || *held != (SEAT_HELD_CTRL | SEAT_HELD_ALT))
        return SEAT_PASS;
    for (*n = 0; *n < 9; ++*n, digit[0]++)
        if (is(key, digit))
            return SEAT_TO;
    *n = is(key, "pgup") ? -1 : 1;
    return is(key, "pgup") || is(key, "pgdn") ? SEAT_STEP : SEAT_PASS;
}
