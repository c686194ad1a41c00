/*
 * What a guest on engine kvm is told by CPUID: KVM_GET_SUPPORTED_CPUID, less what our board does
 * not have. Intel SDM vol. 2 CPUID, AMD APM vol. 3 appendix E, Linux
 * Documentation/virt/kvm/cpuid.rst.
 *
 * The board's LAPIC is an xAPIC in user space: no x2APIC, unless the kernel keeps the LAPICs, whose
 * registers then cost an MSR exit and no decoding. Of KVM's own features a guest gets only the
 * clock (the others need the kernel's LAPIC). No nested virtualization, no performance counters.
 */
#include "core/error.h"
#include "core/leaf.h"
#include "engine/kvm.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define BIT(n) (1u << (n))

enum { /* leaf 1 */
       L1_ECX_MONITOR = BIT(3),
       L1_ECX_VMX = BIT(5),
       L1_ECX_PDCM = BIT(15),
       L1_ECX_X2APIC = BIT(21),
       L1_ECX_TSC_DEADLINE = BIT(24),
       L1_EDX_HTT = BIT(28),
};
#define L1_ECX_HYPERVISOR BIT(31)

/* Leaf 0x80000001 ecx: CmpLegacy, SVM, extended APIC space, IBS, TopologyExtensions, the three
 * sets of performance counters. */
#define X1_ECX_HIDDEN (BIT(1) | BIT(2) | BIT(3) | BIT(10) | BIT(22) | BIT(23) | BIT(24) | BIT(28))

/* Leaf 0x40000001 eax: the two clocks, no delay on port I/O, and "the clock is stable". */
#define KVM_FEATURES (BIT(0) | BIT(1) | BIT(3) | BIT(24))

static void leaf1(const struct kvm_vcpu *v, struct kvm_cpuid_entry2 *c)
{
    /* Each vCPU its own package, as on engine dbt. */
    c->ebx = (c->ebx & 0xff00) | v->index << 24 | 1 << 16;
    c->ecx &= ~(uint32_t)(L1_ECX_MONITOR | L1_ECX_VMX | L1_ECX_PDCM | L1_ECX_TSC_DEADLINE);
    if (!v->engine->routes)
        c->ecx &= ~(uint32_t)L1_ECX_X2APIC;
    c->ecx |= L1_ECX_HYPERVISOR | (v->tsc_deadline ? (uint32_t)L1_ECX_TSC_DEADLINE : 0);
    c->edx &= ~(uint32_t)L1_EDX_HTT;
}

static void entry_filter(const struct kvm_vcpu *v, struct kvm_cpuid_entry2 *c)
{
    switch (c->function) {
    case 1: leaf1(v, c); break;
    case 4: /* each vCPU its own package */ c->eax &= 0x3fffu; break;
    case 0xa: /* performance counters */ c->eax = c->ebx = c->ecx = c->edx = 0; break;
    case 0xb: /* extended topology */
    case 0x1f:
        c->eax = c->ebx = 0;
        c->ecx = c->index & 0xff;
        c->edx = v->index;
        break;
    case 0x40000001: c->eax &= KVM_FEATURES; break;
    case 0x80000001: c->ecx &= ~X1_ECX_HIDDEN; break;
    case 0x80000008:
        c->ecx &= ~0xffffu; /* one core a package */
        break;
    case 0x8000000a: /* SVM */
    case 0x8000001e: /* topology */ c->eax = c->ebx = c->ecx = c->edx = 0; break;
    default: break;
    }
}

/* What the machine has to say besides: after KVM's own leaves. */
static void leaves_add(const struct engine *e, struct kvm_cpuid2 *set)
{
    for (unsigned i = 0; i < e->env.leaves && set->nent < KVM_CPUID_MAX; i++) {
        const struct leaf *l = &e->env.leaf[i];

        set->entries[set->nent++] = (struct kvm_cpuid_entry2){.function = l->number,
                                                              .eax = l->out[0],
                                                              .ebx = l->out[1],
                                                              .ecx = l->out[2],
                                                              .edx = l->out[3]};
    }
}

int kvm_cpuid_give(struct engine *e, struct kvm_vcpu *v, struct error *err)
{
    union kvm_cpuid_set set = {.head.nent = KVM_CPUID_MAX};

    if (ioctl(e->kvm, KVM_GET_SUPPORTED_CPUID, &set) < 0)
        return error_set(err, -errno, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
    for (unsigned i = 0; i < set.head.nent && i < KVM_CPUID_MAX; i++)
        entry_filter(v, &set.head.entries[i]);
    leaves_add(e, &set.head);
    if (ioctl(v->fd, KVM_SET_CPUID2, &set) < 0)
        return error_set(err, -errno, "KVM_SET_CPUID2: %s", strerror(errno));
    return 0;
}
