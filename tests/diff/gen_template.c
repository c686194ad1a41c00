/*
 * What random bytes can't make safely comes from templates: strings, branches, loops, calls, POPF,
 * LDMXCSR.
 */
#include "gen.h"
#include <string.h>

struct item *fixed(struct maker *m, unsigned len, uint64_t bytes)
{
    struct item *it = next_item(m);
    it->len = (uint8_t)len;
    for (unsigned i = 0; i < len && i < 8; i++)
        it->bytes[i] = (uint8_t)(bytes >> (8 * (len - 1 - i)));
    return it;
}

static void load_imm(struct maker *m, unsigned reg, uint64_t v)
{
    struct item *it = next_item(m);
    if (m->s->bits != 64) {
        if (m->s->bits == 16)
            it->bytes[it->len++] = 0x66;
        it->bytes[it->len++] = (uint8_t)(0xb8 | reg);
        memcpy(it->bytes + it->len, &v, 4);
        it->len = (uint8_t)(it->len + 4);
        return;
    }
    it->bytes[0] = (uint8_t)(0x48 | (reg >> 3));
    it->bytes[1] = (uint8_t)(0xb8 | (reg & 7));
    memcpy(it->bytes + 2, &v, 8);
    it->len = 10;
}

void branch(struct item *it, unsigned size, unsigned to)
{
    it->rel_at = it->len;
    it->rel_size = (uint8_t)size;
    it->len = (uint8_t)(it->len + size);
    it->to = (uint8_t)to;
}

void branch_near(struct maker *m, struct item *it, unsigned to)
{
    branch(it, m->s->bits == 16 ? 2 : 4, to);
}

/* An instruction with a memory operand that is just an address; its immediate may follow. */
struct item *absolute(struct maker *m, unsigned op, unsigned reg, uint32_t to)
{
    struct item *it = next_item(m);
    bool code16 = m->s->bits == 16;
    to -= m->base;
    if (code16)
        it->bytes[it->len++] = 0x67;
    if (op >> 8)
        it->bytes[it->len++] = (uint8_t)(op >> 8);
    it->bytes[it->len++] = (uint8_t)op;
    it->bytes[it->len++] = (uint8_t)(reg << 3 | (code16 ? 5 : 4));
    if (!code16)
        it->bytes[it->len++] = 0x25;
    memcpy(it->bytes + it->len, &to, 4);
    it->len = (uint8_t)(it->len + 4);
    return it;
}

static void string_op(struct maker *m)
{
    static const uint8_t ops[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};
    static const uint8_t regs[] = {1, 6, 7, 0 /* LODS */};
    unsigned count = chance(m, 10) ? rnd(m, 1000) : rnd(m, 24);
    bool down = chance(m, 25), rep = chance(m, 75);
    uint64_t from = DATA_AT + PAGE + rnd(m, 3 * PAGE), to = DATA_AT + PAGE + rnd(m, 3 * PAGE);
    if (chance(m, 20))
        to = from + rnd(m, 32) - 16;
    if (chance(m, 2))
        to = DATA_AT + DATA_LEN - rnd(m, 100);
    load_imm(m, 1, count);
    load_imm(m, 6, from - m->base);
    load_imm(m, 7, to - m->base);
    if (down)
        fixed(m, 1, 0xfd);
    struct item *it = next_item(m);
    if (chance(m, 20))
        it->bytes[it->len++] = 0x66;
    if (rep)
        it->bytes[it->len++] = chance(m, 50) ? 0xf3 : 0xf2;
    if (chance(m, 10))
        it->bytes[it->len++] = 0x67;
    if (m->s->bits == 64 && chance(m, 10))
        it->bytes[it->len++] = chance(m, 50) ? 0x64 : 0x65;
    if (m->s->bits == 64 && chance(m, 30))
        it->bytes[it->len++] = 0x48;
    it->bytes[it->len++] = (uint8_t)(ops[rnd(m, 5)] | rnd(m, 2));
    /* With 16-bit addresses both operands of CMPS fault, and which is first is the CPU's business.
     */
    uint8_t *addr16 = memchr(it->bytes, 0x67, it->len);
    if (m->s->bits == 32 && (it->bytes[it->len - 1] & 0xfe) == 0xa6 && addr16)
        *addr16 = 0x3e;
    if (down)
        fixed(m, 1, 0xfc);
    for (unsigned i = 0; i < 4; i++)
        if (m->keep & 1u << regs[i])
            load_imm(m, regs[i], m->s->in.gpr[regs[i]]);
}

