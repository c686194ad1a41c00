/*
 * Engine kvm: the instruction at RIP, read from guest memory and decoded by Zydis, and where it
 * writes. Intel SDM volume 1, 3.7.5 (operand addressing).
 */
#include "engine/kvm_insn.h"
#include "mem/ram.h"
#include <string.h>
#include <sys/ioctl.h>

#define EFER_LMA   (1u << 10)
#define CR0_PE     1u
#define STACK_PUSH 64u /* below RSP: the most that one instruction pushes, ENTER aside */

size_t kvm_code_fetch(struct kvm_vcpu *v, uint64_t linear, uint8_t *buf)
{
    size_t n = 0;

    while (n < KVM_INSN_MAX) {
        struct kvm_translation t = {.linear_address = linear + n};
        size_t room = RAM_PAGE_SIZE - (size_t)((linear + n) % RAM_PAGE_SIZE);
        size_t take = room < KVM_INSN_MAX - n ? room : KVM_INSN_MAX - n;
        const uint8_t *p;

        if (ioctl(v->fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
            break;
        p = ram_ptr(v->engine->env.ram, t.physical_address, take);
        if (!p)
            break;
        memcpy(buf + n, p, take);
        n += take;
    }
    return n;
}

void kvm_decoder_init(ZydisDecoder *d, const struct cpu_regs *r)
{
    bool big = r->seg[SEG_CS].attr >> 14 & 1;

    if ((r->efer & EFER_LMA) && (r->seg[SEG_CS].attr >> 13 & 1))
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    else if (big)
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    else if (r->cr0 & CR0_PE)
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    else
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16);
}

static uint64_t gpr(const struct cpu_regs *r, ZydisRegister reg)
{
    int id = reg == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(reg);

    return id >= 0 && id < 16 ? r->gpr[id] : 0;
}

static uint64_t operand(const struct cpu_regs *r, const ZydisDecodedInstruction *zi,
                        const ZydisDecodedOperandMem *m)
{
    bool rip = m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP;
    uint64_t at = (uint64_t)m->disp.value + gpr(r, m->index) * m->scale;
    int seg = ZydisRegisterGetId(m->segment);

    at += rip ? r->rip + zi->length : gpr(r, m->base);
    if (zi->address_width < 64)
        at &= (1ull << zi->address_width) - 1;
    return seg >= 0 && seg < 6 ? at + r->seg[seg].base : at;
}

static unsigned page_add(struct kvm_vcpu *v, uint64_t lin, gpa_t *page, unsigned n, unsigned max)
{
    struct kvm_translation t = {.linear_address = lin};

    if (n == max || ioctl(v->fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
        return n;
    page[n] = t.physical_address & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    return n + 1;
}

unsigned kvm_insn_writes(struct kvm_vcpu *v, gpa_t *page, unsigned max)
{
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction zi;
    ZydisDecoder decoder;
    uint8_t buf[KVM_INSN_MAX];
    struct cpu_regs r;
    unsigned n = 0;

    kvm_get_regs(v->engine, v->index, &r);
    kvm_decoder_init(&decoder, &r);
    size_t len = kvm_code_fetch(v, r.seg[SEG_CS].base + r.rip, buf);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, buf, len, &zi, op)))
        return 0;
    for (unsigned i = 0; i < zi.operand_count; i++) {
        if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
            !(op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        uint64_t lin = operand(&r, &zi, &op[i].mem);
        bool push = op[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

        n = page_add(v, push ? lin - STACK_PUSH : lin, page, n, max);
        n = page_add(v, lin + (op[i].size ? op[i].size / 8u - 1u : 0), page, n, max);
    }
    return n;
}
