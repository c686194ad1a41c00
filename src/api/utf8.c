/* UTF-8 as RFC 3629, section 4 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "api/utf8.h"
#include "core/types.h"

static bool in(uint8_t b, uint8_t first, uint8_t last)
{
    return b >= first && b <= last;
}

/* Length of the well-formed sequence at s, or 0. A NUL is never its second byte. */
static size_t sequence(const uint8_t *s)
{
    uint8_t first = 0x80, last = 0xbf;
    size_t n = in(s[0], 0xc2, 0xdf) ? 2 : in(s[0], 0xe0, 0xef) ? 3 : in(s[0], 0xf0, 0xf4) ? 4 : 0;

    if (s[0] < 0x80)
        return 1;
    if (s[0] == 0xe0)
        first = 0xa0;
    if (s[0] == 0xed)
        last = 0x9f;
    if (s[0] == 0xf0)
        first = 0x90;
    if (s[0] == 0xf4)
        last = 0x8f;
    if (!n || !in(s[1], first, last))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!in(s[i], 0x80, 0xbf))
            return 0;
    return n;
}

void utf8_mend(char *text)
{
    uint8_t *s = (uint8_t *)text;

    while (*s) {
        size_t n = sequence(s);

        if (!n)
            *s = '?';
        s += n ? n : 1;
    }
}
