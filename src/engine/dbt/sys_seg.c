/*
 * Segment registers, descriptor-table registers, and the instructions that ask about descriptors.
 * SDM volume 2: MOV, POP, LDS…, LGDT, LLDT, LTR, LAR, LSL, VERR, ARPL. UMIP is not claimed.
 */
#include "engine/dbt/sys.h"

static void zf_put(struct cpu *cpu, bool set)
{
    cpu_set_flags_arith(cpu, (cpu_flags_arith(cpu) & ~(uint32_t)FL_ZF) | (set ? FL_ZF : 0u));
}

static void need_prot(struct cpu *cpu)
{
    if (!cpu_prot(cpu))
        cpu_fault(cpu, EXC_UD);
}

/* Outside 64-bit mode a block's key depends on its segments. */
static int seg_loaded(struct cpu *cpu, const struct insn *i, unsigned seg)
{
    if (seg == SEG_SS)
        cpu->shadow = SHADOW_SS;
    return i->code_bits == 64 ? INSN_NEXT : insn_leave(cpu, i);
}

int sys_mov_to_sreg(struct cpu *cpu, const struct insn *i)
{
    unsigned seg = i->reg & 7u;

    if (seg == SEG_CS || seg > SEG_GS)
        cpu_fault(cpu, EXC_UD);
    seg_load(cpu, seg, (uint16_t)op_read(cpu, i, 2));
    return seg_loaded(cpu, i, seg);
}

int sys_mov_from_sreg(struct cpu *cpu, const struct insn *i)
{
    unsigned seg = i->reg & 7u;

    if (seg > SEG_GS)
        cpu_fault(cpu, EXC_UD);
    op_write(cpu, i, i->mem ? 2 : i->opsize, cpu->seg[seg].sel);
    return INSN_NEXT;
}

int sys_push_sreg(struct cpu *cpu, const struct insn *i)
{
    struct stack s;

    stack_now(cpu, &s);
    stack_push(cpu, &s, i->opsize, cpu->seg[i->reg & 7u].sel);
    stack_commit(cpu, &s);
    return INSN_NEXT;
}

int sys_pop_sreg(struct cpu *cpu, const struct insn *i)
{
    unsigned seg = i->reg & 7u;
    struct stack s;
    uint16_t sel;

    stack_now(cpu, &s);
    sel = (uint16_t)stack_pop(cpu, &s, i->opsize);
    seg_load(cpu, seg, sel);
    stack_commit(cpu, &s);
    return seg_loaded(cpu, i, seg);
}

/* LDS, LES, LSS, LFS, LGS: imm holds the segment, reg the register. */
int sys_lxs(struct cpu *cpu, const struct insn *i)
{
    uint64_t lin = op_lin(cpu, i, i->opsize + 2u, false);
    uint64_t off = mem_read(cpu, lin, i->opsize, cpu_user(cpu));
    uint16_t sel = (uint16_t)mem_read(cpu, lin + i->opsize, 2, cpu_user(cpu));
    unsigned seg = (unsigned)i->imm;

    seg_load(cpu, seg, sel);
    gpr_put(cpu, i->reg, i->opsize, off);
    return i->code_bits == 64 ? INSN_NEXT : insn_leave(cpu, i);
}

/* ---- table registers ---- */

static uint64_t table_read(struct cpu *cpu, const struct insn *i, uint16_t *limit)
{
    unsigned n = i->code_bits == 64 ? 8 : 4;
    uint64_t lin, base;

    need_cpl0(cpu);
    lin = op_lin(cpu, i, n + 2, false);
    *limit = (uint16_t)mem_read(cpu, lin, 2, cpu_user(cpu));
    base = mem_read(cpu, lin + 2, n, cpu_user(cpu));
    if (n == 4 && i->opsize == 2)
        base &= 0xffffff;
    if (!lin_canonical(base))
        cpu_fault_err(cpu, EXC_GP, 0);
    return base;
}

int sys_lgdt(struct cpu *cpu, const struct insn *i)
{
    uint16_t limit;
    uint64_t base = table_read(cpu, i, &limit);

    cpu->gdtr.base = base;
    cpu->gdtr.limit = limit;
    return INSN_NEXT;
}

int sys_lidt(struct cpu *cpu, const struct insn *i)
{
    uint16_t limit;
    uint64_t base = table_read(cpu, i, &limit);

    cpu->idtr.base = base;
    cpu->idtr.limit = limit;
    return INSN_NEXT;
}

static int table_write(struct cpu *cpu, const struct insn *i, uint64_t base, uint16_t limit)
{
    unsigned n = i->code_bits == 64 ? 8 : 4;
    uint8_t buf[10];

    le16_put(buf, limit);
    le64_put(buf + 2, base);
    lin_write(cpu, op_lin(cpu, i, n + 2, true), buf, n + 2, cpu_user(cpu));
    return INSN_NEXT;
}

int sys_sgdt(struct cpu *cpu, const struct insn *i)
{
    return table_write(cpu, i, cpu->gdtr.base, cpu->gdtr.limit);
}

int sys_sidt(struct cpu *cpu, const struct insn *i)
{
    return table_write(cpu, i, cpu->idtr.base, cpu->idtr.limit);
}

