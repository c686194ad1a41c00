/* device rtc146818 [base=0x70] */
#include "bench.h"
#include "dev/rtc146818.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct rtc146818 *dev;
    int e = rtc146818_create(&dev, env, bench_arg(a, "base", 0x70));

    (void)b;
    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_rtc146818 = {.name = "rtc146818", .cls = &rtc146818_class, .make = make};
