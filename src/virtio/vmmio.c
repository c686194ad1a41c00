/*
 * Virtio over MMIO: VIRTIO 1.2, section 4.2, version 2 (not the legacy interface of 4.2.4). All
 * registers are 32 bits and take nothing else; device configuration from 0x100 on takes any width.
 * What is not a register reads 0, and a write there is refused.
 */
#include "virtio/vmmio.h"
#include "bus/dev.h"
#include "core/ledger.h"
#include "core/state.h"
#include "virtio/vcheck.h"
#include <errno.h>
#include <string.h>

enum { /* 4.2.2 */
       MAGIC_VALUE = 0x000,
       VERSION = 0x004,
       DEVICE_ID = 0x008,
       VENDOR_ID = 0x00c,
       DEVICE_FEATURES = 0x010,
       DEVICE_FEATURES_SEL = 0x014,
       DRIVER_FEATURES = 0x020,
       DRIVER_FEATURES_SEL = 0x024,
       QUEUE_SEL = 0x030,
       QUEUE_NUM_MAX = 0x034,
       QUEUE_NUM = 0x038,
       QUEUE_READY = 0x044,
       QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060,
       INTERRUPT_ACK = 0x064,
       STATUS = 0x070,
       QUEUE_DESC_LOW = 0x080,
       QUEUE_DESC_HIGH = 0x084,
       QUEUE_DRIVER_LOW = 0x090,
       QUEUE_DRIVER_HIGH = 0x094,
       QUEUE_DEVICE_LOW = 0x0a0,
       QUEUE_DEVICE_HIGH = 0x0a4,
       SHM_LEN_LOW = 0x0b0,
       SHM_LEN_HIGH = 0x0b4,
       QUEUE_RESET = 0x0c0,
       CONFIG_GENERATION = 0x0fc,
       CONFIG = 0x100,
};
enum { MAGIC = 0x74726976, MODERN = 2, VENDOR = 0x44414956 /* "VIAD" */ };
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* ---- the line ---- */

static void vmmio_irq(struct vmmio *m)
{
    irq_set(&m->irq, m->isr != 0);
}

static void queue_irq(void *transport, unsigned queue)
{
    struct vmmio *m = transport;

    (void)queue;
    m->isr |= ISR_QUEUE;
    vmmio_irq(m);
}

static void config_irq(void *transport)
{
    struct vmmio *m = transport;

    m->isr |= ISR_CONFIG;
    vmmio_irq(m);
}

/* ---- registers ---- */

static struct virtio_queue *selected(struct vmmio *m)
{
    return m->queue_sel < m->v->queues ? &m->v->queue[m->queue_sel] : NULL;
}

static uint32_t register_read(struct vmmio *m, uint64_t off)
{
    const struct virtio_queue *q = selected(m);

    switch (off) {
    case MAGIC_VALUE: return MAGIC;
    case VERSION: return MODERN;
    case DEVICE_ID: return m->v->cls->id;
    case VENDOR_ID: return VENDOR;
    case DEVICE_FEATURES: return virtio_features(m->v, m->feature_sel);
    case QUEUE_NUM_MAX: return q ? m->v->cls->queue_max : 0;
    case QUEUE_READY: return q && q->enabled;
    case INTERRUPT_STATUS: return m->isr;
    case STATUS: return m->v->status;
    case SHM_LEN_LOW:
    case SHM_LEN_HIGH: return UINT32_MAX; /* no such region */
    case CONFIG_GENERATION: return m->v->generation;
    default: return 0; /* QUEUE_RESET among them: a reset is over at once */
    }
}

static void half_put(uint64_t *v, bool high, uint32_t val)
{
    unsigned shift = high ? 32 : 0;

    *v = (*v & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)val << shift;
}

static bool queue_write(struct vmmio *m, uint64_t off, uint32_t val)
{
    struct virtio_queue *q = selected(m);

    if (!q)
        return false;
    switch (off) {
    case QUEUE_NUM: q->conf.size = val > UINT16_MAX ? 0 : (uint16_t)val; return true;
    case QUEUE_DESC_LOW: half_put(&q->conf.desc, false, val); return true;
    case QUEUE_DESC_HIGH: half_put(&q->conf.desc, true, val); return true;
    case QUEUE_DRIVER_LOW: half_put(&q->conf.avail, false, val); return true;
    case QUEUE_DRIVER_HIGH: half_put(&q->conf.avail, true, val); return true;
    case QUEUE_DEVICE_LOW: half_put(&q->conf.used, false, val); return true;
    case QUEUE_DEVICE_HIGH: half_put(&q->conf.used, true, val); return true;
    case QUEUE_READY:
        if (val == 1)
            virtio_enable(m->v, m->queue_sel);
        else if (val == 0) /* 4.2.2.2: the driver takes the queue back */
            virtio_queue_stop(m->v, m->queue_sel);
        return val <= 1;
    case QUEUE_RESET:
        if (val == 1)
            virtio_queue_reset(m->v, m->queue_sel);
        return val == 1;
    default: return false;
    }
}

static void status_write(struct vmmio *m, uint8_t val)
{
    virtio_set_status(m->v, val);
    if (val)
        return;
    m->feature_sel = m->taken_sel = m->queue_sel = 0;
    m->isr = 0;
    vmmio_irq(m);
}

