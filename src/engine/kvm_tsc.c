/*
 * Engine kvm: how far a guest's TSC is from the host's, for the LAPIC's TSC-deadline mode.
 * Linux Documentation/virt/kvm/devices/vcpu.rst, KVM_VCPU_TSC_CTRL.
 *
 * The question to KVM waits while the vCPU runs, so it is asked by the vCPU's own thread, at each
 * write of the deadline register, and kept for the others. Guests that move their TSC while a
 * deadline is armed see that deadline at the old place: no system does so.
 */
#include "core/tsc.h"
#include "engine/kvm.h"
#include <sys/ioctl.h>

bool kvm_tsc_look(struct kvm_vcpu *v)
{
    uint64_t offset = 0;
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uintptr_t)&offset,
    };
    bool ok = ioctl(v->fd, KVM_GET_DEVICE_ATTR, &attr) == 0;

    if (ok)
        __atomic_store_n(&v->tsc_offset, offset, __ATOMIC_RELAXED);
    return ok;
}

/* A deadline gone by must stay one, not wrap to far ahead: with an offset from reset on, only a
 * guest that moved its TSC can name a time before the host's zero. */
uint64_t kvm_tsc_to_host(struct kvm_vcpu *v, uint64_t guest)
{
    uint64_t now, left;

    (void)kvm_tsc_look(v);
    now = tsc_read();
    left = guest - (now + v->tsc_offset);
    return guest > now + v->tsc_offset && left < UINT64_MAX - now ? now + left : now;
}

uint64_t kvm_tsc_offset(const struct engine *e, unsigned vcpu)
{
    return __atomic_load_n(&e->vcpu[vcpu].tsc_offset, __ATOMIC_RELAXED);
}
