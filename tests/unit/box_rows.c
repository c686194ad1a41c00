/*
 * The rows of the jails (sandbox/box.h) as lines, for tests that compare them with what processes
 * call: SET CALL NUMBER ARG:MASK:VALUE,… (or -) WHY-UNSEEN (or -). Numbers are hexadecimal.
 */
#include "sandbox/box.h"
#include <stdio.h>
#include <unistd.h>

static void cond_print(const struct box_cond *c, const char *before)
{
    uint64_t mask = c->test == BOX_BITS ? c->mask : UINT64_MAX;

    if (c->test == BOX_SELF) /* whose process, no trace tells by itself */
        mask = 0;
    printf("%s%x:%llx:%llx", before, c->arg, (unsigned long long)mask,
           (unsigned long long)(c->test == BOX_SELF ? 0 : c->value));
}

int main(void)
{
    for (enum box_set s = 0; s < BOX_SETS; s++) {
        const struct box_row *row;
        unsigned n = box_rows(s, &row);

        for (unsigned i = 0; i < n; i++) {
            printf("%s %s %x ", box_set_name(s), row[i].call, (unsigned)row[i].nr);
            for (unsigned c = 0; c < ARRAY_LEN(row[i].cond); c++)
                if (row[i].cond[c].test != BOX_NONE)
                    cond_print(&row[i].cond[c], c ? "," : "");
            printf("%s %s\n", row[i].cond[0].test == BOX_NONE ? "-" : "",
                   row[i].unseen ? row[i].unseen : "-");
        }
    }
    return 0;
}
