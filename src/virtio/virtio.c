/*
 * A virtio device without its transport. VIRTIO 1.2: device status (2.1), feature bits (2.2),
 * notifications (2.3), device configuration (2.5), initialization (3.1). Modern devices only:
 * VERSION_1 must be negotiated, and everything is little-endian.
 *
 * Interrupts are raised once a batch. Devices push finished chains and call virtio_done; the queue
 * is shown to the driver and its interrupt judged in deferred work, which runs after all the
 * completions that were queued before it.
 */
#include "virtio/virtio.h"
#include "core/state.h"
#include "mem/dma.h"
#include "virtio/vcheck.h"
#include "virtio/vevil.h"
#include <string.h>

enum {
    STATUS_DRIVER_BITS =
        VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED
};
enum { LOG_LINES = 8 };

bool virtio_running(const struct virtio *v)
{
    return (v->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET | VIRTIO_FAILED)) ==
           VIRTIO_DRIVER_OK;
}

static bool queue_running(const struct virtio *v, unsigned queue)
{
    return queue < v->queues && v->queue[queue].enabled && v->queue[queue].vq.desc &&
           virtio_running(v);
}

/* ---- the batch ---- */

static void queue_show(struct virtio *v, unsigned queue)
{
    if (queue_running(v, queue) && vq_signal(&v->queue[queue].vq))
        v->out.queue_irq(v->out.transport, queue);
}

static void show(struct virtio *v)
{
    uint32_t queues = v->unsignalled;

    v->unsignalled = 0;
    for (unsigned i = 0; i < v->queues; i++)
        if (queues >> i & 1)
            queue_show(v, i);
}

void virtio_settle(struct virtio *v)
{
    if (v->evil)
        vevil_release(v->evil);
    show(v);
}

static void work_run(void *arg)
{
    struct virtio *v = arg;
    uint32_t walk = v->unwalked;

    show(v);
    v->unwalked = 0;
    for (unsigned i = 0; i < v->queues; i++)
        if (walk >> i & 1)
            virtio_notify(v, i);
}

void virtio_done(struct virtio *v, unsigned queue)
{
    v->unsignalled |= 1u << queue;
    loop_defer(v->loop, &v->work);
}

void virtio_again(struct virtio *v, unsigned queue)
{
    v->unwalked |= 1u << queue;
    loop_defer(v->loop, &v->work);
}

void virtio_notify(struct virtio *v, unsigned queue)
{
    if (queue_running(v, queue) && __builtin_expect(!v->evil || !vevil_kick(v->evil, queue), 1))
        v->cls->notify(v->dev, queue);
}

/* ---- features, status ---- */

uint32_t virtio_features(const struct virtio *v, uint32_t select)
{
    return select < 2 ? (uint32_t)(v->offered >> 32 * select) : 0;
}

uint32_t virtio_taken(const struct virtio *v, uint32_t select)
{
    return select < 2 ? (uint32_t)(v->taken >> 32 * select) : 0;
}

void virtio_take(struct virtio *v, uint32_t select, uint32_t bits)
{
    if (__builtin_expect(v->check != NULL, 0))
        vcheck_take(v->check, select, bits);
    if (select >= 2 || v->status & VIRTIO_FEATURES_OK)
        return;
    v->taken &= ~((uint64_t)UINT32_MAX << 32 * select);
    v->taken |= (uint64_t)bits << 32 * select;
}

