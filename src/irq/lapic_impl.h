/*
 * The local APIC's state, shared by its files: lapic.c (registers, MSRs, life), lapic_prio.c
 * (IRR, ISR, priorities), lapic_msg.c (messages, ICR, LINT pins), lapic_timer.c.
 * Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller", is followed
 * throughout; section titles are cited as they appear there.
 */
#ifndef IRQ_LAPIC_IMPL_H
#define IRQ_LAPIC_IMPL_H

#include "bus/bus.h"
#include "core/loop.h"
#include "irq/lapic.h"

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
#define LVT_MASKED     (1u << 16)
#define LVT_LEVEL      (1u << 15)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_MODE(lvt)  ((lvt) >> 8 & 7)
#define LVT_TIMER_MODE (3u << 17)
enum { TIMER_ONESHOT = 0, TIMER_PERIODIC = 1u << 17, TIMER_DEADLINE = 2u << 17 };

#define SVR_ENABLED (1u << 8)
enum { ESR_SEND_ILLEGAL = 0x20, ESR_RECV_ILLEGAL = 0x40, ESR_REGISTER = 0x80 };

#define APIC_BASE_BSP    (1u << 8)
#define APIC_BASE_X2     (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_ADDR   0xffffffffff000ull
#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u

struct lapic {
    struct lapics *ls;
    unsigned cpu;
    uint64_t apic_base; /* the MSR */
    uint32_t id, tpr, ldr, dfr, svr, esr, esr_next, icr_lo, icr_hi;
    uint32_t lvt[LVTS];
    uint32_t tmict, tdcr;
    uint32_t isr[8], irr[8], tmr[8];
    uint64_t deadline; /* IA32_TSC_DEADLINE; 0: disarmed */
    uint64_t due;      /* VM time of the timer's next expiry; 0: stopped */
    unsigned want;     /* LAPIC_WANT_*; atomic: tested by the vCPU thread with no lock */
    uint8_t sipi;
    bool ext; /* an ExtINT message came: the PIC's vector is this CPU's to take */
    struct loop_timer timer;
    struct io_region page;
};

struct lapics {
    struct dev_env env;
    struct lapic_opts o;
    bool lint[2];       /* levels of the pins, the same at every CPU */
    unsigned arb;       /* where the next lowest-priority search starts */
    struct lapic cpu[]; /* o.vcpus */
};

static inline bool lapic_hw(const struct lapic *l)
{
    return l->apic_base & APIC_BASE_ENABLE;
}

static inline bool lapic_sw(const struct lapic *l)
{
    return lapic_hw(l) && (l->svr & SVR_ENABLED);
}

static inline void lapic_changed(struct lapic *l)
{
    l->ls->o.changed(l->ls->o.ctx, l->cpu);
}

/* lapic_prio.c */
unsigned lapic_ppr(const struct lapic *l);
bool lapic_post(struct lapic *l, uint8_t vector, bool level); /* true: accepted */
void lapic_eoi(struct lapic *l);
void lapic_error(struct lapic *l, uint32_t bits);
void lapic_want_set(struct lapic *l, unsigned bits);

/* lapic_msg.c */
void lapic_icr(struct lapic *l);
void lapic_lint_eval(struct lapic *l, unsigned pin, bool rose);

/* lapic_timer.c */
void lapic_timer_fire(void *lapic);
void lapic_timer_lvt(struct lapic *l, uint32_t old); /* the LVT entry changed */
void lapic_timer_count(struct lapic *l, uint32_t val);
void lapic_timer_divide(struct lapic *l, uint32_t val);
void lapic_timer_deadline(struct lapic *l, uint64_t tsc);
uint32_t lapic_timer_current(const struct lapic *l);
void lapic_timer_stop(struct lapic *l);
void lapic_timer_state(struct lapic *l, struct state *st);

#endif
