/*
 * From a decoded instruction to its helper. What is privileged, sensitive or works on more than the
 * registers and one operand comes here; all else runs natively, if CPUID claims it.
 * SDM volume 2, appendix A (opcode map), 2.1-2.2 (prefixes, REX).
 */
#include "engine/dbt/sys.h"
#include <Zydis/Zydis.h>

/* ---- operand sizes and prefixes ---- */

static bool prefix_has(const ZydisDecodedInstruction *zi, uint8_t value)
{
    for (unsigned n = 0; n < zi->raw.prefix_count && n < ZYDIS_MAX_INSTRUCTION_LENGTH; n++)
        if (zi->raw.prefixes[n].value == value)
            return true;
    return false;
}

/* F2 or F3, the last one counts. */
static uint8_t prefix_rep(const ZydisDecodedInstruction *zi)
{
    uint8_t rep = 0;

    for (unsigned n = 0; n < zi->raw.prefix_count && n < ZYDIS_MAX_INSTRUCTION_LENGTH; n++)
        if (zi->raw.prefixes[n].value == 0xf2 || zi->raw.prefixes[n].value == 0xf3)
            rep = zi->raw.prefixes[n].value;
    return rep;
}

static uint8_t prefix_seg(const ZydisDecodedInstruction *zi, uint8_t bits)
{
    uint8_t seg = SEG_DS;

    for (unsigned n = 0; n < zi->raw.prefix_count && n < ZYDIS_MAX_INSTRUCTION_LENGTH; n++) {
        switch (zi->raw.prefixes[n].value) {
        case 0x64: seg = SEG_FS; break;
        case 0x65: seg = SEG_GS; break;
        case 0x26: seg = bits == 64 ? seg : SEG_ES; break;
        case 0x2e: seg = bits == 64 ? seg : SEG_CS; break;
        case 0x36: seg = bits == 64 ? seg : SEG_SS; break;
        case 0x3e: seg = bits == 64 ? seg : SEG_DS; break;
        }
    }
    return seg;
}

static uint8_t code_bits(const ZydisDecodedInstruction *zi)
{
    switch (zi->machine_mode) {
    case ZYDIS_MACHINE_MODE_LONG_64: return 64;
    case ZYDIS_MACHINE_MODE_LONG_COMPAT_32:
    case ZYDIS_MACHINE_MODE_LEGACY_32: return 32;
    default: return 16;
    }
}

static bool rex_w(const ZydisDecodedInstruction *zi)
{
    return zi->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
           (zi->attributes & ZYDIS_ATTRIB_HAS_REX) && zi->raw.rex.W;
}

static uint8_t operand_size(const ZydisDecodedInstruction *zi, uint8_t bits)
{
    bool other = prefix_has(zi, 0x66);

    if (rex_w(zi))
        return 8;
    return (bits == 16) != other ? 2 : 4;
}

/* Stack instructions default to 64 bits in 64-bit mode. */
static uint8_t stack_size(const struct insn *i)
{
    return i->code_bits == 64 && i->opsize == 4 ? 8 : i->opsize;
}

/* ---- the memory operand ---- */

static uint8_t reg_number(ZydisRegister r)
{
    ZyanI8 id = ZydisRegisterGetId(r);

    return r == ZYDIS_REGISTER_NONE || id < 0 ? 16 : (uint8_t)id;
}

static void fill_mem(const ZydisDecodedOperand *op, uint64_t rip, struct insn *i)
{
    i->mem = true;
    i->seg = reg_number(op->mem.segment);
    if (i->seg > SEG_GS)
        i->seg = SEG_DS;
    i->disp = op->mem.disp.value;
    i->scale = op->mem.scale;
    i->index = reg_number(op->mem.index);
    if (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP) {
        i->base = 17;
        i->disp += (int64_t)(rip + i->len);
    } else {
        i->base = reg_number(op->mem.base);
    }
}

static void fill(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops, uint64_t rip,
                 struct insn *i)
{
    bool rex = zi->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
               (zi->attributes & ZYDIS_ATTRIB_HAS_REX);

