/*
 * Local APICs that the engine keeps. A vCPU that halts then stays in the engine, and nobody hears
 * of one that halts with interrupts off, for good. So every second each vCPU is asked, and when all
 * were found so in two rounds in a row the machine has ended: one round alone could be misled by an
 * NMI or start-up message from one vCPU that was asked late to another that was asked early.
 */
#include "vm/vm_impl.h"

#define ROUND_NS 1000000000ull
#define ROUNDS   2

void apics_init(struct vm *vm)
{
    if (vm->setup->split)
        vm->apics = (struct apics){.ops = vm->ops->apics, .ctx = vm->engine};
}

/* The loop's thread, VM lock held. */
static void round_begin(void *arg)
{
    struct vm *vm = arg;
    bool all = true;

    for (unsigned i = 0; i < vm->vcpus; i++)
        all &= __atomic_exchange_n(&vm->vcpu[i].halted, false, __ATOMIC_ACQ_REL);
    vm->rounds = all ? vm->rounds + 1 : 0;
    if (vm->rounds == ROUNDS) {
        vm_leave(vm, VM_HALTED, 0);
        return;
    }
    for (unsigned i = 0; i < vm->vcpus; i++)
        vm->ops->kick(vm->engine, i, false);
    loop_timer_set(&vm->look, loop_now(vm->loop) + ROUND_NS);
}

void vcpu_halted(struct vcpu *v)
{
    __atomic_store_n(&v->halted, true, __ATOMIC_RELEASE);
}

void apics_watch(struct vm *vm)
{
    loop_timer_init(&vm->look, vm->loop, round_begin, vm);
    if (vm->apics.ctx)
        loop_timer_set(&vm->look, loop_now(vm->loop) + ROUND_NS);
}

void apics_watch_end(struct vm *vm)
{
    loop_timer_stop(&vm->look);
}