static void flags_op(struct maker *m)
{
    uint32_t image = 0x202 | (rnd(m, 0x1000) & 0x8d5);
    if (m->s->align_check && chance(m, 50))
        image |= 0x40000;
    if (chance(m, 20))
        image |= 0x200000;
    bool code16 = m->s->bits == 16;
    struct item *it = code16 ? fixed(m, 2, 0x6668) : fixed(m, 1, 0x68);
    memcpy(it->bytes + it->len, &image, 4);
    it->len = (uint8_t)(it->len + 4);
    fixed(m, code16 ? 2 : 1, code16 ? 0x669d : 0x9d);
    if (chance(m, 30))
        gen_plain(m);
    if (chance(m, 50))
        fixed(m, 1, 0x9c);
}

static void mxcsr_op(struct maker *m)
{
    uint32_t v = 0x1f80 | (uint32_t)rnd(m, 4) << 13 | (uint32_t)rnd(m, 64);
    if (chance(m, 10))
        v ^= 0x80u << rnd(m, 6);
    struct item *it = absolute(m, m->s->bits == 16 ? 0x66c7 : 0xc7, 0, SCRATCH); /* mov dword */
    memcpy(it->bytes + it->len, &v, 4);
    it->len = (uint8_t)(it->len + 4);
    absolute(m, 0x0fae, 2, SCRATCH);
}

static void jcc(struct maker *m)
{
    unsigned skip = 1 + rnd(m, 3);
    struct item *it = next_item(m);
    if (chance(m, 15)) {
        it->bytes[it->len++] = 0xe3; /* jrcxz */
        branch(it, 1, m->s->items + 1);
        it->to = (uint8_t)(m->s->items + 1);
        skip = 1;
    } else if (chance(m, 50)) {
        it->bytes[it->len++] = (uint8_t)(0x70 | rnd(m, 16));
        branch(it, 1, m->s->items + skip);
    } else {
        it->bytes[it->len++] = 0x0f;
        it->bytes[it->len++] = (uint8_t)(0x80 | rnd(m, 16));
        branch_near(m, it, m->s->items + skip);
    }
    for (unsigned i = 0; i < skip; i++)
        gen_plain(m);
}

static void loop_op(struct maker *m)
{
    uint16_t keep = m->keep, ptr = m->ptr;
    bool index = m->small == 1 || m->bits == 1;
    uint64_t count = (!index && chance(m, 30) ? splitmix(&m->rng) << 32 : 0) | (1 + rnd(m, 4));
    bool high = count >> 32;
    load_imm(m, 1, m->s->bits != 64 ? (uint32_t)(count >> 32 << 16 | (count & 0xffff)) : count);
    m->keep |= 2;
    m->ptr &= (uint16_t)~2u;
    unsigned top = m->s->items;
    gen_plain(m);
    if (chance(m, 50))
        gen_plain(m);
    m->keep = keep;
    m->ptr = ptr;
    struct item *it = next_item(m);
    if (high != (m->s->bits == 16)) /* LOOP by ECX, CX or CX, or it would take long */
        it->bytes[it->len++] = 0x67;
    it->bytes[it->len++] = (uint8_t)(0xe0 + rnd(m, 3));
    branch(it, 1, top);
    if (keep & 2)
        load_imm(m, 1, m->s->in.gpr[1]);
}

