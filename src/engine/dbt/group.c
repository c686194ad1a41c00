/*
 * Groups: a run of accesses off one address (same base, index, scale, segment; displacements close
 * together) needs one TLB check. The window's host address stays in r10 from the first access to
 * the last, and the instructions between must leave r10 and the address registers alone. The stack
 * pointer may move by known amounts, so prologues, epilogues and calls are groups.
 *
 * If the window isn't plain memory of one page the whole group is refused, before anything of it
 * has happened: the block is left, and the same instructions run in MODE_NOGROUP, one check each.
 * Where that happens often (device registers, a stack frame across pages) the group is given up.
 */
#include "engine/dbt/translate.h"

#define WINDOW_MAX 240 /* bytes; fits the size field of cpu->site */

enum { BASE_RIP = 17 };

struct ref {
    unsigned base, index, scale, seg, size;
    int64_t disp;
    bool write;
};

struct scan {
    struct ref key;
    int64_t lo, hi; /* window, relative to the address registers at the first access */
    int64_t sp;     /* how far RSP has moved since then */
    unsigned end;   /* instruction behind the last member */
    bool write, after_branch;
};

static bool is_guest_r10(ZydisRegister r)
{
    return reg_id(r) == H_R10;
}

static bool names_r10(const struct decoded *in)
{
    for (unsigned i = 0; i < in->zi.operand_count_visible; i++) {
        const ZydisDecodedOperand *o = &in->op[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && is_guest_r10(o->reg.value))
            return true;
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            ((reg_id(o->mem.base) & 30) == 10 || (reg_id(o->mem.index) & 30) == 10))
            return true; /* r10 or r11 in an address needs both scratch registers */
    }
    return false;
}

static bool high_byte(const struct decoded *in)
{
    for (unsigned i = 0; i < in->zi.operand_count_visible; i++)
        if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            in->op[i].reg.value >= ZYDIS_REGISTER_AH && in->op[i].reg.value <= ZYDIS_REGISTER_BH)
            return true;
    return false;
}

static bool writes_reg(const struct decoded *in, unsigned reg)
{
    unsigned n = in->zi.operand_count < OPERANDS ? in->zi.operand_count : OPERANDS;
    for (unsigned i = 0; i < n; i++)
        if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (in->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            reg_id(in->op[i].reg.value) == reg)
            return true;
    return false;
}

static struct ref stack_ref(int64_t disp, bool write)
{
    return (struct ref){.base = H_RSP,
                        .index = 16,
                        .scale = 1,
                        .seg = SEG_SS,
                        .size = 8,
                        .disp = disp,
                        .write = write};
}

enum kind { NO_ACCESS, ACCESS, LAST_ACCESS, UNFIT };

/* Stack instructions, which have no ModRM operand to look at. NO_ACCESS: none of them. */
static enum kind stack_of(const struct decoded *in, int64_t *sp, struct ref *r)
{
    bool wide = in->zi.operand_width == 64 && in->op[0].type != ZYDIS_OPERAND_TYPE_MEMORY;
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
        *r = stack_ref(*sp - 8, true);
        *sp -= 8;
        return wide ? ACCESS : UNFIT;
    case ZYDIS_MNEMONIC_POP:
        *r = stack_ref(*sp, false);
        *sp += 8;
        return wide && reg_id(in->op[0].reg.value) != H_RSP ? ACCESS : UNFIT;
    case ZYDIS_MNEMONIC_CALL:
        *r = stack_ref(*sp - 8, true);
        return in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? LAST_ACCESS : UNFIT;
    case ZYDIS_MNEMONIC_RET: *r = stack_ref(*sp, false); return LAST_ACCESS;
    default: return NO_ACCESS;
    }
}

/* Instructions whose translation needs r10 itself, or whose operand isn't where it seems. */
static bool needs_r10(const struct decoded *in)
{
    switch (in->zi.mnemonic) {
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_XLAT:
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JCXZ: return true;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: return in->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY || names_r10(in);
    default: return names_r10(in) || in->zi.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
    }
}

