/* Engine dbt as the VM sees it: open, registers, run, kick. It never opens /dev/kvm. */
#include "core/error.h"
#include "core/shadow.h"
#include "engine/dbt/dbt.h"
#include "engine/dbt/hostsig.h"
#include "engine/dbt/vec.h"
#include "mem/ram.h"
#include <asm/prctl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct engine {
    struct engine_env env;
    struct cpu **cpu;
    struct dbt_share share;
    const struct shadow *reg_page[DBT_SHADOWS_MAX];
};

struct cpu *dbt_cpu(struct engine *e, unsigned vcpu)
{
    return e->cpu[vcpu];
}

static int dbt_probe(struct error *err)
{
    (void)err;
    return 0; /* any x86-64 host will do: this is one, or it wouldn't have got here */
}

static void code_written(void *arg, gpa_t gpa, uint64_t len)
{
    struct engine *e = arg;
    for (unsigned i = 0; i < e->env.vcpus; i++)
        dbt_note_written(e->cpu[i]->dbt, gpa, len);
}

static void cpu_free(struct cpu *cpu)
{
    if (!cpu)
        return;
    if (cpu->dbt) {
        dbt_translator_close(cpu->dbt);
        dbt_cache_close(cpu->dbt);
        free(cpu->dbt);
    }
    munmap(cpu, sizeof(*cpu));
}

static int cpu_make(struct engine *e, unsigned i)
{
    struct cpu *cpu =
        mmap(NULL, sizeof(*cpu), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (cpu == MAP_FAILED)
        return -ENOMEM;
    e->cpu[i] = cpu;
    cpu->self = cpu;
    cpu->index = i;
    cpu->env = &e->env;
    cpu->reg_page = e->reg_page;
    cpu->dbt = calloc(1, sizeof(*cpu->dbt));
    if (!cpu->dbt)
        return -ENOMEM;
    cpu->dbt->cpu = cpu;
    cpu->dbt->ram = e->env.ram;
    cpu->dbt->share = &e->share;
    if (dbt_cache_open(cpu->dbt) || dbt_translator_open(cpu->dbt))
        return -ENOMEM;
    sys_init(cpu, e->env.tsc_hz);
    mmu_reset(cpu);
    jc_flush(cpu, true);
    sys_reset(cpu);
    return 0;
}

static void dbt_close(struct engine *e)
{
    for (unsigned i = 0; e->cpu && i < e->env.vcpus; i++)
        cpu_free(e->cpu[i]);
    e->env.ram->code_written = NULL;
    free(e->share.watchers);
    free(e->cpu);
    free(e);
}

static int dbt_open(struct engine **out, const struct engine_env *env, struct error *err)
{
    struct engine *e = calloc(1, sizeof(*e));
    if (!e)
        return error_set(err, -ENOMEM, "engine dbt: out of memory");
    e->env = *env;
    if (env->vcpus > DBT_CPUS_MAX) {
        free(e);
        return error_set(err, -EINVAL, "engine dbt: at most %d vCPUs", DBT_CPUS_MAX);
    }
    e->cpu = calloc(env->vcpus, sizeof(*e->cpu));
    e->share.watchers = calloc(ram_pages(env->ram), 1);
    e->share.cpu = e->cpu;
    e->share.cpus = env->vcpus;
    for (unsigned i = 0; i < env->vcpus; i++) {
        if (!e->cpu || !e->share.watchers || cpu_make(e, i)) {
            dbt_close(e);
            return error_set(err, -ENOMEM, "engine dbt: no memory for the code cache");
        }
    }
    env->ram->code_arg = e;
    env->ram->code_written = code_written;
    *out = e;
    return 0;
}

static void dbt_get_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    const struct cpu *cpu = e->cpu[vcpu];
    memset(r, 0, sizeof(*r));
    memcpy(r->gpr, cpu->gpr, sizeof(r->gpr));
    r->rip = cpu->rip;
    r->rflags = cpu_rflags(cpu);
    memcpy(r->seg, cpu->seg, sizeof(r->seg));
    r->ldtr = cpu->ldtr;
    r->tr = cpu->tr;
    r->gdtr.base = cpu->gdtr.base, r->gdtr.limit = cpu->gdtr.limit;
    r->idtr.base = cpu->idtr.base, r->idtr.limit = cpu->idtr.limit;
    r->cr0 = cpu->cr0, r->cr2 = cpu->cr2, r->cr3 = cpu->cr3, r->cr4 = cpu->cr4;
    r->efer = cpu->efer;
    if (e->env.intr && e->env.intr->tpr)
        r->cr8 = e->env.intr->tpr(e->env.intr_ctl, vcpu);
}

