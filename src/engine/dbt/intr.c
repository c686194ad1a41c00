/*
 * Delivery of interrupts and exceptions. SDM volume 3, chapter 6: 6.10-6.13 (IDT, error codes),
 * 6.14 (64-bit), 6.15 (#DF conditions); 20.1.4 (real mode), 20.3 (from VM86).
 *
 * A fault in delivery unwinds to the dispatcher, which delivers that one in turn: exc_vector says
 * what was being delivered. Nothing but memory below the stack pointer changes before all checks
 * have passed.
 */
#include "engine/dbt/sys.h"

/* An INT n or an external interrupt in delivery: nested faults are serial, as after this one. */
#define BENIGN EXC_BP

struct event {
    uint8_t vector;
    enum intr_kind kind;
    bool has_error;
    uint32_t error;
    uint64_t rip;
    uint32_t flags; /* image to push */
    unsigned ext;   /* EXT bit of error codes */
};

static bool contributory(int vector)
{
    return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

/* Faults push RF so that the restarted instruction doesn't meet its code breakpoint again. */
static bool is_fault(uint8_t vector)
{
    const uint32_t faults = 1u << EXC_DE | 1u << EXC_BR | 1u << EXC_UD | 1u << EXC_NM |
                            1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP |
                            1u << EXC_PF | 1u << EXC_MF | 1u << EXC_AC | 1u << EXC_XM;

    return vector < 32 && (faults >> vector & 1);
}

/* False: shutdown. */
static bool classify(struct cpu *cpu, struct event *e)
{
    int first = cpu->exc_vector;

    if (first < 0)
        return true;
    if (first == EXC_DF)
        return false;
    if ((contributory(first) && contributory(e->vector)) ||
        (first == EXC_PF && (contributory(e->vector) || e->vector == EXC_PF))) {
        e->vector = EXC_DF;
        e->has_error = true;
        e->error = 0;
    }
    return true;
}

/* ---- real mode ---- */

static void deliver_real(struct cpu *cpu, const struct event *e)
{
    uint32_t at = e->vector * 4u, entry;
    struct stack s;

    if (at + 3 > cpu->idtr.limit)
        cpu_fault_err(cpu, EXC_GP, e->vector * 8u + 2);
    entry = (uint32_t)mem_read(cpu, cpu->idtr.base + at, 4, false);
    stack_now(cpu, &s);
    stack_push(cpu, &s, 2, e->flags);
    stack_push(cpu, &s, 2, cpu->seg[SEG_CS].sel);
    stack_push(cpu, &s, 2, e->rip);
    stack_commit(cpu, &s);
    seg_put_real(cpu, SEG_CS, (uint16_t)(entry >> 16));
    cpu->rip = entry & 0xffff;
    cpu->flags_sys &= ~(uint32_t)(FL_IF | FL_TF | FL_AC | FL_RF);
}

/* ---- protected and long mode: the gate and its code segment ---- */

struct gate {
    uint32_t type;
    uint16_t sel;
    uint64_t off;
    unsigned ist;
    unsigned cpl; /* of the handler */
    struct desc code;
};

static void gate_read(struct cpu *cpu, const struct event *e, struct gate *g, struct desc *raw)
{
    unsigned size = cpu_lma(cpu) ? 16 : 8;
    uint32_t at = e->vector * size, err = e->vector * 8u + 2 + e->ext;
    uint64_t lo;

    if (at + size - 1 > cpu->idtr.limit)
        cpu_fault_err(cpu, EXC_GP, err);
    lo = mem_read(cpu, cpu->idtr.base + at, 8, false);
    raw->lo = (uint32_t)lo;
    raw->hi = (uint32_t)(lo >> 32);
    g->type = raw->hi >> 8 & 0x1f;
    g->sel = (uint16_t)(raw->lo >> 16);
    g->off = (raw->lo & 0xffff) | (raw->hi & 0xffff0000);
    g->ist = 0;
    if (size == 16) {
        g->off |= mem_read(cpu, cpu->idtr.base + at + 8, 4, false) << 32;
        g->ist = raw->hi & 7;
    } else if (g->type == DT_INT16 || g->type == DT_TRAP16) {
        g->off &= 0xffff;
    }
}

static void gate_check(struct cpu *cpu, const struct event *e, const struct gate *g,
                       const struct desc *raw)
{
    uint32_t err = e->vector * 8u + 2 + e->ext;
    bool known = g->type == DT_INT || g->type == DT_TRAP;

    if (!cpu_lma(cpu))
        known |= g->type == DT_INT16 || g->type == DT_TRAP16 || g->type == DT_TASK;
    if (!known || (e->kind == INTR_SOFT && desc_dpl(raw) < cpu->cpl))
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(raw))
        cpu_fault_err(cpu, EXC_NP, err);
}

