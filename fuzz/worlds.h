/* The worlds that fuzz/trap.c can play in: which devices, and where to aim. */
#ifndef FUZZ_WORLDS_H
#define FUZZ_WORLDS_H

#include "bus/bus.h"

struct window { /* where accesses go; a space of BUS_SPACES: guest memory worth writing to */
    enum bus_space space;
    uint64_t base, len;
};

struct world {
    const char *name;
    const char *script; /* makes the world, in the language of docs/script.md; disk d is there */
    struct window window[8];
};

extern const struct world worlds[]; /* ends with name NULL */
extern const char fuzz_world[];     /* the one to play in: world.c */

#endif
