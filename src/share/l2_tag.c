/* VLAN tags; see l2_tag.h. */
#include "share/l2_tag.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

bool l2_tag_get(struct l2_tag *t, const uint8_t *head, size_t have)
{
    memset(t, 0, sizeof(*t));
    t->l3 = L2_HEAD;
    t->type = (uint16_t)be16(head + 12);
    while (l2_is_tag(t->type) && t->tags < L2_TAGS_MAX) {
        if (have < t->l3 + L2_TAG)
            return false;
        if (!t->tags) {
            t->vid = be16(head + t->l3) & 0xfff;
            t->prio = head[t->l3] & 0xf0;
        }
        t->type = (uint16_t)be16(head + t->l3 + 2);
        t->l3 += L2_TAG;
        t->tags++;
    }
    return true;
}

/* A number from 1 to L2_VLAN_TOP; 0: there is none at *s. */
static unsigned number(const char **s)
{
    unsigned long n;
    char *end;

    if (!isdigit((unsigned char)**s))
        return 0;
    n = strtoul(*s, &end, 10);
    *s = end;
    return n <= L2_VLAN_TOP ? (unsigned)n : 0;
}

int l2_vlans_parse(struct l2_vlans *v, const char *text)
{
    memset(v, 0, sizeof(*v));
    if (!strcmp(text, "all"))
        text = "1-4094";
    for (;;) { /* each round takes a number of text */
        unsigned first = number(&text), last = first;

        if (*text == '-') {
            text++;
            last = number(&text);
        }
        if (!first || last < first || (*text && *text != ','))
            return -EINVAL;
        for (unsigned i = first; i <= last; i++)
            l2_vlans_add(v, i);
        if (!*text)
            return 0;
        text++;
    }
}
