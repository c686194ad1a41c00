/*
 * Engine dbt's run loop: find or make the block at RIP, enter it, decide what to do when it comes
 * back. Exceptions unwind to here (cpu_fault), interrupts are taken here, between instructions.
 */
#include "engine/dbt/dbt.h"
#include "engine/dbt/vec.h"
#include "mem/ram.h"

typedef void (*enter_fn)(struct cpu *cpu, const void *code);

/* RIP of the instruction whose slow path we are in: cpu->ret points into its block's code. */
static uint64_t site_rip(struct cpu *cpu)
{
    struct block *b = dbt_block_at(cpu->dbt, cpu->ret - 1);
    return b ? b->rip + (cpu->site & SITE_OFF) : cpu->rip;
}

static void fault_at(struct cpu *cpu)
{
    if (cpu->in_slow)
        cpu->rip = site_rip(cpu);
    cpu->in_slow = false;
}

_Noreturn void cpu_fault(struct cpu *cpu, uint8_t vector)
{
    fault_at(cpu);
    cpu->fault.vector = vector;
    cpu->fault.has_error = false;
    cpu->fault.error = 0;
    longjmp(cpu->fault_jmp, 1);
}

_Noreturn void cpu_fault_err(struct cpu *cpu, uint8_t vector, uint32_t error)
{
    fault_at(cpu);
    cpu->fault.vector = vector;
    cpu->fault.has_error = true;
    cpu->fault.error = error;
    longjmp(cpu->fault_jmp, 1);
}

uint64_t dbt_trap_rip(struct cpu *cpu)
{
    return cpu->in_slow ? site_rip(cpu) : cpu->rip;
}

void cpu_fpu_save(struct cpu *cpu)
{
    if (cpu->vec_saved)
        vec_restore(cpu);
    cpu->vec_saved = false;
    if (!cpu->fpu_saved)
        fpu_save(cpu);
    cpu->fpu_saved = true;
}

void cpu_vec_save(struct cpu *cpu)
{
    if (!cpu->fpu_saved && !cpu->vec_saved) {
        vec_save(cpu);
        cpu->vec_saved = true;
    }
}

void cpu_fpu_back(struct cpu *cpu)
{
    if (cpu->fpu_saved)
        fpu_in(cpu);
    else if (cpu->vec_saved)
        vec_restore(cpu);
    cpu->fpu_saved = cpu->vec_saved = false;
}

void cpu_trap(struct cpu *cpu, struct trap *t)
{
    bool live = !cpu->fpu_saved && !cpu->vec_saved;
    if (live)
        vec_save(cpu);
    cpu->env->trap(cpu->env->trap_ctx, cpu->index, t);
    if (live)
        vec_restore(cpu);
}

/* ---- what thunks call ---- */

int dbt_sysop(struct cpu *cpu, struct sysop *op)
{
    cpu->rip = op->rip;
    cpu->link = 0;
    int r = op->insn.run(cpu, &op->insn);
    if (cpu->fpu_saved || cpu->vec_saved)
        cpu_fpu_back(cpu);
    if (r == INSN_JUMP)
        return 1;
    if (!op->insn.ends && !cpu->exit_request)
        return 0;
    cpu->rip = op->rip + op->insn.len;
    if (!(cpu->mode & MODE_64))
        cpu->rip &= cpu->mode & MODE_32 ? UINT32_MAX : 0xffffu;
    return 1;
}

/* Leave at the instruction that begins the group. */
static void group_refused(struct cpu *cpu)
{
    struct block *b = dbt_block_at(cpu->dbt, cpu->ret - 1);
    cpu->rip = site_rip(cpu);
    cpu->nogroup = true;
    cpu->link = 0;
    uint8_t *n = group_refusals(cpu->dbt, cpu->rip);
    if (b && *n < REFUSED_MAX && ++*n == REFUSED_MAX)
        dbt_invalidate(cpu->dbt, b->phys, 1);
}

