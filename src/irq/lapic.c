/*
 * Local APICs in xAPIC mode: registers, MSRs, life. Intel SDM volume 3, chapter "Advanced
 * Programmable Interrupt Controller"; version 0x14 (Pentium 4 and later), six LVT entries.
 * Left out: x2APIC mode, suppression of EOI broadcasts, CMCI, SMI.
 */
#include "irq/lapic_impl.h"
#include "core/ledger.h"
#include "core/state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { /* offsets of registers; each has 16 bytes to itself */
       ID = 0x20,
       VERSION = 0x30,
       TPR = 0x80,
       APR = 0x90,
       PPR = 0xa0,
       EOI = 0xb0,
       RRD = 0xc0,
       LDR = 0xd0,
       DFR = 0xe0,
       SVR = 0xf0,
       ISR = 0x100,
       TMR = 0x180,
       IRR = 0x200,
       ESR = 0x280,
       ICR_LO = 0x300,
       ICR_HI = 0x310,
       LVT = 0x320,
       TMICT = 0x380,
       TMCCT = 0x390,
       TDCR = 0x3e0,
       PAGE = 0x1000,
};
#define VERSION_VALUE (0x14u | (LVTS - 1) << 16)
#define ICR_WRITABLE  0x000ccfffu

static const uint32_t lvt_writable[LVTS] = {
    [LVT_TIMER] = 0x000700ff, [LVT_THERMAL] = 0x000107ff, [LVT_PERF] = 0x000107ff,
    [LVT_LINT0] = 0x0001a7ff, [LVT_LINT1] = 0x0001a7ff,   [LVT_ERROR] = 0x000100ff,
};

/* ---- registers ---- */

static void lvt_write(struct lapic *l, unsigned i, uint32_t val)
{
    uint32_t old = l->lvt[i], keep = old & LVT_REMOTE_IRR;

    val &= lvt_writable[i];
    if (!(l->svr & SVR_ENABLED))
        val |= LVT_MASKED;
    if (i == LVT_TIMER && ((val & LVT_TIMER_MODE) == LVT_TIMER_MODE ||
                           ((val & LVT_TIMER_MODE) == TIMER_DEADLINE && !l->ls->o.tsc_to_ns)))
        val &= ~LVT_TIMER_MODE; /* reserved here: taken as one-shot */
    l->lvt[i] = val | ((val & LVT_LEVEL) ? keep : 0);
    if (i == LVT_TIMER)
        lapic_timer_lvt(l, old);
    else if (i == LVT_LINT0 || i == LVT_LINT1)
        lapic_lint_eval(l, i - LVT_LINT0, false);
    lapic_changed(l);
}

static void svr_write(struct lapic *l, uint32_t val)
{
    l->svr = val & (SVR_ENABLED | 0x2ff);
    if (l->svr & SVR_ENABLED)
        return;
    for (unsigned i = 0; i < LVTS; i++)
        lvt_write(l, i, l->lvt[i] | LVT_MASKED);
}

static void lapic_write(void *dev, uint64_t off, unsigned size, uint64_t wide)
{
    struct lapic *l = dev;
    uint32_t val = (uint32_t)wide;

    (void)size;
    switch (off) {
    case ID: l->id = val >> 24; break;
    case TPR:
        __atomic_store_n(&l->tpr, val & 0xff, __ATOMIC_RELAXED);
        lapic_changed(l);
        break;
    case EOI: lapic_eoi(l); break;
    case LDR: l->ldr = val & 0xff000000; break;
    case DFR: l->dfr = val | 0x0fffffff; break;
    case SVR: svr_write(l, val); break;
    case ESR: /* a write moves what has gathered into view */
        l->esr = l->esr_next;
        l->esr_next = 0;
        break;
    case ICR_LO:
        l->icr_lo = val & ICR_WRITABLE;
        lapic_icr(l);
        break;
    case ICR_HI: l->icr_hi = val & 0xff000000; break;
    case LVT + 0x00:
    case LVT + 0x10:
    case LVT + 0x20:
    case LVT + 0x30:
    case LVT + 0x40:
    case LVT + 0x50: lvt_write(l, (unsigned)(off - LVT) / 16, val); break;
    case TMICT: lapic_timer_count(l, val); break;
    case TDCR: lapic_timer_divide(l, val); break;
    default: lapic_error(l, ESR_REGISTER); break;
    }
}

