/* Register pages: memory of their own, outside guest RAM, so that no DMA ever resolves to one. */
#ifndef MEM_PAGE_H
#define MEM_PAGE_H

#include "core/shadow.h"

/* A page of ones, which is what nobody's registers read. 0 or -errno. */
int page_open(struct shadow *s, gpa_t gpa);
void page_close(struct shadow *s);
/* A 32-bit register of the page; what was put before is seen before. */
void page_put(struct shadow *s, unsigned off, uint32_t v);

#endif
