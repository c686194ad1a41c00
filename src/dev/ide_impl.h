/* Private to ide.c (ports, PCI function) and idebm.c (bus master). */
#ifndef DEV_IDE_IMPL_H
#define DEV_IDE_IMPL_H

#include "bus/pci.h"
#include "dev/ata.h"
#include "dev/ide.h"

struct ide;

/* One channel's bus master. PRD entries and guest ranges are copied as they are fetched. */
struct ide_bm {
    uint8_t cmd, status; /* BMICX, BMISX */
    uint32_t prdt;       /* BMIDTPX: the guest's view */
    /* latched when the engine was started */
    uint32_t next;    /* address of the next PRD entry */
    uint32_t entries; /* fetched since then */
    gpa_t at;         /* rest of the current entry */
    uint32_t rest;
    bool last;      /* the current entry is the table's last */
    bool in_flight; /* the backend is moving seg[0..segs) in part or whole */
    int segs;
    struct {
        gpa_t gpa;
        uint32_t len;
    } seg[BLK_SEGS_MAX];
    struct iovec iov[BLK_SEGS_MAX];
};

struct ide_channel {
    struct ide *ide;
    struct ata_drive drive[2];
    struct io_region cmd, ctl;
    struct irq irq;
    uint8_t control; /* device control register */
    uint8_t sel;     /* which drive: device register bit 4 as last written */
    bool line;       /* level of the interrupt line */
    struct ide_bm bm;
};

struct ide {
    struct pci_func pci;
    struct ide_channel channel[2];
    struct io_region bm;
    uint16_t bm_base;
};

/* idebm.c */
extern const struct io_ops idebm_ops;
void idebm_run(struct ide_channel *ch, struct ata_drive *d);
void idebm_moved(struct ide_channel *ch, uint32_t bytes);
void idebm_irq(struct ide_channel *ch); /* the channel's interrupt was asserted */
void idebm_stop(struct ide_channel *ch);
void idebm_reset(struct ide_channel *ch);
void idebm_state(struct ide_channel *ch, struct state *st);

#endif
