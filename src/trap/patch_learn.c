/*
 * Which instruction made this access? After a trap at a covered address it is looked for at RIP, or
 * behind it where the engine's RIP has moved on, and patched if there is no doubt.
 */
#include "trap/paging.h"
#include "trap/patch_impl.h"

static bool insn_made(const struct patch_insn *i, const struct trap *t)
{
    return i->write == t->write && i->size == t->size;
}

/* Did this instruction make that store? Its registers are as before: a store changes none. */
static bool store_made(struct patch *p, const struct view *v, const struct patch_insn *i,
                       const struct trap *t)
{
    uint64_t lin, mask = t->size >= 8 ? UINT64_MAX : (1ull << (t->size * 8)) - 1;
    gpa_t gpa;

    return insn_made(i, t) && patch_operand(i, &v->r, v->rip, &lin) &&
           paging_find(p->ram, &v->r, lin, PAGING_WRITE, &gpa) && gpa == t->addr &&
           patch_value(i, &v->r) == (t->value & mask);
}

/* The one instruction that ends at RIP and made this store. Two that could have: none. It is taken
 * as it was read here: another vCPU may patch it meanwhile. */
static bool find_behind(struct patch *p, struct view *v, const struct trap *t)
{
    struct view it = {.r = v->r};
    unsigned hits = 0;

    for (unsigned n = 2; n <= PATCH_INSN_MAX; n++) {
        struct patch_insn i;

        if (patch_view_at(p, &it, v->r.rip - n, n) && it.n == n &&
            patch_decode(&it.r, it.bytes, n, &i) && i.len == n && store_made(p, &it, &i, t)) {
            it.len = i.len;
            *v = it;
            hits++;
        }
    }
    return hits == 1;
}

static bool find_at(struct patch *p, struct view *v, const struct trap *t)
{
    struct patch_insn i;

    if (!patch_view_at(p, v, v->r.rip, PATCH_INSN_MAX) || !patch_decode(&v->r, v->bytes, v->n, &i))
        return false;
    v->len = i.len;
    return insn_made(&i, t);
}

void patch_learn(struct patch *p, unsigned vcpu, const struct trap *t)
{
    struct view v;
    enum trap_rip where;
    bool found;

    if (__atomic_load_n(&p->off, __ATOMIC_RELAXED))
        return;
    where = p->cpu.regs(p->cpu.ctx, vcpu, &v.r);
    found = patch_supervisor(&v.r) && !(v.r.rflags & RFLAGS_TF) &&
            (where == TRAP_RIP_BEHIND ? find_behind(p, &v, t) : find_at(p, &v, t));
    pthread_mutex_lock(&p->lock);
    if (found && !p->off)
        patch_site_make(p, &v);
    else
        p->stats.refused++;
    pthread_mutex_unlock(&p->lock);
}