static bool register_write(struct vmmio *m, uint64_t off, uint32_t val)
{
    switch (off) {
    case DEVICE_FEATURES_SEL: m->feature_sel = val; return true;
    case DRIVER_FEATURES_SEL: m->taken_sel = val; return true;
    case DRIVER_FEATURES: virtio_take(m->v, m->taken_sel, val); return true;
    case QUEUE_SEL: m->queue_sel = val; return true;
    case STATUS: status_write(m, (uint8_t)val); return true;
    case INTERRUPT_ACK:
        m->isr &= (uint8_t)~val;
        vmmio_irq(m);
        return true;
    default: return queue_write(m, off, val);
    }
}

static void register_seen(struct vmmio *m, const struct vcheck_access *a)
{
    if (__builtin_expect(m->v->check != NULL, 0))
        vcheck_mmio(m->v->check, m->queue_sel, a);
}

static uint64_t any_read(struct vmmio *m, uint64_t off, unsigned size)
{
    if (off >= CONFIG)
        return virtio_cfg_read(m->v, (uint32_t)(off - CONFIG), size);
    register_seen(m, &(struct vcheck_access){.off = (uint32_t)off, .size = size});
    return size == 4 ? register_read(m, off) : 0;
}

static void any_write(struct vmmio *m, uint64_t off, unsigned size, uint64_t val)
{
    if (off >= CONFIG) {
        virtio_cfg_write(m->v, (uint32_t)(off - CONFIG), size, (uint32_t)val);
        return;
    }
    register_seen(m, &(struct vcheck_access){(uint32_t)off, (uint32_t)val, size, true});
    if (size != 4 || !register_write(m, off, (uint32_t)val))
        ledger_refuse(m->low.row);
}

static uint64_t low_read(void *dev, uint64_t off, unsigned size)
{
    return any_read(dev, off, size);
}

static void low_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    any_write(dev, off, size, val);
}

static uint64_t bell_read(void *dev, uint64_t off, unsigned size)
{
    struct vmmio *m = dev;

    register_seen(m, &(struct vcheck_access){.off = QUEUE_NOTIFY + (uint32_t)off, .size = size});
    return 0;
}

static void bell_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vmmio *m = dev;

    (void)off;
    if (__builtin_expect(m->v->check != NULL, 0))
        vcheck_kick(m->v->check, (unsigned)(val & 0xffff), size, (uint32_t)val);
    virtio_notify(m->v, (unsigned)(val & 0xffff));
}

static uint64_t high_read(void *dev, uint64_t off, unsigned size)
{
    return any_read(dev, off + QUEUE_NOTIFY + 4, size);
}

static void high_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    any_write(dev, off + QUEUE_NOTIFY + 4, size, val);
}

static const struct io_ops low_ops = {low_read, low_write, 1 | 2 | 4, true};
static const struct io_ops bell_ops = {bell_read, bell_write, 4, false};
static const struct io_ops high_ops = {high_read, high_write, 1 | 2 | 4, true};

/* ---- state, reset, create ---- */

static int region_map(struct vmmio *m, struct io_region *r, const struct io_ops *ops,
                      const struct dev_env *env, uint64_t base)
{
    *r = (struct io_region){.name = env->name, .ops = ops, .dev = m, .lock = env->lock};
    r->space = BUS_MMIO;
    r->base = base;
    r->len = r == &m->bell ? 4 : r == &m->low ? QUEUE_NOTIFY : VMMIO_LEN - QUEUE_NOTIFY - 4;
    r->row = ledger_row(env->ledger, LEDGER_MMIO, env->name, r == &m->bell ? "notify" : "cfg");
    return r->row ? bus_map(env->bus, r) : -ENOMEM;
}

int vmmio_attach(struct vmmio *m, struct virtio *v, const struct dev_env *env, uint64_t base)
{
    int err;

    memset(m, 0, sizeof(*m));
    m->v = v;
    m->bus = env->bus;
    m->irq = env->irq;
    m->dma = (struct dma){.ram = env->ram, .enabled = true, .tap = env->tap};
    m->dma.row = ledger_row(env->ledger, LEDGER_DMA, env->name, "dma");
    if (!m->dma.row)
        return -ENOMEM;
    v->dma = &m->dma;
    v->loop = env->loop;
    v->name = env->name;
    v->out = (struct virtio_transport){queue_irq, config_irq, m};
    err = region_map(m, &m->low, &low_ops, env, base);
    if (!err)
        err = region_map(m, &m->bell, &bell_ops, env, base + QUEUE_NOTIFY);
    if (!err)
        err = region_map(m, &m->high, &high_ops, env, base + QUEUE_NOTIFY + 4);
    if (err)
        vmmio_detach(m);
    return err;
}

void vmmio_detach(struct vmmio *m)
{
    struct io_region *all[] = {&m->low, &m->bell, &m->high};

    virtio_stop(m->v);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->mapped)
            bus_unmap(m->bus, all[i]);
    irq_set(&m->irq, false);
}

void vmmio_reset(struct vmmio *m)
{
    status_write(m, 0);
}

void vmmio_state(struct vmmio *m, struct state *st)
{
    if (!st->load)
        virtio_settle(m->v); /* before the rest: it may raise the line */
    state_section(st, "vmmio", 1);
    virtio_state(m->v, st);
    state_u32(st, &m->feature_sel);
    state_u32(st, &m->taken_sel);
    state_u32(st, &m->queue_sel);
    state_u8(st, &m->isr);
    if (st->load && !st->err && state_check(st, !(m->isr & ~(ISR_QUEUE | ISR_CONFIG))))
        vmmio_irq(m);
}
