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
#include "trap/patch.h"
#include "bus/bus.h"
#include "core/cpu_regs.h"
#include "mem/peek.h"
#include "trap/paging.h"
#include "trap/patch_insn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SITES       1024u /* a driver has a few dozen */
#define PROBES      16u   /* of the table, for one address */
#define CODES       (2 * PATCH_PORTS)
#define RANGES      8u
#define STRIKES_MAX 8u /* times put back for its own sake; then the site stays as it is */
#define LINE        64u
#define OUT_AL      0xe6
#define OUT_EAX     0xe7
#define RFLAGS_TF   0x100u
#define RFLAGS_VM   0x20000u

struct site {
    bool used, live;            /* live: patched now */
    uint8_t strikes, code, len; /* len: of the instruction */
    gpa_t gpa;
    /* The instruction as it was decoded last, from these bytes, in this mode. */
    uint8_t bytes[PATCH_INSN_MAX];
    uint16_t mode;
    struct patch_insn insn;
};

struct patch {
    pthread_mutex_t lock;
    struct ram *ram;
    struct bus *bus;
    struct patch_cpu cpu;
    bool off;
    struct {
        gpa_t base;
        uint64_t len;
    } range[RANGES];
    unsigned ranges;
    uint8_t code[CODES][2]; /* what stood there */
    bool coded[CODES];
    struct site site[SITES];
    uint16_t live[SITES]; /* those that are */
    unsigned lives;
    struct patch_stats stats;
};

/* An instruction as the CPU finds it now. */
struct view {
    struct cpu_regs r;
    uint64_t rip; /* where it starts */
    gpa_t gpa;    /* of its first byte */
    uint8_t bytes[PATCH_INSN_MAX];
    size_t n; /* how many of them can be read */
    uint8_t len;
};

/* ---- reading code ---- */

/* RIP in this mode: how far it counts. */
static uint64_t rip_mask(const struct cpu_regs *r)
{
    unsigned attr = r->seg[SEG_CS].attr;

    if ((r->efer & 1 << 10) && (attr & 1 << 13))
        return UINT64_MAX;
    return attr & 1 << 14 ? UINT32_MAX : 0xffff;
}

static bool supervisor(const struct cpu_regs *r)
{
    return !(r->rflags & RFLAGS_VM) && (!(r->cr0 & 1) || !(r->seg[SEG_SS].attr >> 5 & 3));
}

/* Up to max bytes at rip, as far as they are mapped RAM. */
static bool view_at(const struct patch *p, struct view *v, uint64_t rip, size_t max)
{
    v->rip = rip & rip_mask(&v->r);
    v->n = 0;
    while (v->n < max) { /* two pages at the most */
        uint64_t lin = v->r.seg[SEG_CS].base + v->rip + v->n;
        size_t take = RAM_PAGE_SIZE - (size_t)(lin % RAM_PAGE_SIZE);
        gpa_t gpa;

        take = take < max - v->n ? take : max - v->n;
        if (!paging_find(p->ram, &v->r, lin, PAGING_FETCH, &gpa) ||
            !ram_peek(p->ram, gpa, v->bytes + v->n, take))
            break;
        if (!v->n)
            v->gpa = gpa;
        v->n += take;
    }
    return v->n >= 2;
}

/* ---- codes ---- */

static void code_bytes(unsigned code, uint8_t out[2])
{
    out[0] = code < PATCH_PORTS ? OUT_AL : OUT_EAX;
    out[1] = (uint8_t)(PATCH_PORT + code % PATCH_PORTS);
}

/* CODES: there are no more. */
static unsigned code_for(struct patch *p, const uint8_t bytes[2])
{
    unsigned c;

    for (c = 0; c < CODES && p->coded[c]; c++)
        if (!memcmp(p->code[c], bytes, 2))
            return c;
    if (c < CODES) {
        memcpy(p->code[c], bytes, 2);
        p->coded[c] = true;
    }
    return c;
}

/* ---- sites ---- */

static struct site *site_find(struct patch *p, gpa_t gpa, bool make)
{
    unsigned at = (unsigned)((gpa ^ gpa >> 10) % SITES);

    for (unsigned i = 0; i < PROBES; i++) {
        struct site *s = &p->site[(at + i) % SITES];

        if (s->used && s->gpa == gpa)
            return s;
        if (!s->used) {
            if (make)
                *s = (struct site){.used = true, .gpa = gpa};
            return make ? s : NULL;
        }
    }
    return NULL;
}

static bool page_patched(const struct patch *p, gpa_t page)
{
    for (unsigned i = 0; i < p->lives; i++)
        if ((p->site[p->live[i]].gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1)) == page)
            return true;
    return false;
}

