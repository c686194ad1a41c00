/* The patcher's little machine: see patch_world.h. */
#include "patch_world.h"
#include "core/ledger.h"
#include "mem/peek.h"
#include "trap/paging.h"
#include "trap/patch_insn.h"

#include <string.h>

/* ---- the registers ---- */

static void log_add(struct pw *w, uint64_t off, unsigned size, bool write, uint64_t val)
{
    unsigned i = w->logged++ % PW_LOG;

    w->log[i].off = off;
    w->log[i].size = size;
    w->log[i].write = write;
    w->log[i].val = val;
}

static uint64_t cell_read(void *dev, uint64_t off, unsigned size)
{
    struct pw *w = dev;
    uint64_t v = 0;

    memcpy(&v, w->cell + off, size);
    log_add(w, off, size, false, v);
    return v;
}

static void cell_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pw *w = dev;

    memcpy(w->cell + off, &val, size);
    log_add(w, off, size, true, val);
}

static const struct io_ops ops = {cell_read, cell_write, .sizes = 1 | 2 | 4 | 8, .split = true};

/* ---- making ---- */

static uint64_t rip_mask(const struct pw *w)
{
    unsigned attr = w->r.seg[SEG_CS].attr;

    return attr & 1 << 13 ? UINT64_MAX : attr & 1 << 14 ? UINT32_MAX : 0xffff;
}

static enum trap_rip regs(void *ctx, unsigned vcpu, struct cpu_regs *r)
{
    struct pw *w = ctx;

    (void)vcpu;
    *r = w->at;
    if (w->where == TRAP_RIP_EITHER && w->out)
        return TRAP_RIP_EITHER;
    return w->at.rip == w->r.rip ? TRAP_RIP_AT : TRAP_RIP_BEHIND;
}

static void settle(void *ctx, unsigned vcpu, struct cpu_regs *r)
{
    struct pw *w = ctx;

    (void)vcpu;
    if (w->at.rip == w->r.rip)
        w->at.rip = (w->at.rip + 2) & rip_mask(w);
    w->r.rip = w->at.rip;
    w->settled = true;
    *r = w->at;
}

static void resume(void *ctx, unsigned vcpu, const struct cpu_regs *r)
{
    struct pw *w = ctx;

    (void)vcpu;
    w->r = *r;
    w->resumed = true;
}

bool pw_open(struct pw *w, bool patch)
{
    const struct patch_cpu cpu = {regs, settle, NULL, resume, w};

    memset(w, 0, sizeof(*w));
    if (ram_open(&w->ram, PW_RAM))
        return false;
    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    w->region = (struct io_region){
        .name = "cells", .ops = &ops, .dev = w, .space = BUS_MMIO, .base = PW_REGS, .len = PW_LEN};
    bus_map(w->bus, &w->region);
    if (patch) {
        w->patch = patch_open(&w->ram, w->bus, &cpu);
        patch_cover(w->patch, PW_REGS, PW_LEN);
    }
    pw_mode(w, PW_64);
    return true;
}

void pw_close(struct pw *w)
{
    patch_close(w->patch);
    bus_close(w->bus);
    ledger_close(w->ledger);
    ram_close(&w->ram);
}

void pw_mode(struct pw *w, enum pw_mode mode)
{
    static const uint16_t code[PW_MODES] = {0xa09b, 0xc09b, 0x009b, 0x009b};
    struct cpu_regs *r = &w->r;

    for (unsigned i = 0; i < 6; i++)
        r->seg[i] = (struct cpu_seg){.attr = 0xc093, .limit = UINT32_MAX};
    r->seg[SEG_CS] = (struct cpu_seg){.attr = code[mode], .limit = UINT32_MAX};
    r->cr0 = mode == PW_REAL ? 0 : 1;
    r->efer = mode == PW_64 ? 0x500 : 0;
    r->rflags = 2;
    if (mode == PW_64) { /* one page of 1 GiB for RAM, one for the registers, at the end of RAM */
        uint8_t *top = ram_ptr(&w->ram, PW_RAM - 8192, 8192);

        memset(top, 0, 8192);
        le64_put(top, PW_RAM - 4096 + 0x23);
        le64_put(top + 4096, 0xe3);
        le64_put(top + 4096 + 24, 0xc00000e3);
        r->cr3 = PW_RAM - 8192;
        r->cr0 |= 0x80000000;
    }
}

