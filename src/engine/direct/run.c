/*
 * Running guest code in the cage, and what is done when it stops. Engine dbt's run loop calls this
 * wherever it would run translations: interrupts, faults and requests to stop are looked at there.
 *
 * An instruction that is ours (privileged, sensitive) is done by its helper; the next one may be
 * ours as well, and is then done without a visit to the cage. Whatever else stops there, a device's
 * page, a write to a page that code is on, a fault that is the guest's own, is one instruction that
 * the translator runs alone: it knows what it means.
 */
#include "core/ledger.h"
#include "engine/direct/direct.h"
#include "mem/ram.h"
#include "engine/dbt/sys.h"
#include <stdio.h>

#define ROUNDS    64u /* then the run loop has its look around */
#define MODE_CODE (MODE_32 | MODE_NM | MODE_EM | MODE_NOSSE | MODE_FPWAIT)
#define MODE_TSC  0x80000000u /* the guest's TSC is not the host's */

/* What this engine is made for: protected mode with paging off. */
static bool mode_fits(struct direct *d)
{
    const struct cpu *cpu = d->cpu;
    const char *why = cpu->cr0 & CR0_PG ? "turned on paging (CR0.PG)"
                      : cpu_lma(cpu)    ? "entered long mode"
                      : !cpu_prot(cpu)  ? "left protected mode"
                                        : NULL;

    if (why) {
        snprintf(d->cpu->why, sizeof(d->cpu->why),
                 "engine direct runs 32-bit code with paging off, and the guest %s; use --engine "
                 "dbt or kvm",
                 why);
        d->cpu->failed = true;
    }
    return !why;
}

static uint32_t code_mode_of(const struct cpu *cpu)
{
    bool tsc = cpu->tsc_offset || (cpu->cr4 & CR4_TSD);

    return (cpu->mode & MODE_CODE) | (tsc ? MODE_TSC : 0u);
}

static uint32_t lin_of(const struct cpu *cpu)
{
    return (uint32_t)(cpu->rip + cpu->seg[SEG_CS].base);
}

/* One instruction of ours. The helper may fault, and then unwinds past us. */
static void ours_run(struct cpu *cpu, const struct insn *insn)
{
    struct insn i = *insn; /* it may write to its own page, and be forgotten */

    cpu->flags_sys &= ~(uint32_t)FL_RF;
    cpu->shadow = SHADOW_NONE;
    if (i.run(cpu, &i) == INSN_NEXT)
        cpu->rip = rip_next(cpu, &i);
}

static bool must_look(const struct cpu *cpu)
{
    return cpu->halted || cpu->shutdown || cpu->failed ||
           __atomic_load_n(&cpu->exit_request, __ATOMIC_ACQUIRE);
}

enum next { NEXT_CAGE, NEXT_LOOK, NEXT_ALONE };

/* What is at RIP that the cage can't do. */
static enum next ours(struct direct *d)
{
    struct cpu *cpu = d->cpu;

    for (unsigned n = 0; n < ROUNDS; n++) {
        const struct insn *i;

        if (!mode_fits(d))
            return NEXT_LOOK;
        cpu_mode_update(cpu);
        code_mode(d, code_mode_of(cpu));
        if ((cpu->flags_sys & FL_TF) || (cpu->dr[7] & 0xff) || cpu->rip > cpu->seg[SEG_CS].limit)
            return NEXT_ALONE;
        /* The cage is entered at instructions that were looked at only: what is elsewhere may be
         * the middle of one. */
        if (lin_of(cpu) < d->ram->size && !code_known(d, lin_of(cpu)))
            code_scan(d, lin_of(cpu));
        i = code_ours(d, lin_of(cpu));
        if (!i) /* an interrupt's shadow lasts for one instruction, and the cage can't count */
            return cpu->shadow ? NEXT_ALONE : NEXT_CAGE;
        if (!i->run)
            return NEXT_ALONE;
        ours_run(cpu, i);
        if (must_look(cpu))
            return NEXT_LOOK;
    }
    return NEXT_LOOK;
}

/* Code that nobody has looked at: not yet, or since it was reached by a jump into the middle of
 * another instruction. INT3 and INT1 trap behind themselves, system calls stop behind themselves.
 */
static uint32_t stop_lin(struct cpu *cpu, const struct cage_stop *stop)
{
    unsigned back = stop->sig == CAGE_SIG_TRAP ? 1 : stop->sig == CAGE_SIG_SYS ? 2 : 0;

    cpu->rip = (uint32_t)(cpu->rip - back);
    return lin_of(cpu);
}

static enum next judge(struct direct *d, const struct cage_stop *stop)
{
    uint32_t lin;

    if (stop->sig == CAGE_SIG_KICK)
        return NEXT_LOOK;
    lin = stop_lin(d->cpu, stop);
    if (stop->uc.trapno == EXC_PF && code_write_again(d, (uint32_t)(stop->uc.cr2 - CAGE_DATA)))
        return NEXT_CAGE;
    if (lin >= d->ram->size || code_known(d, lin))
        return NEXT_ALONE;
    code_scan(d, lin);
    return NEXT_CAGE;
}

bool direct_run(struct bare *b, struct cpu *cpu)
{
    struct direct *d = container_of(b, struct direct, bare);
    struct cage_stop stop;

    for (unsigned n = 0; n < ROUNDS; n++) {
        enum next next = ours(d);

        if (next == NEXT_CAGE) {
            if (!cage_run(d, &stop))
                return false;
            if (d->stops)
                d->stops->writes++;
            cpu->flags_sys &= ~(uint32_t)FL_RF;
            next = judge(d, &stop);
        }
        if (next == NEXT_CAGE)
            continue;
        if (next == NEXT_LOOK || cpu->failed)
            return false;
        return true;
    }
    return false;
}
