/*
 * ACPI tables: RSDP, XSDT, FADT, MADT, DSDT and, for fixed hardware, FACS. ACPI Specification 6.4,
 * section 5.2; the DSDT says what an OS can't find by itself: ISA-style parts, the PCI host bridge
 * with its windows and interrupt routing, and the sleep type of power-off.
 *
 * Two shapes: the classic PC with PM1a, a PM timer and an SCI; and hardware-reduced (section 3.11),
 * whose OS needs no SCI, no PM timer, no legacy interrupt wiring.
 * Left out: power states of processors, thermal zones, hot plug.
 */
#include "board/acpi.h"
#include "board/aml.h"
#include "board/map.h"
#include <errno.h>
#include <string.h>

#define HEAD      36
#define FADT_LEN  276
#define MADT_ROOM 1024
#define SLOTS     32

enum { /* offsets in the FADT, section 5.2.9 */
       FADT_FACS = 36,
       FADT_DSDT = 40,
       FADT_SCI_INT = 46,
       FADT_PM1A_EVT = 56,
       FADT_PM1A_CNT = 64,
       FADT_PM_TMR = 76,
       FADT_PM1_EVT_LEN = 88,
       FADT_PM1_CNT_LEN = 89,
       FADT_PM_TMR_LEN = 91,
       FADT_C2_LAT = 96,
       FADT_C3_LAT = 98,
       FADT_CENTURY = 108,
       FADT_BOOT_ARCH = 109,
       FADT_FLAGS = 112,
       FADT_RESET = 116,
       FADT_RESET_VALUE = 128,
       FADT_MINOR = 131,
       FADT_X_FACS = 132,
       FADT_X_DSDT = 140,
       FADT_X_PM1A_EVT = 148,
       FADT_X_PM1A_CNT = 172,
       FADT_X_PM_TMR = 208,
       FADT_SLEEP_CTL = 244,
       FADT_SLEEP_STS = 256,
};

enum { /* FADT flags */
       WBINVD = 1 << 0,
       PROC_C1 = 1 << 2,
       NO_POWER_BUTTON = 1 << 4,
       NO_SLEEP_BUTTON = 1 << 5,
       RESET_REG = 1 << 10,
       HW_REDUCED = 1 << 20,
};
enum { ARCH_LEGACY = 1, ARCH_8042 = 2, ARCH_NO_VGA = 4 }; /* IAPC_BOOT_ARCH */

struct tables {
    const struct acpi_machine *m;
    uint64_t at; /* guest address of buf */
    uint8_t *buf;
    size_t len, room;
};

static void sum_put(uint8_t *table, size_t len, size_t at)
{
    uint8_t sum = 0;

    table[at] = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + table[i]);
    table[at] = (uint8_t)-sum;
}

/* Header of a table of len bytes; its checksum is made last, by table_end. */
static void table_head(uint8_t *t, const char *sig, size_t len, uint8_t revision)
{
    memcpy(t, sig, 4);
    le32_put(t + 4, (uint32_t)len);
    t[8] = revision;
    memcpy(t + 10, "VIADCTVIADUCT ", 14);
    le32_put(t + 24, 1);
    memcpy(t + 28, "VIAD", 4);
    le32_put(t + 32, 1);
}

/* Room for a table, zeroed; NULL if it doesn't fit. */
static uint8_t *table_new(struct tables *ts, size_t len, size_t align)
{
    size_t at = (ts->len + align - 1) & ~(align - 1);

    if (at > ts->room || len > ts->room - at)
        return NULL;
    ts->len = at + len;
    return memset(ts->buf + at, 0, len);
}

static uint64_t table_at(const struct tables *ts, const uint8_t *table)
{
    return ts->at + (uint64_t)(table - ts->buf);
}

/* ---- DSDT ---- */

static void part_put(struct aml *a, const struct acpi_part *p)
{
    size_t dev = aml_device(a, p->seg), crs;

    aml_name(a, "_HID");
    if (strlen(p->hid) == 7)
        aml_eisaid(a, p->hid);
    else
        aml_string(a, p->hid);
    aml_name(a, "_UID");
    aml_int(a, p->uid);
    crs = aml_crs(a);
    for (int i = 0; i < 2; i++)
        if (p->io[i])
            aml_io(a, p->io[i], p->io_len[i]);
    if (p->mem)
        aml_memory32(a, p->mem, p->mem_len);
    if (p->irq)
        aml_irq(a, p->irq, p->level);
    aml_crs_end(a, crs);
    aml_close(a, dev);
}

