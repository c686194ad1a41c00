/* device acpipm [pm1_evt=P] [pm1_cnt=P] [pm_tmr=P] [gpe0=P] [reset=P] [sleep_ctl=P] [sleep_sts=P]:
 * events power-off, reset */
#include "bench.h"
#include "dev/acpipm.h"

static void on_power_off(void *bench)
{
    bench_event(bench, "power-off");
}

static void on_reset(void *bench)
{
    bench_event(bench, "reset");
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct acpipm_opts o = {.pm1_evt = bench_arg(a, "pm1_evt", 0),
                            .pm1_cnt = bench_arg(a, "pm1_cnt", 0),
                            .pm_tmr = bench_arg(a, "pm_tmr", 0),
                            .gpe0 = bench_arg(a, "gpe0", 0),
                            .reset = bench_arg(a, "reset", 0),
                            .sleep_ctl = bench_arg(a, "sleep_ctl", 0),
                            .sleep_sts = bench_arg(a, "sleep_sts", 0),
                            .power_off = on_power_off,
                            .reset_vm = on_reset,
                            .ctx = b};
    struct acpipm *dev;
    int e = acpipm_create(&dev, env, &o);

    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_acpipm = {.name = "acpipm", .cls = &acpipm_class, .make = make};