static bool features_acceptable(const struct virtio *v)
{
    return !(v->taken & ~v->offered) && virtio_has(v, VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio *v, uint8_t val)
{
    uint8_t fresh;

    if (__builtin_expect(v->check != NULL, 0))
        vcheck_status(v->check, val);
    if (!val) {
        virtio_reset(v);
        return;
    }
    fresh = val & STATUS_DRIVER_BITS & (uint8_t)~v->status; /* 2.1.1: bits are only added */
    if (fresh & VIRTIO_FEATURES_OK && !features_acceptable(v))
        fresh &= (uint8_t)~VIRTIO_FEATURES_OK; /* the driver reads it back and sees */
    if (!((v->status | fresh) & VIRTIO_FEATURES_OK))
        fresh &= (uint8_t)~VIRTIO_DRIVER_OK;
    v->status |= fresh;
    if (fresh & VIRTIO_DRIVER_OK && virtio_running(v) && v->cls->start)
        v->cls->start(v->dev);
}

void virtio_ask_reset(struct virtio *v)
{
    v->status |= VIRTIO_NEEDS_RESET;
    if (v->status & VIRTIO_DRIVER_OK)
        virtio_config_changed(v);
}

void virtio_needs_reset(struct virtio *v, const char *why)
{
    if (v->status & VIRTIO_NEEDS_RESET)
        return;
    log_guest(&v->log, "%s: the driver broke the rules (%s); the device waits for a reset", v->name,
              why);
    virtio_ask_reset(v);
}

/* ---- queues ---- */

static void conf_features(const struct virtio *v, struct vq_conf *conf)
{
    conf->event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX);
    conf->indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC);
    conf->packed = virtio_has(v, VIRTIO_F_RING_PACKED);
    conf->in_order = virtio_has(v, VIRTIO_F_IN_ORDER);
}

static void queue_watch(struct virtio *v, unsigned queue)
{
    if (v->check)
        v->queue[queue].vq.check = vcheck_enabled(v->check, queue);
    v->queue[queue].vq.evil = v->evil;
}

void virtio_enable(struct virtio *v, unsigned queue)
{
    struct virtio_queue *q;

    if (queue >= v->queues)
        return;
    q = &v->queue[queue];
    if (__builtin_expect(v->check != NULL, 0))
        vcheck_enable(v->check, queue);
    /* 4.1.4.3.2: features come first, and a queue is enabled once */
    if (q->enabled || !(v->status & VIRTIO_FEATURES_OK))
        return;
    conf_features(v, &q->conf);
    q->enabled = true;
    if (q->conf.size > v->cls->queue_max || vq_start(&q->vq, v->dma, &q->conf))
        virtio_needs_reset(v, "a queue that is no queue in RAM");
    else
        queue_watch(v, queue);
}

/* ---- device configuration ---- */

enum { CFG_MAX = 256 };

uint32_t virtio_cfg_read(struct virtio *v, uint32_t off, unsigned size)
{
    uint8_t cfg[CFG_MAX + 4];
    uint32_t val;

    if (__builtin_expect(v->check != NULL, 0))
        vcheck_config(v->check, off, size, false);
    if (v->cls->cfg_len > CFG_MAX || !range_in(off, size, 0, v->cls->cfg_len))
        return UINT32_MAX >> (32 - 8 * size);
    v->cls->cfg_read(v->dev, cfg);
    val = size == 4 ? le32_get(cfg + off) : size == 2 ? le16_get(cfg + off) : cfg[off];
    return __builtin_expect(v->evil != NULL, 0) ? vevil_config(v->evil, off, size, val) : val;
}

void virtio_cfg_write(struct virtio *v, uint32_t off, unsigned size, uint32_t val)
{
    if (__builtin_expect(v->check != NULL, 0))
        vcheck_config(v->check, off, size, true);
    if (v->cls->cfg_write && range_in(off, size, 0, v->cls->cfg_len))
        v->cls->cfg_write(v->dev, off, size, val);
}

void virtio_config_changed(struct virtio *v)
{
    v->generation++;
    v->out.config_irq(v->out.transport);
}

/* ---- life ---- */

static void queue_clear(struct virtio *v, struct virtio_queue *q)
{
    vq_stop(&q->vq);
    q->conf = (struct vq_conf){.size = v->cls->queue_max};
    q->vector = VIRTIO_NO_VECTOR;
    q->enabled = false;
}

/* Not enabled first: what drains now is pushed no more. The vector stays (4.1.4.3.1). */
void virtio_queue_stop(struct virtio *v, unsigned queue)
{
    struct virtio_queue *q;
    uint16_t vector;

    if (queue >= v->queues)
        return;
    q = &v->queue[queue];
    vector = q->vector;
    if (__builtin_expect(v->check != NULL, 0))
        vcheck_queue_gone(v->check, queue);
    q->enabled = false;
    v->unsignalled &= ~(1u << queue);
    v->unwalked &= ~(1u << queue);
    if (v->evil)
        vevil_forget(v->evil, queue);
    if (v->cls->queue_reset)
        v->cls->queue_reset(v->dev, queue);
    queue_clear(v, q);
    q->vector = vector;
}

