/*
 * Virtio over PCI: VIRTIO 1.2, section 4.1, modern interface only (4.1.4.8: no legacy BAR, the
 * transitional device IDs are not used).
 *
 * BAR 0 "cfg": common configuration, ISR status, device configuration, 4 KiB apart.
 * BAR 2 "notify": one 4-byte doorbell a queue.   BAR 4 "msix": table and pending bits.
 * The common configuration's fields are written in their own width only (4.1.3.1); a write of any
 * other width is refused. Reads of any width return the bytes of the structure.
 */
#include "virtio/vpci.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/dma.h"
#include "virtio/vcheck.h"
#include <errno.h>
#include <string.h>

enum { BAR_CFG = 0, BAR_BELL = 2, BAR_MSIX = 4 };
enum { COMMON = 0x0000, ISR = 0x1000, DEVICE = 0x2000, CFG_LEN = 0x4000, PART_LEN = 0x1000 };
enum { BELL_LEN = 0x1000, BELL_STEP = VPCI_BELL_STEP };
enum { MSIX_LEN = 0x1000, MSIX_PBA = 0x800 };

enum { /* 4.1.4.3, struct virtio_pci_common_cfg */
       DEVICE_FEATURE_SELECT = 0x00,
       DEVICE_FEATURE = 0x04,
       DRIVER_FEATURE_SELECT = 0x08,
       DRIVER_FEATURE = 0x0c,
       CONFIG_MSIX_VECTOR = 0x10,
       NUM_QUEUES = 0x12,
       DEVICE_STATUS = 0x14,
       CONFIG_GENERATION = 0x15,
       QUEUE_SELECT = 0x16,
       QUEUE_SIZE = 0x18,
       QUEUE_MSIX_VECTOR = 0x1a,
       QUEUE_ENABLE = 0x1c,
       QUEUE_NOTIFY_OFF = 0x1e,
       QUEUE_DESC = 0x20,
       QUEUE_DRIVER = 0x28,
       QUEUE_DEVICE = 0x30,
       QUEUE_NOTIFY_DATA = 0x38,
       QUEUE_RESET = 0x3a,
       COMMON_LEN = 0x3c,
};
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

enum { /* 4.1.4, struct virtio_pci_cap */
       CAP_VENDOR = 0x09,
       CAP_LEN = 2,
       CAP_TYPE = 3,
       CAP_BAR = 4,
       CAP_OFFSET = 8,
       CAP_LENGTH = 12,
       CAP_EXTRA = 16,
};
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4, TYPE_PCI = 5 };
enum { VENDOR_VIRTIO = 0x1af4, DEVICE_BASE = 0x1040, SUBDEVICE_MODERN = 0x1100 };

/* ---- interrupts ---- */

static void isr_irq(struct vpci *p)
{
    pci_intx(&p->func, p->isr && !pci_msix_enabled(&p->msix));
}

static void vpci_interrupt(struct vpci *p, uint8_t isr, uint16_t vector)
{
    if (pci_msix_enabled(&p->msix)) {
        if (vector < p->msix.count)
            pci_msix_send(&p->msix, vector);
        return;
    }
    p->isr |= isr;
    isr_irq(p);
}

static void vpci_queue_irq(void *transport, unsigned queue)
{
    struct vpci *p = transport;

    vpci_interrupt(p, ISR_QUEUE, p->v->queue[queue].vector);
}

static void vpci_config_irq(void *transport)
{
    struct vpci *p = transport;

    vpci_interrupt(p, ISR_CONFIG, p->config_vector);
}

static uint8_t isr_take(struct vpci *p)
{
    uint8_t isr = p->isr;

    p->isr = 0; /* 4.1.4.5: reading clears and deasserts */
    isr_irq(p);
    return isr;
}

/* ---- common configuration ---- */

static struct virtio_queue *selected(struct vpci *p)
{
    return p->queue_sel < p->v->queues ? &p->v->queue[p->queue_sel] : NULL;
}

static void queue_image(const struct vpci *p, const struct virtio_queue *q, uint8_t *c)
{
    le16_put(c + QUEUE_SIZE, q->conf.size);
    le16_put(c + QUEUE_MSIX_VECTOR, q->vector);
    le16_put(c + QUEUE_ENABLE, q->enabled);
    le16_put(c + QUEUE_NOTIFY_OFF, p->queue_sel);
    le16_put(c + QUEUE_NOTIFY_DATA, p->queue_sel);
    le64_put(c + QUEUE_DESC, q->conf.desc);
    le64_put(c + QUEUE_DRIVER, q->conf.avail);
    le64_put(c + QUEUE_DEVICE, q->conf.used);
}

