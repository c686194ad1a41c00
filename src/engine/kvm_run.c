/*
 * Engine kvm: the run loop. Linux Documentation/virt/kvm/api.rst section 5 (struct kvm_run) and
 * KVM_INTERRUPT; interrupts per Intel SDM vol. 3 section 6.
 *
 * Kick protocol. The kicker sets a bit in v->kicked, then run->immediate_exit, then signals the
 * thread. The vCPU thread clears immediate_exit, then takes the bits, then enters KVM_RUN. So a
 * kick either is seen before entry, or makes KVM_RUN return at once, or interrupts it.
 *
 * An exit that was served is completed by the next KVM_RUN (api.rst, KVM_EXIT_IO): when the vCPU
 * is to stop, KVM_RUN is entered once more with immediate_exit set, so that registers read
 * afterwards are those of an instruction boundary.
 */
#include "core/ledger.h"
#include "engine/kvm_apic.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

static void trap_pio(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;
    struct kvm_run *run = v->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    struct trap t = {
        .kind = TRAP_PIO,
        .write = run->io.direction == KVM_EXIT_IO_OUT,
        .size = run->io.size,
        .count = run->io.count,
        .addr = run->io.port,
    };

    if (t.count > 1) {
        t.data = data;
        env->trap(env->trap_ctx, v->index, &t);
        return;
    }
    if (t.write)
        memcpy(&t.value, data, t.size);
    env->trap(env->trap_ctx, v->index, &t);
    if (!t.write)
        memcpy(data, &t.value, t.size);
}

static void trap_mmio(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;
    struct kvm_run *run = v->run;
    struct trap t = {
        .kind = TRAP_MMIO,
        .write = run->mmio.is_write != 0,
        .size = (uint8_t)(run->mmio.len <= 8 ? run->mmio.len : 8),
        .count = 1,
        .addr = run->mmio.phys_addr,
    };

    if (t.write)
        memcpy(&t.value, run->mmio.data, t.size);
    if (t.write && kvm_guard_store(v->engine, &t))
        return;
    env->trap(env->trap_ctx, v->index, &t);
    if (!t.write)
        memcpy(run->mmio.data, &t.value, t.size);
}

/* The LAPIC counts deadlines in the host's TSC; 0 is "disarmed" in both. */
static void trap_msr(struct kvm_vcpu *v, bool write)
{
    const struct engine_env *env = &v->engine->env;
    struct kvm_run *run = v->run;
    uint64_t val = run->msr.data;
    bool deadline = run->msr.index == MSR_TSC_DEADLINE;
    int rc = -1;

    if (env->intr && write) {
        if (deadline && val)
            val = kvm_tsc_to_host(v, val);
        rc = env->intr->msr_write(env->intr_ctl, v->index, run->msr.index, val);
    } else if (env->intr) {
        rc = env->intr->msr_read(env->intr_ctl, v->index, run->msr.index, &val);
        if (deadline && val)
            val += v->tsc_offset;
        run->msr.data = val;
    }
    run->msr.error = rc < 0; /* #GP */
}

/* INIT and start-up messages (SDM vol. 3 section 9.4). Returns false while the vCPU must wait. */
static bool init_take(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;
    uint8_t vector = 0;
    unsigned what = env->intr->init ? env->intr->init(env->intr_ctl, v->index, &vector) : 0;

    if (what & 1) {
        kvm_reset(v->engine, v->index);
        v->wait_sipi = v->index != 0;
    }
    if ((what & 2) && v->wait_sipi)
        kvm_startup(v, vector);
    return !v->wait_sipi;
}

/*
 * A vCPU that has halted stays so whatever it was kicked for: the kernel would go on behind the
 * HLT, so it is entered only for an interrupt, or for an NMI, which is handed over here. True:
 * stay.
 */
static bool halt_stays(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;

    if (!v->halted)
        return false;
    if (env->intr->nmi && env->intr->nmi(env->intr_ctl, v->index)) {
        (void)ioctl(v->fd, KVM_NMI);
        v->halted = false;
    } else if (v->run->if_flag && env->intr->pending(env->intr_ctl, v->index) >= 0) {
        v->halted = false;
    }
    return v->halted;
}

/* Before entry: hand over an NMI or an interrupt if the vCPU can take it, else ask to be told. */
static void interrupts_offer(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;
    struct kvm_run *run = v->run;
    struct kvm_interrupt irq;
    int vector;

    run->request_interrupt_window = 0;
    if (!v->engine->routes) { /* else the kernel's LAPIC has both */
        if (env->intr->nmi && env->intr->nmi(env->intr_ctl, v->index))
            (void)ioctl(v->fd, KVM_NMI);
        run->cr8 = env->intr->tpr(env->intr_ctl, v->index);
    }
    if (env->intr->pending(env->intr_ctl, v->index) < 0)
        return;
    if (!run->ready_for_interrupt_injection) {
        run->request_interrupt_window = 1;
        return;
    }
    vector = env->intr->ack(env->intr_ctl, v->index);
    if (vector < 0)
        return;
    irq.irq = (uint32_t)vector;
    (void)ioctl(v->fd, KVM_INTERRUPT, &irq);
    run->ready_for_interrupt_injection = 0;
    if (env->intr->pending(env->intr_ctl, v->index) >= 0)
        run->request_interrupt_window = 1;
}

