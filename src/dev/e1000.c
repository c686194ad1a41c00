/*
 * Intel 82540EM, the gigabit Ethernet controller of the PRO/1000 MT desktop adapter: Intel's
 * "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (317453). This
 * file is the PCI function (chapter 4), its two windows on the registers (13.2: memory, and
 * IOADDR/IODATA in port space) and resets (14.7). e1000_table.c lists the registers, _tx, _seg and
 * _rx move frames, _filter, _sum and _stats do what their names say, _irq is the interrupt, _eeprom
 * and _phy are the chips behind EECD and MDIC. Left out: the flash, the window on the packet
 * buffer, obeying pause frames, ASF, and the cable's own imperfections.
 */
#include "dev/e1000.h"
#include "core/ledger.h"
#include "core/state.h"
#include "dev/e1000_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BAR_MMIO 0
#define BAR_IO   2
#define MMIO_LEN 0x20000
#define IO_LEN   64
#define IOADDR   0
#define IODATA   4

/* configuration space */
#define CFG_STATUS     0x06
#define CFG_MIN_GNT    0x3e
#define CAP_PM         0xdcu
#define CAP_PCIX       0xe4u
#define CAP_MSI        0xf0u
#define CAP_ID_PM      0x01
#define CAP_ID_PCIX    0x07
#define PMCSR          (CAP_PM + 4)
#define PMCSR_STATE    0x03u
#define PMCSR_PME_EN   0x0100u
#define PMCSR_PME      0x8000u
#define PMCSR_SCALE    0x2000u
#define PMC            0xc822u     /* version 2, DSI, PME# from D0 and D3 */
#define PCIX_COMMAND   0x0002u     /* relaxed ordering, 512 bytes, one split */
#define PCIX_STATUS    0x00400000u /* up to 2 KiB a read */
#define STATUS_66MHZ   0x0020u
#define STATUS_DEVSEL  0x0200u /* medium */
#define COMMAND_INVAL  0x0010u
#define CTRL_PLAIN     0x58fc1be9u
#define CTRL_EXT_PLAIN 0x00228fffu

bool e1000_awake(const struct e1000 *e)
{
    return !(e->pci.cfg[PMCSR] & PMCSR_STATE);
}

/* ---- the windows ---- */

static uint32_t reg_read(struct e1000 *e, unsigned off)
{
    const struct e1000_reg *r;

    if (off < sizeof(e->reg))
        off = e1000_alias(off);
    if (off >= sizeof(e->reg) || !e->kind[off / 4] || !e1000_awake(e)) {
        ledger_refuse(e->mmio.row);
        return e1000_awake(e) ? 0 : UINT32_MAX;
    }
    r = &e1000_regs[e->kind[off / 4]];
    return r->read ? r->read(e, off) : e1000_get(e, off);
}

static void reg_write(struct e1000 *e, unsigned off, uint32_t val)
{
    const struct e1000_reg *r;

    if (off < sizeof(e->reg))
        off = e1000_alias(off);
    if (off >= sizeof(e->reg) || !e->kind[off / 4] || !e1000_awake(e)) {
        ledger_refuse(e->mmio.row);
        return;
    }
    r = &e1000_regs[e->kind[off / 4]];
    if (r->write)
        r->write(e, off, val);
    else
        *e1000_at(e, off) = (*e1000_at(e, off) & ~r->mask) | (val & r->mask);
}

static uint64_t mmio_read(void *dev, uint64_t off, unsigned size)
{
    (void)size;
    return reg_read(dev, (unsigned)off);
}

static void mmio_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)size;
    reg_write(dev, (unsigned)off, (uint32_t)val);
}

/* IOADDR takes any value; IODATA reaches what it names, whole registers only. */
static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
    struct e1000 *e = dev;

    (void)size;
    if (off == IOADDR)
        return e->io_addr;
    if (off == IODATA && !(e->io_addr & 3) && e->io_addr < MMIO_LEN)
        return reg_read(e, e->io_addr);
    ledger_refuse(e->io.row);
    return 0;
}

