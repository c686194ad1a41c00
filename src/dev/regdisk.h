/* The register disk: the smallest real disk controller (docs/regdisk.md). */
#ifndef DEV_REGDISK_H
#define DEV_REGDISK_H

#include "bus/bus.h"
#include "bus/dev.h"

struct blk;

/* Registers (dev/regdisk_regs.h) at base of that space; env->irq is its level-triggered line. blk
 * is borrowed and must outlive the device. With env->shadows (memory space only, base on a page)
 * reads don't trap. 0, -EBUSY (region clash), -ENOMEM. */
int regdisk_create(struct dev *out, const struct dev_env *env, enum bus_space space, uint64_t base,
                   struct blk *blk);

#endif
