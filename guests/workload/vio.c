/*
 * A virtio-blk driver over PCI: VIRTIO 1.2, sections 3.1, 4.1 and 5.2, modern interface, one queue,
 * one MSI-X vector. When polled it asks for no interrupts, and takes no MSI-X.
 */
#include "vio.h"

enum { CFG_COMMAND = 4, CFG_STATUS = 6, CFG_BAR = 0x10, CFG_CAPS = 0x34 };
enum { CAP_VENDOR = 0x09, CAP_MSIX = 0x11 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_DEVICE = 4 };
enum { /* 4.1.4.3 */
       FEATURE_SELECT = 0x00,
       FEATURE = 0x04,
       TAKEN_SELECT = 0x08,
       TAKEN = 0x0c,
       STATUS = 0x14,
       QUEUE_SELECT = 0x16,
       QUEUE_SIZE = 0x18,
       QUEUE_VECTOR = 0x1a,
       QUEUE_ENABLE = 0x1c,
       QUEUE_NOTIFY_OFF = 0x1e,
       QUEUE_DESC = 0x20,
       QUEUE_DRIVER = 0x28,
       QUEUE_DEVICE = 0x30,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
#define F_FLUSH     (1ull << 9)
#define F_EVENT_IDX (1ull << 29)
#define F_VERSION_1 (1ull << 32)
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4 };

struct vio_slot vio_slot[DEPTH_MAX];
bool vio_event_idx;
static uint32_t devfn, common, bell, bell_step;

static uint32_t cfg_get(uint32_t off)
{
    outl(MAP_PCI_CONFIG, 0x80000000u | devfn << 8 | (off & ~3u));
    return inl(MAP_PCI_CONFIG + 4) >> 8 * (off & 3);
}

static void cfg_set16(uint32_t off, uint16_t v)
{
    outl(MAP_PCI_CONFIG, 0x80000000u | devfn << 8 | (off & ~3u));
    outw((uint16_t)(MAP_PCI_CONFIG + 4 + (off & 2)), v);
}

static uint32_t bar(unsigned n)
{
    return cfg_get(CFG_BAR + 4 * n) & ~15u;
}

static void set8(uint32_t off, uint8_t v)
{
    *(volatile uint8_t *)(uintptr_t)(common + off) = v;
}

static void set16(uint32_t off, uint16_t v)
{
    *(volatile uint16_t *)(uintptr_t)(common + off) = v;
}

static void set32(uint32_t off, uint32_t v)
{
    *(volatile uint32_t *)(uintptr_t)(common + off) = v;
}

static uint32_t get32(uint32_t off)
{
    return *(volatile uint32_t *)(uintptr_t)(common + off);
}

static uint8_t get8(uint32_t off)
{
    return *(volatile uint8_t *)(uintptr_t)(common + off);
}

static uint16_t get16(uint32_t off)
{
    return *(volatile uint16_t *)(uintptr_t)(common + off);
}

static bool find(void)
{
    for (uint32_t slot = 0; slot < 32; slot++) {
        devfn = slot << 3;
        if (cfg_get(0) == 0x10421af4)
            return true;
    }
    return false;
}

/* Vector 0 of the table, to the disk's vector on the first CPU. */
static void msix(uint32_t cap)
{
    uint32_t where = cfg_get(cap + 4), at = bar(where & 7) + (where & ~7u);
    volatile uint32_t *entry = (volatile uint32_t *)(uintptr_t)at;

    entry[0] = DISK_MSI_ADDR;
    entry[1] = 0;
    entry[2] = DISK_VECTOR;
    entry[3] = 0;
    cfg_set16(cap + 2, (uint16_t)(cfg_get(cap + 2) | 0x8000));
}

/* A list is at most 48 long: that many fit in 192 bytes. */
static void caps(void)
{
    uint32_t at = cfg_get(CFG_CAPS) & 0xfc;

    for (unsigned i = 0; at && i < 48; i++, at = cfg_get(at + 1) & 0xfc) {
        uint32_t id = cfg_get(at) & 0xff, where;

        if (id == CAP_MSIX && !polled)
            msix(at);
        if (id != CAP_VENDOR)
            continue;
        where = bar(cfg_get(at + 4) & 0xff) + cfg_get(at + 8);
        switch (cfg_get(at + 3) & 0xff) {
        case TYPE_COMMON: common = where; break;
        case TYPE_NOTIFY:
            bell = where;
            bell_step = cfg_get(at + 16);
            break;
        default: break;
        }
    }
}

static bool features(uint64_t layout)
{
    uint64_t have, want = F_VERSION_1 | layout, nice = F_FLUSH | (polled ? 0 : F_EVENT_IDX);

    set32(FEATURE_SELECT, 0);
    have = get32(FEATURE);
    set32(FEATURE_SELECT, 1);
    have |= (uint64_t)get32(FEATURE) << 32;
    if ((have & want) != want)
        return false;
    want |= have & nice;
    vio_event_idx = want & F_EVENT_IDX;
    set32(TAKEN_SELECT, 0);
    set32(TAKEN, (uint32_t)want);
    set32(TAKEN_SELECT, 1);
    set32(TAKEN, (uint32_t)(want >> 32));
    set8(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    return get8(STATUS) & FEATURES_OK;
}

static void nothing(void)
{
}

bool vio_open(uint64_t layout, struct ring_area a)
{
    if (!find())
        return false;
    cfg_set16(CFG_COMMAND, 6); /* memory, bus master */
    caps();
    if (!common || !bell)
        return false;
    set8(STATUS, 0);
    set8(STATUS, ACKNOWLEDGE | DRIVER);
    if (!features(layout))
        return false;
    set16(QUEUE_SELECT, 0);
    if (get16(QUEUE_SIZE) < RING)
        return false;
    set16(QUEUE_SIZE, RING);
    set32(QUEUE_DESC, (uint32_t)(uintptr_t)a.desc);
    set32(QUEUE_DRIVER, (uint32_t)(uintptr_t)a.driver);
    set32(QUEUE_DEVICE, (uint32_t)(uintptr_t)a.device);
    if (!polled) {
        disk_irq_init(nothing);
        set16(QUEUE_VECTOR, 0);
    }
    bell += get16(QUEUE_NOTIFY_OFF) * bell_step;
    set16(QUEUE_ENABLE, 1);
    set8(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return true;
}

void vio_fill(struct req *r)
{
    struct vio_slot *s = &vio_slot[r->slot];

    s->type = r->flush ? T_FLUSH : r->write ? T_OUT : T_IN;
    s->sector = r->flush ? 0 : r->sector;
    s->status = 0xff;
    s->req = r;
}

void vio_kick(void)
{
    *(volatile uint16_t *)(uintptr_t)bell = 0;
}

struct req *vio_ended(unsigned slot)
{
    struct vio_slot *s = &vio_slot[slot];

    s->req->failed = s->status;
    return s->req;
}

bool vio_broken(void)
{
    return get8(STATUS) & NEEDS_RESET;
}
