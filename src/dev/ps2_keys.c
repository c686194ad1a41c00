/*
 * Key codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard (101- and 102-Key)", scan
 * code sets 1, 2 and 3, and the keyboard controller's translation; the keys after it (F13-F24, the
 * Windows and the media keys) as keyboards of today send them. Set 1 is set 2 translated, so only
 * sets 2 and 3 are in the table.
 */
#include "dev/ps2_keys.h"
#include <string.h>

enum { EXT = 0xe0, EXT1 = 0xe1, RELEASE = 0xf0, SHIFT = 0x12, SHIFT_R = 0x59, CTRL = 0x14 };
enum { NUM_LOCK = 0x77, BREAK = 0x7e, SYSRQ = 0x84 };

/* name, kind, set 2, set 3, what set 3 does with it at power-on, Linux's number */
// clang-format off
const struct ps2_key ps2_keys[] = {
    {"esc", PS2_PLAIN, 0x76, 0x08, 0, 1},
    {"f1", PS2_PLAIN, 0x05, 0x07, 0, 59},
    {"f2", PS2_PLAIN, 0x06, 0x0f, 0, 60},
    {"f3", PS2_PLAIN, 0x04, 0x17, 0, 61},
    {"f4", PS2_PLAIN, 0x0c, 0x1f, 0, 62},
    {"f5", PS2_PLAIN, 0x03, 0x27, 0, 63},
    {"f6", PS2_PLAIN, 0x0b, 0x2f, 0, 64},
    {"f7", PS2_PLAIN, 0x83, 0x37, 0, 65},
    {"f8", PS2_PLAIN, 0x0a, 0x3f, 0, 66},
    {"f9", PS2_PLAIN, 0x01, 0x47, 0, 67},
    {"f10", PS2_PLAIN, 0x09, 0x4f, 0, 68},
    {"f11", PS2_PLAIN, 0x78, 0x56, 0, 87},
    {"f12", PS2_PLAIN, 0x07, 0x5e, 0, 88},
    {"f13", PS2_PLAIN, 0x08, 0x00, 0, 183},
    {"f14", PS2_PLAIN, 0x10, 0x00, 0, 184},
    {"f15", PS2_PLAIN, 0x18, 0x00, 0, 185},
    {"f16", PS2_PLAIN, 0x20, 0x00, 0, 186},
    {"f17", PS2_PLAIN, 0x28, 0x00, 0, 187},
    {"f18", PS2_PLAIN, 0x30, 0x00, 0, 188},
    {"f19", PS2_PLAIN, 0x38, 0x00, 0, 189},
    {"f20", PS2_PLAIN, 0x40, 0x00, 0, 190},
    {"f21", PS2_PLAIN, 0x48, 0x00, 0, 191},
    {"f22", PS2_PLAIN, 0x50, 0x00, 0, 192},
    {"f23", PS2_PLAIN, 0x57, 0x00, 0, 193},
    {"f24", PS2_PLAIN, 0x5f, 0x00, 0, 194},
    {"print", PS2_PRINT, 0x7c, 0x57, 0, 99},
    {"sysrq", PS2_PLAIN, 0x84, 0x57, 0, 99},
    {"scroll_lock", PS2_PLAIN, 0x7e, 0x5f, 0, 70},
    {"pause", PS2_PAUSE, 0x77, 0x62, 0, 119},
    {"grave_accent", PS2_PLAIN, 0x0e, 0x0e, PS2_REPEATS, 41},
    {"minus", PS2_PLAIN, 0x4e, 0x4e, PS2_REPEATS, 12},
    {"equal", PS2_PLAIN, 0x55, 0x55, PS2_REPEATS, 13},
    {"backspace", PS2_PLAIN, 0x66, 0x66, PS2_REPEATS, 14},
    {"tab", PS2_PLAIN, 0x0d, 0x0d, PS2_REPEATS, 15},
    {"bracket_left", PS2_PLAIN, 0x54, 0x54, PS2_REPEATS, 26},
    {"bracket_right", PS2_PLAIN, 0x5b, 0x5b, PS2_REPEATS, 27},
    {"semicolon", PS2_PLAIN, 0x4c, 0x4c, PS2_REPEATS, 39},
    {"apostrophe", PS2_PLAIN, 0x52, 0x52, PS2_REPEATS, 40},
    {"ret", PS2_PLAIN, 0x5a, 0x5a, PS2_REPEATS, 28},
    {"comma", PS2_PLAIN, 0x41, 0x41, PS2_REPEATS, 51},
    {"dot", PS2_PLAIN, 0x49, 0x49, PS2_REPEATS, 52},
    {"slash", PS2_PLAIN, 0x4a, 0x4a, PS2_REPEATS, 53},
    {"spc", PS2_PLAIN, 0x29, 0x29, PS2_REPEATS, 57},
    {"1", PS2_PLAIN, 0x16, 0x16, PS2_REPEATS, 2},
    {"2", PS2_PLAIN, 0x1e, 0x1e, PS2_REPEATS, 3},
    {"3", PS2_PLAIN, 0x26, 0x26, PS2_REPEATS, 4},
    {"4", PS2_PLAIN, 0x25, 0x25, PS2_REPEATS, 5},
    {"5", PS2_PLAIN, 0x2e, 0x2e, PS2_REPEATS, 6},
    {"6", PS2_PLAIN, 0x36, 0x36, PS2_REPEATS, 7},
    {"7", PS2_PLAIN, 0x3d, 0x3d, PS2_REPEATS, 8},
    {"8", PS2_PLAIN, 0x3e, 0x3e, PS2_REPEATS, 9},
    {"9", PS2_PLAIN, 0x46, 0x46, PS2_REPEATS, 10},
    {"0", PS2_PLAIN, 0x45, 0x45, PS2_REPEATS, 11},
    {"q", PS2_PLAIN, 0x15, 0x15, PS2_REPEATS, 16},
    {"w", PS2_PLAIN, 0x1d, 0x1d, PS2_REPEATS, 17},
    {"e", PS2_PLAIN, 0x24, 0x24, PS2_REPEATS, 18},
    {"r", PS2_PLAIN, 0x2d, 0x2d, PS2_REPEATS, 19},
    {"t", PS2_PLAIN, 0x2c, 0x2c, PS2_REPEATS, 20},
    {"y", PS2_PLAIN, 0x35, 0x35, PS2_REPEATS, 21},
    {"u", PS2_PLAIN, 0x3c, 0x3c, PS2_REPEATS, 22},
    {"i", PS2_PLAIN, 0x43, 0x43, PS2_REPEATS, 23},
    {"o", PS2_PLAIN, 0x44, 0x44, PS2_REPEATS, 24},
    {"p", PS2_PLAIN, 0x4d, 0x4d, PS2_REPEATS, 25},
    {"a", PS2_PLAIN, 0x1c, 0x1c, PS2_REPEATS, 30},
    {"s", PS2_PLAIN, 0x1b, 0x1b, PS2_REPEATS, 31},
    {"d", PS2_PLAIN, 0x23, 0x23, PS2_REPEATS, 32},
    {"f", PS2_PLAIN, 0x2b, 0x2b, PS2_REPEATS, 33},
    {"g", PS2_PLAIN, 0x34, 0x34, PS2_REPEATS, 34},
    {"h", PS2_PLAIN, 0x33, 0x33, PS2_REPEATS, 35},
    {"j", PS2_PLAIN, 0x3b, 0x3b, PS2_REPEATS, 36},
    {"k", PS2_PLAIN, 0x42, 0x42, PS2_REPEATS, 37},
    {"l", PS2_PLAIN, 0x4b, 0x4b, PS2_REPEATS, 38},
    {"z", PS2_PLAIN, 0x1a, 0x1a, PS2_REPEATS, 44},
    {"x", PS2_PLAIN, 0x22, 0x22, PS2_REPEATS, 45},
    {"c", PS2_PLAIN, 0x21, 0x21, PS2_REPEATS, 46},
    {"v", PS2_PLAIN, 0x2a, 0x2a, PS2_REPEATS, 47},
    {"b", PS2_PLAIN, 0x32, 0x32, PS2_REPEATS, 48},
    {"n", PS2_PLAIN, 0x31, 0x31, PS2_REPEATS, 49},
    {"m", PS2_PLAIN, 0x3a, 0x3a, PS2_REPEATS, 50},
    {"backslash", PS2_PLAIN, 0x5d, 0x5c, PS2_REPEATS, 43},
    {"less", PS2_PLAIN, 0x61, 0x13, PS2_REPEATS, 86},
    {"caps_lock", PS2_PLAIN, 0x58, 0x14, PS2_BREAKS, 58},
    {"shift", PS2_PLAIN, 0x12, 0x12, PS2_BREAKS, 42},
    {"shift_r", PS2_PLAIN, 0x59, 0x59, PS2_BREAKS, 54},
    {"ctrl", PS2_PLAIN, 0x14, 0x11, PS2_BREAKS, 29},
    {"ctrl_r", PS2_EXT, 0x14, 0x58, 0, 97},
    {"alt", PS2_PLAIN, 0x11, 0x19, PS2_BREAKS, 56},
    {"alt_r", PS2_EXT, 0x11, 0x39, 0, 100},
    {"meta_l", PS2_EXT, 0x1f, 0x8b, PS2_BREAKS, 125},
    {"meta_r", PS2_EXT, 0x27, 0x8c, PS2_BREAKS, 126},
    {"compose", PS2_EXT, 0x2f, 0x8d, PS2_BREAKS, 127},
    {"menu", PS2_EXT, 0x1c, 0x00, 0, 139},
    {"insert", PS2_NAV, 0x70, 0x67, 0, 110},
    {"home", PS2_NAV, 0x6c, 0x6e, 0, 102},
    {"pgup", PS2_NAV, 0x7d, 0x6f, 0, 104},
    {"delete", PS2_NAV, 0x71, 0x64, PS2_REPEATS, 111},
    {"end", PS2_NAV, 0x69, 0x65, 0, 107},
    {"pgdn", PS2_NAV, 0x7a, 0x6d, 0, 109},
    {"up", PS2_NAV, 0x75, 0x63, PS2_REPEATS, 103},
    {"left", PS2_NAV, 0x6b, 0x61, PS2_REPEATS, 105},
    {"down", PS2_NAV, 0x72, 0x60, PS2_REPEATS, 108},
    {"right", PS2_NAV, 0x74, 0x6a, PS2_REPEATS, 106},
    {"num_lock", PS2_PLAIN, 0x77, 0x76, 0, 69},
    {"kp_divide", PS2_DIVIDE, 0x4a, 0x77, 0, 98},
    {"kp_multiply", PS2_PLAIN, 0x7c, 0x7e, 0, 55},
    {"kp_subtract", PS2_PLAIN, 0x7b, 0x84, 0, 74},
    {"kp_add", PS2_PLAIN, 0x79, 0x7c, PS2_REPEATS, 78},
    {"kp_enter", PS2_EXT, 0x5a, 0x79, 0, 96},
    {"kp_decimal", PS2_PLAIN, 0x71, 0x71, 0, 83},
    {"kp_0", PS2_PLAIN, 0x70, 0x70, 0, 82},
    {"kp_1", PS2_PLAIN, 0x69, 0x69, 0, 79},
    {"kp_2", PS2_PLAIN, 0x72, 0x72, 0, 80},
    {"kp_3", PS2_PLAIN, 0x7a, 0x7a, 0, 81},
    {"kp_4", PS2_PLAIN, 0x6b, 0x6b, 0, 75},
    {"kp_5", PS2_PLAIN, 0x73, 0x73, 0, 76},
    {"kp_6", PS2_PLAIN, 0x74, 0x74, 0, 77},
    {"kp_7", PS2_PLAIN, 0x6c, 0x6c, 0, 71},
    {"kp_8", PS2_PLAIN, 0x75, 0x75, 0, 72},
    {"kp_9", PS2_PLAIN, 0x7d, 0x7d, 0, 73},
    {"kp_comma", PS2_PLAIN, 0x6d, 0x00, 0, 121},
    {"kp_equals", PS2_PLAIN, 0x0f, 0x00, 0, 117},
    {"ro", PS2_PLAIN, 0x51, 0x00, 0, 89},
    {"yen", PS2_PLAIN, 0x6a, 0x00, 0, 124},
    {"henkan", PS2_PLAIN, 0x64, 0x00, 0, 92},
    {"muhenkan", PS2_PLAIN, 0x67, 0x00, 0, 94},
    {"katakanahiragana", PS2_PLAIN, 0x13, 0x00, 0, 93},
    {"hiragana", PS2_PLAIN, 0x62, 0x00, 0, 91},
    {"katakana", PS2_PLAIN, 0x63, 0x00, 0, 90},
    {"audionext", PS2_EXT, 0x4d, 0x00, 0, 163},
    {"audioprev", PS2_EXT, 0x15, 0x00, 0, 165},
    {"audiostop", PS2_EXT, 0x3b, 0x00, 0, 166},
    {"audioplay", PS2_EXT, 0x34, 0x00, 0, 164},
    {"audiomute", PS2_EXT, 0x23, 0x00, 0, 113},
    {"volumeup", PS2_EXT, 0x32, 0x00, 0, 115},
    {"volumedown", PS2_EXT, 0x21, 0x00, 0, 114},
    {"mediaselect", PS2_EXT, 0x50, 0x00, 0, 226},
    {"mail", PS2_EXT, 0x48, 0x00, 0, 155},
    {"calculator", PS2_EXT, 0x2b, 0x00, 0, 140},
    {"computer", PS2_EXT, 0x40, 0x00, 0, 157},
    {"find", PS2_EXT, 0x10, 0x00, 0, 136},
    {"ac_home", PS2_EXT, 0x3a, 0x00, 0, 172},
    {"ac_back", PS2_EXT, 0x38, 0x00, 0, 158},
    {"ac_forward", PS2_EXT, 0x30, 0x00, 0, 159},
    {"ac_refresh", PS2_EXT, 0x20, 0x00, 0, 173},
    {"ac_bookmarks", PS2_EXT, 0x18, 0x00, 0, 156},
    {"power", PS2_EXT, 0x37, 0x00, 0, 116},
    {"sleep", PS2_EXT, 0x3f, 0x00, 0, 142},
    {"wake", PS2_EXT, 0x5e, 0x00, 0, 143},
};
// clang-format on

