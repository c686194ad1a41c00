/*
 * Engine kvm: the registers of the instruction whose exit is being served, and going on elsewhere
 * (engine.h, trap_regs). Linux Documentation/virt/kvm/api.rst, KVM_EXIT_IO and KVM_EXIT_MMIO: such
 * an exit is completed by the next KVM_RUN, before anything else; with immediate_exit that is all
 * it does.
 *
 * Where RIP stands is KVM's affair: its emulator has moved it over a store when it exits, but not
 * over a load; OUT on hardware it moves at completion, unless somebody else has moved RIP. Which of
 * the two an OUT does here is seen at the first one.
 */
#include "engine/kvm.h"
#include <sys/ioctl.h>

enum { PIO_UNKNOWN, PIO_AT, PIO_BEHIND };
enum { CR0_PE = 1 };

/* Whether immediate_exit stays set does not matter: step() clears it before it enters the guest. */
static void exit_complete(struct kvm_vcpu *v)
{
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    (void)ioctl(v->fd, KVM_RUN, 0);
}

static enum trap_rip pio_rip(struct kvm_vcpu *v, struct cpu_regs *r)
{
    unsigned char *known = &v->pio_rip[r->cr0 & CR0_PE];
    uint64_t rip = r->rip;

    if (*known == PIO_UNKNOWN) {
        exit_complete(v);
        kvm_get_regs(v->engine, v->index, r);
        *known = r->rip == rip ? PIO_BEHIND : PIO_AT;
        return TRAP_RIP_BEHIND;
    }
    return *known == PIO_AT ? TRAP_RIP_AT : TRAP_RIP_BEHIND;
}

enum trap_rip kvm_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];

    kvm_get_regs(e, vcpu, r);
    if (v->run->exit_reason == KVM_EXIT_MMIO)
        return v->run->mmio.is_write ? TRAP_RIP_BEHIND : TRAP_RIP_AT;
    return pio_rip(v, r);
}

/* To stay where RIP is, it must be elsewhere while the OUT is completed. */
void kvm_trap_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    struct cpu_regs away = *r;

    if (v->pio_rip[r->cr0 & CR0_PE] == PIO_AT) {
        away.rip++;
        kvm_set_gprs(v, &away);
        exit_complete(v);
    }
    kvm_set_gprs(v, r);
}