static void common_image(struct vpci *p, uint8_t *c)
{
    const struct virtio_queue *q = selected(p);

    memset(c, 0, COMMON_LEN);
    le32_put(c + DEVICE_FEATURE_SELECT, p->feature_sel);
    le32_put(c + DEVICE_FEATURE, virtio_features(p->v, p->feature_sel));
    le32_put(c + DRIVER_FEATURE_SELECT, p->taken_sel);
    le32_put(c + DRIVER_FEATURE, virtio_taken(p->v, p->taken_sel));
    le16_put(c + CONFIG_MSIX_VECTOR, p->config_vector);
    le16_put(c + NUM_QUEUES, p->v->queues);
    c[DEVICE_STATUS] = p->v->status;
    c[CONFIG_GENERATION] = p->v->generation;
    le16_put(c + QUEUE_SELECT, p->queue_sel);
    if (q) /* 4.1.4.3.1: a queue that isn't there has size 0 */
        queue_image(p, q, c);
}

static void common_seen(struct vpci *p, const struct vcheck_access *a)
{
    if (__builtin_expect(p->v->check != NULL, 0))
        vcheck_pci(p->v->check, p->queue_sel, a);
}

static uint32_t common_read(struct vpci *p, uint32_t off, unsigned size)
{
    uint8_t c[COMMON_LEN];

    common_seen(p, &(struct vcheck_access){.off = off, .size = size});
    if (!range_in(off, size, 0, COMMON_LEN))
        return 0;
    common_image(p, c);
    if (size == 4)
        return le32_get(c + off);
    return size == 2 ? le16_get(c + off) : c[off];
}

static void half_put(uint64_t *v, bool high, uint32_t val)
{
    unsigned shift = high ? 32 : 0;

    *v = (*v & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)val << shift;
}

static uint16_t vector_checked(const struct vpci *p, uint32_t val)
{
    return val < p->msix.count ? (uint16_t)val : VIRTIO_NO_VECTOR; /* 4.1.5.1.2.1 */
}

/* Fields of the selected queue. The keys are field and width together. */
#define FIELD(off, size) ((off) << 4 | (size))

static bool queue_write(struct vpci *p, unsigned field, uint32_t val)
{
    struct virtio_queue *q = selected(p);

    if (!q)
        return false;
    switch (field) {
    case FIELD(QUEUE_SIZE, 2): q->conf.size = (uint16_t)val; return true;
    case FIELD(QUEUE_MSIX_VECTOR, 2): q->vector = vector_checked(p, val); return true;
    case FIELD(QUEUE_DESC, 4): half_put(&q->conf.desc, false, val); return true;
    case FIELD(QUEUE_DESC + 4, 4): half_put(&q->conf.desc, true, val); return true;
    case FIELD(QUEUE_DRIVER, 4): half_put(&q->conf.avail, false, val); return true;
    case FIELD(QUEUE_DRIVER + 4, 4): half_put(&q->conf.avail, true, val); return true;
    case FIELD(QUEUE_DEVICE, 4): half_put(&q->conf.used, false, val); return true;
    case FIELD(QUEUE_DEVICE + 4, 4): half_put(&q->conf.used, true, val); return true;
    case FIELD(QUEUE_RESET, 2):
        if (val == 1)
            virtio_queue_reset(p->v, p->queue_sel);
        return val == 1; /* it reads 0 again at once: the reset is over (4.1.4.3.1) */
    case FIELD(QUEUE_ENABLE, 2):
        if (val == 1)
            virtio_enable(p->v, p->queue_sel);
        return val == 1; /* 4.1.4.3.2: a driver never writes 0 */
    default: return false;
    }
}

static void status_write(struct vpci *p, uint8_t val)
{
    virtio_set_status(p->v, val);
    if (val)
        return;
    p->config_vector = VIRTIO_NO_VECTOR;
    p->queue_sel = 0;
    p->feature_sel = p->taken_sel = 0;
    p->isr = 0;
    isr_irq(p);
}

static bool common_write(struct vpci *p, uint32_t off, unsigned size, uint32_t val)
{
    common_seen(p, &(struct vcheck_access){.off = off, .size = size, .val = val, .write = true});
    switch (FIELD(off, size)) {
    case FIELD(DEVICE_FEATURE_SELECT, 4): p->feature_sel = val; return true;
    case FIELD(DRIVER_FEATURE_SELECT, 4): p->taken_sel = val; return true;
    case FIELD(DRIVER_FEATURE, 4): virtio_take(p->v, p->taken_sel, val); return true;
    case FIELD(CONFIG_MSIX_VECTOR, 2): p->config_vector = vector_checked(p, val); return true;
    case FIELD(DEVICE_STATUS, 1): status_write(p, (uint8_t)val); return true;
    case FIELD(QUEUE_SELECT, 2): p->queue_sel = (uint16_t)val; return true;
    default: return queue_write(p, FIELD(off, size), val);
    }
}

