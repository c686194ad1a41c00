/* The instruction a vCPU stands at, for exits whose reason says too little. */
#ifndef ENGINE_KVM_INSN_H
#define ENGINE_KVM_INSN_H

#include "engine/kvm.h"
#include <Zydis/Zydis.h>

#define KVM_INSN_MAX 15

/* Up to KVM_INSN_MAX bytes at a linear address, page by page; returns how many. */
size_t kvm_code_fetch(struct kvm_vcpu *v, uint64_t linear, uint8_t *buf);
void kvm_decoder_init(ZydisDecoder *d, const struct cpu_regs *r);
/* Guest-physical pages that it writes, as far as can be told: up to max, returns how many. */
unsigned kvm_insn_writes(struct kvm_vcpu *v, gpa_t *page, unsigned max);

#endif
