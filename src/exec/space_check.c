/* What must always hold of an address space; fuzzers and tests ask after each call. */
#include "exec/space_impl.h"
#include <stdlib.h>

struct walk {
    const struct space *s;
    uint8_t *seen; /* by page number */
    uint64_t used;
    bool sane;
};

static void frame(struct walk *w, uint64_t gpa)
{
    uint64_t page = gpa / SPACE_PAGE;

    if (page >= w->s->fresh || (page >= w->s->tables && page < w->s->low) || w->seen[page]) {
        w->sane = false; /* never given, or there twice */
        return;
    }
    w->seen[page] = 1;
    w->used++;
}

static void leaf(struct walk *w, uint64_t e, uint64_t at)
{
    const struct area *a = space_area(w->s, at);

    if (at >= w->s->top || !e)
        return; /* the supervisor's */
    frame(w, e & PTE_FRAME);
    if (!a || !(e & PTE_U) || !(e & PTE_HELD) || (e & PTE_P && !a->prot) ||
        (e & PTE_W && !(a->prot & SPACE_WRITE)) || (!(e & PTE_NX) && !(a->prot & SPACE_EXEC)))
        w->sane = false;
}

static void table(struct walk *w, uint64_t gpa, unsigned level, uint64_t at)
{
    const uint64_t *e = (const uint64_t *)(const void *)space_host(w->s, gpa);

    frame(w, gpa);
    for (unsigned i = 0; w->sane && i < 512; i++, at += 1ull << (12 + 9 * level)) {
        if (level && (e[i] & PTE_P))
            table(w, e[i] & PTE_FRAME, level - 1, at);
        else if (!level)
            leaf(w, e[i], at);
    }
}

static bool areas_sane(const struct space *s)
{
    uint64_t end = s->floor;

    for (unsigned i = 0; i < s->areas; i++) {
        const struct area *a = &s->area[i];

        if (a->at < end || a->end <= a->at || a->end > s->top || a->at % SPACE_PAGE ||
            a->end % SPACE_PAGE || a->prot > 7)
            return false;
        end = a->end;
    }
    return s->areas <= SPACE_AREAS_MAX;
}

bool space_sane(const struct space *s)
{
    struct walk w = {.s = s, .seen = calloc(s->pages, 1), .sane = areas_sane(s)};

    if (!w.seen)
        return true; /* nothing was looked at */
    for (uint32_t i = 0; i < s->frees; i++)
        frame(&w, s->free[i] * SPACE_PAGE);
    table(&w, s->root, 3, 0);
    free(w.seen);
    w.used += s->low - s->tables + 1;                              /* page 0 is never given */
    return w.sane && w.used <= s->fresh && w.used + 1 >= s->fresh; /* one is the GDT's */
}
