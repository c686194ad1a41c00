/*
 * The device of a front end: what a driver is offered and told, by kind. Features are the back
 * end's, as far as this transport can pass them on (VIRTIO 1.2, 5.1.3 and 5.2.3); those of rings
 * are ours, since the guest's rings are served here. A disk's configuration is the back end's too,
 * judged first; a card's is ours.
 */
#include "bus/dev.h"
#include "core/state.h"
#include "mem/ram.h"
#include "vhost/front_impl.h"
#include <errno.h>
#include <string.h>

enum { /* 5.2.3, 5.2.4 */
       VIRTIO_BLK_F_SIZE_MAX = 1,
       VIRTIO_BLK_F_SEG_MAX = 2,
       VIRTIO_BLK_F_GEOMETRY = 4,
       VIRTIO_BLK_F_RO = 5,
       VIRTIO_BLK_F_BLK_SIZE = 6,
       VIRTIO_BLK_F_FLUSH = 9,
       VIRTIO_BLK_F_TOPOLOGY = 10,
       VIRTIO_BLK_F_CONFIG_WCE = 11,
       VIRTIO_BLK_F_MQ = 12,
       VIRTIO_BLK_F_DISCARD = 13,
       VIRTIO_BLK_F_WRITE_ZEROES = 14,
};
enum {
    CFG_CAPACITY = 0,
    CFG_SIZE_MAX = 8,
    CFG_SEG_MAX = 12,
    CFG_BLK_SIZE = 20,
    CFG_PHYSICAL_EXP = 24,
    CFG_WRITEBACK = 32,
    CFG_NUM_QUEUES = 34,
    CFG_DISCARD_ALIGN = 44,
    CFG_LEN = 60,
};
enum {
    SEG_MAX = VQ_SEGS_MAX - 2,
    BLK_SIZE_MIN = 512,
    BLK_SIZE_MOST = 4096,         /* a page: older drivers can't do more */
    PHYSICAL_EXP_MOST = 10,       /* blocks of 4M at most: a shift */
    DISCARD_ALIGN_MOST = 1 << 21, /* sectors: 1G, and in bytes still a number of 32 bits */
    SIZE_MAX_LEAST = 4096,
    SIZE_MAX_BYTES = 4 << 20,
    STATUS_IOERR = 1,
    HDR_LEN = 16, /* 5.2.6 */
};

/* ---- disks ---- */

static bool has(const struct vfront *f, unsigned feature)
{
    return f->features >> feature & 1;
}

/* What a driver would compute with: a wrong number there is a crash of the guest. */
static const char *blk_judge(struct vfront *f, uint8_t *cfg)
{
    uint32_t block = le32_get(cfg + CFG_BLK_SIZE), seg = le32_get(cfg + CFG_SEG_MAX);
    uint32_t size = le32_get(cfg + CFG_SIZE_MAX), align = le32_get(cfg + CFG_DISCARD_ALIGN);

    if (le64_get(cfg + CFG_CAPACITY) > INT64_MAX / 512)
        return "its disk is larger than a disk can be";
    if (has(f, VIRTIO_BLK_F_BLK_SIZE) &&
        (block < BLK_SIZE_MIN || block > BLK_SIZE_MOST || block & (block - 1)))
        return "its disk has a block size that is none";
    if (has(f, VIRTIO_BLK_F_TOPOLOGY) && cfg[CFG_PHYSICAL_EXP] > PHYSICAL_EXP_MOST)
        return "its disk has a physical block size that is none";
    if (has(f, VIRTIO_BLK_F_DISCARD) && (align > DISCARD_ALIGN_MOST || align & (align - 1)))
        return "its disk has pieces to discard that are none";
    if (!size)
        le32_put(cfg + CFG_SIZE_MAX, SIZE_MAX_BYTES); /* as qemu-storage-daemon says "any" */
    else if (has(f, VIRTIO_BLK_F_SIZE_MAX) && size < SIZE_MAX_LEAST)
        return "its disk takes less than a page in a segment";
    if (has(f, VIRTIO_BLK_F_SEG_MAX) && !seg)
        return "its disk takes no data";
    if (seg > SEG_MAX)
        le32_put(cfg + CFG_SEG_MAX, SEG_MAX); /* no chain is longer than its ring */
    if (has(f, VIRTIO_BLK_F_MQ) && le16_get(cfg + CFG_NUM_QUEUES) < f->o.queues)
        return "it has fewer queues than queues= says";
    if (!has(f, VIRTIO_BLK_F_MQ) && f->o.queues > 1)
        return "it has one queue, fewer than queues= says";
    le16_put(cfg + CFG_NUM_QUEUES, (uint16_t)f->o.queues);
    return NULL;
}

