/* device virtio-input [as NAME] [mmio=ADDR|devfn=N] [tablet=1] [packed=1]: its serial is NAME */
#include "bench.h"
#include "virtio/vinput.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct vinput_opts o = {
        .mmio = bench_arg(a, "mmio", 0), .packed = bench_arg(a, "packed", 0), .serial = env->name};
    struct vinput *dev = NULL;
    int e;

    (void)err;
    o.kind = bench_arg(a, "tablet", 0) ? &vinput_tablet : &vinput_keyboard;
    e = vinput_create(&dev, env, &o);
    out->dev = b->input = e ? NULL : dev;
    return e;
}

const struct fixture fix_vinput = {.name = "virtio-input", .cls = &vinput_class, .make = make};