/* Before KVM_RUN. False: this vCPU waits for an interrupt, NMI or start-up message. */
static bool entry_prepare(struct kvm_vcpu *v)
{
    if (!v->engine->env.intr)
        return true;
    if (!v->engine->routes && (!init_take(v) || halt_stays(v)))
        return false;
    interrupts_offer(v);
    return true;
}

/* KVM_EXIT_IOAPIC_EOI: the kernel's LAPIC tells what ours calls chip.c for. */
static void trap_eoi(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;

    if (v->eois)
        ledger_add(v->eois, true, 0);
    env->intr->eoi(env->intr_ctl, v->index, v->run->eoi.vector);
}

/* Serves one exit. True: run() comes back with end. */
static bool exit_serve(struct kvm_vcpu *v, struct trap *end)
{
    const struct engine_env *env = &v->engine->env;

    switch (v->run->exit_reason) {
    case KVM_EXIT_IO: trap_pio(v); return false;
    case KVM_EXIT_MMIO: trap_mmio(v); return false;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR: trap_msr(v, v->run->exit_reason == KVM_EXIT_X86_WRMSR); return false;
    case KVM_EXIT_IOAPIC_EOI: trap_eoi(v); return false;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR: /* CR8 was taken after KVM_RUN */
    case KVM_EXIT_INTR: return false;
    case KVM_EXIT_HLT:
        v->halted = env->intr != NULL; /* with interrupts to wait for */
        end->kind = TRAP_HALT;
        return true;
    case KVM_EXIT_SHUTDOWN: end->kind = TRAP_SHUTDOWN; return true;
    default: kvm_fail_exit(v, end); return true;
    }
}

/* One KVM_RUN and what came of it. True: run() comes back with end. */
static bool step(struct kvm_vcpu *v, bool *stop, struct trap *end)
{
    const struct engine_env *env = &v->engine->env;
    bool ours = env->intr && !v->engine->routes; /* the LAPIC */
    unsigned kicked, guards = __atomic_load_n(&v->engine->guard_changes, __ATOMIC_SEQ_CST);
    uint64_t cr8;
    int rc;

    __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST); /* before taking the bits */
    kicked = __atomic_exchange_n(&v->kicked, 0, __ATOMIC_SEQ_CST);
    *stop |= (kicked & KICK_STOP) != 0;
    if (*stop)
        v->run->immediate_exit = 1;
    else if (!entry_prepare(v)) {
        end->kind = TRAP_HALT;
        return true;
    }
    cr8 = v->run->cr8;
    kvm_gate_enter(v->engine);
    rc = ioctl(v->fd, KVM_RUN, 0) < 0 ? -errno : 0;
    kvm_gate_leave(v->engine);
    /* Only if the guest moved CR8: a write of the LAPIC's TPR has more bits than we would give. */
    if (ours && !*stop && v->run->cr8 != cr8)
        env->intr->set_tpr(env->intr_ctl, v->index, (unsigned)v->run->cr8 & 0xf);
    if (rc == -EINTR || rc == -EAGAIN) {
        bool dead = !*stop && v->engine->routes && kvm_apic_dead(v);

        end->kind = dead ? TRAP_HALT : TRAP_KICK;
        return *stop || dead;
    }
    if (rc == -EFAULT && kvm_guard_fault(v, guards))
        return false;
    if (rc < 0) {
        kvm_fail_errno(v, -rc, end);
        return true;
    }
    return exit_serve(v, end);
}

void kvm_run_vcpu(struct engine *e, unsigned vcpu, struct trap *end)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    bool stop = false;

    memset(end, 0, sizeof(*end));
    kvm_signal_unblock();
    __atomic_store_n(&v->tid, kvm_signal_self(), __ATOMIC_SEQ_CST);
    while (!step(v, &stop, end))
        ;
    __atomic_store_n(&v->tid, 0, __ATOMIC_SEQ_CST);
}

void kvm_kick(struct engine *e, unsigned vcpu, bool stop)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    pid_t tid;

    __atomic_fetch_or(&v->kicked, stop ? KICK_LOOK | KICK_STOP : KICK_LOOK, __ATOMIC_SEQ_CST);
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    tid = __atomic_load_n(&v->tid, __ATOMIC_SEQ_CST);
    if (tid && tid != kvm_signal_self())
        kvm_signal_send(tid);
}
