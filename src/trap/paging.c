/*
 * A walk of the guest's page tables that only looks. Intel SDM volume 3, chapter 5: 32-bit paging
 * (5.3), PAE (5.4), 4-level and 5-level (5.5), access rights (5.6). Whoever asks can leave the
 * access to the CPU, so all that is unusual is answered by no: reserved bits aren't judged, since
 * the CPU did so when it went this way before.
 */
#include "trap/paging.h"
#include "mem/peek.h"

enum { CR0_WP = 1 << 16, EFER_LMA = 1 << 10 };
#define CR0_PG 0x80000000u
enum {
    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_LA57 = 1 << 12,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    CR4_PKE = 1 << 22,
    CR4_PKS = 1 << 24
};
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80 };

#define ADDR_MASK 0x000ffffffffff000ull
#define LEVELS    5u

struct walk {
    const struct ram *ram;
    const struct cpu_regs *r;
    uint64_t lin;
    unsigned how;
    bool user; /* each level so far lets users in */
};

static bool entry_load(const struct ram *ram, gpa_t at, unsigned size, uint64_t *e)
{
    uint8_t buf[8] = {0};

    if (!ram_peek(ram, at, buf, size))
        return false;
    *e = le64_get(buf);
    return *e & PTE_P;
}

/* An entry that has rights: may this access use it without changing it? */
static bool entry_ok(struct walk *w, uint64_t e, bool leaf)
{
    bool write = w->how & PAGING_WRITE;

    w->user = w->user && (e & PTE_U);
    return (e & PTE_A) && !(write && !(e & PTE_W) && (w->r->cr0 & CR0_WP)) &&
           !(write && leaf && !(e & PTE_D));
}

/* A page that users may use too is barred from supervisors by SMEP and SMAP, or by a key. */
static bool user_page_ok(const struct walk *w)
{
    uint64_t bar = w->how & PAGING_FETCH ? CR4_SMEP : CR4_SMAP | CR4_PKE;

    return !(w->r->cr4 & (w->user ? bar : CR4_PKS));
}

static bool found(const struct walk *w, uint64_t base, unsigned shift, gpa_t *gpa)
{
    uint64_t mask = (1ull << shift) - 1;

    *gpa = (base & ~mask) | (w->lin & mask);
    return user_page_ok(w);
}

/* Tables of 512 entries, from that level down; PAE's topmost has four entries without rights. */
static bool walk_long(struct walk *w, unsigned levels, gpa_t *gpa)
{
    bool pae = levels == 3;
    uint64_t e, at = pae ? w->r->cr3 & 0xffffffe0u : w->r->cr3 & ADDR_MASK;

    for (unsigned level = levels; level; level--) { /* at most LEVELS */
        unsigned shift = 12 + 9 * (level - 1);
        bool leaf, plain = pae && level == 3;
        uint64_t index = w->lin >> shift & (plain ? 3 : 511);

        if (!entry_load(w->ram, at + index * 8, 8, &e))
            return false;
        leaf = level == 1 || (!plain && (e & PTE_PS));
        if (leaf && level > 3)
            return false;
        if (!plain && !entry_ok(w, e, leaf))
            return false;
        at = e & ADDR_MASK;
        if (leaf)
            return found(w, at, shift, gpa);
    }
    return false;
}

static bool walk_32(struct walk *w, gpa_t *gpa)
{
    uint64_t e;

    if (!entry_load(w->ram, (w->r->cr3 & 0xfffff000u) + (w->lin >> 22) * 4, 4, &e))
        return false;
    if ((e & PTE_PS) && (w->r->cr4 & CR4_PSE))
        return entry_ok(w, e, true) &&
               found(w, (e & 0xffc00000u) | (e >> 13 & 0xff) << 32, 22, gpa);
    if (!entry_ok(w, e, false) ||
        !entry_load(w->ram, (e & 0xfffff000u) + (w->lin >> 12 & 1023) * 4, 4, &e))
        return false;
    return entry_ok(w, e, true) && found(w, e & 0xfffff000u, 12, gpa);
}

bool paging_find(const struct ram *ram, const struct cpu_regs *r, uint64_t lin, unsigned how,
                 gpa_t *gpa)
{
    struct walk w = {.ram = ram, .r = r, .lin = lin, .how = how, .user = true};
    unsigned levels = r->cr4 & CR4_LA57 ? LEVELS : LEVELS - 1, unused = 64 - (12 + 9 * levels);

    if (r->efer & EFER_LMA)
        return (uint64_t)((int64_t)(lin << unused) >> unused) == lin && walk_long(&w, levels, gpa);
    w.lin = lin & UINT32_MAX;
    *gpa = w.lin;
    if (!(r->cr0 & CR0_PG))
        return true;
    return r->cr4 & CR4_PAE ? walk_long(&w, 3, gpa) : walk_32(&w, gpa);
}
