/*
 * One thread a vCPU: run, and when run comes back decide. A halted vCPU sleeps on its condition
 * until a kick brings something it would take.
 */
#include "core/ledger.h"
#include "core/log.h"
#include "vm/vm_impl.h"
#include <stdio.h>
#include <sys/prctl.h>

#define RFLAGS_IF 0x200u

static void leave_locked(struct vm *vm, enum vm_end end)
{
    pthread_mutex_lock(&vm->lock);
    vm_leave(vm, end, 0);
    pthread_mutex_unlock(&vm->lock);
}

void vcpu_kick(void *ctx, unsigned vcpu)
{
    struct vm *vm = ctx;
    struct vcpu *v = &vm->vcpu[vcpu];
    bool asleep;

    pthread_mutex_lock(&v->sleep);
    v->kicked = true;
    asleep = v->asleep;
    if (asleep)
        pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->sleep);
    if (!asleep && vm->engine)
        vm->ops->kick(vm->engine, vcpu, false);
}

static bool interrupts_on(struct vm *vm, unsigned vcpu)
{
    struct cpu_regs r;

    vm->ops->get_regs(vm->engine, vcpu, &r);
    return r.rflags & RFLAGS_IF;
}

/* An interrupt wakes a halted vCPU only if it would be taken; NMI, INIT and start-up always do. */
static bool vcpu_woken(const struct vcpu *v, bool interrupts)
{
    const struct vm *vm = v->vm;

    return (interrupts && vm->intr->pending(vm->intr_ctl, v->index) >= 0) ||
           vm->intr->wanted(vm->intr_ctl, v->index);
}

/* Every vCPU sleeps with interrupts off, and nothing is on its way to any: nothing ever comes. */
static void all_off_check(struct vm *vm)
{
    bool none = __atomic_load_n(&vm->off, __ATOMIC_ACQUIRE) == vm->vcpus;

    for (unsigned i = 0; none && i < vm->vcpus; i++)
        none = !vm->intr->wanted(vm->intr_ctl, i);
    if (none)
        leave_locked(vm, VM_HALTED);
}

/* Sleeps until there is something for this vCPU. */
static void vcpu_halt(struct vcpu *v)
{
    struct vm *vm = v->vm;
    bool on = interrupts_on(vm, v->index);

    if (!on) {
        __atomic_add_fetch(&vm->off, 1, __ATOMIC_ACQ_REL);
        all_off_check(vm);
    }
    while (!vcpu_woken(v, on) && !__atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE)) {
        pthread_mutex_lock(&v->sleep);
        v->asleep = true;
        while (!v->kicked)
            pthread_cond_wait(&v->wake, &v->sleep);
        v->kicked = v->asleep = false;
        pthread_mutex_unlock(&v->sleep);
    }
    if (!on) /* before run() takes what woke it: all_off_check sees one or the other */
        __atomic_sub_fetch(&vm->off, 1, __ATOMIC_ACQ_REL);
}

/* What a trap says to the user when the engine gives up. */
static void report_fail(const struct trap *t)
{
    log_error("the guest stopped at address 0x%llx: %s", (unsigned long long)t->addr,
              t->why[0] ? t->why : "the engine can't go on");
}

static void *vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    struct vm *vm = v->vm;
    char name[16];

    snprintf(name, sizeof(name), "vcpu%u", v->index);
    prctl(PR_SET_NAME, name); /* by itself: for another thread it would take opening a file */
    while (!__atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE)) {
        struct trap end = {0};

        vcpu_park(v);
        vm->ops->run(vm->engine, v->index, &end);
        dispatch_trap(&vm->dispatch, v->index, &end); /* counts it */
        switch (end.kind) {
        case TRAP_HALT:
            if (vm->apics.ctx)
                vcpu_halted(v);
            else
                vcpu_halt(v);
            break;
        case TRAP_KICK: break;
        case TRAP_SHUTDOWN: leave_locked(vm, VM_TRIPLE); break;
        default:
            report_fail(&end);
            leave_locked(vm, VM_FAILED);
            break;
        }
    }
    return NULL;
}

int vcpus_init(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct vcpu *v = &vm->vcpu[i];

        v->vm = vm;
        v->index = i;
        pthread_mutex_init(&v->sleep, NULL);
        pthread_cond_init(&v->wake, NULL);
    }
    return 0;
}

int vcpus_start(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct vcpu *v = &vm->vcpu[i];
        int err = pthread_create(&v->thread, NULL, vcpu_main, v);

        if (err)
            return -err;
        v->started = true;
    }
    return 0;
}

void vcpus_kick_stop(struct vm *vm)
{
    __atomic_store_n(&vm->stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct vcpu *v = &vm->vcpu[i];

        pthread_mutex_lock(&v->sleep);
        v->kicked = true;
        pthread_cond_signal(&v->wake);
        pthread_mutex_unlock(&v->sleep);
        if (v->started)
            vm->ops->kick(vm->engine, i, true);
    }
}

void vcpus_stop(struct vm *vm)
{
    vcpus_kick_stop(vm);
    for (unsigned i = 0; i < vm->vcpus; i++) {
        if (vm->vcpu[i].started)
            pthread_join(vm->vcpu[i].thread, NULL);
        vm->vcpu[i].started = false;
    }
}

void vcpus_free(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        pthread_mutex_destroy(&vm->vcpu[i].sleep);
        pthread_cond_destroy(&vm->vcpu[i].wake);
    }
}
