/* ENTER, PUSHA, POPA. SDM volume 2. The registers change when all memory accesses have passed. */
#include "engine/dbt/sys.h"

/* imm: bytes of locals; sel: nesting level. */
int sys_enter(struct cpu *cpu, const struct insn *i)
{
    unsigned level = i->sel & 31u, size = i->opsize;
    struct stack s, frames;
    uint64_t frame, bp;

    stack_now(cpu, &s);
    frames = s;
    bp = cpu->gpr[REG_RBP];
    stack_push(cpu, &s, size, bp);
    frame = s.sp;
    for (unsigned n = 1; n < level; n++) { /* level has five bits */
        bp -= size;
        frames.sp = bp & size_mask(s.width);
        stack_push(cpu, &s, size,
                   mem_read(cpu, stack_lin(cpu, &frames, frames.sp, size), size, s.user));
    }
    if (level)
        stack_push(cpu, &s, size, frame);
    s.sp = (s.sp - (i->imm & 0xffff)) & size_mask(s.width);
    mem_probe_write(cpu, stack_lin(cpu, &s, s.sp, size), size, s.user);
    gpr_put(cpu, REG_RBP, size, frame);
    stack_commit(cpu, &s);
    return INSN_NEXT;
}

int sys_pusha(struct cpu *cpu, const struct insn *i)
{
    struct stack s;

    stack_now(cpu, &s);
    for (unsigned r = 0; r < 8; r++) /* RSP as it was: nothing is committed yet */
        stack_push(cpu, &s, i->opsize, cpu->gpr[r]);
    stack_commit(cpu, &s);
    return INSN_NEXT;
}

int sys_popa(struct cpu *cpu, const struct insn *i)
{
    uint64_t v[8];
    struct stack s;

    stack_now(cpu, &s);
    for (unsigned r = 8; r-- > 0;)
        v[r] = stack_pop(cpu, &s, i->opsize);
    for (unsigned r = 0; r < 8; r++)
        if (r != REG_RSP)
            gpr_put(cpu, r, i->opsize, v[r]);
    stack_commit(cpu, &s);
    return INSN_NEXT;
}
