/* A virtio device comes to its transport, and those who watch it (--check) to the device. */
#include "virtio/vport.h"
#include "bus/dev.h"
#include "virtio/vcheck.h"
#include "virtio/vwatch.h"
#include <errno.h>

static int watch(struct virtio *v, const struct dev_env *env, bool mmio)
{
    if (!env->vwatch || !env->vwatch->check)
        return 0;
    v->check = vcheck_open(v, env, mmio);
    return v->check ? 0 : -ENOMEM;
}

int vport_attach(struct vport *p, struct virtio *v, const struct dev_env *env, uint64_t mmio)
{
    int err = watch(v, env, mmio != 0);

    p->mmio = mmio != 0;
    if (!err)
        err = p->mmio ? vmmio_attach(&p->regs, v, env, mmio) : vpci_attach(&p->pci, v, env);
    if (err) {
        vcheck_close(v->check);
        v->check = NULL;
    }
    return err;
}

void vport_detach(struct vport *p)
{
    struct virtio *v = p->mmio ? p->regs.v : p->pci.v;

    if (p->mmio)
        vmmio_detach(&p->regs);
    else
        vpci_detach(&p->pci);
    vcheck_close(v->check);
    v->check = NULL;
}
