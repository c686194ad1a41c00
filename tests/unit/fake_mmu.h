/* A flat memory in place of the MMU, for unit tests of the software CPU's system half. */
#ifndef TESTS_FAKE_MMU_H
#define TESTS_FAKE_MMU_H

#include "unit.h"
#include "engine/dbt/sys.h"

#define FAKE_SIZE  0x100000u
#define FAKE_PAGES (FAKE_SIZE / 4096)

extern uint8_t fake_mem[FAKE_SIZE];
extern bool fake_hole[FAKE_PAGES]; /* page fault */
extern bool fake_slow[FAKE_PAGES]; /* no host pointer: as MMIO */
extern unsigned fake_flushes[2];

struct cpu *fake_cpu(void); /* 64-bit kernel mode with a GDT, an IDT and a TSS */
/* Run one instruction; -1 if it faulted (cpu->fault says how), else INSN_*. */
int fake_run(struct cpu *cpu, const struct insn *i);
int fake_deliver(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                 uint32_t error, uint64_t rip); /* -1: faulted */
/* Decode and run bytes at cpu->rip. */
int fake_exec(struct cpu *cpu, const char *bytes, unsigned len);

enum {
    GDT = 0x1000,
    IDT = 0x2000,
    TSS = 0x3000,
    KSTACK = 0x9000,
    IST1 = 0xb000,
    USTACK = 0xd000,
    CODE = 0x5000,
    HANDLER = 0x6000
};
enum {
    SEL_KCODE = 0x10,
    SEL_KDATA = 0x18,
    SEL_UCODE32 = 0x20,
    SEL_UDATA = 0x28,
    SEL_UCODE = 0x30,
    SEL_TSS = 0x40,
    SEL_ABSENT = 0x50,
    SEL_READONLY = 0x58
};

#endif
