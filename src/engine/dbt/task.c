/*
 * Hardware task switches, 16- and 32-bit TSS, outside long mode. SDM volume 3, chapter 7: 7.3 (the
 * steps and their order), table 7-1 (checks), 7.4 (linking).
 */
#include "engine/dbt/sys.h"

struct tss_regs {
    uint32_t cr3, eip, eflags, gpr[8], seg[6], ldt;
    bool trap;
};

/* Where the fields are: 32-bit, 16-bit. */
enum {
    TSS32_CR3 = 28,
    TSS32_EIP = 32,
    TSS32_GPR = 40,
    TSS32_SEG = 72,
    TSS32_LDT = 96,
    TSS32_T = 100,
    TSS16_IP = 14,
    TSS16_GPR = 18,
    TSS16_SEG = 34,
    TSS16_LDT = 42
};

static uint32_t rd(struct cpu *cpu, uint64_t base, unsigned at, unsigned size)
{
    return (uint32_t)mem_read(cpu, (uint32_t)(base + at), size, false);
}

static void wr(struct cpu *cpu, uint64_t base, unsigned at, unsigned size, uint32_t val)
{
    mem_write(cpu, (uint32_t)(base + at), size, val & size_mask(size), false);
}

static void tss_save(struct cpu *cpu, uint32_t eip, uint32_t eflags)
{
    bool wide = cpu->tr.attr & 8;
    uint64_t base = cpu->tr.base;
    unsigned n = wide ? 4 : 2;

    wr(cpu, base, wide ? TSS32_EIP : TSS16_IP, n, eip);
    wr(cpu, base, (wide ? TSS32_EIP : TSS16_IP) + n, n, eflags);
    for (unsigned r = 0; r < 8; r++)
        wr(cpu, base, (wide ? TSS32_GPR : TSS16_GPR) + r * n, n, (uint32_t)cpu->gpr[r]);
    for (unsigned s = 0; s < (wide ? 6u : 4u); s++)
        wr(cpu, base, (wide ? TSS32_SEG : TSS16_SEG) + s * n, 2, cpu->seg[s].sel);
}

static void tss_load(struct cpu *cpu, uint64_t base, bool wide, struct tss_regs *t)
{
    unsigned n = wide ? 4 : 2;

    t->cr3 = wide ? rd(cpu, base, TSS32_CR3, 4) : (uint32_t)cpu->cr3;
    t->eip = rd(cpu, base, wide ? TSS32_EIP : TSS16_IP, n);
    t->eflags = rd(cpu, base, (wide ? TSS32_EIP : TSS16_IP) + n, n);
    for (unsigned r = 0; r < 8; r++)
        t->gpr[r] =
            rd(cpu, base, (wide ? TSS32_GPR : TSS16_GPR) + r * n, n) | (wide ? 0 : 0xffff0000u);
    for (unsigned s = 0; s < 6; s++)
        t->seg[s] = wide || s < 4 ? rd(cpu, base, (wide ? TSS32_SEG : TSS16_SEG) + s * n, 2) : 0;
    t->ldt = rd(cpu, base, wide ? TSS32_LDT : TSS16_LDT, 2);
    t->trap = wide && (rd(cpu, base, TSS32_T, 2) & 1);
}

static void busy_put(struct cpu *cpu, struct desc *d, bool busy)
{
    uint32_t hi = busy ? d->hi | 0x200 : d->hi & ~0x200u;

    mem_write(cpu, d->lin + 5, 1, hi >> 8 & 0xff, false);
}

static void target_check(struct cpu *cpu, uint16_t sel, enum task_how how, unsigned ext,
                         struct desc *d)
{
    uint8_t vec = how == TASK_IRET ? EXC_TS : EXC_GP;
    uint32_t err = (sel & 0xfffcu) | ext;
    unsigned type;

    if ((sel & 4) || !desc_get(cpu, sel, d) || !desc_system(d))
        cpu_fault_err(cpu, vec, err);
    type = desc_type(d);
    if (how == TASK_IRET ? type != DT_TSS_BUSY && type != DT_TSS16_BUSY
                         : type != DT_TSS && type != DT_TSS16)
        cpu_fault_err(cpu, vec, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
    if (desc_limit(d) < (type & 8 ? 103u : 43u))
        cpu_fault_err(cpu, EXC_TS, err);
}

/* ---- the new task's segments: faults from here on belong to it ---- */

static void ldt_load(struct cpu *cpu, uint16_t sel, unsigned ext)
{
    uint32_t err = (sel & 0xfffcu) | ext;
    struct desc d;

    cpu->ldtr = (struct cpu_seg){.sel = sel};
    if (sel_null(sel))
        return;
    if ((sel & 4) || !desc_get(cpu, sel, &d) || !desc_system(&d) || desc_type(&d) != DT_LDT ||
        !desc_present(&d))
        cpu_fault_err(cpu, EXC_TS, err);
    cpu->ldtr = desc_seg(sel, &d);
}

static void code_load(struct cpu *cpu, uint16_t sel, uint32_t eip, unsigned ext)
{
    uint32_t err = (sel & 0xfffcu) | ext;
    unsigned rpl = sel & 3u;
    struct desc d;

    if (sel_null(sel) || !desc_get(cpu, sel, &d) || !desc_code(&d))
        cpu_fault_err(cpu, EXC_TS, err);
    if (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl)
        cpu_fault_err(cpu, EXC_TS, err);
    if (!desc_present(&d))
        cpu_fault_err(cpu, EXC_NP, err);
    code_enter(cpu, sel, &d, rpl, eip);
}

static void data_load(struct cpu *cpu, unsigned seg, uint16_t sel, unsigned ext)
{
    uint32_t err = (sel & 0xfffcu) | ext;
    unsigned rpl = sel & 3u, level = rpl > cpu->cpl ? rpl : cpu->cpl;
    struct cpu_seg s;
    struct desc d;

    seg_put_null(cpu, seg, sel);
    if (sel_null(sel))
        return;
    if (!desc_get(cpu, sel, &d) || desc_system(&d) || (desc_code(&d) && !(d.hi & 0x200)))
        cpu_fault_err(cpu, EXC_TS, err);
    if (!(desc_code(&d) && desc_conforming(&d)) && desc_dpl(&d) < level)
        cpu_fault_err(cpu, EXC_TS, err);
    if (!desc_present(&d))
        cpu_fault_err(cpu, EXC_NP, err);
    desc_touch(cpu, &d);
    s = desc_seg(sel, &d);
    seg_put(cpu, seg, &s);
}

static void segs_load(struct cpu *cpu, const struct tss_regs *t, unsigned ext)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct cpu_seg s;
    struct desc d;

