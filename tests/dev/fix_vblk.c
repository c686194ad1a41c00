/* device virtio-blk disk=NAME [serial=TEXT] [devfn=N] */
#include "bench.h"
#include "virtio/vblk.h"

#include <errno.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct blk *blk = bench_disk(b, bench_arg_text(a, "disk", NULL));
    struct vblk *dev;
    int e;

    if (!blk)
        return error_set(err, -EINVAL, "virtio-blk: disk=NAME, after disk NAME open …");
    e = vblk_create(&dev, env, blk, bench_arg_text(a, "serial", NULL));
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_vblk = {.name = "virtio-blk", .cls = &vblk_class, .make = make};
