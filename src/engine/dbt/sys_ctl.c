/*
 * Control and debug registers, processor control.
 * SDM volume 3, 2.5 (control registers), 4.10.4 (what invalidates the TLB), 17.2 (debug registers);
 * volume 2 for each instruction. PCID, SMEP, SMAP and protection keys are not claimed.
 */
#include "engine/dbt/sys.h"
#include "core/tsc.h"
#include "mem/ram.h"

#define CR0_KNOWN                                                                                  \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD)
#define CR4_KNOWN                                                                                  \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define PHYS_BITS 40 /* as CPUID leaf 0x80000008 says */

int sys_nop(struct cpu *cpu, const struct insn *i)
{
    (void)cpu, (void)i;
    return INSN_NEXT;
}

int sys_ud(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_fault(cpu, EXC_UD);
}

int sys_gp(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_fault_err(cpu, EXC_GP, 0);
}

/* ---- control registers ---- */

/* PAE without long mode reads four entries at CR3; they are judged before anything changes. */
static void pdptes_check(struct cpu *cpu, uint64_t cr3)
{
    const uint64_t reserved = ~(((uint64_t)1 << PHYS_BITS) - 1) | 0x1e6;
    const uint8_t *p = ram_ptr(cpu->env->ram, cr3 & 0xffffffe0, 32);

    for (unsigned n = 0; p && n < 4; n++) {
        uint64_t e = le64_get(p + n * 8);

        if ((e & 1) && (e & reserved))
            cpu_fault_err(cpu, EXC_GP, 0);
    }
}

static bool pae_legacy(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

static void cr0_check(struct cpu *cpu, uint64_t v)
{
    bool bad = v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD));

    if ((v & CR0_PG) && !(cpu->cr0 & CR0_PG) && (cpu->efer & EFER_LME))
        bad |= !(cpu->cr4 & CR4_PAE) || (cpu->seg[SEG_CS].attr & SEG_L);
    if (!(v & CR0_PG) && (cpu->cr0 & CR0_PG))
        bad |= cpu_code64(cpu);
    if (bad)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (pae_legacy(v, cpu->cr4, cpu->efer) && !(cpu->cr0 & CR0_PG))
        pdptes_check(cpu, cpu->cr3);
}

static int cr0_put(struct cpu *cpu, const struct insn *i, uint64_t v)
{
    uint64_t old = cpu->cr0, changed;

    cr0_check(cpu, v);
    v = (v & (CR0_KNOWN | CR0_PG)) | CR0_ET;
    changed = old ^ v;
    cpu->cr0 = v;
    if (changed & CR0_PG) {
        if ((v & CR0_PG) && (cpu->efer & EFER_LME))
            cpu->efer |= EFER_LMA;
        else
            cpu->efer &= ~(uint64_t)EFER_LMA;
        if (pae_legacy(v, cpu->cr4, cpu->efer))
            mmu_load_pdptes(cpu);
    }
    if (changed & (CR0_PG | CR0_WP | CR0_PE))
        mmu_flush(cpu, true);
    return changed ? insn_leave(cpu, i) : INSN_NEXT;
}

static int cr3_put(struct cpu *cpu, const struct insn *i, uint64_t v)
{
    if (cpu_lma(cpu) && v >> PHYS_BITS)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (pae_legacy(cpu->cr0, cpu->cr4, cpu->efer))
        pdptes_check(cpu, v);
    cpu->cr3 = v;
    if (pae_legacy(cpu->cr0, cpu->cr4, cpu->efer))
        mmu_load_pdptes(cpu);
    mmu_flush(cpu, false);
    return insn_leave(cpu, i);
}

