/*
 * The machine as its control socket sees it. A pause keeps vCPUs from running and nothing else:
 * requests under way end, and VM time goes on, as on a machine whose CPU was slow for a while.
 */
#include "vm/vm_ctl.h"
#include "dev/acpipm.h"
#include "virtio/vballoon.h"
#include "vm/vm_impl.h"
#include <errno.h>

void vm_lock(struct vm *vm)
{
    pthread_mutex_lock(&vm->lock);
}

void vm_unlock(struct vm *vm)
{
    pthread_mutex_unlock(&vm->lock);
}

struct loop *vm_loop(struct vm *vm)
{
    return vm->loop;
}

const struct vm_setup *vm_setup(const struct vm *vm)
{
    return vm->setup;
}

struct blk *vm_blk(struct vm *vm, unsigned disk)
{
    return disk < vm->setup->disks ? vm->blk[disk] : NULL;
}

struct vcon *vm_vcon(struct vm *vm)
{
    return vm->board->vcon;
}

struct typist *vm_typist(struct vm *vm)
{
    return vm->board->typist;
}

int vm_screen(struct vm *vm, struct boot_screen *out)
{
    *out = vm->screen;
    return ram_screen_share(&vm->ram);
}

void vm_quit(struct vm *vm)
{
    vm_leave(vm, VM_QUIT, 0);
}

int vm_power_button(struct vm *vm)
{
    if (!vm->board->button)
        return -ENODEV;
    acpipm_power_button(vm->board->button);
    return 0;
}

int vm_balloon_set(struct vm *vm, uint64_t bytes)
{
    uint64_t all = vm->ram.size;

    if (!vm->board->balloon)
        return -ENODEV;
    if (bytes > all || !bytes || bytes % VBALLOON_PAGE)
        return -EINVAL;
    vballoon_want(vm->board->balloon, (uint32_t)((all - bytes) / VBALLOON_PAGE));
    return 0;
}

int vm_balloon_get(struct vm *vm, uint64_t *bytes)
{
    uint64_t in;

    if (!vm->board->balloon)
        return -ENODEV;
    in = (uint64_t)vballoon_has(vm->board->balloon) * VBALLOON_PAGE; /* the guest's word */
    *bytes = in < vm->ram.size ? vm->ram.size - in : 0;
    return 0;
}

/* ---- pause ---- */

bool vm_paused(const struct vm *vm)
{
    return __atomic_load_n(&vm->paused, __ATOMIC_ACQUIRE);
}

void vm_pause(struct vm *vm)
{
    __atomic_store_n(&vm->paused, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < vm->vcpus; i++)
        if (vm->vcpu[i].started)
            vm->ops->kick(vm->engine, i, true);
}

void vm_resume(struct vm *vm)
{
    __atomic_store_n(&vm->paused, false, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct vcpu *v = &vm->vcpu[i];

        pthread_mutex_lock(&v->sleep);
        pthread_cond_signal(&v->wake);
        pthread_mutex_unlock(&v->sleep);
    }
}

void vcpu_park(struct vcpu *v)
{
    struct vm *vm = v->vm;

    if (!vm_paused(vm))
        return;
    pthread_mutex_lock(&v->sleep);
    while (vm_paused(vm) && !__atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE))
        pthread_cond_wait(&v->wake, &v->sleep);
    pthread_mutex_unlock(&v->sleep);
}