    *i = (struct insn){.len = zi->length, .base = 16, .index = 16, .scale = 1, .rex = rex};
    i->code_bits = code_bits(zi);
    i->opsize = operand_size(zi, i->code_bits);
    i->addrsize = zi->address_width / 8;
    i->seg = prefix_seg(zi, i->code_bits);
    if (!(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM))
        return;
    i->reg = (uint8_t)(zi->raw.modrm.reg | (rex && zi->raw.rex.R ? 8 : 0));
    i->rm = (uint8_t)(zi->raw.modrm.rm | (rex && zi->raw.rex.B ? 8 : 0));
    for (unsigned n = 0; n < zi->operand_count; n++)
        if (ops[n].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            ops[n].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
            fill_mem(&ops[n], rip, i);
}

/* ---- groups of mnemonics ---- */

static insn_run *pick_control(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_LMSW: return sys_lmsw;
    case ZYDIS_MNEMONIC_SMSW: return sys_smsw;
    case ZYDIS_MNEMONIC_CLTS: return sys_clts;
    case ZYDIS_MNEMONIC_INVLPG: return sys_invlpg;
    case ZYDIS_MNEMONIC_WBINVD:
    case ZYDIS_MNEMONIC_INVD: return sys_wbinvd;
    case ZYDIS_MNEMONIC_HLT: return sys_hlt;
    case ZYDIS_MNEMONIC_CLI: return sys_cli;
    case ZYDIS_MNEMONIC_STI: return sys_sti;
    case ZYDIS_MNEMONIC_CLD: return sys_cld;
    case ZYDIS_MNEMONIC_STD: return sys_std;
    case ZYDIS_MNEMONIC_RDTSC: return sys_rdtsc;
    case ZYDIS_MNEMONIC_RDTSCP: return sys_rdtscp;
    case ZYDIS_MNEMONIC_RDPMC: return sys_gp;
    case ZYDIS_MNEMONIC_SWAPGS: return sys_swapgs;
    case ZYDIS_MNEMONIC_CPUID: return sys_cpuid;
    case ZYDIS_MNEMONIC_RDMSR: return sys_rdmsr;
    case ZYDIS_MNEMONIC_WRMSR: return sys_wrmsr;
    case ZYDIS_MNEMONIC_VMCALL:
    case ZYDIS_MNEMONIC_VMMCALL: return sys_hcall;
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_RSM:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT: return sys_ud;
    default: return NULL;
    }
}

static insn_run *pick_segment(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LSS:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS: return sys_lxs;
    case ZYDIS_MNEMONIC_LGDT: return sys_lgdt;
    case ZYDIS_MNEMONIC_LIDT: return sys_lidt;
    case ZYDIS_MNEMONIC_SGDT: return sys_sgdt;
    case ZYDIS_MNEMONIC_SIDT: return sys_sidt;
    case ZYDIS_MNEMONIC_LLDT: return sys_lldt;
    case ZYDIS_MNEMONIC_LTR: return sys_ltr;
    case ZYDIS_MNEMONIC_SLDT: return sys_sldt;
    case ZYDIS_MNEMONIC_STR: return sys_str;
    case ZYDIS_MNEMONIC_LAR: return sys_lar;
    case ZYDIS_MNEMONIC_LSL: return sys_lsl;
    case ZYDIS_MNEMONIC_VERR: return sys_verr;
    case ZYDIS_MNEMONIC_VERW: return sys_verw;
    case ZYDIS_MNEMONIC_ARPL: return sys_arpl;
    default: return NULL;
    }
}

static insn_run *pick_transfer(const ZydisDecodedInstruction *zi)
{
    bool far = zi->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_JMP: return far ? sys_jmp_far : NULL;
    case ZYDIS_MNEMONIC_CALL: return far ? sys_call_far : NULL;
    case ZYDIS_MNEMONIC_RET: return far ? sys_ret_far : NULL;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ: return sys_iret;
    case ZYDIS_MNEMONIC_SYSCALL: return sys_syscall;
    case ZYDIS_MNEMONIC_SYSRET: return sys_sysret;
    case ZYDIS_MNEMONIC_SYSENTER: return sys_sysenter;
    case ZYDIS_MNEMONIC_SYSEXIT: return sys_sysexit;
    case ZYDIS_MNEMONIC_INT: return sys_int;
    case ZYDIS_MNEMONIC_INT3: return sys_int3;
    case ZYDIS_MNEMONIC_INTO: return sys_into;
    case ZYDIS_MNEMONIC_INT1: return sys_icebp;
    case ZYDIS_MNEMONIC_BOUND: return sys_bound;
    default: return NULL;
    }
}

