/*
 * Control transfers and the ways out of a block. A direct exit jumps straight to the translated
 * target once linked; unlinked it goes through the jump cache. Every backward or indirect exit
 * polls cpu->exit_request, so translated code leaves within one round of any loop.
 */
#include "engine/dbt/translate.h"

static bool stepping(const struct translator *t)
{
    return t->b->mode & MODE_STEP;
}

/* Leave for C at RIP in r10; flags must be in memory or dead. */
static void cold_leave(struct translator *t, struct buf *c)
{
    e_store32_imm(c, GS(link), 0);
    e_jmp(c, t->d->thunk.exit);
}

static struct exit *exit_new(struct translator *t, uint64_t target, bool mem_form)
{
    struct exit *x = &t->exits[t->b->exits++];
    *x = (struct exit){.target = target, .mem_form = mem_form, .id = t->d->exits + t->b->exits - 1};
    return x;
}

/* Goes on at x's target by way of a thunk, out of line; where that code is. */
static uint32_t exit_by(struct translator *t, struct exit *x, const uint8_t *thunk)
{
    struct buf *c = t->cold;
    uint32_t at = code_offset(t->d, rx_here(c));
    e_store32_imm(c, GS(link), x->id);
    e_mov_imm(c, H_R10, x->target);
    e_jmp(c, thunk);
    return at;
}

/* The unlinked form of exit x. */
static void exit_stub(struct translator *t, struct exit *x, bool host_live)
{
    unsigned slot = jc_slot(t->b->mode);
    x->stub = exit_by(t, x, host_live ? t->d->thunk.jc_host[slot] : t->d->thunk.jc_mem[slot]);
}

/* jmp or jcc (cc < 16) to exit x's stub or what comes before it, patchable. */
static void exit_jump(struct translator *t, struct exit *x, unsigned cc, uint32_t to)
{
    if (cc < 16) {
        e8(t->hot, 0x0f);
        e8(t->hot, 0x80 | cc);
    } else {
        e8(t->hot, 0xe9);
    }
    x->rel = code_offset(t->d, rx_here(t->hot));
    e_rel32(t->hot, code_at(t->d, to));
}

static void step_exit(struct translator *t, uint64_t target)
{
    flags_to_mem(t);
    e_mov_imm(t->hot, H_R10, target);
    cold_leave(t, t->hot);
}

static void exit_poll(struct translator *t, uint64_t target)
{
    struct buf *b = t->hot, *c = t->cold;
    emit_poll(b);
    e_jcc(b, CC_NE, rx_here(c));
    e_mov_imm(c, H_R10, target);
    cold_leave(t, c);
}

static bool backward(const struct translator *t, uint64_t target)
{
    return target <= t->b->rip + cur(t)->off;
}

/* Unconditional; live: flags the target needs. */
static void exit_direct(struct translator *t, uint64_t target, uint32_t live)
{
    if (stepping(t)) {
        step_exit(t, target);
        return;
    }
    if (backward(t, target)) {
        if (t->fl == FLAGS_HOST && live)
            flags_to_mem(t);
        exit_poll(t, target);
    }
    bool host_live = t->fl == FLAGS_HOST && live;
    struct exit *x = exit_new(t, target, t->fl == FLAGS_MEM && live);
    exit_stub(t, x, host_live);
    /* A loop's way back asks to be linked at once: the jump cache would know its target, and never
     * let it. */
    exit_jump(t, x, 16,
              backward(t, target) && !host_live ? exit_by(t, x, t->d->thunk.exit) : x->stub);
}

void gen_exit(struct translator *t, uint64_t target)
{
    exit_direct(t, target, t->live_end);
}

/* A branch to an address that isn't canonical is #GP at the branch. r10 is the target, r11 is
 * clobbered, undo is what the stack pointer has moved by. Intel SDM volume 1, 3.3.7.1. */
static void check_canonical(struct translator *t, struct buf *b, int undo)
{
    static const uint8_t look[] = {0x4d, 0x89, 0xd3,       /* mov r11, r10 */
                                   0x49, 0xc1, 0xfb, 0x2f, /* sar r11, 47 */
                                   0x49, 0xff, 0xc3,       /* inc r11 */
                                   0x49, 0x83, 0xfb, 0x01, /* cmp r11, 1 */
                                   0x76};                  /* jbe over */
    if (!(t->b->mode & MODE_64))
        return;
    ebytes(b, look, sizeof(look));
    uint8_t *over = b->p;
    e8(b, 0);
    if (undo)
        e_lea(b, true, H_RSP, H_RSP, -undo);
    gen_note_fault(t, b, (struct fault_site){.lent = FAULT_NONE_LENT, .as = EXC_GP});
    e8(b, 0x0f), e8(b, 0x0b); /* ud2 */
    *over = (uint8_t)(b->p - over - 1);
}

