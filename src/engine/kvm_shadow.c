/*
 * Engine kvm: register pages as read-only memory slots. Linux Documentation/virt/kvm/api.rst,
 * KVM_SET_USER_MEMORY_REGION: loads of a KVM_MEM_READONLY slot don't leave the guest, stores leave
 * it as KVM_EXIT_MMIO.
 */
#include "core/error.h"
#include "core/shadow.h"
#include "engine/kvm.h"
#include "mem/ram.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

static struct kvm_shadow_slot *slot_find(struct engine *e, gpa_t gpa, bool used)
{
    for (unsigned i = 0; i < KVM_SHADOWS_MAX; i++)
        if (e->shadow[i].used == used && (!used || e->shadow[i].gpa == gpa))
            return &e->shadow[i];
    return NULL;
}

int kvm_shadow(struct engine *e, const struct shadow *s, bool add, struct error *err)
{
    struct kvm_shadow_slot *slot = slot_find(e, s->gpa, !add);
    struct kvm_userspace_memory_region r = {
        .flags = KVM_MEM_READONLY,
        .guest_phys_addr = s->gpa,
        .memory_size = add ? RAM_PAGE_SIZE : 0,
        .userspace_addr = (uintptr_t)s->host,
    };

    if (ioctl(e->vm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0)
        return error_set(err, -ENOTSUP,
                         "--disk trap=writes: this KVM has no read-only memory slots "
                         "(KVM_CAP_READONLY_MEM); use trap=each, or --engine dbt");
    if (!slot)
        return error_set(err, -ENOSPC, "engine kvm: at most %d register pages", KVM_SHADOWS_MAX);
    r.slot = RAM_SLOTS_MAX + (unsigned)(slot - e->shadow);
    if (ioctl(e->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0)
        return error_set(err, -errno, "KVM refuses a read-only page at 0x%llx: %s",
                         (unsigned long long)s->gpa, strerror(errno));
    *slot = (struct kvm_shadow_slot){.used = add, .gpa = s->gpa};
    return 0;
}
