/*
 * MOVS, STOS, LODS, SCAS, CMPS with and without REP. SDM volume 2; volume 1, 7.3.9.
 *
 * A repeated instruction goes in runs: as many elements as lie in one page at both ends are done by
 * the host's own string instruction of the same element size, so overlaps replicate exactly as the
 * architecture says, and flags are the CPU's. Registers are brought up to date after each run, so
 * that a fault in the next finds the state of an iteration boundary. An element that straddles
 * pages or meets MMIO goes alone.
 */
#include "engine/dbt/sys.h"

#define RUN_BYTES_MAX 65536u /* then look at exit_request */

/* One end of the transfer. */
struct end {
    unsigned seg, reg;
    bool write;
};

/* What the instruction works on now. */
struct str {
    struct cpu *cpu;
    const struct insn *i;
    unsigned size, shift; /* size is 1 << shift */
    bool down;            /* DF */
    uint64_t left;        /* iterations */
    uint64_t budget;      /* bytes until the next look at exit_request */
};

struct run {
    uint8_t *p; /* host pointer of the element; NULL: piecewise */
    uint64_t lin;
    uint64_t n; /* elements in this page, in the direction of DF */
};

static void str_begin(struct str *s, struct cpu *cpu, const struct insn *i)
{
    s->cpu = cpu;
    s->i = i;
    s->size = i->opsize;
    s->shift = (unsigned)__builtin_ctz(s->size);
    s->down = cpu->flags_sys & FL_DF;
    s->left = i->rep ? cpu->gpr[REG_RCX] & size_mask(i->addrsize) : 1;
    s->budget = RUN_BYTES_MAX;
}

static uint64_t str_offset(const struct str *s, unsigned reg)
{
    return s->cpu->gpr[reg] & size_mask(s->i->addrsize);
}

/* How many elements follow until the offset wraps or leaves the segment: at least 1, which
 * seg_lin judges; the rest only in a plain segment whose limit holds them. */
static uint64_t seg_room(const struct str *s, unsigned seg, uint64_t off)
{
    const struct cpu_seg *sg = &s->cpu->seg[seg];
    uint64_t top = size_mask(s->i->addrsize), n;

    if (s->i->code_bits != 64) {
        if ((sg->attr & (SEG_X | SEG_E)) == SEG_E)
            return 1;
        if (sg->limit < top)
            top = sg->limit;
    }
    n = s->down ? off >> s->shift : (top - off) >> s->shift;
    return n ? n : 1;
}

static void run_find(const struct str *s, const struct end *e, struct run *r)
{
    uint64_t off = str_offset(s, e->reg), room_seg;
    unsigned room = 0;

    r->lin = seg_lin(s->cpu, e->seg, off, s->size, e->write);
    r->p = mem_span(s->cpu, r->lin, e->write, cpu_user(s->cpu), &room);
    r->n = 1;
    if (r->p && room < s->size)
        r->p = NULL; /* straddles */
    if (!r->p)
        return;
    r->n = s->down ? ((r->lin & 4095) >> s->shift) + 1 : room >> s->shift;
    room_seg = seg_room(s, e->seg, off);
    if (r->n > room_seg)
        r->n = room_seg;
}

/* n iterations are done. */
static void str_advance(struct str *s, uint64_t n, bool rsi, bool rdi)
{
    struct cpu *cpu = s->cpu;
    uint64_t step = s->down ? -(n * s->size) : n * s->size, cost;

    if (rsi)
        gpr_put(cpu, REG_RSI, s->i->addrsize, cpu->gpr[REG_RSI] + step);
    if (rdi)
        gpr_put(cpu, REG_RDI, s->i->addrsize, cpu->gpr[REG_RDI] + step);
    s->left -= n;
    if (s->i->rep)
        gpr_put(cpu, REG_RCX, s->i->addrsize, s->left);
    cost = n > 1 ? n * s->size : 64; /* elements that go alone may be MMIO: count them dear */
    s->budget -= cost < s->budget ? cost : s->budget;
}

