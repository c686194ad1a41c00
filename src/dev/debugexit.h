/* A port for test guests: a 32-bit write ends the run with status (value << 1) | 1. */
#ifndef DEV_DEBUGEXIT_H
#define DEV_DEBUGEXIT_H

#include "bus/dev.h"

struct debugexit;

/* leave(ctx, value) gets the value as written; the VM makes the exit status of it. */
int debugexit_create(struct debugexit **out, const struct dev_env *env, uint64_t base,
                     void (*leave)(void *ctx, uint32_t value), void *ctx);
extern const struct dev_class debugexit_class;

#endif
