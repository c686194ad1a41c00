/*
 * Patched instructions. Specification: docs/mechanisms.md (this project's); OUT is of Intel SDM
 * volume 2, changing code while others run it of volume 3, 9.1.3.
 *
 * The first trap of an access at a covered address shows the instruction that made it; its first
 * two bytes become OUT imm8 to a port of ours, its length stays. Opcode and port name the two bytes
 * that stood there (a code), so that patched bytes say by themselves what they were: whatever the
 * guest does to the bytes behind them is read anew, and a copy elsewhere is put back when it runs.
 * Sites are known by physical address, so all mappings of one instruction are one site.
 *
 * What the patch can't do exactly, the CPU does: the bytes are put back, and the instruction runs
 * by itself. That is so for an operand that isn't a covered register, for every fault, and for
 * single-stepping.
 *
 * One lock for the table, a leaf: it is not held while a device is accessed, since a device's DMA
 * comes back here (ram_original).
 */
#include "bus/bus.h"
#include "trap/paging.h"
#include "trap/patch_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- taking ---- */

struct call { /* what is to be done */
    struct patch_insn insn;
    gpa_t gpa;
};

struct out { /* an OUT imm8 */
    uint8_t bytes[2];
    unsigned code; /* that it stands for; CODES: none */
};

enum found { FOUND_OURS, FOUND_COPY, FOUND_HALF, FOUND_CHANGED, FOUND_NONE };

/* An OUT of the guest's own is what it is, also where a site once was. */
static bool own_out(const struct view *v)
{
    if (v->where == TRAP_RIP_BEHIND) /* one byte before RIP: through DX */
        return v->bytes[1] == 0xee || v->bytes[1] == 0xef;
    return patch_is_out(&v->r, v->bytes, v->n);
}

/* What decoding depends on besides the bytes. */
static uint16_t mode_of(const struct cpu_regs *r)
{
    return (uint16_t)((r->seg[SEG_CS].attr & 0x6000) | (r->cr0 & 1) | (r->efer & 1 << 10));
}

/* Decoding costs more than all the rest: the same bytes are decoded once. */
static bool decode(struct site *s, const struct view *v, struct patch_insn *insn)
{
    if (s && s->insn.len && s->mode == mode_of(&v->r) && v->n >= s->insn.len &&
        !memcmp(s->bytes, v->bytes, s->insn.len)) {
        *insn = s->insn;
        return true;
    }
    if (!patch_decode(&v->r, v->bytes, v->n, insn))
        return false;
    if (s) {
        memcpy(s->bytes, v->bytes, v->n);
        s->mode = mode_of(&v->r);
        s->insn = *insn;
    }
    return true;
}

/* The first byte of a patch before the second of what it was: a guest has read that byte, written
 * another there (a breakpoint), which put the patch back, and then what it had read. */
static bool half(const struct patch *p, const struct site *s, const struct out *o)
{
    uint8_t ours[2];

    if (!s || s->live)
        return false;
    patch_code_bytes(s->code, ours);
    return o->bytes[0] == ours[0] && o->bytes[1] == p->code[s->code][1];
}

/* What is it that trapped as this OUT? Fills insn, if it still is one that may be patched: the
 * guest may have changed the bytes behind ours. */
static enum found judge(struct patch *p, struct view *v, const struct out *o,
                        struct patch_insn *insn)
{
    struct site *s = patch_site_find(p, v->gpa, false);
    bool same = !memcmp(v->bytes, o->bytes, 2), good;

    if (!same) /* put back or written over since it trapped, or read while that happened */
        return s && !own_out(v) ? FOUND_CHANGED : FOUND_NONE;
    if (half(p, s, o))
        return FOUND_HALF;
    if (o->code == CODES || !p->coded[o->code])
        return FOUND_NONE;
    memcpy(v->bytes, p->code[o->code], 2);
    good = decode(s, v, insn);
    if (s && s->live && s->code == o->code)
        return FOUND_OURS;
    return good ? FOUND_COPY : FOUND_NONE;
}

/* Puts back what trapped, so that it runs by itself. */
static void undo(struct patch *p, const struct view *v, enum found what, const struct out *o)
{
    struct site *s = patch_site_find(p, v->gpa, false);
    unsigned code = what == FOUND_HALF && s ? s->code : o->code;

    if (what == FOUND_OURS && s) {
        s->strikes++;
        patch_site_restore(p, s);
    } else if ((what == FOUND_COPY || what == FOUND_HALF) &&
               patch_swap(p, v->gpa, o->bytes, p->code[code])) {
        p->stats.healed++;
        ram_written(p->ram, v->gpa, 2);
    }
}

/* The register this instruction means, if all is plain. */
static bool target(struct patch *p, const struct view *v, const struct patch_insn *i, gpa_t *gpa)
{
    uint64_t lin;

    return i->len && !(v->r.rflags & RFLAGS_TF) && patch_operand(i, &v->r, v->rip, &lin) &&
           lin % RAM_PAGE_SIZE <= RAM_PAGE_SIZE - i->size &&
           paging_find(p->ram, &v->r, lin, i->write ? PAGING_WRITE : 0, gpa) &&
           patch_covers(p, *gpa);
}

static void access_do(struct patch *p, struct view *v, const struct call *c)
{
    const struct patch_insn *i = &c->insn;

    if (i->write)
        bus_write(p->bus, BUS_MMIO, c->gpa, i->size, patch_value(i, &v->r));
    else
        patch_load(i, &v->r, bus_read(p->bus, BUS_MMIO, c->gpa, i->size));
    v->rip += i->len;
}

