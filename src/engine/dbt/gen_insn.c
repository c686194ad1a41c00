/*
 * Unprivileged instructions run as themselves: the same opcode bytes, with prefixes the mode made
 * different put right, and a memory operand replaced by [areg]. r10 and r11 as guest registers are
 * loaded from and stored to gpr[] around the instruction, under their own names.
 */
#include "engine/dbt/translate.h"

struct native {
    bool mem;
    const ZydisDecodedOperand *m;
    bool load[2], store[2]; /* guest r10, r11 as register operands */
    bool high;              /* AH, CH, DH or BH is an operand */
    uint16_t used;          /* registers named */
    bool restore;           /* flags must be the host's when it runs */
    bool may_fault;
    uint8_t opcode; /* BT family with register offset: see bit_address */
    bool bit_reg, moffs, xlat, rdi;
};

static void note_reg(struct native *n, const ZydisDecodedInstruction *zi,
                     const ZydisDecodedOperand *o)
{
    if (o->reg.value >= ZYDIS_REGISTER_AH && o->reg.value <= ZYDIS_REGISTER_BH)
        n->high = true;
    unsigned r = reg_id(o->reg.value);
    if (r == 16)
        return;
    n->used |= (uint16_t)(1u << r);
    if (r != H_R10 && r != H_R11)
        return;
    bool partial =
        o->size < 32 || zi->mnemonic == ZYDIS_MNEMONIC_BSF || zi->mnemonic == ZYDIS_MNEMONIC_BSR;
    if ((o->actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE)) || partial)
        n->load[r - H_R10] = true;
    if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        n->store[r - H_R10] = true;
}

static void native_scan(struct translator *t, struct native *n)
{
    const struct decoded *in = cur(t);
    const ZydisDecodedInstruction *zi = &in->zi;
    for (unsigned i = 0; i < zi->operand_count_visible; i++) {
        const ZydisDecodedOperand *o = &in->op[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
            note_reg(n, zi, o);
        else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.type == ZYDIS_MEMOP_TYPE_MEM)
            n->m = o;
    }
    n->mem = n->m != NULL;
    n->moffs = n->mem && !(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM);
    n->may_fault = insn_is_x87(zi) || insn_is_mmx(zi) || insn_is_sse(zi) ||
                   zi->mnemonic == ZYDIS_MNEMONIC_DIV || zi->mnemonic == ZYDIS_MNEMONIC_IDIV ||
                   zi->mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B;
    uint32_t live = live_after(t);
    n->restore = in->read || (in->writes && (live & ~in->kill));
}

/* 0x66 in 16-bit code means 32-bit for general-purpose instructions; elsewhere it is as written. */
static bool wants_66(const struct translator *t, const ZydisDecodedInstruction *zi, bool has66)
{
    bool vector = insn_is_sse(zi) || insn_is_mmx(zi) || insn_is_x87(zi);
    if ((t->b->mode & (MODE_64 | MODE_32)) || vector)
        return has66;
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_ADCX: return true; /* 66 is part of its opcode */
    case ZYDIS_MNEMONIC_LFENCE:            /* with 66 they would be others, or none */
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_MOVNTI: return false;
    default: break;
    }
    return zi->operand_width == 16;
}

static void emit_vex(const struct translator *t, struct buf *b, bool mem, unsigned rm)
{
    const struct decoded *in = cur(t);
    unsigned at = in->zi.raw.vex.offset, op = at + in->zi.raw.vex.size;
    unsigned b1, b2;
    if (in->bytes[at] == 0xc5) {
        b1 = (in->bytes[at + 1] & 0x80u) | 0x61;
        b2 = in->bytes[at + 1] & 0x7fu;
    } else {
        b1 = in->bytes[at + 1];
        b2 = in->bytes[at + 2];
    }
    if (!(t->b->mode & MODE_64)) { /* ignored there: W, B and the high bit of vvvv */
        b1 |= 0xe0;
        b2 = (b2 & ~0x80u) | 0x40;
    }
    if (mem)
        b1 = (b1 & ~0x20u) | 0x40u | (rm & 8 ? 0u : 0x20u); /* R X B are inverted */
    e8(b, 0xc4);
    e8(b, b1);
    e8(b, b2);
    e8(b, in->bytes[op]);
    e8(b, mem ? (unsigned)in->zi.raw.modrm.reg << 3 | (rm & 7) : in->bytes[op + 1]);
    for (unsigned i = in->zi.raw.imm[0].offset; in->zi.raw.imm[0].size && i < in->zi.length; i++)
        e8(b, in->bytes[i]);
}