/* Only targets that were run before are in the jump cache, and those are canonical. */
void gen_indirect(struct translator *t, int undo)
{
    struct buf *b = t->hot, *c = t->cold;
    if (t->fl == FLAGS_HOST)
        flags_to_mem(t);
    if (stepping(t)) {
        check_canonical(t, b, undo);
        cold_leave(t, b);
        return;
    }
    const uint8_t *leave = rx_here(c);
    check_canonical(t, c, undo);
    cold_leave(t, c);
    emit_poll(b);
    e_jcc(b, CC_NE, leave);
    e_here(b, emit_jc_lookup(b, jc_slot(t->b->mode)), leave);
}

static uint64_t flow_mask(const struct translator *t)
{
    unsigned w = cur(t)->zi.operand_width;
    if (t->b->mode & MODE_64)
        return UINT64_MAX; /* near branches are 64-bit there */
    return w == 16 ? 0xffff : UINT32_MAX;
}

static uint64_t flow_target(const struct translator *t)
{
    return (rip_next(t) + (uint64_t)cur(t)->op[0].imm.value.s) & flow_mask(t);
}

static unsigned flow_size(const struct translator *t)
{
    return t->b->mode & MODE_64 ? 8 : cur(t)->zi.operand_width / 8u;
}

/* Condition code of a Jcc from its opcode: 70-7f or 0f 80-8f. */
static unsigned jcc_cc(const struct decoded *in)
{
    return in->zi.opcode & 15;
}

static void gen_jcc(struct translator *t)
{
    const struct decoded *in = cur(t);
    uint64_t target = flow_target(t);
    flags_to_host(t);
    if (!stepping(t) && !backward(t, target)) {
        struct exit *x = exit_new(t, target, false);
        exit_stub(t, x, in->taken != 0);
        exit_jump(t, x, jcc_cc(in), x->stub);
        return;
    }
    e8(t->hot, 0x0f);
    e8(t->hot, 0x80 | (jcc_cc(in) ^ 1));
    uint8_t *not_taken = e_later(t->hot);
    exit_direct(t, target, in->taken);
    e_here(t->hot, not_taken, rx_here(t->hot));
    t->fl = FLAGS_HOST;
}

/* rCX forms. The counter is tested through host JRCXZ on a zero-extended copy. */
static void gen_loop(struct translator *t)
{
    const struct decoded *in = cur(t);
    struct buf *b = t->hot;
    uint64_t target = flow_target(t);
    unsigned width = in->zi.address_width;
    bool jcxz = in->zi.mnemonic == ZYDIS_MNEMONIC_JCXZ || in->zi.mnemonic == ZYDIS_MNEMONIC_JECXZ ||
                in->zi.mnemonic == ZYDIS_MNEMONIC_JRCXZ;
    if (in->zi.mnemonic == ZYDIS_MNEMONIC_LOOPE || in->zi.mnemonic == ZYDIS_MNEMONIC_LOOPNE)
        flags_to_host(t);
    if (!jcxz && width != 16)
        e_lea(b, width == 64, H_RCX, H_RCX, -1);
    if (!jcxz && width == 16) {
        e_lea(b, false, H_R10, H_RCX, -1);
        e8(b, 0x66);
        e_rr(b, false, 0x89, H_RCX, H_R10);
    }
    uint8_t *skip = NULL;
    if (in->zi.mnemonic == ZYDIS_MNEMONIC_LOOPE || in->zi.mnemonic == ZYDIS_MNEMONIC_LOOPNE) {
        e8(b, 0x0f);
        e8(b, 0x80 | (in->zi.mnemonic == ZYDIS_MNEMONIC_LOOPE ? CC_NE : CC_E));
        skip = e_later(b);
    }
    e_mov(b, H_R10, H_RCX); /* keep; then rcx = the counter alone */
    if (width == 32)
        e_mov32(b, H_RCX, H_RCX);
    if (width == 16)
        e8(b, 0x0f), e8(b, 0xb7), e8(b, 0xc9);
    e8(b, 0xe3), e8(b, 8);  /* jrcxz zero: over the next two */
    e_mov(b, H_RCX, H_R10); /* 3 bytes */
    e8(b, 0xe9);            /* jmp nonzero, 5 bytes */
    uint8_t *nonzero = e_later(b), *done = NULL;
    e_mov(b, H_RCX, H_R10); /* zero: */
    if (!jcxz) {
        e8(b, 0xe9);
        done = e_later(b);
        e_here(b, nonzero, rx_here(b));
    }
    enum flags_at fl = t->fl;
    exit_direct(t, target, in->taken);
    t->fl = fl;
    e_here(b, jcxz ? nonzero : done, rx_here(b));
    if (skip)
        e_here(b, skip, rx_here(b));
}

