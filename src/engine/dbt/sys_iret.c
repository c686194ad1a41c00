/*
 * IRET in every mode, and the part of far RET that is the same.
 * SDM volume 2, IRET/IRETD/IRETQ; volume 3, 6.14.3 (IRET in 64-bit mode), 20.3.1.4 (to VM86).
 */
#include "engine/dbt/sys_ret.h"

void ret_check_code(struct cpu *cpu, struct ret_to *to)
{
    uint32_t err = to->cs & 0xfffcu;
    struct desc *d = &to->code;
    bool ok;

    to->cpl = to->cs & 3u;
    if (sel_null(to->cs) || !desc_get(cpu, to->cs, d) || !desc_code(d))
        cpu_fault_err(cpu, EXC_GP, err);
    ok = to->cpl >= cpu->cpl;
    ok &= desc_conforming(d) ? desc_dpl(d) <= to->cpl : desc_dpl(d) == to->cpl;
    if (cpu_lma(cpu))
        ok &= (d->hi & 0x600000) != 0x600000;
    if (!ok)
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
    code_check_rip(cpu, d, to->rip, 0);
    desc_touch(cpu, d);
}

/* A null SS is good for 64-bit code that isn't level 3. */
void ret_check_ss(struct cpu *cpu, struct ret_to *to)
{
    bool code64 = cpu_lma(cpu) && (to->code.hi & 0x200000);

    if (sel_null(to->ss)) {
        if (!code64 || to->cpl == 3 || (to->ss & 3u) != to->cpl)
            cpu_fault_err(cpu, EXC_GP, 0);
        to->ss_null = true;
        return;
    }
    ss_check(cpu, to->ss, to->cpl, EXC_GP, 0, &to->stack);
    desc_touch(cpu, &to->stack);
}

void ret_go_outer(struct cpu *cpu, struct ret_to *to)
{
    bool outward = to->cpl > cpu->cpl;
    struct cpu_seg s;
    unsigned width;

    code_enter(cpu, to->cs, &to->code, to->cpl, to->rip);
    if (to->ss_null) {
        seg_put_null(cpu, SEG_SS, to->ss);
    } else {
        s = desc_seg(to->ss, &to->stack);
        seg_put(cpu, SEG_SS, &s);
    }
    width = cpu_code64(cpu) ? 8 : cpu->seg[SEG_SS].attr & SEG_D ? 4 : 2;
    gpr_put(cpu, REG_RSP, width, to->rsp);
    if (outward)
        seg_drop_inner(cpu);
}

/* Flags that IRET may change, by the level before it. */
static uint32_t iret_mask(const struct cpu *cpu, unsigned size)
{
    uint32_t mask = FL_ARITH | FL_TF | FL_DF | FL_NT;

    if (size > 2)
        mask |= FL_RF | FL_AC | FL_ID;
    if (!(cpu->cr0 & CR0_PE) || cpu->cpl <= cpu_iopl(cpu))
        mask |= FL_IF;
    if (!cpu->cpl)
        mask |= FL_IOPL | (size > 2 ? FL_VIF | FL_VIP : 0u);
    return mask;
}

/* All of IRET's ways end here. */
static int iret_done(struct cpu *cpu, uint32_t flags, uint32_t mask)
{
    flags_put(cpu, flags, mask);
    if (cpu->nmi_blocked) {
        cpu->nmi_blocked = false;
        cpu_exit_soon(cpu);
    }
    if (cpu->flags_sys & FL_IF)
        cpu_irq_waits(cpu);
    return INSN_JUMP;
}

/* Five values, as 64-bit mode always pops. */
static void pop5(struct cpu *cpu, unsigned size, uint64_t out[5])
{
    uint64_t sp = cpu->gpr[REG_RSP];
    unsigned room = 0;
    const uint64_t *p;

    if (!lin_canonical(sp) || !lin_canonical(sp + 5 * size - 1))
        cpu_fault_err(cpu, EXC_SS, 0);
    p = size == 8 ? (const uint64_t *)mem_span(cpu, sp, false, cpu_user(cpu), &room) : NULL;
    for (unsigned n = 0; n < 5; n++)
        out[n] = p && room >= 40 ? p[n] : mem_read(cpu, sp + n * size, size, cpu_user(cpu));
}

