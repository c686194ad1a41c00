/*
 * Programs on engine direct (engine_env.program): 64-bit code in a cage of its own, where it sits
 * at its own addresses. The cage's mappings are what a TLB is to a CPU: filled from the page tables
 * in guest RAM when the code faults, and forgotten as a whole. A system call is SIGSYS by syscall
 * user dispatch. What the VMM and that cage's monitor (program_monitor.c) agree on is here; as with
 * cage.h, all of it is within the program's reach and hostile to the VMM.
 */
#ifndef ENGINE_DIRECT_PROGRAM_H
#define ENGINE_DIRECT_PROGRAM_H

#include "engine/direct/cage.h"

enum { PROGRAM_OP_MAP = 1, PROGRAM_OP_FORGET, PROGRAM_OP_FS, PROGRAM_OP_GS };
#define PROGRAM_OPS     8u
#define PROGRAM_TOP     CAGE_MONITOR /* a program's addresses end where the monitor is */
#define PROGRAM_RAM_MAX 0x80000000ull
#define PROGRAM_CS      0x33 /* Linux's selectors of 64-bit programs */
#define PROGRAM_SS      0x2b

struct program_op {
    uint32_t kind, prot;
    uint64_t at; /* or the base of FS, GS */
    uint64_t offset;
};

struct program_shared {
    uint32_t turn;
    uint32_t vmm_sleeps, cage_sleeps;
    uint32_t sig;    /* why the cage stopped */
    uint32_t arch;   /* of SIGSYS: AUDIT_ARCH_*; 0: seccomp's */
    uint32_t failed; /* an op was refused by the kernel */
    uint32_t ops, resume;
    uint64_t frame;
    uint64_t spin_ticks;
    struct cage_spin spin;
    uint64_t parent;
    uint64_t low; /* of RAM, below this is nothing that the program may map */
    struct program_op op[PROGRAM_OPS];
};

#endif
