/*
 * --check virtio: how a driver accesses registers and configuration. VIRTIO 1.2: 2.5, 4.1.3.1,
 * 4.1.4.3, 4.2.2, and the configuration layouts of chapter 5.
 */
#include "virtio/vcheck_impl.h"

enum { RO = 1, WO = 2, RW = 3, CONF = 4 /* of a queue: not while it is enabled */ };

struct field {
    uint8_t off, width, how; /* width 8: in halves of 4 */
};

static const struct field *field_at(const struct field *f, unsigned n, uint32_t off)
{
    for (unsigned i = 0; i < n; i++)
        if (off >= f[i].off && off - f[i].off < f[i].width)
            return &f[i];
    return NULL;
}

static void changed(struct vcheck *c, unsigned sel, const struct vcheck_access *a)
{
    const struct virtio *v = c->v;

    if (sel < v->queues && v->queue[sel].enabled)
        vcheck_broken(c, (int)sel, VRULE_QUEUE_CHANGED, "offset 0x%02x = 0x%x", a->off, a->val);
}

static void looked_at(struct vcheck *c, unsigned sel)
{
    if (sel < c->v->queues)
        c->stopped &= ~(1u << sel);
}

static void reset_written(struct vcheck *c, unsigned sel, const struct vcheck_access *a)
{
    if (!virtio_has(c->v, VIRTIO_F_RING_RESET))
        vcheck_broken(c, (int)sel, VRULE_RESET_UNOFFERED, "wrote %u", a->val);
    if (a->val != 1 && !c->mmio)
        vcheck_broken(c, (int)sel, VRULE_PCI_RESET, "wrote %u", a->val);
}

static void generation_read(struct vcheck *c)
{
    c->generation_seen = true;
    c->half_read = false;
}

/* ---- PCI: 4.1.4.3, struct virtio_pci_common_cfg ---- */

enum { PCI_STATUS = 0x14, PCI_GENERATION = 0x15, PCI_ENABLE = 0x1c, PCI_RESET = 0x3a };

static const struct field pci[] = {
    {0x00, 4, RW},        {0x04, 4, RO}, {0x08, 4, RW}, {0x0c, 4, RW},        {0x10, 2, RW},
    {0x12, 2, RO},        {0x14, 1, RW}, {0x15, 1, RO}, {0x16, 2, RW},        {0x18, 2, RW | CONF},
    {0x1a, 2, RW},        {0x1c, 2, RW}, {0x1e, 2, RO}, {0x20, 8, RW | CONF}, {0x28, 8, RW | CONF},
    {0x30, 8, RW | CONF}, {0x38, 2, RO}, {0x3a, 2, RW},
};

static void pci_written(struct vcheck *c, unsigned sel, const struct field *f,
                        const struct vcheck_access *a)
{
    if (!(f->how & WO))
        vcheck_broken(c, -1, VRULE_PCI_READ_ONLY, "offset 0x%02x = 0x%x", a->off, a->val);
    if (f->how & CONF)
        changed(c, sel, a);
    if (f->off == PCI_ENABLE && a->val != 1)
        vcheck_broken(c, (int)sel, VRULE_PCI_ENABLE, "wrote %u", a->val);
    if (f->off == PCI_RESET)
        reset_written(c, sel, a);
}

void vcheck_pci(struct vcheck *c, unsigned sel, const struct vcheck_access *a)
{
    const struct field *f = field_at(pci, ARRAY_LEN(pci), a->off);
    unsigned width = f && f->width < 8 ? f->width : 4;

    if (!f || a->size != width || a->off % width) {
        vcheck_broken(c, -1, VRULE_PCI_WIDTH, "%s of %u bytes at 0x%02x",
                      a->write ? "write" : "read", a->size, a->off);
        return;
    }
    if (a->write)
        pci_written(c, sel, f, a);
    else if (f->off == PCI_STATUS)
        c->status_seen = true;
    else if (f->off == PCI_GENERATION)
        generation_read(c);
    else if (f->off == PCI_RESET)
        looked_at(c, sel);
}

/* ---- MMIO: 4.2.2 ---- */

enum {
    MMIO_READY = 0x44,
    MMIO_ACK = 0x64,
    MMIO_STATUS = 0x70,
    MMIO_RESET = 0xc0,
    MMIO_GENERATION = 0xfc,
};

static const struct field mmio[] = {
    {0x00, 4, RO},        {0x04, 4, RO},        {0x08, 4, RO},        {0x0c, 4, RO},
    {0x10, 4, RO},        {0x14, 4, WO},        {0x20, 4, WO},        {0x24, 4, WO},
    {0x30, 4, WO},        {0x34, 4, RO},        {0x38, 4, WO | CONF}, {0x44, 4, RW},
    {0x50, 4, WO},        {0x60, 4, RO},        {0x64, 4, WO},        {0x70, 4, RW},
    {0x80, 4, WO | CONF}, {0x84, 4, WO | CONF}, {0x90, 4, WO | CONF}, {0x94, 4, WO | CONF},
    {0xa0, 4, WO | CONF}, {0xa4, 4, WO | CONF}, {0xac, 4, WO},        {0xb0, 4, RO},
    {0xb4, 4, RO},        {0xb8, 4, RO},        {0xbc, 4, RO},        {0xc0, 4, RW},
    {0xfc, 4, RO},
};