static void page_mark(struct patch *p, gpa_t gpa, bool on)
{
    struct ram *ram = p->ram;
    uint8_t *flags = &ram->page_flags[ram_page(ram, gpa)];
    gpa_t page = gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1);

    if (on == ((*flags & RAM_PATCH) != 0))
        return;
    if (on) {
        __atomic_fetch_or(flags, RAM_PATCH, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&ram->patches, 1, __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_and(flags, (uint8_t)~RAM_PATCH, __ATOMIC_SEQ_CST);
        __atomic_fetch_sub(&ram->patches, 1, __ATOMIC_SEQ_CST);
    }
    if (ram->guard)
        ram->guard(ram->guard_arg, page, on);
}

static void site_live(struct patch *p, struct site *s, bool live)
{
    uint16_t index = (uint16_t)(s - p->site);
    unsigned i = 0;

    if (s->live == live)
        return;
    s->live = live;
    if (live) {
        p->live[p->lives++] = index;
        return;
    }
    while (p->live[i] != index)
        i++;
    p->live[i] = p->live[--p->lives];
}

static void site_restore(struct patch *p, struct site *s)
{
    uint8_t ours[2];

    if (!s->live)
        return;
    code_bytes(s->code, ours);
    site_live(p, s, false);
    if (ram_swap(p->ram, s->gpa, ours, p->code[s->code])) {
        p->stats.restored++;
        ram_written(p->ram, s->gpa, 2);
    } else {
        p->stats.lost++; /* the guest's bytes stay */
    }
    if (!page_patched(p, s->gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1)))
        page_mark(p, s->gpa, false);
}

static void site_patch(struct patch *p, const struct view *v)
{
    struct site *s = site_find(p, v->gpa, true);
    unsigned code;
    uint8_t ours[2];

    if (!s || s->strikes >= STRIKES_MAX || v->gpa % LINE == LINE - 1 ||
        (code = code_for(p, v->bytes)) == CODES) {
        p->stats.refused++;
        return;
    }
    s->code = (uint8_t)code;
    s->len = v->len;
    site_live(p, s, true);
    page_mark(p, v->gpa, true); /* first, so that no write slips through */
    code_bytes(code, ours);
    if (ram_swap(p->ram, v->gpa, v->bytes, ours)) {
        p->stats.made++;
        ram_written(p->ram, v->gpa, 2);
    } else {
        site_restore(p, s); /* somebody was faster, or it is patched */
    }
}

/* ---- learning ---- */

static bool insn_made(const struct patch_insn *i, const struct trap *t)
{
    return i->write == t->write && i->size == t->size;
}

/* Did this instruction make that store? Its registers are as before: a store changes none. */
static bool store_made(struct patch *p, const struct view *v, const struct patch_insn *i,
                       const struct trap *t)
{
    uint64_t lin, mask = t->size >= 8 ? UINT64_MAX : (1ull << (t->size * 8)) - 1;
    gpa_t gpa;

    return insn_made(i, t) && patch_operand(i, &v->r, v->rip, &lin) &&
           paging_find(p->ram, &v->r, lin, PAGING_WRITE, &gpa) && gpa == t->addr &&
           patch_value(i, &v->r) == (t->value & mask);
}

/* The one instruction that ends at RIP and made this store. Two that could have: none. */
static bool find_behind(struct patch *p, struct view *v, const struct trap *t)
{
    uint64_t end = v->r.rip, start = 0;
    unsigned hits = 0;

    for (unsigned n = 2; n <= PATCH_INSN_MAX; n++) {
        struct patch_insn i;

        if (view_at(p, v, end - n, n) && v->n == n && patch_decode(&v->r, v->bytes, n, &i) &&
            i.len == n && store_made(p, v, &i, t)) {
            start = v->rip;
            v->len = i.len;
            hits++;
        }
    }
    return hits == 1 && view_at(p, v, start, 2);
}

static bool find_at(struct patch *p, struct view *v, const struct trap *t)
{
    struct patch_insn i;

    if (!view_at(p, v, v->r.rip, PATCH_INSN_MAX) || !patch_decode(&v->r, v->bytes, v->n, &i))
        return false;
    v->len = i.len;
    return insn_made(&i, t);
}

void patch_learn(struct patch *p, unsigned vcpu, const struct trap *t)
{
    struct view v;
    enum trap_rip where;
    bool found;

    if (__atomic_load_n(&p->off, __ATOMIC_RELAXED))
        return;
    where = p->cpu.regs(p->cpu.ctx, vcpu, &v.r);
    found = supervisor(&v.r) && !(v.r.rflags & RFLAGS_TF) &&
            (where == TRAP_RIP_BEHIND ? find_behind(p, &v, t) : find_at(p, &v, t));
    pthread_mutex_lock(&p->lock);
    if (found && !p->off)
        site_patch(p, &v);
    else
        p->stats.refused++;
    pthread_mutex_unlock(&p->lock);
}

