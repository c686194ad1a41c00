/*
 * Memory operands: effective address, segment, software TLB. After the check the host address is in
 * areg (r10 or r11) and the instruction runs on [areg]. The slow path is out of line.
 */
#include "engine/dbt/translate.h"

unsigned reg_id(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return 16;
    ZydisRegister q = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
    return q >= ZYDIS_REGISTER_RAX && q <= ZYDIS_REGISTER_R15 ? (unsigned)(q - ZYDIS_REGISTER_RAX)
                                                              : 16;
}

unsigned seg_id(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_ES && r <= ZYDIS_REGISTER_GS ? (unsigned)(r - ZYDIS_REGISTER_ES)
                                                            : SEG_DS;
}

/* A guest register as a host register: r10 and r11 are fetched into tmp. */
static unsigned reg_in(struct translator *t, unsigned reg, unsigned tmp)
{
    if (reg != H_R10 && reg != H_R11)
        return reg;
    e_load(t->hot, tmp, GPR(reg));
    return tmp;
}

void emit_lea_sib(struct buf *b, bool w, unsigned dst, unsigned base, unsigned index,
                  unsigned scale, int32_t disp)
{
    unsigned ss = scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
    unsigned rex = 0x40u | (w ? 8u : 0u) | (dst & 8 ? 4u : 0u) | (index & 8 ? 2u : 0u) |
                   (base < 16 && (base & 8) ? 1u : 0u);
    e8(b, rex);
    e8(b, 0x8d);
    if (base == 16) {
        e8(b, (dst & 7) << 3 | 4);
        e8(b, ss << 6 | (index & 7) << 3 | 5);
        e32(b, (uint32_t)disp);
        return;
    }
    bool small = disp == (int8_t)disp;
    e8(b, (small ? 0x40u : 0x80u) | (dst & 7) << 3 | 4);
    e8(b, ss << 6 | (index & 7) << 3 | (base & 7));
    if (small)
        e8(b, (uint8_t)disp);
    else
        e32(b, (uint32_t)disp);
}

static uint64_t addr_mask(unsigned width)
{
    return width == 64 ? UINT64_MAX : width == 32 ? UINT32_MAX : 0xffff;
}

void gen_ea(struct translator *t, const ZydisDecodedOperand *o, unsigned areg, int64_t extra)
{
    const ZydisDecodedOperandMem *m = &o->mem;
    unsigned width = cur(t)->zi.address_width, other = areg == H_R10 ? H_R11 : H_R10;
    int64_t disp = m->disp.has_displacement || m->disp.value ? m->disp.value : 0;
    unsigned base = reg_id(m->base), index = reg_id(m->index);
    disp += extra;
    if (m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP) {
        e_mov_imm(t->hot, areg, (rip_next(t) + (uint64_t)disp) & addr_mask(width));
        return;
    }
    if (base == 16 && index == 16) {
        e_mov_imm(t->hot, areg, (uint64_t)disp & addr_mask(width));
        return;
    }
    bool w = width == 64, far = disp != (int32_t)disp;
    if (index != 16) {
        unsigned hi = reg_in(t, index, other), hb = base == 16 ? 16 : reg_in(t, base, areg);
        emit_lea_sib(t->hot, w, areg, hb, hi, m->scale, far ? 0 : (int32_t)disp);
    } else {
        unsigned hb = reg_in(t, base, areg);
        if (disp == 0 && w)
            e_mov(t->hot, areg, hb);
        else
            e_lea(t->hot, w, areg, hb, far ? 0 : (int32_t)disp);
    }
    if (far) {
        e_mov_imm(t->hot, other, (uint64_t)disp);
        emit_lea_sib(t->hot, w, areg, areg, other, 1, 0);
    }
    if (width == 16)
        e8(t->hot, 0x45), e8(t->hot, 0x0f), e8(t->hot, 0xb7),
            e8(t->hot, 0xc0 | (areg & 7) << 3 | (areg & 7)); /* movzx areg, areg16 */
}

static unsigned stack_bits(const struct translator *t)
{
    return t->b->mode & MODE_64 ? 64 : t->b->mode & MODE_SS32 ? 32 : 16;
}

void gen_stack_ea(struct translator *t, unsigned areg, int disp)
{
    unsigned bits = stack_bits(t);
    e_lea(t->hot, bits == 64, areg, H_RSP, disp);
    if (bits == 16)
        e8(t->hot, 0x45), e8(t->hot, 0x0f), e8(t->hot, 0xb7),
            e8(t->hot, 0xc0 | (areg & 7) << 3 | (areg & 7));
}

void gen_sp_add(struct translator *t, struct buf *b, int n, unsigned tmp)
{
    unsigned bits = stack_bits(t);
    if (bits != 16) {
        e_lea(b, bits == 64, H_RSP, H_RSP, n);
        return;
    }
    e_lea(b, false, tmp, H_RSP, n);
    e8(b, 0x66);
    e_rr(b, false, 0x89, H_RSP, tmp); /* mov sp, tmp16 */
}

