/* Private to the GPT files: where an entry keeps what (UEFI 2.10, table 5.6). */
#ifndef BACK_GPT_ENTRY_H
#define BACK_GPT_ENTRY_H

#include "back/gpt.h"

enum {
    E_TYPE = 0,
    E_GUID = 16,
    E_FIRST = 32,
    E_LAST = 40,
    E_ATTRIBUTES = 48,
    E_NAME = 56,
    E_LEN = 128,
};

static inline bool entry_used(const uint8_t *e)
{
    return le64_get(e + E_TYPE) || le64_get(e + E_TYPE + 8);
}

struct gpt_span {
    uint64_t first, last;
};

/* The used spans of an array, sorted by their first blocks; *n of them. NULL: out of memory. */
struct gpt_span *gpt_spans(const struct gpt_header *h, const uint8_t *array, unsigned *n);

#endif
