/*
 * Patched instructions: accesses of certain device registers, rewritten in guest memory into an OUT
 * to a port of ours and emulated there (docs/mechanisms.md). Engines see an ordinary PIO trap.
 */
#ifndef TRAP_PATCH_H
#define TRAP_PATCH_H

#include "core/trap.h"

struct bus;
struct cpu_regs;
struct ram;

/* Sixteen ports that no board has anything at; with the two opcodes of OUT imm8 they name 32
 * beginnings of instructions. */
#define PATCH_PORT  0xe0u
#define PATCH_PORTS 16u

struct patch_cpu { /* how registers are had inside a trap: engine.h's trap_regs and trap_resume */
    enum trap_rip (*regs)(void *ctx, unsigned vcpu, struct cpu_regs *r);
    void (*settle)(void *ctx, unsigned vcpu, struct cpu_regs *r); /* may be NULL */
    void (*quiet)(void *ctx, bool on);                            /* likewise */
    void (*resume)(void *ctx, unsigned vcpu, const struct cpu_regs *r);
    void *ctx;
};

struct patch;

struct patch *patch_open(struct ram *ram, struct bus *bus, const struct patch_cpu *cpu);
void patch_close(struct patch *p); /* what is patched stays so */

/* Accesses of [base, base + len) may be patched from now on. 0 or -ENOSPC. */
int patch_cover(struct patch *p, gpa_t base, uint64_t len);
bool patch_covers(const struct patch *p, gpa_t gpa);
/* After an MMIO trap of a covered address was served, in its callback: patch who did it. */
void patch_learn(struct patch *p, unsigned vcpu, const struct trap *t);
/* Is this PIO one of ours? Then t becomes a TRAP_PATCH: it is done, size and write are those of the
 * access (size 0: the instruction was put back, and runs by itself next). */
bool patch_take(struct patch *p, unsigned vcpu, struct trap *t);
/* Puts back the bytes of everything patched, or of what begins or ends in [gpa, gpa + len). Any
 * thread. What traps later is patched again, unless off. */
void patch_restore(struct patch *p, gpa_t gpa, uint64_t len);
void patch_restore_all(struct patch *p);
void patch_switch(struct patch *p, bool on); /* off: restores all */

struct patch_stats {
    bool on;
    unsigned now;                  /* patched at the moment */
    uint64_t made, restored, lost; /* lost: the guest had overwritten it */
    uint64_t refused;              /* traps whose instruction could not be patched */
    uint64_t healed;               /* copies found elsewhere */
};
struct patch_stats patch_stats(struct patch *p);

#endif
