/* The ACPI tables of a board, from its parts list. */
#ifndef BOARD_ACPI_H
#define BOARD_ACPI_H

#include "core/types.h"

struct acpi_part {   /* a device that PCI does not announce */
    const char *seg; /* four characters: its name in the tree */
    const char *hid; /* "PNP0501": an EISA id; with other than three letters: a string */
    unsigned uid;
    uint16_t io[2]; /* port ranges; 0: none */
    uint8_t io_len[2];
    uint32_t mem, mem_len;
    uint8_t irq; /* 0: none */
    bool level;
};

struct acpi_machine {
    bool reduced; /* hardware-reduced ACPI: no fixed hardware, no SCI */
    bool pic, i8042;
    unsigned vcpus;
    uint16_t reset, sleep_ctl, sleep_sts; /* ports; the sleep pair only when reduced */
    uint8_t reset_value, s5;
    uint16_t pm1_evt, pm1_cnt, pm_tmr; /* else */
    uint8_t sci;
    uint8_t ioapic_id;
    unsigned pci_first, pci_lines; /* GSIs of PCI interrupts, see pci_gsi */
    unsigned (*pci_gsi)(unsigned slot, unsigned pin, unsigned first, unsigned lines);
    const struct acpi_part *part;
    unsigned parts;
};

/* Writes all tables for address `at` to buf; the RSDP is its first byte. 0, or -ENOSPC. */
int acpi_build(const struct acpi_machine *m, uint64_t at, uint8_t *buf, size_t room, size_t *len);

#endif
