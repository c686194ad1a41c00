/*
 * virtio-console: VIRTIO 1.2, section 5.3. Port 0 is the console, hvc0 of a Linux guest; named
 * ports beside it are streams of their own (/dev/virtio-ports/NAME). The bytes are vcon_port.c's,
 * the control queues vcon_ctrl.c's.
 *
 * MULTIPORT is offered if there are named ports. Without it the console's size is in the
 * configuration, with it in a control message.
 */
#include "core/ledger.h"
#include "core/state.h"
#include "virtio/vcon_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_SIZE = 128 };

enum { /* 5.3.4, struct virtio_console_config */
       CFG_COLS = 0,
       CFG_ROWS = 2,
       CFG_MAX_NR_PORTS = 4,
       CFG_EMERG_WR = 8,
       CFG_LEN = 12,
};

_Static_assert(2 * (VCON_PORTS + 1) <= VIRTIO_QUEUES_MAX, "a pair a port, and the control queues");

static struct vcon_port *port_of(struct vcon *d, unsigned queue)
{
    unsigned id = queue < 2 ? 0 : queue / 2 - 1;

    return id < d->ports ? &d->at[id] : NULL;
}

static void vcon_notify(void *dev, unsigned queue)
{
    struct vcon *d = dev;
    struct vcon_port *p = port_of(d, queue);

    if (queue == VCON_CTRL_RX || queue == VCON_CTRL_TX)
        vcon_ctrl_notify(d, queue);
    else if (p && queue & 1)
        vcon_port_send(p);
    else if (p)
        vcon_port_ready(p);
}

/* Linux looks at the size in the configuration when it changes, and then only. */
static void vcon_start(void *dev)
{
    struct vcon *d = dev;
    uint16_t cols, rows;

    if (!vcon_multiport(d) && d->at[0].chr && chr_size(d->at[0].chr, &cols, &rows))
        virtio_config_changed(&d->v);
    for (unsigned i = 0; i < d->ports; i++)
        vcon_port_ready(&d->at[i]);
}

/* ---- configuration ---- */

static void vcon_cfg_read(void *dev, uint8_t *cfg)
{
    struct vcon *d = dev;
    uint16_t cols = 0, rows = 0;

    if (d->at[0].chr)
        chr_size(d->at[0].chr, &cols, &rows);
    memset(cfg, 0, CFG_LEN);
    le16_put(cfg + CFG_COLS, cols);
    le16_put(cfg + CFG_ROWS, rows);
    le32_put(cfg + CFG_MAX_NR_PORTS, d->ports);
}

/* 5.3.5.2: works before the driver is ready, or after it has failed. */
static void vcon_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val)
{
    struct vcon *d = dev;

    (void)size;
    if (off == CFG_EMERG_WR && d->at[0].chr)
        vcon_port_emergency(&d->at[0], (uint8_t)val);
}

/* ---- for the control socket ---- */

bool vcon_port_info(const struct vcon *d, unsigned n, struct vcon_port_info *info)
{
    if (n >= d->ports)
        return false;
    *info = (struct vcon_port_info){
        .name = d->at[n].name, .plugged = d->at[n].plugged, .open = d->at[n].open};
    return true;
}

static struct vcon_port *port_named(struct vcon *d, const char *name)
{
    for (unsigned i = 1; i < d->ports; i++)
        if (!strcmp(d->at[i].name, name))
            return &d->at[i];
    return NULL;
}

int vcon_plug(struct vcon *d, const char *name, bool plugged)
{
    struct vcon_port *p = port_named(d, name);

    if (!p)
        return -ENOENT;
    if (p->plugged == plugged)
        return 0;
    p->plugged = plugged;
    p->sent = 0;
    if (!plugged)
        p->open = false;
    if (!virtio_running(&d->v))
        return 0;
    virtio_notify(&d->v, vcon_tx(p)); /* pulled out: what waits goes nowhere */
    p->say &= VCON_SAY_REMOVE;        /* what else was to be said is over */
    if (!plugged && !p->there)
        return 0;
    vcon_ctrl_say(p, plugged ? VCON_SAY_ADD : VCON_SAY_REMOVE);
    return 0;
}

/* ---- life ---- */