uint64_t dbt_slow(struct cpu *cpu, uint64_t lin)
{
    uint32_t s = cpu->site;
    bool write = s & SITE_WRITE, user = s & SITE_USER;
    unsigned size = s >> SITE_SIZE_SHIFT & 0xff;
    cpu->in_slow = true;
    if (!(cpu->mode & MODE_64))
        lin &= UINT32_MAX;
    if (s & SITE_GROUP) {
        uint8_t *w = mmu_window(cpu, lin, size, write, user);
        if (!w)
            group_refused(cpu);
        cpu->in_slow = false;
        return (uint64_t)w;
    }
    uint8_t *p = mmu_slow(cpu, lin, size, write, s & SITE_RMW, user, s & SITE_STACK);
    cpu->in_slow = false;
    return (uint64_t)p;
}

int dbt_post(struct cpu *cpu)
{
    if (!cpu->wb.len)
        return 0;
    cpu->in_slow = true;
    bool gone = mmu_writeback(cpu);
    cpu->in_slow = false;
    if ((!gone && !cpu->exit_request) || (cpu->site & SITE_CALL))
        return 0; /* a call's exit comes next, and works in a dead block too */
    cpu->rip = site_rip(cpu) + (cpu->site >> SITE_LEN_SHIFT & 15);
    cpu->link = 0;
    if (cpu->site & SITE_HOST_FL)
        cpu->fl = cpu->post_fl & 0xffff;
    return 1;
}

void dbt_seg_fault(struct cpu *cpu)
{
    struct block *b = dbt_block_at(cpu->dbt, cpu->ret);
    if (b)
        cpu->rip = b->rip + (cpu->site & SITE_OFF);
    cpu->in_slow = false;
    cpu_fault_err(cpu, cpu->site & SITE_AC ? EXC_AC : cpu->site & SITE_STACK ? EXC_SS : EXC_GP, 0);
}

/* ---- between blocks ---- */

static void deliver(struct cpu *cpu, uint8_t vector, enum intr_kind kind)
{
    cpu->halted = false;
    intr_deliver(cpu, vector, kind, false, 0, cpu->rip);
}

/* Interrupts, in the order of their priority. Returns true when the next instruction must run
 * alone: an interrupt waits for the end of an STI or MOV SS shadow. */
static bool take_interrupts(struct cpu *cpu)
{
    const struct intr_ops *ops = cpu->env->intr;
    void *ctl = cpu->env->intr_ctl;
    bool shadow = cpu->shadow != SHADOW_NONE;
    if (!ops)
        return false;
    cpu_vec_save(cpu); /* the controllers are compiled with SSE */
    if (shadow && !cpu->nmi_blocked && ops->wanted && ops->wanted(ctl, cpu->index)) {
        __atomic_store_n(&cpu->exit_request, 1, __ATOMIC_RELAXED);
        return true;
    }
    if (!cpu->nmi_blocked && ops->nmi && ops->nmi(ctl, cpu->index)) {
        cpu->nmi_blocked = true;
        deliver(cpu, EXC_NMI, INTR_EXT);
    }
    if (!(cpu->flags_sys & FL_IF) || ops->pending(ctl, cpu->index) < 0)
        return false;
    if (shadow) {
        __atomic_store_n(&cpu->exit_request, 1, __ATOMIC_RELAXED);
        return true;
    }
    int vector = ops->ack(ctl, cpu->index);
    if (vector >= 0)
        deliver(cpu, (uint8_t)vector, INTR_EXT);
    __atomic_store_n(&cpu->exit_request, 1, __ATOMIC_RELAXED); /* there may be more */
    return false;
}

static bool code_breakpoint(struct cpu *cpu, uint64_t lin)
{
    bool hit = false;
    for (unsigned i = 0; i < 4; i++)
        if ((cpu->dr[7] >> (2 * i) & 3) && !(cpu->dr[7] >> (16 + 4 * i) & 3) && cpu->dr[i] == lin) {
            cpu->dr[6] |= 1u << i;
            hit = true;
        }
    return hit;
}

