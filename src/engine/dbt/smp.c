/*
 * What several vCPUs owe each other about translated code. Each has translations of its own and
 * invalidates them itself; what must be shared is the notice of writes.
 *
 * A page of RAM that some vCPU holds translations of has RAM_CODE set, and nobody writes it without
 * looking: no write entry in any TLB. A store into such a page is followed by a look at the lines
 * that each other vCPU depends on, and by a note to those it hits, before the next instruction.
 * The other one reads its notes when it next leaves its code (backward and indirect jumps, system
 * instructions, interrupts): as late as a CPU may that has prefetched (SDM volume 3, 8.1.3).
 *
 * The first translation of a page is the delicate moment, since others may have write entries for
 * it (RAM_FAST says that some might). They are asked to drop them, and no byte is read before each
 * has, or isn't running guest code at all. RAM_FAST is set before RAM_CODE is looked at, and
 * RAM_CODE before RAM_FAST: one of the two sides sees the other. The lines of a block are published
 * after its bytes were read, so the translator looks at the bytes once more (translate.c).
 */
#include "engine/dbt/dbt.h"
#include "core/tsc.h"
#include "mem/ram.h"
#include <sched.h>

#define PAUSES     32u    /* so many PAUSEs */
#define PAUSES_TSC 20000u /* in so little time are a spinning CPU */
#define SPINS      200u   /* then let somebody else have the host's CPU */

static void spin(unsigned *n)
{
    if (++*n % SPINS)
        __builtin_ia32_pause();
    else
        sched_yield();
}

/* Not a mutex: taken from helpers beneath which vector state is live. Held for a few stores. */
static void spin_lock(uint32_t *lock)
{
    unsigned n = 0;
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
        spin(&n);
}

