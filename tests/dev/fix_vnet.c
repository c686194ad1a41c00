/* device virtio-net net=NAME [mac=0x010203040506: its bytes, the first one lowest] [pairs=N]
 * [packed=1] [mmio=ADDR] [devfn=N] */
#include "bench.h"
#include "bench_net.h"
#include "virtio/vnet.h"

#include <errno.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct bench_net *n = bench_net(b, bench_arg_text(a, "net", NULL));
    uint64_t mac = bench_arg(a, "mac", 0x563412005452);
    struct vnet_opts o = {.net = n ? &n->net : NULL,
                          .pairs = (unsigned)bench_arg(a, "pairs", 0),
                          .mmio = bench_arg(a, "mmio", 0),
                          .packed = bench_arg(a, "packed", 0)};
    struct vnet *dev = NULL;
    int e;

    if (!n)
        return error_set(err, -EINVAL, "virtio-net: net=NAME, after net NAME open");
    for (unsigned i = 0; i < sizeof(o.mac); i++)
        o.mac[i] = (uint8_t)(mac >> 8 * i);
    e = vnet_create(&dev, env, &o);
    out->dev = dev;
    return e;
}

const struct fixture fix_vnet = {.name = "virtio-net", .cls = &vnet_class, .make = make};