static void exec_note(struct cpu *cpu, uint64_t lin)
{
    unsigned h = (unsigned)(lin >> 12) & 0xffff;
    cpu->exec_filter[h / 64] |= 1ull << (h % 64);
}

static void jc_put(struct cpu *cpu, const struct block *b, uint64_t lin, bool global)
{
    unsigned slot = jc_slot(cpu->mode), i = jc_index(cpu->rip);
    if (cpu->mode & (MODE_STEP | MODE_NOGROUP))
        return;
    cpu->jc[slot][i] = (struct jc_entry){cpu->rip, code_at(cpu->dbt, b->hot)};
    exec_note(cpu, lin);
    if (b->phys2 != PHYS_NONE)
        exec_note(cpu, lin + 4096);
    if (!global) {
        if (cpu->jc_listed < FLUSH_LIST)
            cpu->jc_list[cpu->jc_listed] = (uint16_t)(slot << JC_BITS | i);
        cpu->jc_listed++;
    }
}

static void try_link(struct cpu *cpu, struct block *b, uint64_t lin, bool global)
{
    struct dbt *d = cpu->dbt;
    uint32_t id = cpu->link;
    cpu->link = 0;
    if (!id || id >= d->exits)
        return;
    struct exit *x = d->exit_by_id[id];
    dbt_asked(d, x);
    if ((cpu->mode & (MODE_STEP | MODE_NOGROUP)) || b->phys2 != PHYS_NONE || x->target != b->rip ||
        (x->from->mode & ~(uint32_t)MODE_NOGROUP) != b->mode || x->from->cs_base != b->cs_base)
        return;
    uint64_t from = x->from->rip + x->from->cs_base;
    bool same = (from & ~4095ull) == (lin & ~4095ull) &&
                (x->from->phys & ~4095ull) == (b->phys & ~4095ull) && x->from->phys2 == PHYS_NONE;
    if (same)
        dbt_link(d, x, b, false);
    else if (global)
        dbt_link(d, x, b, true);
}

static bool second_page_moved(struct cpu *cpu, const struct block *b, uint64_t lin, bool *global)
{
    if (b->phys2 == PHYS_NONE)
        return false;
    struct itlb_entry *next = mmu_fetch(cpu, (lin & ~4095ull) + 4096);
    *global &= next->global;
    return next->gpa != b->phys2;
}

static struct block *block_here(struct cpu *cpu, uint64_t lin)
{
    struct dbt *d = cpu->dbt;
    struct itlb_entry *it = mmu_fetch(cpu, lin);
    bool global = it->global;
    if (!it->host)
        cpu_fault(cpu, EXC_UD); /* no RAM there: all-ones is no instruction */
    struct itlb_entry page = *it;
    struct block *b = dbt_find(d, page.gpa | (lin & 4095), cpu->rip, cpu->mode, cpu->cs_base);
    if (b && second_page_moved(cpu, b, lin, &global)) {
        dbt_invalidate(d, b->phys, 1);
        b = NULL;
    }
    if (!b) {
        cpu_vec_save(cpu);
        b = dbt_translate(d, &page);
        if (!b) {
            dbt_flush_all(d);
            cpu->link = 0;
            b = dbt_translate(d, &page);
        }
        if (b && b->phys2 != PHYS_NONE)
            global = false;
    }
    jc_put(cpu, b, lin, global);
    try_link(cpu, b, lin, global);
    return b;
}

/* Where a jump would go on: for who comes back from a helper, with no exit to link. */
static const uint8_t *code_known(const struct cpu *cpu)
{
    const struct jc_entry *e = &cpu->jc[jc_slot(cpu->mode)][jc_index(cpu->rip)];
    if (cpu->link || e->rip != cpu->rip || (cpu->mode & (MODE_STEP | MODE_NOGROUP)))
        return NULL;
    return e->code;
}

