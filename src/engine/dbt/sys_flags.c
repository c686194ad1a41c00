/*
 * RFLAGS: CLI, STI, CLD, STD, PUSHF, POPF and who may change which bit.
 * SDM volume 2, POPF (table of flag changes); volume 3, 6.8.1 (IF), 20.2.7 (VM86 and IOPL).
 * Virtual interrupts (VME, PVI) are not claimed.
 */
#include "engine/dbt/sys.h"

void flags_put(struct cpu *cpu, uint32_t val, uint32_t mask)
{
    cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~mask) | (val & mask));
}

static void need_iopl(struct cpu *cpu)
{
    if ((cpu->cr0 & CR0_PE) && cpu->cpl > cpu_iopl(cpu))
        cpu_fault_err(cpu, EXC_GP, 0);
}

int sys_cli(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    need_iopl(cpu);
    cpu->flags_sys &= ~(uint32_t)FL_IF;
    return INSN_NEXT;
}

/* The shadow keeps `sti; hlt` whole. The block is left only when an interrupt is there to take. */
int sys_sti(struct cpu *cpu, const struct insn *i)
{
    need_iopl(cpu);
    if (cpu->flags_sys & FL_IF)
        return INSN_NEXT;
    cpu->flags_sys |= FL_IF;
    cpu->shadow = SHADOW_STI;
    return cpu_irq_waits(cpu) ? insn_leave(cpu, i) : INSN_NEXT;
}

int sys_cld(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->flags_sys &= ~(uint32_t)FL_DF;
    return INSN_NEXT;
}

int sys_std(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->flags_sys |= FL_DF;
    return INSN_NEXT;
}

int sys_pushf(struct cpu *cpu, const struct insn *i)
{
    uint64_t flags = cpu_rflags(cpu) & ~(uint32_t)(FL_VM | FL_RF);

    if (cpu_vm86(cpu))
        need_iopl(cpu);
    if (i->code_bits == 64 && i->opsize == 8) {
        uint64_t sp = cpu->gpr[REG_RSP] - 8;

        mem_write(cpu, seg_lin(cpu, SEG_SS, sp, 8, true), 8, flags, cpu_user(cpu));
        cpu->gpr[REG_RSP] = sp;
    } else {
        struct stack s;

        stack_now(cpu, &s);
        stack_push(cpu, &s, i->opsize, flags);
        stack_commit(cpu, &s);
    }
    return INSN_NEXT;
}

int sys_popf(struct cpu *cpu, const struct insn *i)
{
    uint32_t mask = FL_ARITH | FL_TF | FL_DF | FL_NT, old = cpu->flags_sys, val;
    struct stack s;

    if (cpu_vm86(cpu))
        need_iopl(cpu);
    stack_now(cpu, &s);
    val = (uint32_t)stack_pop(cpu, &s, i->opsize);
    stack_commit(cpu, &s);
    if (i->opsize > 2)
        mask |= FL_AC | FL_ID | FL_RF;
    if (cpu->cpl <= cpu_iopl(cpu) || !(cpu->cr0 & CR0_PE))
        mask |= FL_IF;
    if (!cpu->cpl)
        mask |= FL_IOPL;
    flags_put(cpu, val & ~(uint32_t)FL_RF, mask);
    if ((cpu->flags_sys | old) & FL_TF)
        return insn_leave(cpu, i); /* single-step starts or ends with the next instruction */
    if ((cpu->flags_sys ^ old) & FL_AC)
        return insn_leave(cpu, i); /* what follows is translated with or without checks */
    if ((cpu->flags_sys & ~old & FL_IF) && cpu_irq_waits(cpu))
        return insn_leave(cpu, i);
    return INSN_NEXT;
}
