/*
 * Images of the x87 and SSE state: FXSAVE, FNSTENV, FNSAVE and their ways back, with some fields
 * changed in between. The instruction and data pointers in them differ between the two sides and
 * are cleared. Intel SDM volume 1, 8.1.10 and 10.5.1.
 */
#include "gen.h"
#include <string.h>

static void put_imm(struct maker *m, uint32_t at, uint32_t v, unsigned size)
{
    bool prefix = (m->s->bits == 16) == (size == 4);
    struct item *it = absolute(m, prefix ? 0x66c7 : 0xc7, 0, at);
    memcpy(it->bytes + it->len, &v, size);
    it->len = (uint8_t)(it->len + size);
}

/* FXSAVE's: control, status, tags, MXCSR. */
static void fx_image(struct maker *m, uint32_t at)
{
    absolute(m, 0x0fae, 0, at);
    put_imm(m, at + 6, 0, 2);
    for (unsigned i = 8; i < 24; i += 4)
        put_imm(m, at + i, 0, 4);
    put_imm(m, at + 28, 0, 4); /* which bits of MXCSR there are */
    if (chance(m, 50))
        put_imm(m, at + 2 * rnd(m, 2), rnd(m, 65536), 2);
    if (chance(m, 30))
        put_imm(m, at + 4, rnd(m, 256), 2);
    if (chance(m, 50))
        put_imm(m, at + 24, rnd(m, 65536), 4);
    if (chance(m, 60))
        absolute(m, 0x0fae, 1, at);
}

/* FNSTENV's and FNSAVE's, of words or of double words. */
static void old_image(struct maker *m, uint32_t at, unsigned op)
{
    unsigned prefix = chance(m, 30) ? 0x6600 : 0;
    unsigned step = (m->s->bits == 16) == (prefix != 0) ? 4 : 2;
    absolute(m, prefix | op, 6, at);
    for (unsigned i = 3; i < 7; i++)
        put_imm(m, at + i * step, 0, step);
    for (unsigned i = 0; i < 3; i++)
        if (chance(m, 40))
            put_imm(m, at + i * step, rnd(m, 65536), 2);
    if (chance(m, 60))
        absolute(m, prefix | op, 4, at);
}

void gen_image(struct maker *m)
{
    uint32_t at = SCRATCH + 1024;
    if (chance(m, 10))
        at += rnd(m, 64);
    if (chance(m, 10)) /* over the end of a page */
        at = DATA_AT + 3 * PAGE - rnd(m, 32) * 16;
    switch (rnd(m, 3)) {
    case 0: fx_image(m, at); break;
    case 1: old_image(m, at, 0xd9); break;
    default: old_image(m, at, 0xdd); break;
    }
}
