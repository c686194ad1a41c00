/*
 * Another place for guest code to run than translations: engine direct's. Where a vCPU has one, the
 * run loop lets guest code run there, and the translator gets single instructions.
 */
#ifndef ENGINE_DBT_BARE_H
#define ENGINE_DBT_BARE_H

#include "core/types.h"

struct cpu;
struct dbt;
struct engine;

struct bare {
    /* Runs guest code. True: the instruction at RIP is for the translator, alone; false: look
     * around. May fault (cpu_fault). x87 and SSE state is in cpu->fpu, before and after. */
    bool (*run)(struct bare *b, struct cpu *cpu);
    /* A page that bare_watch named was written: it isn't watched any more. */
    void (*gone)(struct bare *b, gpa_t page);
    void (*all_gone)(struct bare *b); /* no page is watched any more */
};

struct cpu *dbt_cpu(struct engine *e, unsigned vcpu);
/* From now on writes to the page of RAM are noticed: called before its bytes are read. */
void bare_watch(struct dbt *d, gpa_t page);
void bare_unwatch(struct dbt *d, gpa_t page);

#endif
