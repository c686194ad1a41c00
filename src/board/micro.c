/*
 * Board micro: the least that boots a stock Linux. Local APICs and one I/O APIC, a clock, one
 * serial port, PCI, hardware-reduced ACPI; no PIC, PIT, keyboard controller or IDE.
 */
#include "board/acpi.h"
#include "board/board.h"
#include "board/map.h"
#include "core/error.h"
#include "dev/acpipm.h"
#include "dev/hostbridge.h"

#define PCI_FIRST    16 /* PCI interrupts have the upper I/O APIC pins to themselves */
#define PCI_LINES    8
#define IOAPIC_ID    1
#define PM_RESET     MAP_PM
#define PM_SLEEP_CTL (MAP_PM + 1)
#define PM_SLEEP_STS (MAP_PM + 2)

static int power(struct board *b)
{
    const struct acpipm_opts o = {
        .reset = PM_RESET,
        .sleep_ctl = PM_SLEEP_CTL,
        .sleep_sts = PM_SLEEP_STS,
        .power_off = board_power_off,
        .reset_vm = board_reset_line,
        .ctx = b,
    };
    struct dev_env env = board_env(b, "acpi");
    struct acpipm *p = NULL;
    int err = acpipm_create(&p, &env, &o);

    return board_keep(b, err, &acpipm_class, p, "acpi");
}

static const struct board_pci pci_lines = {PCI_FIRST, PCI_LINES};

static int build(struct board *b, struct error *err)
{
    int e = board_chip(b, IOAPIC_ID, NULL);

    if (!e)
        e = board_bridge(b, &(struct hostbridge_opts){.base = MAP_PCI_CONFIG});
    if (!e)
        e = board_rtc(b);
    if (!e)
        e = board_com(b, "com1", MAP_COM1, MAP_IRQ_COM1, b->setup->console);
    if (!e)
        e = power(b);
    if (!e)
        e = board_debug_exit(b);
    if (!e)
        e = board_disks(b, ~(unsigned)BOARD_IDE, &pci_lines, err);
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
        {.seg = "RTC_", .hid = "PNP0B00", .io = {MAP_RTC}, .io_len = {2}, .irq = MAP_IRQ_RTC},
    };

    m->reduced = true;
    m->reset = PM_RESET;
    m->reset_value = ACPIPM_RESET_VALUE;
    m->sleep_ctl = PM_SLEEP_CTL;
    m->sleep_sts = PM_SLEEP_STS;
    m->s5 = ACPIPM_S5_TYP;
    m->ioapic_id = IOAPIC_ID;
    m->pci_first = PCI_FIRST;
    m->pci_lines = PCI_LINES;
    m->part = part;
    m->parts = ARRAY_LEN(part);
}

const struct board_class board_micro = {
    .name = "micro",
    .summary = "the least that boots Linux: APICs, one serial port, clock, PCI, reduced ACPI",
    .build = build,
    .acpi = tables,
};