static uint64_t lapic_read(void *dev, uint64_t off, unsigned size)
{
    struct lapic *l = dev;

    (void)size;
    switch (off) {
    case ID: return l->id << 24;
    case VERSION: return VERSION_VALUE;
    case TPR: return l->tpr;
    case APR:
    case EOI:
    case RRD: return 0;
    case PPR: return lapic_ppr(l);
    case LDR: return l->ldr;
    case DFR: return l->dfr;
    case SVR: return l->svr;
    case ESR: return l->esr;
    case ICR_LO: return l->icr_lo; /* delivery status is always idle */
    case ICR_HI: return l->icr_hi;
    case TMICT: return l->tmict;
    case TMCCT: return lapic_timer_current(l);
    case TDCR: return l->tdcr;
    default: break;
    }
    if (off >= ISR && off < ESR && !(off & 15)) {
        const uint32_t *set = off < TMR ? l->isr : off < IRR ? l->tmr : l->irr;

        return set[off >> 4 & 7];
    }
    if (off >= LVT && off < TMICT && !(off & 15))
        return l->lvt[(off - LVT) / 16];
    lapic_error(l, ESR_REGISTER);
    return 0;
}

static const struct io_ops lapic_ops = {.read = lapic_read, .write = lapic_write, .sizes = 4};

struct io_region *lapic_page(struct lapics *ls, unsigned vcpu)
{
    return vcpu < ls->o.vcpus ? &ls->cpu[vcpu].page : NULL;
}

/* ---- reset ---- */

static void page_update(struct lapic *l)
{
    l->page.base = l->apic_base & APIC_BASE_ADDR;
    l->page.len = lapic_hw(l) ? PAGE : 0;
}

/* SDM 3, "Local APIC State After Power-Up or Reset"; an INIT keeps the ID. */
static void regs_reset(struct lapic *l)
{
    l->tpr = l->ldr = l->esr = l->esr_next = l->icr_lo = l->icr_hi = 0;
    l->dfr = UINT32_MAX;
    l->svr = 0xff;
    l->tmict = l->tdcr = 0;
    memset(l->isr, 0, sizeof(l->isr));
    memset(l->irr, 0, sizeof(l->irr));
    memset(l->tmr, 0, sizeof(l->tmr));
    for (unsigned i = 0; i < LVTS; i++)
        l->lvt[i] = LVT_MASKED;
    lapic_timer_stop(l);
}

void lapic_init_cpu(struct lapics *ls, unsigned vcpu)
{
    regs_reset(&ls->cpu[vcpu]);
    lapic_changed(&ls->cpu[vcpu]);
}

static void cpu_reset(struct lapic *l)
{
    const struct lapic_opts *o = &l->ls->o;

    regs_reset(l);
    l->id = l->cpu;
    l->apic_base = o->base ? o->base | APIC_BASE_ENABLE : 0;
    if (l->cpu == 0)
        l->apic_base |= APIC_BASE_BSP;
    l->sipi = 0;
    l->ext = false;
    __atomic_store_n(&l->want, 0, __ATOMIC_RELAXED);
    if (o->virtual_wire && l->cpu == 0) {
        l->svr |= SVR_ENABLED;
        l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
        l->lvt[LVT_LINT1] = APIC_NMI << 8;
    }
    page_update(l);
}

static void lapics_reset(void *dev)
{
    struct lapics *ls = dev;

    for (unsigned i = 0; i < ls->o.vcpus; i++)
        cpu_reset(&ls->cpu[i]);
    for (unsigned i = 0; i < ls->o.vcpus; i++)
        lapic_changed(&ls->cpu[i]);
}

/* ---- MSRs ---- */

int lapic_msr_read(struct lapics *ls, unsigned vcpu, uint32_t msr, uint64_t *val)
{
    const struct lapic *l = &ls->cpu[vcpu];

    if (msr == MSR_APIC_BASE && ls->o.base) {
        *val = l->apic_base;
        return 0;
    }
    if (msr == MSR_TSC_DEADLINE && ls->o.base && ls->o.tsc_to_ns) {
        *val = l->deadline;
        return 0;
    }
    return -1;
}

static int apic_base_write(struct lapic *l, uint64_t val)
{
    bool was = lapic_hw(l);

    /* x2APIC is not claimed in CPUID, so its bit is reserved; the BSP bit is not the guest's. */
    if (val & ~(APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_BSP))
        return -1;
    l->apic_base = (val & ~(uint64_t)APIC_BASE_BSP) | (l->apic_base & APIC_BASE_BSP);
    if (was && !lapic_hw(l))
        regs_reset(l);
    page_update(l);
    lapic_changed(l);
    return 0;
}

int lapic_msr_write(struct lapics *ls, unsigned vcpu, uint32_t msr, uint64_t val)
{
    struct lapic *l = &ls->cpu[vcpu];

    if (msr == MSR_APIC_BASE && ls->o.base)
        return apic_base_write(l, val);
    if (msr == MSR_TSC_DEADLINE && ls->o.base && ls->o.tsc_to_ns) {
        lapic_timer_deadline(l, val);
        return 0;
    }
    return -1;
}

