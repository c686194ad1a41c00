/*
 * PCI configuration space, after the PCI Local Bus Specification 3.0, chapter 6: the type-0 header
 * (6.1, 6.2), base address registers (6.2.5) and the command register's decode bits (6.2.2).
 *
 * cfg is what the guest reads; wmask says which bits it may change and w1c which it clears by
 * writing ones. Decoding is computed from cfg after each write, never remembered: a BAR is mapped
 * when its decode bit is set, its address is possible, and nothing else is in the way. One bus,
 * number 0; no bridges behind it, no expansion ROMs, no parity or SERR reporting.
 */
#include "bus/pci.h"
#include "bus/pci_cap.h"
#include "core/ledger.h"
#include "core/state.h"
#include "core/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { /* configuration header */
       VENDOR_ID = 0x00,
       DEVICE_ID = 0x02,
       COMMAND = 0x04,
       STATUS = 0x06,
       REVISION = 0x08,
       HEADER_TYPE = 0x0e,
       BAR0 = 0x10,
       SUBVENDOR = 0x2c,
       SUBDEVICE = 0x2e,
       CAP_PTR = 0x34,
       INT_LINE = 0x3c,
       INT_PIN = 0x3d,
};
enum { CMD_IO = 1, CMD_MEM = 2, CMD_MASTER = 4, CMD_INTX_OFF = 0x400 };
enum { CMD_WRITABLE = CMD_IO | CMD_MEM | CMD_MASTER | 0x40 | 0x100 | CMD_INTX_OFF };
enum { ST_INTX = 8, ST_CAPS = 0x10 };
enum { BAR_IO = 1, BAR_64 = 4 };
#define MULTIFUNCTION 0x80
#define PCI_FUNCS     256

struct pci_bus {
    struct bus *bus;
    struct pci_func *func[PCI_FUNCS];
};

struct pci_bus *pci_bus_open(struct bus *bus)
{
    struct pci_bus *pb = calloc(1, sizeof(*pb));

    if (pb)
        pb->bus = bus;
    return pb;
}

void pci_bus_close(struct pci_bus *pb)
{
    free(pb);
}

static uint16_t command(const struct pci_func *f)
{
    return le16_get(f->cfg + COMMAND);
}

/* ---- BARs ---- */

static uint64_t bar_addr(const struct pci_func *f, unsigned i)
{
    const uint8_t *p = f->cfg + BAR0 + 4 * i;

    if (f->bar[i].region->space == BUS_PIO)
        return le32_get(p) & ~3u;
    return f->bar[i].is64 ? le64_get(p) & ~15ull : le32_get(p) & ~15u;
}

/* Address 0 is what reset leaves and what sizing goes through: it decodes nothing. */
static bool bar_decodes(const struct pci_func *f, unsigned i)
{
    const struct io_region *r = f->bar[i].region;
    uint64_t base = bar_addr(f, i);

    if (!(command(f) & (r->space == BUS_PIO ? CMD_IO : CMD_MEM)) || base == 0)
        return false;
    return range_in(base, r->len, 0, r->space == BUS_PIO ? 0x10000 : 1ull << 52);
}

/* A BAR that clashes decodes nothing; decode_update tries again when the map has changed. */
static void bar_update(struct bus *bus, struct pci_func *f, unsigned i)
{
    struct io_region *r = f->bar[i].region;
    uint64_t base = bar_addr(f, i);

    if (!bar_decodes(f, i)) {
        bus_unmap(bus, r);
    } else if (!r->mapped) {
        r->base = base;
        bus_map(bus, r);
    } else if (r->base != base && bus_move(bus, r, base) != 0) {
        bus_unmap(bus, r);
    }
}

static void func_update(struct bus *bus, struct pci_func *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bar[i].region)
            bar_update(bus, f, i);
}

/* First the one that was written, then all: its move may let another in that was refused. */
static void decode_update(struct pci_bus *pb, struct pci_func *f)
{
    func_update(pb->bus, f);
    for (unsigned i = 0; i < PCI_FUNCS; i++)
        if (pb->func[i])
            func_update(pb->bus, pb->func[i]);
}

/* ---- what follows from the command register ---- */

