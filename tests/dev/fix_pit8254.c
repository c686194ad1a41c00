/* device pit8254 [base=0x40] [port_b=0x61] */
#include "bench.h"
#include "dev/pit8254.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct pit8254 *dev;
    int e = pit8254_create(&dev, env, bench_arg(a, "base", 0x40), bench_arg(a, "port_b", 0x61));

    (void)b;
    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_pit8254 = {.name = "pit8254", .cls = &pit8254_class, .make = make};
