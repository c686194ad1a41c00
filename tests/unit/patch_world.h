/*
 * A machine for the patcher: RAM, eight registers that remember, and a CPU that runs the moves of
 * trap/patch_insn.h and OUT, one at a time. With and without a patcher it must do the same.
 */
#ifndef TESTS_UNIT_PATCH_WORLD_H
#define TESTS_UNIT_PATCH_WORLD_H

#include "bus/bus.h"
#include "core/cpu_regs.h"
#include "mem/ram.h"
#include "trap/patch.h"

#define PW_REGS 0xfe700000u /* 64 bytes of registers */
#define PW_LEN  64u
#define PW_RAM  (1u << 20)
#define PW_LOG  8u /* accesses remembered */

enum pw_mode { PW_64, PW_32, PW_16, PW_REAL, PW_MODES };

struct pw {
    struct ram ram;
    struct bus *bus;
    struct ledger *ledger;
    struct io_region region;
    struct patch *patch; /* NULL: nothing is patched */
    struct cpu_regs r;
    enum trap_rip where; /* RIP of a store or OUT when it traps; EITHER: OUTs by turns */
    unsigned flip;
    bool out, settled;  /* in the trap of an OUT; whose RIP has been moved */
    struct cpu_regs at; /* as the patcher sees them */
    bool resumed;
    uint8_t cell[PW_LEN];
    struct {
        uint64_t off, val;
        unsigned size;
        bool write;
    } log[PW_LOG];
    unsigned logged;        /* in all */
    unsigned mmio, patched; /* traps of each kind */
    bool read_ram;          /* the last step loaded from RAM, where patches can be read */
    unsigned outs;          /* OUTs that were the guest's own */
};

bool pw_open(struct pw *w, bool patch);
void pw_close(struct pw *w);
void pw_mode(struct pw *w, enum pw_mode mode); /* flat, supervisor, no paging; real: real mode */
/* A store by the guest, which the engine announces. */
void pw_write(struct pw *w, gpa_t gpa, const void *buf, size_t n);
/* Runs one instruction at RIP. False: it is none of those known, or it would fault. */
bool pw_step(struct pw *w);

#endif