/* One page run at most; one iteration when single-stepping. */
static uint64_t run_count(const struct str *s, uint64_t n)
{
    if (s->cpu->flags_sys & FL_TF)
        return 1;
    return n < s->left ? n : s->left;
}

/* Interrupted between iterations? rip stays, the instruction resumes with what is left. */
static bool str_pause(struct str *s)
{
    if (!s->left)
        return false;
    if (s->cpu->flags_sys & FL_TF)
        return true;
    if (s->budget)
        return false;
    s->budget = RUN_BYTES_MAX;
    return __atomic_load_n(&s->cpu->exit_request, __ATOMIC_RELAXED);
}

/* ---- host string instructions, one per element size; DF is clear outside them ---- */

#define HOST_STRING(insn, ...)                                                                     \
    switch (size) {                                                                                \
    case 1: __asm__ volatile(insn "b" __VA_ARGS__); break;                                         \
    case 2: __asm__ volatile(insn "w" __VA_ARGS__); break;                                         \
    case 4: __asm__ volatile(insn "l" __VA_ARGS__); break;                                         \
    default: __asm__ volatile(insn "q" __VA_ARGS__); break;                                        \
    }

static void host_movs(uint8_t *d, const uint8_t *p, uint64_t n, unsigned size, bool down)
{
    if (down) {
        HOST_STRING("std; rep movs", "; cld" : "+D"(d), "+S"(p), "+c"(n) : : "memory", "cc")
    } else {
        HOST_STRING("rep movs", : "+D"(d), "+S"(p), "+c"(n) : : "memory")
    }
}

static void host_stos(uint8_t *d, uint64_t val, uint64_t n, unsigned size, bool down)
{
    if (down) {
        HOST_STRING("std; rep stos", "; cld" : "+D"(d), "+c"(n) : "a"(val) : "memory", "cc")
    } else {
        HOST_STRING("rep stos", : "+D"(d), "+c"(n) : "a"(val) : "memory")
    }
}

/* Until the condition of the prefix ends it, in either direction. */
#define HOST_UNTIL(insn, ...)                                                                      \
    if (s->i->rep == 0xf2 && s->down) {                                                            \
        HOST_STRING("std; repne " insn, __VA_ARGS__)                                               \
    } else if (s->i->rep == 0xf2) {                                                                \
        HOST_STRING("repne " insn, __VA_ARGS__)                                                    \
    } else if (s->down) {                                                                          \
        HOST_STRING("std; repe " insn, __VA_ARGS__)                                                \
    } else {                                                                                       \
        HOST_STRING("repe " insn, __VA_ARGS__)                                                     \
    }

/* These return iterations done, and flags as cpu.fl. */
static uint64_t host_cmps(const uint8_t *p, const uint8_t *d, uint64_t n, const struct str *s,
                          uint64_t *fl)
{
    unsigned size = s->size;
    uint64_t left = n, ax = 0;

    HOST_UNTIL("cmps", "; lahf; seto %%al; cld"
               : "+S"(p), "+D"(d), "+c"(left), "=a"(ax)
               :
               : "memory", "cc")
    *fl = ax & 0xff01;
    return n - left;
}

static uint64_t host_scas(const uint8_t *d, uint64_t val, uint64_t n, const struct str *s,
                          uint64_t *fl)
{
    unsigned size = s->size;
    uint64_t left = n, ax = val;

    HOST_UNTIL("scas", "; lahf; seto %%al; cld" : "+D"(d), "+c"(left), "+a"(ax) : : "memory", "cc")
    *fl = ax & 0xff01;
    return n - left;
}

/* ---- the instructions ---- */

