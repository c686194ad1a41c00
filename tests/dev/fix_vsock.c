/* device virtio-vsock [cid=N] [packed=1] [mmio=ADDR] [devfn=N], after vsk open */
#include "bench.h"
#include "bench_vsk.h"
#include "virtio/vsock.h"

#include <errno.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct vsock_opts o = {.cid = (uint32_t)bench_arg(a, "cid", 3),
                           .mmio = bench_arg(a, "mmio", 0),
                           .packed = bench_arg(a, "packed", 0)};
    struct vsock *dev = NULL;
    int e;

    if (!b->vsk)
        return error_set(err, -EINVAL, "virtio-vsock: after vsk open");
    o.vsk = &b->vsk->vsk;
    e = vsock_create(&dev, env, &o);
    out->dev = dev;
    return e;
}

const struct fixture fix_vsock = {.name = "virtio-vsock", .cls = &vsock_class, .make = make};
