/*
 * Arithmetic flags across software TLB checks. A check clobbers the host's flags, so the translator
 * knows which guest flags are still needed (liveness, backward over the block, with a look ahead at
 * direct successors on the same page) and keeps them in one of two places: the host's own flags, or
 * cpu->fl. They move only when they must. Known gap: flags that nobody reads again before they are
 * overwritten may be stale in the frame of a fault or interrupt taken in between.
 */
#include "engine/dbt/translate.h"

#define LOOK_AHEAD 6 /* instructions of a successor to look at */

static bool shift_may_keep(const struct decoded *in)
{
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD: break;
    default: return false;
    }
    /* A count of zero leaves the flags alone: surely non-zero only as an immediate, or the 1 forms.
     */
    const ZydisDecodedOperand *o = &in->op[in->zi.operand_count_visible - 1];
    return o->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || (o->imm.value.u & 31) == 0;
}

/* What the manual calls undefined, logic and shifts do overwrite; others (IMUL, BT, DIV ...) may
 * leave as it was, and then the old value shows. */
static uint32_t undefined_kill(const struct decoded *in)
{
    switch (in->zi.meta.category) {
    case ZYDIS_CATEGORY_LOGICAL:
    case ZYDIS_CATEGORY_SHIFT:
    case ZYDIS_CATEGORY_ROTATE: return in->zi.cpu_flags->undefined;
    default: return 0;
    }
}

void flags_of(struct decoded *in)
{
    const ZydisAccessedFlags *f = in->zi.cpu_flags;
    in->read = in->kill = 0;
    in->writes = false;
    if (in->sys) {
        in->read = FL_ARITH;
        return;
    }
    if (!f)
        return;
    in->read = f->tested & FL_ARITH;
    in->kill = (f->modified | f->set_0 | f->set_1 | undefined_kill(in)) & FL_ARITH;
    in->writes = (in->kill | f->undefined) & FL_ARITH;
    if (shift_may_keep(in)) {
        in->read = FL_ARITH;
        in->kill = 0;
    }
}

static bool ends_look(const ZydisDecodedInstruction *zi)
{
    switch (zi->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_STRINGOP:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_FLAGOP: return true;
    default: return false;
    }
}

/* Which flags the code at rip may read before it overwrites them. Bytes looked at become bytes the
 * block depends on. */
uint32_t flags_live_at(struct translator *t, uint64_t rip)
{
    static const unsigned room = ARRAY_LEN(((struct block *)NULL)->range);
    struct block *b = t->b;
    uint64_t off = rip - t->page_rip;
    uint32_t live = 0, killed = 0;
    struct decoded in;
    if (off >= 4096 || (b->mode & MODE_STEP) || b->ranges == room || b->phys2 != PHYS_NONE)
        return FL_ARITH;
    unsigned at = (unsigned)off;
    for (unsigned i = 0; i < LOOK_AHEAD && killed != FL_ARITH; i++) {
        ZydisDecoderContext ctx;
        if (at >= 4096 || !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(t->dec, &ctx, t->page + at,
                                                                      4096 - at, &in.zi)))
            break;
        if (ends_look(&in.zi))
            break;
        in.sys = false;
        struct insn sys = {0};
        unsigned ops = in.zi.operand_count < OPERANDS ? in.zi.operand_count : OPERANDS;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(t->dec, &ctx, &in.zi, in.op, (ZyanU8)ops)) ||
            sys_decode(&in.zi, in.op, t->page_rip + at, &sys) || !sys_claimed(t->cpu, &in.zi))
            break; /* a helper sees all flags */
        flags_of(&in);
        at += in.zi.length;
        live |= in.read & ~killed;
        killed |= in.kill;
    }
    if (at > off)
        b->range[b->ranges++] = (struct range16){(uint16_t)off, (uint16_t)at};
    return live | (FL_ARITH & ~killed);
}

void flags_live(struct translator *t)
{
    uint32_t live = t->live_end;
    for (unsigned i = t->n; i-- > 0;) {
        struct decoded *in = &t->in[i];
        live = (live & ~in->kill) | in->read;
        if (in->zi.meta.category == ZYDIS_CATEGORY_COND_BR && !in->sys)
            live |= in->taken;
        in->live = live;
    }
}

void flags_clobber(struct translator *t)
{
    if (t->fl != FLAGS_HOST)
        return;
    if (cur(t)->live)
        flags_to_mem(t);
    else
        t->fl = FLAGS_DEAD;
}

void flags_to_mem(struct translator *t)
{
    if (t->fl == FLAGS_HOST)
        emit_flags_save(t->hot, GS(fl));
    t->fl = FLAGS_MEM;
}

void flags_to_host(struct translator *t)
{
    if (t->fl == FLAGS_MEM)
        emit_flags_restore(t->hot, GS(fl), H_R11);
    t->fl = FLAGS_HOST;
}
