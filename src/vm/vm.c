/*
 * Making, running and ending a machine. The order of making is the order of need, and vm_close
 * undoes whatever part of it was done.
 */
#include "vm/vm.h"
#include "back/blk.h"
#include "back/net.h"
#include "core/cpu_regs.h"
#include "core/ledger.h"
#include "core/log.h"
#include "core/tsc.h"
#include "pv/pv.h"
#include "trap/patch.h"
#include "vm/vm_impl.h"
#include "vm/vm_signal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define NS 1000000000ull

void vm_leave(struct vm *vm, enum vm_end end, uint32_t value)
{
    if (vm->end == VM_RUNNING) {
        vm->end = end;
        vm->end_value = value;
    }
    vcpus_kick_stop(vm);
    loop_stop(vm->loop);
}

/* ---- what the board and the loop call back ---- */

static void on_leave(void *ctx, enum board_leave why, uint32_t value)
{
    static const enum vm_end end[] = {[BOARD_POWER_OFF] = VM_POWER_OFF,
                                      [BOARD_RESET] = VM_RESET,
                                      [BOARD_DEBUG_EXIT] = VM_DEBUG_EXIT};

    vm_leave(ctx, end[why], value);
}

static void on_deadline(void *ctx)
{
    vm_leave(ctx, VM_TIMEOUT, 0);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct vm *vm = ctx;
    enum signals_said said = signals_take(vm->signals);

    (void)events;
    if (said == SIGNALS_SIZE)
        chrs_resized(vm);
    else if (said == SIGNALS_TELL)
        ledger_print(vm->ledger, stderr);
    else if (said == SIGNALS_END)
        vm_leave(vm, VM_QUIT, 0);
}

/* VM time at which the host's TSC reaches tsc: engines take their guests' offsets off before. */
static uint64_t on_tsc(void *ctx, unsigned vcpu, uint64_t tsc)
{
    struct vm *vm = ctx;
    uint64_t tsc_now = tsc_read(), now = loop_now(vm->loop);
    unsigned __int128 ns;

    (void)vcpu;
    if (tsc <= tsc_now)
        return now;
    ns = (unsigned __int128)(tsc - tsc_now) * NS / vm->tsc_hz;
    return ns > INT64_MAX - now ? INT64_MAX : now + (uint64_t)ns;
}

/* ---- making ---- */

static int screen_make(struct vm *vm, struct error *err)
{
    const struct vm_screen *s = &vm->setup->screen;
    int code;

    if (vm->setup->record)
        return error_set(err, -EINVAL, "--screen: can't be recorded; leave out --record");
    code = board_screen(&vm->screen, &vm->ram, s->width, s->height);
    return code ? error_set(err, code, "--screen: memory for %ux%u can't be had: %s", s->width,
                            s->height, strerror(-code))
                : 0;
}

static int memory_make(struct vm *vm, struct error *err)
{
    uint64_t size = vm->setup->memory;
    int code = ram_open(&vm->ram, size);

    if (code)
        return error_set(err, code, "--memory: %llu MiB can't be had: %s",
                         (unsigned long long)(size >> 20), strerror(-code));
    vm->ram_made = true;
    return vm->setup->screen.width ? screen_make(vm, err) : 0;
}

static int core_make(struct vm *vm, struct error *err)
{
    pthread_mutex_init(&vm->lock, NULL);
    vm->lock_made = true;
    vcpus_init(vm);
    bells_init(vm);
    mechanisms_init(vm);
    vm->tsc_hz = tsc_hz();
    vm->ledger = ledger_open();
    vm->loop = loop_open(&vm->lock, false);
    vm->bus = vm->ledger ? bus_open(vm->ledger) : NULL;
    if (!vm->loop || !vm->bus)
        return error_set(err, -ENOMEM, "not enough memory or descriptors to start");
    return 0;
}

static int disks_make(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < vm->setup->disks; i++) {
        const struct vm_disk *d = &vm->setup->disk[i];
        char name[16];
        struct blk_open_opts o = {.path = d->path,
                                  .readonly = d->readonly,
                                  .name = name,
                                  .extent = d->extent,
                                  .direct = d->direct};
        int code;

        if (d->vhost && (code = vfront_disk_make(vm, i, err)))
            return code;
        if (d->vhost)
            continue;
        snprintf(name, sizeof(name), "disk%u", i);
        code = blk_open(&vm->blk[i], &o, vm->loop, vm->ledger, err);
        if (!code && share_limits_any(&d->limits) &&
            share_blk_open(&vm->blk[i], vm->blk[i], NULL, &d->limits, vm->ledger))
            code = error_set(err, -ENOMEM, "--disk %s: not enough memory", d->path);
        if (code)
            return code;
        vm->disk[i] = (struct board_disk){.blk = vm->blk[i],
                                          .via = d->via,
                                          .serial = d->serial,
                                          .queues = d->queues,
                                          .packed = d->packed,
                                          .trap = d->trap};
    }
    return 0;
}

