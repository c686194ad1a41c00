/* Where a linear address of a vCPU lies, for code outside the engines. */
#ifndef TRAP_PAGING_H
#define TRAP_PAGING_H

#include "core/cpu_regs.h"

struct ram;

enum { PAGING_WRITE = 1, PAGING_FETCH = 2 };

/* The guest-physical address of lin, as a supervisor's access that would go through at once: false
 * if it would fault, and also if it would change the tables (accessed and dirty bits) or needs a
 * look at protection keys. Changes nothing. */
bool paging_find(const struct ram *ram, const struct cpu_regs *r, uint64_t lin, unsigned how,
                 gpa_t *gpa);

#endif
