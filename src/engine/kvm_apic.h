/*
 * Engine kvm with the local APICs in the kernel ("split"): messages go there by ioctl or by irqfd,
 * the kernel tells of EOIs that an I/O APIC waits for, and asks us for nothing but the 8259's
 * vectors. Linux Documentation/virt/kvm/api.rst, KVM_CAP_SPLIT_IRQCHIP.
 */
#ifndef ENGINE_KVM_APIC_H
#define ENGINE_KVM_APIC_H

#include "engine/kvm.h"

#define KVM_APIC_PINS      24u         /* GSIs 0 to 23 are the I/O APIC's pins */
#define KVM_APIC_MSI       0xfee00000u /* address of a message to APIC 0 */
#define KVM_APIC_MSI_LEVEL 0x8000u     /* data: trigger mode level */
#define KVM_APIC_WAYS      256u        /* messages by irqfd; more go by ioctl */
#define KVM_APIC_ROUTES    (KVM_APIC_PINS + KVM_APIC_WAYS)

/* An ioctl each, by VM or vCPU descriptor: 0, or -errno. */
int kvm_apic_split(int vm); /* before there are vCPUs */
int kvm_apic_irqfd(int vm, unsigned gsi, int fd, bool add);
int kvm_apic_page_get(int vcpu, uint8_t *page); /* INTR_LAPIC_PAGE bytes */
int kvm_apic_page_set(int vcpu, const uint8_t *page);

struct kvm_routes { /* by GSI; the kernel gets those that are in use */
    struct {
        uint64_t addr;
        uint32_t data;
        bool used;
    } at[KVM_APIC_ROUTES];
    int fd[KVM_APIC_WAYS]; /* eventfds of the ways that are open */
};

int kvm_routes_give(const struct kvm_routes *r, int vm); /* 0 or -errno */

/* The engine's side, for kvm.c. */
int kvm_apic_open(struct engine *e, struct error *err);
void kvm_apic_close(struct engine *e);
void kvm_apic_reset(struct kvm_vcpu *v);
/* On the vCPU's thread, out of KVM_RUN: halted with interrupts off, or not started yet. */
bool kvm_apic_dead(struct kvm_vcpu *v);

#endif