static uint32_t site_of(struct translator *t, const struct access *a)
{
    const struct decoded *in = cur(t);
    return (uint32_t)in->off | (uint32_t)in->zi.length << SITE_LEN_SHIFT |
           a->size << SITE_SIZE_SHIFT | (a->write ? (uint32_t)SITE_WRITE : 0) |
           (a->rmw ? (uint32_t)SITE_RMW : 0) | (a->stack ? (uint32_t)SITE_STACK : 0) |
           (in->zi.meta.category == ZYDIS_CATEGORY_CALL ? SITE_CALL : 0) |
           (t->b->mode & MODE_USER ? (uint32_t)SITE_USER : 0);
}

/* lea reg, [rip + target] */
static void lea_rip(struct buf *b, unsigned reg, const uint8_t *target)
{
    e8(b, 0x48 | (reg & 8 ? 4u : 0u));
    e8(b, 0x8d);
    e8(b, (reg & 7) << 3 | 5);
    e_rel32(b, target);
}

void gen_note_fault(struct translator *t, struct buf *b, struct fault_site s)
{
    if (t->b->faults == ARRAY_LEN(t->fault))
        return;
    s.at = rx_here(b);
    s.off = cur(t)->off;
    t->fault[t->b->faults++] = s;
}

/* Off the fast path, before the operand may fault: what the CPU raises first. An x87 exception that
 * is pending; the alignment that SSE demands. areg is the linear address. */
static void cold_wait(struct translator *t, unsigned areg)
{
    struct buf *c = t->cold;
    if (!insn_waits(cur(t)))
        return;
    gen_note_fault(t, c, (struct fault_site){.lent = FAULT_NONE_LENT});
    if (cur(t)->zi.mnemonic != ZYDIS_MNEMONIC_MASKMOVQ) {
        e8(c, 0x9b); /* fwait */
    } else { /* it takes over the x87 registers before its store may fault: movd tmp, mm0 does */
        e8(c, 0x41), e8(c, 0x0f), e8(c, 0x7e), e8(c, areg == H_R10 ? 0xc3 : 0xc2);
    }
}

static void cold_align(struct translator *t, unsigned areg)
{
    struct buf *c = t->cold;
    if (!insn_aligned(cur(t)))
        return;
    e8(c, 0x41), e8(c, 0xf6), e8(c, 0xc0 | (areg & 7)), e8(c, 15); /* test areg8, 15 */
    e8(c, 0x74), e8(c, 2);                                         /* jz over */
    gen_note_fault(t, c, (struct fault_site){.lent = FAULT_NONE_LENT, .as = EXC_GP});
    e8(c, 0x0f), e8(c, 0x0b); /* ud2 */
}

/* Legacy modes: limit check, then base. 64-bit mode: only FS and GS have a base. */
void gen_linear(struct translator *t, unsigned seg, unsigned areg, unsigned size, bool write)
{
    struct buf *b = t->hot;
    if (t->b->mode & MODE_64) {
        if (seg == SEG_FS || seg == SEG_GS)
            e_gs(b, true, 0x03, areg, SEGF(seg, base));
        return;
    }
    if ((t->b->mode & MODE_FLAT) && seg != SEG_FS && seg != SEG_GS && seg != SEG_CS)
        return;
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10;
    e_lea(b, true, tmp, areg, (int32_t)size);
    e_gs(b, true, 0x3b, tmp, (write ? GS(seg_wend) : GS(seg_end)) + 8 * (size_t)seg);
    struct access a = {.areg = areg, .size = size, .write = write, .stack = seg == SEG_SS};
    uint8_t *cold = rx_here(t->cold);
    e_jcc(b, CC_A, cold);
    e_gs(b, true, 0x3b, areg, GS(seg_lo) + 8 * (size_t)seg);
    e_jcc(b, CC_B, cold);
    cold_wait(t, areg);
    if (insn_aligned(cur(t)))
        e_gs(t->cold, false, 0x03, areg, SEGF(seg, base)); /* of the linear address */
    cold_align(t, areg);
    e_store32_imm(t->cold, GS(site), site_of(t, &a));
    lea_rip(t->cold, H_R11, cold);
    e_jmp(t->cold, t->d->thunk.slow_fault);
    e_gs(b, false, 0x03, areg, SEGF(seg, base));
}

/* #AC: Intel SDM volume 3, section 6.15, table 6-7. 0: nothing to check. */
static unsigned alignment(const struct translator *t, unsigned size)
{
    switch (size) {
    case 2:
    case 4:
    case 8: return size;
    case 10: return 8;
    case 16: return insn_aligned(cur(t)) ? 0 : 16; /* where it isn't #GP */
    default: return 0;
    }
}