static void vcon_queue_reset(void *dev, unsigned queue)
{
    struct vcon *d = dev;
    struct vcon_port *p = port_of(d, queue);

    if (p && queue & 1 && queue != VCON_CTRL_TX)
        p->sent = 0;
}

static void vcon_stop(void *dev)
{
    struct vcon *d = dev;

    for (unsigned i = 0; i < d->ports; i++)
        vcon_port_stop(&d->at[i]);
}

static void port_state(struct vcon_port *p, struct state *st)
{
    state_bool(st, &p->plugged);
    state_bool(st, &p->there);
    state_bool(st, &p->ready);
    state_bool(st, &p->open);
    state_u8(st, &p->say);
    state_u64(st, &p->sent);
    if (state_check(st, p->say <= VCON_SAY_ALL && (p->id || p->chr || !p->plugged)))
        return;
    p->say = 0;
    p->plugged = p->chr;
}

static void vcon_state(void *dev, struct state *st)
{
    struct vcon *d = dev;

    state_section(st, "virtio-console", 1);
    vport_state(&d->port, st);
    for (unsigned i = 0; i < d->ports; i++)
        port_state(&d->at[i], st);
}

static void vcon_reset(void *dev)
{
    struct vcon *d = dev;

    vport_reset(&d->port);
    for (unsigned i = 0; i < d->ports; i++)
        d->at[i].plugged = d->at[i].chr;
}

static void vcon_destroy(void *dev)
{
    struct vcon *d = dev;

    for (unsigned i = 0; i < d->ports; i++)
        vcon_port_detach(&d->at[i]);
    vport_detach(&d->port);
    free(d);
}

static const struct virtio_class vcon_virtio = {
    .name = "virtio-console",
    .id = 3,
    .pci_class = 0x078000, /* communication controller, other */
    .queues = 2 * (VCON_PORTS + 1),
    .queue_max = QUEUE_SIZE,
    .cfg_len = CFG_LEN,
    .cfg_read = vcon_cfg_read,
    .cfg_write = vcon_cfg_write,
    .start = vcon_start,
    .notify = vcon_notify,
    .queue_reset = vcon_queue_reset,
    .reset = vcon_stop,
};

static int ports_make(struct vcon *d, const struct dev_env *env, const struct vcon_opts *o)
{
    d->ports = 1 + o->ports;
    for (unsigned i = 0; i < d->ports; i++) {
        struct vcon_port *p = &d->at[i];

        p->d = d;
        p->id = i;
        p->name = i ? o->port[i - 1].name : NULL;
        p->chr = i ? o->port[i - 1].chr : o->console;
        p->plugged = p->chr;
        if (i && (!p->chr || !p->name || strlen(p->name) > VCON_NAME_MAX))
            return -EINVAL;
        p->row = ledger_row(env->ledger, LEDGER_CHR, env->name, i ? p->name : "console");
        if (!p->row)
            return -ENOMEM;
    }
    return 0;
}

static uint64_t features(const struct vcon_opts *o)
{
    uint64_t f = VIRTIO_BIT(VIRTIO_CONSOLE_F_SIZE) | VIRTIO_BIT(VIRTIO_CONSOLE_F_EMERG_WRITE);

    if (!o->console)
        f = 0;
    if (o->ports)
        f |= VIRTIO_BIT(VIRTIO_CONSOLE_F_MULTIPORT);
    return f | (o->packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0);
}

int vcon_create(struct vcon **out, const struct dev_env *env, const struct vcon_opts *o)
{
    struct vcon *d = o->ports > VCON_NAMED ? NULL : calloc(1, sizeof(*d));
    int err;

    if (!d)
        return o->ports > VCON_NAMED ? -EINVAL : -ENOMEM;
    err = ports_make(d, env, o);
    if (!err) {
        virtio_init(&d->v, &vcon_virtio, d, features(o), o->ports ? 2 * (d->ports + 1) : 2);
        err = vport_attach(&d->port, &d->v, env, o->mmio);
    }
    if (err) {
        free(d);
        return err;
    }
    for (unsigned i = 0; i < d->ports; i++)
        vcon_port_attach(&d->at[i]);
    *out = d;
    return 0;
}

const struct dev_class vcon_class = {
    .name = "virtio-console",
    .summary = "console and named ports (VIRTIO 1.2)",
    .reset = vcon_reset,
    .state = vcon_state,
    .destroy = vcon_destroy,
};
