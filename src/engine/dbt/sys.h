/*
 * What the system half of the software CPU shares among its files: operands through segments,
 * stacks, descriptors, and the instruction helpers that sys_decode.c hands out.
 */
#ifndef ENGINE_DBT_SYS_H
#define ENGINE_DBT_SYS_H

#include "engine/dbt/cpu.h"

enum { DR6_BD = 1 << 13, DR7_GD = 1 << 13 };

/* ---- modes ---- */
static inline bool cpu_lma(const struct cpu *cpu)
{
    return cpu->efer & EFER_LMA;
}

static inline bool cpu_code64(const struct cpu *cpu)
{
    return cpu_lma(cpu) && (cpu->seg[SEG_CS].attr & SEG_L);
}

static inline bool cpu_vm86(const struct cpu *cpu)
{
    return cpu->flags_sys & FL_VM;
}

static inline bool cpu_prot(const struct cpu *cpu) /* protected or long mode, not VM86 */
{
    return (cpu->cr0 & CR0_PE) && !cpu_vm86(cpu);
}

static inline unsigned cpu_iopl(const struct cpu *cpu)
{
    return (cpu->flags_sys >> 12) & 3;
}

static inline bool cpu_user(const struct cpu *cpu)
{
    return cpu->cpl == 3;
}

static inline bool lin_canonical(uint64_t lin)
{
    return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* ---- registers and rip ---- */
static inline uint64_t size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : ((uint64_t)1 << (size * 8)) - 1;
}

/* Write a general register as an instruction of that operand size does (not byte registers). */
static inline void gpr_put(struct cpu *cpu, unsigned r, unsigned size, uint64_t val)
{
    if (size >= 4)
        cpu->gpr[r] = val & size_mask(size);
    else
        cpu->gpr[r] = (cpu->gpr[r] & ~size_mask(size)) | (val & size_mask(size));
}

static inline uint64_t rip_next(const struct cpu *cpu, const struct insn *i)
{
    return (cpu->rip + i->len) & size_mask(i->code_bits / 8u);
}

static inline int insn_leave(struct cpu *cpu, const struct insn *i)
{
    cpu->rip = rip_next(cpu, i);
    return INSN_JUMP;
}

static inline void cpu_exit_soon(struct cpu *cpu)
{
    __atomic_store_n(&cpu->exit_request, 1, __ATOMIC_RELAXED);
}

/* After IF was set or the task priority lowered: is an interrupt waiting? Then leave the block. */
static inline bool cpu_irq_waits(struct cpu *cpu)
{
    const struct intr_ops *ops = cpu->env->intr;

    if (!ops || ops->pending(cpu->env->intr_ctl, cpu->index) < 0)
        return false;
    cpu_exit_soon(cpu);
    return true;
}

static inline void need_cpl0(struct cpu *cpu)
{
    if (cpu->cpl)
        cpu_fault_err(cpu, EXC_GP, 0);
}

/* ---- operands (sys_mem.c) ---- */
uint64_t op_offset(const struct cpu *cpu, const struct insn *i); /* effective address */
/* Linear address of [off, off+size) in a segment, with all checks of this mode; #GP(0), #SS(0). */
uint64_t seg_lin(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size, bool write);
uint64_t op_lin(struct cpu *cpu, const struct insn *i, unsigned size, bool write);
/* The same for an operand made of units of that many bytes, which #AC goes by. */
uint64_t op_lin_of(struct cpu *cpu, const struct insn *i, unsigned size, bool write, unsigned unit);
uint64_t op_read(struct cpu *cpu, const struct insn *i, unsigned size); /* register or memory */
void op_write(struct cpu *cpu, const struct insn *i, unsigned size, uint64_t val);
void lin_read(struct cpu *cpu, uint64_t lin, void *buf, unsigned len, bool user);
void lin_write(struct cpu *cpu, uint64_t lin, const void *buf, unsigned len, bool user);

/* A stack being pushed to or popped from; nothing of the CPU changes before stack_commit. */
struct stack {
    struct cpu_seg ss;
    uint64_t sp;
    uint8_t width; /* of SP: 2, 4, 8 */
    bool user;
    uint16_t err; /* error code of #SS */
};
void stack_now(const struct cpu *cpu, struct stack *s);
void stack_push(struct cpu *cpu, struct stack *s, unsigned size, uint64_t val);
uint64_t stack_pop(struct cpu *cpu, struct stack *s, unsigned size);
uint64_t stack_lin(struct cpu *cpu, const struct stack *s, uint64_t sp, unsigned size);
static inline void stack_commit(struct cpu *cpu, const struct stack *s)
{
    gpr_put(cpu, REG_RSP, s->width, s->sp);
}

/* ---- descriptors (desc.c) ---- */
struct desc {
    uint32_t lo, hi;
    uint64_t lin; /* where it was read */
};
enum { /* system descriptor types */
       DT_TSS16 = 1,
       DT_LDT = 2,
       DT_TSS16_BUSY = 3,
       DT_CALL16 = 4,
       DT_TASK = 5,
       DT_INT16 = 6,
       DT_TRAP16 = 7,
       DT_TSS = 9,
       DT_TSS_BUSY = 11,
       DT_CALL = 12,
       DT_INT = 14,
       DT_TRAP = 15
};

static inline unsigned desc_type(const struct desc *d)
{
    return (d->hi >> 8) & 15;
}

static inline unsigned desc_dpl(const struct desc *d)
{
    return (d->hi >> 13) & 3;
}

