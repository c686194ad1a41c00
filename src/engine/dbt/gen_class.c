/*
 * What kind of instruction is it: x87, MMX, SSE; what CR0 and CR4 forbid of it; and which of its
 * faults come before those of its memory operand. Intel SDM volume 3, tables 2-2, 12-1, 13-1, and
 * sections 6.9 (priority) and 22.25.
 */
#include "engine/dbt/translate.h"

bool insn_is_sse(const ZydisDecodedInstruction *zi)
{
    switch (zi->meta.isa_ext) {
    case ZYDIS_ISA_EXT_SSE:
    case ZYDIS_ISA_EXT_SSE2:
    case ZYDIS_ISA_EXT_SSE3:
    case ZYDIS_ISA_EXT_SSSE3:
    case ZYDIS_ISA_EXT_SSE4:
    case ZYDIS_ISA_EXT_AES:
    case ZYDIS_ISA_EXT_PCLMULQDQ:
    case ZYDIS_ISA_EXT_SHA: break;
    default: return false;
    }
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_MOVNTI:
    case ZYDIS_MNEMONIC_POPCNT:
    case ZYDIS_MNEMONIC_CRC32:
    case ZYDIS_MNEMONIC_FISTTP:
    case ZYDIS_MNEMONIC_PAUSE: return false;
    default: return true;
    }
}

bool insn_is_x87(const ZydisDecodedInstruction *zi)
{
    return zi->meta.isa_ext == ZYDIS_ISA_EXT_X87 || zi->mnemonic == ZYDIS_MNEMONIC_FISTTP;
}

bool insn_is_mmx(const ZydisDecodedInstruction *zi)
{
    return zi->meta.isa_ext == ZYDIS_ISA_EXT_MMX;
}

/* CR0.EM, CR0.TS, CR4.OSFXSR: Intel SDM volume 3, tables 2-2, 12-1, 13-1. */
int dbt_fpu_gate(uint32_t mode, const ZydisDecodedInstruction *zi)
{
    if (!(mode & (MODE_EM | MODE_NM | MODE_NOSSE)))
        return -1;
    if (insn_is_x87(zi)) {
        if (zi->mnemonic == ZYDIS_MNEMONIC_FWAIT)
            return mode & MODE_FPWAIT ? EXC_NM : -1;
        return mode & (MODE_EM | MODE_NM) ? EXC_NM : -1;
    }
    bool sse = insn_is_sse(zi);
    if (!sse && !insn_is_mmx(zi))
        return -1;
    if ((mode & MODE_EM) || (sse && (mode & MODE_NOSSE)))
        return EXC_UD;
    return mode & MODE_NM ? EXC_NM : -1;
}

static bool names_mmx(const struct decoded *in)
{
    for (unsigned i = 0; i < in->zi.operand_count_visible; i++)
        if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(in->op[i].reg.value) == ZYDIS_REGCLASS_MMX)
            return true;
    return false;
}

bool insn_waits(const struct decoded *in)
{
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_FNSTCW:
    case ZYDIS_MNEMONIC_FNSTSW: return false;
    default: return insn_is_x87(&in->zi) || names_mmx(in);
    }
}

bool insn_aligned(const struct decoded *in)
{
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_CMPXCHG16B: return true;
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
    case ZYDIS_MNEMONIC_MASKMOVDQU: return false;
    default: break;
    }
    for (unsigned i = 0; i < in->zi.operand_count_visible; i++)
        if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return in->op[i].size == 128 && insn_is_sse(&in->zi) &&
                   in->zi.meta.isa_ext != ZYDIS_ISA_EXT_SHA; /* AMD's CPUs don't mind */
    return false;
}
