/*
 * Programs on engine direct (engine_env.program): their code in a cage of its own, where it sits at
 * its own addresses. The cage's mappings are what a TLB is to a CPU: filled from the page tables
 * in guest RAM when the code faults, and forgotten as a whole. A system call is SIGSYS by syscall
 * user dispatch. What the VMM and that cage's monitor (program_monitor.c) agree on is here; as with
 * cage.h, all of it is within the program's reach and hostile to the VMM.
 */
#ifndef ENGINE_DIRECT_PROGRAM_H
#define ENGINE_DIRECT_PROGRAM_H

#include "engine/direct/cage.h"

enum { PROGRAM_OP_MAP = 1, PROGRAM_OP_FORGET, PROGRAM_OP_FS, PROGRAM_OP_GS, PROGRAM_OP_TLS };
#define PROGRAM_OPS     8u
#define PROGRAM_TOP     CAGE_MONITOR /* a program's addresses end where the monitor is */
#define PROGRAM_RAM_MAX 0x80000000ull
#define PROGRAM_CS      0x33 /* Linux's selectors of 64-bit programs */
#define PROGRAM_SS      0x2b
#define PROGRAM_CS32    0x23 /* and of 32-bit ones */
/* 32-bit programs: set_thread_area(2) is an INT 0x80, whose pointer has 32 bits: this page is the
 * last of the shared ones, for reading, and ends what the program's addresses may be. */
#define PROGRAM_DESC      0xfffff000ull
#define PROGRAM_TLS       3u /* descriptors, from number PROGRAM_TLS_FIRST of the GDT on */
#define PROGRAM_TLS_FIRST 12u

struct program_op {
    uint32_t kind, prot;
    uint64_t at;     /* or the base of FS, GS; of TLS: entry and base of struct user_desc */
    uint64_t offset; /* of TLS: its limit and bits */
};

struct program_shared {
    uint32_t turn;
    uint32_t vmm_sleeps, cage_sleeps;
    uint32_t sig;    /* why the cage stopped */
    uint32_t arch;   /* of SIGSYS: AUDIT_ARCH_*; 0: seccomp's */
    uint32_t failed; /* an op was refused by the kernel */
    uint32_t ops, resume;
    uint32_t narrow; /* the program is 32-bit code */
    uint32_t ready;  /* the monitor has done all that it does before the program */
    uint64_t frame;
    uint64_t spin_ticks;
    struct cage_spin spin;
    uint64_t parent;
    uint64_t low; /* of RAM, below this is nothing that the program may map */
    struct program_op op[PROGRAM_OPS];
};

#endif
