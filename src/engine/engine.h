/*
 * An engine runs vCPUs. It sees core and mem only. Traps go to the function it was handed, which
 * completes them in place; run() comes back when the vCPU loop has something to decide.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "core/cpu_regs.h"
#include "core/irq.h"
#include "core/trap.h"

struct engine;
struct ram;
struct ledger;
struct shadow;
struct error;
struct apics_ops;
struct leaf;

struct engine_env {
    struct ram *ram;
    struct ledger *ledger;
    unsigned vcpus;
    void (*trap)(void *ctx, unsigned vcpu,
                 struct trap *t); /* PIO, MMIO, HCALL: completed in place */
    void *trap_ctx;
    const struct intr_ops *intr; /* the board's interrupt controllers, in user space */
    void *intr_ctl;
    bool split; /* the engine keeps the local APICs; only if apics_probe found that it can */
    /* The guest is one program in ring 3 with no kernel below: SYSCALL, INT 0x80 and SYSENTER are
     * TRAP_CALL, every exception is TRAP_FAULT, and no IDT is looked at. Only if ops->programs. */
    bool program;
    bool program_narrow;  /* its ABI is i386's: 32-bit code, TLS descriptors in the GDT */
    uint64_t program_low; /* what page tables map for it is RAM from here on; they are below */
    bool patches;         /* pages may get RAM_PATCH: see there */
    /* A vCPU that reads a TSC (the host's) above *late calls catch_up first, which may bring it an
     * interrupt: timers that are due by the time a guest reads have fired. NULL: not asked for. */
    const uint64_t *late; /* atomic */
    void (*catch_up)(void *ctx);
    void *late_ctx;
    uint64_t tsc_hz;         /* the host's TSC, measured once for the whole VM (core/tsc.h) */
    const struct leaf *leaf; /* what CPUID says besides; lives as long as the engine */
    unsigned leaves;
};

enum { ENGINE_AMD64 = 1, ENGINE_I386 = 2 };

struct engine_ops {
    const char *name;
    bool hcalls; /* VMCALL and VMMCALL trap as TRAP_HCALL */
    /* What this host can do: 0 usable, else -errno and why in err. No guest is needed. */
    int (*probe)(struct error *err);
    int (*open)(struct engine **out, const struct engine_env *env, struct error *err);
    void (*close)(struct engine *e);
    void (*get_regs)(struct engine *e, unsigned vcpu, struct cpu_regs *r);
    void (*set_regs)(struct engine *e, unsigned vcpu, const struct cpu_regs *r);
    /* Runs on the vCPU's own thread. Fills end with why it came back: HALT, KICK, SHUTDOWN or FAIL.
     * The engine asks env.intr for interrupts at instruction boundaries, and after each kick. */
    void (*run)(struct engine *e, unsigned vcpu, struct trap *end);
    /* Any thread, also from inside a trap callback: interrupts may be pending, or stop is wanted
     * (stop: run returns TRAP_KICK soon; else it only looks for interrupts and may go on). */
    void (*kick)(struct engine *e, unsigned vcpu, bool stop);
    void (*reset)(struct engine *e, unsigned vcpu); /* to the architectural reset state */
    /* Optional (KVM): a write of that size to addr signals eventfd instead of trapping. */
    int (*bell)(struct engine *e, bool mmio, uint64_t addr, unsigned size, int eventfd, bool add);
    /* Optional: lets the guest read the page s with no trap; writes to it trap as MMIO (false: no
     * longer). No vCPU runs. 0, or -errno and why in err. */
    int (*shadow)(struct engine *e, const struct shadow *s, bool add, struct error *err);
    /* Optional, both or none, for patched instructions (docs/mechanisms.md); only inside a PIO or
     * MMIO trap callback, on the thread of that vCPU, for an instruction that is no string's.
     * Registers as the instruction found them, but for RIP, as the result says; GPRs are wanted
     * of PIO writes and, if RIP is behind, of MMIO writes. */
    enum trap_rip (*trap_regs)(struct engine *e, unsigned vcpu, struct cpu_regs *r);
    /* For engines that answer EITHER: ends the instruction, so that RIP is behind; r anew. To go on
     * at the instruction itself this must have been called. */
    void (*trap_settle)(struct engine *e, unsigned vcpu, struct cpu_regs *r);
    /* Optional: returns when no vCPU reads guest code, and none does until off: a patch is two
     * bytes. Any thread, one at a time. NULL: it reads both at once, or looks again. */
    void (*quiet)(struct engine *e, bool on);
    /* PIO writes: when the callback returns, the vCPU goes on with the GPRs and RIP of r, whatever
     * the instruction was. */
    void (*trap_resume)(struct engine *e, unsigned vcpu, const struct cpu_regs *r);
    /* Optional: guest TSC minus host TSC of a vCPU now; NULL is always 0. Any thread. */
    uint64_t (*tsc_offset)(const struct engine *e, unsigned vcpu);
    /* Optional: local APICs of its own (core/apics.h; ctx is the engine), and whether this host
     * can really do it: as probe; -EAGAIN: with faults. */
    const struct apics_ops *apics;
    int (*apics_probe)(struct error *err);
    unsigned programs; /* it knows engine_env.program: ENGINE_* of the programs it runs */
    /* Bytes the engine keeps beyond guest RAM, for the report. */
    uint64_t (*footprint)(const struct engine *e);
};

extern const struct engine_ops engine_kvm, engine_dbt, engine_direct;
extern const struct engine_ops engine_direct_program; /* engine direct, for programs */

#endif
