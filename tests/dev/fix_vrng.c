/* device virtio-rng mmio=ADDR|devfn=N [packed=1]: its entropy counts up from 1 */
#include "bench.h"
#include "virtio/vrng.h"

#include <errno.h>

static int count_up(void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(i + 1);
    return len ? 0 : -EIO;
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct vrng *dev = NULL;
    int e = vrng_create(&dev, env, count_up, bench_arg(a, "mmio", 0), bench_arg(a, "packed", 0));

    (void)b;
    (void)err;
    out->dev = dev;
    return e;
}

const struct fixture fix_vrng = {.name = "virtio-rng", .cls = &vrng_class, .make = make};
