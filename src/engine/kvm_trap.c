/*
 * Engine kvm: the registers of the instruction whose exit is being served, and going on elsewhere
 * (engine.h, trap_regs). Linux Documentation/virt/kvm/api.rst, KVM_EXIT_IO and KVM_EXIT_MMIO: such
 * an exit is completed by the next KVM_RUN, before anything else; with immediate_exit that is all
 * it does. KVM_CAP_SYNC_REGS: registers come and go in kvm_run, which saves three ioctls a trap.
 *
 * Where RIP stands is KVM's affair: its emulator has moved it over a store when it exits, but not
 * over a load; OUT on hardware it moves at completion, unless somebody else has moved RIP. Mostly
 * an OUT exits by hardware, but a store that became an OUT on its way to the emulator does not.
 */
#include "engine/kvm.h"
#include <sys/ioctl.h>

#define SYNC (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)

void kvm_trap_open(struct kvm_vcpu *v)
{
    const struct engine *e = v->engine;
    int can = ioctl(e->vm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);

    v->sync = e->env.patches && can > 0 && ((unsigned)can & SYNC) == SYNC;
    if (v->sync)
        v->run->kvm_valid_regs = SYNC;
}

static void regs_get(struct kvm_vcpu *v, struct cpu_regs *r)
{
    if (v->sync)
        kvm_regs_from(r, &v->run->s.regs.regs, &v->run->s.regs.sregs);
    else
        kvm_get_regs(v->engine, v->index, r);
}

static void regs_put(struct kvm_vcpu *v, const struct cpu_regs *r)
{
    struct kvm_regs g;

    kvm_regs_to(v->sync ? &v->run->s.regs.regs : &g, r);
    if (v->sync)
        v->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
    else
        (void)ioctl(v->fd, KVM_SET_REGS, &g);
}

enum trap_rip kvm_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];

    regs_get(v, r);
    if (v->run->exit_reason != KVM_EXIT_MMIO)
        return TRAP_RIP_EITHER;
    return v->run->mmio.is_write ? TRAP_RIP_BEHIND : TRAP_RIP_AT;
}

/* Whether immediate_exit stays set does not matter: step() clears it before it enters the guest. */
void kvm_trap_settle(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];

    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    (void)ioctl(v->fd, KVM_RUN, 0);
    regs_get(v, r);
}

/* KVM doesn't move RIP over an OUT once it is elsewhere. */
void kvm_trap_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    regs_put(&e->vcpu[vcpu], r);
}
