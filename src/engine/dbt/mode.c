/*
 * The mode key and what generated code of legacy modes needs to know of segments; the jump cache's
 * housekeeping. Called whenever a system instruction may have changed any of it.
 */
#include "engine/dbt/dbt.h"

/* Offsets that may be accessed through a segment: reads [lo, end), writes [lo, wend); end 0 refuses
 * everything. Intel SDM volume 3, section 5.3. */
static void seg_bounds(struct cpu *cpu, unsigned i, bool real)
{
    const struct cpu_seg *s = &cpu->seg[i];
    uint64_t lo = 0, end = (uint64_t)s->limit + 1;
    bool code = s->attr & SEG_X, usable = real || (s->attr & SEG_P);
    if (!code && (s->attr & SEG_E)) {
        lo = end;
        end = s->attr & SEG_D ? 1ull << 32 : 0x10000;
    }
    cpu->seg_lo[i] = lo;
    cpu->seg_end[i] = usable && (real || !code || (s->attr & SEG_R)) ? end : 0;
    cpu->seg_wend[i] = usable && (real || (!code && (s->attr & SEG_W))) ? end : 0;
}

static bool seg_flat(const struct cpu_seg *s)
{
    return s->base == 0 && s->limit == UINT32_MAX && (s->attr & SEG_P) && !(s->attr & SEG_X) &&
           (s->attr & SEG_W) && !(s->attr & SEG_E);
}

static uint32_t legacy_mode(struct cpu *cpu)
{
    uint32_t m = MODE_LEGACY_SEG;
    bool real = !(cpu->cr0 & CR0_PE) || (cpu->flags_sys & FL_VM);
    if (real)
        m |= MODE_REAL;
    if (cpu->seg[SEG_CS].attr & SEG_D && !(cpu->flags_sys & FL_VM))
        m |= MODE_32;
    if (cpu->seg[SEG_SS].attr & SEG_D && !(cpu->flags_sys & FL_VM))
        m |= MODE_SS32;
    if (seg_flat(&cpu->seg[SEG_ES]) && seg_flat(&cpu->seg[SEG_SS]) && seg_flat(&cpu->seg[SEG_DS]))
        m |= MODE_FLAT;
    for (unsigned i = 0; i < 6; i++)
        seg_bounds(cpu, i, real);
    return m;
}

void cpu_mode_update(struct cpu *cpu)
{
    bool lma = cpu->efer & EFER_LMA;
    uint32_t m;
    if (lma && (cpu->seg[SEG_CS].attr & SEG_L)) {
        m = MODE_KERNEL64;
        cpu->cs_base = 0;
    } else {
        m = legacy_mode(cpu);
        cpu->cs_base = cpu->seg[SEG_CS].base;
    }
    if (cpu->cpl == 3)
        m |= MODE_USER;
    if (cpu->cr0 & CR0_EM)
        m |= MODE_EM;
    if (cpu->cr0 & CR0_TS)
        m |= MODE_NM | (cpu->cr0 & CR0_MP ? (uint32_t)MODE_FPWAIT : 0u);
    if (!(cpu->cr4 & CR4_OSFXSR))
        m |= MODE_NOSSE;
    if (cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->flags_sys & FL_AC))
        m |= MODE_AC;
    if ((cpu->flags_sys & FL_TF) || (cpu->dr[7] & 0xff))
        m |= MODE_STEP;
    cpu->mode = m;
    if (jc_slot(m) == 2 && (cpu->jc_other_mode != m || cpu->jc_other_base != cpu->cs_base)) {
        for (unsigned i = 0; i < JC_SETS; i++)
            cpu->jc[2][i].rip = i ? 0 : 1;
        cpu->jc_other_mode = m;
        cpu->jc_other_base = cpu->cs_base;
    }
}

unsigned jc_slot(uint32_t mode)
{
    mode &= ~(uint32_t)MODE_NOGROUP;
    return mode == MODE_KERNEL64 ? 0 : mode == MODE_USER64 ? 1 : 2;
}

/* An empty entry holds a RIP of another set. */
static void jc_clear(struct cpu *cpu, unsigned slot, unsigned i)
{
    cpu->jc[slot][i].rip = i ? 0 : 1;
}

void jc_flush(struct cpu *cpu, bool global)
{
    if (global || cpu->jc_listed > FLUSH_LIST) {
        for (unsigned s = 0; s < 3; s++)
            for (unsigned i = 0; i < JC_SETS; i++)
                jc_clear(cpu, s, i);
        for (unsigned i = 0; global && i < ARRAY_LEN(cpu->exec_filter); i++)
            cpu->exec_filter[i] = 0;
    } else {
        for (unsigned i = 0; i < cpu->jc_listed; i++)
            jc_clear(cpu, cpu->jc_list[i] >> JC_BITS, cpu->jc_list[i] & (JC_SETS - 1));
    }
    cpu->jc_listed = 0;
}

void jc_drop(struct cpu *cpu, uint64_t rip)
{
    for (unsigned s = 0; s < 3; s++)
        if (cpu->jc[s][jc_index(rip)].rip == rip)
            jc_clear(cpu, s, jc_index(rip));
}
