/* device uart16550 [as NAME] [base=0x3f8]: its cable has the name of the device */
#include "bench.h"
#include "dev/uart16550.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct uart16550 *dev;
    int e = uart16550_create(&dev, env, bench_arg(a, "base", 0x3f8), bench_cable(b, env->name));

    (void)err;
    out->dev = e ? NULL : dev;
    return e;
}

const struct fixture fix_uart16550 = {.name = "uart16550", .cls = &uart16550_class, .make = make};