static void intx_update(struct pci_func *f)
{
    bool off = (command(f) & CMD_INTX_OFF) || (f->msix && pci_msix_enabled(f->msix)) ||
               (f->msi && pci_msi_enabled(f->msi));

    f->cfg[STATUS] = (uint8_t)((f->cfg[STATUS] & ~ST_INTX) | (f->intx ? ST_INTX : 0));
    irq_set(&f->env.irq, f->intx && !off);
}

static void func_effects(struct pci_func *f)
{
    f->dma.enabled = command(f) & CMD_MASTER;
    intx_update(f);
    if (f->msix)
        pci_msix_update(f->msix);
}

void pci_intx(struct pci_func *f, bool level)
{
    f->intx = level;
    intx_update(f);
}

/* ---- configuration accesses ---- */

static bool cfg_valid(unsigned off, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && range_in(off, size, 0, PCI_CFG_SIZE);
}

static uint32_t func_read(struct pci_func *f, unsigned off, unsigned size)
{
    if (f->cfg_reading)
        f->cfg_reading(f->dev, off, size);
    if (size == 4)
        return le32_get(f->cfg + off);
    return size == 2 ? le16_get(f->cfg + off) : f->cfg[off];
}

static void func_write(struct pci_bus *pb, struct pci_func *f, unsigned off, unsigned size,
                       uint32_t val)
{
    for (unsigned i = off; i < off + size; i++, val >>= 8) {
        uint8_t v = (uint8_t)val;

        f->cfg[i] = (uint8_t)((f->cfg[i] & ~f->wmask[i]) | (v & f->wmask[i]));
        f->cfg[i] &= (uint8_t) ~(v & f->w1c[i]);
    }
    decode_update(pb, f);
    func_effects(f);
    if (f->cfg_written)
        f->cfg_written(f->dev, off, size);
}

uint32_t pci_cfg_read(struct pci_bus *pb, unsigned devfn, unsigned off, unsigned size)
{
    struct pci_func *f = devfn < PCI_FUNCS ? pb->func[devfn] : NULL;
    struct tap_access a = {.off = off, .size = size};

    if (!f || !cfg_valid(off, size))
        return UINT32_MAX;
    if (!f->env.tap)
        return func_read(f, off, size);
    f->env.tap->ops->begin(f->env.tap);
    a.val = func_read(f, off, size);
    f->env.tap->ops->end(f->env.tap, &a);
    return (uint32_t)a.val;
}

void pci_cfg_write(struct pci_bus *pb, unsigned devfn, unsigned off, unsigned size, uint32_t val)
{
    struct pci_func *f = devfn < PCI_FUNCS ? pb->func[devfn] : NULL;
    struct tap_access a = {.off = off, .size = size, .val = val, .write = true};

    if (!f || !cfg_valid(off, size))
        return;
    if (f->env.tap)
        f->env.tap->ops->begin(f->env.tap);
    func_write(pb, f, off, size, val);
    if (f->env.tap)
        f->env.tap->ops->end(f->env.tap, &a);
}

/* ---- building a function ---- */

int pci_func_init(struct pci_func *f, const struct dev_env *env, const struct pci_ids *ids,
                  void *dev)
{
    memset(f, 0, sizeof(*f));
    f->env = *env;
    f->name = env->name;
    f->dev = dev;
    f->cap_end = 0x40;
    f->dma.ram = env->ram;
    f->dma.tap = env->tap;
    f->dma.row = ledger_row(env->ledger, LEDGER_DMA, env->name, "dma");
    if (!f->dma.row)
        return -ENOMEM;
    le16_put(f->cfg + VENDOR_ID, ids->vendor);
    le16_put(f->cfg + DEVICE_ID, ids->device);
    le32_put(f->cfg + REVISION, ids->class_rev);
    le16_put(f->cfg + SUBVENDOR, ids->subvendor);
    le16_put(f->cfg + SUBDEVICE, ids->subdevice);
    f->cfg[INT_PIN] = ids->intx;
    le16_put(f->wmask + COMMAND, CMD_WRITABLE);
    f->wmask[0x0c] = 0xff; /* cache line size and */
    f->wmask[0x0d] = 0xff; /* latency timer: plain storage */
    f->wmask[INT_LINE] = 0xff;
    return 0;
}

