/*
 * Paging and memory access of the software CPU: the page walk with accessed/dirty bits, NX, WP,
 * global and large pages (Intel SDM volume 3, chapter 4), the software TLB it fills, and the slow
 * path of accesses that straddle pages, reach devices, or write where translated code stands.
 * Reserved bits are checked for the physical width CPUID claims (40 bits).
 */
#include "engine/dbt/dbt.h"
#include "mem/ram.h"

#define PAGE         4096ull
#define PAGE_OFF(a)  ((a) & (PAGE - 1))
#define PAGE_BASE(a) ((a) & ~(PAGE - 1))
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000000fffffff000ull /* 40-bit physical addresses */
#define PTE_RSVD 0x000fff0000000000ull /* bits 40-51 */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };
enum { TLBM_GLOBAL = 1, TLBM_LISTED = 2 };

struct walk {
    gpa_t gpa;     /* of the 4 KiB page */
    bool writable; /* by this privilege, dirty bit set already */
    bool global, large;
    uint32_t error; /* when the walk failed: page fault error code + 1; else 0 */
};

enum { ACC_WRITE = 1, ACC_USER = 2, ACC_FETCH = 4, ACC_PROBE = 8 /* touch no A/D bits */ };

static uint8_t *pte_ptr(const struct cpu *cpu, gpa_t table, unsigned index, unsigned width)
{
    return ram_ptr(cpu->env->ram, table + (uint64_t)index * width, width);
}

static uint64_t pte_load(const uint8_t *p, unsigned width)
{
    return width == 8 ? __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED)
                      : __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED);
}

static void pte_set(uint8_t *p, uint32_t bits)
{
    __atomic_fetch_or((uint32_t *)(void *)p, bits, __ATOMIC_RELAXED);
}

static bool walk_fail(struct walk *w, unsigned acc, uint32_t why)
{
    w->error = 1 + (why | (acc & ACC_WRITE ? PF_W : 0u) | (acc & ACC_USER ? PF_U : 0u) |
                    (acc & ACC_FETCH ? PF_I : 0u));
    return false;
}

/* Rights of the whole walk against the access; then accessed and dirty bits. */
static bool walk_leaf(struct cpu *cpu, struct walk *w, unsigned acc, uint8_t *at, uint64_t pte,
                      uint64_t rights, uint64_t nx)
{
    bool user = acc & ACC_USER;
    bool may_write = (rights & PTE_W) || (!user && !(cpu->cr0 & CR0_WP));
    if ((user && !(rights & PTE_U)) || ((acc & ACC_WRITE) && !may_write) ||
        ((acc & ACC_FETCH) && nx))
        return walk_fail(w, acc, PF_P);
    if (!(acc & ACC_PROBE)) {
        uint32_t set = PTE_A | (acc & ACC_WRITE ? PTE_D : 0u);
        if ((pte & set) != set) {
            pte_set(at, set);
            pte |= set;
        }
    }
    w->writable = may_write && (pte & PTE_D);
    w->global = (pte & PTE_G) && (cpu->cr4 & CR4_PGE);
    return true;
}

/* 32-bit paging: two levels of 4-byte entries, 4 MiB pages with PSE (PSE-36 not claimed wider). */
static bool walk32(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w)
{
    uint8_t *at = pte_ptr(cpu, cpu->cr3 & 0xfffff000u, (unsigned)(lin >> 22) & 1023, 4);
    uint64_t pde = at ? pte_load(at, 4) : 0;
    if (!(pde & PTE_P))
        return walk_fail(w, acc, 0);
    if ((pde & PTE_PS) && (cpu->cr4 & CR4_PSE)) {
        uint64_t high = (pde >> 13) & 0xff;
        w->large = true;
        w->gpa = ((pde & 0xffc00000u) | high << 32) + (lin & 0x3ff000u);
        return walk_leaf(cpu, w, acc, at, pde, pde, 0);
    }
    if (!(acc & ACC_PROBE) && !(pde & PTE_A))
        pte_set(at, PTE_A);
    at = pte_ptr(cpu, pde & 0xfffff000u, (unsigned)(lin >> 12) & 1023, 4);
    uint64_t pte = at ? pte_load(at, 4) : 0;
    if (!(pte & PTE_P))
        return walk_fail(w, acc, 0);
    w->gpa = pte & 0xfffff000u;
    return walk_leaf(cpu, w, acc, at, pte, pde & pte, 0);
}

