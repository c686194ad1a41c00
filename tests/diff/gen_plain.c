/* Plain instructions: random bytes in the legal maps, tried until one is acceptable. */
#include "gen.h"
#include <string.h>

static unsigned pick_ptr(struct maker *m)
{
    unsigned r;
    do
        r = rnd(m, m->regs);
    while (!(m->ptr & 1u << r));
    return r;
}

/* ModRM, SIB and room for the rest; returns REX.X and REX.B. */
static unsigned put_modrm(struct maker *m, uint8_t *p, unsigned reg)
{
    unsigned base = pick_ptr(m), mod = rnd(m, 3);
    p[0] = (uint8_t)(reg << 3);
    if (m->addr16) {
        p[0] |= (uint8_t)(mod << 6 | rnd(m, 8));
        return 0;
    }
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
    bool other = chance(m, 6);
    if (other)
        p[n++] = 0x67;
    m->addr16 = m->s->bits == (other ? 32 : 16);
    if (m->s->bits == 64 && chance(m, 8))
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
    bool mem = chance(m, 50), legacy = m->s->bits != 64;
    uint8_t modrm[6] = {0};
    unsigned xb = put_modrm(m, modrm, rnd(m, 8));
    if (kind >= 94) { /* VEX: BMI */
        p[n++] = 0xc4;
        bool map3 = chance(m, 15);
        p[n] = (uint8_t)((p[n] & 0xe0) | (legacy ? 0xe0 : 0) | (map3 ? 3 : 2));
        if (mem)
            p[n] = (uint8_t)((p[n] & 0x9f) | (~xb & 3) << 5);
        n++;
        p[n++] &= 0xfb;
        p[n++] = map3 ? 0xf0 : (uint8_t)(0xf0 + rnd(m, 8));
    } else {
        if (mem)
            rex = (rex & ~3u) | xb;
        if (!legacy && (rex != 0x40 || chance(m, 10)))
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

struct item *next_item(struct maker *m)
{
    struct item *it = &m->s->item[m->s->items++];
    memset(it, 0, sizeof(*it));
    it->group = m->group;
    return it;
}

void gen_plain(struct maker *m)
{
    struct item *it = next_item(m);
    it->group = 0;
    for (unsigned tries = 0; tries < 2000; tries++) {
        random_bytes(m, it->bytes);
        if (gen_accept(m, it))
            return;
    }
    it->bytes[0] = 0x90;
    it->len = 1;
}
