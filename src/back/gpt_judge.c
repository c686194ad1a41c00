/* Whether the entries of a table can stand together: each within the usable blocks, no two on the
 * same ones (UEFI 2.10, 5.3.3). The number of entries was bounded with the header. */
#include "back/gpt_entry.h"

#include <stdlib.h>

static int by_first(const void *a, const void *b)
{
    const struct gpt_span *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

struct gpt_span *gpt_spans(const struct gpt_header *h, const uint8_t *array, unsigned *n)
{
    struct gpt_span *span = calloc(h->entries, sizeof(*span));

    *n = 0;
    if (!span)
        return NULL;
    for (unsigned i = 0; i < h->entries; i++) { /* bound: GPT_ARRAY_MAX */
        const uint8_t *e = array + (size_t)i * h->entry_size;

        if (entry_used(e))
            span[(*n)++] = (struct gpt_span){le64_get(e + E_FIRST), le64_get(e + E_LAST)};
    }
    qsort(span, *n, sizeof(*span), by_first);
    return span;
}

const char *gpt_judge(const struct gpt_header *h, const uint8_t *array)
{
    struct gpt_span *span;
    const char *bad = NULL;
    unsigned n;

    span = gpt_spans(h, array, &n);
    if (!span)
        return "there is no memory to check it";
    for (unsigned i = 0; i < n && !bad; i++) {
        if (span[i].first > span[i].last)
            bad = "a partition ends before it begins";
        else if (span[i].first < h->first || span[i].last > h->last)
            bad = "a partition lies outside of the usable blocks";
        else if (i && span[i].first <= span[i - 1].last)
            bad = "two partitions overlap";
    }
    free(span);
    return bad;
}
