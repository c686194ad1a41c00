/*
 * Memory accesses of the software CPU off the fast path: those that straddle pages, reach devices,
 * are watched by a debug register, or write where translated code stands; and the accesses of C
 * helpers. An instruction that can't run on guest memory itself runs on cpu->bounce instead.
 */
#include "engine/dbt/mmu.h"
#include "core/shadow.h"
#include "mem/ram.h"

static bool mmio_hit(struct cpu *cpu, uint64_t key, struct mmio_entry **slot)
{
    *slot = &cpu->mmio[(key >> 12) % MMIO_SETS];
    return (*slot)->tag == key;
}

/* A page of registers that reads find without a trap. */
static uint8_t *shadow_host(const struct cpu *cpu, gpa_t page)
{
    if (!cpu->reg_page)
        return NULL;
    for (unsigned i = 0; i < DBT_SHADOWS_MAX; i++)
        if (cpu->reg_page[i] && cpu->reg_page[i]->gpa == page)
            return cpu->reg_page[i]->host;
    return NULL;
}

static struct place resolve(struct cpu *cpu, uint64_t lin, bool write, bool user, bool stack)
{
    uint64_t page = PAGE_BASE(lin);
    struct mmio_entry *mm;
    if (mmio_hit(cpu, page | (user ? 2u : 0u) | (write ? 1u : 0u), &mm))
        return (struct place){NULL, mm->gpa | PAGE_OFF(lin)};
    struct walk w;
    if (!canonical(cpu, lin))
        cpu_fault_err(cpu, stack ? EXC_SS : EXC_GP, 0);
    uint8_t *host = translate(cpu, page, write, user, &w);
    if (!host && w.error)
        page_fault(cpu, lin, w.error - 1);
    if (!host && !write) {
        w.writable = false;
        host = shadow_host(cpu, w.gpa);
    }
    if (host)
        tlb_learn(cpu, user, page, &w, host);
    else
        *mm = (struct mmio_entry){page | (user ? 2u : 0u) | (write ? 1u : 0u), w.gpa};
    return (struct place){host ? host + PAGE_OFF(lin) : NULL, w.gpa | PAGE_OFF(lin)};
}

static uint64_t mmio_read(struct cpu *cpu, gpa_t gpa, unsigned size)
{
    struct trap t __attribute__((uninitialized)); /* zeroing it would cost a third of the way */
    t.kind = TRAP_MMIO;
    t.write = false;
    t.size = (uint8_t)size;
    t.count = 1;
    t.addr = gpa;
    t.value = 0;
    t.data = NULL;
    cpu_trap(cpu, &t);
    return t.value;
}

static void mmio_write(struct cpu *cpu, gpa_t gpa, unsigned size, uint64_t val)
{
    struct trap t __attribute__((uninitialized));
    t.kind = TRAP_MMIO;
    t.write = true;
    t.size = (uint8_t)size;
    t.count = 1;
    t.addr = gpa;
    t.value = val;
    t.data = NULL;
    cpu_trap(cpu, &t);
}

static void copy_bytes(uint8_t *dst, const uint8_t *src, unsigned n)
{
    while (n--)
        *dst++ = *src++;
}

/* In one store where there is one: the instruction loads it at once, and as a whole. */
static void bytes_put(uint8_t *buf, uint64_t v, unsigned n)
{
    switch (n) {
    case 1: buf[0] = (uint8_t)v; break;
    case 2: le16_put(buf, (uint16_t)v); break;
    case 4: le32_put(buf, (uint32_t)v); break;
    case 8: le64_put(buf, v); break;
    default:
        for (unsigned i = 0; i < n; i++)
            buf[i] = (uint8_t)(v >> (8 * i));
    }
}

static void piece_read(struct cpu *cpu, struct place at, uint8_t *buf, unsigned n)
{
    if (at.host) {
        copy_bytes(buf, at.host, n);
        return;
    }
    while (n) { /* n <= 64: an instruction's operand */
        unsigned step = n >= 8 ? 8 : n;
        bytes_put(buf, mmio_read(cpu, at.gpa, step), step);
        buf += step;
        at.gpa += step;
        n -= step;
    }
}

/* Before a store off the fast path: what is patched there is put back, so that the guest changes
 * what it wrote itself (docs/mechanisms.md). */