int sys_movs(struct cpu *cpu, const struct insn *i)
{
    const struct end src = {i->seg, REG_RSI, false}, dst = {SEG_ES, REG_RDI, true};
    struct run from, to;
    struct str s;

    str_begin(&s, cpu, i);
    while (s.left) {
        uint64_t n;

        run_find(&s, &src, &from);
        run_find(&s, &dst, &to);
        n = run_count(&s, from.n < to.n ? from.n : to.n);
        if (from.p && to.p) {
            host_movs(to.p, from.p, n, s.size, s.down);
        } else {
            n = 1;
            mem_write(cpu, to.lin, s.size, mem_read(cpu, from.lin, s.size, cpu_user(cpu)),
                      cpu_user(cpu));
        }
        str_advance(&s, n, true, true);
        if (str_pause(&s))
            return INSN_JUMP;
    }
    return INSN_NEXT;
}

int sys_stos(struct cpu *cpu, const struct insn *i)
{
    const struct end dst = {SEG_ES, REG_RDI, true};
    struct run to;
    struct str s;

    str_begin(&s, cpu, i);
    while (s.left) {
        uint64_t n;

        run_find(&s, &dst, &to);
        n = run_count(&s, to.n);
        if (to.p) {
            host_stos(to.p, cpu->gpr[REG_RAX], n, s.size, s.down);
        } else {
            n = 1;
            mem_write(cpu, to.lin, s.size, cpu->gpr[REG_RAX] & size_mask(s.size), cpu_user(cpu));
        }
        str_advance(&s, n, false, true);
        if (str_pause(&s))
            return INSN_JUMP;
    }
    return INSN_NEXT;
}

/* Of a run only the last element is seen; the others are RAM, where reading has no effect. */
int sys_lods(struct cpu *cpu, const struct insn *i)
{
    const struct end src = {i->seg, REG_RSI, false};
    struct run from;
    struct str s;

    str_begin(&s, cpu, i);
    while (s.left) {
        uint64_t n, last;

        run_find(&s, &src, &from);
        n = from.p ? run_count(&s, from.n) : 1;
        last = (n - 1) * s.size;
        last = s.down ? from.lin - last : from.lin + last;
        gpr_put(cpu, REG_RAX, s.size, mem_read(cpu, last, s.size, cpu_user(cpu)));
        str_advance(&s, n, true, false);
        if (str_pause(&s))
            return INSN_JUMP;
    }
    return INSN_NEXT;
}

/* Does the comparison just made end the repetition? */
static bool str_decided(const struct str *s)
{
    bool zf = s->cpu->fl & (FL_ZF << 8);

    return s->i->rep == 0xf2 ? zf : !zf;
}

/* SCAS, or CMPS if there is a src. */
static int str_compare(struct str *s, const struct end *src)
{
    const struct end dst = {SEG_ES, REG_RDI, false};
    struct cpu *cpu = s->cpu;
    struct run a = {0}, b;

    while (s->left) {
        uint64_t n, fl, v[2] = {0};

        if (src)
            run_find(s, src, &a);
        run_find(s, &dst, &b);
        n = run_count(s, src && a.n < b.n ? a.n : b.n);
        if (!b.p || (src && !a.p)) {
            n = 1;
            if (src)
                v[0] = mem_read(cpu, a.lin, s->size, cpu_user(cpu));
            v[1] = mem_read(cpu, b.lin, s->size, cpu_user(cpu));
            a.p = (uint8_t *)&v[0];
            b.p = (uint8_t *)&v[1];
        }
        n = src ? host_cmps(a.p, b.p, n, s, &fl) : host_scas(b.p, cpu->gpr[REG_RAX], n, s, &fl);
        str_advance(s, n, src, true);
        cpu->fl = fl;
        if (str_decided(s))
            break;
        if (str_pause(s))
            return INSN_JUMP;
    }
    return INSN_NEXT;
}

int sys_cmps(struct cpu *cpu, const struct insn *i)
{
    const struct end src = {i->seg, REG_RSI, false};
    struct str s;

    str_begin(&s, cpu, i);
    return str_compare(&s, &src);
}

int sys_scas(struct cpu *cpu, const struct insn *i)
{
    struct str s;

    str_begin(&s, cpu, i);
    return str_compare(&s, NULL);
}