    ldt_load(cpu, (uint16_t)t->ldt, ext);
    if (cpu_vm86(cpu)) {
        cpu->cpl = 3;
        for (unsigned n = 0; n < 6; n++)
            seg_put_real(cpu, n, (uint16_t)t->seg[n]);
        return;
    }
    for (unsigned n = 0; n < 6; n++) /* until each is checked it is unusable */
        seg_put_null(cpu, n, (uint16_t)t->seg[n]);
    cpu->cpl = t->seg[SEG_CS] & 3;
    code_load(cpu, (uint16_t)t->seg[SEG_CS], t->eip, ext);
    ss_check(cpu, (uint16_t)t->seg[SEG_SS], cpu->cpl, EXC_TS, ext, &d);
    desc_touch(cpu, &d);
    s = desc_seg((uint16_t)t->seg[SEG_SS], &d);
    seg_put(cpu, SEG_SS, &s);
    for (unsigned n = 0; n < ARRAY_LEN(data); n++)
        data_load(cpu, data[n], (uint16_t)t->seg[data[n]], ext);
    if (cpu->rip > cpu->seg[SEG_CS].limit)
        cpu_fault_err(cpu, EXC_GP, ext);
}

static void regs_load(struct cpu *cpu, const struct tss_regs *t)
{
    for (unsigned r = 0; r < 8; r++)
        cpu->gpr[r] = t->gpr[r];
    cpu->rip = t->eip;
    cpu_set_rflags(cpu, t->eflags);
    cpu->dr[7] &= ~(uint64_t)0x55; /* local breakpoints end with the task */
    cpu->cr0 |= CR0_TS;
    if ((cpu->cr0 & CR0_PG) && t->cr3 != cpu->cr3) {
        cpu->cr3 = t->cr3;
        if (cpu->cr4 & CR4_PAE)
            mmu_load_pdptes(cpu);
        mmu_flush(cpu, false);
    }
}

void task_switch(struct cpu *cpu, uint16_t sel, enum task_how how, unsigned ext,
                 uint64_t return_rip)
{
    uint32_t eflags = cpu_rflags(cpu);
    bool nested = how == TASK_CALL || how == TASK_INT;
    struct desc to, from;
    struct tss_regs t;
    bool wide;

    target_check(cpu, sel, how, ext, &to);
    wide = desc_type(&to) & 8;
    if (!desc_get(cpu, cpu->tr.sel, &from) || cpu->tr.limit < (cpu->tr.attr & 8 ? 103u : 43u))
        cpu_fault_err(cpu, EXC_TS, (cpu->tr.sel & 0xfffcu) | ext);
    tss_load(cpu, desc_base(&to), wide, &t);
    mem_probe_write(cpu, (uint32_t)cpu->tr.base, cpu->tr.attr & 8 ? 104 : 44, false);
    if (how == TASK_IRET)
        eflags &= ~(uint32_t)FL_NT;
    if (!nested)
        busy_put(cpu, &from, false);
    tss_save(cpu, (uint32_t)return_rip, eflags);
    if (nested) {
        wr(cpu, desc_base(&to), 0, 2, cpu->tr.sel);
        t.eflags |= FL_NT;
    }
    if (how != TASK_IRET)
        busy_put(cpu, &to, true);
    cpu->tr = desc_seg(sel, &to);
    cpu->tr.attr |= 2;
    regs_load(cpu, &t);
    segs_load(cpu, &t, ext);
    if (t.trap) {
        cpu->dr[6] |= 1u << 15; /* BT */
        cpu_fault(cpu, EXC_DB);
    }
}

void task_gate(struct cpu *cpu, const struct desc *gate, enum task_how how, unsigned ext,
               uint64_t return_rip)
{
    task_switch(cpu, (uint16_t)(gate->lo >> 16), how, ext, return_rip);
}

/* IRET with NT: back to the task whose selector is in our TSS. */
void task_return(struct cpu *cpu, uint64_t return_rip)
{
    uint16_t back = (uint16_t)rd(cpu, cpu->tr.base, 0, 2);

    task_switch(cpu, back, TASK_IRET, 0, return_rip);
}