/* FOUND_NONE: not ours. FOUND_OURS: to be done. Else it has been put back. */
static enum found look(struct patch *p, struct view *v, const struct out *o, struct call *c)
{
    enum found what;

    pthread_mutex_lock(&p->lock);
    /* Read again: what was read before the lock another vCPU may have put back, or patched. */
    what = patch_view_at(p, v, v->rip, PATCH_INSN_MAX) ? judge(p, v, o, &c->insn) : FOUND_NONE;
    if (what != FOUND_NONE && !(what == FOUND_OURS && target(p, v, &c->insn, &c->gpa))) {
        undo(p, v, what, o);
        what = FOUND_CHANGED;
    }
    pthread_mutex_unlock(&p->lock);
    return what;
}

/* Which of two places this OUT was at, by the bytes that stand there: false if they don't tell. */
static bool which(struct patch *p, struct view *v, const struct out *o)
{
    bool at, behind, before;

    at = patch_view_at(p, v, v->r.rip, 2) && !memcmp(v->bytes, o->bytes, 2);
    behind = patch_view_at(p, v, v->r.rip - 2, 2) && !memcmp(v->bytes, o->bytes, 2);
    pthread_mutex_lock(&p->lock);
    before = v->n && patch_site_find(p, v->gpa, false); /* it may have been put back meanwhile */
    pthread_mutex_unlock(&p->lock);
    v->where = at ? TRAP_RIP_AT : TRAP_RIP_BEHIND;
    return at != behind && !(at && before);
}

/* The registers as they were, with RIP where it is found to be: v->rip is the instruction's. */
static bool locate(struct patch *p, unsigned vcpu, struct view *v, const struct out *o,
                   bool *settled)
{
    v->where = p->cpu.regs(p->cpu.ctx, vcpu, &v->r);
    *settled = v->where != TRAP_RIP_EITHER;
    if (!*settled && !which(p, v, o)) {
        p->cpu.settle(p->cpu.ctx, vcpu, &v->r);
        *settled = true;
        v->where = TRAP_RIP_BEHIND;
    }
    return patch_view_at(p, v, v->r.rip - (v->where == TRAP_RIP_BEHIND ? 2 : 0), PATCH_INSN_MAX);
}

/* Goes on at v->rip: behind what was done, or at what was put back. */
static void go_on(struct patch *p, unsigned vcpu, struct view *v, bool settled)
{
    struct cpu_regs scrap;

    if (!settled)
        p->cpu.settle(p->cpu.ctx, vcpu, &scrap);
    v->r.rip = v->rip & patch_rip_mask(&v->r);
    p->cpu.resume(p->cpu.ctx, vcpu, &v->r);
}

/* Is this one of ours, or half of one? */
static bool out_of(const struct patch *p, const struct trap *t, struct out *o)
{
    if (!t->write || t->data || t->addr > 0xff)
        return false;
    o->bytes[0] = t->size == 1 ? OUT_AL : OUT_EAX;
    o->bytes[1] = (uint8_t)t->addr;
    o->code = CODES;
    if (t->addr - PATCH_PORT < PATCH_PORTS)
        o->code = (unsigned)(t->addr - PATCH_PORT) + (t->size == 1 ? 0 : PATCH_PORTS);
    return o->code < CODES || __atomic_load_n(&p->second[t->addr], __ATOMIC_RELAXED);
}

bool patch_take(struct patch *p, unsigned vcpu, struct trap *t)
{
    struct call c = {0};
    enum found what;
    struct view v;
    struct out o;
    bool settled;

    if (!out_of(p, t, &o) || !locate(p, vcpu, &v, &o, &settled) || !patch_supervisor(&v.r))
        return false;
    what = look(p, &v, &o, &c);
    if (what == FOUND_NONE)
        return false;
    t->kind = TRAP_PATCH;
    t->size = what == FOUND_OURS ? c.insn.size : 0;
    t->write = c.insn.write;
    if (what == FOUND_OURS)
        access_do(p, &v, &c);
    go_on(p, vcpu, &v, settled || what == FOUND_OURS);
    return true;
}

/* ---- from outside ---- */

bool patch_covers(const struct patch *p, gpa_t gpa)
{
    for (unsigned i = 0; i < p->ranges; i++)
        if (gpa - p->range[i].base < p->range[i].len)
            return true;
    return false;
}

int patch_cover(struct patch *p, gpa_t base, uint64_t len)
{
    if (p->ranges == RANGES)
        return -ENOSPC;
    p->range[p->ranges].base = base;
    p->range[p->ranges++].len = len;
    return 0;
}

void patch_switch(struct patch *p, bool on)
{
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&p->off, !on, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&p->lock);
    if (!on)
        patch_restore_all(p);
}

struct patch_stats patch_stats(struct patch *p)
{
    struct patch_stats s;

    pthread_mutex_lock(&p->lock);
    s = p->stats;
    s.on = !p->off;
    s.now = p->lives;
    pthread_mutex_unlock(&p->lock);
    return s;
}

struct patch *patch_open(struct ram *ram, struct bus *bus, const struct patch_cpu *cpu)
{
    struct patch *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->ram = ram;
    p->bus = bus;
    p->cpu = *cpu;
    ram->patch_back = patch_back;
    ram->patch_store = patch_store;
    ram->patch_arg = p;
    return p;
}

void patch_close(struct patch *p)
{
    if (!p)
        return;
    p->ram->patches = 0;
    pthread_mutex_destroy(&p->lock);
    free(p);
}
