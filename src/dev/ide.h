/* A PCI IDE controller like the PIIX4's (8086:7111): two channels at legacy ports, four drives,
 * PIO and bus-master DMA. */
#ifndef DEV_IDE_H
#define DEV_IDE_H

#include "bus/dev.h"

struct blk;

struct ide_channel_setup {
    uint16_t cmd;   /* eight ports: 0x1f0, 0x170 */
    uint16_t ctl;   /* one port: 0x3f6, 0x376 */
    struct irq irq; /* 14, 15 */
};

struct ide_disk {
    struct blk *blk;    /* NULL: no drive there. Borrowed, outlives the device */
    const char *serial; /* up to 20 characters; NULL: made from env->name and the position */
};

struct ide_setup {
    struct ide_channel_setup channel[2];
    uint16_t bm;             /* 16 ports of the bus master, BAR 4 as firmware would set it */
    struct ide_disk disk[4]; /* primary master, primary slave, secondary master, secondary slave */
};

/* env->pci and env->devfn say where the function sits. A channel without drives is switched off in
 * IDETIM, as firmware does. 0, -EBUSY (ports or devfn taken), -ENOMEM. */
int ide_create(struct dev *out, const struct dev_env *env, const struct ide_setup *setup);

#endif
