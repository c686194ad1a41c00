/* A few bytes of guest RAM, for those who hold no pointer into it. */
#ifndef MEM_PEEK_H
#define MEM_PEEK_H

#include "mem/ram.h"

/* False: not all of it is RAM of one slot. 4 and 8 aligned bytes come in one load. */
bool ram_peek(const struct ram *r, gpa_t gpa, void *buf, size_t len);
bool ram_poke(struct ram *r, gpa_t gpa, const void *buf, size_t len); /* likewise; tells nobody */
/* Replaces two bytes in one store, if they are `from`; they lie in one line of 64. */
bool ram_swap(struct ram *r, gpa_t gpa, const uint8_t from[2], const uint8_t to[2]);

#endif
