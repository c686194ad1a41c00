/*
 * Descriptors and what loading a segment register checks.
 * SDM volume 3, 3.4.5 (segment descriptors), 5.5-5.8 (privilege checks); volume 2, MOV and POP.
 */
#include "engine/dbt/sys.h"

bool desc_get(struct cpu *cpu, uint16_t sel, struct desc *d)
{
    uint64_t base = cpu->gdtr.base, raw;
    uint32_t limit = cpu->gdtr.limit, at = sel & 0xfff8u;

    if (sel_null(sel))
        return false;
    if (sel & 4) {
        if (!(cpu->ldtr.attr & SEG_P))
            return false;
        base = cpu->ldtr.base;
        limit = cpu->ldtr.limit;
    }
    if (at + 7 > limit)
        return false;
    d->lin = base + at;
    if (!cpu_lma(cpu))
        d->lin = (uint32_t)d->lin;
    raw = mem_read(cpu, d->lin, 8, false);
    d->lo = (uint32_t)raw;
    d->hi = (uint32_t)(raw >> 32);
    return true;
}

uint32_t desc_limit(const struct desc *d)
{
    uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

    return d->hi & 0x800000 ? limit << 12 | 0xfff : limit;
}

uint32_t desc_base(const struct desc *d)
{
    return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);
}

/* The base of an LDT or TSS descriptor; in long mode it continues in the next 8 bytes. */
uint64_t desc_base_high(struct cpu *cpu, uint16_t sel, const struct desc *d)
{
    uint64_t base = desc_base(d), more;

    if (!cpu_lma(cpu))
        return base;
    if ((sel & 0xfff8u) + 15u > cpu->gdtr.limit)
        cpu_fault_err(cpu, EXC_GP, sel & 0xfffcu);
    more = mem_read(cpu, d->lin + 8, 8, false);
    base |= more << 32;
    if ((more >> 32 & 0x1f00) || !lin_canonical(base))
        cpu_fault_err(cpu, EXC_GP, sel & 0xfffcu);
    return base;
}

void desc_touch(struct cpu *cpu, struct desc *d)
{
    if (d->hi & 0x100)
        return;
    d->hi |= 0x100;
    mem_write(cpu, d->lin + 5, 1, (d->hi >> 8) & 0xff, false);
}

struct cpu_seg desc_seg(uint16_t sel, const struct desc *d)
{
    return (struct cpu_seg){
        .sel = sel,
        .attr = (uint16_t)((d->hi >> 8) & 0xf0ff),
        .limit = desc_limit(d),
        .base = desc_base(d),
    };
}

void seg_put(struct cpu *cpu, unsigned seg, const struct cpu_seg *s)
{
    cpu->seg[seg] = *s;
}

/* A null selector: unusable, but a stack segment in 64-bit mode keeps its level and its use. */
void seg_put_null(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    struct cpu_seg s = {.sel = sel};

    if (seg == SEG_SS)
        s.attr = (uint16_t)((sel & 3u) << 5 | SEG_S | SEG_W | SEG_A);
    seg_put(cpu, seg, &s);
}

/* Real mode changes selector and base only; VM86 has fixed limits and rights. */
void seg_put_real(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    struct cpu_seg s = cpu->seg[seg];

    s.sel = sel;
    s.base = (uint32_t)sel << 4;
    if (cpu_vm86(cpu)) {
        s.limit = 0xffff;
        s.attr = 0xf3;
    } else {
        s.attr = (uint16_t)((s.attr & (SEG_D | SEG_G)) | 0x93);
    }
    seg_put(cpu, seg, &s);
}

void ss_check(struct cpu *cpu, uint16_t sel, unsigned cpl, uint8_t vec, unsigned ext,
              struct desc *d)
{
    uint32_t err = (sel & 0xfffcu) | ext;

    if (sel_null(sel) || !desc_get(cpu, sel, d))
        cpu_fault_err(cpu, vec, err);
    if ((sel & 3u) != cpl || desc_dpl(d) != cpl || !desc_data_writable(d))
        cpu_fault_err(cpu, vec, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_SS, err);
}

static void data_check(struct cpu *cpu, uint16_t sel, struct desc *d)
{
    uint32_t err = sel & 0xfffcu;
    unsigned rpl = sel & 3u, level = rpl > cpu->cpl ? rpl : cpu->cpl;

    if (!desc_get(cpu, sel, d) || desc_system(d))
        cpu_fault_err(cpu, EXC_GP, err);
    if (desc_code(d) && !(d->hi & 0x200))
        cpu_fault_err(cpu, EXC_GP, err); /* execute-only */
    if (!(desc_code(d) && desc_conforming(d)) && desc_dpl(d) < level)
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
}

void seg_load(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    struct desc d;
    struct cpu_seg s;

    if (!cpu_prot(cpu)) {
        seg_put_real(cpu, seg, sel);
        return;
    }
    if (sel_null(sel)) {
        if (seg == SEG_SS && !(cpu_code64(cpu) && cpu->cpl < 3 && (sel & 3u) == cpu->cpl))
            cpu_fault_err(cpu, EXC_GP, 0);
        seg_put_null(cpu, seg, sel);
        return;
    }
    if (seg == SEG_SS)
        ss_check(cpu, sel, cpu->cpl, EXC_GP, 0, &d);
    else
        data_check(cpu, sel, &d);
    desc_touch(cpu, &d);
    s = desc_seg(sel, &d);
    seg_put(cpu, seg, &s);
}

void seg_drop_inner(struct cpu *cpu)
{
    static const uint8_t which[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned n = 0; n < ARRAY_LEN(which); n++) {
        const struct cpu_seg *s = &cpu->seg[which[n]];
        bool conforming = (s->attr & (SEG_X | SEG_C)) == (SEG_X | SEG_C);

        if (sel_null(s->sel)) {
            /* A null FS or GS in long mode keeps the base its MSR gave it. */
            continue;
        }
        if (!conforming && SEG_DPL_GET(s->attr) < cpu->cpl)
            seg_put_null(cpu, which[n], 0);
    }
}

void cs_put_flat(struct cpu *cpu, uint16_t sel, unsigned cpl, bool code64)
{
    cpu->seg[SEG_CS] = (struct cpu_seg){
        .sel = sel,
        .attr = (uint16_t)(cpl << 5 | 0x9b | SEG_G | (code64 ? SEG_L : SEG_D)),
        .limit = 0xffffffff,
    };
    cpu->cpl = (uint8_t)cpl;
}

void ss_put_flat(struct cpu *cpu, uint16_t sel, unsigned cpl)
{
    cpu->seg[SEG_SS] = (struct cpu_seg){
        .sel = sel,
        .attr = (uint16_t)(cpl << 5 | 0x93 | SEG_G | SEG_D),
        .limit = 0xffffffff,
    };
}