/* One entry for each pin of each slot: { slot:any function, pin, no link device, GSI }. */
static void prt_put(struct aml *a, const struct acpi_machine *m)
{
    size_t prt, entry;

    aml_name(a, "_PRT");
    prt = aml_package(a, (SLOTS - 1) * 4);
    for (unsigned slot = 1; slot < SLOTS; slot++)
        for (unsigned pin = 1; pin <= 4; pin++) {
            entry = aml_package(a, 4);
            aml_int(a, slot << 16 | 0xffff);
            aml_int(a, pin - 1);
            aml_int(a, 0);
            aml_int(a, m->pci_gsi(slot, pin, m->pci_first, m->pci_lines));
            aml_close(a, entry);
        }
    aml_close(a, prt);
}

static void host_bridge_put(struct aml *a, const struct acpi_machine *m)
{
    size_t dev = aml_device(a, "PCI0"), crs;

    aml_name(a, "_HID");
    aml_eisaid(a, "PNP0A03");
    aml_name(a, "_UID");
    aml_int(a, 0);
    aml_name(a, "_BBN");
    aml_int(a, 0);
    crs = aml_crs(a);
    aml_bus_window(a, 0, 0xff);
    aml_io(a, MAP_PCI_CONFIG, 8);
    aml_io_window(a, 0, MAP_PCI_CONFIG - 1);
    aml_io_window(a, MAP_PCI_CONFIG + 8, 0xffff);
    aml_memory_window(a, MAP_PCI_WINDOW, MAP_PCI_WINDOW_END - 1);
    aml_crs_end(a, crs);
    prt_put(a, m);
    aml_close(a, dev);
}

static uint8_t *dsdt_put(struct tables *ts)
{
    uint8_t *t = table_new(ts, HEAD, 8);
    struct aml a;
    size_t block;

    if (!t)
        return NULL;
    a = (struct aml){.at = t, .len = HEAD, .room = ts->room - (size_t)(t - ts->buf)};
    aml_name(&a, "_S5_");
    block = aml_package(&a, 4);
    aml_int(&a, ts->m->s5);
    for (int i = 0; i < 3; i++)
        aml_int(&a, 0);
    aml_close(&a, block);
    block = aml_scope(&a, "_SB_");
    host_bridge_put(&a, ts->m);
    for (unsigned i = 0; i < ts->m->parts; i++)
        part_put(&a, &ts->m->part[i]);
    aml_close(&a, block);
    if (a.full)
        return NULL;
    ts->len = (size_t)(t - ts->buf) + a.len;
    table_head(t, "DSDT", a.len, 2);
    sum_put(t, a.len, 9);
    return t;
}

/* ---- FADT ---- */

static void port_put(uint8_t *gas, unsigned width, uint16_t port)
{
    if (!port)
        return;
    gas[0] = 1; /* system I/O */
    gas[1] = (uint8_t)width;
    gas[3] = (uint8_t)(width == 8 ? 1 : width == 16 ? 2 : 3); /* access size */
    le64_put(gas + 4, port);
}

static void fixed_put(struct tables *ts, uint8_t *t, const uint8_t *facs)
{
    const struct acpi_machine *m = ts->m;

    le32_put(t + FADT_FACS, (uint32_t)table_at(ts, facs));
    le16_put(t + FADT_SCI_INT, m->sci);
    le32_put(t + FADT_PM1A_EVT, m->pm1_evt);
    le32_put(t + FADT_PM1A_CNT, m->pm1_cnt);
    le32_put(t + FADT_PM_TMR, m->pm_tmr);
    t[FADT_PM1_EVT_LEN] = 4;
    t[FADT_PM1_CNT_LEN] = 2;
    t[FADT_PM_TMR_LEN] = 4;
    port_put(t + FADT_X_PM1A_EVT, 32, m->pm1_evt);
    port_put(t + FADT_X_PM1A_CNT, 16, m->pm1_cnt);
    port_put(t + FADT_X_PM_TMR, 32, m->pm_tmr);
}

static uint8_t *fadt_put(struct tables *ts, const uint8_t *dsdt, const uint8_t *facs)
{
    const struct acpi_machine *m = ts->m;
    uint8_t *t = table_new(ts, FADT_LEN, 8);
    unsigned arch = ARCH_NO_VGA | (m->i8042 ? ARCH_8042 : 0);
    uint32_t flags = WBINVD | PROC_C1 | NO_SLEEP_BUTTON | RESET_REG;

    if (!t)
        return NULL;
    if (m->reduced) {
        flags |= HW_REDUCED | NO_POWER_BUTTON;
        port_put(t + FADT_SLEEP_CTL, 8, m->sleep_ctl);
        port_put(t + FADT_SLEEP_STS, 8, m->sleep_sts);
    } else {
        arch |= ARCH_LEGACY;
        fixed_put(ts, t, facs);
    }
    le32_put(t + FADT_DSDT, (uint32_t)table_at(ts, dsdt));
    le64_put(t + FADT_X_DSDT, table_at(ts, dsdt));
    le16_put(t + FADT_C2_LAT, 0xfff); /* no C2, no C3 */
    le16_put(t + FADT_C3_LAT, 0xfff);
    t[FADT_CENTURY] = 0x32;
    le16_put(t + FADT_BOOT_ARCH, (uint16_t)arch);
    le32_put(t + FADT_FLAGS, flags);
    port_put(t + FADT_RESET, 8, m->reset);
    t[FADT_RESET_VALUE] = m->reset_value;
    t[FADT_MINOR] = 4;
    table_head(t, "FACP", FADT_LEN, 6);
    sum_put(t, FADT_LEN, 9);
    return t;
}