static void gate_code(struct cpu *cpu, const struct event *e, struct gate *g)
{
    uint32_t err = (g->sel & 0xfffcu) | e->ext;
    struct desc *d = &g->code;

    if (sel_null(g->sel) || !desc_get(cpu, g->sel, d))
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_code(d) || desc_dpl(d) > cpu->cpl)
        cpu_fault_err(cpu, EXC_GP, err);
    if (cpu_lma(cpu) && (d->hi & 0x600000) != 0x200000)
        cpu_fault_err(cpu, EXC_GP, err); /* handlers are 64-bit code */
    g->cpl = desc_conforming(d) ? cpu->cpl : desc_dpl(d);
    if (cpu_vm86(cpu) && g->cpl)
        cpu_fault_err(cpu, EXC_GP, err);
    if (!desc_present(d))
        cpu_fault_err(cpu, EXC_NP, err);
    code_check_rip(cpu, d, g->off, e->ext);
    desc_touch(cpu, d); /* may fault, so before anything changes */
}

/* ---- long mode ---- */

static uint64_t long_stack(struct cpu *cpu, const struct event *e, const struct gate *g)
{
    unsigned at = g->ist ? 36 + (g->ist - 1) * 8 : 4 + g->cpl * 8;
    uint64_t rsp = cpu->gpr[REG_RSP];

    if (g->ist || g->cpl < cpu->cpl) {
        if (at + 7 > cpu->tr.limit)
            cpu_fault_err(cpu, EXC_TS, (cpu->tr.sel & 0xfffcu) | e->ext);
        rsp = mem_read(cpu, cpu->tr.base + at, 8, false);
    }
    rsp &= ~(uint64_t)15;
    if (!lin_canonical(rsp - 48) || !lin_canonical(rsp - 1))
        cpu_fault_err(cpu, EXC_SS, e->ext);
    return rsp;
}

static void long_frame(struct cpu *cpu, uint64_t sp, const uint64_t *frame, unsigned n, bool user)
{
    unsigned room = 0;
    uint64_t *p = (uint64_t *)mem_span(cpu, sp, true, user, &room);

    if (p && room >= n * 8) {
        for (unsigned k = 0; k < n; k++)
            p[k] = frame[k];
        return;
    }
    for (unsigned k = n; k-- > 0;)
        mem_write(cpu, sp + k * 8, 8, frame[k], user);
}

static void deliver_long(struct cpu *cpu, const struct event *e, struct gate *g)
{
    uint64_t sp = long_stack(cpu, e, g);
    uint64_t frame[6] = {
        e->error, e->rip, cpu->seg[SEG_CS].sel, e->flags, cpu->gpr[REG_RSP], cpu->seg[SEG_SS].sel};
    unsigned skip = e->has_error ? 0 : 1;

    if (!cpu_code64(cpu))
        frame[4] = (uint32_t)frame[4];
    sp -= (6 - skip) * 8;
    long_frame(cpu, sp, frame + skip, 6 - skip, g->cpl == 3);
    if (g->cpl < cpu->cpl)
        seg_put_null(cpu, SEG_SS, (uint16_t)g->cpl);
    cpu->gpr[REG_RSP] = sp;
}

/* ---- protected mode ---- */