static int nets_make(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < vm->setup->nets; i++) {
        const struct vm_net *n = &vm->setup->net[i];
        char name[16];
        struct net_open_opts o = {
            .spec = n->spec, .pcap = n->pcap, .snaplen = n->snaplen, .name = name};
        int code;

        snprintf(name, sizeof(name), "net%u", i);
        code = n->vhost ? vfront_net_make(vm, i, err)
                        : net_open(&vm->net[i], &o, vm->loop, vm->ledger, err);
        if (code)
            return code;
        if (n->vhost)
            continue;
        vm->nic[i] = (struct board_net){.net = vm->net[i],
                                        .via = n->via,
                                        .queues = n->queues,
                                        .packed = n->packed,
                                        .less = n->less};
        memcpy(vm->nic[i].mac, n->mac, sizeof(n->mac));
    }
    return 0;
}

static int vsock_make(struct vm *vm, struct error *err)
{
    const struct vm_vsock *v = &vm->setup->vsock;

    if (!v->cid)
        return 0;
    if (vm->setup->record)
        return error_set(err, -EINVAL, "--vsock: can't be recorded; leave out --record");
    vm->vsock = (struct board_vsock){.cid = v->cid, .mmio = v->mmio, .packed = v->packed};
    return vsk_unix_open(&vm->vsock.vsk, &v->host, vm->loop, err);
}

static struct board_virtio virtio_of(const struct vm_virtio *v)
{
    return (struct board_virtio){.used = v->used, .mmio = v->mmio, .packed = v->packed};
}

static int board_make(struct vm *vm, struct error *err)
{
    int code;

    vm->board_setup = (struct board_setup){
        .vcpus = vm->vcpus,
        .bus = vm->bus,
        .ram = &vm->ram,
        .loop = vm->loop,
        .lock = &vm->lock,
        .ledger = vm->ledger,
        .console = vm->console,
        .pv_console = vm->pv_console,
        .disk = vm->disk,
        .disks = vm->setup->disks,
        .net = vm->nic,
        .nets = vm->setup->nets,
        .share = vm->share,
        .shares = vm->setup->shares,
        .vsock = &vm->vsock,
        .rng = virtio_of(&vm->setup->rng),
        .vwatch = vm->setup->vwatch,
        .balloon = virtio_of(&vm->setup->balloon),
        .vconsole = vm->setup->vconsole.used ? &vm->vconsole : NULL,
        .input = vm->input,
        .inputs = vm->setup->inputs,
        .debug_exit = vm->setup->debug_exit,
        .bells = vm->ops->bell ? &vm->bells : NULL,
        .shadows = &vm->shadow_sink,
        .patch = vm_patch_range,
        .apics = vm->setup->split ? &vm->apics : NULL,
        .rec = vm->rec,
        .tsc_hz = vm->tsc_hz,
        .tsc_to_ns = on_tsc,
        .kick = vcpu_kick,
        .leave = on_leave,
        .ctx = vm,
    };
    code = board_open(&vm->board, vm->setup->board, &vm->board_setup, err);
    if (code)
        return code;
    vm->intr = board_intr(vm->board, &vm->intr_ctl);
    code = dispatch_init(&vm->dispatch, vm->bus, vm->loop, &vm->lock, vm->ledger, vm->vcpus);
    if (code)
        return error_set(err, code, "not enough memory to start");
    vm->dispatch_made = true;
    if (vm->board->pv) {
        vm->dispatch.hcall = pv_hcall;
        vm->dispatch.hcall_ctx = vm->board->pv;
    }
    for (unsigned i = 0; i < vm->vcpus; i++)
        vm->dispatch.local[i] = board_lapic(vm->board, i);
    return 0;
}

static void on_late(void *ctx)
{
    loop_catch_up(((struct vm *)ctx)->loop);
}

static int engine_make(struct vm *vm, struct error *err)
{
    const struct engine_env env = {
        .ram = &vm->ram,
        .ledger = vm->ledger,
        .vcpus = vm->vcpus,
        .trap = dispatch_trap,
        .trap_ctx = &vm->dispatch,
        .intr = vm->intr,
        .intr_ctl = vm->intr_ctl,
        .split = vm->setup->split,
        .late = loop_late(vm->loop, vm->tsc_hz),
        .catch_up = on_late,
        .late_ctx = vm,
        .tsc_hz = vm->tsc_hz,
        .patches = vm->patch != NULL,
        .leaf = vm->leaf,
        .leaves = board_pv_leaves(vm->board, vm->ops->hcalls, vm->leaf),
    };
    int code = vm->ops->open(&vm->engine, &env, err);

    if (!code)
        apics_init(vm);
    return code ? code : mechanisms_start(vm, err);
}

