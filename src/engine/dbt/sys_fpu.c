/*
 * Saving and loading x87 and SSE state. SDM volume 1, 10.5 (FXSAVE layout), 8.1.10 (FNSTENV and
 * FNSAVE images); volume 2. The state itself lives in the host's registers, so the host's last
 * instruction and data pointers are in it: the guest gets zeros in their place.
 */
#include "engine/dbt/sys.h"

enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FDP = 16,
    FX_MXCSR = 24,
    FX_MASK = 28,
    FX_ST = 32,
    FX_XMM = 160,
    FX_END = 416
};

/* As on the CPU we claim to be: AMD's misaligned mode (bit 17) is not offered. */
#define MXCSR_KNOWN 0xffffu
#define FSW_ERRORS  0x3fu
#define FSW_BUSY    0x8080u /* ES and B */

static void need_x87(struct cpu *cpu)
{
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        cpu_fault(cpu, EXC_NM);
}

static uint64_t area_lin(struct cpu *cpu, const struct insn *i, bool write)
{
    uint64_t lin = op_lin_of(cpu, i, 512, write, 4);

    if (lin & 15)
        cpu_fault_err(cpu, EXC_GP, 0);
    return lin;
}

static void pointers_clear(uint8_t *fx)
{
    le16_put(fx + FX_FOP, 0);
    le64_put(fx + FX_FIP, 0);
    le64_put(fx + FX_FDP, 0);
}

/* Outside 64-bit mode only XMM0-7 are saved and loaded. */
static unsigned area_len(const struct insn *i)
{
    return i->code_bits == 64 ? FX_END : FX_XMM + 8 * 16;
}

int sys_fxsave(struct cpu *cpu, const struct insn *i)
{
    uint64_t lin;

    need_x87(cpu);
    lin = area_lin(cpu, i, true);
    cpu_fpu_save(cpu);
    pointers_clear(cpu->fpu);
    le32_put(cpu->fpu + FX_MASK, MXCSR_KNOWN);
    lin_write(cpu, lin, cpu->fpu, area_len(i), cpu_user(cpu));
    return INSN_NEXT;
}

int sys_fxrstor(struct cpu *cpu, const struct insn *i)
{
    uint8_t buf[FX_END];
    unsigned len = area_len(i);

    need_x87(cpu);
    lin_read(cpu, area_lin(cpu, i, false), buf, len, cpu_user(cpu));
    if (le32_get(buf + FX_MXCSR) & ~MXCSR_KNOWN)
        cpu_fault_err(cpu, EXC_GP, 0);
    pointers_clear(buf);
    le32_put(buf + FX_MASK, MXCSR_KNOWN);
    cpu_fpu_save(cpu);
    for (unsigned n = 0; n < len; n++)
        cpu->fpu[n] = buf[n];
    return INSN_NEXT;
}

int sys_ldmxcsr(struct cpu *cpu, const struct insn *i)
{
    uint32_t val;

    if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR))
        cpu_fault(cpu, EXC_UD);
    if (cpu->cr0 & CR0_TS)
        cpu_fault(cpu, EXC_NM);
    val = (uint32_t)op_read(cpu, i, 4);
    if (val & ~MXCSR_KNOWN)
        cpu_fault_err(cpu, EXC_GP, 0);
    if (cpu->fpu_saved)
        le32_put(cpu->fpu + FX_MXCSR, val);
    else
        __asm__ volatile("ldmxcsr %0" : : "m"(val));
    return INSN_NEXT;
}

/* ---- the 8087's images ---- */

/* Two bits a register: valid, zero, special, empty. FXSAVE keeps only "not empty". */
static unsigned tag_full(const uint8_t *fx)
{
    unsigned top = le16_get(fx + FX_FSW) >> 11 & 7, tags = 0;

    for (unsigned r = 0; r < 8; r++) {
        const uint8_t *st = fx + FX_ST + ((r - top) & 7) * 16;
        unsigned exp = le16_get(st + 8) & 0x7fff, tag = 0;
        uint64_t man = le64_get(st);

        if (!(fx[FX_FTW] >> r & 1))
            tag = 3;
        else if (!exp && !man)
            tag = 1;
        else if (!exp || exp == 0x7fff || !(man >> 63))
            tag = 2;
        tags |= tag << (r * 2);
    }
    return tags;
}

static uint8_t tag_short(unsigned tags)
{
    unsigned out = 0;

    for (unsigned r = 0; r < 8; r++)
        out |= (unsigned)((tags >> (r * 2) & 3) != 3) << r;
    return (uint8_t)out;
}