/* ---- taking ---- */

struct call { /* what is to be done */
    struct patch_insn insn;
    gpa_t gpa;
};

enum found { FOUND_OURS, FOUND_COPY, FOUND_CHANGED, FOUND_NONE };

/* An OUT of the guest's own is what it is, also where a site once was. */
static bool own_out(const struct patch *p, struct view *v, enum trap_rip where)
{
    struct view at = {.r = v->r};

    if (where == TRAP_RIP_BEHIND)
        return view_at(p, &at, v->r.rip - 1, 2) && (at.bytes[0] == 0xee || at.bytes[0] == 0xef);
    return view_at(p, &at, v->r.rip, PATCH_INSN_MAX) && patch_is_out(&at.r, at.bytes, at.n);
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

/* What is it that trapped as OUT with this code? Fills insn, if it still is one that may be
 * patched: the guest may have changed the bytes behind ours. */
static enum found judge(struct patch *p, struct view *v, enum trap_rip where, unsigned code,
                        struct patch_insn *insn)
{
    struct site *s = site_find(p, v->gpa, false);
    uint8_t ours[2];
    bool good;

    code_bytes(code, ours);
    if (memcmp(v->bytes, ours, 2)) /* put back, or written over, since it trapped */
        return s && !own_out(p, v, where) ? FOUND_CHANGED : FOUND_NONE;
    memcpy(v->bytes, p->code[code], 2);
    good = decode(s, v, insn);
    if (s && s->live && s->code == code)
        return FOUND_OURS;
    return good ? FOUND_COPY : FOUND_NONE;
}

/* Puts back what trapped, so that it runs by itself. */
static void undo(struct patch *p, const struct view *v, enum found what, unsigned code)
{
    struct site *s = site_find(p, v->gpa, false);
    uint8_t ours[2];

    if (what == FOUND_OURS && s) {
        s->strikes++;
        site_restore(p, s);
    } else if (what == FOUND_COPY) {
        code_bytes(code, ours);
        if (ram_swap(p->ram, v->gpa, ours, p->code[code])) {
            p->stats.healed++;
            ram_written(p->ram, v->gpa, 2);
        }
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
static enum found look(struct patch *p, struct view *v, enum trap_rip where, unsigned code,
                       struct call *c)
{
    enum found what;

    pthread_mutex_lock(&p->lock);
    what = p->coded[code] ? judge(p, v, where, code, &c->insn) : FOUND_NONE;
    if (what != FOUND_NONE && !(what == FOUND_OURS && target(p, v, &c->insn, &c->gpa))) {
        undo(p, v, what, code);
        what = FOUND_CHANGED;
    }
    pthread_mutex_unlock(&p->lock);
    return what;
}

bool patch_take(struct patch *p, unsigned vcpu, struct trap *t)
{
    unsigned code = (unsigned)(t->addr - PATCH_PORT) + (t->size == 1 ? 0 : PATCH_PORTS);
    struct call c = {0};
    enum trap_rip where;
    enum found what;
    struct view v;

    if (!t->write || t->data || t->addr - PATCH_PORT >= PATCH_PORTS)
        return false;
    where = p->cpu.regs(p->cpu.ctx, vcpu, &v.r);
    if (!supervisor(&v.r) ||
        !view_at(p, &v, v.r.rip - (where == TRAP_RIP_BEHIND ? 2 : 0), PATCH_INSN_MAX))
        return false;
    what = look(p, &v, where, code, &c);
    if (what == FOUND_NONE)
        return false;
    t->kind = TRAP_PATCH;
    t->size = what == FOUND_OURS ? c.insn.size : 0;
    t->write = c.insn.write;
    if (what == FOUND_OURS)
        access_do(p, &v, &c);
    v.r.rip = v.rip & rip_mask(&v.r);
    p->cpu.resume(p->cpu.ctx, vcpu, &v.r);
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

void patch_restore(struct patch *p, gpa_t gpa, uint64_t len)
{
    pthread_mutex_lock(&p->lock);
    for (unsigned i = p->lives; i--;) { /* the last takes the place of one that goes */
        struct site *s = &p->site[p->live[i]];

        if (s->gpa - gpa < len || gpa - s->gpa < s->len)
            site_restore(p, s);
    }
    pthread_mutex_unlock(&p->lock);
}

void patch_restore_all(struct patch *p)
{
    patch_restore(p, 0, UINT64_MAX);
}

void patch_switch(struct patch *p, bool on)
{
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&p->off, !on, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&p->lock);
    if (!on)
        patch_restore_all(p);
}

static void patch_back(void *arg, gpa_t gpa, uint64_t len)
{
    patch_restore(arg, gpa, len);
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