/* One stay in translated code. */
static void step(struct cpu *cpu, bool alone)
{
    cpu_mode_update(cpu);
    if (alone)
        cpu->mode |= MODE_STEP;
    if (cpu->nogroup)
        cpu->mode |= MODE_NOGROUP;
    cpu->nogroup = false;
    uint64_t lin = cpu->rip + cpu->cs_base;
    if (!(cpu->mode & MODE_64)) {
        lin &= UINT32_MAX;
        if (cpu->rip > cpu->seg[SEG_CS].limit)
            cpu_fault_err(cpu, EXC_GP, 0);
    }
    bool trap = cpu->flags_sys & FL_TF;
    if ((cpu->dr[7] & 0xff) && !(cpu->flags_sys & FL_RF) && code_breakpoint(cpu, lin))
        cpu_fault(cpu, EXC_DB);
    const uint8_t *code = code_known(cpu);
    uint64_t next = 0; /* only a trap asks, and what traps is single-stepped */
    if (!code) {
        struct block *b = block_here(cpu, lin);
        code = code_at(cpu->dbt, b->hot);
        next = cpu->rip + b->len;
    }
    cpu->flags_sys &= ~(uint32_t)FL_RF; /* it holds for one instruction; IRET may set it anew */
    cpu->shadow = SHADOW_NONE;
    cpu_fpu_back(cpu);
    ((enter_fn)(uintptr_t)cpu->dbt->thunk.enter)(cpu, code);
    /* A software interrupt clears TF and goes elsewhere: no trap after it. */
    if (trap && cpu->shadow != SHADOW_SS && ((cpu->flags_sys & FL_TF) || cpu->rip == next)) {
        cpu->dr[6] |= 0x4000;
        cpu->step_pending = true;
    }
}

static void fault_deliver(struct cpu *cpu)
{
    uint8_t vector = cpu->fault.vector;
    cpu->link = 0;
    cpu->wb.len = 0;
    dbt_exclusive(cpu, false);
    intr_deliver(cpu, vector, INTR_EXC, cpu->fault.has_error, cpu->fault.error, cpu->rip);
}

/* One stay of guest code elsewhere. True: the instruction at RIP is for a translation after all. */
static bool run_bare(struct cpu *cpu)
{
    bool live = !cpu->fpu_saved;
    cpu_fpu_save(cpu);
    if (live)
        fpu_host();
    cpu_mode_update(cpu);
    return cpu->dbt->bare->run(cpu->dbt->bare, cpu);
}

static void run_on(struct cpu *cpu, struct trap *end)
{
    volatile bool alone = false;
    cpu->exit_request = 1;
    if (setjmp(cpu->fault_jmp) && !cpu->failed)
        fault_deliver(cpu); /* may fault again: comes back to the same place */
    for (;;) {
        if (cpu->shutdown) {
            end->kind = TRAP_SHUTDOWN;
            return;
        }
        if (cpu->failed) {
            end->kind = TRAP_FAIL;
            return;
        }
        if (cpu->step_pending) {
            cpu->step_pending = false;
            deliver(cpu, EXC_DB, INTR_EXC);
        }
        alone = false;
        if (__atomic_exchange_n(&cpu->exit_request, 0, __ATOMIC_ACQ_REL)) {
            dbt_notes_serve(cpu->dbt);
            if (__atomic_exchange_n(&cpu->stop, false, __ATOMIC_ACQ_REL)) {
                end->kind = TRAP_KICK;
                return;
            }
            cpu_vec_save(cpu); /* the controllers are compiled with SSE */
            if (!sys_init_take(cpu)) {
                end->kind = TRAP_HALT;
                return;
            }
            alone = take_interrupts(cpu);
        }
        if (cpu->halted) {
            if (__atomic_load_n(&cpu->exit_request, __ATOMIC_ACQUIRE))
                continue;
            end->kind = TRAP_HALT;
            return;
        }
        if (cpu->dbt->bare) {
            if (!alone && !run_bare(cpu))
                continue;
            alone = true;
        }
        step(cpu, alone);
    }
}

/* Runs until there is something for the vCPU loop. */
void dbt_run(struct cpu *cpu, struct trap *end)
{
    dbt_running(cpu, true);
    run_on(cpu, end);
    dbt_running(cpu, false);
}
