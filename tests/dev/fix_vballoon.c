/* device virtio-balloon mmio=ADDR|devfn=N [want=PAGES] [packed=1] */
#include "bench.h"
#include "virtio/vballoon.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct vballoon *dev = NULL;
    int e = vballoon_create(&dev, env, bench_arg(a, "mmio", 0), bench_arg(a, "packed", 0));

    (void)b;
    (void)err;
    if (!e)
        vballoon_want(dev, (uint32_t)bench_arg(a, "want", 0));
    out->dev = dev;
    return e;
}

const struct fixture fix_vballoon = {
    .name = "virtio-balloon", .cls = &vballoon_class, .make = make};
