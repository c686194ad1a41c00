/*
 * Local APIC timer: one-shot, periodic and TSC-deadline. SDM 3, "APIC Timer". The count is never
 * stored while it runs: it follows from the time left until `due`. Masked, the timer goes on but
 * asks the loop for nothing.
 */
#include "irq/lapic_impl.h"
#include "core/state.h"

#define NS 1000000000u
#define PERIOD_FLOOR                                                                               \
    20000u /* ns: a guest may ask for 1, the host's event loop has others to serve */

static unsigned divider(const struct lapic *l)
{
    unsigned code = (l->tdcr & 3) | (l->tdcr >> 1 & 4);

    return code == 7 ? 1 : 2u << code;
}

static uint32_t mode(const struct lapic *l)
{
    return l->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* 32 bits of count, 7 of divider, 30 of NS: 69 bits, so 128-bit arithmetic. */
static uint64_t count_ns(const struct lapic *l, uint32_t count)
{
    unsigned __int128 ns = (unsigned __int128)count * divider(l) * NS / l->ls->o.timer_hz;

    return (uint64_t)ns;
}

static uint64_t period(const struct lapic *l)
{
    uint64_t ns = count_ns(l, l->tmict);

    return ns < PERIOD_FLOOR ? PERIOD_FLOOR : ns;
}

static void arm(struct lapic *l)
{
    if (l->due && !(l->lvt[LVT_TIMER] & LVT_MASKED))
        loop_timer_set(&l->timer, l->due);
    else
        loop_timer_stop(&l->timer);
}

void lapic_timer_stop(struct lapic *l)
{
    l->due = 0;
    l->deadline = 0;
    loop_timer_stop(&l->timer);
}

/* A periodic timer that is late (masked, or the host was) skips to the next expiry in phase. */
static void advance(struct lapic *l, uint64_t now)
{
    uint64_t p = period(l);

    if (l->due <= now)
        l->due += (now - l->due) / p * p + p;
}

void lapic_timer_fire(void *opaque)
{
    struct lapic *l = opaque;
    uint32_t lvt = l->lvt[LVT_TIMER];

    if (!l->due)
        return;
    if (mode(l) == TIMER_PERIODIC)
        advance(l, loop_now(l->ls->env.loop));
    else
        lapic_timer_stop(l);
    arm(l);
    if (!(lvt & LVT_MASKED))
        lapic_post(l, (uint8_t)lvt, false);
}

static void start(struct lapic *l, uint64_t ns)
{
    l->due = loop_now(l->ls->env.loop) + (ns ? ns : 1); /* 0 would read as stopped */
    arm(l);
}

void lapic_timer_count(struct lapic *l, uint32_t val)
{
    if (mode(l) == TIMER_DEADLINE)
        return;
    l->tmict = val;
    if (!val)
        lapic_timer_stop(l);
    else
        start(l, mode(l) == TIMER_PERIODIC ? period(l) : count_ns(l, val));
}

uint32_t lapic_timer_current(const struct lapic *l)
{
    uint64_t now = loop_now(l->ls->env.loop), left, p;
    unsigned __int128 count;

    if (!l->due || mode(l) == TIMER_DEADLINE)
        return 0;
    if (l->due > now) {
        left = l->due - now;
    } else if (mode(l) == TIMER_PERIODIC) {
        p = period(l);
        left = p - (now - l->due) % p;
    } else {
        return 0;
    }
    count = (unsigned __int128)left * l->ls->o.timer_hz / NS / divider(l);
    return count > l->tmict ? l->tmict : (uint32_t)count;
}

/* The count goes on from where it is, at the new pace. */
void lapic_timer_divide(struct lapic *l, uint32_t val)
{
    uint32_t count = lapic_timer_current(l);

    l->tdcr = val & 0xb;
    if (count)
        start(l, count_ns(l, count));
}

/* Entering or leaving deadline mode disarms; between the others the count goes on. */
void lapic_timer_lvt(struct lapic *l, uint32_t old)
{
    bool was = (old & LVT_TIMER_MODE) == TIMER_DEADLINE;
    uint64_t now = loop_now(l->ls->env.loop);

    if (was != (mode(l) == TIMER_DEADLINE))
        lapic_timer_stop(l);
    if (l->due && mode(l) == TIMER_PERIODIC)
        advance(l, now);
    else if (l->due && l->due <= now && (old & LVT_MASKED))
        lapic_timer_stop(l); /* it expired while masked: nothing is kept */
    arm(l);
}

void lapic_timer_deadline(struct lapic *l, uint64_t tsc)
{
    const struct lapic_opts *o = &l->ls->o;

    if (mode(l) != TIMER_DEADLINE)
        return;
    lapic_timer_stop(l);
    if (!tsc)
        return;
    l->deadline = tsc;
    l->due = o->tsc_to_ns(o->tsc_ctx, l->cpu, tsc);
    if (!l->due)
        l->due = 1;
    /* A deadline already gone by needs no way round by the loop's thread. */
    if (l->due <= loop_now(l->ls->env.loop))
        lapic_timer_fire(l);
    else
        arm(l);
}

void lapic_timer_state(struct lapic *l, struct state *st)
{
    uint64_t now = loop_now(l->ls->env.loop);
    uint64_t left = !l->due ? 0 : l->due > now ? l->due - now : 1;

    state_u32(st, &l->tmict);
    state_u32(st, &l->tdcr);
    state_u64(st, &l->deadline);
    state_u64(st, &left);
    if (!st->load || st->err)
        return;
    l->tdcr &= 0xb;
    l->due = !left ? 0 : left < UINT64_MAX - now ? now + left : UINT64_MAX;
    if (mode(l) == TIMER_DEADLINE && l->deadline && l->ls->o.tsc_to_ns)
        l->due = l->ls->o.tsc_to_ns(l->ls->o.tsc_ctx, l->cpu, l->deadline);
    arm(l);
}