static void spin_unlock(uint32_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* ---- notes ---- */

void dbt_note_written(struct dbt *d, gpa_t gpa, uint64_t len)
{
    spin_lock(&d->note.lock);
    if (d->note.writtens == NOTES_MAX) {
        d->note.written_all = true;
    } else {
        d->note.written[d->note.writtens].gpa = gpa;
        d->note.written[d->note.writtens].len = len;
        d->note.writtens++;
    }
    spin_unlock(&d->note.lock);
    __atomic_store_n(&d->cpu->exit_request, 1, __ATOMIC_SEQ_CST);
}

static bool note_take(struct dbt *d, gpa_t *gpa, uint64_t *len)
{
    spin_lock(&d->note.lock);
    bool some = d->note.writtens != 0;
    if (some) {
        unsigned last = --d->note.writtens;
        *gpa = d->note.written[last].gpa;
        *len = d->note.written[last].len;
    }
    spin_unlock(&d->note.lock);
    return some;
}

static void written_serve(struct dbt *d)
{
    gpa_t gpa;
    uint64_t len;
    if (!__atomic_load_n(&d->note.writtens, __ATOMIC_ACQUIRE))
        return;
    cpu_vec_save(d->cpu); /* a flush clears tables with memset */
    while (note_take(d, &gpa, &len))
        dbt_invalidate(d, gpa, len);
    if (__atomic_exchange_n(&d->note.written_all, false, __ATOMIC_ACQ_REL))
        dbt_flush_all(d);
}

static void slow_serve(struct dbt *d)
{
    if (__atomic_load_n(&d->note.slow_asked, __ATOMIC_SEQ_CST) == d->note.slow_done)
        return;
    spin_lock(&d->note.lock);
    uint64_t ticket = d->note.slow_asked;
    if (d->note.slow_all)
        mmu_reset(d->cpu);
    else
        for (unsigned i = 0; i < d->note.slows; i++)
            mmu_code_page(d->cpu, d->note.slow[i]);
    d->note.slows = 0;
    d->note.slow_all = false;
    spin_unlock(&d->note.lock);
    __atomic_store_n(&d->note.slow_done, ticket, __ATOMIC_SEQ_CST);
}

void dbt_notes_serve(struct dbt *d)
{
    slow_serve(d);
    written_serve(d);
}

/* ---- who runs ---- */

void dbt_running(struct cpu *cpu, bool running)
{
    __atomic_store_n(&cpu->running, running, __ATOMIC_SEQ_CST);
    if (running)
        slow_serve(cpu->dbt);
}

static uint64_t slow_ask(struct dbt *d, gpa_t page)
{
    spin_lock(&d->note.lock);
    if (d->note.slows == NOTES_MAX)
        d->note.slow_all = true;
    else
        d->note.slow[d->note.slows++] = page;
    uint64_t ticket = d->note.slow_asked + 1;
    __atomic_store_n(&d->note.slow_asked, ticket, __ATOMIC_SEQ_CST);
    spin_unlock(&d->note.lock);
    __atomic_store_n(&d->cpu->exit_request, 1, __ATOMIC_SEQ_CST);
    return ticket;
}

/* Returns when no other vCPU can write the page without looking. This one counts as not running
 * meanwhile, so that two that wait for each other both go on. */
static void slow_everywhere(struct cpu *cpu, gpa_t page)
{
    const struct dbt_share *s = cpu->dbt->share;
    uint64_t ticket[DBT_CPUS_MAX];
    for (unsigned i = 0; i < s->cpus; i++)
        if (s->cpu[i] != cpu)
            ticket[i] = slow_ask(s->cpu[i]->dbt, page);
    dbt_running(cpu, false);
    for (unsigned i = 0; i < s->cpus; i++) {
        const struct cpu *other = s->cpu[i];
        unsigned n = 0;
        while (other != cpu && __atomic_load_n(&other->running, __ATOMIC_SEQ_CST) &&
               __atomic_load_n(&other->dbt->note.slow_done, __ATOMIC_SEQ_CST) < ticket[i])
            spin(&n);
    }
    dbt_running(cpu, true);
}

/* ---- pages ---- */

bool dbt_fast_write(struct cpu *cpu, gpa_t gpa)
{
    struct ram *ram = cpu->env->ram;
    uint8_t *flags = &ram->page_flags[ram_page(ram, gpa)];
    uint8_t f = __atomic_load_n(flags, __ATOMIC_RELAXED);
    if (cpu->env->vcpus > 1 && !(f & (RAM_CODE | RAM_FAST | RAM_PATCH)))
        f = __atomic_fetch_or(flags, RAM_FAST, __ATOMIC_SEQ_CST);
    return !(f & (RAM_CODE | RAM_PATCH));
}

void dbt_watch_page(struct dbt *d, gpa_t page)
{
    struct code_page *cp = dbt_code_page(d, page, true);
    if (cp->watched)
        return;
    size_t n = ram_page(d->ram, page);
    uint8_t *flags = &d->ram->page_flags[n];
    spin_lock(&d->share->lock);
    cp->watched = true;
    d->share->watchers[n]++;
    uint8_t was = __atomic_fetch_or(flags, RAM_CODE, __ATOMIC_SEQ_CST);
    spin_unlock(&d->share->lock);
    if (d->share->cpus == 1 || (was & RAM_FAST))
        mmu_code_page(d->cpu, page);
    if (was & RAM_FAST) {
        slow_everywhere(d->cpu, page);
        __atomic_fetch_and(flags, (uint8_t)~RAM_FAST, __ATOMIC_SEQ_CST);
    }
}

static void unwatch(struct dbt *d, size_t n)
{
    struct code_page *cp = &d->pages[d->page_index[n]];
    if (!cp->watched || cp->bare)
        return;
    spin_lock(&d->share->lock);
    cp->watched = false;
    if (!--d->share->watchers[n])
        __atomic_fetch_and(&d->ram->page_flags[n], (uint8_t)~RAM_CODE, __ATOMIC_SEQ_CST);
    spin_unlock(&d->share->lock);
}

void dbt_unwatch_page(struct dbt *d, gpa_t page)
{
    unwatch(d, ram_page(d->ram, page));
}

void dbt_unwatch_all(struct dbt *d)
{
    size_t pages = ram_pages(d->ram);
    for (size_t n = 0; n < pages; n++)
        if (d->page_index[n])
            unwatch(d, n);
}

/* ---- pages that run elsewhere, too ---- */

void bare_watch(struct dbt *d, gpa_t page)
{
    if (!dbt_room(d))
        dbt_flush_all(d);
    dbt_watch_page(d, page);
    dbt_code_page(d, page, true)->bare = true;
}

void bare_unwatch(struct dbt *d, gpa_t page)
{
    struct code_page *cp = dbt_code_page(d, page, false);
    if (!cp || !cp->bare)
        return;
    cp->bare = false;
    if (!cp->blocks)
        dbt_unwatch_page(d, page);
}

/* Another vCPU's lines may change as we look: it will see our store itself then. */
static bool lines_hit(const struct dbt *d, size_t n, uint64_t lines)
{
    uint32_t at = __atomic_load_n(&d->page_index[n], __ATOMIC_ACQUIRE);
    return at && (__atomic_load_n(&d->pages[at].lines, __ATOMIC_RELAXED) & lines);
}

void dbt_tell_written(struct cpu *cpu, gpa_t gpa, unsigned len)
{
    const struct dbt_share *s = cpu->dbt->share;
    unsigned lo = (unsigned)(gpa & 4095);
    uint64_t lines = dbt_line_mask(lo, lo + len);
    size_t n = ram_page(cpu->env->ram, gpa);
    for (unsigned i = 0; i < s->cpus; i++)
        if (s->cpu[i] != cpu && lines_hit(s->cpu[i]->dbt, n, lines))
            dbt_note_written(s->cpu[i]->dbt, gpa, len);
}

/*
 * A CPU that spins waits for another, which may be waiting for this very core of the host: let it
 * have the core. A sched_yield with nobody else to run costs less than the round of PAUSEs.
 */
int dbt_pause(struct cpu *cpu, const struct insn *i)
{
    uint64_t now;
    (void)i;
    if (++cpu->pauses < PAUSES)
        return INSN_NEXT;
    now = tsc_read();
    if (now - cpu->pause_tsc < PAUSES_TSC)
        sched_yield();
    cpu->pauses = 0;
    cpu->pause_tsc = tsc_read();
    return INSN_NEXT;
}

/* A locked instruction that straddles two pages does so on every CPU, so this makes it atomic. */
void dbt_exclusive(struct cpu *cpu, bool on)
{
    if (cpu->wb.exclusive == on || cpu->env->vcpus == 1)
        return;
    cpu->wb.exclusive = on;
    if (on)
        spin_lock(&cpu->dbt->share->bounced);
    else
        spin_unlock(&cpu->dbt->share->bounced);
}