static void check_aligned(struct translator *t, const struct access *a)
{
    struct buf *b = t->hot, *c = t->cold;
    unsigned to = alignment(t, a->size);
    if (!(t->b->mode & MODE_AC) || !to)
        return;
    e8(b, 0x41), e8(b, 0xf6), e8(b, 0xc0 | (a->areg & 7)), e8(b, to - 1); /* test areg8, */
    e_jcc(b, CC_NE, rx_here(c));
    uint8_t *cold = rx_here(c);
    cold_wait(t, a->areg);
    e_store32_imm(c, GS(site), site_of(t, a) | (uint32_t)SITE_AC);
    lea_rip(c, H_R11, cold);
    e_jmp(c, t->d->thunk.slow_fault);
}

static size_t tlb_of(const struct translator *t, bool write)
{
    return GS(tlb) + ((t->b->mode & MODE_USER ? 2u : 0u) + (write ? 1u : 0u)) *
                         sizeof(struct tlb_entry) * TLB_SETS;
}

/* The check: areg from linear to host address. Returns the jump to patch to the slow path. */
static uint8_t *gen_check(struct translator *t, unsigned areg, unsigned size, bool write)
{
    struct buf *b = t->hot;
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10;
    size_t tlb = tlb_of(t, write);
    e_mov32(b, tmp, areg);
    e8(b, 0x41), e8(b, 0xc1), e8(b, 0xe8 | (tmp & 7)), e8(b, 8);                    /* shr tmp, 8 */
    e8(b, 0x41), e8(b, 0x81), e8(b, 0xe0 | (tmp & 7)), e32(b, (TLB_SETS - 1) << 4); /* and */
    e8(b, 0x65), e8(b, 0x4d), e8(b, 0x2b); /* sub areg, tag */
    e8(b, 0x80 | (areg & 7) << 3 | (tmp & 7)), e32(b, (uint32_t)tlb);
    e8(b, 0x49), e8(b, 0x81), e8(b, 0xf8 | (areg & 7)), e32(b, 4096 - size); /* cmp */
    e8(b, 0x0f), e8(b, 0x87);
    uint8_t *miss = e_later(b);
    e8(b, 0x65), e8(b, 0x4d), e8(b, 0x03); /* add areg, host */
    e8(b, 0x80 | (areg & 7) << 3 | (tmp & 7)), e32(b, (uint32_t)tlb + 8);
    return miss;
}

static const uint8_t *slow_of(const struct translator *t, unsigned areg, bool write)
{
    return t->d->thunk.slow[areg == H_R11][(t->b->mode & MODE_USER ? 2 : 0) + (write ? 1 : 0)];
}

/* In the slow path: the linear address again. */
static void cold_linear(struct translator *t, unsigned areg, bool write)
{
    struct buf *c = t->cold;
    unsigned tmp = areg == H_R10 ? H_R11 : H_R10;
    e8(c, 0x65), e8(c, 0x4d), e8(c, 0x03); /* add areg, tag */
    e8(c, 0x80 | (areg & 7) << 3 | (tmp & 7)), e32(c, (uint32_t)tlb_of(t, write));
}

void gen_window(struct translator *t, unsigned size, bool write)
{
    struct buf *c = t->cold;
    struct access a = {.areg = H_R10, .size = size, .write = write};
    uint8_t *miss = gen_check(t, H_R10, size, write);
    e_here(t->hot, miss, rx_here(c));
    cold_linear(t, H_R10, write);
    e_store32_imm(c, GS(site), site_of(t, &a) | (uint32_t)SITE_GROUP);
    lea_rip(c, H_R11, rx_here(t->hot));
    e_jmp(c, slow_of(t, H_R10, write));
}

void gen_access(struct translator *t, const struct access *a)
{
    struct buf *b = t->hot, *c = t->cold;
    unsigned areg = a->areg, tmp = areg == H_R10 ? H_R11 : H_R10;
    bool wr = a->write;
    if (cur(t)->grouped) { /* checked already: see group.c */
        a->op(t, b, H_R10, a->arg);
        return;
    }
    check_aligned(t, a);
    uint8_t *miss = gen_check(t, areg, a->size, wr);
    const uint8_t *hit = rx_here(b);
    enum flags_at fl = t->fl;
    a->op(t, b, areg, a->arg);

    e_here(b, miss, rx_here(c));
    cold_linear(t, areg, wr);
    cold_wait(t, areg);
    cold_align(t, areg);
    e_store32_imm(c, GS(site), site_of(t, a) | (t->fl == FLAGS_HOST ? (uint32_t)SITE_HOST_FL : 0));
    if (!wr) {
        lea_rip(c, tmp, hit);
        e_jmp(c, slow_of(t, areg, wr));
        return;
    }
    lea_rip(c, tmp, rx_here(c) + 7 + 5);
    e_jmp(c, slow_of(t, areg, wr));
    enum flags_at after = t->fl;
    t->fl = fl;
    a->op(t, c, areg, a->arg);
    t->fl = after;
    lea_rip(c, H_R11, rx_here(b));
    e_jmp(c, t->d->thunk.post);
}
