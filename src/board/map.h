/*
 * Where things are on viaduct's boards. Numbers only, so that guests include it too. Only board/
 * and guests know these; docs/boards.md says them in prose.
 */
#ifndef BOARD_MAP_H
#define BOARD_MAP_H

/* memory */
#define MAP_PCI_WINDOW     0xc0000000u /* to MAP_PCI_WINDOW_END - 1 */
#define MAP_PCI_WINDOW_END 0xfc000000u
#define MAP_SCREEN         0xfc000000u /* memory, up to 0xfdffffff, if there is a screen */
#define MAP_REGDISK_MMIO   0xfe700000u /* one page each, MAP_REGDISKS of them */
#define MAP_VIRTIO_MMIO    0xfe800000u /* one page each, MAP_VIRTIO_MMIOS of them */
#define MAP_IOAPIC         0xfec00000u
#define MAP_LAPIC          0xfee00000u

/* ports */
#define MAP_PIC_MASTER  0x20
#define MAP_PIT         0x40
#define MAP_KBD_DATA    0x60
#define MAP_PORT_B      0x61
#define MAP_KBD_COMMAND 0x64
#define MAP_RTC         0x70
#define MAP_PIC_SLAVE   0xa0
#define MAP_DEBUG_EXIT  0xf4
#define MAP_IDE2_CMD    0x170
#define MAP_IDE1_CMD    0x1f0
#define MAP_COM2        0x2f8
#define MAP_IDE2_CTL    0x376
#define MAP_IDE1_CTL    0x3f6
#define MAP_COM1        0x3f8
#define MAP_ELCR        0x4d0
#define MAP_PM          0x600 /* power management: pc 0x600-0x60b and 0x610, micro 0x600-0x602 */
#define MAP_PCI_CONFIG  0xcf8
#define MAP_REGDISK_PIO 0xd00 /* MAP_REGDISK_STEP ports each */
#define MAP_PV          0xe00 /* hypercall devices, 12 ports */
#define MAP_IDE_BM      0xc000
#define MAP_PCI_PORTS   0xc100 /* ports given to BARs start here */

#define MAP_VIRTIO_MMIOS 8
#define MAP_REGDISKS     4
#define MAP_REGDISK_STEP 0x40

/* interrupt lines, as global system interrupts (and ISA IRQs of the same number) */
#define MAP_IRQ_KBD          1
#define MAP_IRQ_COM2         3
#define MAP_IRQ_COM1         4
#define MAP_IRQ_REGDISK_PIO  5
#define MAP_IRQ_PV           6
#define MAP_IRQ_REGDISK_MMIO 7
#define MAP_IRQ_RTC          8
#define MAP_IRQ_SCI          9
#define MAP_IRQ_MOUSE        12
#define MAP_IRQ_VIRTIO_MMIO  16 /* the first; one each */
#define MAP_IRQ_IDE1         14
#define MAP_IRQ_IDE2         15

#endif
