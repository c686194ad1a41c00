/* The two halves of random_code: processes, and the guest. */
#ifndef TESTS_RANDOM_CODE_H
#define TESTS_RANDOM_CODE_H

#include "core/types.h"

enum { KEPT = 10, SEQ_MAX = 96, FORMS = 8 + 64, SWEEP = 3 * 2 * 14 * 16 * 256 * FORMS };

struct seq {
    uint8_t bytes[SEQ_MAX];
    unsigned len;
    uint8_t bits, cpl;
    uint64_t at;  /* where most registers point */
    uint64_t rbx; /* what it must be at the end, or 0 */
};

bool guest_open(void);
bool guest_run(const struct seq *s, char why[200]);
bool kept_make(struct seq *s, uint64_t n);
void sweep_make(struct seq *s, uint64_t n);
void random_make(struct seq *s, uint64_t seed);

#endif
