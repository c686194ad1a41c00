/* A port that ends the run: test guests report their result by a 32-bit write. No document; the
 * convention (status = value << 1 | 1, so that 0 stays "powered off") is common among emulators. */
#include "dev/debugexit.h"
#include "bus/bus.h"
#include <errno.h>
#include <stdlib.h>

struct debugexit {
    struct io_region port;
    struct dev_env env;
    void (*leave)(void *ctx, uint32_t value);
    void *ctx;
};

static uint64_t debugexit_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev, (void)off, (void)size;
    return 0;
}

static void debugexit_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct debugexit *d = dev;

    (void)off, (void)size;
    d->leave(d->ctx, (uint32_t)val);
}

static const struct io_ops debugexit_ops = {
    .read = debugexit_read, .write = debugexit_write, .sizes = 4};

static void debugexit_reset(void *dev)
{
    (void)dev; /* it keeps nothing */
}

static void debugexit_state(void *dev, struct state *st)
{
    (void)dev, (void)st;
}

static void debugexit_destroy(void *dev)
{
    struct debugexit *d = dev;

    bus_unmap(d->env.bus, &d->port);
    free(d);
}

int debugexit_create(struct debugexit **out, const struct dev_env *env, uint64_t base,
                     void (*leave)(void *ctx, uint32_t value), void *ctx)
{
    struct debugexit *d = calloc(1, sizeof(*d));
    int err;

    if (!d)
        return -ENOMEM;
    d->env = *env;
    d->leave = leave;
    d->ctx = ctx;
    d->port = (struct io_region){.name = env->name,
                                 .ops = &debugexit_ops,
                                 .dev = d,
                                 .lock = env->lock,
                                 .space = BUS_PIO,
                                 .base = base,
                                 .len = 4};
    err = bus_map(env->bus, &d->port);
    if (err) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

const struct dev_class debugexit_class = {
    .name = "debugexit",
    .summary = "exit port for test guests",
    .reset = debugexit_reset,
    .state = debugexit_state,
    .destroy = debugexit_destroy,
};
