/* The architectural registers of one vCPU, as loaders set them and debuggers read them. */
#ifndef CORE_CPU_REGS_H
#define CORE_CPU_REGS_H

#include "core/types.h"

enum {
    REG_RAX,
    REG_RCX,
    REG_RDX,
    REG_RBX,
    REG_RSP,
    REG_RBP,
    REG_RSI,
    REG_RDI,
    REG_R8,
    REG_R9,
    REG_R10,
    REG_R11,
    REG_R12,
    REG_R13,
    REG_R14,
    REG_R15
};
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS }; /* order of the Sreg encoding */

struct cpu_seg {
    uint16_t sel;
    uint16_t attr;  /* descriptor bits 40-47 in bits 0-7 (type,S,DPL,P), AVL,L,D,G in 12-15 */
    uint32_t limit; /* in bytes, granularity already applied */
    uint64_t base;
};

struct cpu_regs {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    struct cpu_seg seg[6], ldtr, tr;
    struct {
        uint64_t base;
        uint16_t limit;
    } gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer;
};

#endif
