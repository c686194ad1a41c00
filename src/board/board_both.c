/* Parts that both boards are made around: the interrupt controllers and the PCI host bridge. */
#include "board/board.h"
#include "board/map.h"
#include "bus/pci.h"
#include "dev/hostbridge.h"
#include "irq/chip.h"

int board_chip(struct board *b, unsigned ioapic_id, const struct pic8259_at *pic)
{
    const struct chip_opts o = {
        .vcpus = b->setup->vcpus,
        .pic = pic,
        .ioapic = MAP_IOAPIC,
        .ioapic_id = (uint8_t)ioapic_id,
        .lapic = MAP_LAPIC,
        .lapic_hz = b->setup->tsc_hz,
        .virtual_wire = pic != NULL,
        .tsc_to_ns = b->setup->tsc_to_ns,
        .apics = b->setup->apics,
        .kick = b->setup->kick,
        .ctx = b->setup->ctx,
    };
    struct dev_env env = board_env(b, "irq");
    int err = chip_create(&b->chip, &env, &o);

    return board_keep(b, err, &chip_class, b->chip, "irq");
}

int board_bridge(struct board *b, const struct hostbridge_opts *o)
{
    struct dev_env env = board_env(b, "hostbridge");
    struct hostbridge *h = NULL;
    int err;

    env.pci = b->pci;
    err = hostbridge_create(&h, &env, o);
    return board_keep(b, err, &hostbridge_class, h, "hostbridge");
}
