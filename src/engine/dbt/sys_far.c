/*
 * Far JMP, CALL and RET: direct, through memory, and through call gates with stack switch.
 * SDM volume 3, 5.8 (control transfers between code segments); volume 2, CALL, JMP, RET.
 */
#include "engine/dbt/sys.h"
#include "engine/dbt/sys_ret.h"

void code_check_rip(struct cpu *cpu, const struct desc *d, uint64_t off, unsigned ext)
{
    bool code64 = cpu_lma(cpu) && (d->hi & 0x200000);

    if (code64 ? !lin_canonical(off) : off > desc_limit(d))
        cpu_fault_err(cpu, EXC_GP, ext);
}

void code_enter(struct cpu *cpu, uint16_t sel, struct desc *d, unsigned cpl, uint64_t off)
{
    struct cpu_seg s;

    desc_touch(cpu, d);
    s = desc_seg((uint16_t)((sel & 0xfffcu) | cpl), d);
    if (cpu_lma(cpu) && (s.attr & SEG_L))
        s.base = 0;
    seg_put(cpu, SEG_CS, &s);
    cpu->cpl = (uint8_t)cpl;
    cpu->rip = off;
}

void code_enter_real(struct cpu *cpu, uint16_t sel, uint64_t off)
{
    if (off > cpu->seg[SEG_CS].limit)
        cpu_fault_err(cpu, EXC_GP, 0);
    seg_put_real(cpu, SEG_CS, sel);
    cpu->rip = off;
}

/* In long mode the TSS holds RSP only, and SS becomes null. */
void tss_stack(struct cpu *cpu, unsigned cpl, unsigned ext, struct stack *s)
{
    bool wide = cpu->tr.attr & 8;
    uint32_t at = wide ? 4 + cpl * 8 : 2 + cpl * 4;
    uint32_t last = at + (cpu_lma(cpu) ? 7 : wide ? 5 : 3);
    uint16_t sel;
    struct desc d;

    if (!(cpu->tr.attr & SEG_P) || last > cpu->tr.limit)
        cpu_fault_err(cpu, EXC_TS, (cpu->tr.sel & 0xfffcu) | ext);
    s->user = cpl == 3;
    if (cpu_lma(cpu)) {
        s->sp = mem_read(cpu, cpu->tr.base + at, 8, false);
        s->ss = (struct cpu_seg){.sel = (uint16_t)cpl};
        s->width = 8;
        s->err = (uint16_t)ext;
        return;
    }
    s->sp = mem_read(cpu, cpu->tr.base + at, wide ? 4 : 2, false);
    sel = (uint16_t)mem_read(cpu, cpu->tr.base + at + (wide ? 4 : 2), 2, false);
    ss_check(cpu, sel, cpl, EXC_TS, ext, &d);
    desc_touch(cpu, &d);
    s->ss = desc_seg(sel, &d);
    s->width = s->ss.attr & SEG_D ? 4 : 2;
    s->sp &= size_mask(s->width);
    s->err = (uint16_t)((sel & 0xfffcu) | ext);
}

/* ---- JMP and CALL ---- */

struct far {
    uint16_t sel;
    uint64_t off;
    bool call;
};

static void far_target(struct cpu *cpu, const struct insn *i, struct far *f)
{
    uint64_t lin;

    f->sel = i->sel;
    f->off = i->imm & size_mask(i->opsize);
    if (!i->mem)
        return;
    lin = op_lin(cpu, i, i->opsize + 2u, false);
    f->off = mem_read(cpu, lin, i->opsize, cpu_user(cpu));
    f->sel = (uint16_t)mem_read(cpu, lin + i->opsize, 2, cpu_user(cpu));
}

static void push_return(struct cpu *cpu, const struct insn *i, struct stack *s, unsigned size)
{
    stack_push(cpu, s, size, cpu->seg[SEG_CS].sel);
    stack_push(cpu, s, size, rip_next(cpu, i));
}

/* The code segment a far transfer names; deeper: a call gate may lead to a more privileged one. */
static void far_code(struct cpu *cpu, uint16_t sel, bool by_gate, bool deeper, struct desc *d)
{
    uint32_t err = sel & 0xfffcu;
    unsigned dpl;
    bool ok;

    if (sel_null(sel) || !desc_get(cpu, sel, d) || !desc_code(d))
        cpu_fault_err(cpu, EXC_GP, err);
    dpl = desc_dpl(d);
    if (desc_conforming(d) || deeper)
        ok = dpl <= cpu->cpl;
    else
        ok = dpl == cpu->cpl && (by_gate || (sel & 3u) <= cpu->cpl);
    if (cpu_lma(cpu)) {
        ok &= (d->hi & 0x600000) != 0x600000;
        ok &= !by_gate || (d->hi & 0x200000);
    }
    if (!ok)
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
}

static int far_direct(struct cpu *cpu, const struct insn *i, const struct far *f)
{
    struct desc d;
    struct stack s;

    far_code(cpu, f->sel, false, false, &d);
    code_check_rip(cpu, &d, f->off, 0);
    desc_touch(cpu, &d);
    if (f->call) {
        stack_now(cpu, &s);
        push_return(cpu, i, &s, i->opsize);
        stack_commit(cpu, &s);
    }
    code_enter(cpu, f->sel, &d, cpu->cpl, f->off);
    return INSN_JUMP;
}

/* At most 31 parameters: the count has five bits. */
static void gate_params(struct cpu *cpu, struct stack *to, unsigned count, unsigned size)
{
    struct stack from;

    stack_now(cpu, &from);
    for (unsigned n = count & 31; n-- > 0;) {
        uint64_t sp = (from.sp + n * size) & size_mask(from.width);

        stack_push(cpu, to, size, mem_read(cpu, stack_lin(cpu, &from, sp, size), size, from.user));
    }
}