static int cr4_put(struct cpu *cpu, const struct insn *i, uint64_t v)
{
    uint64_t changed = cpu->cr4 ^ v;

    if ((v & ~(uint64_t)CR4_KNOWN) || (cpu_lma(cpu) && !(v & CR4_PAE)))
        cpu_fault_err(cpu, EXC_GP, 0);
    if (pae_legacy(cpu->cr0, v, cpu->efer) && (changed & CR4_PAE))
        pdptes_check(cpu, cpu->cr3);
    cpu->cr4 = v;
    if (pae_legacy(cpu->cr0, v, cpu->efer) && (changed & CR4_PAE))
        mmu_load_pdptes(cpu);
    if (changed & (CR4_PSE | CR4_PAE | CR4_PGE))
        mmu_flush(cpu, true);
    return changed ? insn_leave(cpu, i) : INSN_NEXT;
}

static int cr8_put(struct cpu *cpu, const struct insn *i, uint64_t v)
{
    if (v > 15)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (!cpu->env->intr)
        return INSN_NEXT;
    cpu_vec_save(cpu); /* foreign code, as in sys_msr.c */
    cpu->env->intr->set_tpr(cpu->env->intr_ctl, cpu->index, (unsigned)v);
    if ((cpu->flags_sys & FL_IF) && cpu_irq_waits(cpu))
        return insn_leave(cpu, i);
    return INSN_NEXT;
}

int sys_mov_to_cr(struct cpu *cpu, const struct insn *i)
{
    uint64_t v = cpu->gpr[i->rm];

    need_cpl0(cpu);
    if (i->code_bits != 64)
        v = (uint32_t)v;
    switch (i->reg) {
    case 0: return cr0_put(cpu, i, v);
    case 2: cpu->cr2 = v; return INSN_NEXT;
    case 3: return cr3_put(cpu, i, v);
    case 4: return cr4_put(cpu, i, v);
    case 8: return cr8_put(cpu, i, v);
    }
    cpu_fault(cpu, EXC_UD);
}

int sys_mov_from_cr(struct cpu *cpu, const struct insn *i)
{
    uint64_t v = 0;

    need_cpl0(cpu);
    switch (i->reg) {
    case 0: v = cpu->cr0; break;
    case 2: v = cpu->cr2; break;
    case 3: v = cpu->cr3; break;
    case 4: v = cpu->cr4; break;
    case 8:
        cpu_vec_save(cpu);
        if (cpu->env->intr)
            v = cpu->env->intr->tpr(cpu->env->intr_ctl, cpu->index) & 15;
        break;
    default: cpu_fault(cpu, EXC_UD);
    }
    gpr_put(cpu, i->rm, i->code_bits == 64 ? 8 : 4, v);
    return INSN_NEXT;
}

int sys_lmsw(struct cpu *cpu, const struct insn *i)
{
    uint64_t v;

    need_cpl0(cpu);
    v = op_read(cpu, i, 2) & 15;
    v |= cpu->cr0 & CR0_PE; /* LMSW can't leave protected mode */
    return cr0_put(cpu, i, (cpu->cr0 & ~(uint64_t)15) | v);
}

int sys_smsw(struct cpu *cpu, const struct insn *i)
{
    op_write(cpu, i, i->mem ? 2 : i->opsize, cpu->cr0);
    return INSN_NEXT;
}

int sys_clts(struct cpu *cpu, const struct insn *i)
{
    need_cpl0(cpu);
    if (!(cpu->cr0 & CR0_TS))
        return INSN_NEXT;
    cpu->cr0 &= ~(uint64_t)CR0_TS;
    return insn_leave(cpu, i);
}

/* ---- debug registers ---- */

