/*
 * Random sequences. Plain instructions are random bytes in the legal maps, kept when Zydis decodes
 * them and they are unprivileged, claimed by the engine's CPUID, and stay inside the data pages:
 * some registers are pointers and indices that nothing may write. What random bytes can't make
 * safely (strings, branches, POPF, LDMXCSR) comes from templates.
 */
#include "diff.h"
#include "engine/dbt/cpu.h"
#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

static struct {
    ZydisDecoder dec;
    bool align;
    struct cpu *cpu; /* what the engine's CPUID claims */
    uint8_t pool[1u << 17];
} gen;

struct maker {
    struct seq *s;
    uint64_t rng;
    uint16_t ptr;         /* registers that point into the data; RSP too */
    unsigned small, bits; /* index registers: -64..64, and a bit offset */
    uint16_t keep;        /* registers nothing may write */
    uint8_t group, groups;
};

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned rnd(struct maker *m, unsigned n)
{
    return (unsigned)((splitmix(&m->rng) >> 32) * n >> 32);
}

static bool chance(struct maker *m, unsigned percent)
{
    return rnd(m, 100) < percent;
}

/* ---- memory and vector values worth having ---- */

static uint64_t special(uint64_t *x)
{
    static const uint64_t v[] = {0,
                                 1,
                                 ~0ull,
                                 0x8000000000000000,
                                 0x7fffffffffffffff,
                                 0x3ff0000000000000,
                                 0x7ff0000000000000,
                                 0xfff0000000000000,
                                 0x7ff8000000000000,
                                 0x7ff0000000000001,
                                 0x000fffffffffffff,
                                 0x0010000000000000,
                                 0x3f8000003f800000,
                                 0x7f800000ff800000,
                                 0x7fc000007f800001,
                                 0x0000000100800000,
                                 0x43e0000000000000,
                                 0xc1e0000000000000,
                                 0x80000000,
                                 0xffffffff,
                                 0x4f0000004effffff,
                                 0x7fefffffffffffff};
    uint64_t r = splitmix(x);
    return r & 1 ? v[(r >> 8) % (sizeof(v) / sizeof(v[0]))] : splitmix(x);
}

