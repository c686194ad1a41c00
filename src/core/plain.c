/* plain.h tells. */
#include "core/plain.h"
#include "core/types.h"
#include <stddef.h>

/* Of p[0] and p[1], which is there since a text ends with 0. */
static bool moves(const unsigned char *p)
{
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

static void plain(char *s, bool lines)
{
    for (unsigned char *p = (unsigned char *)s; p && *p; p++)
        if (moves(p) && !(lines && (*p == '\n' || *p == '\t'))) {
            if (*p == 0xc2)
                p[1] = '?';
            *p = '?';
        }
}

void plain_text(char *s)
{
    plain(s, true);
}

void plain_line(char *s)
{
    plain(s, false);
}
