/* Shared by the files of engine direct for programs: one engine (program.c), 32-bit code
 * (program32.c). */
#ifndef ENGINE_DIRECT_PROGRAM_ENGINE_H
#define ENGINE_DIRECT_PROGRAM_ENGINE_H

#include "engine/direct/process.h"
#include "engine/direct/program.h"
#include "engine/engine.h"

struct engine {
    struct engine_env env;
    struct process process;
    struct program_shared *shared;
    struct cage_spin spin;
    unsigned ops;
    uint16_t cs;  /* its code segment; what stops in another has left its ABI */
    uint64_t top; /* of its addresses */
    struct cpu_regs r;
    uint64_t fs, gs; /* as the cage has them */
    uint64_t tls[PROGRAM_TLS];
    uint32_t stop; /* atomic */
    uint64_t same_page;
    unsigned same;
    bool failed;
    char why[160];
    struct ledger_row *stops;
};

/* program.c */
void program_op(struct engine *e, uint32_t kind, uint64_t at, uint32_t prot, uint64_t offset);
/* A byte of the program's memory as its page tables have it; false: none there. */
bool program_byte(const struct engine *e, uint64_t at, uint8_t *byte);
void program_tell(struct engine *e, struct trap *t);
/* program32.c: descriptors that the GDT has and the cage hasn't; e->tls[] as ~0 is none it has */
void narrow_tls(struct engine *e);
/* A system call of 32-bit code, by dispatch or as an undefined instruction: true if it was one. */
bool narrow_call(struct engine *e, const struct cage_ucontext *uc, uint32_t sig, uint32_t arch);

#endif