void gen_open(bool align)
{
    gen.align = align;
    uint64_t x = 1;
    ZydisDecoderInit(&gen.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    gen.cpu = calloc(1, sizeof(*gen.cpu));
    sys_init(gen.cpu, 1000000000);
    for (size_t i = 0; i < sizeof(gen.pool); i += 8) {
        uint64_t v = special(&x);
        memcpy(gen.pool + i, &v, 8);
    }
}

void gen_memory(const struct seq *s, uint8_t *page[DATA_LEN / PAGE])
{
    size_t span = sizeof(gen.pool) - DATA_LEN;
    const uint8_t *from = gen.pool + (s->mem_seed % span & ~15u);
    for (unsigned i = 0; i < DATA_LEN / PAGE; i++)
        memcpy(page[i], from + i * PAGE, PAGE);
    page[5][PAGE - 4] = 3,
                   page[5][PAGE - 3] = page[5][PAGE - 2] = page[5][PAGE - 1] = 0; /* rounds */
}

static void init_fx(struct maker *m, uint8_t *fx)
{
    uint16_t fcw = 0x37f, fsw = (uint16_t)(rnd(m, 8) << 11);
    uint32_t mxcsr = 0x1f80;
    if (chance(m, 40)) {
        fcw = (uint16_t)(0x7f | rnd(m, 4) << 8 | rnd(m, 4) << 10);
        mxcsr |= (uint32_t)(rnd(m, 4) << 13);
    }
    if (chance(m, 15))
        mxcsr ^= 0x8000u * rnd(m, 2) | 0x40u * rnd(m, 2) | rnd(m, 64);
    if (chance(m, 8))
        fcw &= (uint16_t) ~(1u << rnd(m, 6));
    if (chance(m, 8))
        mxcsr &= ~(0x80u << rnd(m, 6));
    if (chance(m, 20))
        fsw |= 0x4700 & (uint16_t)rnd(m, 65536);
    memset(fx, 0, FX_SIZE);
    memcpy(fx, &fcw, 2);
    memcpy(fx + 2, &fsw, 2);
    fx[4] = chance(m, 50) ? (uint8_t)rnd(m, 256) : 0;
    memcpy(fx + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = special(&m->rng);
        uint16_t e = chance(m, 70) ? (uint16_t)(0x3ff0 + rnd(m, 40)) : (uint16_t)rnd(m, 65536);
        if (chance(m, 50))
            v |= 1ull << 63;
        if (chance(m, 10))
            e |= 0x7fff;
        memcpy(fx + 32 + i * 16, &v, 8);
        memcpy(fx + 40 + i * 16, &e, 2);
    }
    for (unsigned i = 0; i < 32; i++) {
        uint64_t v = special(&m->rng);
        memcpy(fx + 160 + i * 8, &v, 8);
    }
}

/* ---- registers ---- */

static unsigned other_reg(struct maker *m)
{
    unsigned r;
    do
        r = rnd(m, 16);
    while (m->keep & 1u << r);
    return r;
}

static void init_regs(struct maker *m)
{
    struct state *in = &m->s->in;
    for (unsigned i = 0; i < 16; i++)
        in->gpr[i] = chance(m, 30)   ? special(&m->rng)
                     : chance(m, 30) ? rnd(m, 300)
                                     : splitmix(&m->rng);
    m->keep = m->ptr = 1u << 4;
    in->gpr[4] = STACK_TOP - (chance(m, 10) ? rnd(m, 64) : 0);
    for (unsigned i = 0; i < 4; i++) {
        unsigned r = other_reg(m), off = rnd(m, PAGE);
        if (chance(m, 40)) /* about to cross a page */
            off = PAGE - rnd(m, 80);
        if (chance(m, 60))
            off &= ~15u;
        in->gpr[r] = DATA_AT + PAGE * (1 + rnd(m, 3)) + off;
        if (chance(m, 1))
            in->gpr[r] = DATA_AT + DATA_LEN - rnd(m, 64); /* the end of what is mapped */
        m->ptr |= (uint16_t)(1u << r);
        m->keep |= m->ptr;
    }
    m->small = other_reg(m);
    m->keep |= (uint16_t)(1u << m->small);
    in->gpr[m->small] = (uint64_t)(int64_t)((int)rnd(m, 129) - 64);
    m->bits = other_reg(m);
    m->keep |= (uint16_t)(1u << m->bits);
    in->gpr[m->bits] = (uint64_t)(int64_t)((int)rnd(m, 8193) - 4096);
    in->rflags = 0x202 | (rnd(m, 0x1000) & 0x8d5);
    in->fs_base = (uint64_t)(int64_t)((int)rnd(m, 513) - 256);
    in->gs_base = (uint64_t)(int64_t)((int)rnd(m, 513) - 256) & ~(uint64_t)15;
}

/* ---- is a random instruction acceptable? ---- */

static bool category_ok(const ZydisDecodedInstruction *zi)
{
    switch (zi->meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_SEGOP: return false;
    default: return true;
    }
}

static bool mnemonic_ok(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_PUSHF: /* TF and the like are the same, IOPL is not tested by it */
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_CLDEMOTE:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT: return false;
    default: return true;
    }
}

static unsigned reg_of(ZydisRegister r)
{
    ZydisRegister q = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
    return q >= ZYDIS_REGISTER_RAX && q <= ZYDIS_REGISTER_R15 ? (unsigned)(q - ZYDIS_REGISTER_RAX)
                                                              : 16;
}

static bool reg_ok(const struct maker *m, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *o)
{
    ZydisRegisterClass c = ZydisRegisterGetClass(o->reg.value);
    if (c == ZYDIS_REGCLASS_CONTROL || c == ZYDIS_REGCLASS_DEBUG)
        return false;
    if (c == ZYDIS_REGCLASS_SEGMENT) /* the others' selectors are null on both sides */
        return !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
               o->reg.value != ZYDIS_REGISTER_CS && o->reg.value != ZYDIS_REGISTER_SS;
    unsigned r = reg_of(o->reg.value);
    if (r == 16 || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) || !(m->keep & 1u << r))
        return true;
    bool stack =
        zi->meta.category == ZYDIS_CATEGORY_PUSH || zi->meta.category == ZYDIS_CATEGORY_POP;
    return r == 4 && stack && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
}

