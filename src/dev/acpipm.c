/*
 * ACPI power management registers, after the ACPI Specification 6.4: fixed hardware (section 4.8:
 * PM1 event and control, PM timer, general-purpose events) or hardware-reduced (4.8.3.7: sleep
 * control and status), and the reset register (4.8.3.6). Legacy mode is left out: the machine is
 * in ACPI mode from the start (SCI_EN reads 1, there is no SMI command port). S5 is the one sleep
 * state; others are ignored.
 */
#include "dev/acpipm.h"
#include "bus/bus.h"
#include "core/loop.h"
#include "core/state.h"
#include "core/tap.h"
#include <errno.h>
#include <stdlib.h>

enum { STS_TMR = 0x0001, STS_PWRBTN = 0x0100, PM1_EVENTS = 0x0721 }; /* + GBL, SLPBTN, RTC */
enum { CNT_SCI_EN = 0x0001, CNT_BM_RLD = 0x0002, CNT_SLP_TYP = 0x1c00, CNT_SLP_EN = 0x2000 };
enum { SLEEP_TYP = 0x1c, SLEEP_EN = 0x20 };
#define TIMER_BITS 24
#define NS         1000000000ull

struct acpipm {
    uint16_t pm1_sts, pm1_en, pm1_cnt, gpe_sts, gpe_en;
    uint64_t half; /* the timer's half periods up to the last look: each sets TMR_STS */
    struct dev_env env;
    struct acpipm_opts o;
    struct loop_timer timer;
    struct io_region evt, cnt, tmr, gpe, reset, sleep_ctl, sleep_sts;
};

/* ---- PM timer: runs from power-on, is never written ---- */

static uint64_t ticks(const struct acpipm *pm)
{
    return (uint64_t)((unsigned __int128)loop_now(pm->env.loop) * ACPIPM_TIMER_HZ / NS);
}

/* TMR_STS is set whenever the top bit changes (4.8.3.3). */
static void timer_look(struct acpipm *pm)
{
    uint64_t half = ticks(pm) >> (TIMER_BITS - 1);

    if (half != pm->half)
        pm->pm1_sts |= STS_TMR;
    pm->half = half;
}

static void timer_arm(struct acpipm *pm)
{
    uint64_t next = (pm->half + 1) << (TIMER_BITS - 1);

    if ((pm->pm1_en & STS_TMR) && !(pm->pm1_sts & STS_TMR))
        loop_timer_set(&pm->timer, (uint64_t)((unsigned __int128)next * NS / ACPIPM_TIMER_HZ) + 1);
    else
        loop_timer_stop(&pm->timer);
}

static void acpipm_irq(struct acpipm *pm)
{
    irq_set(&pm->env.irq, (pm->pm1_sts & pm->pm1_en) || (pm->gpe_sts & pm->gpe_en));
}

static void timer_fire(void *dev)
{
    struct acpipm *pm = dev;

    timer_look(pm);
    timer_arm(pm);
    acpipm_irq(pm);
}

void acpipm_power_button(struct acpipm *pm)
{
    tap_input_begin(pm->env.tap);
    pm->pm1_sts |= STS_PWRBTN;
    acpipm_irq(pm);
    tap_input_end(pm->env.tap, "power", 0, 0, 0);
}

/* ---- registers; the bus hands bytes, so a status and enable pair needs no cases by width ---- */

static void byte_put(uint16_t *reg, uint64_t off, uint8_t val)
{
    *reg = (uint16_t)(off & 1 ? (*reg & 0x00ff) | val << 8 : (*reg & 0xff00) | val);
}

static uint8_t byte_get(uint16_t reg, uint64_t off)
{
    return (uint8_t)(off & 1 ? reg >> 8 : reg);
}

static void byte_clear(uint16_t *reg, uint64_t off, uint8_t val)
{
    *reg &= (uint16_t) ~(off & 1 ? val << 8 : val);
}

static uint64_t evt_read(void *dev, uint64_t off, unsigned size)
{
    struct acpipm *pm = dev;

    (void)size;
    timer_look(pm);
    return byte_get(off < 2 ? pm->pm1_sts : pm->pm1_en, off);
}

static void evt_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct acpipm *pm = dev;

    (void)size;
    timer_look(pm);
    if (off < 2)
        byte_clear(&pm->pm1_sts, off, (uint8_t)val);
    else
        byte_put(&pm->pm1_en, off, (uint8_t)val);
    pm->pm1_en &= PM1_EVENTS;
    timer_arm(pm);
    acpipm_irq(pm);
}

static uint64_t cnt_read(void *dev, uint64_t off, unsigned size)
{
    const struct acpipm *pm = dev;

    (void)size;
    return byte_get(pm->pm1_cnt | CNT_SCI_EN, off);
}

static void cnt_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct acpipm *pm = dev;
    bool sleep;

    (void)size;
    byte_put(&pm->pm1_cnt, off, (uint8_t)val);
    sleep = pm->pm1_cnt & CNT_SLP_EN; /* write-only */
    pm->pm1_cnt &= CNT_BM_RLD | CNT_SLP_TYP;
    if (sleep && (pm->pm1_cnt & CNT_SLP_TYP) >> 10 == ACPIPM_S5_TYP)
        pm->o.power_off(pm->o.ctx);
}

static uint64_t tmr_read(void *dev, uint64_t off, unsigned size)
{
    const struct acpipm *pm = dev;

    (void)size;
    return (ticks(pm) & ((1u << TIMER_BITS) - 1)) >> (8 * off);
}

static void tmr_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)dev, (void)off, (void)size, (void)val; /* read-only */
}

