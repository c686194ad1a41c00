/*
 * Virtio over PCI: kicks that need no trap. VIRTIO 1.2, sections 4.1.4.4 and 4.1.5.2: without
 * NOTIFICATION_DATA a kick is a 16-bit write at the queue's own address, and only the address
 * counts. The bells follow BAR 2; where none hangs, the BAR's register takes the kick.
 */
#include "core/bell.h"
#include "core/ledger.h"
#include "virtio/vpci.h"
#include <errno.h>

#define KICK_SIZE 2

static void bell_rung(void *arg, uint64_t times)
{
    struct vpci_bell *r = arg;
    struct vpci *p = r->vpci;

    p->bell_row->writes += times;
    virtio_notify(p->v, (unsigned)(r - p->ring));
}

int vpci_bells_init(struct vpci *p)
{
    const struct dev_env *env = &p->func.env;

    if (!env->bells)
        return 0;
    p->bell_row = ledger_row(env->ledger, LEDGER_BELL, env->name, "notify");
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        p->ring[i] = (struct vpci_bell){.vpci = p, .bell = {.rung = bell_rung, .arg = &p->ring[i]}};
    return p->bell_row ? 0 : -ENOMEM;
}

/* Nothing is lost on the way: a dropped bell tells first, and then the register takes kicks. */
static void bell_follow(struct vpci *p, struct bell *b, bool wanted, uint64_t addr)
{
    const struct bell_sink *sink = p->func.env.bells;

    if (b->hung && (!wanted || b->addr != addr))
        sink->drop(sink->ctx, b);
    if (b->hung || !wanted)
        return;
    b->addr = addr;
    b->size = KICK_SIZE;
    sink->hang(sink->ctx, b);
}

void vpci_bells_follow(struct vpci *p, bool wanted)
{
    for (unsigned i = 0; p->func.env.bells && i < p->v->queues; i++)
        bell_follow(p, &p->ring[i].bell, wanted && p->bell.mapped,
                    p->bell.base + (uint64_t)i * VPCI_BELL_STEP);
}
