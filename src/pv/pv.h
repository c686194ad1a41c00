/* The hypercall family: disks, NICs and consoles of pv/abi.h (docs/hypercalls.md). */
#ifndef PV_PV_H
#define PV_PV_H

#include "bus/dev.h"

struct blk;
struct chr;
struct net;
struct pv;

extern const struct dev_class pv_class;

#define PV_DEVS_MAX 32

/* The family without a device, its ports at that place; env->irq is its edge. 0, -EBUSY (ports
 * taken), -ENOMEM. */
int pv_create(struct pv **out, const struct dev_env *env, uint64_t port);
/* One device more, its devid the next number; name is its instance in the ledger, borrowed, and so
 * are the backends. 0, -ENOSPC, -ENOMEM. */
int pv_disk_add(struct pv *p, const char *name, struct blk *blk);
int pv_net_add(struct pv *p, const char *name, struct net *net, const uint8_t mac[6]);
int pv_console_add(struct pv *p, const char *name, struct chr *chr);
/* A call by registers, for struct dispatch: RAX RBX RCX RDX RSI RDI, result to the first. The
 * family's lock is held. */
void pv_hcall(void *pv, unsigned vcpu, uint64_t *regs);

#endif