/* PAE and 4-level paging share their last levels; level counts down to 1. */
static bool walk64(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w)
{
    bool lma = cpu->efer & EFER_LMA, nxe = cpu->efer & EFER_NXE;
    uint64_t rights = PTE_W | PTE_U, nx = 0, table, rsvd = PTE_RSVD | (nxe ? 0 : PTE_NX);
    int level = lma ? 4 : 2;
    if (lma) {
        table = cpu->cr3 & PTE_ADDR;
    } else {
        uint64_t pdpte = cpu->pdpte[(lin >> 30) & 3];
        if (!(pdpte & PTE_P))
            return walk_fail(w, acc, 0);
        table = pdpte & PTE_ADDR;
        rsvd |= 0x7ff0000000000000ull & ~PTE_NX;
    }
    for (;; level--) { /* at most four rounds: level falls to 1 */
        unsigned shift = 12 + 9 * (unsigned)(level - 1);
        uint8_t *at = pte_ptr(cpu, table, (unsigned)(lin >> shift) & 511, 8);
        uint64_t e = at ? pte_load(at, 8) : 0;
        if (!(e & PTE_P))
            return walk_fail(w, acc, 0);
        bool leaf = level == 1 || ((e & PTE_PS) && level == 2);
        if ((e & rsvd) || ((e & PTE_PS) && level > 2) || (leaf && level == 2 && (e & 0x1fe000)))
            return walk_fail(w, acc, PF_P | PF_RSVD);
        rights &= e;
        nx |= nxe ? e & PTE_NX : 0;
        if (leaf) {
            uint64_t mask = (1ull << shift) - 1;
            w->large = level > 1;
            w->gpa = PAGE_BASE((e & PTE_ADDR & ~mask) | (lin & mask));
            return walk_leaf(cpu, w, acc, at, e, rights, nx);
        }
        if (!(acc & ACC_PROBE) && !(e & PTE_A))
            pte_set(at, PTE_A);
        table = e & PTE_ADDR;
    }
}

static bool walk(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w)
{
    *w = (struct walk){0};
    if (!(cpu->cr0 & CR0_PG)) {
        w->gpa = PAGE_BASE(lin & UINT32_MAX);
        w->writable = w->global = true;
        return true;
    }
    bool ok = cpu->cr4 & CR4_PAE ? walk64(cpu, lin, acc, w) : walk32(cpu, lin, acc, w);
    /* I/D is only reported where no-execute exists. */
    if (!ok && !((cpu->cr4 & CR4_PAE) && (cpu->efer & EFER_NXE)))
        w->error = ((w->error - 1) & ~(uint32_t)PF_I) + 1;
    return ok;
}

static bool canonical(const struct cpu *cpu, uint64_t lin)
{
    return !(cpu->efer & EFER_LMA) || (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

_Noreturn static void page_fault(struct cpu *cpu, uint64_t lin, uint32_t error)
{
    cpu->cr2 = lin;
    cpu_fault_err(cpu, EXC_PF, error);
}

/* ---- the TLB ---- */

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

static void large_note(struct cpu *cpu, uint64_t lin)
{
    unsigned h = (unsigned)(lin >> 21) & 511;
    cpu->large_filter[h / 64] |= 1ull << (h % 64);
}

static bool watched(const struct cpu *cpu, uint64_t page)
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
            cpu->tlb_list[cpu->tlb_listed] = (uint16_t)(user << 11 | write << 10 | set);
        cpu->tlb_listed++;
    }
}

static bool has_code(const struct cpu *cpu, gpa_t gpa)
{
    const struct ram *ram = cpu->env->ram;
    return ram->page_flags[ram_page(ram, gpa)] & RAM_CODE;
}

