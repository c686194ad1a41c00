/* device hostbridge [base=0xcf8] [devfn=0]: event reset */
#include "bench.h"
#include "dev/hostbridge.h"

static void on_reset(void *bench)
{
    bench_event(bench, "reset");
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct hostbridge_opts o = {.base = bench_arg(a, "base", 0xcf8), .reset = on_reset, .ctx = b};
    struct hostbridge *dev;
    int e = hostbridge_create(&dev, env, &o);

    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_hostbridge = {
    .name = "hostbridge", .cls = &hostbridge_class, .make = make};