static void io_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct e1000 *e = dev;

    (void)size;
    if (off == IOADDR)
        e->io_addr = (uint32_t)val;
    else if (off == IODATA && !(e->io_addr & 3) && e->io_addr < MMIO_LEN)
        reg_write(e, e->io_addr, (uint32_t)val);
    else
        ledger_refuse(e->io.row);
}

static const struct io_ops mmio_ops = {mmio_read, mmio_write, .sizes = 4, .split = true};
static const struct io_ops io_ops = {io_read, io_write, .sizes = 4, .split = false};

/* ---- resets ---- */

static void regs_reset(struct e1000 *e, bool all)
{
    for (unsigned r = 1; r < e1000_reg_count; r++)
        for (unsigned i = 0; i < e1000_regs[r].count && (all || !e1000_regs[r].keep); i++)
            e->reg[e1000_regs[r].off / 4 + i] = e1000_regs[r].reset;
    for (unsigned i = 0; i < 16; i++)
        *e1000_at(e, RAH + 8 * i) &= ~RAH_AV;
}

/* The MAC; neither the PHY nor configuration space. Frames under way are dropped. */
static void mac_reset(struct e1000 *e, bool all)
{
    bool waits = e->starved;

    e1000_tx_stop(e);
    e1000_irq_reset(e);
    regs_reset(e, all);
    e->starved = e->rx_new = false;
    e1000_eeprom_load(e);
    e1000_phy_link(e);
    if (waits && e->net)
        net_ready(e->net); /* the frame that waited outside passes by: nobody listens now */
}

void e1000_ctrl_write(struct e1000 *e, unsigned off, uint32_t val)
{
    (void)off;
    if (val & CTRL_RST) {
        mac_reset(e, false);
        return;
    }
    *e1000_at(e, CTRL) = val & CTRL_PLAIN;
    if (val & CTRL_PHY_RST)
        e1000_phy_reset(e);
    e1000_phy_link(e);
}

void e1000_ctrl_ext_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & CTRL_EXT_PLAIN;
    if (val & CTRL_EXT_EE_RST)
        mac_reset(e, false);
}

/* Coming back from D3 resets the MAC (4.5, no "no soft reset" bit). */
static void cfg_written(void *dev, unsigned off, unsigned size)
{
    struct e1000 *e = dev;

    if (!range_in(PMCSR, 1, off, size))
        return;
    if (!e1000_awake(e))
        e->asleep = true;
    else if (e->asleep) {
        e->asleep = false;
        mac_reset(e, false);
    }
}

static void cfg_reset(struct e1000 *e)
{
    pci_func_reset(&e->pci);
    le16_put(e->pci.cfg + CAP_PCIX + 2, PCIX_COMMAND);
}

static void e1000_reset(void *dev)
{
    struct e1000 *e = dev;

    cfg_reset(e);
    e->io_addr = 0;
    e->asleep = false;
    e1000_phy_reset(e);
    mac_reset(e, true);
}

/* ---- the rest of its life ---- */

static void regs_state(struct e1000 *e, struct state *st)
{
    for (unsigned r = 1; r < e1000_reg_count; r++)
        for (unsigned i = 0; i < e1000_regs[r].count; i++)
            state_u32(st, &e->reg[e1000_regs[r].off / 4 + i]);
    for (unsigned i = 0; i < E1000_PHY; i++)
        state_u16(st, &e->phy[i]);
    state_u32(st, &e->io_addr);
    state_bool(st, &e->asleep);
    state_bool(st, &e->starved);
    state_bool(st, &e->rx_new);
}

static void e1000_state(void *dev, struct state *st)
{
    struct e1000 *e = dev;

    state_section(st, "e1000", 1);
    if (st->load)
        e1000_irq_reset(e);
    regs_state(e, st);
    e1000_eeprom_state(e, st);
    e1000_tx_state(e, st);
    pci_func_state(&e->pci, st);
    e1000_irq_state(e, st);
}

static void e1000_destroy(void *dev)
{
    struct e1000 *e = dev;

    if (e->net)
        net_attach(e->net, NULL);
    e1000_tx_stop(e);
    loop_timer_stop(&e->irq.timer);
    pci_func_detach(&e->pci);
    free(e);
}

