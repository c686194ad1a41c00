/* device irqchip [vcpus=1] [pic=1] [ioapic=0xfec00000] [lapic=0xfee00000] [lapic_hz=N] [wire=1]
 * [split=0]: the interrupt controllers of a machine; pins of GSIs have its name, ISA pins the name
 * isa. TSC deadlines are in ns of bench time. With split=1 the bench is an engine that keeps the
 * local APICs: messages are as from a function (`msi`), and `event pinN` says that a
 * level-triggered pin has told what it sends. */
#include "bench.h"
#include "irq/chip.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void gsi_set(void *chip, unsigned pin, bool level)
{
    struct irq *input = chip;

    if (pin < 24)
        irq_set(&input[pin], level);
}

static void isa_set(void *chip, unsigned pin, bool level)
{
    struct irq *input = chip;

    if (pin < 16)
        irq_set(&input[pin], level);
}

static uint64_t tsc_to_ns(void *bench, unsigned vcpu, uint64_t tsc)
{
    (void)bench;
    (void)vcpu;
    return tsc;
}

static void on_kick(void *bench, unsigned vcpu)
{
    (void)bench;
    (void)vcpu; /* scripts ask with `intr pending` */
}

/* ---- split=1 ---- */

static bool apic_send(void *bench, uint64_t addr, uint32_t data)
{
    struct bench *b = bench;

    b->msi[b->msi_sent % BENCH_MSIS].addr = addr;
    b->msi[b->msi_sent % BENCH_MSIS].data = data;
    b->msi_sent++;
    return true;
}

static void apic_pin(void *bench, unsigned pin, uint64_t addr, uint32_t data)
{
    char name[BENCH_NAME];

    (void)addr;
    (void)data;
    snprintf(name, sizeof(name), "pin%u", pin);
    bench_event(bench, name);
}

static int apic_way(void *bench, struct msi_way *w)
{
    (void)bench;
    (void)w;
    return -ENOSPC; /* by call, where scripts see them */
}

static void apic_way_close(void *bench, struct msi_way *w)
{
    (void)bench;
    (void)w;
}

static int apic_page(void *bench, unsigned vcpu, uint8_t *page, bool set)
{
    struct bench *b = bench;

    if (vcpu >= ARRAY_LEN(b->apic_page))
        return -EINVAL;
    if (set)
        memcpy(b->apic_page[vcpu], page, INTR_LAPIC_PAGE);
    else
        memcpy(page, b->apic_page[vcpu], INTR_LAPIC_PAGE);
    return 0;
}

static const struct apics_ops apics = {apic_send, apic_pin, apic_way, apic_way_close, apic_page};

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    const struct pic8259_at pic = {.master = 0x20, .slave = 0xa0, .elcr = 0x4d0};
    struct chip_opts o = {.vcpus = (unsigned)bench_arg(a, "vcpus", 1),
                          .pic = bench_arg(a, "pic", 1) ? &pic : NULL,
                          .ioapic = bench_arg(a, "ioapic", 0xfec00000),
                          .lapic = bench_arg(a, "lapic", 0xfee00000),
                          .lapic_hz = bench_arg(a, "lapic_hz", 1000000000),
                          .virtual_wire = bench_arg(a, "wire", 1),
                          .tsc_to_ns = tsc_to_ns,
                          .kick = on_kick,
                          .ctx = b};
    struct chip *dev;
    unsigned i;
    int e;

    b->apics = (struct apics){&apics, b};
    if (bench_arg(a, "split", 0))
        o.apics = &b->apics;
    if (o.vcpus > b->dispatch.vcpus)
        return error_set(err, -1, "the bench has %u vCPUs", b->dispatch.vcpus);
    e = chip_create(&dev, env, &o);
    if (e)
        return e;
    for (i = 0; i < 24; i++)
        b->gsi[i] = chip_gsi(dev, i);
    for (i = 0; i < 16; i++)
        b->isa[i] = chip_isa(dev, i);
    bench_pins(b, env->name, gsi_set, b->gsi);
    bench_pins(b, "isa", isa_set, b->isa);
    for (i = 0; i < o.vcpus; i++)
        b->dispatch.local[i] = chip_lapic_page(dev, i);
    out->dev = dev;
    b->intr = chip_intr(dev);
    b->intr_ctl = dev;
    return 0;
}

const struct fixture fix_chip = {.name = "irqchip", .cls = &chip_class, .make = make};