int sys_lldt(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel;
    struct desc d;
    struct cpu_seg s = {0};

    need_prot(cpu);
    need_cpl0(cpu);
    s.sel = sel = (uint16_t)op_read(cpu, i, 2);
    if (!sel_null(sel)) {
        if ((sel & 4) || !desc_get(cpu, sel, &d) || !desc_system(&d) || desc_type(&d) != DT_LDT)
            cpu_fault_err(cpu, EXC_GP, sel & 0xfffcu);
        if (!desc_present(&d))
            cpu_fault_err(cpu, EXC_NP, sel & 0xfffcu);
        s = desc_seg(sel, &d);
        s.base = desc_base_high(cpu, sel, &d);
    }
    cpu->ldtr = s;
    return INSN_NEXT;
}

int sys_ltr(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel;
    struct desc d;
    struct cpu_seg s;
    unsigned type;

    need_prot(cpu);
    need_cpl0(cpu);
    sel = (uint16_t)op_read(cpu, i, 2);
    if (sel_null(sel))
        cpu_fault_err(cpu, EXC_GP, 0);
    if ((sel & 4) || !desc_get(cpu, sel, &d) || !desc_system(&d))
        cpu_fault_err(cpu, EXC_GP, sel & 0xfffcu);
    type = desc_type(&d);
    if (type != DT_TSS && (type != DT_TSS16 || cpu_lma(cpu)))
        cpu_fault_err(cpu, EXC_GP, sel & 0xfffcu);
    if (!desc_present(&d))
        cpu_fault_err(cpu, EXC_NP, sel & 0xfffcu);
    s = desc_seg(sel, &d);
    s.base = desc_base_high(cpu, sel, &d);
    s.attr |= 2; /* busy */
    mem_write(cpu, d.lin + 5, 1, (d.hi >> 8 & 0xff) | 2, false);
    cpu->tr = s;
    return INSN_NEXT;
}

int sys_sldt(struct cpu *cpu, const struct insn *i)
{
    need_prot(cpu);
    op_write(cpu, i, i->mem ? 2 : i->opsize, cpu->ldtr.sel);
    return INSN_NEXT;
}

int sys_str(struct cpu *cpu, const struct insn *i)
{
    need_prot(cpu);
    op_write(cpu, i, i->mem ? 2 : i->opsize, cpu->tr.sel);
    return INSN_NEXT;
}

/* ---- questions ---- */

/* May this level see the descriptor? types: bits of the system types that the question allows. */
static bool desc_ask(struct cpu *cpu, uint16_t sel, uint32_t types, struct desc *d)
{
    unsigned rpl = sel & 3u;

    if (!desc_get(cpu, sel, d))
        return false;
    if (desc_system(d) && !(types >> desc_type(d) & 1))
        return false;
    if (desc_code(d) && desc_conforming(d))
        return true;
    return desc_dpl(d) >= cpu->cpl && desc_dpl(d) >= rpl;
}

int sys_lar(struct cpu *cpu, const struct insn *i)
{
    uint32_t types = 1u << DT_LDT | 1u << DT_TSS | 1u << DT_TSS_BUSY | 1u << DT_CALL;
    struct desc d;
    bool ok;

    need_prot(cpu);
    if (!cpu_lma(cpu))
        types |= 1u << DT_TSS16 | 1u << DT_TSS16_BUSY | 1u << DT_CALL16 | 1u << DT_TASK;
    ok = desc_ask(cpu, (uint16_t)op_read(cpu, i, 2), types, &d);
    if (ok)
        gpr_put(cpu, i->reg, i->opsize, d.hi & (i->opsize == 2 ? 0xff00u : 0xf0ff00u));
    zf_put(cpu, ok);
    return INSN_NEXT;
}

int sys_lsl(struct cpu *cpu, const struct insn *i)
{
    uint32_t types = 1u << DT_LDT | 1u << DT_TSS | 1u << DT_TSS_BUSY;
    struct desc d;
    bool ok;

    need_prot(cpu);
    if (!cpu_lma(cpu))
        types |= 1u << DT_TSS16 | 1u << DT_TSS16_BUSY;
    ok = desc_ask(cpu, (uint16_t)op_read(cpu, i, 2), types, &d);
    if (ok)
        gpr_put(cpu, i->reg, i->opsize, desc_limit(&d));
    zf_put(cpu, ok);
    return INSN_NEXT;
}

int sys_verr(struct cpu *cpu, const struct insn *i)
{
    struct desc d;
    bool ok;

    need_prot(cpu);
    ok = desc_ask(cpu, (uint16_t)op_read(cpu, i, 2), 0, &d);
    zf_put(cpu, ok && (!desc_code(&d) || (d.hi & 0x200)));
    return INSN_NEXT;
}

int sys_verw(struct cpu *cpu, const struct insn *i)
{
    struct desc d;
    bool ok;

    need_prot(cpu);
    ok = desc_ask(cpu, (uint16_t)op_read(cpu, i, 2), 0, &d);
    zf_put(cpu, ok && desc_data_writable(&d));
    return INSN_NEXT;
}

int sys_arpl(struct cpu *cpu, const struct insn *i)
{
    uint16_t dst, src = (uint16_t)cpu->gpr[i->reg];
    bool lower;

    need_prot(cpu);
    dst = (uint16_t)op_read(cpu, i, 2);
    lower = (dst & 3) < (src & 3);
    if (lower)
        op_write(cpu, i, 2, (dst & ~3u) | (src & 3u));
    zf_put(cpu, lower);
    return INSN_NEXT;
}
