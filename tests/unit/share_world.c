/* share_world.h: the host disk and its guests. */
#include "share_world.h"

#include <errno.h>

struct host_blk {
    struct blk blk;
    struct host *host;
};

static uint8_t buffer[BIG];

static void host_serve(struct blk_req *r)
{
    for (int i = 0; r->op == BLK_READ && i < r->iovs; i++)
        memset(r->iov[i].iov_base, (int)(r->sector & 0xff), r->iov[i].iov_len);
    blk_finish(r, r->sector == SECTORS - 1 ? -EIO : 0);
}

static void host_submit(struct blk *b, struct blk_req *req)
{
    struct host *h = container_of(b, struct host_blk, blk)->host;

    if (h->at_once) {
        host_serve(req);
        return;
    }
    req->next = NULL;
    *h->end = req;
    h->end = &req->next;
    if (++h->queued > h->queued_most)
        h->queued_most = h->queued;
}

bool host_one(struct host *h)
{
    struct blk_req *r = h->first;

    if (!r)
        return false;
    h->first = r->next;
    if (!h->first)
        h->end = &h->first;
    h->queued--;
    host_serve(r);
    return true;
}

static void host_drain(struct blk *b)
{
    struct host *h = container_of(b, struct host_blk, blk)->host;

    while (host_one(h))
        ;
}

static void host_close(struct blk *b)
{
    free(container_of(b, struct host_blk, blk));
}

static const struct blk_ops host_ops = {"host", host_submit, host_drain, host_close};

static void guest_send(struct guest *g, unsigned i)
{
    g->iov[i] = (struct iovec){buffer, g->len};
    g->req[i].op = g->op;
    g->req[i].sector = 0;
    g->req[i].sectors = g->len / BLK_SECTOR;
    g->req[i].iov = &g->iov[i];
    g->req[i].iovs = 1;
    blk_submit(g->b, &g->req[i]);
}

void guest_done(struct blk_req *req, int err)
{
    struct guest *g = req->owner;

    g->done++;
    g->bytes += req->sectors * BLK_SECTOR;
    g->err = err;
    if (g->len)
        guest_send(g, (unsigned)(req - g->req));
}

void guest_start(struct guest *g, uint32_t len, unsigned depth)
{
    g->len = len;
    for (unsigned i = 0; i < depth; i++)
        guest_send(g, i);
}

void guest_open(struct world *w, unsigned n, struct share_disk *disk, const struct share_limits *l)
{
    struct host_blk *h = calloc(1, sizeof(*h));
    struct guest *g = &w->guest[n];
    char name[8];

    assert_non_null(h);
    h->host = &w->host;
    h->blk.ops = &host_ops;
    h->blk.sectors = SECTORS;
    h->blk.can_discard = h->blk.can_zeroes = true;
    snprintf(name, sizeof(name), "disk%u", n);
    assert_int_equal(blk_init(&h->blk, name, w->loop, w->ledger), 0);
    assert_int_equal(share_blk_open(&g->b, &h->blk, disk, l, w->ledger), 0);
    g->op = BLK_WRITE;
    for (unsigned i = 0; i < DEEP; i++) {
        g->req[i].owner = g;
        g->req[i].done = guest_done;
    }
}

int share_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->ledger = ledger_open();
    w->loop = loop_open(NULL, true);
    w->host.end = &w->host.first;
    assert_int_equal(share_disk_open(&w->disk, w->loop), 0);
    *state = w;
    return 0;
}

void guests_close(struct world *w)
{
    for (unsigned i = 0; i < DISKS; i++) {
        w->guest[i].len = 0;
        blk_close(w->guest[i].b);
        memset(&w->guest[i], 0, sizeof(w->guest[i]));
    }
}

int share_teardown(void **state)
{
    struct world *w = *state;

    guests_close(w);
    share_disk_close(w->disk);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

void serve(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        host_one(&w->host);
        loop_advance(w->loop, 1000);
    }
}
