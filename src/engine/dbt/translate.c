/*
 * From guest bytes to a block: decode up to BLOCK_INSNS instructions on one page (an instruction
 * that straddles two pages is a block of its own), find out which flags matter where, generate.
 * Conditional branches not taken stay inside the block.
 */
#include "engine/dbt/translate.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int dbt_translator_open(struct dbt *d)
{
    struct translator *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    d->tr = t;
    t->d = d;
    t->cpu = d->cpu;
    ZydisDecoderInit(&t->dec64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderInit(&t->dec32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&t->dec16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    return 0;
}

void dbt_translator_close(struct dbt *d)
{
    free(d->tr);
}

static int fault_ud(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_fault(cpu, EXC_UD);
}

static int fault_nm(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_fault(cpu, EXC_NM);
}

static int fault_gp(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_fault_err(cpu, EXC_GP, 0);
}

static struct insn fault_insn(uint8_t vector)
{
    return (struct insn){.run = vector == EXC_UD   ? fault_ud
                                : vector == EXC_NM ? fault_nm
                                                   : fault_gp,
                         .ends = true};
}

/* ---- decoding ---- */

enum got { GOT, GOT_NONE, GOT_STRADDLE };

/* Zydis 4.0 sees a base register in [index * scale + disp32] under 67h when REX.B is set; there is
 * none (Intel SDM volume 2, table 2-3). */
static void no_base(struct decoded *in, unsigned ops)
{
    const ZydisDecodedInstruction *zi = &in->zi;
    if (zi->machine_mode != ZYDIS_MACHINE_MODE_LONG_64 || zi->address_width != 32 ||
        !(zi->attributes & ZYDIS_ATTRIB_HAS_SIB) || zi->raw.modrm.mod || zi->raw.sib.base != 5)
        return;
    for (unsigned i = 0; i < ops; i++) {
        if (in->op[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
            in->op[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            continue;
        in->op[i].mem.base = ZYDIS_REGISTER_NONE;
        in->op[i].mem.disp.has_displacement = true;
        in->op[i].mem.disp.value = zi->raw.disp.value;
    }
}

/* Zydis 4.0 takes F3 REX.B 90 for PAUSE; the CPU swaps rAX and r8 (Intel SDM volume 2, NOP). */
static void not_pause(struct decoded *in)
{
    ZydisDecodedInstruction *zi = &in->zi;
    if (zi->mnemonic != ZYDIS_MNEMONIC_PAUSE || !zi->raw.rex.B)
        return;
    static const ZydisRegister reg[2] = {ZYDIS_REGISTER_R8, ZYDIS_REGISTER_RAX};
    zi->mnemonic = ZYDIS_MNEMONIC_XCHG;
    zi->operand_count = zi->operand_count_visible = 2;
    for (unsigned i = 0; i < 2; i++) {
        in->op[i] = (ZydisDecodedOperand){.type = ZYDIS_OPERAND_TYPE_REGISTER,
                                          .visibility = ZYDIS_OPERAND_VISIBILITY_EXPLICIT,
                                          .actions = ZYDIS_OPERAND_ACTION_READWRITE,
                                          .size = 64};
        in->op[i].reg.value = reg[i];
    }
}

static enum got decode_one(struct translator *t, struct decoded *in, const uint8_t *p,
                           unsigned room, uint64_t rip)
{
    ZydisDecoderContext ctx;
    ZyanStatus st = ZydisDecoderDecodeInstruction(t->dec, &ctx, p, room, &in->zi);
    if (st == ZYDIS_STATUS_NO_MORE_DATA && room < 15)
        return GOT_STRADDLE;
    in->sys = true;
    in->grouped = false;
    in->taken = 0;
    if (!ZYAN_SUCCESS(st)) {
        memset(&in->zi, 0, sizeof(in->zi));
        in->zi.length = room < 15 ? (uint8_t)room : 15; /* any of them could make it a valid one */
        in->insn = fault_insn(st == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? EXC_GP : EXC_UD);
        return GOT;
    }
    memcpy(in->bytes, p, in->zi.length);
    unsigned ops = in->zi.operand_count < OPERANDS ? in->zi.operand_count : OPERANDS;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(t->dec, &ctx, &in->zi, in->op, (ZyanU8)ops))) {
        in->insn = fault_insn(EXC_UD);
        return GOT;
    }
    no_base(in, ops);
    not_pause(in);
    memset(&in->insn, 0, sizeof(in->insn));
    if (in->zi.mnemonic == ZYDIS_MNEMONIC_PAUSE && t->d->share->cpus > 1) {
        in->insn.run = dbt_pause;
        return GOT;
    }
    if (sys_decode(&in->zi, in->op, rip, &in->insn) || legacy_decode(&in->zi, &in->insn))
        return GOT;
    if (!sys_claimed(t->cpu, &in->zi)) {
        in->insn = fault_insn(EXC_UD);
        return GOT;
    }
    in->sys = false;
    return GOT;
}

static bool ends_block(const struct decoded *in)
{
    if (in->sys)
        return in->insn.ends;
    switch (in->zi.meta.category) {
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET: return true;
    default: return false;
    }
}

static void decode_block(struct translator *t)
{
    struct block *b = t->b;
    unsigned off = 0, at = (unsigned)(b->phys & 4095), side = 0;
    unsigned most = b->mode & MODE_STEP ? 1 : BLOCK_INSNS;
    t->n = 0;
    while (t->n < most && at + off < 4096) {
        struct decoded *in = &t->in[t->n];
        if (decode_one(t, in, t->page + at + off, 4096 - at - off, b->rip + off) != GOT)
            break; /* straddles: begins the next block */
        in->off = (uint16_t)off;
        off += in->zi.length;
        t->n++;
        if (ends_block(in))
            break;
        if (in->zi.meta.category == ZYDIS_CATEGORY_COND_BR && !in->sys && ++side == BLOCK_EXITS - 2)
            break;
    }
    b->len = (uint16_t)off;
}

/* The one instruction that begins on this page and ends on the next. */
static void decode_straddle(struct translator *t)
{
    struct block *b = t->b;
    uint8_t bytes[15] = {0};
    unsigned at = (unsigned)(b->phys & 4095), first = 4096 - at;
    uint64_t lin = b->rip + b->cs_base + first;
    if (!(b->mode & MODE_64))
        lin &= UINT32_MAX;
    struct itlb_entry *next = mmu_fetch(t->cpu, lin); /* may fault: nothing is made yet */
    memcpy(bytes, t->page + at, first);
    if (next->host) {
        dbt_watch_page(t->d, next->gpa);
        t->next = next->host;
        memcpy(bytes + first, next->host, 15 - first);
    } else {
        memset(bytes + first, 0xff, 15 - first);
    }
    t->in[0].off = 0;
    decode_one(t, &t->in[0], bytes, 15, b->rip);
    t->n = 1;
    b->len = t->in[0].zi.length;
    b->phys2 = next->host ? next->gpa : PHYS_NONE;
}

/* ---- generating ---- */

void gen_sysop(struct translator *t, const struct insn *insn)
{
    struct buf *b = t->hot;
    struct sysop *op = dbt_alloc(t->d, sizeof(*op));
    op->insn = *insn;
    op->insn.len = cur(t)->zi.length;
    op->rip = t->b->rip + cur(t)->off;
    if (t->fl == FLAGS_HOST)
        flags_to_mem(t);
    t->fl = FLAGS_MEM;
    e_mov_imm(b, H_R10, (uint64_t)(uintptr_t)op);
    e8(b, 0x4c), e8(b, 0x8d), e8(b, 0x1d), e32(b, 5); /* lea r11, [rip + 5]: after the jump */
    e_jmp(b, t->d->thunk.sysop);
    if (op->insn.ends)
        t->ended = true;
}

void gen_fault(struct translator *t, uint8_t vector)
{
    struct insn i = fault_insn(vector);
    gen_sysop(t, &i);
}

static bool is_flow(const struct decoded *in)
{
    return !in->sys && (ends_block(in) || in->zi.meta.category == ZYDIS_CATEGORY_COND_BR);
}

static void live_targets(struct translator *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct decoded *in = &t->in[i];
        flags_of(in);
        if (in->sys || in->zi.meta.category != ZYDIS_CATEGORY_COND_BR)
            continue;
        uint64_t target = t->b->rip + in->off + in->zi.length + (uint64_t)in->op[0].imm.value.s;
        in->taken = flags_live_at(t, target);
    }
    struct decoded *last = &t->in[t->n - 1];
    uint64_t next = t->b->rip + t->b->len;
    t->live_end = FL_ARITH;
    if (last->sys && last->insn.ends)
        t->live_end = 0;
    else if (t->b->mode & MODE_STEP)
        ; /* whoever steps looks at them */
    else if (!is_flow(last) || last->zi.meta.category == ZYDIS_CATEGORY_COND_BR)
        t->live_end = flags_live_at(t, next);
    else if (last->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
             last->zi.meta.category != ZYDIS_CATEGORY_RET)
        t->live_end = flags_live_at(t, next + (uint64_t)last->op[0].imm.value.s);
    flags_live(t);
}

static uint64_t rip_wrap(const struct translator *t, uint64_t rip)
{
    return t->b->mode & MODE_64 ? rip : t->b->mode & MODE_32 ? rip & UINT32_MAX : rip & 0xffff;
}

static void generate(struct translator *t)
{
    struct block *b = t->b;
    b->live_in = (uint8_t)(t->in[0].live != 0);
    b->hot = code_offset(t->d, rx_here(t->hot));
    b->cold = code_offset(t->d, rx_here(t->cold));
    if (b->live_in)
        emit_flags_restore(t->hot, GS(fl), H_R11);
    b->entry = (uint16_t)(code_offset(t->d, rx_here(t->hot)) - b->hot);
    t->fl = b->live_in ? FLAGS_HOST : FLAGS_DEAD;
    t->ended = false;
    t->group_end = 0;
    for (t->at = 0; t->at < t->n; t->at++) {
        const struct decoded *in = cur(t);
        if (in->sys) {
            if (in->insn.run != sys_nop)
                gen_sysop(t, &in->insn);
            continue;
        }
        group_begin(t);
        if (!gen_flow(t) && !gen_stack(t))
            gen_insn(t);
    }
    t->at = t->n - 1;
    if (!t->ended)
        gen_exit(t, rip_wrap(t, b->rip + b->len));
    b->hot_end = code_offset(t->d, rx_here(t->hot));
    b->cold_end = code_offset(t->d, rx_here(t->cold));
}

/* Put the block's tables where they live as long as its code. */
static bool settle(struct translator *t)
{
    struct dbt *d = t->d;
    struct block *b = t->b;
    b->exit = dbt_alloc(d, b->exits * sizeof(struct exit));
    b->fault = dbt_alloc(d, b->faults * sizeof(struct fault_site));
    if (!b->exit || !b->fault)
        return false;
    memcpy(b->exit, t->exits, b->exits * sizeof(struct exit));
    memcpy(b->fault, t->fault, b->faults * sizeof(struct fault_site));
    for (unsigned i = 0; i < b->exits; i++) {
        b->exit[i].from = b;
        d->exit_by_id[d->exits++] = &b->exit[i];
    }
    dbt_insert(d, b);
    return true;
}

/* With other vCPUs about, decode a copy, so that it can be compared. */
static void page_take(struct translator *t, const uint8_t *host)
{
    t->page = host;
    if (t->d->share->cpus == 1)
        return;
    memcpy(t->copy, host, sizeof(t->copy));
    t->page = t->copy;
}

/*
 * The block's lines are public now, so a vCPU that writes them from here on tells us. What was
 * written before, since the bytes were read, we see ourselves, and tell ourselves.
 */
static void verify(const struct translator *t, const uint8_t *host)
{
    const struct block *b = t->b;
    unsigned at = (unsigned)(b->phys & 4095), room = 4096 - at;
    unsigned first = b->len < room ? b->len : room;
    bool same;
    if (t->d->share->cpus == 1)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    same = !memcmp(t->copy + at, host + at, first);
    for (unsigned i = 0; i < b->ranges; i++)
        same &= !memcmp(t->copy + b->range[i].lo, host + b->range[i].lo,
                        (size_t)(b->range[i].hi - b->range[i].lo));
    if (t->next && b->len > first)
        same &= !memcmp(t->in[0].bytes + first, t->next, b->len - first);
    if (!same)
        dbt_note_written(t->d, b->phys, 1);
}

struct block *dbt_translate(struct dbt *d, const struct itlb_entry *page)
{
    struct translator *t = d->tr;
    struct cpu *cpu = d->cpu;
    uint64_t lin = cpu->rip + cpu->cs_base;
    if (!dbt_room(d))
        return NULL;
    struct block tmp = {.rip = cpu->rip,
                        .cs_base = cpu->cs_base,
                        .mode = cpu->mode,
                        .phys = page->gpa | (lin & 4095),
                        .phys2 = PHYS_NONE};
    t->b = &tmp;
    t->hot = &d->hot;
    t->cold = &d->cold;
    t->dec = cpu->mode & MODE_64 ? &t->dec64 : cpu->mode & MODE_32 ? &t->dec32 : &t->dec16;
    t->page_rip = cpu->rip - (lin & 4095);
    t->next = NULL;
    dbt_watch_page(d, page->gpa);
    page_take(t, page->host);
    decode_block(t);
    if (!t->n)
        decode_straddle(t); /* may fault, so nothing is allocated before */
    struct block *b = dbt_alloc(d, sizeof(*b));
    *b = tmp;
    t->b = b;
    live_targets(t);
    generate(t);
    if (!settle(t))
        return NULL;
    verify(t, page->host);
    return b;
}
