/* Instructions as the CPU finds them: what of RIP counts, and the bytes behind it. */
#include "mem/peek.h"
#include "trap/paging.h"
#include "trap/patch_impl.h"

#define RFLAGS_VM 0x20000u

uint64_t patch_rip_mask(const struct cpu_regs *r)
{
    unsigned attr = r->seg[SEG_CS].attr;

    if ((r->efer & 1 << 10) && (attr & 1 << 13))
        return UINT64_MAX;
    return attr & 1 << 14 ? UINT32_MAX : 0xffff;
}

bool patch_supervisor(const struct cpu_regs *r)
{
    return !(r->rflags & RFLAGS_VM) && (!(r->cr0 & 1) || !(r->seg[SEG_SS].attr >> 5 & 3));
}

bool patch_view_at(const struct patch *p, struct view *v, uint64_t rip, size_t max)
{
    v->rip = rip & patch_rip_mask(&v->r);
    v->n = 0;
    while (v->n < max) { /* two pages at the most */
        uint64_t lin = v->r.seg[SEG_CS].base + v->rip + v->n;
        size_t take = RAM_PAGE_SIZE - (size_t)(lin % RAM_PAGE_SIZE);
        gpa_t gpa;

        take = take < max - v->n ? take : max - v->n;
        if (!paging_find(p->ram, &v->r, lin, PAGING_FETCH, &gpa) ||
            !ram_peek(p->ram, gpa, v->bytes + v->n, take))
            break;
        if (!v->n)
            v->gpa = gpa;
        v->n += take;
    }
    return v->n >= 2;
}
