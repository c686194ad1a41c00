/* Between the files of the software CPU's memory: the page walk, the TLB, accesses. */
#ifndef ENGINE_DBT_MMU_H
#define ENGINE_DBT_MMU_H

#include "engine/dbt/dbt.h"

#define PAGE         4096ull
#define PAGE_OFF(a)  ((a) & (PAGE - 1))
#define PAGE_BASE(a) ((a) & ~(PAGE - 1))

struct walk {
    gpa_t gpa;     /* of the 4 KiB page */
    bool writable; /* by this privilege, dirty bit set already */
    bool global, large;
    bool again;     /* an entry changed while it was used: not a failure */
    uint32_t error; /* when the walk failed: page fault error code + 1; else 0 */
};

enum { ACC_WRITE = 1, ACC_USER = 2, ACC_FETCH = 4, ACC_PROBE = 8 /* touch no A/D bits */ };

/* walk.c: true, or false with w->error. Sets accessed and dirty bits unless ACC_PROBE. */
bool walk(struct cpu *cpu, uint64_t lin, unsigned acc, struct walk *w);
bool canonical(const struct cpu *cpu, uint64_t lin);
_Noreturn void page_fault(struct cpu *cpu, uint64_t lin, uint32_t error);

/* tlb.c */
bool tlb_watched(const struct cpu *cpu, uint64_t page); /* by a debug register: never cached */
bool has_code(const struct cpu *cpu, gpa_t gpa);        /* the page has translations */
void tlb_learn(struct cpu *cpu, unsigned user, uint64_t page, const struct walk *w, uint8_t *host);
/* Host page of a RAM page by the walk or what is remembered of it; NULL with w->error: a fault;
 * without: not RAM, see w->gpa. */
uint8_t *translate(struct cpu *cpu, uint64_t page, bool write, bool user, struct walk *w);

#endif
