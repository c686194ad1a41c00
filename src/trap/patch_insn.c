/*
 * Decoding and doing what a patched instruction did. Intel SDM volume 2: MOV (88 89 8A 8B A0-A3 C6
 * C7), MOVZX, MOVSX, MOVSXD, with no LOCK or repeat prefix: none touches the flags, and all but the
 * memory access is a matter of one register. Volume 3, 6.3 and 6.5 for segments. Zydis decodes.
 */
#include "trap/patch_insn.h"

#include <Zydis/Zydis.h>

enum { EFER_LMA = 1 << 10, CR0_PE = 1 };
enum {             /* cpu_seg.attr */
       ATTR_W = 2, /* of data; of code: readable */
       ATTR_DOWN = 4,
       ATTR_CODE = 8,
       ATTR_P = 0x80,
       ATTR_L = 1 << 13,
       ATTR_D = 1 << 14
};

static bool mode_64(const struct cpu_regs *r)
{
    return (r->efer & EFER_LMA) && (r->seg[SEG_CS].attr & ATTR_L);
}

static uint64_t size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* ---- decoding ---- */

static void decoder_init(ZydisDecoder *d, const struct cpu_regs *r)
{
    if (mode_64(r))
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    else if (r->seg[SEG_CS].attr & ATTR_D)
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    else if (r->cr0 & CR0_PE)
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    else
        ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16);
}

static bool known(const ZydisDecodedInstruction *zi)
{
    ZydisInstructionAttributes odd = ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP |
                                     ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE |
                                     ZYDIS_ATTRIB_HAS_XACQUIRE | ZYDIS_ATTRIB_HAS_XRELEASE;

    if (zi->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || (zi->attributes & odd))
        return false;
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_MOV: /* not those of segment, control and debug registers */
        return zi->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
               ((zi->opcode >= 0x88 && zi->opcode <= 0x8b) ||
                (zi->opcode >= 0xa0 && zi->opcode <= 0xa3) || zi->opcode == 0xc6 ||
                zi->opcode == 0xc7);
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD: return true;
    default: return false;
    }
}

static uint8_t gpr_of(ZydisRegister reg)
{
    ZyanI8 id = reg == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(reg);

    return id < 0 || id > 15 ? PATCH_NO_REG : (uint8_t)id;
}

/* Zydis counts AL to BL, AH to BH, SPL to DIL, R8B to R15B. */
static uint8_t gpr8_of(ZydisRegister reg, bool *high)
{
    *high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
    if (*high)
        return (uint8_t)(reg - ZYDIS_REGISTER_AH);
    if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(reg - ZYDIS_REGISTER_SPL + 4);
    return (uint8_t)(reg - ZYDIS_REGISTER_AL);
}

static bool seg_of(ZydisRegister reg, uint8_t *seg)
{
    switch (reg) {
    case ZYDIS_REGISTER_ES: *seg = SEG_ES; return true;
    case ZYDIS_REGISTER_CS: *seg = SEG_CS; return true;
    case ZYDIS_REGISTER_SS: *seg = SEG_SS; return true;
    case ZYDIS_REGISTER_DS: *seg = SEG_DS; return true;
    case ZYDIS_REGISTER_FS: *seg = SEG_FS; return true;
    case ZYDIS_REGISTER_GS: *seg = SEG_GS; return true;
    default: return false;
    }
}

static bool take_memory(struct patch_insn *o, const ZydisDecodedInstruction *zi,
                        const ZydisDecodedOperand *op)
{
    const ZydisDecodedOperandMem *m = &op->mem;

    if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || m->type != ZYDIS_MEMOP_TYPE_MEM ||
        !seg_of(m->segment, &o->seg))
        return false;
    o->rip = m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP;
    o->base = o->rip ? PATCH_NO_REG : gpr_of(m->base);
    o->index = gpr_of(m->index);
    o->scale = m->scale ? m->scale : 1; /* 16-bit forms have none */
    o->disp = m->disp.value;
    o->addr_size = (uint8_t)(zi->address_width / 8);
    o->size = (uint8_t)(op->size / 8);
    return o->size == 1 || o->size == 2 || o->size == 4 || o->size == 8;
}

