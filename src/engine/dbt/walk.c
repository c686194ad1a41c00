/*
 * The page walk: 32-bit, PAE and 4-level paging with accessed/dirty bits, NX, WP, global and large
 * pages (Intel SDM volume 3, chapter 4). Reserved bits are checked for the physical width CPUID
 * claims (40 bits).
 */
#include "engine/dbt/mmu.h"
#include "mem/ram.h"

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000000fffffff000ull /* 40-bit physical addresses */
#define PTE_RSVD 0x000fff0000000000ull /* bits 40-51 */
#define WALKS    100u /* a guest may change its tables under us, but not keep us here */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

static uint8_t *pte_ptr(const struct cpu *cpu, gpa_t table, unsigned index, unsigned width)
{
    return ram_ptr(cpu->env->ram, table + (uint64_t)index * width, width);
}

static uint64_t pte_load(const uint8_t *p, unsigned width)
{
    return width == 8 ? __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED)
                      : __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED);
}

/* Sets A and D only in the very entry that was read: another CPU may have cleared it by now, and
 * an entry that is not present belongs to the guest. False: it changed, walk again. */
static bool pte_set(struct walk *w, uint8_t *p, uint64_t was, uint32_t bits)
{
    uint32_t low = (uint32_t)was;
    bool same;
    if ((was & bits) == bits)
        return true;
    same = __atomic_compare_exchange_n((uint32_t *)(void *)p, &low, low | bits, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    w->again = !same;
    return same;
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
        if (!pte_set(w, at, pte, set))
            return false;
        pte |= set;
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
    if (!(acc & ACC_PROBE) && !pte_set(w, at, pde, PTE_A))
        return false;
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
        if (!(acc & ACC_PROBE) && !pte_set(w, at, e, PTE_A))
            return false;
        table = e & PTE_ADDR;
    }
}

static bool walk_once(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w)
{
    *w = (struct walk){0};
    return cpu->cr4 & CR4_PAE ? walk64(cpu, lin, acc, w) : walk32(cpu, lin, acc, w);
}

bool walk(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w)
{
    unsigned tries = WALKS;
    bool ok;
    if (!(cpu->cr0 & CR0_PG)) {
        *w = (struct walk){0};
        w->gpa = PAGE_BASE(lin & UINT32_MAX);
        w->writable = w->global = true;
        return true;
    }
    do
        ok = walk_once(cpu, lin, acc, w);
    while (w->again && --tries);
    if (w->again)
        walk_fail(w, acc, 0);
    /* I/D is only reported where no-execute exists. */
    if (!ok && !((cpu->cr4 & CR4_PAE) && (cpu->efer & EFER_NXE)))
        w->error = ((w->error - 1) & ~(uint32_t)PF_I) + 1;
    return ok;
}

bool canonical(const struct cpu *cpu, uint64_t lin)
{
    return !(cpu->efer & EFER_LMA) || (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

_Noreturn void page_fault(struct cpu *cpu, uint64_t lin, uint32_t error)
{
    cpu->cr2 = lin;
    cpu_fault_err(cpu, EXC_PF, error);
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