static void mmio_written(struct vcheck *c, unsigned sel, const struct field *f,
                         const struct vcheck_access *a)
{
    if (f->how & CONF)
        changed(c, sel, a);
    if (f->off == MMIO_ACK && a->val & ~3u)
        vcheck_broken(c, -1, VRULE_MMIO_ACK, "wrote 0x%x", a->val);
    if (f->off == MMIO_RESET)
        reset_written(c, sel, a);
}

static void mmio_read(struct vcheck *c, unsigned sel, const struct field *f)
{
    switch (f->off) {
    case MMIO_STATUS: c->status_seen = true; break;
    case MMIO_GENERATION: generation_read(c); break;
    case MMIO_READY:
    case MMIO_RESET: looked_at(c, sel); break;
    default: break;
    }
}

void vcheck_mmio(struct vcheck *c, unsigned sel, const struct vcheck_access *a)
{
    const struct field *f = field_at(mmio, ARRAY_LEN(mmio), a->off);

    if (a->size != 4 || a->off % 4)
        vcheck_broken(c, -1, VRULE_MMIO_WIDTH, "%s of %u bytes at 0x%02x",
                      a->write ? "write" : "read", a->size, a->off);
    else if (!f || !(f->how & (a->write ? WO : RO)))
        vcheck_broken(c, -1, VRULE_MMIO_DIRECTION, "%s at 0x%02x", a->write ? "write" : "read",
                      a->off);
    else if (a->write)
        mmio_written(c, sel, f, a);
    else
        mmio_read(c, sel, f);
}

/* ---- the device's configuration ---- */

struct cfg_field { /* chapter 5: what is there, and for which feature */
    uint16_t device;
    uint8_t off, len;
    uint64_t feature; /* 0: always there */
};

#define BIT(n) (1ull << (n))
/* A socket's CID is not here: of its 64 bits the upper half is reserved (5.10.4). */
static const struct cfg_field cfg[] = {
    {1, 0, 6, BIT(5)},   {1, 6, 2, BIT(16)},   {1, 8, 2, BIT(22)},  {1, 10, 2, BIT(3)},
    {1, 12, 5, BIT(63)}, {2, 0, 8, 0},         {2, 8, 4, BIT(1)},   {2, 12, 4, BIT(2)},
    {2, 16, 4, BIT(4)},  {2, 20, 4, BIT(6)},   {2, 24, 8, BIT(10)}, {2, 32, 1, BIT(11)},
    {2, 34, 2, BIT(12)}, {2, 36, 12, BIT(13)}, {2, 48, 9, BIT(14)}, {2, 60, 12, BIT(16)},
    {3, 0, 4, BIT(0)},   {3, 4, 4, BIT(1)},    {3, 8, 4, BIT(2)},   {5, 8, 4, BIT(3)},
    {5, 12, 4, BIT(4)},
};

static const struct cfg_field *cfg_at(const struct vcheck *c, uint32_t off)
{
    for (size_t i = 0; i < ARRAY_LEN(cfg); i++)
        if (cfg[i].device == c->v->cls->id && off >= cfg[i].off && off - cfg[i].off < cfg[i].len)
            return &cfg[i];
    return NULL;
}

/* 2.5.1: a field wider than 32 bits comes in halves, and the generation tells if they match. */
static void torn_judge(struct vcheck *c, uint32_t off, bool wide)
{
    if (wide ? !c->generation_seen : c->half_read)
        vcheck_broken(c, -1, VRULE_CONFIG_TORN, "read at %u", off);
    c->half_read = wide;
    c->generation_seen = wide;
}

void vcheck_config(struct vcheck *c, uint32_t off, unsigned size, bool write)
{
    const struct cfg_field *f = cfg_at(c, off);
    const char *what = write ? "write" : "read";

    if (off % size)
        vcheck_broken(c, -1, VRULE_PCI_WIDTH, "%s of %u bytes at %u", what, size, off);
    if (!range_in(off, size, 0, c->v->cls->cfg_len))
        vcheck_broken(c, -1, VRULE_CONFIG_OUTSIDE, "%s of %u bytes at %u of %u", what, size, off,
                      c->v->cls->cfg_len);
    else if (f && f->feature && !(c->v->offered & f->feature))
        vcheck_broken(c, -1, VRULE_CONFIG_OPTIONAL, "%s at %u, feature %d", what, off,
                      __builtin_ctzll(f->feature));
    else if (!write)
        torn_judge(c, off, f && f->len == 8 && !f->feature);
}
