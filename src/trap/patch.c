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
    bool second[256]; /* the second of them: half a patch is an OUT to that port */
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
    enum trap_rip where; /* r.rip: at it, or behind it */
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
        p->second[bytes[1]] = true;
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

/* No vCPU may read one byte before and the other after. */
static void quiet(const struct patch *p, bool on)
{
    if (p->cpu.quiet)
        p->cpu.quiet(p->cpu.ctx, on);
}

static bool bytes_swap(struct patch *p, gpa_t gpa, const uint8_t from[2], const uint8_t to[2])
{
    bool done;

    quiet(p, true);
    done = ram_swap(p->ram, gpa, from, to);
    quiet(p, false);
    return done;
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

/* The guest's bytes stay; but of one that it wrote over half, the other half goes. */
static void half_restore(struct patch *p, const struct site *s, const uint8_t ours[2])
{
    uint8_t now[2], want[2];

    if (!ram_peek(p->ram, s->gpa, now, 2))
        return;
    for (unsigned i = 0; i < 2; i++)
        want[i] = now[i] == ours[i] ? p->code[s->code][i] : now[i];
    if (memcmp(now, want, 2) && bytes_swap(p, s->gpa, now, want))
        ram_written(p->ram, s->gpa, 2);
}

static void site_restore(struct patch *p, struct site *s)
{
    uint8_t ours[2];

    if (!s->live)
        return;
    code_bytes(s->code, ours);
    site_live(p, s, false);
    if (bytes_swap(p, s->gpa, ours, p->code[s->code])) {
        p->stats.restored++;
        ram_written(p->ram, s->gpa, 2);
    } else {
        p->stats.lost++;
        half_restore(p, s, ours);
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
    if (bytes_swap(p, v->gpa, v->bytes, ours)) {
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

/* The one instruction that ends at RIP and made this store. Two that could have: none. It is taken
 * as it was read here: another vCPU may patch it meanwhile. */
static bool find_behind(struct patch *p, struct view *v, const struct trap *t)
{
    struct view it = {.r = v->r};
    unsigned hits = 0;

    for (unsigned n = 2; n <= PATCH_INSN_MAX; n++) {
        struct patch_insn i;

        if (view_at(p, &it, v->r.rip - n, n) && it.n == n && patch_decode(&it.r, it.bytes, n, &i) &&
            i.len == n && store_made(p, &it, &i, t)) {
            it.len = i.len;
            *v = it;
            hits++;
        }
    }
    return hits == 1;
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
    code_bytes(s->code, ours);
    return o->bytes[0] == ours[0] && o->bytes[1] == p->code[s->code][1];
}

/* What is it that trapped as this OUT? Fills insn, if it still is one that may be patched: the
 * guest may have changed the bytes behind ours. */
static enum found judge(struct patch *p, struct view *v, const struct out *o,
                        struct patch_insn *insn)
{
    struct site *s = site_find(p, v->gpa, false);
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
    struct site *s = site_find(p, v->gpa, false);
    unsigned code = what == FOUND_HALF && s ? s->code : o->code;

    if (what == FOUND_OURS && s) {
        s->strikes++;
        site_restore(p, s);
    } else if ((what == FOUND_COPY || what == FOUND_HALF) &&
               bytes_swap(p, v->gpa, o->bytes, p->code[code])) {
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
    what = view_at(p, v, v->rip, PATCH_INSN_MAX) ? judge(p, v, o, &c->insn) : FOUND_NONE;
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

    at = view_at(p, v, v->r.rip, 2) && !memcmp(v->bytes, o->bytes, 2);
    behind = view_at(p, v, v->r.rip - 2, 2) && !memcmp(v->bytes, o->bytes, 2);
    pthread_mutex_lock(&p->lock);
    before = v->n && site_find(p, v->gpa, false); /* it may have been put back meanwhile */
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
    return view_at(p, v, v->r.rip - (v->where == TRAP_RIP_BEHIND ? 2 : 0), PATCH_INSN_MAX);
}

/* Goes on at v->rip: behind what was done, or at what was put back. */
static void go_on(struct patch *p, unsigned vcpu, struct view *v, bool settled)
{
    struct cpu_regs scrap;

    if (!settled)
        p->cpu.settle(p->cpu.ctx, vcpu, &scrap);
    v->r.rip = v->rip & rip_mask(&v->r);
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

    if (!out_of(p, t, &o) || !locate(p, vcpu, &v, &o, &settled) || !supervisor(&v.r))
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

static void range_restore(struct patch *p, gpa_t gpa, uint64_t len)
{
    for (unsigned i = p->lives; i--;) { /* the last takes the place of one that goes */
        struct site *s = &p->site[p->live[i]];

        if (s->gpa - gpa < len || gpa - s->gpa < s->len)
            site_restore(p, s);
    }
}

void patch_restore(struct patch *p, gpa_t gpa, uint64_t len)
{
    pthread_mutex_lock(&p->lock);
    range_restore(p, gpa, len);
    pthread_mutex_unlock(&p->lock);
}

/* Nothing is patched between putting back and the store. */
static void patch_store(void *arg, gpa_t gpa, const void *buf, size_t len)
{
    struct patch *p = arg;

    pthread_mutex_lock(&p->lock);
    range_restore(p, gpa, len);
    quiet(p, true);
    ram_poke(p->ram, gpa, buf, len);
    quiet(p, false);
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
