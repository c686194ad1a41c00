/*
 * What an instruction is to engine direct: one that the cage may run, one that faults there by
 * itself, or one that must be patched since it would run and do something else than the guest
 * means. Intel SDM volume 2; Popek and Goldberg's sensitive instructions; the list in prose is in
 * docs/engine-direct.md. Privileged and sensitive ones are known to engine dbt (sys_decode).
 */
#include "engine/dbt/sys.h"
#include "engine/direct/code.h"
#include "mem/ram.h"
#include <string.h>

/* dbt runs these in helpers of its own, but they have nothing to do with privilege: to the CPU in
 * user mode they are what they are to the guest. */
static bool harmless(insn_run *r)
{
    static insn_run *const list[] = {
        sys_nop,     sys_cld,     sys_std,    sys_movs,   sys_stos,   sys_lods,    sys_scas,
        sys_cmps,    sys_enter,   sys_pusha,  sys_popa,   sys_bound,  sys_arpl,    sys_fxsave,
        sys_fxrstor, sys_fnstenv, sys_fldenv, sys_fnsave, sys_frstor, sys_ldmxcsr,
    };

    for (unsigned i = 0; i < ARRAY_LEN(list); i++)
        if (r == list[i])
            return true;
    return false;
}

/* #GP in user mode, whatever the operands: level, or IOPL 0 and no I/O bitmap. */
static bool privileged(insn_run *r)
{
    static insn_run *const list[] = {
        sys_in,     sys_out,       sys_ins,         sys_outs,      sys_cli,         sys_sti,
        sys_hlt,    sys_clts,      sys_lmsw,        sys_lgdt,      sys_lidt,        sys_lldt,
        sys_ltr,    sys_mov_to_cr, sys_mov_from_cr, sys_mov_to_dr, sys_mov_from_dr, sys_invlpg,
        sys_wbinvd, sys_rdmsr,     sys_wrmsr,
    };

    for (unsigned i = 0; i < ARRAY_LEN(list); i++)
        if (r == list[i])
            return true;
    return false;
}

static bool traps(const struct insn *i)
{
    /* The host's gates are of level 0 but for these, and 0x80 is its system call. */
    if (i->run == sys_int)
        return i->imm != EXC_BP && i->imm != EXC_OF && i->imm != 0x80;
    return privileged(i->run);
}

/* The time-stamp counter is the host's own unless the guest has set it or guards it. */
static bool tsc_plain(const struct cpu *cpu)
{
    return !cpu->tsc_offset && !(cpu->cr4 & CR4_TSD);
}

/* Data that is read through CS would come from the code view. */
static bool reads_code(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
    for (unsigned i = 0; i < zi->operand_count && i < ZYDIS_MAX_OPERAND_COUNT; i++)
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && op[i].mem.segment == ZYDIS_REGISTER_CS &&
            op[i].mem.type != ZYDIS_MEMOP_TYPE_AGEN && op[i].actions)
            return true;
    return false;
}

static bool may_run(struct direct *d, const ZydisDecodedInstruction *zi,
                    const ZydisDecodedOperand *op, struct found *f)
{
    const struct cpu *cpu = d->cpu;
    bool sys = sys_decode(zi, op, 0, &f->insn), code = reads_code(zi, op);
    struct insn decimal; /* what 64-bit mode lacks, but this has */

    if (sys && traps(&f->insn)) {
        f->kind = INSN_TRAPS;
        return true;
    }
    if (sys && f->insn.run == sys_rdtsc && tsc_plain(cpu))
        return true;
    if (sys && !harmless(f->insn.run))
        return false;
    if (sys && f->insn.run == sys_nop)
        return true;
    if (!sys || code)
        f->insn.run = NULL;
    return (sys || legacy_decode(zi, &decimal) || sys_claimed(cpu, zi)) && !code &&
           dbt_fpu_gate(d->code->mode, zi) < 0;
}

/* Where it may go on, for decoding ahead. */
static void flow(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op, uint32_t lin,
                 struct found *f)
{
    ZydisInstructionCategory cat = zi->meta.category;
    bool jump = cat == ZYDIS_CATEGORY_UNCOND_BR;

    f->ends = jump || cat == ZYDIS_CATEGORY_RET || (f->kind != INSN_NATIVE && f->insn.ends);
    if ((jump || cat == ZYDIS_CATEGORY_COND_BR || cat == ZYDIS_CATEGORY_CALL) &&
        op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op[0].imm.is_relative) {
        f->branch = true;
        f->target = lin + f->len + (uint32_t)op[0].imm.value.u;
    }
}

/* The bytes that may belong to it, without what is behind the end of RAM. */
static unsigned fetch(struct direct *d, uint32_t lin, uint8_t bytes[INSN_MAX])
{
    uint32_t left = d->code->len - lin;
    unsigned n = left < INSN_MAX ? left : INSN_MAX;

    memcpy(bytes, ram_ptr(d->ram, lin, n), n);
    return n;
}

void insn_find(struct direct *d, uint32_t lin, struct found *f)
{
    const struct code *c = d->code;
    const ZydisDecoder *dec = c->mode & MODE_32 ? &c->dec32 : &c->dec16;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    unsigned n;

    memset(f, 0, sizeof(*f));
    n = fetch(d, lin, f->bytes);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(dec, f->bytes, n, &zi, op))) {
        f->kind = INSN_PATCH; /* the translator says what is wrong with it */
        f->ends = true;
        f->len = 1;
        f->reach = (uint8_t)n;
        return;
    }
    f->len = f->reach = zi.length;
    if (!may_run(d, &zi, op, f))
        f->kind = INSN_PATCH;
    if (f->kind == INSN_NATIVE)
        f->insn.run = NULL;
    flow(&zi, op, lin, f);
}
