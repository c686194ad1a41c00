/*
 * One thread a vCPU: run, and when run comes back decide. A halted vCPU sleeps on its condition
 * until a kick brings something it would take.
 */
#include "core/ledger.h"
#include "core/log.h"
#include "vm/vm_impl.h"
#include <stdio.h>

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

/*
 * Sleeps until there is something for this vCPU. An interrupt wakes it only if it would be taken;
 * a kick with no interrupt pending is an NMI, an INIT or a start-up message, which always wake it
 * (run() takes them). Interrupts off on the only vCPU: nothing will ever come.
 */
static void vcpu_halt(struct vcpu *v)
{
    struct vm *vm = v->vm;
    bool on = interrupts_on(vm, v->index), awake = false;

    while (!awake && !__atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE)) {
        bool kicked;

        if (on && vm->intr->pending(vm->intr_ctl, v->index) >= 0)
            return;
        pthread_mutex_lock(&v->sleep);
        v->asleep = true;
        while (on && !v->kicked)
            pthread_cond_wait(&v->wake, &v->sleep);
        kicked = v->kicked;
        v->kicked = v->asleep = false;
        pthread_mutex_unlock(&v->sleep);
        awake = kicked && vm->intr->pending(vm->intr_ctl, v->index) < 0;
        if (!on && !awake) {
            leave_locked(vm, VM_HALTED);
            return;
        }
    }
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

    while (!__atomic_load_n(&vm->stop, __ATOMIC_ACQUIRE)) {
        struct trap end = {0};

        vm->ops->run(vm->engine, v->index, &end);
        dispatch_trap(&vm->dispatch, v->index, &end); /* counts it */
        switch (end.kind) {
        case TRAP_HALT: vcpu_halt(v); break;
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
    for (unsigned i = 0; i < VM_VCPUS; i++) {
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
    for (unsigned i = 0; i < VM_VCPUS; i++) {
        struct vcpu *v = &vm->vcpu[i];
        char name[16];
        int err = pthread_create(&v->thread, NULL, vcpu_main, v);

        if (err)
            return -err;
        v->started = true;
        snprintf(name, sizeof(name), "vcpu%u", i);
        pthread_setname_np(v->thread, name);
    }
    return 0;
}

void vcpus_kick_stop(struct vm *vm)
{
    __atomic_store_n(&vm->stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < VM_VCPUS; i++) {
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
    for (unsigned i = 0; i < VM_VCPUS; i++) {
        if (vm->vcpu[i].started)
            pthread_join(vm->vcpu[i].thread, NULL);
        vm->vcpu[i].started = false;
    }
}

void vcpus_free(struct vm *vm)
{
    for (unsigned i = 0; i < VM_VCPUS; i++) {
        pthread_mutex_destroy(&vm->vcpu[i].sleep);
        pthread_cond_destroy(&vm->vcpu[i].wake);
    }
}