void pci_func_bar(struct pci_func *f, unsigned index, struct io_region *region, bool is64)
{
    bool io = region->space == BUS_PIO;
    uint64_t mask = ~(region->len - 1);
    unsigned at = BAR0 + 4 * index;

    f->bar[index] = (struct pci_bar){.region = region, .is64 = is64};
    region->lock = f->env.lock;
    region->tap = f->env.tap;
    if (region->tap)
        region->tap->ops->region(region->tap, region);
    le32_put(f->wmask + at, (uint32_t)mask & (io ? ~3u : ~15u));
    le32_put(f->cfg + at, io ? BAR_IO : is64 ? BAR_64 : 0);
    if (is64)
        le32_put(f->wmask + at + 4, (uint32_t)(mask >> 32));
}

unsigned pci_func_cap(struct pci_func *f, uint8_t id, unsigned len)
{
    unsigned at = f->cap_end;

    f->cfg[at] = id;
    f->cfg[at + 1] = f->cfg[CAP_PTR]; /* the new one goes first in the list */
    f->cfg[CAP_PTR] = (uint8_t)at;
    f->cfg[STATUS] |= ST_CAPS;
    f->cap_end = (uint8_t)(at + ((len + 3) & ~3u));
    return at;
}

static void multifunction_update(struct pci_bus *pb, unsigned slot)
{
    struct pci_func *first = pb->func[slot * 8];
    bool multi = false;

    for (unsigned fn = 1; fn < 8; fn++)
        multi |= pb->func[slot * 8 + fn] != NULL;
    if (first)
        first->cfg[HEADER_TYPE] = multi ? MULTIFUNCTION : 0;
}

int pci_func_attach(struct pci_func *f)
{
    struct pci_bus *pb = f->env.pci;

    if (pb->func[f->env.devfn])
        return -EBUSY;
    pb->func[f->env.devfn] = f;
    if (f->env.tap)
        f->env.tap->ops->func(f->env.tap, f);
    multifunction_update(pb, f->env.devfn / 8u);
    return 0;
}

void pci_func_detach(struct pci_func *f)
{
    struct pci_bus *pb = f->env.pci;

    if (!pb || pb->func[f->env.devfn] != f)
        return;
    f->cfg[COMMAND] &= (uint8_t) ~(CMD_IO | CMD_MEM | CMD_MASTER);
    func_update(pb->bus, f);
    pb->func[f->env.devfn] = NULL;
    multifunction_update(pb, f->env.devfn / 8u);
    if (f->msi)
        pci_msi_close(f->msi);
    if (f->msix)
        pci_msix_close(f->msix);
}

/* ---- reset, state ---- */

void pci_func_reset(struct pci_func *f)
{
    for (unsigned i = 0; i < PCI_CFG_SIZE; i++)
        f->cfg[i] &= (uint8_t) ~(f->wmask[i] | f->w1c[i]);
    f->intx = false;
    if (f->msi)
        pci_msi_close(f->msi);
    if (f->msix)
        pci_msix_reset(f->msix);
    func_update(f->env.pci->bus, f);
    func_effects(f);
}

void pci_func_state(struct pci_func *f, struct state *st)
{
    uint8_t cfg[PCI_CFG_SIZE];

    memcpy(cfg, f->cfg, sizeof(cfg));
    state_section(st, "pci", 1);
    state_bytes(st, cfg, sizeof(cfg));
    state_bool(st, &f->intx);
    if (st->load && !st->err) {
        for (unsigned i = 0; i < PCI_CFG_SIZE; i++) {
            uint8_t guest = f->wmask[i] | f->w1c[i]; /* the rest is ours, whatever it says */

            f->cfg[i] = (uint8_t)((f->cfg[i] & ~guest) | (cfg[i] & guest));
        }
        func_update(f->env.pci->bus, f);
    }
    if (f->msix)
        pci_msix_state(f->msix, st);
    if (st->load && !st->err)
        func_effects(f);
}

/* ---- firmware's part ---- */

void pci_func_place(struct pci_func *f, unsigned bar, uint64_t base)
{
    struct pci_bar *b = &f->bar[bar];
    uint8_t *p = f->cfg + BAR0 + 4 * bar;
    bool io = b->region->space == BUS_PIO;

    le32_put(p, (uint32_t)base | (le32_get(p) & (io ? 3u : 15u)));
    if (b->is64)
        le32_put(p + 4, (uint32_t)(base >> 32));
    f->cfg[COMMAND] |= io ? CMD_IO : CMD_MEM;
    func_update(f->env.pci->bus, f);
}

void pci_func_line(struct pci_func *f, uint8_t line)
{
    f->cfg[INT_LINE] = line;
}
