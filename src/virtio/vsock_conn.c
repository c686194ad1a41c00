/*
 * Connections of virtio-vsock. VIRTIO 1.2, 5.10.6.
 *
 * From the guest: data goes from its buffer to the host's socket at once. What the socket does not
 * take is kept, up to the room that was announced (buf_alloc); fwd_cnt is what the socket took. A
 * guest that sends more than it was allowed has lied, and its connection is reset.
 *
 * To the guest: the host's socket is read into the guest's buffers, as far as the guest's credit
 * goes; what there is no credit or no buffer for stays in the socket, so its writer waits. A
 * connection with something for the guest stands in a queue, and each turn is one packet or one
 * batch, so that none starves.
 *
 * The end: SHUTDOWN says that one direction is over, RST that both are. When the guest has closed,
 * it gets its RST at once and is done; what is kept still goes to the host (VSOCK_DEAD, with an
 * end). When the host has closed, its socket goes at once, and the connection waits for the guest.
 */
#include "core/ledger.h"
#include "virtio/vsock_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- which there are ---- */

static struct vsock_conn **slot(struct vsock *d, uint32_t host, uint32_t guest)
{
    return &d->hash[(host ^ host >> 8 ^ guest ^ guest >> 8) % VSOCK_HASH];
}

/* Bound: VSOCK_CONNS. */
struct vsock_conn *vsock_find(struct vsock *d, uint64_t cid, uint32_t host, uint32_t guest)
{
    struct vsock_conn *c = *slot(d, host, guest);

    while (c && (c->cid != cid || c->host_port != host || c->guest_port != guest))
        c = c->chain;
    return c;
}

struct vsock_conn *vsock_conn_new(struct vsock *d, uint64_t cid, uint32_t host, uint32_t guest)
{
    struct vsock_conn *c = d->conns < VSOCK_CONNS ? calloc(1, sizeof(*c)) : NULL;
    struct vsock_conn **at = slot(d, host, guest);

    if (!c)
        return NULL;
    *c = (struct vsock_conn){.d = d,
                             .chain = *at,
                             .cid = cid,
                             .host_port = host,
                             .guest_port = guest,
                             .burst = 1,
                             .room = d->conns < VSOCK_ROOM_CONNS ? VSOCK_ROOM : VSOCK_ROOM_LATE};
    *at = c;
    d->conns++;
    return c;
}

static void conn_free(struct vsock_conn *c)
{
    struct vsock *d = c->d;
    struct vsock_conn **at = slot(d, c->host_port, c->guest_port);

    while (*at != c) /* bound: VSOCK_CONNS; it is there */
        at = &(*at)->chain;
    *at = c->chain;
    d->conns--;
    if (d->current == c)
        d->current = NULL;
    vsock_unwant(c);
    free(c->keep);
    free(c);
}

/* ---- the queue ---- */

void vsock_want(struct vsock_conn *c)
{
    struct vsock *d = c->d;

    if (c->queued)
        return;
    c->queued = true;
    c->next = NULL;
    c->prev = d->last;
    if (d->last)
        d->last->next = c;
    else
        d->first = c;
    d->last = c;
}

void vsock_unwant(struct vsock_conn *c)
{
    struct vsock *d = c->d;

    if (!c->queued)
        return;
    c->queued = false;
    *(c->prev ? &c->prev->next : &d->first) = c->next;
    *(c->next ? &c->next->prev : &d->last) = c->prev;
}

/* ---- the host's side ---- */

static bool hears(const struct vsock_conn *c)
{
    return c->phase == VSOCK_OPEN && !c->deaf && !c->ended;
}

/* Not for reading while a read is due anyway, or the guest has no room. */
void vsock_watch(struct vsock_conn *c)
{
    unsigned what = c->kept ? VSK_OUT : 0;

    if (!c->end)
        return;
    if (hears(c) && !c->reading && vsock_credit(c))
        what |= VSK_IN;
    if (what != c->watch)
        c->end->vsk->ops->watch(c->end, what);
    c->watch = what;
}

static void end_close(struct vsock_conn *c)
{
    struct vsk_end *e = c->end;

    c->end = NULL;
    c->kept = 0;
    c->reading = false;
    c->watch = 0;
    if (e)
        e->vsk->ops->close(e);
}

void vsock_settle(struct vsock_conn *c)
{
    if ((c->phase == VSOCK_DEAD && !c->kept) || (c->ended && c->gone))
        end_close(c);
    if (c->phase == VSOCK_DEAD && !c->end && !c->owe)
        conn_free(c);
    else
        vsock_watch(c);
}

