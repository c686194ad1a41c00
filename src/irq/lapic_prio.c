/*
 * Local APIC: what is requested (IRR), what is in service (ISR), and which of them the processor
 * takes next. SDM 3, "Interrupt, Task, and Processor Priority" and "Interrupt Acceptance for
 * Fixed Interrupts".
 */
#include "irq/lapic_impl.h"
#include <string.h>

static void bit_put(uint32_t *set, unsigned vector, bool on)
{
    uint32_t bit = 1u << (vector & 31);

    set[vector >> 5] = on ? set[vector >> 5] | bit : set[vector >> 5] & ~bit;
}

static bool bit_get(const uint32_t *set, unsigned vector)
{
    return set[vector >> 5] >> (vector & 31) & 1;
}

static int highest(const uint32_t *set)
{
    for (int i = 7; i >= 0; i--)
        if (set[i])
            return i * 32 + 31 - __builtin_clz(set[i]);
    return -1;
}

unsigned lapic_ppr(const struct lapic *l)
{
    int serving = highest(l->isr);
    unsigned isrv = serving < 0 ? 0 : (unsigned)serving & 0xf0;

    return (l->tpr & 0xf0) >= isrv ? l->tpr : isrv;
}

int lapic_pending(const struct lapics *ls, unsigned vcpu)
{
    const struct lapic *l = &ls->cpu[vcpu];
    int vector = lapic_hw(l) ? highest(l->irr) : -1;

    return vector >= 0 && ((unsigned)vector & 0xf0) > (lapic_ppr(l) & 0xf0) ? vector : -1;
}

int lapic_ack(struct lapics *ls, unsigned vcpu)
{
    struct lapic *l = &ls->cpu[vcpu];
    int vector = lapic_pending(ls, vcpu);

    if (vector < 0)
        return -1;
    bit_put(l->irr, (unsigned)vector, false);
    bit_put(l->isr, (unsigned)vector, true);
    return vector;
}

bool lapic_post(struct lapic *l, uint8_t vector, bool level)
{
    if (!lapic_sw(l))
        return false;
    if (vector < 16) {
        lapic_error(l, ESR_RECV_ILLEGAL);
        return false;
    }
    bit_put(l->irr, vector, true);
    bit_put(l->tmr, vector, level);
    lapic_changed(l);
    return true;
}

bool lapic_waits(const struct lapics *ls, uint8_t vector)
{
    for (unsigned i = 0; i < ls->o.vcpus; i++)
        if (ls->cpu[i].irr[vector / 32] >> vector % 32 & 1)
            return true;
    return false;
}

void lapic_eoi(struct lapic *l)
{
    int vector = highest(l->isr);

    if (vector < 0)
        return;
    bit_put(l->isr, (unsigned)vector, false);
    if (bit_get(l->tmr, (unsigned)vector)) {
        if ((l->lvt[LVT_LINT0] & LVT_REMOTE_IRR) && (uint8_t)l->lvt[LVT_LINT0] == vector) {
            l->lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
            lapic_lint_eval(l, 0, false);
        }
        l->ls->o.eoi(l->ls->o.ctx, (uint8_t)vector);
    }
    lapic_changed(l);
}

/* Bits already waiting raise no second interrupt, so an error LVT with an illegal vector ends. */
void lapic_error(struct lapic *l, uint32_t bits)
{
    uint32_t lvt = l->lvt[LVT_ERROR];

    if (!(bits & ~l->esr_next))
        return;
    l->esr_next |= bits;
    if (!(lvt & LVT_MASKED))
        lapic_post(l, (uint8_t)lvt, false);
}

/* ---- NMI, INIT, SIPI: not vectors but requests ---- */

void lapic_want_set(struct lapic *l, unsigned bits)
{
    __atomic_fetch_or(&l->want, bits, __ATOMIC_RELEASE);
    lapic_changed(l);
}

unsigned lapic_want(struct lapics *ls, unsigned vcpu, unsigned take)
{
    unsigned *want = &ls->cpu[vcpu].want;

    if (!(__atomic_load_n(want, __ATOMIC_RELAXED) & take))
        return 0;
    return __atomic_fetch_and(want, ~take, __ATOMIC_ACQUIRE) & take;
}

unsigned lapic_wanted(const struct lapics *ls, unsigned vcpu)
{
    return __atomic_load_n(&ls->cpu[vcpu].want, __ATOMIC_RELAXED);
}

uint8_t lapic_sipi_vector(const struct lapics *ls, unsigned vcpu)
{
    return ls->cpu[vcpu].sipi;
}

/* ---- CR8 ---- */

unsigned lapic_tpr(const struct lapics *ls, unsigned vcpu)
{
    return __atomic_load_n(&ls->cpu[vcpu].tpr, __ATOMIC_RELAXED) >> 4;
}

void lapic_set_tpr(struct lapics *ls, unsigned vcpu, unsigned tpr)
{
    struct lapic *l = &ls->cpu[vcpu];

    __atomic_store_n(&l->tpr, (tpr & 15) << 4, __ATOMIC_RELAXED);
    lapic_changed(l);
}
