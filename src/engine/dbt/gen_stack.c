/* PUSH, POP and LEAVE: the stack pointer moves only once the access is sure to succeed. */
#include "engine/dbt/translate.h"

enum push_kind { PUSH_REG, PUSH_IMM, PUSH_SCRATCH };

struct push {
    enum push_kind kind;
    unsigned reg, size;
    uint64_t imm;
};

static void store_sized(struct buf *b, unsigned reg, unsigned areg, int32_t disp, unsigned size)
{
    if (size == 2)
        e8(b, 0x66);
    e_mem(b, size == 8, 0x89, reg, areg, disp);
}

static void emit_push(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    const struct push *p = arg;
    if (p->kind == PUSH_IMM && (int64_t)p->imm == (int32_t)p->imm) {
        if (p->size == 2)
            e8(b, 0x66);
        e_mem(b, p->size == 8, 0xc7, 0, areg, op_disp(t));
        if (p->size == 2)
            e16(b, (unsigned)p->imm & 0xffff);
        else
            e32(b, (uint32_t)p->imm);
    } else if (p->kind == PUSH_REG && p->reg != H_R10 && p->reg != H_R11) {
        store_sized(b, p->reg, areg, op_disp(t), p->size);
    } else {
        if (p->kind == PUSH_IMM)
            e_mov_imm(b, H_R11, p->imm);
        else
            e_load(b, H_R11, p->kind == PUSH_REG ? GPR(p->reg) : GS(scratch));
        store_sized(b, H_R11, areg, op_disp(t), p->size);
    }
    gen_sp_add(t, b, -(int)p->size, H_R11);
}

static void gen_push(struct translator *t, struct push *p)
{
    if (cur(t)->grouped) {
        emit_push(t, t->hot, H_R10, p);
        return;
    }
    flags_clobber(t);
    gen_stack_ea(t, H_R10, -(int)p->size);
    gen_linear(t, SEG_SS, H_R10, p->size, true);
    gen_access(t, &(struct access){.areg = H_R10,
                                   .size = p->size,
                                   .write = true,
                                   .stack = true,
                                   .op = emit_push,
                                   .arg = p});
}

void gen_push_imm(struct translator *t, uint64_t v, unsigned size)
{
    /* A 32-bit slot takes the low half: sign does not matter there. */
    uint64_t imm = size == 8 ? v : (uint64_t)(int64_t)(int32_t)(uint32_t)v;
    gen_push(t, &(struct push){.kind = PUSH_IMM, .imm = imm, .size = size});
}

void gen_push_scratch(struct translator *t, unsigned size)
{
    gen_push(t, &(struct push){.kind = PUSH_SCRATCH, .size = size});
}

struct pop {
    unsigned reg, size;
    bool scratch;
};

static void emit_pop(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    const struct pop *p = arg;
    bool direct = !p->scratch && p->reg != H_R10 && p->reg != H_R11;
    unsigned dst = direct ? p->reg : H_R11;
    if (p->size == 2)
        e8(b, 0x66);
    e_mem(b, p->size == 8, 0x8b, dst, areg, op_disp(t));
    if (!direct) {
        e8(b, 0x65);
        if (p->size == 2)
            e8(b, 0x66);
        e8(b, 0x44 | (p->size == 8 ? 8u : 0u));
        e8(b, 0x89);
        e_gs_modrm(b, H_R11, p->scratch ? GS(scratch) : GPR(p->reg));
    }
    if (!p->scratch && !(direct && dst == H_RSP))
        gen_sp_add(t, b, (int)p->size, H_R11);
}

static void gen_pop(struct translator *t, struct pop *p)
{
    if (cur(t)->grouped) {
        emit_pop(t, t->hot, H_R10, p);
        return;
    }
    flags_clobber(t);
    gen_stack_ea(t, H_R10, 0);
    gen_linear(t, SEG_SS, H_R10, p->size, false);
    gen_access(t, &(struct access){
                      .areg = H_R10, .size = p->size, .stack = true, .op = emit_pop, .arg = p});
}

static void emit_scratch_load(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    (void)t;
    (void)arg;
    e_mem(b, true, 0x8b, H_R11, areg, 0); /* the host's page has 8 bytes or the bounce has */
    e_store(b, H_R11, GS(scratch));
}