static void emit_modrm(struct buf *b, unsigned reg, unsigned rm, int32_t disp)
{
    unsigned mod = disp == 0 && (rm & 7) != 5 ? 0u : disp == (int8_t)disp ? 1u : 2u;
    e8(b, mod << 6 | reg << 3 | (rm & 7));
    if (mod == 1)
        e8(b, (uint8_t)disp);
    else if (mod == 2)
        e32(b, (uint32_t)disp);
}

/* Prefixes as the host wants them, REX last; returns where the opcode begins. */
static unsigned emit_prefixes(struct translator *t, struct buf *b, const struct native *n,
                              unsigned rm)
{
    const struct decoded *in = cur(t);
    bool has66 = false, lock = false;
    unsigned rep = 0, rex = 0, i = 0;
    for (; i < in->zi.length; i++) { /* at most 14 prefixes */
        uint8_t p = in->bytes[i];
        if (p == 0x66)
            has66 = true;
        else if (p == 0xf2 || p == 0xf3)
            rep = p;
        else if (p == 0xf0)
            lock = true;
        else if ((t->b->mode & MODE_64) && (p & 0xf0) == 0x40)
            ; /* REX counts only right before the opcode */
        else if (p != 0x67 && p != 0x26 && p != 0x2e && p != 0x36 && p != 0x3e && p != 0x64 &&
                 p != 0x65)
            break;
    }
    if ((t->b->mode & MODE_64) && i && (in->bytes[i - 1] & 0xf0) == 0x40)
        rex = in->bytes[i - 1];
    if (lock && n->mem)
        e8(b, 0xf0);
    if (wants_66(t, &in->zi, has66))
        e8(b, 0x66);
    if (rep)
        e8(b, rep);
    if (n->mem || n->xlat)
        rex = (rex & ~3u) | (rm & 8 ? 0x41u : 0u);
    if (n->moffs || n->xlat)
        rex &= ~4u; /* AL, whatever REX.R says */
    if (n->bit_reg)
        rex = (rex & ~4u) | 0x44u; /* the offset is in r11 (or r10): REX.R */
    if (rex)
        e8(b, rex);
    return i;
}

/* Opcodes without ModRM; i is where they begin. */
static void emit_short(struct translator *t, struct buf *b, unsigned i)
{
    const struct decoded *in = cur(t);
    unsigned op = in->bytes[i];
    if (!(t->b->mode & MODE_64) && (op & 0xf0) == 0x40) { /* INC/DEC r: REX here */
        e8(b, 0xff);
        e8(b, 0xc0 | (op & 15));
        return;
    }
    ebytes(b, in->bytes + i, in->zi.length - i);
}

/* The instruction itself; rm is the register that holds its memory operand's host address. */
static void emit_bytes(struct translator *t, struct buf *b, const struct native *n, unsigned rm)
{
    static const uint8_t modrm_form[4] = {0x8a, 0x8b, 0x88, 0x89};
    const struct decoded *in = cur(t);
    const ZydisDecodedInstruction *zi = &in->zi;
    if (zi->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
        emit_vex(t, b, n->mem, rm);
        return;
    }
    unsigned i = emit_prefixes(t, b, n, rm);
    if (n->moffs || n->xlat) {
        e8(b, n->xlat ? 0x8au : modrm_form[in->bytes[i] & 3]);
        e8(b, rm & 7);
        return;
    }
    if (!(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM)) {
        emit_short(t, b, i);
        return;
    }
    if (zi->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && in->bytes[i] == 0x82)
        e8(b, 0x80), i++; /* 80 again, but in 64-bit mode */
    while (i < zi->raw.modrm.offset)
        e8(b, in->bytes[i++]);
    if (!n->mem) {
        ebytes(b, in->bytes + i, zi->length - i);
        return;
    }
    unsigned reg = n->bit_reg ? (rm == H_R10 ? H_R11 : H_R10) & 7u : zi->raw.modrm.reg;
    emit_modrm(b, reg, rm, op_disp(t));
    for (unsigned k = 0; k < 2; k++) /* immediates keep their size: it follows from 0x66 */
        if (zi->raw.imm[k].size)
            ebytes(b, in->bytes + zi->raw.imm[k].offset, zi->raw.imm[k].size / 8u);
}

/* A register the instruction doesn't name and that needs no REX. */
static unsigned borrow(const struct native *n)
{
    static const uint8_t pick[] = {H_RDI, H_RSI, H_RBP, H_RBX};
    for (unsigned i = 0; i < ARRAY_LEN(pick); i++)
        if (!(n->used & 1u << pick[i]))
            return pick[i];
    return H_RDI;
}

