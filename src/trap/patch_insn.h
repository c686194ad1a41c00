/* The instructions that may be patched: plain moves between memory and a register or a constant. */
#ifndef TRAP_PATCH_INSN_H
#define TRAP_PATCH_INSN_H

#include "core/cpu_regs.h"

#define PATCH_INSN_MAX 15u
#define PATCH_NO_REG   16u /* no base, no index; a store of a constant */

struct patch_insn {
    uint8_t len;      /* of the instruction */
    uint8_t size;     /* of the access: 1, 2, 4, 8 */
    bool write;       /* memory is written */
    uint8_t reg;      /* the other operand: a GPR, or PATCH_NO_REG: imm */
    bool high;        /* it is AH, CH, DH or BH (reg is then RAX, RCX, RDX, RBX) */
    uint8_t reg_size; /* loads: bytes of the register that change; 4 clears the upper half */
    bool sign;        /* loads: extended by the sign */
    uint8_t seg;      /* SEG_* */
    uint8_t base, index, scale;
    uint8_t addr_size; /* 2, 4, 8 */
    int64_t disp;      /* of a RIP-relative operand: from the next instruction */
    bool rip;
    uint64_t imm;
};

/* What stands at the start of buf in the mode of r; false: nothing that may be patched. */
bool patch_decode(const struct cpu_regs *r, const uint8_t *buf, size_t n, struct patch_insn *out);

/* Is it one of the OUT family? */
bool patch_is_out(const struct cpu_regs *r, const uint8_t *buf, size_t n);

/* The linear address of its operand, rip being where the instruction starts; false: the access
 * would fault, or might. */
bool patch_operand(const struct patch_insn *i, const struct cpu_regs *r, uint64_t rip,
                   uint64_t *lin);
uint64_t patch_value(const struct patch_insn *i, const struct cpu_regs *r); /* of a store */
void patch_load(const struct patch_insn *i, struct cpu_regs *r, uint64_t val);

#endif
