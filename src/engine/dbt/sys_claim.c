/*
 * May an instruction run natively? It must be on the list (sys_native.c), and its instruction set
 * the base of x86-64 or a claimed feature. What isn't listed (AVX, XSAVE, TSX, CET, 3DNow!,
 * FSGSBASE, RDPID, protection keys …) is #UD, even where the host could run it.
 */
#include "engine/dbt/sys.h"
#include "engine/dbt/sys_feat.h"
#include <Zydis/Zydis.h>

static bool base_set(ZydisISASet set)
{
    switch (set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX: return true;
    default: return false;
    }
}

static bool claimed_set(const struct cpu *cpu, ZydisISASet set)
{
    const uint32_t c1 = cpu->feat.ecx1, b7 = cpu->feat.ebx7, cx = cpu->feat.ecx81;

    switch (set) {
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSE3X87: return c1 & C1_SSE3;
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX: return c1 & C1_SSSE3;
    case ZYDIS_ISA_SET_SSE4: return c1 & C1_SSE41;
    case ZYDIS_ISA_SET_SSE42: return c1 & C1_SSE42;
    case ZYDIS_ISA_SET_POPCNT: return c1 & C1_POPCNT;
    case ZYDIS_ISA_SET_CMPXCHG16B: return c1 & C1_CX16;
    case ZYDIS_ISA_SET_MOVBE: return c1 & C1_MOVBE;
    case ZYDIS_ISA_SET_AES: return c1 & C1_AES;
    case ZYDIS_ISA_SET_PCLMULQDQ: return c1 & C1_PCLMUL;
    case ZYDIS_ISA_SET_RDRAND: return c1 & C1_RDRAND;
    case ZYDIS_ISA_SET_RDSEED: return b7 & C7_RDSEED;
    case ZYDIS_ISA_SET_BMI1: return b7 & C7_BMI1;
    case ZYDIS_ISA_SET_BMI2: return b7 & C7_BMI2;
    case ZYDIS_ISA_SET_ADOX_ADCX: return b7 & C7_ADX;
    case ZYDIS_ISA_SET_SHA: return b7 & C7_SHA;
    case ZYDIS_ISA_SET_LAHF: return cx & CX_LAHF;
    default: return false;
    }
}

/* Real and virtual-8086 mode have no VEX: Intel SDM volume 2, table 2-29. */
static bool encoding_ok(const struct cpu *cpu, const ZydisDecodedInstruction *zi)
{
    ZydisISASet set = zi->meta.isa_set;

    if (zi->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        return (set == ZYDIS_ISA_SET_BMI1 || set == ZYDIS_ISA_SET_BMI2) && (cpu->cr0 & CR0_PE) &&
               !(cpu->flags_sys & FL_VM);
    return zi->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

bool sys_claimed(const struct cpu *cpu, const ZydisDecodedInstruction *zi)
{
    ZydisISASet set = zi->meta.isa_set;

    if (!sys_native(zi->mnemonic) || !encoding_ok(cpu, zi))
        return false;
    /* Unclaimed, these are BSR and BSF with a prefix, and so the host runs them too. */
    if (zi->mnemonic == ZYDIS_MNEMONIC_LZCNT || zi->mnemonic == ZYDIS_MNEMONIC_TZCNT)
        return true;
    if (set == ZYDIS_ISA_SET_LAHF && zi->machine_mode != ZYDIS_MACHINE_MODE_LONG_64)
        return true;
    return base_set(set) || claimed_set(cpu, set);
}
