/*
 * Random sequences: plain instructions and templates in a row, sometimes as a loop of three rounds.
 * See gen.h for its parts.
 */
#include "gen.h"
#include <stdio.h>
#include <string.h>

static bool with_align;
static unsigned with_bits;

void gen_open(bool align, unsigned bits)
{
    with_align = align;
    with_bits = bits;
    state_open();
    accept_open();
}

static void one(struct maker *m)
{
    unsigned k = rnd(m, 100);
    m->group = ++m->groups;
    if (k < 80)
        gen_plain(m);
    else
        gen_template(m, k - 80);
}

static void start(struct maker *m, struct seq *s, uint64_t seed, unsigned bits)
{
    *m = (struct maker){.s = s,
                        .rng = seed * 0xd1342543de82ef95 + 7,
                        .regs = bits == 64 ? 16 : 8,
                        .base = bits == 16 ? DATA_AT : 0};
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->bits = bits;
    s->user = chance(m, 50);
    s->align_check = s->user && with_align;
    s->mem_seed = rnd(m, 1u << 30);
    s->start = chance(m, 10) ? PAGE - rnd(m, 100) : rnd(m, PAGE);
    state_registers(m);
    state_vectors(m);
}

void gen_make(struct seq *s, uint64_t seed)
{
    struct maker m;
    start(&m, s, seed, with_bits);
    if (chance(&m, 50))
        gen_touch(&m);
    unsigned top = s->items, n = top + 4 + rnd(&m, 16);
    while (s->items < n && s->items < ITEMS - 20)
        one(&m);
    if (chance(&m, 30)) { /* dec dword [rounds]; jnz top */
        m.group = ++m.groups;
        absolute(&m, 0xff, 1, ROUNDS_AT);
        branch_near(&m, fixed(&m, 2, 0x0f85), top);
    }
}

bool gen_case(struct seq *s, uint64_t seed, unsigned bits, const char *hex)
{
    struct maker m;
    unsigned byte;
    start(&m, s, seed, bits);
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        struct item *it = s->items ? &s->item[s->items - 1] : NULL;
        if (!hex[1] || s->items == ITEMS)
            return false;
        if (!it || it->len == sizeof(it->bytes))
            it = next_item(&m);
        it->bytes[it->len++] = (uint8_t)byte;
    }
    return !*hex && s->items;
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