static void emit_native(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    struct native *n = arg;
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10, rm = areg;
    bool use10 = n->load[0] || n->store[0], use11 = n->load[1] || n->store[1];
    if (n->restore && t->fl == FLAGS_MEM) {
        if (!n->bit_reg) {
            emit_flags_restore(b, GS(fl), tmp);
        } else { /* tmp holds the bit offset */
            e_store(b, tmp, GS(scratch) + 8);
            emit_flags_restore(b, GS(fl), tmp);
            e_load(b, tmp, GS(scratch) + 8);
        }
        t->fl = FLAGS_HOST;
    }
    bool lend = n->mem && (n->high || (use10 && use11));
    if (lend) {
        rm = borrow(n);
        e_store(b, rm, GS(scratch) + 56);
        e_mov(b, rm, areg);
    } else if (n->rdi) {
        rm = H_RDI;
        e_store(b, rm, GS(scratch) + 56);
        e_mov(b, rm, areg);
    }
    for (unsigned i = 0; i < 2; i++)
        if (n->load[i])
            e_load(b, H_R10 + i, GPR(H_R10 + i));
    if (n->may_fault)
        gen_note_fault(
            t, b,
            (struct fault_site){.flags_host = t->fl == FLAGS_HOST,
                                .lent = (uint8_t)(lend || n->rdi ? rm : FAULT_NONE_LENT)});
    emit_bytes(t, b, n, rm);
    for (unsigned i = 0; i < 2; i++)
        if (n->store[i])
            e_store(b, H_R10 + i, GPR(H_R10 + i));
    if (lend || n->rdi)
        e_load(b, rm, GS(scratch) + 56);
    if (cur(t)->writes)
        t->fl = FLAGS_HOST;
}

/* BT/BTS/BTR/BTC mem, reg: the offset reaches beyond the operand. areg += (offset >> 5|6|4) units;
 * the other register keeps the offset, of which the instruction uses the low bits. */
static void bit_address(struct translator *t, const ZydisDecodedOperand *offset, unsigned areg)
{
    struct buf *b = t->hot;
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10, r = reg_id(offset->reg.value);
    unsigned size = offset->size, shift = size == 64 ? 6 : size == 32 ? 5 : 4;
    if (r == H_R10 || r == H_R11)
        e_load(b, tmp, GPR(r));
    else
        e_mov(b, tmp, r);
    if (size == 32)
        e_rr(b, true, 0x63, tmp, tmp); /* movsxd */
    if (size == 16)
        e8(b, 0x4d), e8(b, 0x0f), e8(b, 0xbf), e8(b, 0xc0 | (tmp & 7) << 3 | (tmp & 7));
    e_store(b, tmp, GS(scratch) + 8);
    e8(b, 0x49), e8(b, 0xc1), e8(b, 0xf8 | (tmp & 7)), e8(b, shift);     /* sar */
    e8(b, 0x49), e8(b, 0xc1), e8(b, 0xe0 | (tmp & 7)), e8(b, shift - 3); /* shl */
    e_rr(b, true, 0x01, areg, tmp);
    if (cur(t)->zi.address_width == 32)
        e_mov32(b, areg, areg);
    else if (cur(t)->zi.address_width == 16) /* movzx areg, areg16 */
        e8(b, 0x45), e8(b, 0x0f), e8(b, 0xb7), e8(b, 0xc0 | (areg & 7) << 3 | (areg & 7));
}

static void emit_bit(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10, size = cur(t)->zi.operand_width;
    e_load(b, tmp, GS(scratch) + 8);
    /* Only the offset within the unit: flags are put right by emit_native. */
    e8(b, 0x41), e8(b, 0x83), e8(b, 0xe0 | (tmp & 7)), e8(b, size - 1); /* and tmp, size - 1 */
    e_store(b, tmp, GS(scratch) + 8);
    emit_native(t, b, areg, arg);
}