static void emit_load_target(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    unsigned size = *(const unsigned *)arg;
    (void)t;
    if (size == 2)
        e8(b, 0x45), e8(b, 0x0f), e8(b, 0xb7), e8(b, 0x10 | (areg & 7)); /* movzx r10d, word [] */
    else
        e_mem(b, size == 8, 0x8b, H_R10, areg, op_disp(t));
}

/* r10 = the target of an indirect near branch */
static void gen_target(struct translator *t)
{
    const struct decoded *in = cur(t);
    const ZydisDecodedOperand *o = &in->op[0];
    unsigned size = flow_size(t);
    if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        unsigned r = reg_id(o->reg.value);
        if (r == H_R10 || r == H_R11)
            e_load(t->hot, H_R10, GPR(r));
        else
            e_mov(t->hot, H_R10, r);
        if (size == 4)
            e_mov32(t->hot, H_R10, H_R10);
        if (size == 2)
            e8(t->hot, 0x45), e8(t->hot, 0x0f), e8(t->hot, 0xb7), e8(t->hot, 0xd2);
        return;
    }
    unsigned seg = seg_id(o->mem.segment);
    flags_clobber(t);
    gen_ea(t, o, H_R10, 0);
    gen_linear(t, seg, H_R10, size, false);
    gen_access(t, &(struct access){.areg = H_R10,
                                   .size = size,
                                   .stack = seg == SEG_SS,
                                   .op = emit_load_target,
                                   .arg = &size});
}

static void gen_call(struct translator *t)
{
    const struct decoded *in = cur(t);
    unsigned size = flow_size(t);
    if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        gen_push_imm(t, rip_next(t) & flow_mask(t), size);
        exit_direct(t, flow_target(t), t->live_end);
        return;
    }
    gen_target(t);
    if (t->fl == FLAGS_HOST)
        flags_to_mem(t);
    check_canonical(t, t->hot, 0); /* before the push */
    e_store(t->hot, H_R10, GS(scratch) + 16);
    gen_push_imm(t, rip_next(t) & flow_mask(t), size);
    e_load(t->hot, H_R10, GS(scratch) + 16);
    gen_indirect(t, 0);
}

struct ret {
    unsigned size, extra;
};

static void emit_ret(struct translator *t, struct buf *b, unsigned areg, void *arg)
{
    struct ret *r = arg;
    emit_load_target(t, b, areg, &r->size);
    gen_sp_add(t, b, (int)(r->size + r->extra), H_R11);
}

static void gen_ret(struct translator *t)
{
    const struct decoded *in = cur(t);
    struct ret r = {.size = flow_size(t)};
    if (in->zi.operand_count_visible && in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        r.extra = (unsigned)in->op[0].imm.value.u & 0xffff;
    if (in->grouped) {
        emit_ret(t, t->hot, H_R10, &r);
        gen_indirect(t, (int)(r.size + r.extra));
        return;
    }
    flags_clobber(t);
    gen_stack_ea(t, H_R10, 0);
    gen_linear(t, SEG_SS, H_R10, r.size, false);
    gen_access(t, &(struct access){
                      .areg = H_R10, .size = r.size, .stack = true, .op = emit_ret, .arg = &r});
    gen_indirect(t, (int)(r.size + r.extra));
}

bool gen_flow(struct translator *t)
{
    const struct decoded *in = cur(t);
    switch (in->zi.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        switch (in->zi.mnemonic) {
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_JRCXZ:
        case ZYDIS_MNEMONIC_LOOP:
        case ZYDIS_MNEMONIC_LOOPE:
        case ZYDIS_MNEMONIC_LOOPNE: gen_loop(t); break;
        default: gen_jcc(t);
        }
        return true;
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            exit_direct(t, flow_target(t), t->live_end);
        } else {
            gen_target(t);
            gen_indirect(t, 0);
        }
        t->ended = true;
        return true;
    case ZYDIS_CATEGORY_CALL:
        gen_call(t);
        t->ended = true;
        return true;
    case ZYDIS_CATEGORY_RET:
        gen_ret(t);
        t->ended = true;
        return true;
    default: return false;
    }
}