static void patch_back(struct cpu *cpu, gpa_t gpa, unsigned n)
{
    const struct ram *ram = cpu->env->ram;
    bool live = !cpu->fpu_saved && !cpu->vec_saved;
    if (!(ram->page_flags[ram_page(ram, gpa)] & RAM_PATCH))
        return;
    if (live)
        cpu_vec_save(cpu);
    ram_original(cpu->env->ram, gpa, n);
    if (live)
        cpu_fpu_back(cpu);
}

/* After a store off the fast path, within one page. True: code of this vCPU is gone. */
static bool code_write(struct cpu *cpu, gpa_t gpa, unsigned n)
{
    bool others = cpu->env->vcpus > 1;
    if (others) { /* the store, then the look: the pair is in dbt_watch_page */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        patch_back(cpu, gpa, n); /* what another one patched since it was put back */
    }
    if (!has_code(cpu, gpa) || !cpu->dbt)
        return false;
    if (others)
        dbt_tell_written(cpu, gpa, n);
    return dbt_invalidate(cpu->dbt, gpa, n);
}

static bool piece_write(struct cpu *cpu, struct place at, const uint8_t *buf, unsigned n)
{
    if (at.host) {
        patch_back(cpu, at.gpa, n);
        switch (n) { /* one store where the guest's is one, for other CPUs to see */
        case 2:
            __atomic_store_n((uint16_t *)(void *)at.host, le16_get(buf), __ATOMIC_RELAXED);
            break;
        case 4:
            __atomic_store_n((uint32_t *)(void *)at.host, le32_get(buf), __ATOMIC_RELAXED);
            break;
        case 8:
            __atomic_store_n((uint64_t *)(void *)at.host, le64_get(buf), __ATOMIC_RELAXED);
            break;
        default: copy_bytes(at.host, buf, n);
        }
        return code_write(cpu, at.gpa, n);
    }
    while (n) {
        unsigned step = n >= 8 ? 8 : n;
        uint64_t v = 0;
        for (unsigned i = 0; i < step; i++)
            v |= (uint64_t)buf[i] << (8 * i);
        mmio_write(cpu, at.gpa, step, v);
        buf += step;
        at.gpa += step;
        n -= step;
    }
    return false;
}

static void watch_check(struct cpu *cpu, uint64_t lin, unsigned size, bool write)
{
    static const uint8_t len_of[4] = {1, 2, 8, 4};
    for (unsigned i = 0; i < 4; i++) {
        unsigned rw = cpu->dr[7] >> (16 + 4 * i) & 3, len = len_of[cpu->dr[7] >> (18 + 4 * i) & 3];
        if (!(cpu->dr[7] >> (2 * i) & 3) || rw == 0 || rw == 2 || (rw == 1 && !write))
            continue;
        uint64_t at = cpu->dr[i] & ~(uint64_t)(len - 1u);
        if (lin < at + len && at < lin + size) {
            cpu->dr[6] |= 1u << i;
            cpu->step_pending = true;
            cpu->exit_request = 1;
        }
    }
}

static void access_parts(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool user,
                         bool stack, struct place part[2], unsigned *first)
{
    *first = (unsigned)(PAGE - PAGE_OFF(lin));
    if (*first > size)
        *first = size;
    if (cpu->dr[7] & 0xff)
        watch_check(cpu, lin, size, write);
    part[0] = resolve(cpu, lin, write, user, stack);
    if (*first == size)
        return;
    bool wraps = lin <= UINT32_MAX && !((cpu->efer & EFER_LMA) && (cpu->seg[SEG_CS].attr & SEG_L));
    lin += *first;
    part[1] = resolve(cpu, wraps ? lin & UINT32_MAX : lin, write, user, stack);
}

uint8_t *mmu_slow(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool rmw, bool user,
                  bool stack)
{
    struct place *part = cpu->wb.part;
    unsigned first;
    cpu->wb.len = 0;
    cpu->wb.direct = false;
    access_parts(cpu, lin, size, write, user, stack, part, &first);
    if (first == size && part[0].host) {
        if (write && (has_code(cpu, part[0].gpa) || tlb_watched(cpu, PAGE_BASE(lin)))) {
            cpu->wb.direct = true; /* on memory itself, for locked ones; looked at afterwards */
            cpu->wb.len = size;
            patch_back(cpu, part[0].gpa, size);
        }
        return part[0].host;
    }
    uint8_t *b = cpu->bounce + (lin & 63); /* same alignment as the guest's address */
    if (write && rmw)
        dbt_exclusive(cpu, true);
    if (!write || rmw) {
        piece_read(cpu, part[0], b, first);
        if (first < size)
            piece_read(cpu, part[1], b + first, size - first);
    }
    if (write) {
        cpu->wb.lin = lin;
        cpu->wb.len = size;
        cpu->wb.first = first;
    }
    return b;
}