/* Make what may be cached of a page just walked fast. */
static void tlb_learn(struct cpu *cpu, unsigned user, uint64_t page, const struct walk *w,
                      uint8_t *host)
{
    if (watched(cpu, page))
        return;
    tlb_fill(cpu, user, 0, page, w, host);
    if (w->writable && !has_code(cpu, w->gpa))
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
    for (unsigned i = 0; i < 8; i++)
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
        unsigned at = cpu->tlb_list[i], u = at >> 11, w = at >> 10 & 1, s = at & (TLB_SETS - 1);
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
    unsigned h = (unsigned)(lin >> 21) & 511;
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

void mmu_load_pdptes(struct cpu *cpu)
{
    uint64_t e[4];
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *p = pte_ptr(cpu, cpu->cr3 & 0xffffffe0u, i, 8);
        e[i] = p ? pte_load(p, 8) : 0;
        if ((e[i] & PTE_P) && (e[i] & (PTE_RSVD | 0xfff0000000000000ull | 0x1e6)))
            cpu_fault_err(cpu, EXC_GP, 0);
    }
    for (unsigned i = 0; i < 4; i++)
        cpu->pdpte[i] = e[i];
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

/* ---- data ---- */

struct place {     /* a resolved piece of an access that lies in one page */
    uint8_t *host; /* NULL: not RAM */
    gpa_t gpa;
};

static bool mmio_hit(struct cpu *cpu, uint64_t key, struct mmio_entry **slot)
{
    *slot = &cpu->mmio[(key >> 12) % MMIO_SETS];
    return (*slot)->tag == key;
}

static bool xlat_hit(const struct cpu *cpu, const struct xlat_entry *e, uint64_t page, bool write)
{
    return e->tag == (page | 1) && e->gen == (e->global ? cpu->itlb_gen_global : cpu->itlb_gen) &&
           (e->writable || !write);
}

/* Host page of a RAM page by the walk or what is remembered of it; NULL: not RAM, see w->gpa. */
static uint8_t *translate(struct cpu *cpu, uint64_t page, bool write, bool user, struct walk *w)
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

static struct place resolve(struct cpu *cpu, uint64_t lin, bool write, bool user, bool stack)
{
    uint64_t page = PAGE_BASE(lin);
    struct mmio_entry *mm;
    if (mmio_hit(cpu, page | (user ? 2u : 0u) | (write ? 1u : 0u), &mm))
        return (struct place){NULL, mm->gpa | PAGE_OFF(lin)};
    struct walk w;
    if (!canonical(cpu, lin))
        cpu_fault_err(cpu, stack ? EXC_SS : EXC_GP, 0);
    uint8_t *host = translate(cpu, page, write, user, &w);
    if (!host && w.error)
        page_fault(cpu, lin, w.error - 1);
    if (host)
        tlb_learn(cpu, user, page, &w, host);
    else
        *mm = (struct mmio_entry){page | (user ? 2u : 0u) | (write ? 1u : 0u), w.gpa};
    return (struct place){host ? host + PAGE_OFF(lin) : NULL, w.gpa | PAGE_OFF(lin)};
}

static uint64_t mmio_read(struct cpu *cpu, gpa_t gpa, unsigned size)
{
    struct trap t;
    t.kind = TRAP_MMIO;
    t.write = false;
    t.size = (uint8_t)size;
    t.count = 1;
    t.addr = gpa;
    t.value = 0;
    t.data = NULL;
    cpu_trap(cpu, &t);
    return t.value;
}

static void mmio_write(struct cpu *cpu, gpa_t gpa, unsigned size, uint64_t val)
{
    struct trap t;
    t.kind = TRAP_MMIO;
    t.write = true;
    t.size = (uint8_t)size;
    t.count = 1;
    t.addr = gpa;
    t.value = val;
    t.data = NULL;
    cpu_trap(cpu, &t);
}

static void copy_bytes(uint8_t *dst, const uint8_t *src, unsigned n)
{
    while (n--)
        *dst++ = *src++;
}

static void piece_read(struct cpu *cpu, struct place at, uint8_t *buf, unsigned n)
{
    if (at.host) {
        copy_bytes(buf, at.host, n);
        return;
    }
    while (n) { /* n <= 64: an instruction's operand */
        unsigned step = n >= 8 ? 8 : n;
        uint64_t v = mmio_read(cpu, at.gpa, step);
        for (unsigned i = 0; i < step; i++)
            buf[i] = (uint8_t)(v >> (8 * i));
        buf += step;
        at.gpa += step;
        n -= step;
    }
}

static bool code_write(struct cpu *cpu, gpa_t gpa, unsigned n)
{
    return has_code(cpu, gpa) && cpu->dbt && dbt_invalidate(cpu->dbt, gpa, n);
}

static bool piece_write(struct cpu *cpu, struct place at, const uint8_t *buf, unsigned n)
{
    if (at.host) {
        switch (n) { /* one store where the guest's is one, for other CPUs to see */
        case 2:
            __atomic_store_n((uint16_t *)(void *)at.host, le16_get(buf), __ATOMIC_RELAXED);
            break;
        case 4:
            __atomic_store_n((uint32_t *)(void *)at.host, le32_get(buf), __ATOMIC_RELAXED);
            break;
        case 8:
            __atomic_store_n((uint64_t *)(void *)at.host, le64_get(buf), __ATOMIC_RELAXED);
            break;
        default: copy_bytes(at.host, buf, n);
        }
        return code_write(cpu, at.gpa, n);
    }
    while (n) {
        unsigned step = n >= 8 ? 8 : n;
        uint64_t v = 0;
        for (unsigned i = 0; i < step; i++)
            v |= (uint64_t)buf[i] << (8 * i);
        mmio_write(cpu, at.gpa, step, v);
        buf += step;
        at.gpa += step;
        n -= step;
    }
    return false;
}

static void watch_check(struct cpu *cpu, uint64_t lin, unsigned size, bool write)
{
    static const uint8_t len_of[4] = {1, 2, 8, 4};
    for (unsigned i = 0; i < 4; i++) {
        unsigned rw = cpu->dr[7] >> (16 + 4 * i) & 3, len = len_of[cpu->dr[7] >> (18 + 4 * i) & 3];
        if (!(cpu->dr[7] >> (2 * i) & 3) || rw == 0 || rw == 2 || (rw == 1 && !write))
            continue;
        uint64_t at = cpu->dr[i] & ~(uint64_t)(len - 1u);
        if (lin < at + len && at < lin + size) {
            cpu->dr[6] |= 1u << i;
            cpu->step_pending = true;
            cpu->exit_request = 1;
        }
    }
}

static void access_parts(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool user,
                         bool stack, struct place part[2], unsigned *first)
{
    *first = (unsigned)(PAGE - PAGE_OFF(lin));
    if (*first > size)
        *first = size;
    if (cpu->dr[7] & 0xff)
        watch_check(cpu, lin, size, write);
    part[0] = resolve(cpu, lin, write, user, stack);
    if (*first < size)
        part[1] = resolve(cpu, lin + *first, write, user, stack);
}

uint8_t *mmu_slow(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool rmw, bool user,
                  bool stack)
{
    struct place part[2];
    unsigned first;
    cpu->wb.len = 0;
    access_parts(cpu, lin, size, write, user, stack, part, &first);
    bool code = write && part[0].host && has_code(cpu, part[0].gpa) &&
                (!cpu->dbt || dbt_touches_code(cpu->dbt, part[0].gpa, first));
    if (first == size && part[0].host && !code)
        return part[0].host;
    uint8_t *b = cpu->bounce + (lin & 63); /* same alignment as the guest's address */
    if (!write || rmw) {
        piece_read(cpu, part[0], b, first);
        if (first < size)
            piece_read(cpu, part[1], b + first, size - first);
    }
    if (write) {
        cpu->wb.lin = lin;
        cpu->wb.len = size;
        cpu->wb.user = user;
    }
    return b;
}

uint8_t *mmu_window(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool user)
{
    struct walk w;
    uint64_t page = PAGE_BASE(lin);
    if (PAGE_OFF(lin) + size > PAGE || !canonical(cpu, lin))
        return NULL;
    uint8_t *host = translate(cpu, page, write, user, &w);
    if (!host ||
        (write && has_code(cpu, w.gpa) && dbt_touches_code(cpu->dbt, w.gpa | PAGE_OFF(lin), size)))
        return NULL;
    tlb_learn(cpu, user, page, &w, host);
    return host + PAGE_OFF(lin);
}

bool mmu_writeback(struct cpu *cpu)
{
    struct place part[2];
    unsigned first, size = cpu->wb.len;
    const uint8_t *b = cpu->bounce + (cpu->wb.lin & 63);
    if (!size)
        return false;
    cpu->wb.len = 0;
    access_parts(cpu, cpu->wb.lin, size, true, cpu->wb.user, false, part, &first);
    bool hit = piece_write(cpu, part[0], b, first);
    if (first < size && piece_write(cpu, part[1], b + first, size - first))
        hit = true;
    return hit;
}

uint64_t mem_read(struct cpu *cpu, uint64_t lin, unsigned size, bool user)
{
    struct tlb_entry *e = &cpu->tlb[user][0][(lin >> 12) & (TLB_SETS - 1)];
    uint8_t buf[8] = {0};
    const uint8_t *p = buf;
    if (lin - e->tag <= PAGE - size) {
        p = (const uint8_t *)(lin - e->tag + e->host);
    } else {
        struct place part[2];
        unsigned first;
        access_parts(cpu, lin, size, false, user, false, part, &first);
        piece_read(cpu, part[0], buf, first);
        if (first < size)
            piece_read(cpu, part[1], buf + first, size - first);
    }
    switch (size) {
    case 1: return *p;
    case 2: return le16_get(p);
    case 4: return le32_get(p);
    default: return le64_get(p);
    }
}

void mem_write(struct cpu *cpu, uint64_t lin, unsigned size, uint64_t val, bool user)
{
    uint8_t buf[8];
    struct tlb_entry *e = &cpu->tlb[user][1][(lin >> 12) & (TLB_SETS - 1)];
    for (unsigned i = 0; i < 8; i++)
        buf[i] = (uint8_t)(val >> (8 * i));
    if (lin - e->tag <= PAGE - size) {
        uint8_t *p = (uint8_t *)(lin - e->tag + e->host);
        switch (size) {
        case 1: *p = buf[0]; return;
        case 2: le16_put(p, (uint16_t)val); return;
        case 4: le32_put(p, (uint32_t)val); return;
        default: le64_put(p, val); return;
        }
    }
    struct place part[2];
    unsigned first;
    access_parts(cpu, lin, size, true, user, false, part, &first);
    bool hit = piece_write(cpu, part[0], buf, first);
    if (first < size && piece_write(cpu, part[1], buf + first, size - first))
        hit = true;
    if (hit)
        cpu->exit_request = 1;
}

void mem_probe_write(struct cpu *cpu, uint64_t lin, unsigned len, bool user)
{
    resolve(cpu, lin, true, user, false);
    if (len && PAGE_OFF(lin) + len > PAGE)
        resolve(cpu, lin + len - 1, true, user, false);
}

uint8_t *mem_span(struct cpu *cpu, uint64_t lin, bool write, bool user, unsigned *room)
{
    struct tlb_entry *e = &cpu->tlb[user][write][(lin >> 12) & (TLB_SETS - 1)];
    *room = (unsigned)(PAGE - PAGE_OFF(lin));
    if (lin - e->tag < PAGE)
        return (uint8_t *)(lin - e->tag + e->host);
    struct place at = resolve(cpu, lin, write, user, false);
    if (!at.host || watched(cpu, PAGE_BASE(lin)) || (write && has_code(cpu, at.gpa)))
        return NULL;
    return at.host;
}
