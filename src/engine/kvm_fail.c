/*
 * Engine kvm: exits that end a VM, put into one line for the user.
 * Linux Documentation/virt/kvm/api.rst: KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY.
 *
 * An internal error of the emulation kind names the instruction: its bytes come with the exit where
 * the kernel gives them, else they are fetched from guest memory at RIP, and Zydis decodes them.
 */
#include "engine/kvm.h"
#include "engine/kvm_insn.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* "0f 01 f8 (swapgs)" for the instruction at the start of buf. */
static void insn_text(const struct cpu_regs *r, const uint8_t *buf, size_t n, char *out, size_t len)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    const char *name = "undecodable";
    size_t at = 0, show = n < KVM_INSN_MAX ? n : KVM_INSN_MAX;

    out[0] = 0;
    if (n == 0) {
        snprintf(out, len, "(bytes unreadable)");
        return;
    }
    kvm_decoder_init(&decoder, r);
    if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, buf, n, &insn))) {
        name = ZydisMnemonicGetString(insn.mnemonic);
        show = insn.length;
    }
    for (size_t i = 0; i < show && at + 4 < len; i++)
        at += (size_t)snprintf(out + at, len - at, "%02x ", buf[i]);
    snprintf(out + at, len - at, "(%s)", name);
}

static void internal_error(struct kvm_vcpu *v, const struct cpu_regs *r, struct trap *end)
{
    const struct kvm_run *run = v->run;
    uint64_t linear = r->seg[SEG_CS].base + r->rip;
    uint8_t buf[KVM_INSN_MAX];
    size_t n = 0;
    char insn[80];

    if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
        run->emulation_failure.ndata >= 3 &&
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        n = run->emulation_failure.insn_size;
        n = n < KVM_INSN_MAX ? n : KVM_INSN_MAX;
        memcpy(buf, run->emulation_failure.insn_bytes, n);
    }
    if (n == 0)
        n = kvm_code_fetch(v, linear, buf);
    insn_text(r, buf, n, insn, sizeof(insn));
    snprintf(end->why, sizeof(end->why), "KVM internal error %u at %04x:%llx: instruction %s",
             run->internal.suberror, r->seg[SEG_CS].sel, (unsigned long long)r->rip, insn);
}

void kvm_fail_exit(struct kvm_vcpu *v, struct trap *end)
{
    const struct kvm_run *run = v->run;
    struct cpu_regs r;

    kvm_get_regs(v->engine, v->index, &r);
    end->kind = TRAP_FAIL;
    end->addr = r.rip;
    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR: internal_error(v, &r, end); return;
    case KVM_EXIT_FAIL_ENTRY:
        snprintf(end->why, sizeof(end->why),
                 "KVM can't enter the guest at %04x:%llx: hardware reason 0x%llx",
                 r.seg[SEG_CS].sel, (unsigned long long)r.rip,
                 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        return;
    case KVM_EXIT_UNKNOWN:
        snprintf(end->why, sizeof(end->why), "KVM exit of unknown hardware reason 0x%llx at %llx",
                 (unsigned long long)run->hw.hardware_exit_reason, (unsigned long long)r.rip);
        return;
    default:
        snprintf(end->why, sizeof(end->why), "KVM exit reason %u at %04x:%llx is not served",
                 run->exit_reason, r.seg[SEG_CS].sel, (unsigned long long)r.rip);
    }
}

void kvm_fail_errno(struct kvm_vcpu *v, int err, struct trap *end)
{
    struct cpu_regs r;

    kvm_get_regs(v->engine, v->index, &r);
    end->kind = TRAP_FAIL;
    end->addr = r.rip;
    snprintf(end->why, sizeof(end->why), "KVM_RUN failed at %04x:%llx: %s", r.seg[SEG_CS].sel,
             (unsigned long long)r.rip, strerror(err));
}