static int iret64(struct cpu *cpu, const struct insn *i)
{
    uint32_t mask = iret_mask(cpu, i->opsize);
    struct ret_to to = {0};
    uint64_t v[5];

    if (cpu->flags_sys & FL_NT)
        cpu_fault_err(cpu, EXC_GP, 0);
    pop5(cpu, i->opsize, v);
    to.rip = v[0], to.cs = (uint16_t)v[1], to.rsp = v[3], to.ss = (uint16_t)v[4];
    ret_check_code(cpu, &to);
    ret_check_ss(cpu, &to);
    ret_go_outer(cpu, &to);
    return iret_done(cpu, (uint32_t)v[2], mask);
}

static int iret_vm86(struct cpu *cpu, struct stack *s, const struct ret_to *to, uint32_t flags)
{
    static const uint8_t order[4] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint32_t esp = (uint32_t)stack_pop(cpu, s, 4);
    uint16_t ss = (uint16_t)stack_pop(cpu, s, 4), sel[4];

    for (unsigned n = 0; n < 4; n++)
        sel[n] = (uint16_t)stack_pop(cpu, s, 4);
    cpu_set_rflags(cpu, flags);
    cpu->cpl = 3;
    for (unsigned n = 0; n < 4; n++)
        seg_put_real(cpu, order[n], sel[n]);
    seg_put_real(cpu, SEG_CS, to->cs);
    seg_put_real(cpu, SEG_SS, ss);
    cpu->gpr[REG_RSP] = esp;
    cpu->rip = to->rip & 0xffff;
    return iret_done(cpu, flags, 0);
}

static int iret_prot(struct cpu *cpu, const struct insn *i)
{
    uint32_t mask = iret_mask(cpu, i->opsize), flags;
    struct ret_to to = {0};
    struct stack s;

    if (cpu->flags_sys & FL_NT) {
        if (cpu_lma(cpu))
            cpu_fault_err(cpu, EXC_GP, 0);
        task_return(cpu, rip_next(cpu, i));
        return iret_done(cpu, 0, 0);
    }
    stack_now(cpu, &s);
    to.rip = stack_pop(cpu, &s, i->opsize);
    to.cs = (uint16_t)stack_pop(cpu, &s, i->opsize);
    flags = (uint32_t)stack_pop(cpu, &s, i->opsize);
    if (i->opsize == 4 && (flags & FL_VM) && !cpu->cpl && !cpu_lma(cpu))
        return iret_vm86(cpu, &s, &to, flags);
    ret_check_code(cpu, &to);
    if (to.cpl > cpu->cpl) {
        to.rsp = stack_pop(cpu, &s, i->opsize);
        to.ss = (uint16_t)stack_pop(cpu, &s, i->opsize);
        ret_check_ss(cpu, &to);
        ret_go_outer(cpu, &to);
    } else {
        stack_commit(cpu, &s);
        code_enter(cpu, to.cs, &to.code, cpu->cpl, to.rip);
    }
    return iret_done(cpu, flags, mask);
}

static int iret_real(struct cpu *cpu, const struct insn *i)
{
    uint32_t mask = iret_mask(cpu, i->opsize), flags;
    struct stack s;
    uint64_t rip;
    uint16_t sel;

    if (cpu_vm86(cpu)) {
        if (cpu_iopl(cpu) < 3)
            cpu_fault_err(cpu, EXC_GP, 0);
        mask = (mask & ~(uint32_t)FL_IOPL) | FL_IF;
    }
    stack_now(cpu, &s);
    rip = stack_pop(cpu, &s, i->opsize);
    sel = (uint16_t)stack_pop(cpu, &s, i->opsize);
    flags = (uint32_t)stack_pop(cpu, &s, i->opsize);
    code_enter_real(cpu, sel, rip);
    stack_commit(cpu, &s);
    return iret_done(cpu, flags, mask);
}

int sys_iret(struct cpu *cpu, const struct insn *i)
{
    if (!cpu_prot(cpu))
        return iret_real(cpu, i);
    if (i->code_bits == 64)
        return iret64(cpu, i);
    return iret_prot(cpu, i);
}