/* ---- state ---- */

static void set_state(uint32_t *set, struct state *st)
{
    for (unsigned i = 0; i < 8; i++)
        state_u32(st, &set[i]);
    set[0] &= 0xffff0000; /* vectors below 16 are never accepted */
}

static void lvt_state(struct lapic *l, struct state *st)
{
    for (unsigned i = 0; i < LVTS; i++) {
        state_u32(st, &l->lvt[i]);
        l->lvt[i] &= lvt_writable[i] | (i == LVT_LINT0 ? LVT_REMOTE_IRR : 0);
    }
    state_check(st, (l->lvt[LVT_TIMER] & LVT_TIMER_MODE) != LVT_TIMER_MODE);
    if (!l->ls->o.tsc_to_ns)
        state_check(st, (l->lvt[LVT_TIMER] & LVT_TIMER_MODE) != TIMER_DEADLINE);
}

static void cpu_state(struct lapic *l, struct state *st)
{
    uint64_t base = l->apic_base;

    state_u64(st, &base);
    if (state_check(st, !(base & ~(APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_BSP))) && st->load)
        l->apic_base = base;
    state_u32(st, &l->id);
    state_u32(st, &l->tpr);
    state_u32(st, &l->ldr);
    state_u32(st, &l->dfr);
    state_u32(st, &l->svr);
    state_u32(st, &l->esr);
    state_u32(st, &l->esr_next);
    state_u32(st, &l->icr_lo);
    state_u32(st, &l->icr_hi);
    state_u32(st, &l->want);
    l->want &= LAPIC_WANT_NMI | LAPIC_WANT_INIT | LAPIC_WANT_SIPI;
    state_u8(st, &l->sipi);
    state_bool(st, &l->ext);
    set_state(l->isr, st);
    set_state(l->irr, st);
    set_state(l->tmr, st);
    lvt_state(l, st);
    l->id &= 0xff;
    l->tpr &= 0xff;
    lapic_timer_state(l, st);
    page_update(l);
}

static void lapics_state(void *dev, struct state *st)
{
    struct lapics *ls = dev;
    uint32_t vcpus = ls->o.vcpus;

    state_section(st, "lapic", 1);
    state_u32(st, &vcpus);
    state_bool(st, &ls->lint[0]);
    state_bool(st, &ls->lint[1]);
    if (!state_check(st, vcpus == ls->o.vcpus))
        return;
    for (unsigned i = 0; i < ls->o.vcpus; i++)
        cpu_state(&ls->cpu[i], st);
    for (unsigned i = 0; st->load && i < ls->o.vcpus; i++)
        lapic_changed(&ls->cpu[i]);
}

/* ---- create ---- */

static void lapics_destroy(void *dev)
{
    struct lapics *ls = dev;

    for (unsigned i = 0; i < ls->o.vcpus; i++)
        loop_timer_stop(&ls->cpu[i].timer);
    free(ls);
}

static int cpu_create(struct lapics *ls, unsigned i)
{
    struct lapic *l = &ls->cpu[i];
    char name[16];

    snprintf(name, sizeof(name), "lapic%u", i);
    l->ls = ls;
    l->cpu = i;
    loop_timer_init(&l->timer, ls->env.loop, lapic_timer_fire, l);
    l->page = (struct io_region){.name = "lapic",
                                 .ops = &lapic_ops,
                                 .dev = l,
                                 .lock = ls->env.lock,
                                 .space = BUS_MMIO,
                                 .row = ledger_row(ls->env.ledger, LEDGER_MMIO, name, "regs")};
    return l->page.row ? 0 : -ENOMEM;
}

int lapic_create(struct lapics **out, const struct dev_env *env, const struct lapic_opts *o)
{
    struct lapics *ls;
    int err = 0;

    if (o->vcpus == 0 || o->vcpus > LAPIC_MAX || (o->base && !o->timer_hz))
        return -EINVAL;
    ls = calloc(1, sizeof(*ls) + o->vcpus * sizeof(ls->cpu[0]));
    if (!ls)
        return -ENOMEM;
    ls->env = *env;
    ls->o = *o;
    for (unsigned i = 0; i < o->vcpus && !err; i++)
        err = cpu_create(ls, i);
    if (err) {
        lapics_destroy(ls);
        return err;
    }
    for (unsigned i = 0; i < o->vcpus; i++)
        cpu_reset(&ls->cpu[i]);
    *out = ls;
    return 0;
}

const struct dev_class lapic_class = {
    .name = "lapic",
    .summary = "local APICs, one a vCPU",
    .reset = lapics_reset,
    .state = lapics_state,
    .destroy = lapics_destroy,
};