/* Seven words or double words: control, status, tags, and the pointers. */
static unsigned env_put(const uint8_t *fx, uint8_t *env, unsigned opsize)
{
    const unsigned word[3] = {le16_get(fx + FX_FCW), le16_get(fx + FX_FSW), tag_full(fx)};
    unsigned step = opsize == 2 ? 2 : 4;

    for (unsigned n = 0; n < 7; n++) {
        uint32_t v = n < 3 ? word[n] | 0xffff0000u : n == 6 ? 0xffff0000u : 0;

        if (step == 2)
            le16_put(env + n * 2, (uint16_t)v);
        else
            le32_put(env + n * 4, v);
    }
    return 7 * step;
}

/* A new status word may rename the registers: FXSAVE's area counts them from its TOP. */
static void fsw_put(uint8_t *fx, uint16_t fsw)
{
    unsigned turn = ((unsigned)(fsw >> 11) - (le16_get(fx + FX_FSW) >> 11)) & 7;
    uint8_t old[8 * 16];

    for (unsigned n = 0; n < sizeof(old); n++)
        old[n] = fx[FX_ST + n];
    for (unsigned n = 0; n < sizeof(old); n++)
        fx[FX_ST + n] = old[(n + turn * 16) % sizeof(old)];
    le16_put(fx + FX_FSW, fsw);
}

static void env_get(uint8_t *fx, const uint8_t *env, unsigned opsize)
{
    unsigned step = opsize == 2 ? 2 : 4;
    unsigned fcw = le16_get(env), fsw = le16_get(env + step);

    fcw |= 0x40; /* reads as one */
    fsw &= ~FSW_BUSY;
    if (fsw & ~fcw & FSW_ERRORS)
        fsw |= FSW_BUSY;
    le16_put(fx + FX_FCW, (uint16_t)fcw);
    fsw_put(fx, (uint16_t)fsw);
    fx[FX_FTW] = tag_short(le16_get(env + 2 * step));
    pointers_clear(fx);
}

static unsigned env_unit(const struct insn *i)
{
    return i->opsize == 2 ? 2 : 4;
}

static unsigned env_len(const struct insn *i)
{
    return i->opsize == 2 ? 14 : 28;
}

int sys_fnstenv(struct cpu *cpu, const struct insn *i)
{
    uint8_t env[28];
    unsigned len = env_len(i);
    uint64_t lin;

    need_x87(cpu);
    lin = op_lin_of(cpu, i, len, true, env_unit(i));
    cpu_fpu_save(cpu);
    env_put(cpu->fpu, env, i->opsize);
    lin_write(cpu, lin, env, len, cpu_user(cpu));
    cpu->fpu[FX_FCW] |= FSW_ERRORS; /* all exceptions are masked afterwards */
    le16_put(cpu->fpu + FX_FSW, (uint16_t)(le16_get(cpu->fpu + FX_FSW) & ~FSW_BUSY));
    return INSN_NEXT;
}

/* A pending exception comes before what the operand may raise. */
static void wait_x87(struct cpu *cpu)
{
    uint16_t fsw = 0;

    if (cpu->fpu_saved)
        fsw = le16_get(cpu->fpu + FX_FSW);
    else
        __asm__ volatile("fnstsw %0" : "=m"(fsw));
    if (fsw & FSW_BUSY)
        cpu_fault(cpu, EXC_MF);
}

int sys_fldenv(struct cpu *cpu, const struct insn *i)
{
    uint8_t env[28];
    unsigned len = env_len(i);

    need_x87(cpu);
    wait_x87(cpu);
    lin_read(cpu, op_lin_of(cpu, i, len, false, env_unit(i)), env, len, cpu_user(cpu));
    cpu_fpu_save(cpu);
    env_get(cpu->fpu, env, i->opsize);
    return INSN_NEXT;
}

int sys_fnsave(struct cpu *cpu, const struct insn *i)
{
    uint8_t image[108];
    unsigned len = env_len(i);
    uint64_t lin;

    need_x87(cpu);
    lin = op_lin_of(cpu, i, len + 80, true, env_unit(i));
    cpu_fpu_save(cpu);
    env_put(cpu->fpu, image, i->opsize);
    for (unsigned n = 0; n < 80; n++)
        image[len + n] = cpu->fpu[FX_ST + n / 10 * 16 + n % 10];
    lin_write(cpu, lin, image, len + 80, cpu_user(cpu));
    le16_put(cpu->fpu + FX_FCW, 0x37f); /* as FNINIT */
    fsw_put(cpu->fpu, 0);
    cpu->fpu[FX_FTW] = 0;
    return INSN_NEXT;
}

int sys_frstor(struct cpu *cpu, const struct insn *i)
{
    uint8_t image[108];
    unsigned len = env_len(i);

    need_x87(cpu);
    wait_x87(cpu);
    lin_read(cpu, op_lin_of(cpu, i, len + 80, false, env_unit(i)), image, len + 80, cpu_user(cpu));
    cpu_fpu_save(cpu);
    env_get(cpu->fpu, image, i->opsize);
    for (unsigned n = 0; n < 80; n++)
        cpu->fpu[FX_ST + n / 10 * 16 + n % 10] = image[len + n];
    return INSN_NEXT;
}
