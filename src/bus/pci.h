/*
 * PCI: configuration space of type-0 functions, BARs that move, and the root bus.
 * PCI Local Bus Specification 3.0, chapter 6. Capabilities (MSI, MSI-X) are in bus/pci_cap.h.
 */
#ifndef BUS_PCI_H
#define BUS_PCI_H

#include "bus/bus.h"
#include "bus/dev.h"
#include "mem/dma.h"

#define PCI_BARS     6
#define PCI_CFG_SIZE 256

struct pci_func;

struct pci_bar {
    struct io_region *region; /* NULL: not implemented. For MMIO BARs len is a power of two */
    bool is64, prefetch;
};

struct pci_func {
    uint8_t cfg[PCI_CFG_SIZE];
    uint8_t wmask[PCI_CFG_SIZE]; /* guest-writable bits */
    uint8_t w1c[PCI_CFG_SIZE];   /* write-one-to-clear bits */
    struct pci_bar bar[PCI_BARS];
    struct dma dma; /* enabled follows command bit 2 */
    struct dev_env env;
    const char *name;
    bool intx;             /* level the device wants on INTA# */
    uint8_t cap_end;       /* where the next capability goes; starts at 0x40 */
    struct pci_msix *msix; /* bus/pci_cap.h */
    struct pci_msi *msi;
    /* Optional: told after a config write took effect (e.g. IDE's mode bits). */
    void (*cfg_written)(void *dev, unsigned off, unsigned size);
    /* Optional: told before a config read, for bytes that are computed (virtio's window). */
    void (*cfg_reading)(void *dev, unsigned off, unsigned size);
    void *dev;
};

struct pci_bus;

struct pci_ids {
    uint16_t vendor, device, subvendor, subdevice;
    uint32_t class_rev; /* class << 8 | revision */
    bool intx;          /* has an interrupt pin (INTA) */
};

/* The root bus with its type-1 ports 0xcf8-0xcff is dev/hostbridge; this is the bus itself. */
struct pci_bus *pci_bus_open(struct bus *bus);
void pci_bus_close(struct pci_bus *pb);
/* Any devfn, offset and size: what isn't there reads all-ones and ignores writes. */
uint32_t pci_cfg_read(struct pci_bus *pb, unsigned devfn, unsigned off, unsigned size);
void pci_cfg_write(struct pci_bus *pb, unsigned devfn, unsigned off, unsigned size, uint32_t val);

/* Fills cfg and wmask; env.name, pci, devfn, irq and lock are used. BARs are added before attach.
 */
int pci_func_init(struct pci_func *f, const struct dev_env *env, const struct pci_ids *ids,
                  void *dev);
void pci_func_bar(struct pci_func *f, unsigned index, struct io_region *region, bool is64);
/* Room for a capability of len bytes (header included); returns its offset. */
unsigned pci_func_cap(struct pci_func *f, uint8_t id, unsigned len);
int pci_func_attach(struct pci_func *f);  /* -EBUSY if devfn is taken */
void pci_func_detach(struct pci_func *f); /* unmaps BARs */
void pci_func_reset(struct pci_func *f);
void pci_func_state(struct pci_func *f, struct state *st);
/* Drive INTA#: the level reaches env.irq unless command bit 10 (interrupt disable) is set. */
void pci_intx(struct pci_func *f, bool level);
/* What the board's firmware would do: give BAR addresses, enable decoding, set interrupt line. */
void pci_func_place(struct pci_func *f, unsigned bar, uint64_t base);
void pci_func_line(struct pci_func *f, uint8_t line); /* the Interrupt Line register */

#endif
