/* device regdisk disk=NAME [space=pio|mmio] [base=N] [page=1: reads don't trap] */
#include "bench.h"
#include "dev/regdisk.h"

#include <errno.h>
#include <string.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct blk *blk = bench_disk(b, bench_arg_text(a, "disk", NULL));
    bool mmio = !strcmp(bench_arg_text(a, "space", "pio"), "mmio");

    if (!blk)
        return error_set(err, -EINVAL, "regdisk: disk=NAME, after disk NAME open …");
    struct dev_env own = *env;

    if (bench_arg(a, "page", 0))
        own.shadows = &b->page_sink;
    return regdisk_create(out, &own, mmio ? BUS_MMIO : BUS_PIO,
                          bench_arg(a, "base", mmio ? 0xd0000000 : 0xc000), blk);
}

const struct fixture fix_regdisk = {.name = "regdisk", .make = make};