/* Several stores with no look in between. */
static bool window_writable(struct cpu *cpu, gpa_t gpa, unsigned size)
{
    return dbt_fast_write(cpu, gpa) ||
           (cpu->env->vcpus == 1 && !dbt_touches_code(cpu->dbt, gpa, size));
}

uint8_t *mmu_window(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool user)
{
    struct walk w;
    uint64_t page = PAGE_BASE(lin);
    if (PAGE_OFF(lin) + size > PAGE || !canonical(cpu, lin))
        return NULL;
    uint8_t *host = translate(cpu, page, write, user, &w);
    if (!host || (write && !window_writable(cpu, w.gpa | PAGE_OFF(lin), size)))
        return NULL;
    tlb_learn(cpu, user, page, &w, host);
    return host + PAGE_OFF(lin);
}

bool mmu_writeback(struct cpu *cpu)
{
    const struct place *part = cpu->wb.part;
    unsigned first = cpu->wb.first, size = cpu->wb.len;
    const uint8_t *b = cpu->bounce + (cpu->wb.lin & 63);
    if (!size)
        return false;
    cpu->wb.len = 0;
    if (cpu->wb.direct)
        return code_write(cpu, part[0].gpa, size);
    bool hit = piece_write(cpu, part[0], b, first);
    if (first < size && piece_write(cpu, part[1], b + first, size - first))
        hit = true;
    dbt_exclusive(cpu, false);
    return hit;
}

uint64_t mem_read(struct cpu *cpu, uint64_t lin, unsigned size, bool user)
{
    struct tlb_entry *e = &cpu->tlb[user][0][(lin >> 12) & (TLB_SETS - 1)];
    uint8_t buf[8] = {0};
    const uint8_t *p = buf;
    if (lin - e->tag <= PAGE - size) {
        p = (const uint8_t *)(lin - e->tag + e->host);
    } else {
        struct place part[2];
        unsigned first;
        access_parts(cpu, lin, size, false, user, false, part, &first);
        piece_read(cpu, part[0], buf, first);
        if (first < size)
            piece_read(cpu, part[1], buf + first, size - first);
    }
    switch (size) {
    case 1: return *p;
    case 2: return le16_get(p);
    case 4: return le32_get(p);
    default: return le64_get(p);
    }
}

void mem_write(struct cpu *cpu, uint64_t lin, unsigned size, uint64_t val, bool user)
{
    uint8_t buf[8];
    struct tlb_entry *e = &cpu->tlb[user][1][(lin >> 12) & (TLB_SETS - 1)];
    for (unsigned i = 0; i < 8; i++)
        buf[i] = (uint8_t)(val >> (8 * i));
    if (lin - e->tag <= PAGE - size) {
        uint8_t *p = (uint8_t *)(lin - e->tag + e->host);
        switch (size) {
        case 1: *p = buf[0]; return;
        case 2: le16_put(p, (uint16_t)val); return;
        case 4: le32_put(p, (uint32_t)val); return;
        default: le64_put(p, val); return;
        }
    }
    struct place part[2];
    unsigned first;
    access_parts(cpu, lin, size, true, user, false, part, &first);
    bool hit = piece_write(cpu, part[0], buf, first);
    if (first < size && piece_write(cpu, part[1], buf + first, size - first))
        hit = true;
    if (hit)
        cpu->exit_request = 1;
}

void mem_probe_write(struct cpu *cpu, uint64_t lin, unsigned len, bool user)
{
    resolve(cpu, lin, true, user, false);
    if (len && PAGE_OFF(lin) + len > PAGE)
        resolve(cpu, lin + len - 1, true, user, false);
}

uint8_t *mem_span(struct cpu *cpu, uint64_t lin, bool write, bool user, unsigned *room)
{
    struct tlb_entry *e = &cpu->tlb[user][write][(lin >> 12) & (TLB_SETS - 1)];
    *room = (unsigned)(PAGE - PAGE_OFF(lin));
    if (lin - e->tag < PAGE)
        return (uint8_t *)(lin - e->tag + e->host);
    struct place at = resolve(cpu, lin, write, user, false);
    if (!at.host || tlb_watched(cpu, PAGE_BASE(lin)) || (write && has_code(cpu, at.gpa)))
        return NULL;
    return at.host;
}