_Static_assert(ARRAY_LEN(ps2_keys) <= PS2_KEYS_MAX, "devices keep a bit for each key");

unsigned ps2_keys_count(void)
{
    return ARRAY_LEN(ps2_keys);
}

/* ---- finding keys ---- */

static unsigned named(const char *name, size_t len)
{
    for (unsigned i = 0; i < ARRAY_LEN(ps2_keys); i++)
        if (strlen(ps2_keys[i].name) == len && !memcmp(ps2_keys[i].name, name, len))
            return i;
    return PS2_KEY_NONE;
}

unsigned ps2_key_find(const char *name, size_t len)
{
    static const char *const also[][2] = {
        {"enter", "ret"},  {"space", "spc"},    {"escape", "esc"},           {"del", "delete"},
        {"win", "meta_l"}, {"control", "ctrl"}, {"asterisk", "kp_multiply"},
    };

    for (size_t i = 0; i < ARRAY_LEN(also); i++)
        if (strlen(also[i][0]) == len && !memcmp(also[i][0], name, len))
            return named(also[i][1], strlen(also[i][1]));
    return named(name, len);
}

static bool extended(const struct ps2_key *k)
{
    return k->kind == PS2_EXT || k->kind == PS2_NAV || k->kind == PS2_DIVIDE ||
           k->kind == PS2_PRINT;
}

