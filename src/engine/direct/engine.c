/*
 * Engine direct as the VM sees it: engine dbt with a cage. Registers, interrupts and all the state
 * of the vCPU are dbt's; what is added is where guest code runs.
 */
#include "core/error.h"
#include "core/ledger.h"
#include "core/shadow.h"
#include "engine/direct/direct.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct direct *direct_of(struct engine *e)
{
    struct bare *b = dbt_cpu(e, 0)->dbt->bare;

    return b ? container_of(b, struct direct, bare) : NULL;
}

static void on_gone(struct bare *b, gpa_t page)
{
    code_gone(container_of(b, struct direct, bare), page);
}

static void on_all_gone(struct bare *b)
{
    code_all_gone(container_of(b, struct direct, bare));
}

/* A device wrote code: the cage stops, the run loop forgets the code, and the guest goes on. */
static void on_written(void *arg, gpa_t gpa, uint64_t len)
{
    struct direct *d = arg;

    d->written(d->written_arg, gpa, len);
    cage_kick(d);
}

static int fits(const struct engine_env *env, struct error *err)
{
    if (env->vcpus != 1)
        return error_set(err, -EINVAL,
                         "engine direct runs one vCPU, not %u; use --engine dbt or "
                         "kvm",
                         env->vcpus);
    if (env->ram->size > CAGE_RAM_MAX)
        return error_set(err, -EINVAL,
                         "engine direct runs guests of up to 1 GiB of memory; give less with "
                         "--memory");
    return 0;
}

static struct direct *direct_make(struct engine *e, const struct engine_env *env)
{
    struct direct *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->bare = (struct bare){direct_run, on_gone, on_all_gone};
    d->cpu = dbt_cpu(e, 0);
    d->ram = env->ram;
    d->stops = env->ledger ? ledger_row(env->ledger, LEDGER_EXIT, "cpu0", "cage") : NULL;
    d->written = env->ram->code_written;
    d->written_arg = env->ram->code_arg;
    return d;
}

static int direct_open(struct engine **out, const struct engine_env *env, struct error *err)
{
    struct engine *e = NULL;
    struct direct *d;
    int code = fits(env, err);

    if (!code)
        code = engine_dbt.open(&e, env, err);
    if (code)
        return code;
    d = direct_make(e, env);
    code = d ? cage_open(d, err) : error_set(err, -ENOMEM, "engine direct: out of memory");
    if (code) {
        free(d);
        engine_dbt.close(e);
        return code;
    }
    env->ram->code_arg = d;
    env->ram->code_written = on_written;
    d->cpu->dbt->bare = &d->bare;
    *out = e;
    return 0;
}

static void direct_close(struct engine *e)
{
    struct direct *d = direct_of(e);

    d->cpu->dbt->bare = NULL;
    d->ram->code_written = NULL;
    cage_close(d);
    free(d);
    engine_dbt.close(e);
}

static void direct_get_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    engine_dbt.get_regs(e, vcpu, r);
}

static void direct_set_regs(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    engine_dbt.set_regs(e, vcpu, r);
}

static void direct_run_vcpu(struct engine *e, unsigned vcpu, struct trap *end)
{
    engine_dbt.run(e, vcpu, end);
}

static void direct_kick(struct engine *e, unsigned vcpu, bool stop)
{
    engine_dbt.kick(e, vcpu, stop);
    cage_kick(direct_of(e));
}

static void direct_reset(struct engine *e, unsigned vcpu)
{
    engine_dbt.reset(e, vcpu);
}

/* The cage maps such pages as it starts, so it starts afresh: all that matters is with us. */
static int direct_shadow(struct engine *e, const struct shadow *s, bool add, struct error *err)
{
    struct direct *d = direct_of(e);
    unsigned i = 0;
    int code;

    if (add && d->pages == CAGE_PAGES)
        return error_set(err, -ENOSPC, "engine direct: at most %u register pages", CAGE_PAGES);
    code = engine_dbt.shadow(e, s, add, err);
    if (code)
        return code;
    while (i < d->pages && d->page[i] != s)
        i++;
    if (add)
        d->page[d->pages++] = s;
    else if (i < d->pages)
        d->page[i] = d->page[--d->pages];
    cage_close(d);
    return cage_open(d, err);
}

static enum trap_rip direct_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    return engine_dbt.trap_regs(e, vcpu, r);
}

static void direct_trap_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    engine_dbt.trap_resume(e, vcpu, r);
}

static uint64_t direct_tsc_offset(const struct engine *e, unsigned vcpu)
{
    return engine_dbt.tsc_offset(e, vcpu);
}

static uint64_t direct_footprint(const struct engine *e)
{
    return engine_dbt.footprint(e);
}

const struct engine_ops engine_direct = {
    .name = "direct",
    .hcalls = true,
    .probe = direct_probe,
    .open = direct_open,
    .close = direct_close,
    .get_regs = direct_get_regs,
    .set_regs = direct_set_regs,
    .run = direct_run_vcpu,
    .kick = direct_kick,
    .reset = direct_reset,
    .shadow = direct_shadow,
    .trap_regs = direct_trap_regs,
    .trap_resume = direct_trap_resume,
    .tsc_offset = direct_tsc_offset,
    .footprint = direct_footprint,
};