static unsigned dr_number(struct cpu *cpu, const struct insn *i)
{
    unsigned n = i->reg;

    need_cpl0(cpu);
    if (n > 7 || ((n == 4 || n == 5) && (cpu->cr4 & CR4_DE)))
        cpu_fault(cpu, EXC_UD);
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        cpu_fault(cpu, EXC_DB);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

int sys_mov_from_dr(struct cpu *cpu, const struct insn *i)
{
    unsigned n = dr_number(cpu, i);

    gpr_put(cpu, i->rm, i->code_bits == 64 ? 8 : 4, cpu->dr[n]);
    return INSN_NEXT;
}

int sys_mov_to_dr(struct cpu *cpu, const struct insn *i)
{
    unsigned n = dr_number(cpu, i);
    uint64_t v = cpu->gpr[i->rm];

    if (i->code_bits != 64)
        v = (uint32_t)v;
    if (n >= 6 && v >> 32)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (n == 6)
        v = (v & 0xe00f) | 0xffff0ff0;
    if (n == 7)
        v = (v & 0xffff2bff) | 0x400;
    if (cpu->dr[n] == v)
        return INSN_NEXT;
    cpu->dr[n] = v;
    mmu_flush(cpu, true);      /* watched pages are not cached */
    return insn_leave(cpu, i); /* breakpoints may have changed */
}

/* ---- caches, TLB, waiting, time ---- */

int sys_invlpg(struct cpu *cpu, const struct insn *i)
{
    uint64_t lin = op_offset(cpu, i);

    need_cpl0(cpu);
    if (!cpu_code64(cpu))
        lin = (uint32_t)(lin + cpu->seg[i->seg].base);
    else if (i->seg >= SEG_FS)
        lin += cpu->seg[i->seg].base;
    if (lin_canonical(lin))
        mmu_flush_page(cpu, lin);
    return INSN_NEXT;
}

int sys_wbinvd(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    need_cpl0(cpu);
    return INSN_NEXT;
}

int sys_hlt(struct cpu *cpu, const struct insn *i)
{
    need_cpl0(cpu);
    cpu->shadow = false; /* of an STI before it: ends with this instruction */
    cpu->halted = true;
    cpu->shadow = false; /* of an sti before it: over, or the wake-up would be held back for ever */
    return insn_leave(cpu, i);
}

/* The loop is late: its timers fire here, so that a guest that counts ticks while it watches the
 * time finds as many as the time says. */
static int catch_up(struct cpu *cpu, const struct insn *i)
{
    cpu_vec_save(cpu); /* devices are compiled with SSE */
    cpu->env->catch_up(cpu->env->late_ctx);
    return insn_leave(cpu, i);
}

int sys_rdtsc(struct cpu *cpu, const struct insn *i)
{
    const uint64_t *late = cpu->env->late;
    uint64_t t, host;

    if (cpu->cpl && (cpu->cr4 & CR4_TSD))
        cpu_fault_err(cpu, EXC_GP, 0);
    host = tsc_read();
    t = host + cpu->tsc_offset;
    cpu->gpr[REG_RAX] = (uint32_t)t;
    cpu->gpr[REG_RDX] = t >> 32;
    if (late && __builtin_expect(host > __atomic_load_n(late, __ATOMIC_RELAXED), 0))
        return catch_up(cpu, i);
    return INSN_NEXT;
}

int sys_rdtscp(struct cpu *cpu, const struct insn *i)
{
    int end = sys_rdtsc(cpu, i);

    cpu->gpr[REG_RCX] = (uint32_t)cpu->tsc_aux;
    return end;
}

int sys_swapgs(struct cpu *cpu, const struct insn *i)
{
    uint64_t base = cpu->seg[SEG_GS].base;

    if (i->code_bits != 64)
        cpu_fault(cpu, EXC_UD);
    need_cpl0(cpu);
    cpu->seg[SEG_GS].base = cpu->kernel_gs_base;
    cpu->kernel_gs_base = base;
    return INSN_NEXT;
}

/* VMCALL and VMMCALL: the number in RAX, arguments in RBX RCX RDX RSI RDI, the result in RAX. */
int sys_hcall(struct cpu *cpu, const struct insn *i)
{
    static const uint8_t order[6] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI};
    struct trap t = {.kind = TRAP_HCALL, .count = 1};

    (void)i;
    need_cpl0(cpu);
    for (unsigned n = 0; n < 6; n++)
        t.hcall[n] = cpu->gpr[order[n]];
    cpu_trap(cpu, &t);
    cpu->gpr[REG_RAX] = t.hcall[0];
    return INSN_NEXT;
}
