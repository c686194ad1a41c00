/* plain.h tells. */
#include "cli/plain.h"
#include "core/types.h"
#include <stddef.h>

static bool moves(const unsigned char *p)
{
    return (*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f ||
           (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

void plain_text(char *s)
{
    for (unsigned char *p = (unsigned char *)s; p && *p; p++)
        if (moves(p)) {
            if (*p == 0xc2)
                p[1] = '?';
            *p = '?';
        }
}

/* As deep as cJSON parses at most (CJSON_NESTING_LIMIT, 1000). */
void plain_tree(cJSON *o)
{
    for (; o; o = o->next) {
        plain_text(o->valuestring);
        plain_text(o->string);
        plain_tree(o->child);
    }
}