static const char *blk_request(unsigned queue, const struct vq_chain *c)
{
    (void)queue;
    return c->in_len && c->out_len >= HDR_LEN ? NULL : "a request without header or status";
}

/* The last byte that can be written is the status. */
static uint32_t blk_refuse(struct vfront *f, struct vq *q, const struct vq_chain *c)
{
    static const uint8_t status = STATUS_IOERR;

    (void)f;
    return c->in_len && !vq_put(q, c, c->in_len - 1, &status, 1) ? 1 : 0;
}

const struct front_kind front_blk = {
    .name = "vhost-user-blk",
    .id = 2,
    .pci_class = 0x018000,
    .cfg_len = CFG_LEN,
    .features = VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |
                VIRTIO_BIT(VIRTIO_BLK_F_GEOMETRY) | VIRTIO_BIT(VIRTIO_BLK_F_RO) |
                VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |
                VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY) | VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE) |
                VIRTIO_BIT(VIRTIO_BLK_F_MQ) | VIRTIO_BIT(VIRTIO_BLK_F_DISCARD) |
                VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES),
    .config = true,
    .cfg_judge = blk_judge,
    .judge = blk_request,
    .refuse = blk_refuse,
};

/* ---- what virtio calls ---- */

static void front_cfg_read(void *dev, uint8_t *cfg)
{
    const struct vfront *f = dev;

    memcpy(cfg, f->cfg, f->kind->cfg_len);
}

/* 5.2.4: the cache's mode is all that a driver may write. */
static void front_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val)
{
    struct vfront *f = dev;

    if (f->kind != &front_blk || off != CFG_WRITEBACK || size != 1 || val > 1 ||
        !virtio_has(&f->v, VIRTIO_BLK_F_CONFIG_WCE))
        return;
    f->cfg[CFG_WRITEBACK] = (uint8_t)val;
    if (f->cfg_set_asked || !f->started)
        return; /* what starts is told then */
    f->cfg_set_asked = true;
    front_ask(f, VU_SET_CONFIG, CFG_WRITEBACK);
    front_asks_go(f);
}

/* The mode is the driver's choice, and a back end that begins knows of none: neither one that has
 * just come nor one that took a driver's features, which is how its device begins anew. */
void front_mode_tell(struct vfront *f)
{
    if (f->kind == &front_blk && virtio_has(&f->v, VIRTIO_BLK_F_CONFIG_WCE))
        front_ask(f, VU_SET_CONFIG, CFG_WRITEBACK);
}

void front_config_came(struct vfront *f, const uint8_t *cfg)
{
    uint8_t mode = f->cfg[CFG_WRITEBACK % FRONT_CFG_MAX];
    bool other = memcmp(f->cfg, cfg, f->kind->cfg_len) != 0;

    memcpy(f->cfg, cfg, f->kind->cfg_len);
    if (!f->attached || !other)
        return;
    if (virtio_has(&f->v, VIRTIO_BLK_F_CONFIG_WCE) && f->cfg[CFG_WRITEBACK] != mode)
        front_cfg_write(f, CFG_WRITEBACK, 1, mode);
    if (virtio_running(&f->v))
        virtio_config_changed(&f->v);
}

