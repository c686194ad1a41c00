/* device pic8259 [master=0x20] [slave=0xa0] [elcr=0x4d0] [level_pins=0]: its INTR output is the
 * line intr, its inputs are pins of its name; `intr ack 0 V` makes INTA cycles */
#include "bench.h"
#include "irq/pic8259.h"

static void on_intr(void *bench, bool level)
{
    struct irq line = bench_line(bench, "intr");

    irq_set(&line, level);
}

static int pending(void *pic, unsigned vcpu)
{
    (void)vcpu;
    return pic8259_peek(pic);
}

static int ack(void *pic, unsigned vcpu)
{
    (void)vcpu;
    return pic8259_ack(pic);
}

static const struct intr_ops ops = {.pending = pending, .ack = ack};

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct pic8259_at at = {.master = bench_arg(a, "master", 0x20),
                            .slave = bench_arg(a, "slave", 0xa0),
                            .elcr = bench_arg(a, "elcr", 0x4d0),
                            .level_pins = (uint16_t)bench_arg(a, "level_pins", 0)};
    struct pic8259 *dev;
    int e = pic8259_create(&dev, env, &at, on_intr, b);

    (void)err;
    if (e)
        return e;
    out->dev = dev;
    b->intr = &ops;
    b->intr_ctl = dev;
    bench_pins(b, env->name, pic8259_set, dev);
    return 0;
}

const struct fixture fix_pic8259 = {.name = "pic8259", .cls = &pic8259_class, .make = make};
