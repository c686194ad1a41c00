/*
 * Board pc: the classic PC that every x86 operating system knows. Interrupt controllers of both
 * ages, timer, keyboard controller, clock, two serial ports, PCI with an IDE controller, ACPI with
 * fixed hardware. Addresses and pins are in board/map.h.
 */
#include "board/acpi.h"
#include "board/board.h"
#include "board/map.h"
#include "bus/pci.h"
#include "core/error.h"
#include "dev/acpipm.h"
#include "dev/hostbridge.h"
#include "dev/i8042.h"
#include "dev/ide.h"
#include "dev/pit8254.h"
#include "dev/typist.h"
#include "irq/chip.h"
#include "record/record.h"
#include <errno.h>

#define PCI_FIRST  10 /* PCI interrupts are lines 10 and 11, which the PIC has too */
#define PCI_LINES  2
#define SLOT_IDE   1
#define IDE_DRIVES 4
#define IOAPIC_ID  1
#define PM1_EVT    MAP_PM
#define PM1_CNT    (MAP_PM + 4)
#define PM_TMR     (MAP_PM + 8)
#define PM_RESET   (MAP_PM + 0x10)

static int interrupts(struct board *b)
{
    static const struct pic8259_at pic = {.master = MAP_PIC_MASTER,
                                          .slave = MAP_PIC_SLAVE,
                                          .elcr = MAP_ELCR,
                                          .level_pins = 1 << MAP_IRQ_SCI | 1 << PCI_FIRST |
                                                        1 << (PCI_FIRST + 1)};

    return board_chip(b, IOAPIC_ID, &pic);
}

static int bridge(struct board *b)
{
    const struct hostbridge_opts o = {.base = MAP_PCI_CONFIG, .reset = board_reset_line, .ctx = b};

    return board_bridge(b, &o);
}

static int timer(struct board *b)
{
    struct dev_env env = board_env_irq(b, "pit", 0);
    struct pit8254 *p = NULL;
    int err = pit8254_create(&p, &env, MAP_PIT, MAP_PORT_B);

    return board_keep(b, err, &pit8254_class, p, "pit");
}

static int keyboard(struct board *b)
{
    struct dev_env env = board_env_irq(b, "i8042", MAP_IRQ_KBD);
    const struct i8042_opts o = {
        .data = MAP_KBD_DATA,
        .command = MAP_KBD_COMMAND,
        .aux = rec_irq(env.tap, chip_isa(b->chip, MAP_IRQ_MOUSE)),
        .reset = board_reset_line,
        .ctx = b,
    };
    struct i8042 *k = NULL;
    int err = i8042_create(&k, &env, &o);

    err = board_keep(b, err, &i8042_class, k, "i8042");
    return err ? err : typist_open(&b->typist, b->setup->loop, k);
}

static int power(struct board *b)
{
    const struct acpipm_opts o = {
        .pm1_evt = PM1_EVT,
        .pm1_cnt = PM1_CNT,
        .pm_tmr = PM_TMR,
        .reset = PM_RESET,
        .power_off = board_power_off,
        .reset_vm = board_reset_line,
        .ctx = b,
    };
    struct dev_env env = board_env_irq(b, "acpi", MAP_IRQ_SCI);
    struct acpipm *p = NULL;
    int err = acpipm_create(&p, &env, &o);

    if (!err)
        b->button = p;
    return board_keep(b, err, &acpipm_class, p, "acpi");
}

static int ide(struct board *b, struct error *err)
{
    struct dev_env env = board_env(b, "ide0");
    struct ide_setup s = {
        .channel = {{MAP_IDE1_CMD, MAP_IDE1_CTL, rec_irq(env.tap, chip_isa(b->chip, MAP_IRQ_IDE1))},
                    {MAP_IDE2_CMD, MAP_IDE2_CTL,
                     rec_irq(env.tap, chip_isa(b->chip, MAP_IRQ_IDE2))}},
        .bm = MAP_IDE_BM,
    };
    struct dev d = {0};
    unsigned n = 0;
    int code;

    for (unsigned i = 0; i < b->setup->disks; i++) {
        const struct board_disk *disk = &b->setup->disk[i];

        if (!(disk->via & BOARD_IDE))
            continue;
        if (n == IDE_DRIVES)
            return error_set(err, -EINVAL, "--disk via=ide: the controller takes %d drives",
                             IDE_DRIVES);
        s.disk[n++] = (struct ide_disk){rec_blk(env.tap, disk->blk), disk->serial};
    }
    env.pci = b->pci;
    env.devfn = SLOT_IDE << 3;
    env.msi = chip_msi(b->chip);
    code = ide_create(&d, &env, &s);
    return board_keep_dev(b, code, &d);
}

static const struct board_pci pci_lines = {PCI_FIRST, PCI_LINES};

static int build(struct board *b, struct error *err)
{
    int e = interrupts(b);

    if (!e)
        e = bridge(b);
    if (!e)
        e = timer(b);
    if (!e)
        e = keyboard(b);
    if (!e)
        e = board_rtc(b);
    if (!e)
        e = board_com(b, "com1", MAP_COM1, MAP_IRQ_COM1, b->setup->console);
    if (!e)
        e = board_com(b, "com2", MAP_COM2, MAP_IRQ_COM2, NULL);
    if (!e)
        e = power(b);
    if (!e)
        e = board_debug_exit(b);
    if (!e)
        e = ide(b, err);
    if (!e)
        e = board_disks(b, ~0u, &pci_lines, err);
    if (!e)
        e = board_nics(b, &pci_lines, err);
    if (!e)
        e = board_pv(b, err);
    if (!e)
        e = board_virtio_extras(b, &pci_lines);
    if (!e)
        e = board_shares(b, &pci_lines, err);
    if (!e)
        firmware_place(b, PCI_FIRST, PCI_LINES);
    return e;
}

static void tables(struct acpi_machine *m)
{
    static const struct acpi_part part[] = {
        {.seg = "COM1",
         .hid = "PNP0501",
         .uid = 1,
         .io = {MAP_COM1},
         .io_len = {8},
         .irq = MAP_IRQ_COM1},
        {.seg = "COM2",
         .hid = "PNP0501",
         .uid = 2,
         .io = {MAP_COM2},
         .io_len = {8},
         .irq = MAP_IRQ_COM2},
        {.seg = "KBD_",
         .hid = "PNP0303",
         .io = {MAP_KBD_DATA, MAP_KBD_COMMAND},
         .io_len = {1, 1},
         .irq = MAP_IRQ_KBD},
        {.seg = "MOU_", .hid = "PNP0F13", .irq = MAP_IRQ_MOUSE},
        {.seg = "RTC_", .hid = "PNP0B00", .io = {MAP_RTC}, .io_len = {2}, .irq = MAP_IRQ_RTC},
    };

    m->pic = m->i8042 = true;
    m->reset = PM_RESET;
    m->reset_value = ACPIPM_RESET_VALUE;
    m->s5 = ACPIPM_S5_TYP;
    m->pm1_evt = PM1_EVT;
    m->pm1_cnt = PM1_CNT;
    m->pm_tmr = PM_TMR;
    m->sci = MAP_IRQ_SCI;
    m->ioapic_id = IOAPIC_ID;
    m->pci_first = PCI_FIRST;
    m->pci_lines = PCI_LINES;
    m->part = part;
    m->parts = ARRAY_LEN(part);
}

const struct board_class board_pc = {
    .name = "pc",
    .summary = "the classic PC: PIC, PIT, i8042, IDE, two serial ports, ACPI fixed hardware",
    .build = build,
    .acpi = tables,
};
