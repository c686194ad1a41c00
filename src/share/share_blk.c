/*
 * The layer around one disk: share_blk.h says what for, share_disk.c whose turn it is.
 *
 * A request waits in its disk's queue (a flow) until its buckets have let it in, its flow has its
 * turn, and the host disk has room for it. Buckets are asked once a request; a large transfer takes
 * its turns piece by piece while others want the host disk.
 *
 * A drain hands on all that waits, at once: a reset must not take as long as a limit makes it. What
 * it hands on is charged, so that resets are no way around a limit.
 */
#include "core/ledger.h"
#include "share/share_impl.h"

#include <errno.h>
#include <stdlib.h>

static bool moves(const struct blk_req *r)
{
    return r->op == BLK_READ || r->op == BLK_WRITE;
}

/* For a limit in bytes; a write-zeroes may have to be written by the host. */
static uint64_t bytes_of(const struct blk_req *r)
{
    return moves(r) || r->op == BLK_ZEROES ? r->sectors * BLK_SECTOR : 0;
}

static uint64_t cost_of(const struct blk_req *r)
{
    return moves(r) || r->op == BLK_ZEROES ? SHARE_COST + bytes_of(r) : SHARE_COST_CONTROL;
}

/* ---- the queue ---- */

static void queue_add(struct share_blk *s, struct blk_req *req)
{
    req->next = NULL;
    *s->end = req;
    s->end = &req->next;
}

static struct blk_req *queue_take(struct share_blk *s)
{
    struct blk_req *req = s->head;

    s->head = req->next;
    if (!s->head)
        s->end = &s->head;
    s->admitted = s->held = s->begun = s->pieces = false;
    s->cut = 0;
    return req;
}

/* Decided once for each request, when it is the first: its cost says how long its turn is. */
static void head_begin(struct share_blk *s)
{
    if (s->begun)
        return;
    s->begun = true;
    s->pieces = s->disk && s->disk->crowded && moves(s->head) &&
                s->head->sectors * BLK_SECTOR > SHARE_PIECE;
}

static uint64_t piece_len(const struct share_blk *s)
{
    uint64_t rest = s->head->sectors * BLK_SECTOR - s->cut;

    return rest < SHARE_PIECE ? rest : SHARE_PIECE;
}

uint64_t share_next_cost(struct share_blk *s)
{
    if (!s->head)
        return 0;
    head_begin(s);
    return s->pieces ? SHARE_COST + piece_len(s) : cost_of(s->head);
}

/* ---- the buckets ---- */

static void limited(struct share_blk *s, uint64_t when)
{
    if (!s->held) {
        ledger_add(s->limited, s->head->op != BLK_READ, bytes_of(s->head));
        s->held_at = loop_now(s->blk.loop);
    }
    s->held = true;
    loop_timer_set(&s->timer, when);
}

/* The row's ns: how long this disk stood still because of its limits. */
static void admitted(struct share_blk *s, uint64_t now)
{
    s->admitted = true;
    if (!s->held)
        return;
    s->limited->ns += now - s->held_at;
    s->limited->samples++;
}

/* True: head may go, and is paid for. False: the timer is set. */
static bool admit(struct share_blk *s)
{
    uint64_t now, when, other;

    if (s->admitted || !(s->iops.rate || s->bps.rate))
        return true;
    now = loop_now(s->blk.loop);
    when = bucket_when(&s->iops, now, 1);
    other = bucket_when(&s->bps, now, bytes_of(s->head));
    when = when > other ? when : other;
    if (when > now) {
        limited(s, when);
        return false;
    }
    bucket_take(&s->iops, now, 1);
    bucket_take(&s->bps, now, bytes_of(s->head));
    admitted(s, now);
    return true;
}

static void charge(struct share_blk *s)
{
    uint64_t now = loop_now(s->blk.loop);

    if (s->admitted)
        return;
    bucket_charge(&s->iops, now, 1);
    bucket_charge(&s->bps, now, bytes_of(s->head));
    admitted(s, now);
}

bool share_ready(struct share_blk *s)
{
    if (!admit(s))
        return false;
    head_begin(s);
    return !s->pieces || s->spare;
}

/* ---- handing on ---- */

/* The bytes [at, at + len) of from, whose lengths add up: at most as many pieces as from has. */
static int iov_cut(const struct blk_req *from, uint64_t at, uint64_t len, struct iovec *to)
{
    int n = 0;

    for (int i = 0; i < from->iovs && len; i++) {
        const struct iovec *v = &from->iov[i];
        uint64_t part;

        if (at >= v->iov_len) {
            at -= v->iov_len;
            continue;
        }
        part = v->iov_len - at < len ? v->iov_len - at : len;
        to[n++] = (struct iovec){(uint8_t *)v->iov_base + at, part};
        len -= part;
        at = 0;
    }
    return n;
}

/* A whole's fields that are private to backends: moved is what went in pieces, tries how many of
 * them are in flight. */
static void piece_done(struct blk_req *req, int err)
{
    struct share_piece *p = container_of(req, struct share_piece, req);
    struct blk_req *whole = req->owner;
    struct share_blk *s = p->flow;

    p->next = s->spare;
    s->spare = p;
    if (err && !whole->err)
        whole->err = err;
    whole->tries--;
    if (!whole->tries && whole->moved == whole->sectors * BLK_SECTOR)
        blk_finish_in(&s->blk, whole, whole->err);
    share_flow_wake(s);
}