/* Bit offsets in registers reach far. */
static bool bit_ok(const struct maker *m, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *op)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: break;
    default: return true;
    }
    if (op[0].type != ZYDIS_OPERAND_TYPE_MEMORY || op[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return true;
    unsigned r = reg_of(op[1].reg.value);
    return r == m->bits || r == m->small || op[1].size == 16;
}

/* Stays inside the data, or is made to: patches the displacement. */
static bool mem_ok(struct maker *m, struct item *it, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *o)
{
    unsigned index = reg_of(o->mem.index), at = zi->raw.disp.offset, size = zi->raw.disp.size;
    if (o->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
        return o->mem.base != ZYDIS_REGISTER_RIP ||
               (it->rip_at = (uint8_t)at, it->rip_to = SCRATCH, 1);
    if (o->mem.type != ZYDIS_MEMOP_TYPE_MEM)
        return false;
    if (index != 16 && index != m->small && !(index == m->bits && o->mem.scale == 1) &&
        !(zi->mnemonic == ZYDIS_MNEMONIC_XLAT))
        return false;
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP) {
        it->rip_at = (uint8_t)at;
        it->rip_to = DATA_AT + PAGE + rnd(m, 3 * PAGE);
        return true;
    }
    if (o->mem.base == ZYDIS_REGISTER_NONE) {
        uint64_t to = DATA_AT + PAGE + rnd(m, 3 * PAGE);
        if (size < 32)
            return false;
        memcpy(it->bytes + at, &to, size / 8u);
        return true;
    }
    unsigned base = reg_of(o->mem.base);
    if (!zi->raw.modrm.mod && size == 32) /* Zydis is wrong about a base here: see translate.c */
        return false;
    if (base == 16 || !(m->ptr & 1u << base))
        return false;
    if (size == 32) {
        int32_t disp = (int32_t)rnd(m, 2048) - 1024;
        if (chance(m, 50))
            disp &= ~15;
        memcpy(it->bytes + at, &disp, 4);
    }
    if (size == 8 && chance(m, 50))
        it->bytes[at] &= 0xf0;
    return true;
}

static bool accept(struct maker *m, struct item *it)
{
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoderContext ctx;
    it->rel_size = it->rip_at = 0;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&gen.dec, &ctx, it->bytes, 15, &zi)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&gen.dec, &ctx, &zi, op, zi.operand_count)))
        return false;
    if (!category_ok(&zi) || !mnemonic_ok(&zi) || (zi.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) ||
        !sys_claimed(gen.cpu, &zi) || !bit_ok(m, &zi, op))
        return false;
    bool divide = zi.mnemonic == ZYDIS_MNEMONIC_DIV || zi.mnemonic == ZYDIS_MNEMONIC_IDIV;
    if (divide && !chance(m, 15))
        return false;
    it->len = zi.length;
    for (unsigned i = 0; i < zi.operand_count; i++) {
        if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && !reg_ok(m, &zi, &op[i]))
            return false;
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && !mem_ok(m, it, &zi, &op[i]))
            return false;
    }
    return true;
}

/* ---- random bytes ---- */

static unsigned pick_ptr(struct maker *m)
{
    unsigned r;
    do
        r = rnd(m, 16);
    while (!(m->ptr & 1u << r));
    return r;
}

/* ModRM, SIB and room for the rest; returns REX.X and REX.B. */
static unsigned put_modrm(struct maker *m, uint8_t *p, unsigned reg)
{
    unsigned base = pick_ptr(m), mod = rnd(m, 3);
    p[0] = (uint8_t)(reg << 3);
    if (chance(m, 6)) { /* RIP */
        p[0] |= 5;
        return 0;
    }
    if (chance(m, 4)) { /* absolute */
        p[0] |= 4, p[1] = 0x25;
        return 0;
    }
    if ((base & 7) == 5 && mod == 0)
        mod = 1;
    p[0] |= (uint8_t)(mod << 6);
    bool index = chance(m, 30);
    if (!index && (base & 7) != 4) {
        p[0] |= base & 7;
        return base >> 3;
    }
    unsigned x = !index ? 4 : chance(m, 80) ? m->small : m->bits;
    p[0] |= 4;
    p[1] = (uint8_t)((x == m->bits && index ? 0u : rnd(m, 4)) << 6 | (x & 7) << 3 | (base & 7));
    return base >> 3 | (x & 8 ? 2u : 0u);
}

