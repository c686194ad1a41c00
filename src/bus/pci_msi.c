/*
 * MSI, after PCI Local Bus Specification 3.0, section 6.8.1: one message a function, its address
 * of 64 bits and its data in configuration space. Several messages and per-vector masking are left
 * out: no function here has them.
 */
#include "bus/pci_cap.h"
#include "core/ledger.h"
#include <errno.h>

enum { CAP_MSI = 0x05, CONTROL = 2, ADDRESS = 4, ADDRESS_HI = 8, DATA = 12, CAP_LEN = 14 };
enum { CTL_ENABLE = 0x01, CTL_64BIT = 0x80 };

int pci_msi_init(struct pci_msi *m, struct pci_func *f)
{
    m->row = ledger_row(f->env.ledger, LEDGER_MSI, f->name, "msi");
    if (!m->row)
        return -ENOMEM;
    m->way = (struct msi_way){0};
    m->way.row = f->env.msi.send_by ? ledger_row(f->env.ledger, LEDGER_BELL, f->name, "msi") : NULL;
    m->func = f;
    m->cap = pci_func_cap(f, CAP_MSI, CAP_LEN);
    f->cfg[m->cap + CONTROL] = CTL_64BIT;
    f->wmask[m->cap + CONTROL] = CTL_ENABLE;
    le32_put(f->wmask + m->cap + ADDRESS, ~3u);
    le32_put(f->wmask + m->cap + ADDRESS_HI, UINT32_MAX);
    le16_put(f->wmask + m->cap + DATA, UINT16_MAX);
    f->msi = m;
    return 0;
}

bool pci_msi_enabled(const struct pci_msi *m)
{
    return m->func->cfg[m->cap + CONTROL] & CTL_ENABLE;
}

void pci_msi_send(struct pci_msi *m)
{
    const uint8_t *cap = m->func->cfg + m->cap;

    if (!pci_msi_enabled(m) || !m->func->dma.enabled)
        return;
    ledger_add(m->row, true, 4);
    /* The sink judges the address. */
    msi_post(&m->func->env.msi, &m->way, le64_get(cap + ADDRESS), le16_get(cap + DATA));
}

void pci_msi_close(struct pci_msi *m)
{
    msi_way_close(&m->func->env.msi, &m->way);
}