unsigned ps2_key_number(unsigned number)
{
    if (!number || number > 0xff)
        return PS2_KEY_NONE;
    if (number == 0xc6) /* Pause goes by the code it has with Ctrl */
        return named("pause", 5);
    for (unsigned i = 0; i < ARRAY_LEN(ps2_keys); i++) {
        uint8_t code = ps2_keys[i].set2;
        bool release = false;

        ps2_translate(&release, &code);
        if (ps2_keys[i].kind != PS2_PAUSE && code == (number & 0x7f) &&
            extended(&ps2_keys[i]) == (number >= 0x80))
            return i;
    }
    return PS2_KEY_NONE;
}

unsigned ps2_key_set3(uint8_t code)
{
    for (unsigned i = 0; i < ARRAY_LEN(ps2_keys); i++)
        if (code && ps2_keys[i].set3 == code)
            return i;
    return PS2_KEY_NONE;
}

unsigned ps2_key_char(char c, bool *shift)
{
    static const struct {
        char plain, shifted;
        const char *key;
    } sign[] = {
        {'1', '!', "1"},
        {'2', '@', "2"},
        {'3', '#', "3"},
        {'4', '$', "4"},
        {'5', '%', "5"},
        {'6', '^', "6"},
        {'7', '&', "7"},
        {'8', '*', "8"},
        {'9', '(', "9"},
        {'0', ')', "0"},
        {'-', '_', "minus"},
        {'=', '+', "equal"},
        {'[', '{', "bracket_left"},
        {']', '}', "bracket_right"},
        {';', ':', "semicolon"},
        {'\'', '"', "apostrophe"},
        {'`', '~', "grave_accent"},
        {'\\', '|', "backslash"},
        {',', '<', "comma"},
        {'.', '>', "dot"},
        {'/', '?', "slash"},
        {' ', 0, "spc"},
        {'\n', 0, "ret"},
        {'\t', 0, "tab"},
        {'\b', 0, "backspace"},
        {'\033', 0, "esc"},
    };
    char lower = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);

    *shift = lower != c;
    if (lower >= 'a' && lower <= 'z')
        return named(&lower, 1);
    for (size_t i = 0; c && i < ARRAY_LEN(sign); i++)
        if (c == sign[i].plain || c == sign[i].shifted) {
            *shift = c == sign[i].shifted;
            return named(sign[i].key, strlen(sign[i].key));
        }
    return PS2_KEY_NONE;
}