static unsigned put_prefixes(struct maker *m, uint8_t *p)
{
    unsigned n = 0;
    if (chance(m, 20))
        p[n++] = 0x66;
    if (chance(m, 12))
        p[n++] = chance(m, 50) ? 0xf2 : 0xf3;
    if (chance(m, 6))
        p[n++] = 0xf0;
    if (chance(m, 6))
        p[n++] = 0x67;
    if (chance(m, 8))
        p[n++] = chance(m, 50) ? 0x64 : 0x65;
    if (chance(m, 2))
        p[n++] = chance(m, 50) ? 0x2e : 0x36;
    return n;
}

static void random_bytes(struct maker *m, uint8_t *p)
{
    for (unsigned i = 0; i < 15; i++)
        p[i] = (uint8_t)rnd(m, 256);
    unsigned n = put_prefixes(m, p), kind = rnd(m, 100),
             rex = 0x40 | (chance(m, 50) ? rnd(m, 16) : 0);
    bool mem = chance(m, 50);
    uint8_t modrm[6];
    unsigned xb = put_modrm(m, modrm, rnd(m, 8));
    if (kind >= 94) { /* VEX: BMI */
        p[n++] = 0xc4;
        bool map3 = chance(m, 15);
        p[n] = (uint8_t)((p[n] & 0xe0) | (map3 ? 3 : 2));
        if (mem)
            p[n] = (uint8_t)((p[n] & 0x9f) | (~xb & 3) << 5);
        n++;
        p[n++] &= 0xfb;
        p[n++] = map3 ? 0xf0 : (uint8_t)(0xf0 + rnd(m, 8));
    } else {
        if (mem)
            rex = (rex & ~3u) | xb;
        if (rex != 0x40 || chance(m, 10))
            p[n++] = (uint8_t)rex;
        if (kind < 40) {
            if (chance(m, 25))
                p[n] = (uint8_t)(0xd8 + rnd(m, 8));
            n++;
        } else if (kind < 80) {
            p[n++] = 0x0f;
            n++;
        } else {
            p[n++] = 0x0f;
            p[n++] = kind < 89 ? 0x38 : 0x3a;
            if (kind < 89 && chance(m, 25))
                p[n] |= 0xf0;
            n++;
        }
    }
    if (mem && n + 2 <= 15)
        memcpy(p + n, modrm, (modrm[0] & 7) == 4 ? 2 : 1);
    else if (n < 15)
        p[n] |= 0xc0;
}

static struct item *next(struct maker *m)
{
    struct item *it = &m->s->item[m->s->items++];
    memset(it, 0, sizeof(*it));
    it->group = m->group;
    return it;
}

static void plain(struct maker *m)
{
    struct item *it = next(m);
    it->group = 0;
    for (unsigned tries = 0; tries < 2000; tries++) {
        random_bytes(m, it->bytes);
        if (accept(m, it))
            return;
    }
    it->bytes[0] = 0x90;
    it->len = 1;
}

/* ---- templates ---- */

static struct item *fixed(struct maker *m, unsigned len, uint64_t bytes)
{
    struct item *it = next(m);
    it->len = (uint8_t)len;
    for (unsigned i = 0; i < len && i < 8; i++)
        it->bytes[i] = (uint8_t)(bytes >> (8 * (len - 1 - i)));
    return it;
}

static void load_imm(struct maker *m, unsigned reg, uint64_t v)
{
    struct item *it = next(m);
    it->bytes[0] = (uint8_t)(0x48 | (reg >> 3));
    it->bytes[1] = (uint8_t)(0xb8 | (reg & 7));
    memcpy(it->bytes + 2, &v, 8);
    it->len = 10;
}

static void branch(struct item *it, unsigned size, unsigned to)
{
    it->rel_at = it->len;
    it->rel_size = (uint8_t)size;
    it->len = (uint8_t)(it->len + size);
    it->to = (uint8_t)to;
}