static void push_vm86_segs(struct cpu *cpu, struct stack *s, unsigned size)
{
    stack_push(cpu, s, size, cpu->seg[SEG_GS].sel);
    stack_push(cpu, s, size, cpu->seg[SEG_FS].sel);
    stack_push(cpu, s, size, cpu->seg[SEG_DS].sel);
    stack_push(cpu, s, size, cpu->seg[SEG_ES].sel);
}

static void deliver_prot(struct cpu *cpu, const struct event *e, struct gate *g)
{
    unsigned size = g->type & 8 ? 4 : 2;
    bool vm86 = cpu_vm86(cpu);
    struct stack s;

    stack_now(cpu, &s);
    s.err = (uint16_t)e->ext;
    if (g->cpl < cpu->cpl) {
        tss_stack(cpu, g->cpl, e->ext, &s);
        if (vm86)
            push_vm86_segs(cpu, &s, size);
        stack_push(cpu, &s, size, cpu->seg[SEG_SS].sel);
        stack_push(cpu, &s, size, cpu->gpr[REG_RSP]);
    }
    stack_push(cpu, &s, size, e->flags);
    stack_push(cpu, &s, size, cpu->seg[SEG_CS].sel);
    stack_push(cpu, &s, size, e->rip);
    if (e->has_error)
        stack_push(cpu, &s, size, e->error);
    cpu->flags_sys &= ~(uint32_t)FL_VM;
    if (vm86) {
        seg_put_null(cpu, SEG_GS, 0);
        seg_put_null(cpu, SEG_FS, 0);
        seg_put_null(cpu, SEG_DS, 0);
        seg_put_null(cpu, SEG_ES, 0);
    }
    seg_put(cpu, SEG_SS, &s.ss);
    stack_commit(cpu, &s);
}

static void deliver_task(struct cpu *cpu, const struct event *e, const struct desc *raw)
{
    struct stack s;

    task_gate(cpu, raw, TASK_INT, e->ext, e->rip);
    if (!e->has_error)
        return;
    stack_now(cpu, &s);
    s.err = (uint16_t)e->ext;
    stack_push(cpu, &s, cpu->tr.attr & 8 ? 4 : 2, e->error);
    stack_commit(cpu, &s);
}

static void deliver_gate(struct cpu *cpu, const struct event *e)
{
    struct desc raw;
    struct gate g;
    uint32_t clear = FL_TF | FL_NT | FL_RF | FL_VM;

    gate_read(cpu, e, &g, &raw);
    gate_check(cpu, e, &g, &raw);
    if (g.type == DT_TASK) {
        deliver_task(cpu, e, &raw);
        return;
    }
    gate_code(cpu, e, &g);
    if (cpu_lma(cpu))
        deliver_long(cpu, e, &g);
    else
        deliver_prot(cpu, e, &g);
    if (!(g.type & 1))
        clear |= FL_IF;
    cpu->flags_sys &= ~clear;
    code_enter(cpu, g.sel, &g.code, g.cpl, g.off);
}

void intr_deliver(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                  uint32_t error, uint64_t return_rip)
{
    if (cpu->env->program) {
        program_fault(cpu, vector, kind, has_error, error, return_rip);
        return;
    }
    struct event e = {vector,           kind, has_error, error, return_rip, cpu_rflags(cpu),
                      kind != INTR_SOFT};

    if (kind == INTR_EXC && !classify(cpu, &e)) {
        cpu->exc_vector = -1;
        cpu->shutdown = true;
        cpu_exit_soon(cpu);
        return;
    }
    cpu->exc_vector = kind == INTR_EXC ? e.vector : BENIGN;
    if (kind == INTR_EXC && is_fault(e.vector))
        e.flags |= FL_RF;
    if (cpu->cr0 & CR0_PE)
        deliver_gate(cpu, &e);
    else
        deliver_real(cpu, &e);
    if (kind == INTR_EXC && e.vector == EXC_DB)
        cpu->dr[7] &= ~(uint64_t)DR7_GD;
    cpu->exc_vector = -1;
    cpu->shadow = SHADOW_NONE;
    cpu->halted = false;
}
