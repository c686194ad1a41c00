/* A virtio device comes to its transport, and those who watch it (--check) or make it misbehave
 * (--evil) to the device. */
#include "virtio/vport.h"
#include "bus/dev.h"
#include "virtio/vcheck.h"
#include "virtio/vevil.h"
#include "virtio/vwatch.h"
#include <errno.h>
#include <string.h>

static void unwatch(struct virtio *v)
{
    vcheck_close(v->check);
    vevil_close(v->evil);
    v->check = NULL;
    v->evil = NULL;
}

static int watch(struct virtio *v, const struct dev_env *env, bool mmio)
{
    struct vwatch *w = env->vwatch;

    if (w)
        v->offered |= w->offer;
    if (w && w->check && !(v->check = vcheck_open(v, env, mmio)))
        return -ENOMEM;
    if (!w || !w->evil || (w->evil->device && strcmp(w->evil->device, env->name)))
        return 0;
    v->evil = vevil_open(v, env, w->evil);
    w->evils++;
    return v->evil ? 0 : -ENOMEM;
}

int vport_attach(struct vport *p, struct virtio *v, const struct dev_env *env, uint64_t mmio)
{
    int err = watch(v, env, mmio != 0);

    p->mmio = mmio != 0;
    p->bearer = env->bearer;
    if (!err && p->bearer)
        err = p->bearer->attach(p->bearer, v, env);
    else if (!err)
        err = p->mmio ? vmmio_attach(&p->regs, v, env, mmio) : vpci_attach(&p->pci, v, env);
    if (err)
        unwatch(v);
    return err;
}

void vport_detach(struct vport *p)
{
    struct virtio *v;

    if (p->bearer) {
        p->bearer->detach(p->bearer); /* is watched by nobody */
        return;
    }
    v = p->mmio ? p->regs.v : p->pci.v;
    if (p->mmio)
        vmmio_detach(&p->regs);
    else
        vpci_detach(&p->pci);
    unwatch(v);
}