static void string_op(struct maker *m)
{
    static const uint8_t ops[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};
    static const uint8_t regs[] = {1, 6, 7};
    unsigned count = chance(m, 10) ? rnd(m, 1000) : rnd(m, 24);
    bool down = chance(m, 25), rep = chance(m, 75);
    uint64_t from = DATA_AT + PAGE + rnd(m, 3 * PAGE), to = DATA_AT + PAGE + rnd(m, 3 * PAGE);
    if (chance(m, 20))
        to = from + rnd(m, 32) - 16;
    if (chance(m, 2))
        to = DATA_AT + DATA_LEN - rnd(m, 100);
    load_imm(m, 1, count);
    load_imm(m, 6, from);
    load_imm(m, 7, to);
    if (down)
        fixed(m, 1, 0xfd);
    struct item *it = next(m);
    if (chance(m, 20))
        it->bytes[it->len++] = 0x66;
    if (rep)
        it->bytes[it->len++] = chance(m, 50) ? 0xf3 : 0xf2;
    if (chance(m, 10))
        it->bytes[it->len++] = 0x67;
    if (chance(m, 10))
        it->bytes[it->len++] = chance(m, 50) ? 0x64 : 0x65;
    if (chance(m, 30))
        it->bytes[it->len++] = 0x48;
    it->bytes[it->len++] = (uint8_t)(ops[rnd(m, 5)] | rnd(m, 2));
    if (down)
        fixed(m, 1, 0xfc);
    for (unsigned i = 0; i < 3; i++)
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
    fixed(m, 1, 0x68);
    memcpy(m->s->item[m->s->items - 1].bytes + 1, &image, 4);
    m->s->item[m->s->items - 1].len = 5;
    fixed(m, 1, 0x9d);
    if (chance(m, 30))
        plain(m);
    if (chance(m, 50))
        fixed(m, 1, 0x9c);
}

static void mxcsr_op(struct maker *m)
{
    uint32_t v = 0x1f80 | (uint32_t)rnd(m, 4) << 13 | (uint32_t)rnd(m, 64);
    if (chance(m, 10))
        v ^= 0x80u << rnd(m, 6);
    struct item *it = next(m); /* mov dword [SCRATCH], v */
    static const uint8_t store[] = {0xc7, 0x04, 0x25};
    uint32_t at = SCRATCH;
    memcpy(it->bytes, store, 3);
    memcpy(it->bytes + 3, &at, 4);
    memcpy(it->bytes + 7, &v, 4);
    it->len = 11;
    it = fixed(m, 4, 0x0fae1425);
    memcpy(it->bytes + 4, &at, 4);
    it->len = 8;
}

static void jcc(struct maker *m)
{
    unsigned skip = 1 + rnd(m, 3);
    struct item *it = next(m);
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
        branch(it, 4, m->s->items + skip);
    }
    for (unsigned i = 0; i < skip; i++)
        plain(m);
}

