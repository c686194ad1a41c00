/* What a sequence starts with: registers, vectors and memory worth having. */
#include "gen.h"
#include <string.h>

static struct {
    uint8_t pool[1u << 17];
} gen;

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

void state_open(void)
{
    uint64_t x = 1;
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
}

void state_vectors(struct maker *m)
{
    uint8_t *fx = m->s->in.fx;
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

unsigned other_reg(struct maker *m)
{
    unsigned r;
    do
        r = rnd(m, m->regs);
    while (m->keep & 1u << r);
    return r;
}

/* 16-bit addresses are made of few registers: BX, BP, SI, DI. */
static unsigned ptr_reg(struct maker *m, unsigned i)
{
    return m->s->bits != 16 ? other_reg(m) : i ? 5 : 3;
}

static unsigned index_reg(struct maker *m, unsigned r16)
{
    return m->s->bits != 16 ? other_reg(m) : r16;
}

void state_registers(struct maker *m)
{
    struct state *in = &m->s->in;
    for (unsigned i = 0; i < 16; i++)
        in->gpr[i] = chance(m, 30)   ? special(&m->rng)
                     : chance(m, 30) ? rnd(m, 300)
                                     : splitmix(&m->rng);
    m->keep = m->ptr = 1u << 4;
    in->gpr[4] = STACK_TOP - m->base - (chance(m, 10) ? rnd(m, 64) : 0);
    for (unsigned i = 0; i < m->regs / 4; i++) {
        unsigned r = ptr_reg(m, i), off = rnd(m, PAGE);
        if (chance(m, 40)) /* about to cross a page */
            off = PAGE - rnd(m, 80);
        if (chance(m, 60))
            off &= ~15u;
        in->gpr[r] = DATA_AT - m->base + PAGE * (1 + rnd(m, 3)) + off;
        if (chance(m, 1))
            in->gpr[r] = DATA_AT - m->base + DATA_LEN - rnd(m, 64); /* the end of what is mapped */
        m->ptr |= (uint16_t)(1u << r);
        m->keep |= m->ptr;
    }
    m->small = index_reg(m, 6);
    m->keep |= (uint16_t)(1u << m->small);
    in->gpr[m->small] = (uint64_t)(int64_t)((int)rnd(m, 129) - 64);
    m->bits = index_reg(m, 7);
    m->keep |= (uint16_t)(1u << m->bits);
    in->gpr[m->bits] = (uint64_t)(int64_t)((int)rnd(m, 8193) - 4096);
    for (unsigned i = 0; i < 16 && m->s->bits != 64; i++)
        in->gpr[i] = i < 8 ? (uint32_t)in->gpr[i] : 0;
    in->rflags = 0x202 | (rnd(m, 0x1000) & 0x8d5);
    in->fs_base = (uint64_t)(int64_t)((int)rnd(m, 513) - 256);
    in->gs_base = (uint64_t)(int64_t)((int)rnd(m, 513) - 256) & ~(uint64_t)15;
}
