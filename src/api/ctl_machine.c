/* What the protocol asks, answered by the machine. */
#include "api/ctl_impl.h"
#include "api/ctl_metrics.h"
#include "back/blk.h"
#include "trap/patch.h"
#include "virtio/vcon.h"
#include "vm/vm_ctl.h"
#include <errno.h>

static bool paused(void *vm)
{
    return vm_paused(vm);
}

static void pause(void *vm, bool on)
{
    if (on)
        vm_pause(vm);
    else
        vm_resume(vm);
}

static int button(void *vm)
{
    return vm_power_button(vm);
}

static void quit(void *vm)
{
    vm_quit(vm);
}

static struct typist *typist(void *vm)
{
    return vm_typist(vm);
}

static unsigned vcpus(void *vm)
{
    return vm_setup(vm)->vcpus;
}

static unsigned disks(void *vm)
{
    return vm_setup(vm)->disks;
}

static void disk(void *vm, unsigned n, struct qmp_disk *out)
{
    const struct vm_disk *d = &vm_setup(vm)->disk[n];
    const struct blk *b = vm_blk(vm, n);

    *out = (struct qmp_disk){.path = d->path, .readonly = d->readonly};
    if (b)
        out->bytes = b->sectors * BLK_SECTOR;
}

static bool patching(void *vm, struct qmp_patching *out)
{
    struct patch *p = vm_patch(vm);
    struct patch_stats s;

    if (!p)
        return false;
    s = patch_stats(p);
    *out = (struct qmp_patching){.on = s.on,
                                 .now = s.now,
                                 .made = s.made,
                                 .restored = s.restored,
                                 .lost = s.lost,
                                 .refused = s.refused,
                                 .copies = s.healed};
    return true;
}

static void patch(void *vm, bool on)
{
    patch_switch(vm_patch(vm), on);
}

static int balloon_set(void *vm, uint64_t bytes)
{
    return vm_balloon_set(vm, bytes);
}

static int balloon_get(void *vm, uint64_t *bytes)
{
    return vm_balloon_get(vm, bytes);
}

static bool port(void *vm, unsigned n, struct qmp_port *out)
{
    struct vcon *c = vm_vcon(vm);
    struct vcon_port_info info;

    if (!c || !vcon_port_info(c, n + 1, &info)) /* 0 is the console */
        return false;
    *out = (struct qmp_port){.name = info.name, .plugged = info.plugged, .open = info.open};
    return true;
}

static int plug(void *vm, const char *name, bool plugged)
{
    struct vcon *c = vm_vcon(vm);

    return c ? vcon_plug(c, name, plugged) : -ENOENT;
}

static bool screen(void *vm, struct qmp_screen *out)
{
    struct boot_screen s;
    int fd = vm_screen(vm, &s);

    *out = (struct qmp_screen){s.width, s.height, s.pitch, fd};
    return fd > 0;
}

static bool metrics(void *vm, struct metrics_source *out)
{
    ctl_metrics(vm, out);
    return true;
}

static const struct qmp_ops machine_ops = {
    .paused = paused,
    .pause = pause,
    .button = button,
    .quit = quit,
    .typist = typist,
    .vcpus = vcpus,
    .disks = disks,
    .disk = disk,
    .patching = patching,
    .patch = patch,
    .balloon_set = balloon_set,
    .balloon_get = balloon_get,
    .port = port,
    .plug = plug,
    .screen = screen,
    .metrics = metrics,
};

int ctl_open(struct ctl **out, struct vm *vm, const char *path, struct error *err)
{
    struct ctl_opts o = {.path = path, .loop = vm_loop(vm), .ops = &machine_ops, .machine = vm};
    int code;

    vm_lock(vm);
    code = ctl_listen(out, &o, err);
    vm_unlock(vm);
    return code;
}

/* Names as QEMU's ShutdownCause has them. */
static const char *cause(enum vm_end end)
{
    switch (end) {
    case VM_POWER_OFF: return "guest-shutdown";
    case VM_RESET: return "guest-reset";
    case VM_TRIPLE:
    case VM_HALTED: return "guest-panic";
    case VM_QUIT: return "host-qmp-quit";
    case VM_TIMEOUT: return "host-signal";
    case VM_DEBUG_EXIT: return "guest-shutdown";
    default: return "host-error";
    }
}

void ctl_close(struct ctl *c, struct vm *vm, enum vm_end end)
{
    vm_lock(vm);
    ctl_leave(c, cause(end));
    vm_unlock(vm);
}