void virtio_queue_reset(struct virtio *v, unsigned queue)
{
    if (virtio_has(v, VIRTIO_F_RING_RESET))
        virtio_queue_stop(v, queue);
}

bool virtio_answers(const struct virtio *v, unsigned queue)
{
    return v->status & VIRTIO_DRIVER_OK && v->queue[queue].enabled;
}

void virtio_reset(struct virtio *v)
{
    v->status = 0; /* first: nothing is pushed or shown from here on */
    v->cls->reset(v->dev);
    if (v->evil)
        vevil_release(v->evil); /* nothing answers any more: they are forgotten */
    virtio_stop(v);
    for (unsigned i = 0; i < v->queues; i++)
        queue_clear(v, &v->queue[i]);
    v->taken = 0;
}

static void no_irq(void *transport)
{
    (void)transport;
}

static void no_queue_irq(void *transport, unsigned queue)
{
    (void)transport;
    (void)queue;
}

void virtio_init(struct virtio *v, const struct virtio_class *cls, void *dev, uint64_t features,
                 unsigned queues)
{
    memset(v, 0, sizeof(*v));
    v->cls = cls;
    v->queues = queues ? (uint8_t)queues : cls->queues;
    v->dev = dev;
    v->name = cls->name;
    v->offered = features | VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) |
                 VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_RING_RESET);
    v->out = (struct virtio_transport){no_queue_irq, no_irq, NULL};
    v->work = (struct loop_work){.run = work_run, .arg = v};
    v->log.left = LOG_LINES;
    for (unsigned i = 0; i < v->queues; i++)
        queue_clear(v, &v->queue[i]);
}

void virtio_stop(struct virtio *v)
{
    loop_work_cancel(v->loop, &v->work);
    v->unsignalled = v->unwalked = 0;
}

/* ---- state ---- */

static void queue_state(struct virtio *v, struct virtio_queue *q, struct state *st)
{
    bool live = q->vq.desc;
    struct vq_conf run = q->vq.conf;

    state_u16(st, &q->conf.size);
    state_u64(st, &q->conf.desc);
    state_u64(st, &q->conf.avail);
    state_u64(st, &q->conf.used);
    state_u16(st, &q->vector);
    state_bool(st, &q->enabled);
    state_bool(st, &live);
    if (!live)
        return;
    state_u16(st, &run.size); /* what was latched */
    state_u64(st, &run.desc);
    state_u64(st, &run.avail);
    state_u64(st, &run.used);
    if (st->load) {
        conf_features(v, &run);
        state_check(st, run.size <= v->cls->queue_max && !vq_start(&q->vq, v->dma, &run));
    }
    vq_state(&q->vq, st);
    if (st->load && !st->err)
        queue_watch(v, (unsigned)(q - v->queue));
}

static bool status_possible(const struct virtio *v, uint8_t status, uint64_t taken)
{
    if (!(status & VIRTIO_FEATURES_OK))
        return !(status & VIRTIO_DRIVER_OK);
    return !(taken & ~v->offered) && taken >> VIRTIO_F_VERSION_1 & 1;
}

void virtio_state(struct virtio *v, struct state *st)
{
    uint8_t status = v->status;
    uint64_t taken = v->taken;

    if (st->load)
        virtio_reset(v);
    state_section(st, "virtio", 1);
    state_u8(st, &status);
    state_u64(st, &taken);
    state_u8(st, &v->generation);
    if (st->load && state_check(st, status_possible(v, status, taken))) {
        v->status = status & (STATUS_DRIVER_BITS | VIRTIO_NEEDS_RESET);
        v->taken = taken;
        if (v->check)
            vcheck_loaded(v->check);
    }
    for (unsigned i = 0; i < v->queues; i++) {
        queue_state(v, &v->queue[i], st);
        if (st->load && !st->err)
            virtio_again(v, i); /* a kick may have been lost between save and load */
    }
}