/* ---- BAR 0 ---- */

static uint64_t cfg_read(void *dev, uint64_t off, unsigned size)
{
    struct vpci *p = dev;
    uint32_t in = (uint32_t)off % PART_LEN;

    switch (off - in) {
    case COMMON: return common_read(p, in, size);
    case ISR: return in ? 0 : isr_take(p);
    case DEVICE: return virtio_cfg_read(p->v, in, size);
    default: return 0;
    }
}

static void cfg_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vpci *p = dev;
    uint32_t in = (uint32_t)off % PART_LEN;

    if (off - in == DEVICE)
        virtio_cfg_write(p->v, in, size, (uint32_t)val);
    else if (off - in != COMMON || !common_write(p, in, size, (uint32_t)val))
        ledger_refuse(p->cfg.row);
}

/* ---- BAR 2: kicks. What is written doesn't matter: the place says it. With NOTIFICATION_DATA
 * (2.9) it also says how far the driver is, which the ring does as well. */

static uint64_t bell_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return 0;
}

static void bell_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vpci *p = dev;

    if (__builtin_expect(p->v->check != NULL, 0))
        vcheck_kick(p->v->check, (unsigned)off / BELL_STEP, size, (uint32_t)val);
    virtio_notify(p->v, (unsigned)off / BELL_STEP);
}

/* ---- BAR 4 ---- */

static uint64_t msix_read(void *dev, uint64_t off, unsigned size)
{
    struct vpci *p = dev;

    return off < MSIX_PBA ? pci_msix_read(&p->msix, (uint32_t)off, size)
                          : pci_msix_pba(&p->msix, (uint32_t)off - MSIX_PBA, size);
}

static void msix_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vpci *p = dev;

    if (off < MSIX_PBA)
        pci_msix_write(&p->msix, (uint32_t)off, size, val);
}

static const struct io_ops cfg_ops = {cfg_read, cfg_write, 1 | 2 | 4, true};
static const struct io_ops bell_ops = {bell_read, bell_write, 2 | 4, false};
static const struct io_ops msix_ops = {msix_read, msix_write, 4 | 8, false};

/* ---- the window in configuration space, 4.1.4.9: a BAR access without a mapped BAR ---- */

static bool window_target(const struct vpci *p, uint32_t *off, unsigned *size)
{
    const uint8_t *cap = p->func.cfg + p->window;

    *off = le32_get(cap + CAP_OFFSET);
    *size = le32_get(cap + CAP_LENGTH);
    if ((*size != 1 && *size != 2 && *size != 4) || *off % *size)
        return false;
    return (cap[CAP_BAR] == BAR_CFG && *off < CFG_LEN) ||
           (cap[CAP_BAR] == BAR_BELL && *off<BELL_LEN && * size> 1);
}

static bool window_hit(const struct vpci *p, unsigned off, unsigned size)
{
    unsigned data = p->window + CAP_EXTRA;

    return off < data + 4 && off + size > data;
}

static void window_read(void *dev, unsigned off, unsigned size)
{
    struct vpci *p = dev;
    uint32_t at;
    unsigned n;

    if (!window_hit(p, off, size) || !window_target(p, &at, &n))
        return;
    le32_put(p->func.cfg + p->window + CAP_EXTRA,
             p->func.cfg[p->window + CAP_BAR] == BAR_CFG ? (uint32_t)cfg_read(p, at, n) : 0);
}

static void window_written(void *dev, unsigned off, unsigned size)
{
    struct vpci *p = dev;
    uint32_t at, val = le32_get(p->func.cfg + p->window + CAP_EXTRA);
    unsigned n;

    isr_irq(p); /* MSI-X may have been turned on or off */
    vpci_bells_follow(p, true);
    if (!window_hit(p, off, size) || !window_target(p, &at, &n))
        return;
    if (p->func.cfg[p->window + CAP_BAR] == BAR_CFG)
        cfg_write(p, at, n, n == 4 ? val : val & ((1u << 8 * n) - 1));
    else
        bell_write(p, at, n, val);
}

/* ---- building ---- */