static inline bool desc_present(const struct desc *d)
{
    return d->hi & 0x8000;
}

static inline bool desc_system(const struct desc *d)
{
    return !(d->hi & 0x1000);
}

static inline bool desc_code(const struct desc *d)
{
    return !desc_system(d) && (d->hi & 0x800);
}

static inline bool desc_conforming(const struct desc *d)
{
    return d->hi & 0x400;
}

static inline bool desc_data_writable(const struct desc *d)
{
    return (d->hi & 0x1a00) == 0x1200;
}

static inline bool sel_null(uint16_t sel)
{
    return !(sel & 0xfffc);
}

bool desc_get(struct cpu *cpu, uint16_t sel, struct desc *d); /* false: null or beyond its table */
uint32_t desc_limit(const struct desc *d);
uint32_t desc_base(const struct desc *d);
void desc_touch(struct cpu *cpu, struct desc *d); /* set the accessed bit */
struct cpu_seg desc_seg(uint16_t sel, const struct desc *d);
uint64_t desc_base_high(struct cpu *cpu, uint16_t sel, const struct desc *d); /* 16-byte ones */

void seg_put(struct cpu *cpu, unsigned seg, const struct cpu_seg *s);
void seg_put_null(struct cpu *cpu, unsigned seg, uint16_t sel);
void seg_put_real(struct cpu *cpu, unsigned seg, uint16_t sel); /* real mode and VM86 */
void seg_load(struct cpu *cpu, unsigned seg, uint16_t sel);     /* MOV/POP/LDS…; not CS */
/* Check a stack segment for level cpl; faults with vec (#GP, #TS; absent: #SS), bits ext added. */
void ss_check(struct cpu *cpu, uint16_t sel, unsigned cpl, uint8_t vec, unsigned ext,
              struct desc *d);
void seg_drop_inner(struct cpu *cpu); /* after a return outward: forget more privileged segments */
void cs_put_flat(struct cpu *cpu, uint16_t sel, unsigned cpl, bool code64); /* SYSCALL and kin */
void ss_put_flat(struct cpu *cpu, uint16_t sel, unsigned cpl);

/* ---- code segments and far transfers (sys_far.c) ---- */
/* Check off as an instruction pointer in the code segment d: #GP(0). */
void code_check_rip(struct cpu *cpu, const struct desc *d, uint64_t off, unsigned ext);
void code_enter(struct cpu *cpu, uint16_t sel, struct desc *d, unsigned cpl, uint64_t off);
void code_enter_real(struct cpu *cpu, uint16_t sel, uint64_t off);
/* The stack that the TSS holds for level cpl (< 3), checked. */
void tss_stack(struct cpu *cpu, unsigned cpl, unsigned ext, struct stack *s);
/* Change RFLAGS bits in mask to those of val. */
void flags_put(struct cpu *cpu, uint32_t val, uint32_t mask);

/* ---- task switches (task.c), protected mode without LMA ---- */
enum task_how { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };
void task_switch(struct cpu *cpu, uint16_t sel, enum task_how how, unsigned ext,
                 uint64_t return_rip);
void task_gate(struct cpu *cpu, const struct desc *gate, enum task_how how, unsigned ext,
               uint64_t return_rip);
void task_return(struct cpu *cpu, uint64_t return_rip);

/* ---- MSRs, shared with nobody else but tests ---- */
bool msr_get(struct cpu *cpu, uint32_t msr, uint64_t *val); /* false: #GP */
int msr_put(struct cpu *cpu, uint32_t msr, uint64_t val);   /* INSN_*, or -1: #GP */
void cpuid_get(const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* sys_native.c: is it on the list of those that may run natively, if CPUID claims them? */
bool sys_native(unsigned mnemonic);

/* ---- a program with no kernel (program.c) ---- */
int program_call(struct cpu *cpu, const struct insn *i, enum trap_way way);
void program_fault(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                   uint32_t error, uint64_t rip);

/* ---- instruction helpers ---- */
typedef int insn_run(struct cpu *cpu, const struct insn *i);
insn_run sys_ud, sys_gp;

insn_run sys_mov_from_cr, sys_mov_to_cr, sys_mov_from_dr, sys_mov_to_dr, sys_lmsw, sys_smsw,
    sys_clts, sys_invlpg, sys_wbinvd, sys_hlt, sys_cli, sys_sti, sys_cld, sys_std, sys_pushf,
    sys_popf, sys_rdtsc, sys_rdtscp, sys_swapgs, sys_cpuid, sys_rdmsr, sys_wrmsr, sys_hcall;
insn_run sys_mov_from_sreg, sys_mov_to_sreg, sys_push_sreg, sys_pop_sreg, sys_lxs, sys_lgdt,
    sys_lidt, sys_sgdt, sys_sidt, sys_lldt, sys_ltr, sys_sldt, sys_str, sys_lar, sys_lsl, sys_verr,
    sys_verw, sys_arpl;
insn_run sys_jmp_far, sys_call_far, sys_ret_far, sys_iret, sys_syscall, sys_sysret, sys_sysenter,
    sys_sysexit, sys_int, sys_int3, sys_into, sys_icebp, sys_bound;
insn_run sys_in, sys_out, sys_ins, sys_outs, sys_movs, sys_stos, sys_lods, sys_scas, sys_cmps;
insn_run sys_enter, sys_pusha, sys_popa;
insn_run sys_fxsave, sys_fxrstor, sys_fnstenv, sys_fldenv, sys_fnsave, sys_frstor, sys_ldmxcsr;

#endif
