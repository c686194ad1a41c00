/*
 * What the files of engine kvm share. Linux Documentation/virt/kvm/api.rst; only engine/kvm*
 * includes <linux/kvm.h>.
 */
#ifndef ENGINE_KVM_H
#define ENGINE_KVM_H

#include "engine/engine.h"
#include "engine/kvm_signal.h"
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/types.h>

#define KVM_VCPUS_MAX   64
#define KVM_CPUID_MAX   256
#define KVM_SHADOWS_MAX 16

/* The MSRs of a user-space LAPIC (SDM vol. 4, table 2-2). */
#define MSR_APIC_BASE    0x1b
#define MSR_TSC_DEADLINE 0x6e0

union kvm_cpuid_set {
    struct kvm_cpuid2 head;
    uint8_t room[sizeof(struct kvm_cpuid2) + KVM_CPUID_MAX * sizeof(struct kvm_cpuid_entry2)];
};

struct kvm_vcpu {
    struct engine *engine;
    unsigned index;
    int fd;
    struct kvm_run *run;
    pid_t tid;               /* who is inside run(), or 0; atomic */
    unsigned kicked;         /* KICK_* bits; atomic */
    uint64_t tsc_offset;     /* guest TSC minus host TSC, as of the last look; atomic */
    struct ledger_row *eois; /* split: exits for an EOI */
    bool sync;               /* registers come with each exit, in run */
    bool tsc_deadline;       /* the LAPIC may offer that mode */
    bool halted;             /* left at HLT: only an interrupt, NMI or INIT goes on from there */
    bool wait_sipi;          /* after INIT: nothing runs until the start-up message */
};

enum { KICK_LOOK = 1, KICK_STOP = 2 };

struct engine {
    struct engine_env env;
    int kvm, vm;
    size_t run_len;
    bool user_msr;             /* the LAPIC's MSRs trap to user space */
    struct kvm_routes *routes; /* kvm_apic.h; not NULL: the kernel keeps the LAPICs */
    struct kvm_vcpu *vcpu;
    unsigned vcpus;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t moved;
        bool shut;
        unsigned inside; /* KVM_RUN */
    } gate;
    uint8_t *alias;                 /* guest RAM as KVM maps it, or NULL: as we do */
    unsigned guards, guard_changes; /* pages of it that are write-protected; atomic */
    struct kvm_shadow_slot {
        bool used;
        gpa_t gpa;
    } shadow[KVM_SHADOWS_MAX];
};

/* kvm.c: opens the device and checks the API version: the fd, or -errno with err filled. */
int kvm_device_open(struct error *err);

/* kvm_cpuid.c */
int kvm_cpuid_give(struct engine *e, struct kvm_vcpu *v, struct error *err);

/* kvm_regs.c */
void kvm_get_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r);
void kvm_set_regs(struct engine *e, unsigned vcpu, const struct cpu_regs *r);
void kvm_regs_from(struct cpu_regs *r, const struct kvm_regs *g, const struct kvm_sregs *s);
void kvm_regs_to(struct kvm_regs *g, const struct cpu_regs *r); /* GPRs, RIP, RFLAGS */
void kvm_reset(struct engine *e, unsigned vcpu);
void kvm_startup(struct kvm_vcpu *v, uint8_t vector); /* SIPI: real mode at vector << 12 */

/* kvm_guard.c */
int kvm_guard_open(struct engine *e); /* before memory is handed over: 0 or -errno */
void kvm_guard_close(struct engine *e);
uint8_t *kvm_slot_host(const struct engine *e, uint8_t *host); /* as KVM maps it */
/* KVM_RUN ended with EFAULT: is it worth another try? before: guard_changes at its start. */
bool kvm_guard_fault(struct kvm_vcpu *v, unsigned before);
bool kvm_guard_store(struct engine *e, const struct trap *t); /* it was one to RAM: done */

/* kvm_gate.c */
void kvm_gate_open(struct engine *e);
void kvm_gate_close(struct engine *e);
void kvm_gate_enter(struct engine *e);
void kvm_gate_leave(struct engine *e);
void kvm_quiet(struct engine *e, bool on);

/* kvm_trap.c */
void kvm_trap_open(struct kvm_vcpu *v);
enum trap_rip kvm_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r);
void kvm_trap_settle(struct engine *e, unsigned vcpu, struct cpu_regs *r);
void kvm_trap_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r);

/* kvm_shadow.c */
int kvm_shadow(struct engine *e, const struct shadow *s, bool add, struct error *err);

/* kvm_tsc.c */
bool kvm_tsc_look(struct kvm_vcpu *v); /* on the vCPU's thread: refreshes tsc_offset */
/* The host's TSC when the guest's is at that value, or now if it is past; likewise. */
uint64_t kvm_tsc_to_host(struct kvm_vcpu *v, uint64_t guest);
uint64_t kvm_tsc_offset(const struct engine *e, unsigned vcpu);

/* kvm_run.c */
void kvm_run_vcpu(struct engine *e, unsigned vcpu, struct trap *end);
void kvm_kick(struct engine *e, unsigned vcpu, bool stop);

/* kvm_fail.c: fills end with TRAP_FAIL from the exit that can't be served. */
void kvm_fail_exit(struct kvm_vcpu *v, struct trap *end);
void kvm_fail_errno(struct kvm_vcpu *v, int err, struct trap *end);

/* kvm_probe.c, kvm_apic_probe.c */
int kvm_probe(struct error *err);
int kvm_apic_probe(struct error *err);

extern const struct apics_ops kvm_apics; /* kvm_apic.c */

#endif
