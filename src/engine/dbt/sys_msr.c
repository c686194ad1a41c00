/*
 * Model-specific registers: those that a CPU with our CPUID must have. SDM volume 4, chapter 2.
 * All others are #GP, which kernels expect and probe for. MTRR, MCE, PMU are not claimed.
 */
#include "engine/dbt/sys.h"
#include "core/tsc.h"

enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_UCODE_REV = 0x8b,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_PAT = 0x277,
    MSR_TSC_DEADLINE = 0x6e0,
};
#define MSR_EFER     0xc0000080u
#define MSR_STAR     0xc0000081u
#define MSR_LSTAR    0xc0000082u
#define MSR_CSTAR    0xc0000083u
#define MSR_SFMASK   0xc0000084u
#define MSR_FS_BASE  0xc0000100u
#define MSR_GS_BASE  0xc0000101u
#define MSR_KGS_BASE 0xc0000102u
#define MSR_TSC_AUX  0xc0000103u

static bool msr_get_chip(struct cpu *cpu, uint32_t msr, uint64_t *val)
{
    const struct intr_ops *ops = cpu->env->intr;

    cpu_vec_save(cpu); /* the chips are foreign code: they may use vector registers */
    if (!ops || !ops->msr_read || ops->msr_read(cpu->env->intr_ctl, cpu->index, msr, val))
        return false;
    if (msr == MSR_TSC_DEADLINE && *val)
        *val += cpu->tsc_offset; /* the chip counts in the host's TSC */
    return true;
}

bool msr_get(struct cpu *cpu, uint32_t msr, uint64_t *val)
{
    switch (msr) {
    case MSR_TSC: *val = tsc_read() + cpu->tsc_offset; break;
    case MSR_APIC_BASE:
    case MSR_TSC_DEADLINE: return msr_get_chip(cpu, msr, val);
    case MSR_UCODE_REV: *val = 0; break;
    case MSR_SYSENTER_CS: *val = cpu->sysenter_cs; break;
    case MSR_SYSENTER_ESP: *val = cpu->sysenter_esp; break;
    case MSR_SYSENTER_EIP: *val = cpu->sysenter_eip; break;
    case MSR_MISC_ENABLE: *val = cpu->misc_enable; break;
    case MSR_PAT: *val = cpu->pat; break;
    case MSR_EFER: *val = cpu->efer; break;
    case MSR_STAR: *val = cpu->star; break;
    case MSR_LSTAR: *val = cpu->lstar; break;
    case MSR_CSTAR: *val = cpu->cstar; break;
    case MSR_SFMASK: *val = cpu->sfmask; break;
    case MSR_FS_BASE: *val = cpu->seg[SEG_FS].base; break;
    case MSR_GS_BASE: *val = cpu->seg[SEG_GS].base; break;
    case MSR_KGS_BASE: *val = cpu->kernel_gs_base; break;
    case MSR_TSC_AUX: *val = cpu->tsc_aux; break;
    default: return false;
    }
    return true;
}

static bool pat_valid(uint64_t v)
{
    for (unsigned n = 0; n < 64; n += 8) {
        unsigned type = (v >> n) & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static int efer_put(struct cpu *cpu, uint64_t v)
{
    const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    uint64_t changed;

    if (v & ~known)
        return -1;
    v = (v & ~(uint64_t)EFER_LMA) | (cpu->efer & EFER_LMA);
    changed = v ^ cpu->efer;
    if ((changed & EFER_LME) && (cpu->cr0 & CR0_PG))
        return -1;
    cpu->efer = v;
    if (changed & EFER_NXE)
        mmu_flush(cpu, true);
    return changed ? INSN_JUMP : INSN_NEXT;
}

static int base_put(uint64_t *where, uint64_t v)
{
    if (!lin_canonical(v))
        return -1;
    *where = v;
    return INSN_NEXT;
}

static int seg_base_put(struct cpu *cpu, unsigned seg, uint64_t v)
{
    if (!lin_canonical(v))
        return -1;
    cpu->seg[seg].base = v;
    return INSN_NEXT;
}

/* Timer and APIC base: an interrupt may be due at once. */
static int chip_put(struct cpu *cpu, uint32_t msr, uint64_t v)
{
    const struct intr_ops *ops = cpu->env->intr;

    if (msr == MSR_TSC_DEADLINE && v)
        v -= cpu->tsc_offset;
    cpu_vec_save(cpu); /* as above */
    if (!ops || !ops->msr_write || ops->msr_write(cpu->env->intr_ctl, cpu->index, msr, v))
        return -1;
    cpu_exit_soon(cpu);
    return INSN_NEXT;
}

int msr_put(struct cpu *cpu, uint32_t msr, uint64_t v)
{
    switch (msr) {
    case MSR_TSC: cpu->tsc_offset = v - tsc_read(); break;
    case MSR_APIC_BASE:
    case MSR_TSC_DEADLINE: return chip_put(cpu, msr, v);
    case MSR_UCODE_REV: break;
    case MSR_SYSENTER_CS: cpu->sysenter_cs = (uint32_t)v; break;
    case MSR_SYSENTER_ESP: return base_put(&cpu->sysenter_esp, v);
    case MSR_SYSENTER_EIP: return base_put(&cpu->sysenter_eip, v);
    case MSR_MISC_ENABLE: break; /* fast strings stay on; nothing else exists */
    case MSR_PAT:
        if (!pat_valid(v))
            return -1;
        cpu->pat = v;
        break;
    case MSR_EFER: return efer_put(cpu, v);
    case MSR_STAR: cpu->star = v; break;
    case MSR_LSTAR: return base_put(&cpu->lstar, v);
    case MSR_CSTAR: return base_put(&cpu->cstar, v);
    case MSR_SFMASK: cpu->sfmask = (uint32_t)v; break;
    case MSR_FS_BASE: return seg_base_put(cpu, SEG_FS, v);
    case MSR_GS_BASE: return seg_base_put(cpu, SEG_GS, v);
    case MSR_KGS_BASE: return base_put(&cpu->kernel_gs_base, v);
    case MSR_TSC_AUX:
        if (v >> 32)
            return -1;
        cpu->tsc_aux = v;
        break;
    default: return -1;
    }
    return INSN_NEXT;
}

int sys_rdmsr(struct cpu *cpu, const struct insn *i)
{
    uint64_t val = 0;

    (void)i;
    need_cpl0(cpu);
    if (!msr_get(cpu, (uint32_t)cpu->gpr[REG_RCX], &val))
        cpu_fault_err(cpu, EXC_GP, 0);
    cpu->gpr[REG_RAX] = (uint32_t)val;
    cpu->gpr[REG_RDX] = val >> 32;
    return INSN_NEXT;
}

int sys_wrmsr(struct cpu *cpu, const struct insn *i)
{
    uint64_t val = cpu->gpr[REG_RDX] << 32 | (uint32_t)cpu->gpr[REG_RAX];
    int r;

    need_cpl0(cpu);
    r = msr_put(cpu, (uint32_t)cpu->gpr[REG_RCX], val);
    if (r < 0)
        cpu_fault_err(cpu, EXC_GP, 0);
    return r == INSN_JUMP ? insn_leave(cpu, i) : INSN_NEXT;
}
