/*
 * Engine direct, i386 programs: the same 64-bit process runs their code by Linux's 32-bit code
 * segment (SDM volume 3, 2.2: compatibility mode). INT 0x80 is SIGSYS by dispatch. So is SYSENTER
 * where the CPU has it in this mode (Intel's): the kernel takes it for its own vDSO's, whose
 * address the frame then has, with the sixth argument already read into EBP. AMD's CPUs have none
 * here, which is an undefined instruction, and served as what it was meant for; and what comes by
 * the vDSO's address there is SYSCALL (APM volume 2, 6.1), which no i386 program of Linux uses.
 * Thread-local storage: the GDT's descriptors that exec/ writes become the host's own.
 */
#include "engine/direct/program_engine.h"
#include <cpuid.h>
#include <linux/audit.h>

#define VEC_UD   6
#define SIG_ILL  4
#define SYSENTER 0x340f

static bool amd(void)
{
    uint32_t a, b = 0, c, d;

    __get_cpuid(0, &a, &b, &c, &d);
    return b == 0x68747541 || b == 0x6f677948; /* "Auth"enticAMD, "Hygo"nGenuine */
}

/* SDM volume 3, 3.4.5, as the bits of struct user_desc (<asm/ldt.h>). */
static void tls_op(struct engine *e, unsigned i, uint64_t d)
{
    uint32_t base = (uint32_t)(d >> 16 & 0xffffff) | (uint32_t)(d >> 56 << 24);
    uint32_t limit = (uint32_t)(d & 0xffff) | (uint32_t)(d >> 32 & 0xf0000);
    uint32_t bits = (uint32_t)((d >> 54 & 1) | (~d >> 41 & 1) << 3 | (d >> 55 & 1) << 4);

    if (!d)
        bits = 0x28; /* none: read_exec_only, seg_not_present */
    program_op(e, PROGRAM_OP_TLS, (PROGRAM_TLS_FIRST + i) | (uint64_t)base << 32, 0,
               limit | (uint64_t)bits << 32);
}

void narrow_tls(struct engine *e)
{
    for (unsigned i = 0; i < PROGRAM_TLS; i++) {
        uint64_t at = e->r.gdtr.base + (PROGRAM_TLS_FIRST + i) * 8, d = 0;
        uint8_t b[8];
        bool there = true;

        for (unsigned n = 0; n < sizeof(b); n++)
            there &= program_byte(e, at + n, &b[n]);
        d = there ? le64_get(b) : 0;
        if (d != e->tls[i])
            tls_op(e, i, d);
        e->tls[i] = d;
    }
}

static void tell_call(struct engine *e, enum trap_way way)
{
    static const uint8_t regs[6] = {REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP};
    struct trap t = {.kind = TRAP_CALL,
                     .size = (uint8_t)way,
                     .count = 1,
                     .addr = e->r.rip,
                     .value = e->r.gpr[REG_RAX]};

    for (unsigned i = 0; i < 6; i++)
        t.hcall[i] = e->r.gpr[regs[i]];
    program_tell(e, &t);
    e->r.gpr[REG_RAX] = t.value;
}

static void undefined(struct engine *e)
{
    struct trap t = {.kind = TRAP_FAULT, .count = 1, .addr = e->r.rip, .value = VEC_UD};

    program_tell(e, &t);
}

/* The instruction at RIP, as the page tables have it. */
static bool at_sysenter(const struct engine *e)
{
    uint8_t b[2];

    return program_byte(e, e->r.rip, &b[0]) && program_byte(e, e->r.rip + 1, &b[1]) &&
           le16_get(b) == SYSENTER;
}

bool narrow_call(struct engine *e, const struct cage_ucontext *uc, uint32_t sig, uint32_t arch)
{
    if (sig == SIG_ILL && uc->trapno == VEC_UD && uc->cs == e->cs && at_sysenter(e)) {
        e->r.rip += 2;
        tell_call(e, TRAP_SYSENTER);
        return true;
    }
    if (sig != CAGE_SIG_SYS)
        return false;
    if (uc->cs != e->cs || arch != AUDIT_ARCH_I386) {
        tell_call(e, TRAP_SYSCALL); /* 64-bit code's */
    } else if (uc->ip <= UINT32_MAX) {
        tell_call(e, TRAP_INT80);
    } else if (amd()) {
        undefined(e); /* as on Intel's CPUs, and dbt's */
    } else {
        e->r.gpr[REG_RBP] = (uint32_t)uc->sp; /* as the program had it */
        tell_call(e, TRAP_SYSENTER);
    }
    return true;
}