static int boot_make(struct vm *vm, struct error *err)
{
    const struct vm_setup *s = vm->setup;
    struct boot_args args = {.ram = &vm->ram,
                             .kernel = &s->kernel,
                             .initrd = s->initrd,
                             .initrds = s->initrds,
                             .cmdline = s->cmdline,
                             .screen = vm->screen,
                             .way = s->way};
    struct cpu_regs regs;
    int code = board_tables(vm->board, &args.rsdp, err);

    if (!code && getrandom(args.seed, sizeof(args.seed), 0) != (ssize_t)sizeof(args.seed))
        code = error_set(err, -EIO, "no random numbers for the guest's seed");
    ram_screen_share(&vm->ram); /* the engine has mapped all it will: sealed from here on */
    if (!code)
        code = boot_load(&args, &regs, err);
    if (!code)
        vm->ops->set_regs(vm->engine, 0, &regs);
    return code;
}

int vm_open(struct vm **out, const struct vm_setup *s, struct error *err)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int code;

    if (!vm)
        return error_set(err, -ENOMEM, "not enough memory to start");
    vm->setup = s;
    vm->ops = s->engine;
    vm->vcpus = s->vcpus;
    vm->signals = -1;
    report_open(vm);
    code = mechanisms_check(s, err);
    if (!code)
        code = memory_make(vm, err);
    if (!code)
        code = core_make(vm, err);
    if (!code)
        code = disks_make(vm, err);
    if (!code)
        code = nets_make(vm, err);
    if (!code)
        code = shares_make(vm, err);
    if (!code)
        code = vsock_make(vm, err);
    if (!code)
        code = chrs_make(vm, err);
    if (!code)
        code = record_make(vm, err);
    if (!code)
        code = board_make(vm, err);
    if (!code)
        code = record_ready(vm, err);
    if (!code)
        code = engine_make(vm, err);
    if (!code)
        code = boot_make(vm, err);
    if (code) {
        vm_close(vm);
        return code;
    }
    vm->signals = signals_open();
    if (vm->signals >= 0)
        loop_fd(vm->loop, vm->signals, EPOLLIN, on_signal, vm);
    *out = vm;
    return 0;
}

/* ---- running ---- */

/* A guest that did not come to its end: where it was is the first thing to ask. */
static void where_report(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct cpu_regs r;

        vm->ops->get_regs(vm->engine, i, &r);
        log_info("--timeout is over; CPU %u was at 0x%llx, flags 0x%llx, cr3 0x%llx", i,
                 (unsigned long long)r.rip, (unsigned long long)r.rflags,
                 (unsigned long long)r.cr3);
    }
}

enum vm_end vm_run(struct vm *vm, uint32_t *value)
{
    int err;

    loop_timer_init(&vm->deadline, vm->loop, on_deadline, vm);
    if (vm->setup->timeout_ns)
        loop_timer_set(&vm->deadline, loop_now(vm->loop) + vm->setup->timeout_ns);
    apics_watch(vm);
    err = vcpus_start(vm);
    if (!err)
        err = loop_run(vm->loop);
    vcpus_stop(vm);
    apics_watch_end(vm);
    mechanisms_stop(vm);
    if (vm->end == VM_TIMEOUT)
        where_report(vm);
    pthread_mutex_lock(&vm->lock);
    chrs_flush(vm); /* before the report that follows it */
    if (record_end(vm))
        vm->end = VM_FAILED;
    pthread_mutex_unlock(&vm->lock);
    loop_timer_stop(&vm->deadline);
    if (err) {
        log_error("the machine could not run: %s", strerror(-err));
        vm->end = VM_FAILED;
    }
    *value = vm->end_value;
    return vm->end;
}

struct ledger *vm_ledger(struct vm *vm)
{
    return vm->ledger;
}

/* Backends go before the ledger they count in, and after the devices that use them. */
static void backends_close(struct vm *vm)
{
    chrs_close(vm);
    vfronts_close(vm);
    for (unsigned i = 0; i < VM_DISKS_MAX; i++)
        blk_close(vm->blk[i]);
    for (unsigned i = 0; i < VM_NETS_MAX; i++)
        net_close(vm->net[i]);
    shares_close(vm);
    vsk_free(vm->vsock.vsk);
}

void vm_close(struct vm *vm)
{
    if (vm->engine)
        vm->ops->close(vm->engine);
    vm->engine = NULL;
    vm->apics.ctx = NULL;
    if (vm->lock_made)
        pthread_mutex_lock(&vm->lock);
    board_close(vm->board);
    record_close(vm);
    backends_close(vm);
    if (vm->signals >= 0)
        loop_fd_drop(vm->loop, vm->signals);
    if (vm->lock_made)
        pthread_mutex_unlock(&vm->lock);
    if (vm->signals >= 0)
        close(vm->signals);
    if (vm->dispatch_made)
        dispatch_free(&vm->dispatch);
    if (vm->bus)
        bus_close(vm->bus);
    if (vm->loop)
        loop_close(vm->loop);
    if (vm->ledger)
        ledger_close(vm->ledger);
    if (vm->lock_made) {
        vcpus_free(vm);
        pthread_mutex_destroy(&vm->lock);
    }
    report_close(vm);
    patch_close(vm->patch);
    if (vm->ram_made)
        ram_close(&vm->ram);
    free(vm);
}