static unsigned cap_add(struct vpci *p, uint8_t type, uint8_t bar, uint32_t off, uint32_t len)
{
    uint8_t size = type == TYPE_NOTIFY || type == TYPE_PCI ? 20 : 16;
    unsigned at = pci_func_cap(&p->func, CAP_VENDOR, size);
    uint8_t *c = p->func.cfg + at;

    c[CAP_LEN] = size;
    c[CAP_TYPE] = type;
    c[CAP_BAR] = bar;
    le32_put(c + CAP_OFFSET, off);
    le32_put(c + CAP_LENGTH, len);
    return at;
}

static void caps_add(struct vpci *p)
{
    unsigned at;

    p->window = cap_add(p, TYPE_PCI, 0, 0, 0);
    p->func.wmask[p->window + CAP_BAR] = 0xff;
    memset(p->func.wmask + p->window + CAP_OFFSET, 0xff, 12);
    at = cap_add(p, TYPE_NOTIFY, BAR_BELL, 0, BELL_STEP * p->v->queues);
    le32_put(p->func.cfg + at + CAP_EXTRA, BELL_STEP);
    if (p->v->cls->cfg_len)
        cap_add(p, TYPE_DEVICE, BAR_CFG, DEVICE, p->v->cls->cfg_len);
    cap_add(p, TYPE_ISR, BAR_CFG, ISR, 1);
    cap_add(p, TYPE_COMMON, BAR_CFG, COMMON, COMMON_LEN);
}

static int region_add(struct vpci *p, struct io_region *r, unsigned bar, const struct io_ops *ops)
{
    static const char *const names[] = {"cfg", NULL, "notify", NULL, "msix"};
    static const uint64_t lens[] = {CFG_LEN, 0, BELL_LEN, 0, MSIX_LEN};
    const struct dev_env *env = &p->func.env;

    *r = (struct io_region){.name = env->name, .ops = ops, .dev = p, .lock = env->lock};
    r->space = BUS_MMIO;
    r->len = lens[bar];
    r->row = ledger_row(env->ledger, LEDGER_MMIO, env->name, names[bar]);
    pci_func_bar(&p->func, bar, r, false);
    return r->row ? 0 : -ENOMEM;
}

static int bars_add(struct vpci *p)
{
    int err = region_add(p, &p->cfg, BAR_CFG, &cfg_ops);

    if (!err)
        err = region_add(p, &p->bell, BAR_BELL, &bell_ops);
    if (!err)
        err = region_add(p, &p->msix_io, BAR_MSIX, &msix_ops);
    if (!err)
        err = vpci_bells_init(p);
    return err ? err : pci_msix_init(&p->msix, &p->func, p->v->queues + 1u, BAR_MSIX, 0, MSIX_PBA);
}

int vpci_attach(struct vpci *p, struct virtio *v, const struct dev_env *env)
{
    struct pci_ids ids = {
        .vendor = VENDOR_VIRTIO,
        .device = (uint16_t)(DEVICE_BASE + v->cls->id),
        .subvendor = VENDOR_VIRTIO,
        .subdevice = SUBDEVICE_MODERN,
        .class_rev = v->cls->pci_class << 8 | 1, /* 4.1.2.1: revision 1 or higher */
        .intx = true,
    };
    int err;

    memset(p, 0, sizeof(*p));
    p->v = v;
    err = pci_func_init(&p->func, env, &ids, p);
    if (!err)
        err = bars_add(p);
    if (err)
        return err;
    caps_add(p);
    p->func.cfg_reading = window_read;
    p->func.cfg_written = window_written;
    p->config_vector = VIRTIO_NO_VECTOR;
    v->dma = &p->func.dma;
    v->loop = env->loop;
    v->name = env->name;
    v->out = (struct virtio_transport){vpci_queue_irq, vpci_config_irq, p};
    return pci_func_attach(&p->func);
}

void vpci_detach(struct vpci *p)
{
    vpci_bells_follow(p, false);
    virtio_stop(p->v);
    pci_func_detach(&p->func);
}

void vpci_reset(struct vpci *p)
{
    status_write(p, 0);
    pci_func_reset(&p->func);
    vpci_bells_follow(p, true);
}

void vpci_state(struct vpci *p, struct state *st)
{
    if (!st->load)
        virtio_settle(p->v); /* before the function: it may raise its interrupt */
    state_section(st, "vpci", 1);
    pci_func_state(&p->func, st);
    virtio_state(p->v, st);
    state_u32(st, &p->feature_sel);
    state_u32(st, &p->taken_sel);
    state_u16(st, &p->queue_sel);
    state_u16(st, &p->config_vector);
    state_u8(st, &p->isr);
    if (st->load)
        vpci_bells_follow(p, true);
    if (st->load && !st->err)
        isr_irq(p);
}