/* What instruction i does with memory, its address as of the group's start if that is off RSP. */
static enum kind ref_of(struct translator *t, unsigned i, int64_t *sp, struct ref *r)
{
    const struct decoded *in = &t->in[i];
    const ZydisDecodedInstruction *zi = &in->zi;
    const ZydisDecodedOperand *m = NULL;
    if (in->sys)
        return in->insn.run == sys_nop ? NO_ACCESS : UNFIT;
    enum kind k = stack_of(in, sp, r);
    if (k != NO_ACCESS)
        return k;
    if (zi->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX || needs_r10(in))
        return UNFIT;
    for (unsigned n = 0; n < zi->operand_count_visible; n++)
        if (in->op[n].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            in->op[n].mem.type == ZYDIS_MEMOP_TYPE_MEM)
            m = &in->op[n];
    if (!m)
        return NO_ACCESS;
    if (!(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) || zi->address_width != 64 || m->size > 512 ||
        high_byte(in) || m->mem.base == ZYDIS_REGISTER_EIP)
        return UNFIT;
    *r = (struct ref){.base = reg_id(m->mem.base),
                      .index = reg_id(m->mem.index),
                      .scale = m->mem.scale,
                      .seg = seg_id(m->mem.segment),
                      .size = m->size / 8u,
                      .disp = m->mem.disp.value,
                      .write = (m->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0};
    if (r->seg != SEG_FS && r->seg != SEG_GS)
        r->seg = SEG_SS;
    if (m->mem.base == ZYDIS_REGISTER_RIP) {
        r->base = BASE_RIP;
        r->disp += (int64_t)(t->b->rip + in->off + zi->length);
    }
    if (r->base == H_RSP)
        r->disp += *sp;
    return ACCESS;
}

static bool same_address(const struct ref *a, const struct ref *b)
{
    return a->base == b->base && a->index == b->index && (a->index == 16 || a->scale == b->scale) &&
           a->seg == b->seg;
}

/* ADD/SUB RSP, imm and LEA RSP, [RSP + disp]: known movements. */
static bool sp_moves(const struct decoded *in, int64_t *sp)
{
    if (in->op[0].type != ZYDIS_OPERAND_TYPE_REGISTER || in->op[0].reg.value != ZYDIS_REGISTER_RSP)
        return false;
    if (in->zi.mnemonic == ZYDIS_MNEMONIC_LEA && in->op[1].mem.base == ZYDIS_REGISTER_RSP &&
        in->op[1].mem.index == ZYDIS_REGISTER_NONE) {
        *sp += in->op[1].mem.disp.value;
        return true;
    }
    if (in->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return false;
    if (in->zi.mnemonic == ZYDIS_MNEMONIC_ADD)
        *sp += in->op[1].imm.value.s;
    else if (in->zi.mnemonic == ZYDIS_MNEMONIC_SUB)
        *sp -= in->op[1].imm.value.s;
    else
        return false;
    return true;
}

/* Does the window still hold after instruction i? */
static bool survives(const struct scan *s, const struct decoded *in, int64_t *sp)
{
    bool stack_op = in->zi.mnemonic == ZYDIS_MNEMONIC_PUSH || in->zi.mnemonic == ZYDIS_MNEMONIC_POP;
    if (s->key.index != 16 && writes_reg(in, s->key.index))
        return false;
    if (s->key.base == H_RSP)
        return stack_op || !writes_reg(in, H_RSP) || sp_moves(in, sp);
    return s->key.base >= 16 || !writes_reg(in, s->key.base);
}

static bool join(struct scan *s, const struct ref *r)
{
    int64_t lo = r->disp < s->lo ? r->disp : s->lo;
    int64_t hi = r->disp + r->size > s->hi ? r->disp + (int64_t)r->size : s->hi;
    if (!same_address(&s->key, r) || hi - lo > WINDOW_MAX || hi != (int32_t)hi || lo != (int32_t)lo)
        return false;
    /* A write behind a side exit may not happen: it must not dirty the page by itself. */
    if (r->write && !s->write && s->after_branch)
        return false;
    s->lo = lo;
    s->hi = hi;
    s->write |= r->write;
    return true;
}

/* Look for a group that begins at the current instruction, and mark its members. */
static bool scan_group(struct translator *t, struct scan *s)
{
    struct ref r;
    unsigned members = 0, last = t->at;
    int64_t sp = 0;
    *s = (struct scan){0};
    for (unsigned i = t->at; i < t->n; i++) {
        enum kind k = ref_of(t, i, &sp, &r);
        if (k == UNFIT || (i == t->at && k != ACCESS))
            break;
        if (k != NO_ACCESS) {
            int64_t rip = r.base == BASE_RIP ? s->key.disp : 0;
            if (i == t->at) {
                s->key = r;
                rip = r.base == BASE_RIP ? r.disp : 0;
                s->lo = s->hi = r.disp - rip;
            }
            r.disp -= rip;
            if (!join(s, &r))
                break;
            t->in[i].group_disp = r.disp;
            t->in[i].grouped = true;
            members++;
            last = i;
        }
        if (t->in[i].zi.meta.category == ZYDIS_CATEGORY_COND_BR && !t->in[i].sys)
            s->after_branch = true;
        if (k == LAST_ACCESS || !survives(s, &t->in[i], &sp))
            break;
    }
    for (unsigned i = last + 1; i < t->n; i++)
        t->in[i].grouped = false;
    s->end = last + 1;
    if (members >= 2)
        return true;
    for (unsigned i = t->at; i < t->n; i++)
        t->in[i].grouped = false;
    return false;
}

static void window_address(struct translator *t, const struct scan *s)
{
    struct buf *b = t->hot;
    if (s->key.base == BASE_RIP)
        e_mov_imm(b, H_R10, (uint64_t)(s->key.disp + s->lo));
    else if (s->key.index != 16)
        emit_lea_sib(b, true, H_R10, s->key.base, s->key.index, s->key.scale, (int32_t)s->lo);
    else if (s->key.base == 16)
        e_mov_imm(b, H_R10, (uint64_t)s->lo);
    else if (s->lo)
        e_lea(b, true, H_R10, s->key.base, (int32_t)s->lo);
    else
        e_mov(b, H_R10, s->key.base);
}

void group_begin(struct translator *t)
{
    struct scan s;
    uint32_t mode = t->b->mode;
    if (t->at < t->group_end || (mode != MODE_KERNEL64 && mode != MODE_USER64) ||
        *group_refusals(t->d, t->b->rip + cur(t)->off) == REFUSED_MAX || !scan_group(t, &s))
        return;
    t->group_end = s.end; /* what is between its members begins no other */
    flags_clobber(t);
    window_address(t, &s);
    gen_linear(t, s.key.seg, H_R10, (unsigned)(s.hi - s.lo), s.write);
    gen_window(t, (unsigned)(s.hi - s.lo), s.write);
    for (unsigned i = t->at; i < t->n; i++)
        if (t->in[i].grouped)
            t->in[i].group_disp -= s.lo;
}