static void dbt_set_regs(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    struct cpu *cpu = e->cpu[vcpu];
    memcpy(cpu->gpr, r->gpr, sizeof(cpu->gpr));
    cpu->rip = r->rip;
    cpu_set_rflags(cpu, (uint32_t)r->rflags);
    memcpy(cpu->seg, r->seg, sizeof(cpu->seg));
    cpu->ldtr = r->ldtr;
    cpu->tr = r->tr;
    cpu->gdtr.base = r->gdtr.base, cpu->gdtr.limit = r->gdtr.limit;
    cpu->idtr.base = r->idtr.base, cpu->idtr.limit = r->idtr.limit;
    cpu->cr0 = r->cr0, cpu->cr2 = r->cr2, cpu->cr3 = r->cr3, cpu->cr4 = r->cr4;
    cpu->efer = r->efer;
    cpu->cpl = (cpu->cr0 & CR0_PE) ? (uint8_t)SEG_DPL_GET(cpu->seg[SEG_SS].attr) : 0;
    cpu->halted = cpu->shutdown = false;
    cpu->shadow = SHADOW_NONE;
    mmu_flush(cpu, true);
    if ((cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE) && !(cpu->efer & EFER_LMA) &&
        !setjmp(cpu->fault_jmp))
        mmu_load_pdptes(cpu);
}

static enum trap_rip dbt_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    dbt_get_regs(e, vcpu, r);
    r->rip = dbt_trap_rip(e->cpu[vcpu]);
    return TRAP_RIP_AT;
}

static void dbt_trap_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    struct cpu *cpu = e->cpu[vcpu];
    memcpy(cpu->gpr, r->gpr, sizeof(cpu->gpr));
    cpu->rip = r->rip;
    cpu->resumed = true;
}

static void run(struct engine *e, unsigned vcpu, struct trap *end)
{
    struct cpu *cpu = e->cpu[vcpu];
    if (dbt_thread_enter(cpu) < 0) {
        end->kind = TRAP_FAIL;
        snprintf(end->why, sizeof(end->why), "engine dbt: no signal stack for the vCPU thread");
        return;
    }
    syscall(SYS_arch_prctl, ARCH_SET_GS, cpu);
    fpu_in(cpu);
    cpu->fpu_saved = cpu->vec_saved = false;
    dbt_run(cpu, end);
    cpu_fpu_back(cpu);
    fpu_out(cpu);
    if (end->kind == TRAP_HALT)
        dbt_trim(cpu->dbt, e->env.tsc_hz);
    if (end->kind == TRAP_FAIL) {
        end->addr = cpu->rip;
        memcpy(end->why, cpu->why, sizeof(end->why));
    }
}

static void dbt_kick(struct engine *e, unsigned vcpu, bool stop)
{
    struct cpu *cpu = e->cpu[vcpu];
    if (stop)
        __atomic_store_n(&cpu->stop, true, __ATOMIC_RELEASE);
    __atomic_store_n(&cpu->exit_request, 1, __ATOMIC_SEQ_CST);
}

static void dbt_reset(struct engine *e, unsigned vcpu)
{
    struct cpu *cpu = e->cpu[vcpu];
    mmu_flush(cpu, true);
    sys_reset(cpu);
}

static int dbt_shadow(struct engine *e, const struct shadow *s, bool add, struct error *err)
{
    const struct shadow **at = e->reg_page, **end = at + DBT_SHADOWS_MAX;
    while (at < end && *at != (add ? NULL : s))
        at++;
    if (at == end)
        return error_set(err, -ENOSPC, "engine dbt: at most %u register pages", DBT_SHADOWS_MAX);
    *at = add ? s : NULL;
    for (unsigned i = 0; i < e->env.vcpus; i++)
        mmu_flush(e->cpu[i], true);
    return 0;
}

static uint64_t dbt_tsc_offset(const struct engine *e, unsigned vcpu)
{
    return e->cpu[vcpu]->tsc_offset;
}

static uint64_t dbt_footprint(const struct engine *e)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < e->env.vcpus; i++) {
        const struct dbt *d = e->cpu[i]->dbt;
        n += sizeof(struct cpu) + sizeof(*d) + d->arena_at;
        n += (uint64_t)(d->hot.p - d->rw) + (uint64_t)(d->cold.p - d->rw - CODE_HOT);
    }
    return n;
}

const struct engine_ops engine_dbt = {
    .name = "dbt",
    .hcalls = true,
    .probe = dbt_probe,
    .open = dbt_open,
    .close = dbt_close,
    .get_regs = dbt_get_regs,
    .set_regs = dbt_set_regs,
    .run = run,
    .kick = dbt_kick,
    .reset = dbt_reset,
    .shadow = dbt_shadow,
    .trap_regs = dbt_trap_regs,
    .trap_resume = dbt_trap_resume,
    .tsc_offset = dbt_tsc_offset,
    .programs = ENGINE_AMD64 | ENGINE_I386,
    .footprint = dbt_footprint,
};
