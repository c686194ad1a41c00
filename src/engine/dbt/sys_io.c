/*
 * IN, OUT, INS, OUTS. SDM volume 1, chapter 19 (I/O, permission bitmap); volume 2.
 * Repeated forms hand whole page runs to the device through trap.data.
 */
#include "engine/dbt/sys.h"

#define TSS_IO_BASE 102

/* One or two bytes of the bitmap are read, both must lie in the TSS. */
static void io_bitmap(struct cpu *cpu, uint16_t port, unsigned size)
{
    uint32_t limit = cpu->tr.limit, at, bits;

    if (!(cpu->tr.attr & SEG_P) || !(cpu->tr.attr & 8) || limit < TSS_IO_BASE + 1)
        cpu_fault_err(cpu, EXC_GP, 0);
    at = (uint32_t)mem_read(cpu, cpu->tr.base + TSS_IO_BASE, 2, false) + port / 8u;
    if (at + 1 > limit)
        cpu_fault_err(cpu, EXC_GP, 0);
    bits = (uint32_t)mem_read(cpu, cpu->tr.base + at, 2, false) >> (port & 7);
    if (bits & ((1u << size) - 1))
        cpu_fault_err(cpu, EXC_GP, 0);
}

static inline void io_check(struct cpu *cpu, uint16_t port, unsigned size)
{
    if ((cpu->cr0 & CR0_PE) && (cpu->cpl > cpu_iopl(cpu) || cpu_vm86(cpu)))
        io_bitmap(cpu, port, size);
}

static void pio(struct cpu *cpu, struct trap *t, uint16_t port, unsigned size, bool write)
{
    t->kind = TRAP_PIO;
    t->write = write;
    t->size = (uint8_t)size;
    t->count = 1;
    t->addr = port;
    t->data = NULL;
    (void)cpu;
}

/* imm: the port if the instruction names it, else 0x10000. */
static uint16_t port_of(const struct cpu *cpu, const struct insn *i)
{
    return (uint16_t)(i->imm > 0xff ? cpu->gpr[REG_RDX] : i->imm);
}

int sys_in(struct cpu *cpu, const struct insn *i)
{
    uint16_t port = port_of(cpu, i);
    struct trap t __attribute__((uninitialized));

    io_check(cpu, port, i->opsize);
    pio(cpu, &t, port, i->opsize, false);
    t.value = 0;
    cpu_trap(cpu, &t);
    gpr_put(cpu, REG_RAX, i->opsize, t.value);
    return INSN_NEXT;
}

int sys_out(struct cpu *cpu, const struct insn *i)
{
    uint16_t port = port_of(cpu, i);
    struct trap t __attribute__((uninitialized));

    io_check(cpu, port, i->opsize);
    pio(cpu, &t, port, i->opsize, true);
    t.value = cpu->gpr[REG_RAX] & size_mask(i->opsize);
    cpu_trap(cpu, &t);
    if (!cpu->resumed)
        return INSN_NEXT;
    cpu->resumed = false;
    return INSN_JUMP;
}

/* How many elements a run at lin may have: within the page, the count and the offset's range. */
static uint64_t io_run(struct cpu *cpu, const struct insn *i, unsigned reg, uint64_t left,
                       unsigned room)
{
    uint64_t off = cpu->gpr[reg] & size_mask(i->addrsize);
    const struct cpu_seg *s = &cpu->seg[reg == REG_RDI ? SEG_ES : i->seg];
    uint64_t top = size_mask(i->addrsize), n = room / i->opsize;

    if ((cpu->flags_sys & (FL_DF | FL_TF)) || left == 1)
        return 1;
    if (i->code_bits != 64) {
        if ((s->attr & (SEG_X | SEG_E)) == SEG_E)
            return 1;
        if (s->limit < top)
            top = s->limit;
    }
    if (n > (top - off) / i->opsize)
        n = (top - off) / i->opsize;
    n = n < left ? n : left;
    return n ? n : 1;
}

static void io_advance(struct cpu *cpu, const struct insn *i, unsigned reg, uint64_t n,
                       uint64_t left)
{
    uint64_t step = n * i->opsize;

    gpr_put(cpu, reg, i->addrsize, cpu->gpr[reg] + (cpu->flags_sys & FL_DF ? -step : step));
    if (i->rep)
        gpr_put(cpu, REG_RCX, i->addrsize, left);
}

/* One run of n elements at lin; p NULL: one element, which may straddle or be MMIO. */
static void io_move(struct cpu *cpu, struct trap *t, uint8_t *p, uint64_t lin, uint64_t n)
{
    bool user = cpu_user(cpu);

    t->count = (uint32_t)n;
    t->data = p;
    if (!p && t->write)
        t->value = mem_read(cpu, lin, t->size, user);
    else if (!p)
        mem_probe_write(cpu, lin, t->size, user);
    cpu_trap(cpu, t);
    if (!p && !t->write)
        mem_write(cpu, lin, t->size, t->value, user);
}

static int io_string(struct cpu *cpu, const struct insn *i, bool out)
{
    unsigned reg = out ? REG_RSI : REG_RDI, seg = out ? i->seg : SEG_ES, size = i->opsize;
    uint64_t left = i->rep ? cpu->gpr[REG_RCX] & size_mask(i->addrsize) : 1;
    uint16_t port = (uint16_t)cpu->gpr[REG_RDX];
    struct trap t = {0};

    io_check(cpu, port, size);
    pio(cpu, &t, port, size, out);
    while (left) { /* each turn is a page run; exit_request is looked at after each */
        uint64_t off = cpu->gpr[reg] & size_mask(i->addrsize), n = 1;
        uint64_t lin = seg_lin(cpu, seg, off, size, !out);
        unsigned room = 0;
        uint8_t *p = mem_span(cpu, lin, !out, cpu_user(cpu), &room);

        if (p && room < size)
            p = NULL;
        if (p)
            n = io_run(cpu, i, reg, left, room);
        io_move(cpu, &t, p, lin, n);
        left -= n;
        io_advance(cpu, i, reg, n, left);
        if (left &&
            ((cpu->flags_sys & FL_TF) || __atomic_load_n(&cpu->exit_request, __ATOMIC_RELAXED)))
            return INSN_JUMP;
    }
    return INSN_NEXT;
}

int sys_ins(struct cpu *cpu, const struct insn *i)
{
    return io_string(cpu, i, false);
}

int sys_outs(struct cpu *cpu, const struct insn *i)
{
    return io_string(cpu, i, true);
}
