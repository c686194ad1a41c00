/*
 * Real-time clock with CMOS memory, after the Motorola MC146818A data sheet: time and alarm in
 * BCD or binary, 12 or 24 hours; periodic, alarm and update-ended interrupts. Time is UTC.
 *
 * The clock is not stepped: the time is a base plus the VM time gone by. UIP is set in the last
 * 244 us of each second, so that a guest that found it clear has 244 us to read a consistent
 * time; the update itself takes no time. The flags of register C are brought up to date when
 * looked at; a timer runs only for an interrupt that is enabled and not already pending. Years
 * are 1970..2069 (two digits; the board keeps the century in CMOS memory). Left out: daylight
 * saving (DSE is storage), square wave.
 */
#include "dev/rtc146818.h"
#include "bus/bus.h"
#include "core/loop.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEC = 0,
    SEC_ALARM = 1,
    MIN = 2,
    MIN_ALARM = 3,
    HOUR = 4,
    HOUR_ALARM = 5,
    WDAY = 6,
    MDAY = 7,
    MONTH = 8,
    YEAR = 9,
    REG_A = 10,
    REG_B = 11,
    REG_C = 12,
    REG_D = 13,
    CMOS = 14,
    SIZE = 128
};
enum { A_UIP = 0x80, A_DV = 0x70, A_DV_RUN = 0x20, A_RS = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 0x04, B_24 = 0x02 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10, D_VRT = 0x80 };
#define NS      1000000000ull
#define UIP_NS  244141u /* 8 cycles of 32768 Hz */
#define CRYSTAL 32768u
#define DAY     86400u
#define ANY     0xc0 /* an alarm byte from here on matches everything */

struct rtc146818 {
    uint8_t ram[SIZE]; /* alarm, registers A and B, CMOS; the time's bytes are used while stopped */
    uint8_t index, flags;
    int64_t base; /* Unix time at VM time `since` */
    uint64_t since;
    uint64_t looked; /* flags are up to date until this VM time */
    struct dev_env env;
    struct loop_timer timer;
    struct io_region ports;
};

struct civil {
    unsigned sec, min, hour, wday, mday, month, year;
};

/* ---- dates: days from civil, proleptic Gregorian; year 1970..2069 ---- */

static bool leap(unsigned y)
{
    return y % 4 == 0; /* 2000 is one, 2100 is out of range */
}

static unsigned month_days(unsigned month, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap(year) ? 1u : 0u);
}

#define YEAR_FIRST 1970u
#define YEARS      100u
#define DAYS_ALL   36525u /* 1970..2069 has 25 leap years */

/* Into the hundred years that two digits can tell apart. */
static int64_t century_wrap(int64_t unix_time)
{
    const int64_t all = (int64_t)DAYS_ALL * DAY;

    return (unix_time % all + all) % all;
}

static struct civil civil_of(int64_t unix_time)
{
    int64_t wrapped = century_wrap(unix_time);
    uint32_t t = (uint32_t)(wrapped % DAY), day = (uint32_t)(wrapped / DAY);
    struct civil c = {.sec = t % 60,
                      .min = t / 60 % 60,
                      .hour = t / 3600,
                      .wday = (day + 4) % 7 + 1,
                      .year = YEAR_FIRST,
                      .month = 1};

    while (day >= 365u + leap(c.year)) /* at most YEARS rounds: day < DAYS_ALL */
        day -= 365u + leap(c.year++);
    while (day >= month_days(c.month, c.year))
        day -= month_days(c.month++, c.year);
    c.mday = day + 1;
    return c;
}

/* A guest may write anything: each field is brought into range first. */
static int64_t unix_of(const struct civil *c)
{
    unsigned year = YEAR_FIRST + (c->year - YEAR_FIRST) % YEARS;
    unsigned month = c->month < 1 ? 1 : c->month > 12 ? 12 : c->month;
    int64_t days = (c->mday ? c->mday : 1) - 1;

    for (unsigned y = YEAR_FIRST; y < year; y++)
        days += 365 + leap(y);
    for (unsigned m = 1; m < month; m++)
        days += month_days(m, year);
    return days * DAY + (int64_t)(c->hour % 24 * 3600 + c->min % 60 * 60 + c->sec % 60);
}

