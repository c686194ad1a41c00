/*
 * What the MMU remembers of walks, and when it forgets. Four levels: the TLB that generated code
 * checks; the victim table behind it, which thunks look up; a hashed second level (xlat) for C; and
 * the code fetch table. All follow the architecture's flushes: MOV CR3 forgets what is not global,
 * INVLPG a page, changes of the paging mode everything.
 */
#include "engine/dbt/mmu.h"
#include "mem/ram.h"

enum { TLBM_GLOBAL = 1, TLBM_LISTED = 2 };

static struct xlat_entry *xlat_slot(struct cpu *cpu, uint64_t page, bool user)
{
    uint64_t n = page >> 12;
    return &cpu->xlat[user][(n ^ n >> 9 ^ n >> 18) & (XLAT_SETS - 1)];
}

static uint64_t tlb_invalid_tag(unsigned set)
{
    return set ? 0 : PAGE; /* a page of another set */
}

static void tlb_drop(struct cpu *cpu, unsigned user, unsigned write, unsigned set)
{
    cpu->tlb[user][write][set].tag = tlb_invalid_tag(set);
}

/* Regions next to each other, as the kernel's map of all memory, must not fill the filter. */
static unsigned large_hash(uint64_t lin)
{
    return (unsigned)((lin >> 22) * 0x9e3779b97f4a7c15ull >> 32) % LARGE_BITS;
}

static void large_note(struct cpu *cpu, uint64_t lin)
{
    unsigned h = large_hash(lin);
    cpu->large_filter[h / 64] |= 1ull << (h % 64);
}

bool tlb_watched(const struct cpu *cpu, uint64_t page)
{
    if (!(cpu->dr[7] & 0xff))
        return false;
    for (unsigned i = 0; i < 4; i++)
        if ((cpu->dr[7] >> (2 * i) & 3) && PAGE_BASE(cpu->dr[i]) == page)
            return true;
    return false;
}

/* Pages that collide in the TLB are apart here. thunk.c computes the same. */
static unsigned victim_set(uint64_t page)
{
    uint64_t n = page >> 12;
    return (unsigned)(n ^ n >> TLB_BITS ^ n >> (TLB_BITS + 4)) & (VICTIM_SETS - 1);
}

/* As in the TLB: an empty entry holds a page of another set (0 is of set 0, 4096 of set 1). */
static void victim_drop(struct cpu *cpu, unsigned table, unsigned set)
{
    cpu->victim[table][set].tag = set ? 0 : PAGE;
}

static void victim_flush(struct cpu *cpu)
{
    if (cpu->victims < VICTIM_SETS) {
        for (unsigned i = 0; i < cpu->victims; i++)
            victim_drop(cpu, cpu->victim_list[i] >> 8, cpu->victim_list[i] & 255);
    } else {
        for (unsigned t = 0; t < 4; t++)
            for (unsigned s = 0; s < VICTIM_SETS; s++)
                victim_drop(cpu, t, s);
    }
    cpu->victims = 0;
}

static void victim_put(struct cpu *cpu, unsigned table, const struct tlb_entry *e)
{
    unsigned set = victim_set(e->tag);
    cpu->victim[table][set] = *e;
    if (cpu->victims < VICTIM_SETS)
        cpu->victim_list[cpu->victims++] = (uint16_t)(table << 8 | set);
}

static void victim_drop_page(struct cpu *cpu, uint64_t page)
{
    for (unsigned t = 0; t < 4; t++)
        if (cpu->victim[t][victim_set(page)].tag == page)
            victim_drop(cpu, t, victim_set(page));
}

