/* device i8042 [data=0x60] [command=0x64]: lines NAME and aux; events reset, a20-on, a20-off */
#include "bench.h"
#include "dev/i8042.h"

static void on_reset(void *bench)
{
    bench_event(bench, "reset");
}

static void on_a20(void *bench, bool enabled)
{
    bench_event(bench, enabled ? "a20-on" : "a20-off");
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct i8042_opts o = {.data = bench_arg(a, "data", 0x60),
                           .command = bench_arg(a, "command", 0x64),
                           .aux = bench_line(b, "aux"),
                           .reset = on_reset,
                           .a20 = on_a20,
                           .ctx = b};
    struct i8042 *dev;
    int e = i8042_create(&dev, env, &o);

    (void)err;
    out->dev = e ? NULL : dev;
    b->kbd = e ? NULL : dev;
    return e;
}

const struct fixture fix_i8042 = {.name = "i8042", .cls = &i8042_class, .make = make};