/* ---- running ---- */

void pw_write(struct pw *w, gpa_t gpa, const void *buf, size_t n)
{
    uint8_t *to = ram_ptr(&w->ram, gpa, n);

    if (!to)
        return;
    ram_original(&w->ram, gpa, n);
    memcpy(to, buf, n);
}

static void step_out(struct pw *w, const uint8_t *bytes)
{
    struct trap t = {.kind = TRAP_PIO, .write = true, .count = 1, .addr = bytes[1]};

    t.size = bytes[0] == 0xe6 ? 1 : 4;
    w->at = w->r;
    if (w->where == TRAP_RIP_BEHIND || (w->where == TRAP_RIP_EITHER && w->flip++ % 2))
        w->at.rip = (w->r.rip + 2) & rip_mask(w);
    w->resumed = w->settled = false;
    w->out = true;
    if (w->patch && patch_take(w->patch, 0, &t)) {
        w->patched++;
        w->out = false;
        return;
    }
    w->out = false;
    w->outs++;
    if (w->settled)
        return;
    w->r.rip = (w->r.rip + 2) & rip_mask(w);
}

static void access_mmio(struct pw *w, const struct patch_insn *i, gpa_t gpa)
{
    struct trap t = {
        .kind = TRAP_MMIO, .write = i->write, .size = i->size, .count = 1, .addr = gpa};
    bool behind = i->write && w->where != TRAP_RIP_AT;

    w->mmio++;
    w->at = w->r;
    if (behind)
        w->at.rip = (w->r.rip + i->len) & rip_mask(w);
    if (i->write)
        bus_write(w->bus, BUS_MMIO, gpa, i->size, t.value = patch_value(i, &w->r));
    else
        t.value = bus_read(w->bus, BUS_MMIO, gpa, i->size);
    if (w->patch && patch_covers(w->patch, gpa))
        patch_learn(w->patch, 0, &t);
    if (!i->write)
        patch_load(i, &w->r, t.value);
}

static bool access_ram(struct pw *w, const struct patch_insn *i, gpa_t gpa)
{
    uint64_t v = 0;

    if (i->write) {
        v = patch_value(i, &w->r);
        if (!ram_ptr(&w->ram, gpa, i->size))
            return false;
        pw_write(w, gpa, &v, i->size);
        return true;
    }
    w->read_ram = true;
    if (!ram_peek(&w->ram, gpa, &v, i->size))
        return false;
    patch_load(i, &w->r, v);
    return true;
}

bool pw_step(struct pw *w)
{
    uint8_t bytes[PATCH_INSN_MAX];
    struct patch_insn i;
    uint64_t lin = w->r.seg[SEG_CS].base + w->r.rip;
    gpa_t gpa;

    w->read_ram = false;
    if (!paging_find(&w->ram, &w->r, lin, PAGING_FETCH, &gpa) ||
        !ram_peek(&w->ram, gpa, bytes, sizeof(bytes)))
        return false;
    if (bytes[0] == 0xe6 || bytes[0] == 0xe7) {
        step_out(w, bytes);
        return true;
    }
    if (!patch_decode(&w->r, bytes, sizeof(bytes), &i) ||
        !patch_operand(&i, &w->r, w->r.rip, &lin) ||
        !paging_find(&w->ram, &w->r, lin, i.write ? PAGING_WRITE : 0, &gpa))
        return false;
    if (!ram_ptr(&w->ram, gpa, 1))
        access_mmio(w, &i, gpa);
    else if (!access_ram(w, &i, gpa))
        return false;
    w->r.rip = (w->r.rip + i.len) & rip_mask(w);
    return true;
}
