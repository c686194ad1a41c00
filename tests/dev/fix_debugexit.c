/* device debugexit [base=0xf4]: events exit-VALUE */
#include "bench.h"
#include "dev/debugexit.h"

#include <inttypes.h>
#include <stdio.h>

static void leave(void *bench, uint32_t value)
{
    char name[BENCH_NAME];

    snprintf(name, sizeof(name), "exit-%" PRIu32, value);
    bench_event(bench, name);
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct debugexit *dev;
    int e = debugexit_create(&dev, env, bench_arg(a, "base", 0xf4), leave, b);

    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_debugexit = {.name = "debugexit", .cls = &debugexit_class, .make = make};
