/*
 * A guest that is one program in ring 3, with no kernel below it (engine_env.program): its system
 * calls and its exceptions are traps. System V ABI for AMD64, appendix A.2 (SYSCALL), and Linux's
 * for i386 (INT 0x80); SYSENTER has the registers of INT 0x80, and as on the CPU no way to say
 * where to go on: whoever serves it sets RIP and RSP.
 */
#include "engine/dbt/sys.h"

static const uint8_t regs_amd64[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
static const uint8_t regs_i386[6] = {REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP};

int program_call(struct cpu *cpu, const struct insn *i, enum trap_way way)
{
    const uint8_t *regs = way == TRAP_SYSCALL ? regs_amd64 : regs_i386;
    struct trap t = {.kind = TRAP_CALL, .size = (uint8_t)way, .count = 1};

    t.addr = cpu->rip;
    t.value = cpu->gpr[REG_RAX];
    for (unsigned n = 0; n < 6; n++)
        t.hcall[n] = way == TRAP_SYSCALL ? cpu->gpr[regs[n]] : (uint32_t)cpu->gpr[regs[n]];
    cpu->rip = rip_next(cpu, i);
    cpu->resumed = false;
    cpu_trap(cpu, &t);
    cpu->gpr[REG_RAX] = t.value;
    cpu->resumed = false;
    return INSN_JUMP;
}

/* INT n finds no gate, as with an IDT that has none but those a debugger uses. */
void program_fault(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                   uint32_t error, uint64_t rip)
{
    struct trap t = {.kind = TRAP_FAULT, .count = 1, .addr = rip};

    if (kind == INTR_SOFT && vector != EXC_BP && vector != EXC_OF)
        cpu_fault_err(cpu, EXC_GP, vector * 8u + 2);
    t.value = vector;
    t.size = has_error ? 4 : 0;
    t.hcall[0] = error;
    t.hcall[1] = cpu->cr2;
    cpu_trap(cpu, &t);
    cpu->shadow = SHADOW_NONE;
}
