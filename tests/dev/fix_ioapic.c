/* device ioapic [base=0xfec00000] [id=0]: pins of its name; what it delivers shows as messages
 * (verb msi): ADDR = dest << 12 | logical << 2, DATA = level << 15 | mode << 8 | vector */
#include "bench.h"
#include "irq/ioapic.h"

static bool deliver(void *bench, const struct apic_msg *m)
{
    struct bench *b = bench;
    unsigned at = b->msi_sent++ % BENCH_MSIS;

    b->msi[at].addr = (uint64_t)m->dest << 12 | (m->logical ? 4u : 0u);
    b->msi[at].data = (m->level ? 0x8000u : 0u) | (uint32_t)m->mode << 8 | m->vector;
    return true;
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct ioapic *dev;
    int e = ioapic_create(&dev, env, bench_arg(a, "base", 0xfec00000),
                          (uint8_t)bench_arg(a, "id", 0), deliver, b);

    (void)err;
    if (e)
        return e;
    out->dev = dev;
    bench_pins(b, env->name, ioapic_set, dev);
    return 0;
}

const struct fixture fix_ioapic = {.name = "ioapic", .cls = &ioapic_class, .make = make};