static void gen_memory(struct translator *t, struct native *n)
{
    const struct decoded *in = cur(t);
    bool use10 = n->load[0] || n->store[0];
    unsigned areg = use10 && !(n->load[1] || n->store[1]) ? H_R11 : H_R10;
    uint8_t act = n->m->actions;
    struct access a = {.areg = areg,
                       .size = n->m->size / 8u,
                       .write = (act & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0,
                       .rmw = (act & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 ||
                              (act & ZYDIS_OPERAND_ACTION_CONDWRITE) != 0 || n->rdi ||
                              insn_is_x87(&in->zi), /* no store with an unmasked exception */
                       .op = emit_native,
                       .arg = n};
    if (in->grouped) {
        emit_native(t, t->hot, H_R10, n);
        return;
    }
    flags_clobber(t);
    gen_ea(t, n->m, areg, 0);
    if (n->xlat || n->rdi)
        n->mem = n->xlat;
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
        if (in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
            bit_address(t, &in->op[1], areg);
            n->bit_reg = true;
            n->load[0] = n->load[1] = n->store[0] = n->store[1] = false;
            a.op = emit_bit;
        }
        break;
    default: break;
    }
    unsigned seg = seg_id(n->m->mem.segment);
    a.stack = seg == SEG_SS;
    gen_linear(t, seg, areg, a.size, a.write);
    gen_access(t, &a);
}

static void gen_lea(struct translator *t)
{
    const struct decoded *in = cur(t);
    unsigned dst = reg_id(in->op[0].reg.value), size = in->op[0].size;
    struct buf *b = t->hot;
    gen_ea(t, &in->op[1], H_R11, 0); /* r10 may hold a window: group.c */
    if (size == 16) {
        if (dst == H_R10 || dst == H_R11) {
            e8(b, 0x65), e8(b, 0x66), e8(b, 0x44), e8(b, 0x89);
            e_gs_modrm(b, H_R11, GPR(dst));
        } else {
            e8(b, 0x66);
            e_rr(b, false, 0x89, dst, H_R11);
        }
        return;
    }
    if (size == 32)
        e_mov32(b, H_R11, H_R11);
    if (dst == H_R10 || dst == H_R11)
        e_store(b, H_R11, GPR(dst));
    else
        e_mov(b, dst, H_R11);
}

/* lea with ordinary registers: as itself. */
static bool lea_plain(struct translator *t)
{
    const struct decoded *in = cur(t);
    unsigned base = reg_id(in->op[1].mem.base), index = reg_id(in->op[1].mem.index);
    unsigned dst = reg_id(in->op[0].reg.value);
    return (t->b->mode & MODE_64) && in->zi.address_width == 64 && (base & 14) != 10 &&
           (index & 14) != 10 && (dst & 14) != 10 && in->op[1].mem.base != ZYDIS_REGISTER_RIP;
}

static void gen_implicit(struct translator *t, struct native *n)
{
    const struct decoded *in = cur(t);
    for (unsigned i = 0; i < in->zi.operand_count; i++)
        if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            n->m = &in->op[i];
    if (!n->m) {
        gen_fault(t, EXC_UD);
        return;
    }
    if (n->rdi) { /* MASKMOVQ/MASKMOVDQU: [DS:rDI] */
        gen_memory(t, n);
        return;
    }
    /* XLAT: [rBX + AL] */
    struct buf *b = t->hot;
    flags_clobber(t);
    e8(b, 0x44), e8(b, 0x0f), e8(b, 0xb6), e8(b, 0xd0); /* movzx r10d, al */
    e_rr(b, true, 0x01, H_R10, H_RBX);
    if (in->zi.address_width == 32)
        e_mov32(b, H_R10, H_R10);
    else if (in->zi.address_width == 16)
        e8(b, 0x45), e8(b, 0x0f), e8(b, 0xb7), e8(b, 0xd2);
    unsigned seg = seg_id(n->m->mem.segment);
    gen_linear(t, seg, H_R10, 1, false);
    gen_access(t, &(struct access){.areg = H_R10, .size = 1, .op = emit_native, .arg = n});
}

void gen_insn(struct translator *t)
{
    const struct decoded *in = cur(t);
    struct native n = {0};
    int gate = dbt_fpu_gate(t->b->mode, &in->zi);
    if (gate >= 0) {
        gen_fault(t, (uint8_t)gate);
        return;
    }
    native_scan(t, &n);
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_LEA:
        if (!lea_plain(t)) {
            if (reg_id(in->op[1].mem.base) != 16 &&
                in->op[1].mem.disp.value != (int32_t)in->op[1].mem.disp.value)
                flags_clobber(t);
            gen_lea(t);
            return;
        }
        n.mem = false;
        break;
    case ZYDIS_MNEMONIC_XLAT:
        n.xlat = true;
        gen_implicit(t, &n);
        return;
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
        n.rdi = true;
        gen_implicit(t, &n);
        return;
    default: break;
    }
    if (n.mem) {
        gen_memory(t, &n);
        return;
    }
    if (n.restore)
        flags_to_host(t);
    else if (in->writes && t->fl == FLAGS_MEM)
        t->fl = FLAGS_DEAD;
    emit_native(t, t->hot, H_R10, &n);
}
