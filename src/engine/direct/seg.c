/*
 * The guest's segments as descriptors of the cage's local descriptor table: modify_ldt(2). Bases
 * are moved to where the cage has guest memory, as data or as code; limits and rights are the
 * guest's, and so the CPU itself checks them. The level is 3 for all, since the guest's rings are
 * the software's business (engine dbt keeps the CPL, and checks every load of a selector).
 */
#include "engine/direct/direct.h"
#include <asm/ldt.h>

static void describe(struct user_desc *u, unsigned slot, const struct cpu_seg *s, uint64_t base)
{
    bool code = s->attr & SEG_X, down = !code && (s->attr & SEG_E);

    *u = (struct user_desc){
        .entry_number = slot,
        .base_addr = (uint32_t)(base + s->base),
        .limit = s->limit,
        .seg_32bit = (s->attr & SEG_D) != 0,
        .contents = code   ? 2
                    : down ? 1
                           : 0,
        .read_exec_only = code ? !(s->attr & SEG_R) : !(s->attr & SEG_W),
        .useable = 1,
    };
    if (s->limit > 0xfffff) {
        u->limit_in_pages = 1;
        u->limit = s->limit >> 12;
    }
}

static void install(struct direct *d, unsigned slot, const struct cpu_seg *s, uint64_t base)
{
    struct user_desc u;

    describe(&u, slot, s, base);
    cage_segment(d, &u);
    d->slot_known[slot] = true;
}

static bool flat(const struct cpu_seg *s, unsigned want)
{
    const unsigned rights = SEG_P | SEG_S | SEG_X | SEG_E | SEG_R | SEG_D;

    return !s->base && s->limit == UINT32_MAX && (s->attr & rights) == want;
}

static bool same(const struct cpu_seg *a, const struct cpu_seg *b)
{
    return a->base == b->base && a->limit == b->limit && a->attr == b->attr;
}

static uint16_t own(struct direct *d, unsigned seg)
{
    const struct cpu_seg *s = &d->cpu->seg[seg];

    if (!d->slot_known[seg] || !same(s, &d->slot[seg])) {
        d->slot[seg] = *s;
        install(d, seg, s, seg == SEG_CS ? CAGE_CODE : CAGE_DATA);
    }
    return CAGE_SEL(seg);
}

static uint16_t shared(struct direct *d, unsigned slot, const struct cpu_seg *s, uint64_t base)
{
    if (!d->slot_known[slot])
        install(d, slot, s, base);
    return CAGE_SEL(slot);
}

void seg_cage(struct direct *d)
{
    for (unsigned i = 0; i < 6; i++) {
        const struct cpu_seg *s = &d->cpu->seg[i];

        if ((s->attr & (SEG_P | SEG_S)) != (SEG_P | SEG_S))
            d->sel[i] = 0; /* null: a use of it faults, as it should */
        else if (i == SEG_CS && flat(s, SEG_P | SEG_S | SEG_X | SEG_R | SEG_D))
            d->sel[i] = shared(d, CAGE_FLAT_CODE, s, CAGE_CODE);
        else if (i != SEG_CS && flat(s, SEG_P | SEG_S | SEG_W | SEG_D))
            d->sel[i] = shared(d, CAGE_FLAT_DATA, s, CAGE_DATA);
        else
            d->sel[i] = own(d, i);
    }
}