static insn_run *pick_stack(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFD:
    case ZYDIS_MNEMONIC_PUSHFQ: return sys_pushf;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ: return sys_popf;
    case ZYDIS_MNEMONIC_PUSHA:
    case ZYDIS_MNEMONIC_PUSHAD: return sys_pusha;
    case ZYDIS_MNEMONIC_POPA:
    case ZYDIS_MNEMONIC_POPAD: return sys_popa;
    case ZYDIS_MNEMONIC_ENTER: return sys_enter;
    default: return NULL;
    }
}

static insn_run *pick_fpu(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64: return sys_fxsave;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64: return sys_fxrstor;
    case ZYDIS_MNEMONIC_FNSTENV: return sys_fnstenv;
    case ZYDIS_MNEMONIC_FLDENV: return sys_fldenv;
    case ZYDIS_MNEMONIC_FNSAVE: return sys_fnsave;
    case ZYDIS_MNEMONIC_FRSTOR: return sys_frstor;
    case ZYDIS_MNEMONIC_LDMXCSR:
        return zi->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ? sys_ldmxcsr : NULL;
    default: return NULL;
    }
}

/* The SSE2 instructions MOVSD and CMPSD share their names with string instructions. */
static insn_run *pick_string(const ZydisDecodedInstruction *zi)
{
    if (zi->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
        zi->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return NULL;
    switch (zi->opcode) {
    case 0xa4:
    case 0xa5: return sys_movs;
    case 0xa6:
    case 0xa7: return sys_cmps;
    case 0xaa:
    case 0xab: return sys_stos;
    case 0xac:
    case 0xad: return sys_lods;
    case 0xae:
    case 0xaf: return sys_scas;
    case 0x6c:
    case 0x6d: return sys_ins;
    case 0x6e:
    case 0x6f: return sys_outs;
    case 0xe4:
    case 0xe5:
    case 0xec:
    case 0xed: return sys_in;
    case 0xe6:
    case 0xe7:
    case 0xee:
    case 0xef: return sys_out;
    default: return NULL;
    }
}

/* MOV, PUSH and POP with a special register. */
static insn_run *pick_special(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops)
{
    bool two = zi->opcode_map == ZYDIS_OPCODE_MAP_0F;
    bool seg = ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               ZydisRegisterGetClass(ops[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;

    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_PUSH: return seg ? sys_push_sreg : NULL;
    case ZYDIS_MNEMONIC_POP: return seg ? sys_pop_sreg : NULL;
    case ZYDIS_MNEMONIC_MOV: break;
    default: return NULL;
    }
    switch (zi->opcode) {
    case 0x20: return two ? sys_mov_from_cr : NULL;
    case 0x21: return two ? sys_mov_from_dr : NULL;
    case 0x22: return two ? sys_mov_to_cr : NULL;
    case 0x23: return two ? sys_mov_to_dr : NULL;
    case 0x8c: return two ? NULL : sys_mov_from_sreg;
    case 0x8e: return two ? NULL : sys_mov_to_sreg;
    default: return NULL;
    }
}

/* Prefetches, cache hints, and the space that older CPUs execute as NOP: CET and MPX unclaimed. */
static insn_run *pick_nop(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
    case ZYDIS_MNEMONIC_CLDEMOTE:
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_PREFETCH:
    case ZYDIS_MNEMONIC_PREFETCHW:
    case ZYDIS_MNEMONIC_PREFETCHWT1:
    case ZYDIS_MNEMONIC_PREFETCHNTA:
    case ZYDIS_MNEMONIC_PREFETCHT0:
    case ZYDIS_MNEMONIC_PREFETCHT1:
    case ZYDIS_MNEMONIC_PREFETCHT2: return sys_nop;
    default: return zi->meta.isa_set == ZYDIS_ISA_SET_MPX ? sys_nop : NULL;
    }
}

static insn_run *pick(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops)
{
    insn_run *run = pick_special(zi, ops);

    if (!run)
        run = pick_string(zi);
    if (!run)
        run = pick_transfer(zi);
    if (!run)
        run = pick_control(zi);
    if (!run)
        run = pick_segment(zi);
    if (!run)
        run = pick_stack(zi);
    if (!run)
        run = pick_fpu(zi);
    if (!run)
        run = pick_nop(zi);
    if (!run && (zi->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED))
        run = sys_ud; /* VMX, SVM and others that are not claimed */
    return run;
}

/* ---- what each group needs beyond the common fields ---- */

static uint64_t imm_of(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops,
                       unsigned n, uint64_t otherwise)
{
    if (n < zi->operand_count && ops[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return ops[n].imm.value.u;
    return otherwise;
}

static uint8_t lxs_segment(ZydisMnemonic m)
{
    switch (m) {
    case ZYDIS_MNEMONIC_LES: return SEG_ES;
    case ZYDIS_MNEMONIC_LSS: return SEG_SS;
    case ZYDIS_MNEMONIC_LFS: return SEG_FS;
    case ZYDIS_MNEMONIC_LGS: return SEG_GS;
    default: return SEG_DS;
    }
}

static void fill_io(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops,
                    struct insn *i)
{
    i->rep = prefix_rep(zi);
    if (!(zi->opcode & 1))
        i->opsize = 1;
    if (i->run == sys_in || i->run == sys_out) {
        i->imm = imm_of(zi, ops, i->run == sys_in ? 1 : 0, 0x10000);
        if (i->imm != 0x10000)
            i->imm &= 0xff;
        i->rep = 0;
    }
    if ((i->run == sys_in || i->run == sys_out || i->run == sys_ins || i->run == sys_outs) &&
        i->opsize == 8)
        i->opsize = 4;
}

static void fill_far(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops,
                     struct insn *i)
{
    if (i->run == sys_ret_far) {
        i->imm = imm_of(zi, ops, 0, 0) & 0xffff;
    } else if (ops[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
        i->sel = ops[0].ptr.segment;
        i->imm = ops[0].ptr.offset;
    }
}

static void fill_more(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops,
                      struct insn *i)
{
    insn_run *r = i->run;

    if (pick_string(zi))
        fill_io(zi, ops, i);
    else if (r == sys_jmp_far || r == sys_call_far || r == sys_ret_far)
        fill_far(zi, ops, i);
    else if (r == sys_push_sreg || r == sys_pop_sreg)
        i->reg = reg_number(ops[0].reg.value);
    else if (r == sys_int)
        i->imm = imm_of(zi, ops, 0, 0) & 0xff;
    else if (r == sys_lxs)
        i->imm = lxs_segment(zi->mnemonic);
    else if (r == sys_enter)
        i->imm = imm_of(zi, ops, 0, 0), i->sel = (uint16_t)imm_of(zi, ops, 1, 0);
    if (r == sys_push_sreg || r == sys_pop_sreg || r == sys_enter || r == sys_pushf ||
        r == sys_popf)
        i->opsize = stack_size(i);
}

static bool leaves(insn_run *r)
{
    return r == sys_ud || r == sys_gp || r == sys_hlt || r == sys_jmp_far || r == sys_call_far ||
           r == sys_ret_far || r == sys_iret || r == sys_syscall || r == sys_sysret ||
           r == sys_sysenter || r == sys_sysexit || r == sys_int || r == sys_int3 || r == sys_icebp;
}

bool sys_decode(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *ops, uint64_t rip,
                struct insn *out)
{
    insn_run *run = pick(zi, ops);

    if (!run)
        return false;
    fill(zi, ops, rip, out);
    out->run = run;
    fill_more(zi, ops, out);
    out->ends = leaves(run);
    return true;
}
