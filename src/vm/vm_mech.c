/*
 * How device accesses trap (docs/mechanisms.md): what the engine is asked for on behalf of disks
 * with trap=. Devices are made before the engine is, so what they ask for waits here.
 */
#include "core/error.h"
#include "core/shadow.h"
#include "trap/patch.h"
#include "vm/vm_ctl.h"
#include "vm/vm_impl.h"
#include <errno.h>

int mechanisms_check(const struct vm_setup *s, struct error *err)
{
    const struct engine_ops *ops = s->engine;

    for (unsigned i = 0; i < s->disks; i++) {
        const struct vm_disk *d = &s->disk[i];

        if (d->trap != BOARD_TRAP_EACH && !(d->via & BOARD_REGDISK_MMIO))
            return error_set(err, -EINVAL,
                             "--disk trap=: is for via=regdisk-mmio; port accesses trap by "
                             "themselves, and other disks have registers that change when read");
        if (d->trap == BOARD_TRAP_WRITES && !ops->shadow)
            return error_set(err, -ENOTSUP,
                             "--disk trap=writes: engine %s can't show a guest a page that it "
                             "may not write; use trap=each",
                             ops->name);
        if (d->trap == BOARD_TRAP_PATCHED && (!ops->trap_regs || !ops->trap_resume))
            return error_set(err, -ENOTSUP,
                             "--disk trap=patched: engine %s can't say which instruction trapped; "
                             "use trap=each",
                             ops->name);
    }
    return 0;
}

static int shadow_show(void *ctx, const struct shadow *s)
{
    struct vm *vm = ctx;

    for (unsigned i = 0; i < VM_SHADOWS_MAX; i++)
        if (!vm->shadow[i]) {
            vm->shadow[i] = s;
            return 0;
        }
    return -ENOSPC;
}

/* Boards are closed when the engine is gone: there is nobody to tell. */
static void shadow_hide(void *ctx, const struct shadow *s)
{
    struct vm *vm = ctx;

    for (unsigned i = 0; i < VM_SHADOWS_MAX; i++)
        if (vm->shadow[i] == s)
            vm->shadow[i] = NULL;
}

void mechanisms_init(struct vm *vm)
{
    vm->shadow_sink = (struct shadow_sink){shadow_show, shadow_hide, vm};
}

int mechanisms_start(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < VM_SHADOWS_MAX; i++) {
        int code = vm->shadow[i] ? vm->ops->shadow(vm->engine, vm->shadow[i], true, err) : 0;

        if (code)
            return code;
    }
    vm->dispatch.patch = vm->patch;
    return 0;
}

/* ---- patched instructions ---- */

static enum trap_rip patch_regs(void *ctx, unsigned vcpu, struct cpu_regs *r)
{
    struct vm *vm = ctx;

    return vm->ops->trap_regs(vm->engine, vcpu, r);
}

static void patch_settle(void *ctx, unsigned vcpu, struct cpu_regs *r)
{
    struct vm *vm = ctx;

    if (vm->ops->trap_settle)
        vm->ops->trap_settle(vm->engine, vcpu, r);
}

static void patch_quiet(void *ctx, bool on)
{
    struct vm *vm = ctx;

    if (vm->ops->quiet && vm->engine)
        vm->ops->quiet(vm->engine, on);
}

static void patch_resume(void *ctx, unsigned vcpu, const struct cpu_regs *r)
{
    struct vm *vm = ctx;

    vm->ops->trap_resume(vm->engine, vcpu, r);
}

int vm_patch_range(void *ctx, gpa_t base, uint64_t len)
{
    struct vm *vm = ctx;
    const struct patch_cpu cpu = {patch_regs, patch_settle, patch_quiet, patch_resume, vm};

    if (!vm->patch)
        vm->patch = patch_open(&vm->ram, vm->bus, &cpu);
    return vm->patch ? patch_cover(vm->patch, base, len) : -ENOMEM;
}

struct patch *vm_patch(struct vm *vm)
{
    return vm->patch;
}

/* Whoever looks at the memory of a machine that stands still finds the guest's own bytes. */
void mechanisms_stop(struct vm *vm)
{
    if (vm->patch)
        patch_restore_all(vm->patch);
}