static void hand_on(struct share_blk *s, struct blk_req *req)
{
    req->sent = s->disk && s->disk->crowded ? loop_now(s->blk.loop) : 0;
    s->sending = req;
    s->inner->ops->submit(s->inner, req);
    s->sending = NULL;
}

static void piece_send(struct share_blk *s)
{
    struct blk_req *whole = s->head;
    struct share_piece *p = s->spare;
    uint64_t len = piece_len(s);

    s->spare = p->next;
    p->req = (struct blk_req){.op = whole->op,
                              .sector = whole->sector + s->cut / BLK_SECTOR,
                              .sectors = len / BLK_SECTOR,
                              .iov = p->iov,
                              .iovs = iov_cut(whole, s->cut, len, p->iov),
                              .done = piece_done,
                              .owner = whole,
                              .blk = &s->blk};
    s->cut += len;
    whole->moved = s->cut;
    whole->tries++;
    if (s->cut == whole->sectors * BLK_SECTOR)
        queue_take(s);
    s->blk.in_flight++;
    hand_on(s, &p->req);
}

void share_send(struct share_blk *s)
{
    if (s->disk)
        share_disk_sent(s, share_next_cost(s));
    if (s->pieces)
        piece_send(s);
    else
        hand_on(s, queue_take(s));
}

static void pump(struct share_blk *s)
{
    if (s->disk) {
        share_flow_wake(s);
        return;
    }
    while (s->head && admit(s)) /* what waits: as much as the front end's rings hold */
        share_send(s);
}

static void share_submit(struct blk *b, struct blk_req *req)
{
    struct share_blk *s = container_of(b, struct share_blk, blk);

    queue_add(s, req);
    if (s->disk)
        share_disk_asked(s->disk, s);
    if (s->head == req)
        pump(s);
}

static void share_ended(struct blk *b, struct blk_req *req)
{
    struct share_blk *s = container_of(b, struct share_blk, blk);
    uint64_t now;

    if (!s->disk)
        return;
    /* One that ended while it was handed on came from memory. */
    if (req->op == BLK_READ && req->sectors <= SHARE_SMALL && req->sent && req != s->sending) {
        now = loop_now(b->loop);
        share_disk_took(s->disk, now - req->sent, now);
    }
    share_disk_ended(s, cost_of(req));
}

static void on_timer(void *arg)
{
    pump(arg);
}

/* ---- drain and life ---- */

static void pieces_deliver(struct share_blk *s)
{
    struct blk_req *r = s->blk.finished;

    while (r) /* what is delivered here adds no pieces */
        if (r->done == piece_done) {
            blk_deliver(&s->blk, r);
            r = s->blk.finished;
        } else {
            r = r->next;
        }
}

static void share_drain(struct blk *b)
{
    struct share_blk *s = container_of(b, struct share_blk, blk);

    s->draining = true;
    do {
        while (s->head && (!s->pieces || s->spare)) {
            charge(s);
            share_send(s);
        }
        s->inner->ops->drain(s->inner);
        pieces_deliver(s);
    } while (s->head && s->spare); /* more than there are pieces for: again */
    s->draining = false;
    loop_timer_stop(&s->timer);
    if (s->disk)
        share_flow_sleep(s);
}

static void share_close(struct blk *b)
{
    struct share_blk *s = container_of(b, struct share_blk, blk);

    if (s->disk)
        share_disk_forget(s->disk, s);
    loop_timer_stop(&s->timer);
    loop_work_cancel(b->loop, &b->deliver);
    blk_close(s->inner);
    free(s);
}

static const struct blk_ops share_ops = {"shared", share_submit, share_drain, share_close};

/* units a second for so long; 0: none */
static uint64_t burst_of(uint64_t rate, const struct share_limits *l)
{
    uint64_t ns = l->burst_ns ? l->burst_ns : SHARE_BURST_NS;
    unsigned __int128 burst = (unsigned __int128)rate * ns / 1000000000u;

    return burst > BUCKET_BURST_MAX ? BUCKET_BURST_MAX : burst ? (uint64_t)burst : 1;
}

static void flow_init(struct share_blk *s, const struct share_limits *l)
{
    uint64_t now = loop_now(s->inner->loop);

    s->end = &s->head;
    bucket_init(&s->iops, l->iops, burst_of(l->iops, l), now);
    bucket_init(&s->bps, l->bps, burst_of(l->bps, l), now);
    drr_flow_init(&s->turn, l->weight ? l->weight : 1);
    loop_timer_init(&s->timer, s->inner->loop, on_timer, s);
    for (unsigned i = 0; i < SHARE_PIECES; i++) {
        s->piece[i].flow = s;
        s->piece[i].next = s->spare;
        s->spare = &s->piece[i];
    }
}

int share_blk_open(struct blk **out, struct blk *inner, struct share_disk *disk,
                   const struct share_limits *l, struct ledger *ledger)
{
    struct share_blk *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->inner = inner;
    s->disk = disk;
    s->limited = ledger_row(ledger, LEDGER_WAY, inner->name, "limited");
    if (!s->limited || blk_layer_init(&s->blk, &share_ops, inner, ledger)) {
        free(s);
        return -ENOMEM;
    }
    s->blk.ended = share_ended;
    flow_init(s, l);
    *out = &s->blk;
    return 0;
}
