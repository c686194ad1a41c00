/*
 * The control queues of a console with several ports: VIRTIO 1.2, 5.3.6.2. What the guest is to be
 * told is kept as bits of the port it is about, not as messages, so it needs no memory however long
 * the guest gives no buffers: a port that came and went meanwhile was never there.
 */
#include "virtio/vcon_impl.h"
#include <string.h>

enum { /* struct virtio_console_control */
       CTRL_ID = 0,
       CTRL_EVENT = 4,
       CTRL_VALUE = 6,
       CTRL_LEN = 8,
       CTRL_MOST = CTRL_LEN + VCON_NAME_MAX + 1
};
enum {
    DEVICE_READY = 0,
    DEVICE_ADD = 1,
    DEVICE_REMOVE = 2,
    PORT_READY = 3,
    CONSOLE_PORT = 4,
    RESIZE = 5,
    PORT_OPEN = 6,
    PORT_NAME = 7,
};

/* ---- to the guest ---- */

static size_t put_size(struct vcon_port *p, uint8_t *at)
{
    uint16_t cols = 0, rows = 0;

    chr_size(p->chr, &cols, &rows);
    le16_put(at, cols);
    le16_put(at + 2, rows);
    return 4;
}

static size_t put_name(struct vcon_port *p, uint8_t *at)
{
    size_t len = strlen(p->name);

    memcpy(at, p->name, len);
    return len;
}

/* The message of one bit. Ports have names no longer than VCON_NAME_MAX: vcon_create. */
static size_t message(struct vcon_port *p, unsigned what, uint8_t *m)
{
    unsigned event = 0, value = 1;
    size_t more = 0;

    switch (what) {
    case VCON_SAY_REMOVE: event = DEVICE_REMOVE; break;
    case VCON_SAY_ADD: event = DEVICE_ADD; break;
    case VCON_SAY_CONSOLE: event = CONSOLE_PORT; break;
    case VCON_SAY_NAME:
        event = PORT_NAME;
        more = put_name(p, m + CTRL_LEN);
        break;
    case VCON_SAY_RESIZE:
        event = RESIZE;
        more = put_size(p, m + CTRL_LEN);
        break;
    default:
        event = PORT_OPEN;
        value = !p->chr->away;
        break;
    }
    le32_put(m + CTRL_ID, p->id);
    le16_put(m + CTRL_EVENT, (uint16_t)event);
    le16_put(m + CTRL_VALUE, (uint16_t)value);
    return CTRL_LEN + more;
}

static void said(struct vcon_port *p, unsigned what)
{
    p->say &= (uint8_t)~what;
    if (what == VCON_SAY_ADD)
        p->there = true;
    if (what == VCON_SAY_REMOVE)
        p->there = p->ready = p->open = false;
}

/* 1: said; 0: the guest has no buffer; -EINVAL. What doesn't fit into the buffer is cut. */
static int say_one(struct vcon *d, struct vcon_port *p, unsigned what)
{
    struct vq *q = &d->v.queue[VCON_CTRL_RX].vq;
    int got = vq_pop(q, &d->chain);
    uint8_t m[CTRL_MOST];
    size_t len;

    if (got <= 0)
        return got;
    len = message(p, what, m);
    len = len < d->chain.in_len ? len : (size_t)d->chain.in_len;
    if (vq_put(q, &d->chain, 0, m, len))
        len = 0;
    vq_push(q, d->chain.head, (uint32_t)len);
    virtio_done(&d->v, VCON_CTRL_RX);
    said(p, what);
    return 1;
}

/* Of all ports, in order. Bound: VCON_PORTS times the bits. */
static int say_some(struct vcon *d)
{
    int got = 1;

    for (unsigned i = 0; i < d->ports && got > 0; i++)
        for (unsigned bit = 1; bit < VCON_SAY_ALL && got > 0; bit <<= 1)
            if (d->at[i].say & bit)
                got = say_one(d, &d->at[i], bit);
    return got;
}

static void say_all(struct vcon *d)
{
    struct vq *q = &d->v.queue[VCON_CTRL_RX].vq;
    int got;

    if (!virtio_running(&d->v) || !vcon_multiport(d))
        return;
    vq_quiet(q);
    got = say_some(d);
    if (!got && vq_listen(q))
        virtio_again(&d->v, VCON_CTRL_RX);
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
}

void vcon_ctrl_say(struct vcon_port *p, unsigned what)
{
    if (!p->ready && what & (VCON_SAY_CONSOLE | VCON_SAY_NAME | VCON_SAY_RESIZE | VCON_SAY_OPEN))
        return; /* told when it is */
    p->say |= (uint8_t)what;
    say_all(p->d);
}

/* ---- from the guest ---- */

static void device_ready(struct vcon *d, unsigned value)
{
    for (unsigned i = 0; i < d->ports && value == 1; i++)
        if (d->at[i].plugged && !d->at[i].there)
            vcon_ctrl_say(&d->at[i], VCON_SAY_ADD);
}

static void port_ready(struct vcon_port *p, unsigned value)
{
    uint16_t cols, rows;

    if (!p->there || value != 1)
        return;
    p->ready = true;
    vcon_ctrl_say(p, (p->id ? 0u : VCON_SAY_CONSOLE) | (p->name ? VCON_SAY_NAME : 0u) |
                         (!p->id && chr_size(p->chr, &cols, &rows) ? VCON_SAY_RESIZE : 0u) |
                         (p->chr->away ? 0u : VCON_SAY_OPEN));
}

static void port_open(struct vcon_port *p, unsigned value)
{
    p->open = value == 1;
    if (p->open)
        vcon_port_ready(p);
}

static void heard(struct vcon *d, const uint8_t *m)
{
    unsigned event = le16_get(m + CTRL_EVENT), value = le16_get(m + CTRL_VALUE);
    uint32_t id = le32_get(m + CTRL_ID);

    if (event == DEVICE_READY) /* its ID means nothing */
        device_ready(d, value);
    else if (id >= d->ports || !d->at[id].plugged)
        return; /* also a port that was taken away while this was on its way */
    else if (event == PORT_READY)
        port_ready(&d->at[id], value);
    else if (event == PORT_OPEN)
        port_open(&d->at[id], value);
}

/* Bound: one ring's worth a kick. */
static void hear(struct vcon *d)
{
    struct vq *q = &d->v.queue[VCON_CTRL_TX].vq;
    uint8_t m[CTRL_LEN];
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size; n++) {
        bool whole;
        uint16_t head;

        got = vq_pop(q, &d->chain);
        if (got <= 0)
            break;
        head = d->chain.head; /* an answer takes the scratch chain */
        whole = !vq_get(q, &d->chain, 0, m, CTRL_LEN);
        vq_push(q, head, 0);
        virtio_done(&d->v, VCON_CTRL_TX);
        if (whole)
            heard(d, m);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (vq_listen(q))
        virtio_again(&d->v, VCON_CTRL_TX);
}

void vcon_ctrl_notify(struct vcon *d, unsigned queue)
{
    if (!vcon_multiport(d))
        return;
    if (queue == VCON_CTRL_TX)
        hear(d);
    else
        say_all(d);
}