static void emit_scratch_load_sized(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    unsigned size = *(const unsigned *)arg;
    if (size == 8) {
        emit_scratch_load(t, b, areg, NULL);
        return;
    }
    if (size == 2)
        e8(b, 0x45), e8(b, 0x0f), e8(b, 0xb7), e8(b, 0x18 | (areg & 7)); /* movzx r11d, word [] */
    else
        e_mem(b, false, 0x8b, H_R11, areg, 0);
    e_store(b, H_R11, GS(scratch));
}

static void gen_load_scratch(struct translator *t, const ZydisDecodedOperand *o, unsigned size)
{
    unsigned seg = seg_id(o->mem.segment);
    flags_clobber(t);
    gen_ea(t, o, H_R10, 0);
    gen_linear(t, seg, H_R10, size, false);
    gen_access(t, &(struct access){.areg = H_R10,
                                   .size = size,
                                   .stack = seg == SEG_SS,
                                   .op = emit_scratch_load_sized,
                                   .arg = &size});
}

static void emit_pop_store(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    unsigned size = *(const unsigned *)arg;
    e_load(b, H_R11, GS(scratch));
    store_sized(b, H_R11, areg, 0, size);
    gen_sp_add(t, b, (int)size, H_R11);
}

/* POP m: the address is computed with the stack pointer already moved. */
static void gen_pop_mem(struct translator *t, const ZydisDecodedOperand *o, unsigned size)
{
    unsigned seg = seg_id(o->mem.segment);
    gen_pop(t, &(struct pop){.scratch = true, .size = size});
    gen_ea(t, o, H_R10, reg_id(o->mem.base) == H_RSP ? (int64_t)size : 0);
    gen_linear(t, seg, H_R10, size, true);
    gen_access(t, &(struct access){.areg = H_R10,
                                   .size = size,
                                   .write = true,
                                   .stack = seg == SEG_SS,
                                   .op = emit_pop_store,
                                   .arg = &size});
}

static void emit_leave(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    unsigned size = *(const unsigned *)arg;
    if (size == 2)
        e8(b, 0x66);
    e_mem(b, size == 8, 0x8b, H_R11, areg, 0);
    if (t->b->mode & MODE_64) {
        e_lea(b, true, H_RSP, H_RBP, (int32_t)size);
    } else if (t->b->mode & MODE_SS32) {
        e_lea(b, false, H_RSP, H_RBP, (int32_t)size);
    } else {
        e_lea(b, false, H_R10, H_RBP, (int32_t)size);
        e8(b, 0x66);
        e_rr(b, false, 0x89, H_RSP, H_R10);
    }
    if (size == 2)
        e8(b, 0x66);
    e_rr(b, size == 8, 0x89, H_RBP, H_R11);
}

static void gen_leave(struct translator *t, unsigned size)
{
    struct buf *b = t->hot;
    flags_clobber(t);
    e_lea(b, (t->b->mode & MODE_64) != 0, H_R10, H_RBP, 0);
    if (!(t->b->mode & (MODE_64 | MODE_SS32)))
        e8(b, 0x45), e8(b, 0x0f), e8(b, 0xb7), e8(b, 0xd2); /* movzx r10d, r10w */
    gen_linear(t, SEG_SS, H_R10, size, false);
    gen_access(t, &(struct access){
                      .areg = H_R10, .size = size, .stack = true, .op = emit_leave, .arg = &size});
}

bool gen_stack(struct translator *t)
{
    const struct decoded *in = cur(t);
    unsigned size = in->zi.operand_width / 8u;
    const ZydisDecodedOperand *o = &in->op[0];
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            gen_push(t,
                     &(struct push){.kind = PUSH_REG, .reg = reg_id(o->reg.value), .size = size});
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            gen_push_imm(t, o->imm.value.u, size);
        } else {
            gen_load_scratch(t, o, size);
            gen_push_scratch(t, size);
        }
        return true;
    case ZYDIS_MNEMONIC_POP:
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
            gen_pop(t, &(struct pop){.reg = reg_id(o->reg.value), .size = size});
        else
            gen_pop_mem(t, o, size);
        return true;
    case ZYDIS_MNEMONIC_LEAVE: gen_leave(t, size); return true;
    default: return false;
    }
}
