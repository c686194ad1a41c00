/*
 * What virtio input devices there are, in Linux's codes (input-event-codes.h): a keyboard with the
 * keys that dev/ps2_keys.c has, and a tablet, which is a pen with five buttons and a wheel.
 */
#include "virtio/vinput.h"

enum { LED_NUML = 0, LED_SCROLLL = 2, REL_WHEEL = 8, ABS_X = 0, ABS_Y = 1 };
enum { BTN_LEFT = 0x110, BTN_EXTRA = 0x114, INPUT_PROP_POINTER = 0 };

static const struct vinput_codes keyboard[] = {
    {VINPUT_KEY, 1, 83},    /* esc to kp_decimal: the old 83 keys */
    {VINPUT_KEY, 86, 94},   /* less, f11, f12, ro and those of Japanese keyboards */
    {VINPUT_KEY, 96, 100},  /* kp_enter to alt_r */
    {VINPUT_KEY, 102, 111}, /* home to delete */
    {VINPUT_KEY, 113, 117}, /* audiomute, volume, power, kp_equals */
    {VINPUT_KEY, 119, 119}, /* pause */
    {VINPUT_KEY, 121, 121}, /* kp_comma */
    {VINPUT_KEY, 124, 127}, /* yen, meta_l, meta_r, compose */
    {VINPUT_KEY, 136, 136}, /* find */
    {VINPUT_KEY, 139, 140}, /* menu, calculator */
    {VINPUT_KEY, 142, 143}, /* sleep, wake */
    {VINPUT_KEY, 155, 159}, /* mail, ac_bookmarks, computer, ac_back, ac_forward */
    {VINPUT_KEY, 163, 166}, /* audionext, audioplay, audioprev, audiostop */
    {VINPUT_KEY, 172, 173}, /* ac_home, ac_refresh */
    {VINPUT_KEY, 183, 194}, /* f13 to f24 */
    {VINPUT_KEY, 226, 226}, /* mediaselect */
    {VINPUT_LED, LED_NUML, LED_SCROLLL},
    {VINPUT_REP, 1, 0},
};

static const struct vinput_codes tablet[] = {
    {VINPUT_KEY, BTN_LEFT, BTN_EXTRA},
    {VINPUT_REL, REL_WHEEL, REL_WHEEL},
    {VINPUT_ABS, ABS_X, ABS_Y},
};

const struct vinput_kind vinput_keyboard = {.name = "viaduct virtio keyboard",
                                            .product = 1,
                                            .codes = keyboard,
                                            .runs = ARRAY_LEN(keyboard)};
const struct vinput_kind vinput_tablet = {.name = "viaduct virtio tablet",
                                          .product = 2,
                                          .properties = 1u << INPUT_PROP_POINTER,
                                          .codes = tablet,
                                          .runs = ARRAY_LEN(tablet)};
