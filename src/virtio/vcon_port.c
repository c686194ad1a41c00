/*
 * The bytes of a console's port, both ways: VIRTIO 1.2, 5.3.6.
 *
 * Towards the host a chain is given back when the backend has taken all of it. What the backend has
 * no space for stays in the ring, so that a guest's program waits and nothing is lost; of a chain
 * that went in part the port remembers how much. The console is the exception: Linux waits for it
 * with the CPU held (hvc), so when nobody has read for STALL_NS, its output is dropped, and
 * counted, until somebody reads again.
 *
 * Towards the guest the backend is read when the guest has a buffer, and no more than it holds.
 * Nothing stays in between, so the VMM doesn't grow whoever is slow.
 */
#include "core/ledger.h"
#include "virtio/vcon_impl.h"

enum { PIECE = 4096, WALK_BYTES = 256 << 10 };
#define STALL_NS 1000000000ull

static struct vq *tx_queue(struct vcon_port *p)
{
    return &p->d->v.queue[vcon_tx(p)].vq;
}

static struct vq *rx_queue(struct vcon_port *p)
{
    return &p->d->v.queue[vcon_rx(p)].vq;
}

static bool connected(const struct vcon_port *p)
{
    return p->chr && p->plugged;
}

/* ---- out of the guest ---- */

/* To a backend that has space for it, or to nobody. */
static void give(struct vcon_port *p, const uint8_t *buf, size_t len)
{
    size_t space = connected(p) ? chr_space(p->chr) : 0;
    size_t n = len < space ? len : space;

    if (n)
        chr_send(p->chr, buf, n);
    ledger_add(p->row, true, len);
    if (n < len)
        ledger_refuse(p->row);
}

static size_t may_take(const struct vcon_port *p)
{
    return connected(p) && !p->lossy ? chr_space(p->chr) : SIZE_MAX;
}

enum walked { CHAIN_GONE, NO_SPACE, NO_BUDGET };

/* Bound: *budget bytes, a piece at a time. */
static enum walked chain_send(struct vcon_port *p, const struct vq_chain *c, size_t *budget)
{
    uint8_t buf[PIECE];

    while (p->sent < c->out_len) {
        uint64_t n = c->out_len - p->sent;
        size_t space = may_take(p);

        n = n < PIECE ? n : PIECE;
        n = n < space ? n : space;
        if (!n)
            return NO_SPACE;
        if (n > *budget)
            return NO_BUDGET;
        if (vq_get(tx_queue(p), c, p->sent, buf, (size_t)n))
            break; /* not RAM: the rest of this one is nothing */
        give(p, buf, (size_t)n);
        p->sent += n;
        *budget -= n;
    }
    p->sent = 0;
    return CHAIN_GONE;
}

/* Linux spins until its console's output is taken. */
static void stalled(struct vcon_port *p)
{
    struct virtio *v = &p->d->v;

    if (p->id || p->stall.due)
        return;
    loop_timer_set(&p->stall, loop_now(v->loop) + (p->chr->away ? 0 : STALL_NS));
}

void vcon_port_send(struct vcon_port *p)
{
    struct virtio *v = &p->d->v;
    struct vq_chain *c = &p->d->chain;
    struct vq *q = tx_queue(p);
    enum walked how = CHAIN_GONE;
    size_t budget = WALK_BYTES;
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size && how == CHAIN_GONE; n++) { /* one ring's worth */
        got = vq_pop(q, c);
        if (got <= 0)
            break;
        how = chain_send(p, c, &budget);
        if (how != CHAIN_GONE) {
            vq_unpop(q, c);
            break;
        }
        vq_push(q, c->head, 0);
        virtio_done(v, vcon_tx(p));
    }
    if (got < 0)
        virtio_needs_reset(v, q->broken);
    else if (how == NO_SPACE)
        stalled(p); /* no kicks are wanted: drained comes */
    else if (how == NO_BUDGET || vq_listen(q))
        virtio_again(v, vcon_tx(p));
}

static void on_drained(void *port)
{
    struct vcon_port *p = port;

    p->lossy = false;
    loop_timer_stop(&p->stall);
    virtio_notify(&p->d->v, vcon_tx(p));
}

