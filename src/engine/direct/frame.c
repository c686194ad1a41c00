/*
 * The guest's registers between struct cpu and the signal frame that the cage returns through.
 * The frame is in pages that the guest could reach in 64-bit code: where it is, and all that is in
 * it, is judged as it comes back. Linux uapi asm/sigcontext.h.
 */
#include "engine/direct/direct.h"
#include <stdio.h>
#include <string.h>

#define FRAMES   (CAGE_SHARED + 0x4000)
#define UC_FLAGS 7u   /* FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS */
#define FX_LEN   416u /* of FXSAVE: up to the last XMM register */
#define FX_ALL   512u

/* Where a frame's bytes are for us; NULL if that isn't within the signal stack. */
static uint8_t *at(struct direct *d, uint64_t addr, uint64_t len)
{
    if (!range_in(addr, len, FRAMES, CAGE_SHARED_LEN - 0x4000))
        return NULL;
    return (uint8_t *)d->cage.shared + (addr - CAGE_SHARED);
}

static uint8_t *frame_at(struct direct *d)
{
    return at(d, __atomic_load_n(&d->cage.shared->frame, __ATOMIC_RELAXED),
              sizeof(struct cage_ucontext));
}

/* Flags as the CPU is to have them while guest code runs: interrupts are ours, and so is the trap
 * flag; alignment is checked in the guest's ring 3 only. */
static uint64_t flags_out(const struct cpu *cpu)
{
    uint32_t keep = FL_ARITH | FL_DF;

    if (cpu->cpl == 3 && (cpu->cr0 & CR0_AM))
        keep |= FL_AC;
    return (cpu_rflags(cpu) & keep) | FL_IF | 2;
}

bool frame_put(struct direct *d)
{
    const struct cpu *cpu = d->cpu;
    uint8_t *p = frame_at(d), *fx;
    struct cage_ucontext uc;

    if (!p)
        return cage_fail(d, "the guest's process has lost its frame");
    memcpy(&uc, p, sizeof(uc));
    fx = at(d, uc.fpstate, FX_ALL);
    if (!fx)
        return cage_fail(d, "the guest's process has lost its frame");
    memcpy(fx, cpu->fpu, FX_LEN);
    uc.flags = UC_FLAGS;
    uc.ax = (uint32_t)cpu->gpr[REG_RAX], uc.cx = (uint32_t)cpu->gpr[REG_RCX];
    uc.dx = (uint32_t)cpu->gpr[REG_RDX], uc.bx = (uint32_t)cpu->gpr[REG_RBX];
    uc.sp = (uint32_t)cpu->gpr[REG_RSP], uc.bp = (uint32_t)cpu->gpr[REG_RBP];
    uc.si = (uint32_t)cpu->gpr[REG_RSI], uc.di = (uint32_t)cpu->gpr[REG_RDI];
    uc.ip = (uint32_t)cpu->rip;
    uc.eflags = flags_out(cpu);
    seg_cage(d);
    uc.cs = d->sel[SEG_CS];
    uc.ss = d->sel[SEG_SS];
    memcpy(p, &uc, sizeof(uc));
    return !cpu->failed;
}

static void take(struct cpu *cpu, const struct cage_ucontext *uc)
{
    uint32_t ours = FL_ARITH | FL_DF; /* all else changes by instructions that are ours to run */

    cpu->gpr[REG_RAX] = (uint32_t)uc->ax, cpu->gpr[REG_RCX] = (uint32_t)uc->cx;
    cpu->gpr[REG_RDX] = (uint32_t)uc->dx, cpu->gpr[REG_RBX] = (uint32_t)uc->bx;
    cpu->gpr[REG_RSP] = (uint32_t)uc->sp, cpu->gpr[REG_RBP] = (uint32_t)uc->bp;
    cpu->gpr[REG_RSI] = (uint32_t)uc->si, cpu->gpr[REG_RDI] = (uint32_t)uc->di;
    cpu->rip = (uint32_t)uc->ip;
    cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~ours) | ((uint32_t)uc->eflags & ours));
}

/* Bits of MXCSR that this CPU has: others would fault here when it is loaded. */
static uint32_t mxcsr_mask(void)
{
    uint8_t fx[FX_ALL] __attribute__((aligned(16)));
    uint32_t mask;

    __asm__ volatile("fxsave64 (%0)" : : "r"(fx) : "memory");
    mask = le32_get(fx + 28);
    return mask ? mask : 0xffbf;
}

/* Only by an instruction hidden in the middle of others: docs/engine-direct.md. */
static bool escaped(struct direct *d, const struct cage_stop *stop)
{
    char why[100] = "guest code has left its 32-bit segments, which no program does by mistake";

    if (stop->sig == CAGE_SIG_SYS)
        snprintf(why, sizeof(why), "guest code tried system call %u of the host; refused",
                 (unsigned)stop->uc.ax);
    return cage_fail(d, why);
}

bool frame_take(struct direct *d, struct cage_stop *stop)
{
    const uint8_t *p = frame_at(d), *fx;
    struct cpu *cpu = d->cpu;

    stop->sig = __atomic_load_n(&d->cage.shared->sig, __ATOMIC_RELAXED);
    if (!p || stop->sig == CAGE_SIG_NONE)
        return cage_fail(d, "the guest's process has lost its frame");
    memcpy(&stop->uc, p, sizeof(stop->uc)); /* once: what follows judges the copy */
    fx = at(d, stop->uc.fpstate, FX_ALL);
    if (!fx)
        return cage_fail(d, "the guest's process has lost its frame");
    if (stop->uc.cs != d->sel[SEG_CS] || stop->uc.ip > UINT32_MAX)
        return escaped(d, stop);
    memcpy(cpu->fpu, fx, FX_LEN);
    le32_put(cpu->fpu + 24, le32_get(cpu->fpu + 24) & mxcsr_mask());
    take(cpu, &stop->uc);
    return true;
}
