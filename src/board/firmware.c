/*
 * What firmware does to PCI functions before an OS looks: PCI Local Bus Specification 3.0, section
 * 6.2.5.1 (sizing and placing of base address registers) and 6.2.4 (Interrupt Line). Everything
 * goes through configuration space, as it would on a real machine.
 */
#include "board/board.h"
#include "board/map.h"
#include "bus/pci.h"
#include "irq/chip.h"
#include "record/record.h"

enum { CFG_ID = 0x00, CFG_COMMAND = 0x04, CFG_BAR = 0x10, CFG_LINE = 0x3c, CFG_PIN = 0x3d };
#define COMMAND_IO     1u
#define COMMAND_MEMORY 2u
#define SLOTS          32

struct place { /* next free addresses */
    uint64_t port, mem;
};

static uint64_t take(uint64_t *next, uint64_t size)
{
    uint64_t at = (*next + size - 1) & ~(size - 1);

    *next = at + size;
    return at;
}

/* Returns how many registers this one took: 2 if it is 64 bits wide. */
static unsigned bar_place(struct pci_bus *pb, unsigned devfn, unsigned bar, struct place *p,
                          uint32_t *command)
{
    unsigned at = CFG_BAR + bar * 4;
    uint32_t was = pci_cfg_read(pb, devfn, at, 4), size;
    bool io = was & 1, wide = !io && (was & 6) == 4;
    uint32_t mask = io ? ~3u : ~15u;

    if (was & mask) { /* placed already by its maker */
        *command |= io ? COMMAND_IO : COMMAND_MEMORY;
        return wide ? 2 : 1;
    }
    pci_cfg_write(pb, devfn, at, 4, 0xffffffff);
    size = pci_cfg_read(pb, devfn, at, 4) & mask;
    size = io ? (~size + 1) & 0xffff : ~size + 1;
    if (size) {
        uint64_t where = take(io ? &p->port : &p->mem, size);

        *command |= io ? COMMAND_IO : COMMAND_MEMORY;
        pci_cfg_write(pb, devfn, at, 4, (uint32_t)where);
        if (wide)
            pci_cfg_write(pb, devfn, at + 4, 4, 0);
    }
    return wide ? 2 : 1;
}

void firmware_place(struct board *b, unsigned pci_first, unsigned pci_lines)
{
    struct place p = {MAP_PCI_PORTS, MAP_PCI_WINDOW};

    if (rec_playing(b->setup->rec)) /* what was done then stands in the recording */
        return;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        unsigned devfn = slot << 3, pin;
        uint32_t command;

        if ((pci_cfg_read(b->pci, devfn, CFG_ID, 4) & 0xffff) == 0xffff)
            continue;
        command = pci_cfg_read(b->pci, devfn, CFG_COMMAND, 2);
        for (unsigned bar = 0; bar < PCI_BARS;)
            bar += bar_place(b->pci, devfn, bar, &p, &command);
        pci_cfg_write(b->pci, devfn, CFG_COMMAND, 2, command);
        pin = pci_cfg_read(b->pci, devfn, CFG_PIN, 1);
        if (pin)
            pci_cfg_write(b->pci, devfn, CFG_LINE, 1,
                          chip_pci_gsi(slot, pin, pci_first, pci_lines));
    }
}
