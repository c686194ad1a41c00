/*
 * Operands of system instructions: effective addresses, segment checks, stacks.
 * SDM volume 3, 5.3 (limit checking), 5.4 (type checking); volume 1, 3.3.7.1 (canonical addresses).
 */
#include "engine/dbt/sys.h"

uint64_t op_offset(const struct cpu *cpu, const struct insn *i)
{
    uint64_t a = (uint64_t)i->disp;

    if (i->base < 16)
        a += cpu->gpr[i->base];
    if (i->index < 16)
        a += cpu->gpr[i->index] * i->scale;
    return a & size_mask(i->addrsize);
}

/* Is [off, off+size) inside the segment's limits? Expand-down segments hold what is above. */
static bool limit_ok(const struct cpu_seg *s, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;

    if ((s->attr & (SEG_X | SEG_E)) == SEG_E)
        return off > s->limit && last <= (s->attr & SEG_D ? 0xffffffffu : 0xffffu);
    return last <= s->limit;
}

static bool access_ok(const struct cpu_seg *s, bool write)
{
    if (!(s->attr & SEG_P))
        return false; /* a null selector was loaded */
    if (write)
        return (s->attr & (SEG_X | SEG_W)) == SEG_W;
    return (s->attr & (SEG_X | SEG_R)) != SEG_X;
}

_Noreturn static void seg_fault(struct cpu *cpu, unsigned seg)
{
    cpu_fault_err(cpu, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

/* #AC: Intel SDM volume 3, section 6.15. */
static uint64_t aligned(struct cpu *cpu, uint64_t lin, unsigned to)
{
    if (cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->flags_sys & FL_AC) && (lin & (to - 1)))
        cpu_fault_err(cpu, EXC_AC, 0);
    return lin;
}

static uint64_t seg_addr(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size, bool write)
{
    const struct cpu_seg *s = &cpu->seg[seg];
    uint64_t lin;

    if (cpu_code64(cpu)) {
        lin = seg >= SEG_FS ? s->base + off : off;
        if (!lin_canonical(lin) || !lin_canonical(lin + size - 1))
            seg_fault(cpu, seg);
        return lin;
    }
    if (!access_ok(s, write) || !limit_ok(s, off, size))
        seg_fault(cpu, seg);
    return (uint32_t)(s->base + off);
}

uint64_t seg_lin(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size, bool write)
{
    uint64_t lin = seg_addr(cpu, seg, off, size, write);

    return aligned(cpu, lin, size == 2 || size == 4 || size == 8 ? size : 1);
}

uint64_t op_lin_of(struct cpu *cpu, const struct insn *i, unsigned size, bool write, unsigned unit)
{
    return aligned(cpu, seg_addr(cpu, i->seg, op_offset(cpu, i), size, write), unit);
}

uint64_t op_lin(struct cpu *cpu, const struct insn *i, unsigned size, bool write)
{
    return seg_lin(cpu, i->seg, op_offset(cpu, i), size, write);
}

uint64_t op_read(struct cpu *cpu, const struct insn *i, unsigned size)
{
    if (!i->mem)
        return cpu->gpr[i->rm] & size_mask(size);
    return mem_read(cpu, op_lin(cpu, i, size, false), size, cpu_user(cpu));
}

void op_write(struct cpu *cpu, const struct insn *i, unsigned size, uint64_t val)
{
    if (i->mem)
        mem_write(cpu, op_lin(cpu, i, size, true), size, val, cpu_user(cpu));
    else
        gpr_put(cpu, i->rm, size, val);
}

static void bytes_move(void *dst, const void *src, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* Blocks are at most 512 bytes (FXSAVE), so two page runs. Piecewise for MMIO. */
void lin_read(struct cpu *cpu, uint64_t lin, void *buf, unsigned len, bool user)
{
    uint8_t *out = buf;

    while (len) {
        unsigned room = 0, n = len;
        const uint8_t *p = mem_span(cpu, lin, false, user, &room);

        if (p) {
            n = room < len ? room : len;
            bytes_move(out, p, n);
        } else {
            n = 1;
            *out = (uint8_t)mem_read(cpu, lin, 1, user);
        }
        lin += n, out += n, len -= n;
    }
}

void lin_write(struct cpu *cpu, uint64_t lin, const void *buf, unsigned len, bool user)
{
    const uint8_t *in = buf;

    mem_probe_write(cpu, lin, len, user);
    while (len) {
        unsigned room = 0, n;
        uint8_t *p = mem_span(cpu, lin, true, user, &room);

        if (p) {
            n = room < len ? room : len;
            bytes_move(p, in, n);
        } else {
            n = 1;
            mem_write(cpu, lin, 1, *in, user);
        }
        lin += n, in += n, len -= n;
    }
}

/* ---- stacks ---- */

void stack_now(const struct cpu *cpu, struct stack *s)
{
    s->ss = cpu->seg[SEG_SS];
    s->width = cpu_code64(cpu) ? 8 : s->ss.attr & SEG_D ? 4 : 2;
    s->sp = cpu->gpr[REG_RSP] & size_mask(s->width);
    s->user = cpu_user(cpu);
    s->err = 0;
}

uint64_t stack_lin(struct cpu *cpu, const struct stack *s, uint64_t sp, unsigned size)
{
    if (s->width == 8) {
        if (!lin_canonical(sp) || !lin_canonical(sp + size - 1))
            cpu_fault_err(cpu, EXC_SS, s->err);
        return s->user ? aligned(cpu, sp, size) : sp;
    }
    if (!(s->ss.attr & SEG_P) || !limit_ok(&s->ss, sp, size))
        cpu_fault_err(cpu, EXC_SS, s->err);
    sp = (uint32_t)(s->ss.base + sp);
    return s->user ? aligned(cpu, sp, size) : sp;
}

void stack_push(struct cpu *cpu, struct stack *s, unsigned size, uint64_t val)
{
    uint64_t sp = (s->sp - size) & size_mask(s->width);

    mem_write(cpu, stack_lin(cpu, s, sp, size), size, val & size_mask(size), s->user);
    s->sp = sp;
}

uint64_t stack_pop(struct cpu *cpu, struct stack *s, unsigned size)
{
    uint64_t val = mem_read(cpu, stack_lin(cpu, s, s->sp, size), size, s->user);

    s->sp = (s->sp + size) & size_mask(s->width);
    return val;
}