static void tlb_fill(struct cpu *cpu, unsigned user, unsigned write, uint64_t page,
                     const struct walk *w, uint8_t *host)
{
    unsigned set = (unsigned)(page >> 12) & (TLB_SETS - 1);
    uint8_t *meta = &cpu->tlb_meta[user][write][set];
    const struct tlb_entry *old = &cpu->tlb[user][write][set];
    if (old->tag != page && old->tag != tlb_invalid_tag(set))
        victim_put(cpu, user * 2 + write, old);
    cpu->tlb[user][write][set] = (struct tlb_entry){page, (uint64_t)host};
    if (w->large)
        large_note(cpu, page);
    if (w->global) {
        *meta |= TLBM_GLOBAL;
        return;
    }
    *meta &= (uint8_t)~TLBM_GLOBAL;
    if (!(*meta & TLBM_LISTED)) {
        *meta |= TLBM_LISTED;
        if (cpu->tlb_listed < FLUSH_LIST)
            cpu->tlb_list[cpu->tlb_listed] = (uint16_t)((user << 1 | write) << TLB_BITS | set);
        cpu->tlb_listed++;
    }
}

bool has_code(const struct cpu *cpu, gpa_t gpa)
{
    const struct ram *ram = cpu->env->ram;
    return ram->page_flags[ram_page(ram, gpa)] & (RAM_CODE | RAM_PATCH);
}

/* Make what may be cached of a page just walked fast. */
void tlb_learn(struct cpu *cpu, unsigned user, uint64_t page, const struct walk *w, uint8_t *host)
{
    if (tlb_watched(cpu, page))
        return;
    tlb_fill(cpu, user, 0, page, w, host);
    if (w->writable && dbt_fast_write(cpu, w->gpa))
        tlb_fill(cpu, user, 1, page, w, host);
}

void mmu_reset(struct cpu *cpu)
{
    for (unsigned u = 0; u < 2; u++)
        for (unsigned w = 0; w < 2; w++)
            for (unsigned s = 0; s < TLB_SETS; s++) {
                tlb_drop(cpu, u, w, s);
                cpu->tlb_meta[u][w][s] = 0;
            }
    cpu->tlb_listed = 0;
    cpu->victims = VICTIM_SETS;
    victim_flush(cpu);
    for (unsigned i = 0; i < MMIO_SETS; i++)
        cpu->mmio[i].tag = UINT64_MAX;
    for (unsigned i = 0; i < LARGE_BITS / 64; i++)
        cpu->large_filter[i] = 0;
    cpu->itlb_gen++;
    cpu->itlb_gen_global++;
}

void mmu_flush(struct cpu *cpu, bool global)
{
    jc_flush(cpu, global);
    if (global || cpu->tlb_listed > FLUSH_LIST) {
        mmu_reset(cpu);
        if (global && cpu->dbt)
            dbt_unlink_cross(cpu->dbt);
        return;
    }
    for (unsigned i = 0; i < cpu->tlb_listed; i++) {
        unsigned at = cpu->tlb_list[i], s = at & (TLB_SETS - 1);
        unsigned u = at >> (TLB_BITS + 1), w = at >> TLB_BITS & 1;
        if (!(cpu->tlb_meta[u][w][s] & TLBM_GLOBAL))
            tlb_drop(cpu, u, w, s);
        cpu->tlb_meta[u][w][s] &= (uint8_t)~TLBM_LISTED;
    }
    cpu->tlb_listed = 0;
    victim_flush(cpu);
    for (unsigned i = 0; i < MMIO_SETS; i++)
        cpu->mmio[i].tag = UINT64_MAX;
    cpu->itlb_gen++;
}

void mmu_flush_page(struct cpu *cpu, uint64_t lin)
{
    unsigned h = large_hash(lin);
    if (cpu->large_filter[h / 64] >> (h % 64) & 1) {
        mmu_flush(cpu, true); /* a large page may be meant: 512 entries could hold parts of it */
        return;
    }
    uint64_t page = PAGE_BASE(lin);
    unsigned set = (unsigned)(page >> 12) & (TLB_SETS - 1);
    for (unsigned u = 0; u < 2; u++)
        for (unsigned w = 0; w < 2; w++)
            if (cpu->tlb[u][w][set].tag == page)
                tlb_drop(cpu, u, w, set);
    victim_drop_page(cpu, page);
    for (unsigned i = 0; i < MMIO_SETS; i++)
        cpu->mmio[i].tag = UINT64_MAX;
    struct itlb_entry *it = &cpu->itlb[(page >> 12) % ITLB_SETS];
    if (it->tag == (page | 1))
        it->tag = 0;
    for (unsigned u = 0; u < 2; u++)
        xlat_slot(cpu, page, u)->tag = 0;
    h = (unsigned)(page >> 12) & 0xffff;
    if (cpu->exec_filter[h / 64] >> (h % 64) & 1) {
        jc_flush(cpu, true);
        if (cpu->dbt)
            dbt_unlink_cross(cpu->dbt);
    }
}