/* ---- codes ---- */

struct code {
    uint8_t *out;
    size_t n;
};

static void put(struct code *c, uint8_t byte)
{
    c->out[c->n++] = byte;
}

static void put_ext(struct code *c, bool down, uint8_t code)
{
    put(c, EXT);
    if (!down)
        put(c, RELEASE);
    put(c, code);
}

/* Takes back what the shift keys mean to old programs, or, after the key, gives it again. */
static void fake_shifts(struct code *c, bool before, const struct ps2_mods *m, bool num)
{
    if (num && !m->shift && !m->shift_r)
        put_ext(c, before, SHIFT);
    else if (!num && m->shift)
        put_ext(c, !before, SHIFT);
    else if (!num && m->shift_r)
        put_ext(c, !before, SHIFT_R);
}

static void nav(struct code *c, bool down, uint8_t code, const struct ps2_mods *m, bool num)
{
    if (down)
        fake_shifts(c, true, m, num);
    put_ext(c, down, code);
    if (!down)
        fake_shifts(c, false, m, num);
}

static void print(struct code *c, bool down, uint8_t code, const struct ps2_mods *m)
{
    if (m->alt) {
        if (!down)
            put(c, RELEASE);
        put(c, SYSRQ);
        return;
    }
    if (down && !m->ctrl && !m->shift && !m->shift_r)
        put_ext(c, true, SHIFT);
    put_ext(c, down, code);
    if (!down && !m->ctrl && !m->shift && !m->shift_r)
        put_ext(c, false, SHIFT);
}

