/*
 * What the files of the generator share. All random choices come from maker.rng, so that a seed is
 * one sequence.
 */
#ifndef TESTS_DIFF_GEN_H
#define TESTS_DIFF_GEN_H

#include "diff.h"
#include "engine/dbt/cpu.h"
#include <Zydis/Zydis.h>

struct maker {
    struct seq *s;
    uint64_t rng;
    uint16_t ptr;         /* registers that point into the data; RSP too */
    unsigned small, bits; /* index registers: -64..64, and a bit offset */
    uint16_t keep;        /* registers nothing may write */
    unsigned regs;        /* there are 16, or 8 */
    uint32_t base;        /* of the data segments */
    bool addr16;          /* the next ModRM is of the 16-bit kind */
    uint8_t group, groups;
};

static inline uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline unsigned rnd(struct maker *m, unsigned n)
{
    return (unsigned)((splitmix(&m->rng) >> 32) * n >> 32);
}

static inline bool chance(struct maker *m, unsigned percent)
{
    return rnd(m, 100) < percent;
}

/* gen_state.c */
void state_open(void);
void state_registers(struct maker *m); /* all but x87 and SSE */
void state_vectors(struct maker *m);
unsigned other_reg(struct maker *m); /* a register that may be written */

/* gen_accept.c: is a random instruction acceptable? Makes it so where that takes little. */
void accept_open(void);
bool gen_accept(struct maker *m, struct item *it);
bool moves_stack(const struct maker *m, const struct item *it);

/* gen_plain.c */
struct item *next_item(struct maker *m);
void gen_plain(struct maker *m); /* one random instruction */

/* gen_template.c: what random bytes can't make safely */
struct item *fixed(struct maker *m, unsigned len, uint64_t bytes);
void branch(struct item *it, unsigned size, unsigned to);
void branch_near(struct maker *m, struct item *it, unsigned to);
struct item *absolute(struct maker *m, unsigned op, unsigned reg, uint32_t to);
void gen_template(struct maker *m, unsigned kind); /* kind: 0..19 */
void gen_touch(struct maker *m);

/* gen_image.c */
void gen_image(struct maker *m);

#endif
