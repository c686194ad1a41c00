/* device virtio-blk disk=NAME [serial=TEXT] [queues=N] [packed=1] [mmio=ADDR] [devfn=N] */
#include "bench.h"
#include "virtio/vblk.h"

#include <errno.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct blk *blk = bench_disk(b, bench_arg_text(a, "disk", NULL));
    struct vblk_opts o = {.serial = bench_arg_text(a, "serial", NULL),
                          .queues = (unsigned)bench_arg(a, "queues", 0),
                          .mmio = bench_arg(a, "mmio", 0),
                          .packed = bench_arg(a, "packed", 0)};
    struct vblk *dev;
    int e;

    if (!blk)
        return error_set(err, -EINVAL, "virtio-blk: disk=NAME, after disk NAME open …");
    e = vblk_create(&dev, env, blk, &o);
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_vblk = {.name = "virtio-blk", .cls = &vblk_class, .make = make};
