/*
 * Fast system calls and software interrupts.
 * SDM volume 2: SYSCALL, SYSRET, SYSENTER, SYSEXIT, INT n; volume 3, 5.8.7, 5.8.8. As on Intel's
 * CPUs, SYSCALL exists in 64-bit mode only, and SYSENTER in long mode too.
 */
#include "engine/dbt/sys.h"

int sys_syscall(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel = (uint16_t)(cpu->star >> 32 & 0xfffc);
    uint32_t flags = cpu_rflags(cpu) & ~(uint32_t)FL_RF;

    if (i->code_bits != 64 || !(cpu->efer & EFER_SCE))
        cpu_fault(cpu, EXC_UD);
    cpu->gpr[REG_RCX] = rip_next(cpu, i);
    cpu->gpr[REG_R11] = flags;
    if (cpu->env->program)
        return program_call(cpu, i, TRAP_SYSCALL);
    cpu_set_rflags(cpu, flags & ~(uint32_t)cpu->sfmask);
    cs_put_flat(cpu, sel, 0, true);
    ss_put_flat(cpu, (uint16_t)(sel + 8), 0);
    cpu->rip = cpu->lstar;
    return INSN_JUMP;
}

int sys_sysret(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel = (uint16_t)(cpu->star >> 48);
    uint64_t rip = cpu->gpr[REG_RCX];
    bool code64 = i->opsize == 8;

    if (i->code_bits != 64 || !(cpu->efer & EFER_SCE))
        cpu_fault(cpu, EXC_UD);
    if (cpu->cpl || (code64 && !lin_canonical(rip)))
        cpu_fault_err(cpu, EXC_GP, 0);
    cpu_set_rflags(cpu, (uint32_t)cpu->gpr[REG_R11] & 0x3c7fd7u & ~(uint32_t)FL_RF);
    cs_put_flat(cpu, (uint16_t)((sel + (code64 ? 16 : 0)) | 3), 3, code64);
    ss_put_flat(cpu, (uint16_t)((sel + 8) | 3), 3);
    cpu->rip = code64 ? rip : (uint32_t)rip;
    if (cpu->flags_sys & FL_IF)
        cpu_irq_waits(cpu);
    return INSN_JUMP;
}

int sys_sysenter(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel = (uint16_t)(cpu->sysenter_cs & 0xfffc);
    bool lma = cpu_lma(cpu);

    if (cpu->env->program)
        return program_call(cpu, i, TRAP_SYSENTER);
    if (!(cpu->cr0 & CR0_PE) || sel_null(sel))
        cpu_fault_err(cpu, EXC_GP, 0);
    cpu->flags_sys &= ~(uint32_t)(FL_VM | FL_IF | FL_RF);
    cs_put_flat(cpu, sel, 0, lma);
    ss_put_flat(cpu, (uint16_t)(sel + 8), 0);
    cpu->gpr[REG_RSP] = lma ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
    cpu->rip = lma ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
    return INSN_JUMP;
}

int sys_sysexit(struct cpu *cpu, const struct insn *i)
{
    uint16_t sel = (uint16_t)(cpu->sysenter_cs & 0xfffc);
    uint64_t rip = cpu->gpr[REG_RDX], rsp = cpu->gpr[REG_RCX];
    bool code64 = i->code_bits == 64 && i->opsize == 8;

    if (!cpu_prot(cpu) || cpu->cpl || sel_null(sel))
        cpu_fault_err(cpu, EXC_GP, 0);
    if (code64 && (!lin_canonical(rip) || !lin_canonical(rsp)))
        cpu_fault_err(cpu, EXC_GP, 0);
    cs_put_flat(cpu, (uint16_t)((sel + (code64 ? 32 : 16)) | 3), 3, code64);
    ss_put_flat(cpu, (uint16_t)((sel + (code64 ? 40 : 24)) | 3), 3);
    cpu->gpr[REG_RSP] = code64 ? rsp : (uint32_t)rsp;
    cpu->rip = code64 ? rip : (uint32_t)rip;
    return INSN_JUMP;
}

static int soft(struct cpu *cpu, const struct insn *i, uint8_t vector)
{
    intr_deliver(cpu, vector, INTR_SOFT, false, 0, rip_next(cpu, i));
    return INSN_JUMP;
}

int sys_int(struct cpu *cpu, const struct insn *i)
{
    if (cpu_vm86(cpu) && cpu_iopl(cpu) < 3)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (cpu->env->program && i->imm == 0x80)
        return program_call(cpu, i, TRAP_INT80);
    return soft(cpu, i, (uint8_t)i->imm);
}

int sys_int3(struct cpu *cpu, const struct insn *i)
{
    return soft(cpu, i, EXC_BP);
}

int sys_into(struct cpu *cpu, const struct insn *i)
{
    if (!(cpu_flags_arith(cpu) & FL_OF))
        return INSN_NEXT;
    return soft(cpu, i, EXC_OF);
}

/* INT1: #DB as the hardware raises it, with no look at the gate's level. */
int sys_icebp(struct cpu *cpu, const struct insn *i)
{
    intr_deliver(cpu, EXC_DB, INTR_EXC, false, 0, rip_next(cpu, i));
    return INSN_JUMP;
}

int sys_bound(struct cpu *cpu, const struct insn *i)
{
    unsigned size = i->opsize, shift = 64 - size * 8;
    uint64_t lin = op_lin_of(cpu, i, size * 2, false, size);
    int64_t low = (int64_t)(mem_read(cpu, lin, size, cpu_user(cpu)) << shift);
    int64_t high = (int64_t)(mem_read(cpu, lin + size, size, cpu_user(cpu)) << shift);
    int64_t v = (int64_t)(cpu->gpr[i->reg] << shift);

    if (v < low || v > high)
        cpu_fault(cpu, EXC_BR);
    return INSN_NEXT;
}