uint64_t front_ring_features(const struct vfront *f)
{
    uint64_t bits = VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC);

    if (f->o.packed)
        bits |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    return bits & f->features;
}

static void front_start(void *dev)
{
    struct vfront *f = dev;

    f->wanted = true;
    f->pairs_used = 1;
    for (unsigned i = 0; i < f->rings; i++)
        f->ring[i].enabled = f->kind == &front_blk || i < 2;
    if (f->probed && !f->bad)
        front_ask_run(f);
}

static void front_notify(void *dev, unsigned queue)
{
    struct vfront *f = dev;

    if (queue == front_net_ctrl(f))
        front_net_command(f);
    else
        front_relay(f, queue);
}

static void front_stop(void *dev)
{
    struct vfront *f = dev;

    f->wanted = false;
    if (f->sock >= 0 && f->started && !f->bad) {
        for (unsigned i = 0; i < f->rings; i++)
            front_ask_stop(f, i);
        front_drain(f);
        f->started = false;
    } else if (f->bad) {
        front_leave(f, f->bad);
    }
    for (unsigned i = 0; i < f->rings; i++) {
        f->ring[i].live = false;
        front_ring_forget(&f->ring[i]);
    }
}

static void front_queue_reset(void *dev, unsigned queue)
{
    struct vfront *f = dev;
    struct front_ring *r = &f->ring[queue];

    if (queue >= f->rings)
        return;
    front_kept_forget(r);
    if (f->sock >= 0 && f->started && !f->bad) {
        front_ask_stop(f, queue);
        front_drain(f);
    }
    r->live = false;
    front_ring_forget(r);
    if (f->sock >= 0 && f->started && !f->bad) { /* empty, for the driver's next one */
        front_ask_start(f, queue);
        front_asks_go(f);
    }
}

/* ---- state, reset, create ---- */

/* What is in flight is another process's: such a machine can't be saved. */
static void front_state(void *dev, struct state *st)
{
    (void)dev;
    state_section(st, "vhost-user", 1);
    st->err = -ENOTSUP;
}

static void front_reset(void *dev)
{
    struct vfront *f = dev;

    vport_reset(&f->port);
}

static void front_destroy(void *dev)
{
    struct vfront *f = dev;

    front_stop(f); /* what the back end has in hand is done before the machine is gone */
    vport_detach(&f->port);
    f->attached = false;
    loop_timer_stop(&f->again);
    front_leave(f, "the machine ends");
}

static uint64_t offered(const struct vfront *f)
{
    uint64_t all = f->features & f->kind->features;

    if (f->o.packed)
        all |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
    return f->kind == &front_net ? front_net_offer(f, all) : all;
}

int vfront_create(struct vfront *f, const struct dev_env *env, uint64_t mmio)
{
    unsigned ctrl = f->kind == &front_net && f->o.queues > 1;
    int err;

    f->cls = (struct virtio_class){
        .name = f->kind->name,
        .id = f->kind->id,
        .pci_class = f->kind->pci_class,
        .queues = (uint8_t)(f->rings + ctrl),
        .queue_max = VQ_SIZE_MAX,
        .cfg_len = f->kind->cfg_len,
        .cfg_read = front_cfg_read,
        .cfg_write = front_cfg_write,
        .start = front_start,
        .notify = front_notify,
        .queue_reset = front_queue_reset,
        .reset = front_stop,
    };
    if (f->kind == &front_net)
        front_net_config(f, f->cfg);
    virtio_init(&f->v, &f->cls, f, offered(f), 0);
    err = vport_attach(&f->port, &f->v, env, mmio);
    f->attached = !err;
    return err;
}

const struct dev_class vfront_class = {
    .name = "vhost-user",
    .summary = "a disk or card that another process serves (vhost-user)",
    .reset = front_reset,
    .state = front_state,
    .destroy = front_destroy,
};