static const struct dev_class e1000_class = {
    "e1000", "Intel 82540EM gigabit Ethernet controller", e1000_reset, e1000_state, e1000_destroy,
};

/* ---- making one ---- */

/* Behind one another at 0xdc, 0xe4, 0xf0 as on the chip; the last made is the first in the list. */
static int caps_init(struct e1000 *e)
{
    struct pci_func *f = &e->pci;
    unsigned at;
    int err;

    f->cap_end = CAP_MSI;
    err = pci_msi_init(&e->msi, f);
    if (err)
        return err;
    f->cap_end = CAP_PCIX;
    at = pci_func_cap(f, CAP_ID_PCIX, 8);
    le16_put(f->wmask + at + 2, 0x7f);
    le32_put(f->cfg + at + 4, PCIX_STATUS);
    f->cap_end = CAP_PM;
    at = pci_func_cap(f, CAP_ID_PM, 8);
    le16_put(f->cfg + at + 2, PMC);
    le16_put(f->cfg + at + 4, PMCSR_SCALE);
    le16_put(f->wmask + at + 4, PMCSR_STATE | PMCSR_PME_EN | 0x1e00);
    le16_put(f->w1c + at + 4, PMCSR_PME);
    return 0;
}

static int window_init(struct e1000 *e, struct io_region *r, unsigned bar, const char *row)
{
    const struct dev_env *env = &e->pci.env;

    r->name = env->name;
    r->dev = e;
    r->row = ledger_row(env->ledger, bar == BAR_IO ? LEDGER_PIO : LEDGER_MMIO, env->name, row);
    pci_func_bar(&e->pci, bar, r, false);
    return r->row ? 0 : -ENOMEM;
}

static int pci_init(struct e1000 *e, const struct dev_env *env)
{
    static const struct pci_ids ids = {.vendor = 0x8086,
                                       .device = 0x100e,
                                       .subvendor = 0x8086,
                                       .subdevice = 0x001e,
                                       .class_rev = 0x02000002, /* Ethernet, revision 2 */
                                       .intx = true};
    struct pci_func *f = &e->pci;
    int err = pci_func_init(f, env, &ids, e);

    if (err)
        return err;
    le16_put(f->cfg + CFG_STATUS, STATUS_66MHZ | STATUS_DEVSEL);
    f->cfg[CFG_MIN_GNT] = 0xff;
    f->wmask[4] |= COMMAND_INVAL;
    f->cfg_written = cfg_written;
    e->mmio = (struct io_region){.ops = &mmio_ops, .space = BUS_MMIO, .len = MMIO_LEN};
    e->io = (struct io_region){.ops = &io_ops, .space = BUS_PIO, .len = IO_LEN};
    err = window_init(e, &e->mmio, BAR_MMIO, "regs");
    if (!err)
        err = window_init(e, &e->io, BAR_IO, "io");
    if (!err)
        err = caps_init(e);
    return err ? err : pci_func_attach(f);
}

static void on_link(void *front, bool up)
{
    (void)up; /* net->up says it too */
    e1000_phy_link(front);
}

int e1000_create(struct dev *out, const struct dev_env *env, const struct e1000_setup *s)
{
    struct e1000 *e = calloc(1, sizeof(*e));
    int err;

    if (!e)
        return -ENOMEM;
    e->net = s->net;
    memcpy(e->mac, s->mac, sizeof(e->mac));
    e1000_kinds(e);
    e1000_eeprom_init(e);
    err = pci_init(e, env);
    if (err) {
        free(e);
        return err;
    }
    e1000_tx_init(e);
    loop_timer_init(&e->irq.timer, env->loop, e1000_irq_timer, e);
    e1000_reset(e);
    if (e->net)
        net_attach(e->net, &(struct net_front){.recv = e1000_recv,
                                               .recv_end = e1000_recv_end,
                                               .link = on_link,
                                               .room = e1000_tx_room,
                                               .front = e});
    e1000_phy_link(e);
    *out = (struct dev){&e1000_class, e, env->name};
    return 0;
}