static void on_stall(void *port)
{
    struct vcon_port *p = port;

    p->lossy = true;
    virtio_notify(&p->d->v, vcon_tx(p));
}

void vcon_port_emergency(struct vcon_port *p, uint8_t byte)
{
    give(p, &byte, 1);
}

/* ---- into the guest ---- */

static bool hears(const struct vcon_port *p)
{
    const struct vcon *d = p->d;

    return virtio_running(&d->v) && d->v.queue[vcon_rx(p)].enabled && connected(p) &&
           (p->open || !vcon_multiport(d));
}

/* The next buffer that holds something; empty ones go back. Bound: the ring. */
static int buffer_next(struct vcon_port *p, struct vq_chain *c)
{
    struct vq *q = rx_queue(p);
    int got = vq_pop(q, c);

    for (unsigned n = 0; got > 0 && !c->in_len && n < q->conf.size; n++) {
        vq_push(q, c->head, 0);
        virtio_done(&p->d->v, vcon_rx(p));
        got = vq_pop(q, c);
    }
    if (got < 0)
        virtio_needs_reset(&p->d->v, q->broken);
    return got;
}

static size_t port_room(void *port)
{
    struct vcon_port *p = port;
    struct vq_chain *c = &p->d->chain;
    int got;

    if (!hears(p))
        return 0;
    got = buffer_next(p, c);
    if (!got && vq_listen(rx_queue(p))) /* it came meanwhile, and no kick will tell */
        got = buffer_next(p, c);
    if (got <= 0)
        return 0;
    vq_unpop(rx_queue(p), c);
    return c->in_len < SIZE_MAX / 2 ? (size_t)c->in_len : SIZE_MAX / 2;
}

/* len is at most what room said, but the driver may have changed its mind about the buffer. */
static void port_recv(void *port, const uint8_t *buf, size_t len)
{
    struct vcon_port *p = port;
    struct vq_chain *c = &p->d->chain;
    struct vq *q = rx_queue(p);
    size_t n;

    ledger_add(p->row, false, len);
    if (!hears(p) || buffer_next(p, c) <= 0) {
        ledger_refuse(p->row);
        return;
    }
    n = len < c->in_len ? len : (size_t)c->in_len;
    if (vq_put(q, c, 0, buf, n))
        n = 0;
    if (n < len)
        ledger_refuse(p->row);
    vq_push(q, c->head, (uint32_t)n);
    virtio_done(&p->d->v, vcon_rx(p));
}

void vcon_port_ready(struct vcon_port *p)
{
    vq_quiet(rx_queue(p)); /* until the backend finds no buffer */
    if (hears(p))
        chr_ready(p->chr);
}

/* ---- life ---- */

static void on_link(void *port)
{
    struct vcon_port *p = port;

    vcon_ctrl_say(p, VCON_SAY_OPEN);
    if (!p->chr->away)
        on_drained(p);
}

static void on_resized(void *port)
{
    struct vcon_port *p = port;

    if (p->id || !virtio_running(&p->d->v))
        return;
    vcon_ctrl_say(p, VCON_SAY_RESIZE);
    virtio_config_changed(&p->d->v);
}

void vcon_port_attach(struct vcon_port *p)
{
    struct chr *c = p->chr;

    loop_timer_init(&p->stall, p->d->v.loop, on_stall, p);
    if (!c)
        return;
    c->front = p;
    c->room = port_room;
    c->recv = port_recv;
    c->drained = on_drained;
    c->link = on_link;
    c->resized = on_resized;
}

void vcon_port_detach(struct vcon_port *p)
{
    struct chr *c = p->chr;

    loop_timer_stop(&p->stall);
    if (!c)
        return;
    c->room = NULL;
    c->recv = NULL;
    c->drained = c->link = c->resized = NULL;
}

void vcon_port_stop(struct vcon_port *p)
{
    loop_timer_stop(&p->stall);
    p->there = p->ready = p->open = p->lossy = false;
    p->say = 0;
    p->sent = 0;
}
