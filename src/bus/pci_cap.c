/*
 * MSI-X, after PCI Local Bus Specification 3.0, section 6.8.2: the capability, the vector table,
 * the pending bits. A message that may not go now (vector masked, function masked, bus mastering
 * off) sets its pending bit and goes when it may. Plain MSI is in pci_msi.c.
 */
#include "bus/pci_cap.h"
#include "core/ledger.h"
#include "core/state.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CAP_MSIX = 0x11, CONTROL = 2, TABLE = 4, PBA = 8, CAP_LEN = 12 };
enum { CTL_ENABLE = 0x8000, CTL_MASK_ALL = 0x4000 };
enum { ENTRY_LEN = 16, ENTRY_ADDR = 0, ENTRY_DATA = 8, ENTRY_CTL = 12 };
#define ENTRY_MASKED 1u

static unsigned control(const struct pci_msix *m)
{
    return le16_get(m->func->cfg + m->cap + CONTROL);
}

bool pci_msix_enabled(const struct pci_msix *m)
{
    return control(m) & CTL_ENABLE;
}

int pci_msix_init(struct pci_msix *m, struct pci_func *f, unsigned count, unsigned bar,
                  uint32_t table_off, uint32_t pba_off)
{
    char name[16];

    if (count == 0 || count > PCI_MSIX_MAX)
        return -EINVAL;
    memset(m, 0, sizeof(*m));
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "msix%u", i);
        m->row[i] = ledger_row(f->env.ledger, LEDGER_MSI, f->name, name);
        m->way[i].row =
            f->env.msi.send_by ? ledger_row(f->env.ledger, LEDGER_BELL, f->name, name) : NULL;
        if (!m->row[i])
            return -ENOMEM;
    }
    m->func = f;
    m->count = count;
    m->cap = pci_func_cap(f, CAP_MSIX, CAP_LEN);
    le16_put(f->cfg + m->cap + CONTROL, (uint16_t)(count - 1));
    le16_put(f->wmask + m->cap + CONTROL, CTL_ENABLE | CTL_MASK_ALL);
    le32_put(f->cfg + m->cap + TABLE, table_off | bar);
    le32_put(f->cfg + m->cap + PBA, pba_off | bar);
    f->msix = m;
    pci_msix_reset(m);
    return 0;
}

static void vector_post(struct pci_msix *m, unsigned i)
{
    const uint8_t *e = m->table + i * ENTRY_LEN;

    ledger_add(m->row[i], true, 4);
    /* Only 32 bits of address can name a local APIC; the sink judges what it gets. */
    msi_post(&m->func->env.msi, &m->way[i], le64_get(e + ENTRY_ADDR), le32_get(e + ENTRY_DATA));
}

static bool vector_open(const struct pci_msix *m, unsigned i)
{
    return m->func->dma.enabled && !(control(m) & CTL_MASK_ALL) &&
           !(le32_get(m->table + i * ENTRY_LEN + ENTRY_CTL) & ENTRY_MASKED);
}

void pci_msix_send(struct pci_msix *m, unsigned vector)
{
    if (vector >= m->count || !pci_msix_enabled(m))
        return;
    if (vector_open(m, vector))
        vector_post(m, vector);
    else
        m->pending |= 1ull << vector;
}

void pci_msix_update(struct pci_msix *m)
{
    if (!pci_msix_enabled(m)) {
        m->pending = 0;
        return;
    }
    for (unsigned i = 0; m->pending && i < m->count; i++) {
        if ((m->pending >> i & 1) && vector_open(m, i)) {
            m->pending &= ~(1ull << i);
            vector_post(m, i);
        }
    }
}

uint64_t pci_msix_read(struct pci_msix *m, uint32_t off, unsigned size)
{
    uint64_t val = 0;

    if (size == 0 || size > 8 || !range_in(off, size, 0, m->count * ENTRY_LEN))
        return 0;
    memcpy(&val, m->table + off, size);
    return val;
}

/* The control dword has one writable bit; whatever an odd width does to it is undone here. */
void pci_msix_write(struct pci_msix *m, uint32_t off, unsigned size, uint64_t val)
{
    if (size == 0 || size > 8 || !range_in(off, size, 0, m->count * ENTRY_LEN))
        return;
    memcpy(m->table + off, &val, size);
    for (unsigned i = off / ENTRY_LEN; i <= (off + size - 1) / ENTRY_LEN && i < m->count; i++) {
        uint8_t *ctl = m->table + i * ENTRY_LEN + ENTRY_CTL;

        le32_put(ctl, le32_get(ctl) & ENTRY_MASKED);
    }
    pci_msix_update(m);
}

uint64_t pci_msix_pba(struct pci_msix *m, uint32_t off, unsigned size)
{
    uint8_t bits[8];
    uint64_t val = 0;

    le64_put(bits, m->pending);
    if (size <= 8 && range_in(off, size, 0, sizeof(bits)))
        memcpy(&val, bits + off, size);
    return val;
}

void pci_msix_close(struct pci_msix *m)
{
    for (unsigned i = 0; i < m->count; i++)
        msi_way_close(&m->func->env.msi, &m->way[i]);
}

void pci_msix_reset(struct pci_msix *m)
{
    pci_msix_close(m);
    memset(m->table, 0, sizeof(m->table));
    for (unsigned i = 0; i < m->count; i++)
        le32_put(m->table + i * ENTRY_LEN + ENTRY_CTL, ENTRY_MASKED);
    m->pending = 0;
}

void pci_msix_state(struct pci_msix *m, struct state *st)
{
    state_section(st, "msix", 1);
    state_bytes(st, m->table, sizeof(m->table));
    state_u64(st, &m->pending);
    if (!st->load || st->err)
        return;
    for (unsigned i = 0; i < PCI_MSIX_MAX; i++) {
        uint8_t *ctl = m->table + i * ENTRY_LEN + ENTRY_CTL;

        le32_put(ctl, le32_get(ctl) & ENTRY_MASKED);
    }
    if (m->count < 64)
        m->pending &= (1ull << m->count) - 1;
}
