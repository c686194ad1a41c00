/*
 * Engine direct: guest code runs on the real CPU, in user mode, in a process of its own, the cage
 * (cage.h). What faults there is done here by engine dbt, whose helpers know every privileged
 * instruction and whose translator runs any other one alone; then the guest goes on in the cage.
 * docs/engine-direct.md tells which instructions trap and what is done about those that don't.
 */
#ifndef ENGINE_DIRECT_DIRECT_H
#define ENGINE_DIRECT_DIRECT_H

#include "core/shadow.h"
#include "engine/dbt/dbt.h"
#include "engine/dbt/bare.h"
#include "engine/direct/cage.h"
#include "engine/direct/process.h"

struct code;

struct cage {
    struct process process;
    struct cage_shared *shared; /* hostile once the guest has run */
    uint32_t in;                /* atomic: the guest may be running, a kick needs a signal */
    struct cage_spin spin;
    unsigned ops; /* in shared->op, to be served at the next entry */
};

struct direct {
    struct bare bare; /* what engine dbt knows of us; first */
    struct cpu *cpu;
    struct ram *ram;
    struct cage cage;
    struct code *code;
    struct cpu_seg slot[CAGE_FLAT_DATA]; /* what the cage's descriptors of each register hold */
    bool slot_known[CAGE_SLOTS];
    uint16_t sel[6];
    struct ledger_row *stops; /* of the cage; NULL without a ledger */
    const struct shadow *page[CAGE_PAGES];
    unsigned pages;
    void (*written)(void *arg, gpa_t gpa, uint64_t len); /* engine dbt's */
    void *written_arg;
};

/* A stop of the cage, copied from the shared pages. */
struct cage_stop {
    uint32_t sig;
    struct cage_ucontext uc;
};

/* cage.c: 0, or -errno and why in err. */
int cage_open(struct direct *d, struct error *err);
void cage_close(struct direct *d);
/* Runs the guest until it stops; false: the cage is gone or not itself, d->cpu->why says so. */
bool cage_run(struct direct *d, struct cage_stop *stop);
void cage_kick(struct direct *d);
void cage_protect(struct direct *d, uint64_t at, uint64_t len, uint32_t prot);
void cage_segment(struct direct *d, const void *user_desc);
bool cage_fail(struct direct *d, const char *why); /* always false */

/* frame.c: the CPU's state into the frame and back. */
bool frame_put(struct direct *d);
bool frame_take(struct direct *d, struct cage_stop *stop);

/* seg.c: the segments of the CPU in descriptors of the cage; selectors go to d->sel. */
void seg_cage(struct direct *d);

/* code.c: the code view. Linear addresses below RAM's end only. */
int code_open(struct direct *d, int *fd); /* fd: the view, for the cage to map */
void code_close(struct direct *d);
bool code_known(struct direct *d, uint32_t lin); /* an instruction was found to begin here */
/* The instruction there, if it is to be run by us: run is NULL if by the translator. */
const struct insn *code_ours(struct direct *d, uint32_t lin);
void code_scan(struct direct *d, uint32_t lin);  /* finds instructions from here on */
void code_mode(struct direct *d, uint32_t mode); /* bits of the mode key that matter */
/* A store to RAM faulted: has the reason gone, so that the page may be written again? */
bool code_write_again(struct direct *d, uint32_t lin);
void code_gone(struct direct *d, gpa_t page);
void code_all_gone(struct direct *d);

/* run.c */
bool direct_run(struct bare *b, struct cpu *cpu);

/* probe.c */
int direct_probe(struct error *err);

#endif
