/* viaduct run --irqchip: who keeps the local APICs. */
#ifndef CLI_IRQCHIP_H
#define CLI_IRQCHIP_H

#include "core/types.h"

struct engine_ops;
struct error;

/* "auto", "user" or "split". 0 or -EINVAL. */
int irqchip_parse(const char *mode, struct error *err);
/* For an engine that was chosen; says what it took and why where there was a choice. 0, or -ENOTSUP
 * if split was asked for and can't be had. */
int irqchip_choose(const char *mode, const struct engine_ops *engine, bool *split,
                   struct error *err);

#endif