static uint64_t gpe_read(void *dev, uint64_t off, unsigned size)
{
    const struct acpipm *pm = dev;

    (void)size;
    return byte_get(off < 2 ? pm->gpe_sts : pm->gpe_en, off);
}

static void gpe_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct acpipm *pm = dev;

    (void)size;
    if (off < 2)
        byte_clear(&pm->gpe_sts, off, (uint8_t)val);
    else
        byte_put(&pm->gpe_en, off, (uint8_t)val);
    acpipm_irq(pm);
}

static uint64_t zero_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev, (void)off, (void)size;
    return 0;
}

static void reset_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct acpipm *pm = dev;

    (void)off, (void)size;
    if (val == ACPIPM_RESET_VALUE)
        pm->o.reset_vm(pm->o.ctx);
}

static void sleep_ctl_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct acpipm *pm = dev;

    (void)off, (void)size;
    if ((val & SLEEP_EN) && (val & SLEEP_TYP) >> 2 == ACPIPM_S5_TYP)
        pm->o.power_off(pm->o.ctx);
}

static void sleep_sts_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)dev, (void)off, (void)size,
        (void)val; /* WAK_STS is never set: clearing it is all there is */
}

static const struct io_ops evt_ops = {evt_read, evt_write, .sizes = 1, .split = true};
static const struct io_ops cnt_ops = {cnt_read, cnt_write, .sizes = 1, .split = true};
static const struct io_ops tmr_ops = {tmr_read, tmr_write, .sizes = 1 | 2 | 4, .split = true};
static const struct io_ops gpe_ops = {gpe_read, gpe_write, .sizes = 1, .split = true};
static const struct io_ops reset_ops = {zero_read, reset_write, .sizes = 1};
static const struct io_ops sleep_ctl_ops = {zero_read, sleep_ctl_write, .sizes = 1};
static const struct io_ops sleep_sts_ops = {zero_read, sleep_sts_write, .sizes = 1};

/* ---- state, reset, create ---- */

static void acpipm_state(void *dev, struct state *st)
{
    struct acpipm *pm = dev;

    state_section(st, "acpipm", 1);
    state_u16(st, &pm->pm1_sts);
    state_u16(st, &pm->pm1_en);
    state_u16(st, &pm->pm1_cnt);
    state_u16(st, &pm->gpe_sts);
    state_u16(st, &pm->gpe_en);
    pm->pm1_sts &= PM1_EVENTS;
    pm->pm1_en &= PM1_EVENTS;
    pm->pm1_cnt &= CNT_BM_RLD | CNT_SLP_TYP;
    if (!st->load)
        return;
    pm->half = ticks(pm) >> (TIMER_BITS - 1);
    timer_arm(pm);
    acpipm_irq(pm);
}

static void acpipm_reset(void *dev)
{
    struct acpipm *pm = dev;

    pm->pm1_sts = pm->pm1_en = pm->pm1_cnt = pm->gpe_sts = pm->gpe_en = 0;
    pm->half = ticks(pm) >> (TIMER_BITS - 1);
    timer_arm(pm);
    acpipm_irq(pm);
}

static void acpipm_destroy(void *dev)
{
    struct acpipm *pm = dev;
    struct io_region *all[] = {&pm->evt,   &pm->cnt,       &pm->tmr,      &pm->gpe,
                               &pm->reset, &pm->sleep_ctl, &pm->sleep_sts};

    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        bus_unmap(pm->env.bus, all[i]);
    loop_timer_stop(&pm->timer);
    free(pm);
}

static int map_all(struct acpipm *pm)
{
    const struct acpipm_opts *o = &pm->o;
    const struct {
        struct io_region *r;
        const char *name;
        const struct io_ops *ops;
        uint64_t base, len;
    } all[] = {
        {&pm->evt, "acpi-pm1-event", &evt_ops, o->pm1_evt, 4},
        {&pm->cnt, "acpi-pm1-control", &cnt_ops, o->pm1_cnt, 2},
        {&pm->tmr, "acpi-timer", &tmr_ops, o->pm_tmr, 4},
        {&pm->gpe, "acpi-gpe0", &gpe_ops, o->gpe0, 4},
        {&pm->reset, "acpi-reset", &reset_ops, o->reset, 1},
        {&pm->sleep_ctl, "acpi-sleep-control", &sleep_ctl_ops, o->sleep_ctl, 1},
        {&pm->sleep_sts, "acpi-sleep-status", &sleep_sts_ops, o->sleep_sts, 1},
    };
    int err = 0;

    for (unsigned i = 0; i < ARRAY_LEN(all) && !err; i++) {
        *all[i].r = (struct io_region){.name = all[i].name,
                                       .ops = all[i].ops,
                                       .dev = pm,
                                       .lock = pm->env.lock,
                                       .space = BUS_PIO,
                                       .base = all[i].base,
                                       .len = all[i].len};
        if (all[i].base)
            err = bus_map(pm->env.bus, all[i].r);
    }
    return err;
}

int acpipm_create(struct acpipm **out, const struct dev_env *env, const struct acpipm_opts *o)
{
    struct acpipm *pm = calloc(1, sizeof(*pm));
    int err;

    if (!pm)
        return -ENOMEM;
    pm->env = *env;
    pm->o = *o;
    loop_timer_init(&pm->timer, env->loop, timer_fire, pm);
    err = map_all(pm);
    if (err) {
        acpipm_destroy(pm);
        return err;
    }
    acpipm_reset(pm);
    *out = pm;
    return 0;
}

const struct dev_class acpipm_class = {
    .name = "acpipm",
    .summary = "ACPI power management, sleep and reset registers",
    .reset = acpipm_reset,
    .state = acpipm_state,
    .destroy = acpipm_destroy,
};
