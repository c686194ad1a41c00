/*
 * The decimal instructions of 16- and 32-bit modes, which 64-bit mode can't run: AAA, AAS, AAD,
 * AAM, DAA, DAS and SALC. Intel SDM volume 2, their operation sections. Flags left undefined there
 * are left as the result implies.
 */
#include "engine/dbt/translate.h"

static void al_put(struct cpu *cpu, uint8_t v)
{
    cpu->gpr[REG_RAX] = (cpu->gpr[REG_RAX] & ~0xffull) | v;
}

static void ax_put(struct cpu *cpu, uint16_t v)
{
    cpu->gpr[REG_RAX] = (cpu->gpr[REG_RAX] & ~0xffffull) | v;
}

static uint32_t result_flags(uint8_t v)
{
    return (v ? 0u : (uint32_t)FL_ZF) | (v & 0x80 ? (uint32_t)FL_SF : 0u) |
           (__builtin_parity(v) ? 0u : (uint32_t)FL_PF);
}

static int ascii_adjust(struct cpu *cpu, bool sub)
{
    uint16_t ax = (uint16_t)cpu->gpr[REG_RAX];
    uint32_t fl = 0;
    if ((ax & 15) > 9 || (cpu_flags_arith(cpu) & FL_AF)) {
        ax = (uint16_t)(sub ? ax - 0x106 : ax + 0x106);
        fl = FL_AF | FL_CF;
    }
    ax_put(cpu, ax & 0xff0f);
    cpu_set_flags_arith(cpu, fl | result_flags(ax & 15));
    return INSN_NEXT;
}

static int run_aaa(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    return ascii_adjust(cpu, false);
}

static int run_aas(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    return ascii_adjust(cpu, true);
}

static int decimal_adjust(struct cpu *cpu, bool sub)
{
    uint8_t old = (uint8_t)cpu->gpr[REG_RAX], al = old;
    uint32_t in = cpu_flags_arith(cpu), fl = 0;
    if ((al & 15) > 9 || (in & FL_AF)) {
        bool carry = sub ? al < 6 : al > 0xf9;
        al = (uint8_t)(sub ? al - 6 : al + 6);
        fl |= FL_AF | ((in & FL_CF) || carry ? (uint32_t)FL_CF : 0u);
    }
    if (old > 0x99 || (in & FL_CF)) {
        al = (uint8_t)(sub ? al - 0x60 : al + 0x60);
        fl |= FL_CF;
    } else if (!sub) {
        fl &= ~(uint32_t)FL_CF;
    }
    al_put(cpu, al);
    cpu_set_flags_arith(cpu, fl | result_flags(al));
    return INSN_NEXT;
}

static int run_daa(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    return decimal_adjust(cpu, false);
}

static int run_das(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    return decimal_adjust(cpu, true);
}

static int run_aam(struct cpu *cpu, const struct insn *i)
{
    uint8_t al = (uint8_t)cpu->gpr[REG_RAX], base = (uint8_t)i->imm;
    if (!base)
        cpu_fault(cpu, EXC_DE);
    ax_put(cpu, (uint16_t)((al / base) << 8 | al % base));
    cpu_set_flags_arith(cpu, result_flags(al % base));
    return INSN_NEXT;
}

static int run_aad(struct cpu *cpu, const struct insn *i)
{
    uint16_t ax = (uint16_t)cpu->gpr[REG_RAX];
    uint8_t v = (uint8_t)((ax >> 8) * i->imm + ax);
    ax_put(cpu, v);
    cpu_set_flags_arith(cpu, result_flags(v));
    return INSN_NEXT;
}

static int run_salc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    al_put(cpu, cpu_flags_arith(cpu) & FL_CF ? 0xff : 0);
    return INSN_NEXT;
}

bool legacy_decode(const ZydisDecodedInstruction *zi, struct insn *out)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_AAA: out->run = run_aaa; break;
    case ZYDIS_MNEMONIC_AAS: out->run = run_aas; break;
    case ZYDIS_MNEMONIC_DAA: out->run = run_daa; break;
    case ZYDIS_MNEMONIC_DAS: out->run = run_das; break;
    case ZYDIS_MNEMONIC_AAM: out->run = run_aam; break;
    case ZYDIS_MNEMONIC_AAD: out->run = run_aad; break;
    case ZYDIS_MNEMONIC_SALC: out->run = run_salc; break;
    default: return false;
    }
    out->imm = zi->raw.imm[0].size ? zi->raw.imm[0].value.u & 0xff : 0;
    return true;
}