static void loop_op(struct maker *m)
{
    uint16_t keep = m->keep, ptr = m->ptr;
    bool index = m->small == 1 || m->bits == 1;
    load_imm(m, 1, (!index && chance(m, 30) ? splitmix(&m->rng) << 32 : 0) | (1 + rnd(m, 4)));
    uint32_t high;
    memcpy(&high, m->s->item[m->s->items - 1].bytes + 6, 4);
    m->keep |= 2;
    m->ptr &= (uint16_t)~2u;
    unsigned top = m->s->items;
    plain(m);
    if (chance(m, 50))
        plain(m);
    m->keep = keep;
    m->ptr = ptr;
    struct item *it = next(m);
    if (high) /* LOOP by ECX, or it would take long */
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
    if (how == 0) {
        struct item *it = fixed(m, 1, 0xe8);
        branch(it, 4, m->s->items + 1);
    } else { /* lea r, [rip + f]; call r, or through memory */
        struct item *it = next(m);
        it->bytes[0] = (uint8_t)(0x48 | (r & 8 ? 4 : 0));
        it->bytes[1] = 0x8d;
        it->bytes[2] = (uint8_t)((r & 7) << 3 | 5);
        it->len = 3;
        branch(it, 4, m->s->items + (how == 1 ? 2 : 3));
        if (how == 1) {
            it = next(m);
            it->bytes[0] = (uint8_t)(0x40 | (r >> 3));
            it->bytes[1] = 0xff;
            it->bytes[2] = (uint8_t)(0xd0 | (r & 7));
            it->len = 3;
        } else {
            uint32_t at = SCRATCH + 64 + rnd(m, 64);
            it = next(m);
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
    branch(out, out->bytes[0] == 0xe9 ? 4 : 1, m->s->items + n + 1);
    uint16_t ptr = m->ptr;
    m->ptr &= (uint16_t)~16u;          /* the return address stays */
    for (unsigned i = 0; i < n; i++) { /* nothing that moves the stack pointer */
        plain(m);
        struct item *it = &m->s->item[m->s->items - 1];
        ZydisDecodedInstruction zi;
        ZydisDecoderContext ctx;
        ZydisDecoderDecodeInstruction(&gen.dec, &ctx, it->bytes, 15, &zi);
        if (zi.meta.category == ZYDIS_CATEGORY_PUSH || zi.meta.category == ZYDIS_CATEGORY_POP) {
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

/* Make the TLB's entries valid: later accesses take the fast path. */
static void touch(struct maker *m)
{
    for (unsigned i = 1; i < DATA_LEN / PAGE; i++) {
        if (chance(m, 30))
            continue;
        struct item *it = fixed(m, 4, chance(m, 50) ? 0x830c2500 : 0x833c2500);
        uint32_t to = DATA_AT + i * PAGE + 256; /* or dword [to], 0; or cmp */
        memcpy(it->bytes + 3, &to, 4);
        it->bytes[7] = 0;
        it->len = 8;
    }
}

static void one(struct maker *m)
{
    unsigned k = rnd(m, 100);
    m->group = ++m->groups;
    if (k < 80)
        plain(m);
    else if (k < 84)
        string_op(m);
    else if (k < 86)
        flags_op(m);
    else if (k < 87)
        mxcsr_op(m);
    else if (k < 94)
        jcc(m);
    else if (k < 97)
        loop_op(m);
    else
        call_op(m);
}

void gen_make(struct seq *s, uint64_t seed)
{
    struct maker m = {.s = s, .rng = seed * 0xd1342543de82ef95 + 7};
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->user = chance(&m, 50);
    s->align_check = s->user && gen.align;
    s->mem_seed = rnd(&m, 1u << 30);
    s->start = chance(&m, 10) ? PAGE - rnd(&m, 100) : rnd(&m, PAGE);
    init_regs(&m);
    init_fx(&m, s->in.fx);
    if (chance(&m, 50))
        touch(&m);
    unsigned top = s->items, n = top + 4 + rnd(&m, 16);
    while (s->items < n && s->items < ITEMS - 20)
        one(&m);
    if (chance(&m, 30)) { /* dec dword [rounds]; jnz top */
        m.group = ++m.groups;
        struct item *it = fixed(&m, 3, 0xff0c25);
        uint32_t to = DATA_AT + DATA_LEN - 4;
        memcpy(it->bytes + 3, &to, 4);
        it->len = 7;
        it = fixed(&m, 2, 0x0f85);
        branch(it, 4, top);
    }
}

unsigned gen_layout(const struct seq *s, uint8_t *code)
{
    unsigned at[ITEMS + 1], n = 0;
    for (unsigned i = 0; i < s->items; i++) {
        at[i] = n;
        n += s->item[i].dead ? 0 : s->item[i].len;
    }
    at[s->items] = n;
    for (unsigned i = 0; i < s->items; i++) {
        const struct item *it = &s->item[i];
        if (it->dead)
            continue;
        uint8_t *p = code + at[i];
        memcpy(p, it->bytes, it->len);
        uint32_t rel = at[it->to] - (at[i] + it->len);
        if (it->rel_size)
            memcpy(p + it->rel_at, &rel, it->rel_size);
        rel = it->rip_to - (CODE_AT + s->start + at[i] + it->len);
        if (it->rip_at)
            memcpy(p + it->rip_at, &rel, 4);
    }
    code[n] = 0x0f, code[n + 1] = 0x0b;
    return n + 2;
}