static void gate_inner(struct cpu *cpu, const struct insn *i, const struct desc *gate, unsigned cpl,
                       unsigned size)
{
    struct stack s;

    tss_stack(cpu, cpl, 0, &s);
    stack_push(cpu, &s, size, cpu->seg[SEG_SS].sel);
    stack_push(cpu, &s, size, cpu->gpr[REG_RSP]);
    if (size != 8)
        gate_params(cpu, &s, gate->hi & 31, size);
    push_return(cpu, i, &s, size);
    if (size == 8)
        seg_put_null(cpu, SEG_SS, (uint16_t)cpl);
    else
        seg_put(cpu, SEG_SS, &s.ss);
    stack_commit(cpu, &s);
}

static int far_gate(struct cpu *cpu, const struct insn *i, const struct far *f,
                    const struct desc *gate)
{
    unsigned size = cpu_lma(cpu) ? 8 : desc_type(gate) == DT_CALL ? 4 : 2, cpl = cpu->cpl;
    uint16_t sel = (uint16_t)(gate->lo >> 16);
    uint64_t off = (gate->lo & 0xffff) | (gate->hi & 0xffff0000);
    struct desc d;
    struct stack s;

    if (size == 2)
        off &= 0xffff;
    if (size == 8) {
        uint64_t more = mem_read(cpu, gate->lin + 8, 8, false);

        if (more >> 32 & 0x1f00)
            cpu_fault_err(cpu, EXC_GP, f->sel & 0xfffcu);
        off |= more << 32;
    }
    far_code(cpu, sel, true, f->call, &d);
    code_check_rip(cpu, &d, off, 0);
    desc_touch(cpu, &d);
    if (f->call && !desc_conforming(&d) && desc_dpl(&d) < cpl) {
        cpl = desc_dpl(&d);
        gate_inner(cpu, i, gate, cpl, size);
    } else if (f->call) {
        stack_now(cpu, &s);
        push_return(cpu, i, &s, size);
        stack_commit(cpu, &s);
    }
    code_enter(cpu, sel, &d, cpl, off);
    return INSN_JUMP;
}

static int far_system(struct cpu *cpu, const struct insn *i, const struct far *f, struct desc *d)
{
    uint32_t err = f->sel & 0xfffcu;
    unsigned type = desc_type(d), rpl = f->sel & 3u;
    enum task_how how = f->call ? TASK_CALL : TASK_JMP;
    bool known = type == DT_CALL;

    if (!cpu_lma(cpu))
        known |= type == DT_CALL16 || type == DT_TASK || type == DT_TSS || type == DT_TSS16;
    else if ((f->sel & 0xfff8u) + 15u > (f->sel & 4 ? cpu->ldtr.limit : cpu->gdtr.limit))
        known = false;
    if (!known || desc_dpl(d) < cpu->cpl || desc_dpl(d) < rpl)
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
    if (type == DT_CALL || type == DT_CALL16)
        return far_gate(cpu, i, f, d);
    if (type == DT_TASK)
        task_gate(cpu, d, how, 0, rip_next(cpu, i));
    else
        task_switch(cpu, f->sel, how, 0, rip_next(cpu, i));
    return INSN_JUMP;
}

static int far_go(struct cpu *cpu, const struct insn *i, const struct far *f)
{
    struct desc d;
    struct stack s;

    if (cpu_prot(cpu)) {
        if (sel_null(f->sel) || !desc_get(cpu, f->sel, &d))
            cpu_fault_err(cpu, EXC_GP, f->sel & 0xfffcu);
        return desc_system(&d) ? far_system(cpu, i, f, &d) : far_direct(cpu, i, f);
    }
    if (f->off > cpu->seg[SEG_CS].limit)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (f->call) {
        stack_now(cpu, &s);
        push_return(cpu, i, &s, i->opsize);
        stack_commit(cpu, &s);
    }
    code_enter_real(cpu, f->sel, f->off);
    return INSN_JUMP;
}

int sys_jmp_far(struct cpu *cpu, const struct insn *i)
{
    struct far f = {.call = false};

    far_target(cpu, i, &f);
    return far_go(cpu, i, &f);
}

int sys_call_far(struct cpu *cpu, const struct insn *i)
{
    struct far f = {.call = true};

    far_target(cpu, i, &f);
    return far_go(cpu, i, &f);
}

/* ---- RET ---- */

static int ret_outer(struct cpu *cpu, const struct insn *i, struct stack *s, struct ret_to *to)
{
    s->sp = (s->sp + i->imm) & size_mask(s->width);
    to->rsp = stack_pop(cpu, s, i->opsize);
    to->ss = (uint16_t)stack_pop(cpu, s, i->opsize);
    ret_check_ss(cpu, to);
    to->rsp += i->imm;
    ret_go_outer(cpu, to);
    return INSN_JUMP;
}

/* imm: bytes of parameters to drop. */
int sys_ret_far(struct cpu *cpu, const struct insn *i)
{
    struct ret_to to = {0};
    struct stack s;

    stack_now(cpu, &s);
    to.rip = stack_pop(cpu, &s, i->opsize);
    to.cs = (uint16_t)stack_pop(cpu, &s, i->opsize);
    if (!cpu_prot(cpu)) {
        code_enter_real(cpu, to.cs, to.rip);
    } else {
        ret_check_code(cpu, &to);
        if (to.cpl > cpu->cpl)
            return ret_outer(cpu, i, &s, &to);
        code_enter(cpu, to.cs, &to.code, cpu->cpl, to.rip);
    }
    s.sp = (s.sp + i->imm) & size_mask(s.width);
    stack_commit(cpu, &s);
    return INSN_JUMP;
}