/* ---- MADT ---- */

static size_t madt_override(uint8_t *e, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    e[0] = 2;
    e[1] = 10;
    e[3] = irq;
    le32_put(e + 4, gsi);
    le16_put(e + 8, flags);
    return 10;
}

#define LEVEL_HIGH 0x0d /* active high, level-triggered */

/* Without a PIC every line is named in the DSDT, trigger mode and all. */
static size_t madt_legacy(uint8_t *e, const struct acpi_machine *m)
{
    size_t n = madt_override(e, 0, 2, 0);

    n += madt_override(e + n, m->sci, m->sci, LEVEL_HIGH);
    for (unsigned i = 0; i < m->pci_lines; i++)
        n += madt_override(e + n, (uint8_t)(m->pci_first + i), m->pci_first + i, LEVEL_HIGH);
    return n;
}

static uint8_t *madt_put(struct tables *ts)
{
    const struct acpi_machine *m = ts->m;
    uint8_t body[MADT_ROOM] = {0}, *e = body, *t;
    size_t len;

    le32_put(e, MAP_LAPIC);
    le32_put(e + 4, m->pic ? 1 : 0); /* PCAT_COMPAT */
    e += 8;
    for (unsigned i = 0; i < m->vcpus && i < 64; i++, e += 8) {
        e[0] = 0;
        e[1] = 8;
        e[2] = e[3] = (uint8_t)i;
        le32_put(e + 4, 1); /* enabled */
    }
    e[0] = 1;
    e[1] = 12;
    e[2] = m->ioapic_id;
    le32_put(e + 4, MAP_IOAPIC);
    e += 12;
    if (m->pic)
        e += madt_legacy(e, m);
    e[0] = 4; /* NMI at LINT1 of all */
    e[1] = 6;
    e[2] = 0xff;
    e[5] = 1;
    e += 6;
    len = HEAD + (size_t)(e - body);
    t = table_new(ts, len, 8);
    if (!t)
        return NULL;
    memcpy(t + HEAD, body, len - HEAD);
    table_head(t, "APIC", len, 5);
    sum_put(t, len, 9);
    return t;
}

/* ---- the roots ---- */

static uint8_t *facs_put(struct tables *ts)
{
    uint8_t *t = table_new(ts, 64, 64);

    if (t) {
        memcpy(t, "FACS", 4);
        le32_put(t + 4, 64);
        t[32] = 2;
    }
    return t;
}

static void rsdp_put(uint8_t *t, uint64_t xsdt)
{
    memcpy(t, "RSD PTR ", 8);
    memcpy(t + 9, "VIADCT", 6);
    t[15] = 2;
    le32_put(t + 20, 36);
    le64_put(t + 24, xsdt);
    sum_put(t, 20, 8);
    sum_put(t, 36, 32);
}

int acpi_build(const struct acpi_machine *m, uint64_t at, uint8_t *buf, size_t room, size_t *len)
{
    struct tables ts = {.m = m, .at = at, .buf = buf, .room = room};
    uint8_t *rsdp = table_new(&ts, 36, 16), *xsdt = table_new(&ts, HEAD + 16, 8);
    uint8_t *facs = m->reduced ? buf : facs_put(&ts), *dsdt = dsdt_put(&ts), *fadt, *madt;

    if (!rsdp || !xsdt || !facs || !dsdt)
        return -ENOSPC;
    fadt = fadt_put(&ts, dsdt, facs);
    madt = madt_put(&ts);
    if (!fadt || !madt)
        return -ENOSPC;
    le64_put(xsdt + HEAD, table_at(&ts, fadt));
    le64_put(xsdt + HEAD + 8, table_at(&ts, madt));
    table_head(xsdt, "XSDT", HEAD + 16, 1);
    sum_put(xsdt, HEAD + 16, 9);
    rsdp_put(rsdp, table_at(&ts, xsdt));
    *len = ts.len;
    return 0;
}
