/*
 * Local APIC: messages that arrive (from the I/O APIC, MSI, other CPUs), the interrupt command
 * register that sends them, and the two local pins. SDM 3, "Determining IPI Destination",
 * "Interrupt Command Register (ICR)", "Local Vector Table".
 */
#include "irq/lapic_impl.h"

#define BROADCAST  0xffu
#define DFR_FLAT   0xfu
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL  (1u << 15)
enum { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

static bool matches(const struct lapic *l, const struct apic_msg *msg)
{
    uint8_t set = (uint8_t)(l->ldr >> 24);

    if (msg->dest == BROADCAST)
        return true;
    if (!msg->logical)
        return l->id == msg->dest;
    if (l->dfr >> 28 == DFR_FLAT)
        return set & msg->dest;
    return (set & 0xf0) == (msg->dest & 0xf0) && (set & msg->dest & 0x0f);
}

static bool accept(struct lapic *l, const struct apic_msg *msg)
{
    if (!lapic_hw(l))
        return false;
    switch (msg->mode) {
    case APIC_FIXED:
    case APIC_LOWEST: return lapic_post(l, msg->vector, msg->level);
    case APIC_NMI: lapic_want_set(l, LAPIC_WANT_NMI); return true;
    case APIC_INIT:
        __atomic_fetch_and(&l->want, ~(unsigned)LAPIC_WANT_SIPI, __ATOMIC_RELAXED);
        lapic_want_set(l, LAPIC_WANT_INIT);
        return true;
    case APIC_SIPI:
        l->sipi = msg->vector;
        lapic_want_set(l, LAPIC_WANT_SIPI);
        return true;
    case APIC_EXTINT:
        l->ext = true;
        lapic_changed(l);
        return true;
    default: return false; /* SMI: there is no SMM here */
    }
}

/* The lowest priority of those addressed; equals take turns. */
static bool deliver_lowest(struct lapics *ls, const struct apic_msg *msg)
{
    struct lapic *best = NULL;

    for (unsigned i = 0; i < ls->o.vcpus; i++) {
        struct lapic *l = &ls->cpu[(ls->arb + i) % ls->o.vcpus];

        if (lapic_sw(l) && matches(l, msg) && (!best || lapic_ppr(l) < lapic_ppr(best)))
            best = l;
    }
    if (!best)
        return false;
    ls->arb = best->cpu + 1;
    return accept(best, msg);
}

bool lapic_deliver(void *opaque, const struct apic_msg *msg)
{
    struct lapics *ls = opaque;
    bool taken = false;

    if (msg->mode == APIC_LOWEST)
        return deliver_lowest(ls, msg);
    for (unsigned i = 0; i < ls->o.vcpus; i++)
        if (matches(&ls->cpu[i], msg))
            taken |= accept(&ls->cpu[i], msg);
    return taken;
}

/* ---- sending ---- */

static void icr_shorthand(struct lapic *l, const struct apic_msg *msg, unsigned to)
{
    for (unsigned i = 0; i < l->ls->o.vcpus; i++) {
        struct lapic *target = &l->ls->cpu[i];

        if (to == SHORT_ALL || (target == l) == (to == SHORT_SELF))
            accept(target, msg);
    }
}

/* The low half was written: send. */
void lapic_icr(struct lapic *l)
{
    uint32_t lo = l->icr_lo;
    unsigned to = lo >> 18 & 3;
    struct apic_msg msg = {
        .vector = (uint8_t)lo,
        .mode = lo >> 8 & 7,
        .dest = (uint8_t)(l->icr_hi >> 24),
        .logical = lo & (1u << 11),
    };

    /* INIT level de-assert did something on the APIC bus of the 1990s only. */
    if (msg.mode == APIC_INIT && (lo & ICR_LEVEL) && !(lo & ICR_ASSERT))
        return;
    if ((msg.mode == APIC_FIXED || msg.mode == APIC_LOWEST) && msg.vector < 16) {
        lapic_error(l, ESR_SEND_ILLEGAL);
        return;
    }
    if (to == SHORT_NONE)
        lapic_deliver(l->ls, &msg);
    else
        icr_shorthand(l, &msg, to);
}

/* ---- LINT0 and LINT1 ---- */

static void lint_fixed(struct lapic *l, unsigned pin, bool rose)
{
    uint32_t *lvt = &l->lvt[LVT_LINT0 + pin];

    if (pin == 0 && (*lvt & LVT_LEVEL)) { /* SDM: only LINT0 can be level-triggered */
        if (l->ls->lint[0] && !(*lvt & LVT_REMOTE_IRR) && lapic_post(l, (uint8_t)*lvt, true))
            *lvt |= LVT_REMOTE_IRR;
    } else if (rose) {
        lapic_post(l, (uint8_t)*lvt, false);
    }
}

void lapic_lint_eval(struct lapic *l, unsigned pin, bool rose)
{
    uint32_t lvt = l->lvt[LVT_LINT0 + pin];

    if (!lapic_hw(l)) { /* the pins are INTR and NMI of the boot CPU */
        if (pin == 1 && rose && l->cpu == 0)
            lapic_want_set(l, LAPIC_WANT_NMI);
        return;
    }
    if (lvt & LVT_MASKED)
        return;
    switch (LVT_MODE(lvt)) {
    case APIC_FIXED: lint_fixed(l, pin, rose); break;
    case APIC_NMI:
        if (rose)
            lapic_want_set(l, LAPIC_WANT_NMI);
        break;
    case APIC_INIT:
        if (rose)
            lapic_want_set(l, LAPIC_WANT_INIT);
        break;
    default: break; /* ExtINT is asked for by lapic_extint */
    }
}

void lapic_lint(struct lapics *ls, unsigned pin, bool level)
{
    bool rose = level && !ls->lint[pin];

    ls->lint[pin] = level;
    for (unsigned i = 0; i < ls->o.vcpus; i++) {
        lapic_lint_eval(&ls->cpu[i], pin, rose);
        lapic_changed(&ls->cpu[i]);
    }
}

bool lapic_extint(const struct lapics *ls, unsigned vcpu)
{
    const struct lapic *l = &ls->cpu[vcpu];
    uint32_t lvt = l->lvt[LVT_LINT0];

    if (!lapic_hw(l))
        return vcpu == 0;
    return l->ext || (!(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT);
}

void lapic_extint_over(struct lapics *ls)
{
    for (unsigned i = 0; i < ls->o.vcpus; i++)
        ls->cpu[i].ext = false;
}