void vsock_over(struct vsock_conn *c, bool kept)
{
    c->phase = VSOCK_DEAD;
    c->owe = 0;
    c->reading = false;
    vsock_unwant(c);
    if (!kept)
        end_close(c);
}

void vsock_rst(struct vsock_conn *c)
{
    vsock_over(c, false);
    vsock_owe(c, OP_RST);
}

void vsock_close_all(struct vsock *d)
{
    for (unsigned i = 0; i < VSOCK_HASH; i++)
        while (d->hash[i]) { /* bound: VSOCK_CONNS altogether */
            end_close(d->hash[i]);
            conn_free(d->hash[i]);
        }
    d->strays = 0;
    d->tx_stopped = false;
}

/* ---- from the guest ---- */

static int keep(struct vsock_conn *c, const struct iovec *iov, int n, size_t skip)
{
    if (!c->keep)
        c->keep = malloc(c->room);
    if (!c->keep)
        return -ENOMEM;
    for (int i = 0; i < n; i++) {
        const uint8_t *p = iov[i].iov_base;
        size_t len = iov[i].iov_len;

        for (size_t k; skip < len; skip += k) { /* at most twice: the ring wraps once */
            uint32_t at = (c->keep_at + c->kept) % c->room;

            k = len - skip < c->room - at ? len - skip : c->room - at;
            memcpy(c->keep + at, p + skip, k);
            c->kept += (uint32_t)k;
            ledger_add(c->d->kept, true, k);
            ledger_copy(c->d->kept, 2 * k); /* and to the socket, later */
        }
        skip -= len;
    }
    return 0;
}

/* The guest waits when it thinks that we have no room: it hears of room in good time. */
static void took(struct vsock_conn *c, uint32_t n)
{
    c->fwd += n;
    if (c->phase == VSOCK_OPEN && !c->mute && c->fwd - c->told >= c->room / 2)
        vsock_owe(c, OP_CREDIT_UPDATE);
}

/* len bytes that there is room for. 0, or -errno: the host's side is broken. */
int vsock_write(struct vsock_conn *c, const struct iovec *iov, int n, uint32_t len)
{
    ssize_t put = 0;
    int err = 0;

    if (!c->end)
        return -EPIPE;
    if (!c->kept)
        put = c->end->vsk->ops->write(c->end, iov, n);
    if (put == -EAGAIN)
        put = 0;
    if (put < 0)
        return (int)put;
    ledger_copy(c->d->data, (uint64_t)put);
    took(c, (uint32_t)put);
    if ((uint32_t)put < len)
        err = keep(c, iov, n, (size_t)put);
    vsock_watch(c);
    return err;
}

void vsock_flush(struct vsock_conn *c)
{
    while (c->kept && c->end) { /* bound: two rounds, the ring wraps once */
        uint32_t run = c->room - c->keep_at < c->kept ? c->room - c->keep_at : c->kept;
        struct iovec iov = {c->keep + c->keep_at, run};
        ssize_t put = c->end->vsk->ops->write(c->end, &iov, 1);

        if (put == -EAGAIN || !put)
            break;
        if (put < 0) {
            if (c->phase == VSOCK_DEAD)
                end_close(c);
            else
                vsock_rst(c);
            return;
        }
        c->keep_at = (c->keep_at + (uint32_t)put) % c->room;
        c->kept -= (uint32_t)put;
        took(c, (uint32_t)put);
    }
    if (!c->kept && c->mute && c->end && c->phase == VSOCK_OPEN)
        c->end->vsk->ops->shut(c->end);
}

/* ---- what the backend calls ---- */

bool vsock_incoming(void *dev, struct vsk_end *e, uint32_t port)
{
    struct vsock *d = dev;
    struct vsock_conn *c;

    if (!virtio_running(&d->v))
        return false;
    do /* bound: VSOCK_CONNS + 1 ports in a row can't all be taken */
        d->next_port = d->next_port < VSOCK_PORT_FIRST ? VSOCK_PORT_FIRST : d->next_port + 1;
    while (d->next_port < VSOCK_PORT_FIRST || vsock_find(d, VSK_CID_HOST, d->next_port, port));
    c = vsock_conn_new(d, VSK_CID_HOST, d->next_port, port);
    if (!c) {
        ledger_refuse(d->control);
        return false;
    }
    c->phase = VSOCK_ASKED;
    c->end = e;
    e->conn = c;
    vsock_owe(c, OP_REQUEST);
    vsock_serve(d);
    return true;
}
