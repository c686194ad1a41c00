/* device virtio-console [as NAME] [mmio=ADDR|devfn=N] [console=0] [ports=0…2] [packed=1]: cables
 * NAME (the console), one, two, which are the names of its ports, too */
#include "bench.h"
#include "virtio/vcon.h"

#include <errno.h>

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    static const char *const name[] = {"one", "two"};
    struct vcon_opts o = {.mmio = bench_arg(a, "mmio", 0),
                          .packed = bench_arg(a, "packed", 0),
                          .ports = (unsigned)bench_arg(a, "ports", 0)};
    struct vcon *dev = NULL;
    int e;

    if (o.ports > ARRAY_LEN(name))
        return error_set(err, -EINVAL, "ports=0…2");
    if (bench_arg(a, "console", 1))
        o.console = bench_cable(b, env->name);
    for (unsigned i = 0; i < o.ports; i++)
        o.port[i] = (struct vcon_port_opts){name[i], bench_cable(b, name[i])};
    e = vcon_create(&dev, env, &o);
    out->dev = b->vcon = e ? NULL : dev;
    return e;
}

const struct fixture fix_vcon = {.name = "virtio-console", .cls = &vcon_class, .make = make};
