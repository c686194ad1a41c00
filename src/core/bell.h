/*
 * Doorbells: places in memory space where a write carries no value, only its address, so that an
 * engine may let the vCPU go on at once and tell later, how often. A device keeps its ordinary
 * register there as well: whoever can't hang the bell, traps.
 */
#ifndef CORE_BELL_H
#define CORE_BELL_H

#include "core/types.h"

struct bell { /* lives inside its device */
    uint64_t addr;
    unsigned size;                           /* only writes of that width */
    void (*rung)(void *arg, uint64_t times); /* on the loop's thread, its lock held */
    void *arg;
    bool hung; /* kept by the sink, as the rest */
    int fd;
    void *sink;
};

struct bell_sink {                           /* the loop's lock is held in both */
    void (*hang)(void *ctx, struct bell *b); /* b->hung tells if it did */
    void (*drop)(void *ctx, struct bell *b); /* what has rung before is told first */
    void *ctx;
};

#endif
