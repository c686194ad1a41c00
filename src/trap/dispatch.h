/* One switch: a trap reaches the bus, the hypercall table, or the vCPU loop. */
#ifndef TRAP_DISPATCH_H
#define TRAP_DISPATCH_H

#include "bus/bus.h"
#include "core/trap.h"

struct loop;
struct ledger;
struct patch;

struct dispatch {
    struct bus *bus;
    struct loop *loop;     /* deferred work is run after each trap */
    pthread_mutex_t *lock; /* the loop's lock */
    unsigned vcpus;
    struct io_region **local;  /* per vCPU: its LAPIC page, which shadows the bus; may be NULL */
    struct ledger_row **exits; /* [vcpu * TRAP_KINDS + kind] */
    /* hypercalls: number in hcall[0]; result to hcall[0]; the lock is held. NULL: all refused with
     * -ENOSYS. */
    void (*hcall)(void *ctx, unsigned vcpu, uint64_t *regs);
    void *hcall_ctx;
    struct ledger_row *hcall_unknown; /* private */
    struct patch *patch;              /* NULL: nothing is patched */
};

int dispatch_init(struct dispatch *d, struct bus *bus, struct loop *loop, pthread_mutex_t *lock,
                  struct ledger *ledger, unsigned vcpus);
void dispatch_free(struct dispatch *d);
/* Completes PIO, MMIO and HCALL traps in place; counts every kind. A PIO that is a patched
 * instruction's comes back as TRAP_PATCH. Called with no lock held. */
void dispatch_trap(void *dispatch, unsigned vcpu, struct trap *t);

#endif