static void pause(struct code *c, bool down, const struct ps2_mods *m)
{
    static const uint8_t make[] = {EXT1, CTRL, NUM_LOCK, EXT1, RELEASE, CTRL, RELEASE, NUM_LOCK};

    if (!down) /* there is none */
        return;
    if (m->ctrl) {
        put_ext(c, true, BREAK);
        put_ext(c, false, BREAK);
        return;
    }
    for (size_t i = 0; i < sizeof(make); i++)
        put(c, make[i]);
}

static void set2(struct code *c, const struct ps2_key *k, bool down, const struct ps2_mods *m)
{
    switch (k->kind) {
    case PS2_EXT: put_ext(c, down, k->set2); break;
    case PS2_NAV: nav(c, down, k->set2, m, m->num); break;
    case PS2_DIVIDE: nav(c, down, k->set2, m, false); break;
    case PS2_PRINT: print(c, down, k->set2, m); break;
    case PS2_PAUSE: pause(c, down, m); break;
    default:
        if (!down)
            put(c, RELEASE);
        put(c, k->set2);
        break;
    }
}

static size_t set1(uint8_t *code, size_t n)
{
    bool release = false;
    size_t out = 0;

    for (size_t i = 0; i < n; i++)
        if (ps2_translate(&release, &code[i]))
            code[out++] = code[i];
    return out;
}

size_t ps2_key_code(unsigned key, bool down, unsigned set, const struct ps2_mods *mods,
                    uint8_t out[PS2_CODE_MAX])
{
    struct code c = {out, 0};

    if (key >= ARRAY_LEN(ps2_keys) || (set == 3 && !ps2_keys[key].set3))
        return 0;
    if (set != 3) {
        set2(&c, &ps2_keys[key], down, mods);
        return set == 1 ? set1(out, c.n) : c.n;
    }
    if (!down)
        put(&c, RELEASE);
    put(&c, ps2_keys[key].set3);
    return c.n;
}

/* ---- the controller's translation ---- */

static uint8_t set1_of(uint8_t byte)
{
    static const uint8_t table[0x80] = {
        0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
        0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
        0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
        0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
        0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
        0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
        0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
        0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
        0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    };

    return byte == 0x83 ? 0x41 : byte == 0x84 ? 0x54 : byte < sizeof(table) ? table[byte] : byte;
}

bool ps2_translate(bool *release, uint8_t *byte)
{
    if (*byte == RELEASE) {
        *release = true;
        return false;
    }
    if (*byte > SYSRQ) /* a prefix, or an answer that got between: not what was released */
        return true;
    *byte = set1_of(*byte) | (*release ? 0x80 : 0);
    *release = false;
    return true;
}