/* call over a jump: call f; jmp out; f: ...; ret; out: */
static void call_op(struct maker *m)
{
    unsigned r = other_reg(m), how = rnd(m, 4), n = 1 + rnd(m, 2);
    if (how == 0 || m->s->bits != 64) {
        struct item *it = fixed(m, 1, 0xe8);
        branch_near(m, it, m->s->items + 1);
    } else { /* lea r, [rip + f]; call r, or through memory */
        struct item *it = next_item(m);
        it->bytes[0] = (uint8_t)(0x48 | (r & 8 ? 4 : 0));
        it->bytes[1] = 0x8d;
        it->bytes[2] = (uint8_t)((r & 7) << 3 | 5);
        it->len = 3;
        branch(it, 4, m->s->items + (how == 1 ? 2 : 3));
        if (how == 1) {
            it = next_item(m);
            it->bytes[0] = (uint8_t)(0x40 | (r >> 3));
            it->bytes[1] = 0xff;
            it->bytes[2] = (uint8_t)(0xd0 | (r & 7));
            it->len = 3;
        } else {
            uint32_t at = SCRATCH + 64 + rnd(m, 64);
            it = next_item(m);
            it->bytes[0] = (uint8_t)(0x48 | (r & 8 ? 4 : 0));
            it->bytes[1] = 0x89;
            it->bytes[2] = (uint8_t)((r & 7) << 3 | 4);
            it->bytes[3] = 0x25;
            memcpy(it->bytes + 4, &at, 4);
            it->len = 8;
            it = fixed(m, 3, 0xff1425);
            memcpy(it->bytes + 3, &at, 4);
            it->len = 7;
        }
    }
    struct item *out = fixed(m, 1, chance(m, 50) ? 0xe9 : 0xeb);
    if (out->bytes[0] == 0xe9)
        branch_near(m, out, m->s->items + n + 1);
    else
        branch(out, 1, m->s->items + n + 1);
    uint16_t ptr = m->ptr;
    m->ptr &= (uint16_t)~16u;          /* the return address stays */
    for (unsigned i = 0; i < n; i++) { /* nothing that moves the stack pointer */
        gen_plain(m);
        struct item *it = &m->s->item[m->s->items - 1];
        if (moves_stack(m, it)) {
            it->bytes[0] = 0x90;
            it->len = 1;
            it->rip_at = 0;
        }
    }
    m->ptr = ptr;
    if (chance(m, 80))
        fixed(m, 1, 0xc3);
    else
        fixed(m, 3, 0xc20800);
}

/* AAA and its kin: what they leave undefined is overwritten, carry is stored before. */
static void decimal_op(struct maker *m)
{
    static const uint8_t op[] = {0x27, 0x2f, 0x37, 0x3f, 0xd4, 0xd5};
    uint8_t o = op[rnd(m, 6)];
    if (m->keep & 1) /* AX is wanted */
        return;
    if (o < 0xd0)
        fixed(m, 1, o);
    else
        fixed(m, 2, (uint64_t)o << 8 | (chance(m, 50) ? 10 : rnd(m, 256)));
    if (o < 0xd0)
        absolute(m, 0x0f92, 0, SCRATCH + 8); /* setc */
    fixed(m, 2, 0x39c8);                     /* cmp eax, ecx */
}

/* mov rbp, rsp; enter; ...; leave */
static void enter_op(struct maker *m)
{
    bool prefix = chance(m, 20);
    unsigned level = chance(m, 50) ? 0 : rnd(m, 4), size = rnd(m, 200);
    uint16_t keep = m->keep, ptr = m->ptr;
    struct item *it = m->s->bits == 16   ? fixed(m, 3, 0x6689e5)
                      : m->s->bits == 32 ? fixed(m, 2, 0x89e5)
                                         : fixed(m, 3, 0x4889e5);
    it = next_item(m);
    if (prefix)
        it->bytes[it->len++] = 0x66;
    it->bytes[it->len++] = 0xc8;
    it->bytes[it->len++] = (uint8_t)size;
    it->len++;
    it->bytes[it->len++] = (uint8_t)level;
    m->keep |= 1u << 5;
    m->ptr |= 1u << 5;
    gen_plain(m);
    m->keep = keep;
    m->ptr = ptr;
    if (prefix)
        fixed(m, 2, 0x66c9);
    else
        fixed(m, 1, 0xc9);
    if (keep & 1u << 5)
        load_imm(m, 5, m->s->in.gpr[5]);
}

/* Make the TLB's entries valid: later accesses take the fast path. */
void gen_touch(struct maker *m)
{
    for (unsigned i = 1; i < DATA_LEN / PAGE; i++) {
        if (chance(m, 30))
            continue;
        unsigned op = chance(m, 50) ? 1 : 7; /* or [to], 0; or cmp */
        absolute(m, 0x83, op, DATA_AT + i * PAGE + 256)->len++;
    }
}

void gen_template(struct maker *m, unsigned kind)
{
    if (kind < 4)
        string_op(m);
    else if (kind < 6)
        flags_op(m);
    else if (kind < 7)
        mxcsr_op(m);
    else if (kind < 14)
        jcc(m);
    else if (kind < 17)
        loop_op(m);
    else if (kind < 18 && m->s->bits != 64 && chance(m, 50))
        decimal_op(m);
    else if (kind < 18)
        call_op(m);
    else if (kind < 19)
        enter_op(m);
    else
        gen_image(m);
}