static bool take_other(struct patch_insn *o, const ZydisDecodedOperand *op)
{
    if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        o->reg = PATCH_NO_REG;
        o->imm = op->imm.value.u & size_mask(o->size);
        return o->write;
    }
    if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    o->reg = op->size == 8 ? gpr8_of(op->reg.value, &o->high) : gpr_of(op->reg.value);
    o->reg_size = (uint8_t)(op->size / 8);
    return o->reg != PATCH_NO_REG;
}

bool patch_decode(const struct cpu_regs *r, const uint8_t *buf, size_t n, struct patch_insn *out)
{
    ZydisDecoder d;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    struct patch_insn o = {0};

    decoder_init(&d, r);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, buf, n, &zi, op)) || !known(&zi) ||
        zi.operand_count_visible != 2)
        return false;
    o.len = zi.length;
    o.write = op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
    o.sign = zi.mnemonic == ZYDIS_MNEMONIC_MOVSX || zi.mnemonic == ZYDIS_MNEMONIC_MOVSXD;
    if (!take_memory(&o, &zi, &op[!o.write]) || !take_other(&o, &op[o.write]))
        return false;
    *out = o;
    return true;
}

bool patch_is_out(const struct cpu_regs *r, const uint8_t *buf, size_t n)
{
    ZydisDecoder d;
    ZydisDecodedInstruction zi;

    decoder_init(&d, r);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d, NULL, buf, n, &zi)))
        return false;
    return zi.mnemonic == ZYDIS_MNEMONIC_OUT || zi.mnemonic == ZYDIS_MNEMONIC_OUTSB ||
           zi.mnemonic == ZYDIS_MNEMONIC_OUTSW || zi.mnemonic == ZYDIS_MNEMONIC_OUTSD;
}

/* ---- doing ---- */

/* Is it certain that this access passes the segment? Expand-down ones are left to the CPU. */
static bool seg_ok(const struct cpu_seg *s, const struct patch_insn *i, uint64_t off)
{
    bool code = s->attr & ATTR_CODE;

    if (!(s->attr & ATTR_P) || (!code && (s->attr & ATTR_DOWN)))
        return false;
    if (i->write ? code || !(s->attr & ATTR_W) : code && !(s->attr & ATTR_W))
        return false;
    return off <= s->limit && i->size - 1u <= s->limit - off;
}

bool patch_operand(const struct patch_insn *i, const struct cpu_regs *r, uint64_t rip,
                   uint64_t *lin)
{
    const struct cpu_seg *s = &r->seg[i->seg];
    uint64_t off = (uint64_t)i->disp;

    if (i->rip)
        off += rip + i->len;
    if (i->base != PATCH_NO_REG)
        off += r->gpr[i->base];
    if (i->index != PATCH_NO_REG)
        off += r->gpr[i->index] * i->scale;
    off &= size_mask(i->addr_size);
    if (mode_64(r)) {
        *lin = i->seg >= SEG_FS ? s->base + off : off;
        return true;
    }
    *lin = (uint32_t)(s->base + off);
    return seg_ok(s, i, off);
}

uint64_t patch_value(const struct patch_insn *i, const struct cpu_regs *r)
{
    if (i->reg == PATCH_NO_REG)
        return i->imm;
    return r->gpr[i->reg] >> (i->high ? 8 : 0) & size_mask(i->size);
}

void patch_load(const struct patch_insn *i, struct cpu_regs *r, uint64_t val)
{
    unsigned spare = 64 - i->size * 8u, shift = i->high ? 8 : 0;
    uint64_t mask = size_mask(i->reg_size), *reg = &r->gpr[i->reg & 15];

    val = i->sign ? (uint64_t)((int64_t)(val << spare) >> spare) : val & size_mask(i->size);
    if (i->reg_size == 4)
        *reg = val & mask;
    else
        *reg = (*reg & ~(mask << shift)) | (val & mask) << shift;
}
