/* Shared by the space files: page tables and pages. */
#ifndef EXEC_SPACE_IMPL_H
#define EXEC_SPACE_IMPL_H

#include "exec/space.h"

#define PTE_P     1ull
#define PTE_W     2ull
#define PTE_U     4ull
#define PTE_A     0x20ull
#define PTE_D     0x40ull
#define PTE_HELD  0x200ull /* software: there is a page, present or not */
#define PTE_NX    (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

/* The entry for at; NULL: no table there, and none wanted or no page left for one. */
uint64_t *space_pte(struct space *s, uint64_t at, bool make);
/* The host address of a page of guest RAM. */
uint8_t *space_host(const struct space *s, uint64_t gpa);
/* The bits an entry has with these rights. */
uint64_t space_pte_bits(unsigned prot);
/* The page at at may be used so: its host address, or NULL and *err. */
uint8_t *space_touch(struct space *s, uint64_t at, unsigned want, int *err);
/* Index of the first area that ends above at. */
unsigned space_index(const struct space *s, uint64_t at);

#endif
