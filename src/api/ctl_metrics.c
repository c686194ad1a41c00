/* ctl_metrics.h tells. */
#include "api/ctl_metrics.h"
#include "api/metrics_door.h"
#include "back/blk.h"
#include "vm/vm_ctl.h"

void ctl_metrics(struct vm *vm, struct metrics_source *s)
{
    const struct vm_setup *setup = vm_setup(vm);

    *s = (struct metrics_source){.ledger = vm_ledger(vm),
                                 .vcpus = setup->vcpus,
                                 .memory = setup->memory,
                                 .paused = vm_paused(vm),
                                 .ns = loop_now(vm_loop(vm))};
    for (unsigned i = 0; i < setup->disks && i < METRICS_DISKS; i++)
        s->disk[s->disks++] = vm_blk(vm, i);
}

static void source(void *vm, struct metrics_source *s)
{
    ctl_metrics(vm, s);
}

int ctl_metrics_open(struct metrics_door **out, struct vm *vm, const char *path, const char *name,
                     struct error *err)
{
    struct metrics_door_opts o = {.option = "--metrics",
                                  .path = path,
                                  .name = name,
                                  .loop = vm_loop(vm),
                                  .source = source,
                                  .ctx = vm};
    int code;

    vm_lock(vm);
    code = metrics_door_open(out, &o, err);
    vm_unlock(vm);
    return code;
}

void ctl_metrics_close(struct metrics_door *d, struct vm *vm)
{
    vm_lock(vm);
    metrics_door_close(d);
    vm_unlock(vm);
}