/* ---- register formats ---- */

static uint8_t put_num(const struct rtc146818 *r, unsigned n)
{
    return (uint8_t)(r->ram[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10);
}

static unsigned get_num(const struct rtc146818 *r, uint8_t v)
{
    return r->ram[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t put_hour(const struct rtc146818 *r, unsigned h)
{
    if (r->ram[REG_B] & B_24)
        return put_num(r, h);
    return (uint8_t)(put_num(r, h % 12 ? h % 12 : 12) | (h >= 12 ? 0x80 : 0));
}

static unsigned get_hour(const struct rtc146818 *r, uint8_t v)
{
    if (r->ram[REG_B] & B_24)
        return get_num(r, v);
    return get_num(r, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* ---- time ---- */

static bool running(const struct rtc146818 *r)
{
    return !(r->ram[REG_B] & B_SET) && (r->ram[REG_A] & A_DV) == A_DV_RUN;
}

static uint64_t seconds(const struct rtc146818 *r, uint64_t now)
{
    return now > r->since ? (now - r->since) / NS : 0;
}

static void time_to_ram(struct rtc146818 *r, uint64_t now)
{
    struct civil c = civil_of(r->base + (int64_t)seconds(r, now));

    r->ram[SEC] = put_num(r, c.sec);
    r->ram[MIN] = put_num(r, c.min);
    r->ram[HOUR] = put_hour(r, c.hour);
    r->ram[WDAY] = put_num(r, c.wday);
    r->ram[MDAY] = put_num(r, c.mday);
    r->ram[MONTH] = put_num(r, c.month);
    r->ram[YEAR] = put_num(r, c.year % 100);
}

static void time_from_ram(struct rtc146818 *r, uint64_t since)
{
    unsigned year = get_num(r, r->ram[YEAR]) % 100;
    struct civil c = {
        .sec = get_num(r, r->ram[SEC]),
        .min = get_num(r, r->ram[MIN]),
        .hour = get_hour(r, r->ram[HOUR]),
        .mday = get_num(r, r->ram[MDAY]),
        .month = get_num(r, r->ram[MONTH]),
        .year = year + (year < 70 ? 2000 : 1900),
    };

    r->base = unix_of(&c);
    r->since = since;
}

/* ---- flags: what happened up to now ---- */

static uint64_t period_ns(const struct rtc146818 *r) /* 0: off */
{
    unsigned rs = r->ram[REG_A] & A_RS;

    if (rs == 0)
        return 0;
    if (rs < 3) /* the data sheet's table: 1 and 2 are 8 and 9 again */
        rs += 7;
    return (NS << (rs - 1)) / CRYSTAL;
}

/* Where the periodic divider stands does not depend on the time's phase: multiples of VM time. */
static uint64_t period_next(const struct rtc146818 *r, uint64_t after)
{
    uint64_t p = period_ns(r);

    return p && (r->ram[REG_A] & A_DV) == A_DV_RUN ? (after / p + 1) * p : 0;
}

static bool alarm_hit(uint8_t alarm, unsigned is, unsigned wanted)
{
    return alarm >= ANY || is == wanted;
}

/* Seconds from t (included) until the alarm matches, or DAY if it never does. */
static uint32_t alarm_in(const struct rtc146818 *r, int64_t t)
{
    struct civil c = civil_of(t);
    uint32_t gone = 0;

    /* At most 60 + 60 + 25 rounds: seconds to a minute's start, minutes to an hour's, hours. */
    while (gone < DAY) {
        uint32_t now = (c.hour * 3600 + c.min * 60 + c.sec + gone) % DAY;
        uint32_t step = 1;

        if (!alarm_hit(r->ram[HOUR_ALARM], now / 3600, get_hour(r, r->ram[HOUR_ALARM])))
            step = 3600 - now % 3600;
        else if (!alarm_hit(r->ram[MIN_ALARM], now / 60 % 60, get_num(r, r->ram[MIN_ALARM])))
            step = 60 - now % 60;
        else if (alarm_hit(r->ram[SEC_ALARM], now % 60, get_num(r, r->ram[SEC_ALARM])))
            return gone;
        gone += step;
    }
    return DAY;
}

static uint64_t update_next(const struct rtc146818 *r, uint64_t after)
{
    return running(r) ? r->since + (seconds(r, after) + 1) * NS : 0;
}

static uint64_t alarm_next(const struct rtc146818 *r, uint64_t after)
{
    uint64_t first = update_next(r, after);
    uint32_t in;

    if (!first)
        return 0;
    in = alarm_in(r, r->base + (int64_t)seconds(r, first));
    return in < DAY ? first + in * NS : 0;
}

static void look(struct rtc146818 *r, uint64_t now)
{
    uint64_t next;

    if (now <= r->looked)
        return;
    next = period_next(r, r->looked);
    if (next && next <= now)
        r->flags |= C_PF;
    next = update_next(r, r->looked);
    if (next && next <= now)
        r->flags |= C_UF;
    next = r->flags & C_AF ? 0 : alarm_next(r, r->looked);
    if (next && next <= now)
        r->flags |= C_AF;
    r->looked = now;
}

static bool rtc_pending(const struct rtc146818 *r)
{
    return r->flags & r->ram[REG_B] & (C_PF | C_AF | C_UF); /* PIE, AIE, UIE stand at PF, AF, UF */
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static void rtc_irq(struct rtc146818 *r)
{
    uint8_t on = r->ram[REG_B];
    uint64_t due = 0;

    irq_set(&r->env.irq, rtc_pending(r));
    if (!rtc_pending(r)) {
        due = on & B_PIE ? period_next(r, r->looked) : 0;
        due = earlier(due, on & B_UIE ? update_next(r, r->looked) : 0);
        due = earlier(due, on & B_AIE ? alarm_next(r, r->looked) : 0);
    }
    if (due)
        loop_timer_set(&r->timer, due);
    else
        loop_timer_stop(&r->timer);
}

static void rtc_fire(void *dev)
{
    struct rtc146818 *r = dev;

    look(r, loop_now(r->env.loop));
    rtc_irq(r);
}

/* ---- registers ---- */

static uint8_t reg_a(const struct rtc146818 *r, uint64_t now)
{
    bool uip = running(r) && update_next(r, now) - now <= UIP_NS;

    return r->ram[REG_A] | (uip ? A_UIP : 0);
}

static uint8_t reg_c_read(struct rtc146818 *r)
{
    uint8_t val = (uint8_t)(r->flags | (rtc_pending(r) ? C_IRQF : 0));

    r->flags = 0;
    rtc_irq(r);
    return val;
}

static uint8_t data_read(struct rtc146818 *r, uint64_t now)
{
    look(r, now);
    switch (r->index) {
    case REG_A: return reg_a(r, now);
    case REG_C: return reg_c_read(r);
    case REG_D: return D_VRT;
    default: break;
    }
    if (r->index < REG_A && running(r))
        time_to_ram(r, now);
    return r->ram[r->index];
}

/* Stopping (SET, or the divider held in reset) leaves the time in memory, starting takes it from
 * there; the data sheet: the first update comes half a second after the divider starts. */
static void control_write(struct rtc146818 *r, unsigned reg, uint8_t val, uint64_t now)
{
    bool was = running(r);

    if (was)
        time_to_ram(r, now);
    if (reg == REG_B && (val & B_SET))
        val &= (uint8_t)~B_UIE; /* data sheet: SET clears UIE */
    r->ram[reg] = reg == REG_A ? val & (uint8_t)~A_UIP : val;
    if (running(r) && !was)
        time_from_ram(r, now > NS / 2 ? now - NS / 2 : 0);
    else if (running(r))
        time_to_ram(r, now); /* a new format rewrites the bytes */
}

static bool is_time(unsigned reg)
{
    return reg <= YEAR && reg != SEC_ALARM && reg != MIN_ALARM && reg != HOUR_ALARM;
}

static void data_write(struct rtc146818 *r, uint8_t val, uint64_t now)
{
    look(r, now);
    if (r->index == REG_C || r->index == REG_D)
        return;
    if (r->index == REG_A || r->index == REG_B) {
        control_write(r, r->index, val, now);
    } else if (is_time(r->index) && running(r)) {
        time_to_ram(r, now);
        r->ram[r->index] = val;
        time_from_ram(r, r->since + seconds(r, now) * NS);
    } else {
        r->ram[r->index] = val;
    }
    rtc_irq(r);
}

static uint64_t rtc_read(void *dev, uint64_t off, unsigned size)
{
    struct rtc146818 *r = dev;

    (void)size;
    return off ? data_read(r, loop_now(r->env.loop)) : 0xff; /* the index port is write-only */
}

static void rtc_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct rtc146818 *r = dev;

    (void)size;
    if (off)
        data_write(r, (uint8_t)val, loop_now(r->env.loop));
    else
        r->index = val & (SIZE - 1); /* bit 7 gates NMI on a PC, which here has no source */
}

static const struct io_ops rtc_ops = {
    .read = rtc_read, .write = rtc_write, .sizes = 1, .split = true};

void rtc146818_cmos(struct rtc146818 *r, unsigned at, uint8_t val)
{
    if (at >= CMOS && at < SIZE)
        r->ram[at] = val;
}

/* ---- state, reset, create ---- */

/* The stream has the guest's time as its distance from the wall clock's: after a load, the clock
 * is as right or wrong as it was. */
static void rtc_state(void *dev, struct state *st)
{
    struct rtc146818 *r = dev;
    uint64_t now = loop_now(r->env.loop), ahead;

    look(r, now);
    ahead = (uint64_t)(r->base + (int64_t)seconds(r, now)) - loop_wall(r->env.loop);
    state_section(st, "rtc146818", 1);
    state_bytes(st, r->ram, sizeof(r->ram));
    state_u8(st, &r->index);
    state_u8(st, &r->flags);
    state_u64(st, &ahead);
    r->index &= SIZE - 1;
    r->flags &= C_PF | C_AF | C_UF;
    r->ram[REG_A] &= (uint8_t)~A_UIP;
    if (!st->load || st->err)
        return;
    r->base = century_wrap((int64_t)(ahead + loop_wall(r->env.loop)));
    r->since = r->looked = now;
    rtc_irq(r);
}

/* RESET# leaves time and memory, clears interrupt enables and flags. */
static void rtc_reset(void *dev)
{
    struct rtc146818 *r = dev;

    r->index = 0;
    r->flags = 0;
    if (!running(r)) { /* a guest that died while setting it: back to the wall clock */
        r->base = (int64_t)loop_wall(r->env.loop);
        r->since = loop_now(r->env.loop);
    }
    r->ram[REG_A] = A_DV_RUN | 6;
    r->ram[REG_B] = B_24;
    rtc_irq(r);
}

static void rtc_destroy(void *dev)
{
    struct rtc146818 *r = dev;

    loop_timer_stop(&r->timer);
    bus_unmap(r->env.bus, &r->ports);
    free(r);
}

int rtc146818_create(struct rtc146818 **out, const struct dev_env *env, uint64_t base)
{
    struct rtc146818 *r = calloc(1, sizeof(*r));
    int err;

    if (!r)
        return -ENOMEM;
    r->env = *env;
    loop_timer_init(&r->timer, env->loop, rtc_fire, r);
    r->ports = (struct io_region){.name = "rtc",
                                  .ops = &rtc_ops,
                                  .dev = r,
                                  .lock = env->lock,
                                  .space = BUS_PIO,
                                  .base = base,
                                  .len = 2};
    err = bus_map(env->bus, &r->ports);
    if (err) {
        free(r);
        return err;
    }
    r->looked = loop_now(env->loop);
    rtc_reset(r);
    *out = r;
    return 0;
}

const struct dev_class rtc146818_class = {
    .name = "rtc146818",
    .summary = "MC146818 real-time clock and CMOS memory",
    .reset = rtc_reset,
    .state = rtc_state,
    .destroy = rtc_destroy,
};