void mmu_code_page(struct cpu *cpu, gpa_t gpa)
{
    uint64_t host = (uint64_t)ram_ptr(cpu->env->ram, gpa, 1);
    for (unsigned u = 0; u < 2; u++)
        for (unsigned s = 0; s < TLB_SETS; s++)
            if (cpu->tlb[u][1][s].host == host)
                tlb_drop(cpu, u, 1, s);
    for (unsigned t = 1; t < 4; t += 2)
        for (unsigned s = 0; s < VICTIM_SETS; s++)
            if (cpu->victim[t][s].host == host)
                victim_drop(cpu, t, s);
}

/* ---- code fetch ---- */

static void itlb_set(struct cpu *cpu, struct itlb_entry *it, uint64_t page, const struct walk *w,
                     bool user)
{
    it->tag = page | 1;
    it->gen = w->global ? cpu->itlb_gen_global : cpu->itlb_gen;
    it->global = w->global;
    it->gpa = w->gpa;
    it->user = user;
    it->host = ram_ptr(cpu->env->ram, w->gpa, PAGE);
}

struct itlb_entry *mmu_fetch(struct cpu *cpu, uint64_t lin)
{
    uint64_t page = PAGE_BASE(lin);
    bool user = cpu->cpl == 3;
    struct itlb_entry *it = &cpu->itlb[(page >> 12) % ITLB_SETS];
    if (it->tag == (page | 1) && it->user == user &&
        it->gen == (it->global ? cpu->itlb_gen_global : cpu->itlb_gen))
        return it;
    struct walk w;
    if (!canonical(cpu, lin))
        cpu_fault_err(cpu, EXC_GP, 0);
    if (!walk(cpu, lin, ACC_FETCH | (user ? ACC_USER : 0), &w))
        page_fault(cpu, lin, w.error - 1);
    if (w.large)
        large_note(cpu, page);
    itlb_set(cpu, it, page, &w, user);
    return it;
}

bool mmu_fetch_try(struct cpu *cpu, uint64_t lin, struct itlb_entry *out)
{
    struct walk w;
    bool user = cpu->cpl == 3;
    if (!canonical(cpu, lin) || !walk(cpu, lin, ACC_FETCH | ACC_PROBE | (user ? ACC_USER : 0), &w))
        return false;
    itlb_set(cpu, out, PAGE_BASE(lin), &w, user);
    return true;
}

/* ---- the second level ---- */

static bool xlat_hit(const struct cpu *cpu, const struct xlat_entry *e, uint64_t page, bool write)
{
    return e->tag == (page | 1) && e->gen == (e->global ? cpu->itlb_gen_global : cpu->itlb_gen) &&
           (e->writable || !write);
}

uint8_t *translate(struct cpu *cpu, uint64_t page, bool write, bool user, struct walk *w)
{
    struct xlat_entry *e = xlat_slot(cpu, page, user);
    if (xlat_hit(cpu, e, page, write)) {
        *w = (struct walk){
            .gpa = e->gpa, .writable = e->writable, .global = e->global, .large = e->large};
        return e->host;
    }
    if (!walk(cpu, page, (write ? ACC_WRITE : 0) | (user ? ACC_USER : 0), w))
        return NULL;
    uint8_t *host = ram_ptr(cpu->env->ram, w->gpa, PAGE);
    if (host)
        *e = (struct xlat_entry){.tag = page | 1,
                                 .gpa = w->gpa,
                                 .host = host,
                                 .gen = w->global ? cpu->itlb_gen_global : cpu->itlb_gen,
                                 .writable = w->writable,
                                 .global = w->global,
                                 .large = w->large};
    return host;
}
