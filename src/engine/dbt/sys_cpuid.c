/*
 * What the CPU says it is. SDM volume 2, CPUID. A feature is claimed when it works: either a
 * helper here implements it, or it runs natively, needs no XSAVE state, and the host has it.
 *
 * Family 6 model 0x1c is on kernels' lists of CPUs without speculation, so that they do without
 * page-table isolation and retpolines; leaf 0x15 spares them the calibration of TSC and timer.
 */
#include "core/leaf.h"
#include "engine/dbt/sys.h"
#include "engine/dbt/sys_feat.h"
#include <cpuid.h>
#include <string.h>

#define SIGNATURE 0x106cau
#define BASIC_MAX 0x16u
#define EXT_MAX   0x80000008u

/* FPU DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define EDX1    0x078bab7du
#define D1_APIC (1u << 9)

static uint32_t native1(void)
{
    uint32_t a, b, c = 0, d;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    return c & (C1_SSE3 | C1_PCLMUL | C1_SSSE3 | C1_CX16 | C1_SSE41 | C1_SSE42 | C1_MOVBE |
                C1_POPCNT | C1_AES | C1_RDRAND);
}

static uint32_t native7(void)
{
    uint32_t a, b = 0, c, d;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    return b & (C7_BMI1 | C7_BMI2 | C7_RDSEED | C7_ADX | C7_SHA);
}

static uint32_t native81(void)
{
    uint32_t a, b, c = 0, d;

    if (!__get_cpuid(0x80000001, &a, &b, &c, &d))
        return 0;
    return c & (CX_LAHF | CX_LZCNT);
}

void sys_init(struct cpu *cpu, uint64_t tsc_hz)
{
    cpu->feat.ecx1 = native1() | C1_HYPERVISOR;
    cpu->feat.edx1 = EDX1;
    cpu->feat.ebx7 = native7() | C7_ERMS;
    cpu->feat.edx7 = C7_FSRM;
    cpu->feat.ecx81 = native81() | CX_PREFETCHW;
    cpu->feat.edx81 = CX_SYSCALL | CX_NX | CX_RDTSCP | CX_LM;
    cpu->tsc_hz = tsc_hz;
}

static void brand(uint32_t leaf, uint32_t out[4])
{
    static const char text[48] = "Viaduct software CPU";
    const char *p = text + (leaf - 0x80000002u) * 16;

    for (unsigned n = 0; n < 4; n++)
        out[n] = le32_get(p + n * 4);
}

/* A local APIC and its TSC-deadline timer are there if their MSRs are. */
static bool chip_has(const struct cpu *cpu, uint32_t msr)
{
    const struct intr_ops *ops = cpu->env->intr;
    uint64_t val;

    return ops && ops->msr_read && !ops->msr_read(cpu->env->intr_ctl, cpu->index, msr, &val);
}

static void basic(const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[0] = BASIC_MAX;
        out[1] = 0x756e6547, out[3] = 0x49656e69, out[2] = 0x6c65746e; /* GenuineIntel */
        break;
    case 1:
        out[0] = SIGNATURE;
        out[1] = 0x800 | cpu->index << 24; /* CLFLUSH line of 64 bytes; initial APIC id */
        out[2] = cpu->feat.ecx1 | (chip_has(cpu, 0x6e0) ? C1_DEADLINE : 0u);
        out[3] = cpu->feat.edx1 & ~(chip_has(cpu, 0x1b) ? 0u : D1_APIC);
        break;
    case 7:
        if (!sub)
            out[1] = cpu->feat.ebx7, out[3] = cpu->feat.edx7;
        break;
    case 0x15: /* TSC Hz = ebx / eax * ecx */
        out[0] = 1, out[1] = 1, out[2] = (uint32_t)cpu->tsc_hz;
        if (cpu->tsc_hz >> 32) { /* a crystal of a quarter, above 4.29 GHz */
            out[1] = 4;
            out[2] = (uint32_t)(cpu->tsc_hz / 4);
        }
        break;
    case 0x16: out[0] = out[1] = (uint32_t)(cpu->tsc_hz / 1000000), out[2] = 100; break;
    }
}

void cpuid_get(const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    for (unsigned n = 0; n < 4; n++)
        out[n] = 0;
    switch (leaf) {
    case 0x80000000: out[0] = EXT_MAX; break;
    case 0x80000001: out[2] = cpu->feat.ecx81, out[3] = cpu->feat.edx81; break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: brand(leaf, out); break;
    case 0x80000007: out[3] = 0x100; break;  /* invariant TSC */
    case 0x80000008: out[0] = 0x3028; break; /* 48-bit linear, 40-bit physical */
    default: basic(cpu, leaf, sub, out); break;
    }
    for (unsigned n = 0; n < cpu->env->leaves; n++)
        if (cpu->env->leaf[n].number == leaf)
            memcpy(out, cpu->env->leaf[n].out, sizeof(cpu->env->leaf[n].out));
}

int sys_cpuid(struct cpu *cpu, const struct insn *i)
{
    uint32_t out[4];

    (void)i;
    cpu_vec_save(cpu); /* chip_has asks foreign code */
    cpuid_get(cpu, (uint32_t)cpu->gpr[REG_RAX], (uint32_t)cpu->gpr[REG_RCX], out);
    cpu->gpr[REG_RAX] = out[0];
    cpu->gpr[REG_RBX] = out[1];
    cpu->gpr[REG_RCX] = out[2];
    cpu->gpr[REG_RDX] = out[3];
    return INSN_NEXT;
}
