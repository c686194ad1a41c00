/*
 * Message-signalled interrupts: MSI (PCI 3.0 section 6.8.1), one message in configuration space,
 * and MSI-X (6.8.2), a table and pending bits in a memory BAR.
 */
#ifndef BUS_PCI_CAP_H
#define BUS_PCI_CAP_H

#include "bus/pci.h"

#define PCI_MSIX_MAX 64

struct pci_msi { /* one vector, 64-bit address, no masking */
    struct pci_func *func;
    unsigned cap;
    struct ledger_row *row;
    struct msi_way way;
};

int pci_msi_init(struct pci_msi *m, struct pci_func *f); /* adds the capability */
bool pci_msi_enabled(const struct pci_msi *m);
void pci_msi_send(struct pci_msi *m);  /* nothing unless enabled and bus mastering is on */
void pci_msi_close(struct pci_msi *m); /* pci.c, when the function goes or is reset */

struct pci_msix {
    struct pci_func *func;
    unsigned cap, count;
    uint8_t table[PCI_MSIX_MAX * 16];
    uint64_t pending;
    struct ledger_row *row[PCI_MSIX_MAX];
    struct msi_way way[PCI_MSIX_MAX];
};

/* Adds the capability; table at table_off and PBA at pba_off of the BAR. The owner of the BAR calls
 * pci_msix_read/_write for offsets inside them. */
int pci_msix_init(struct pci_msix *m, struct pci_func *f, unsigned count, unsigned bar,
                  uint32_t table_off, uint32_t pba_off);
uint64_t pci_msix_read(struct pci_msix *m, uint32_t off, unsigned size); /* off: into the table */
void pci_msix_write(struct pci_msix *m, uint32_t off, unsigned size, uint64_t val);
uint64_t pci_msix_pba(struct pci_msix *m, uint32_t off, unsigned size);
bool pci_msix_enabled(const struct pci_msix *m);
void pci_msix_send(struct pci_msix *m, unsigned vector); /* masked: sets the pending bit */
void pci_msix_update(struct pci_msix *m); /* pci.c, when a mask or bus mastering may have changed */
void pci_msix_reset(struct pci_msix *m);
void pci_msix_close(struct pci_msix *m); /* pci.c, when the function goes */
void pci_msix_state(struct pci_msix *m, struct state *st);

#endif
