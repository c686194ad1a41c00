/*
 * What all block backends share: the checks a request passes before a backend sees it, the counts,
 * and the delivery of results. A finished request waits on the blk's list until deferred work calls
 * its done, so that a front end is never called back from inside its own submit.
 */
#include "back/blk.h"
#include "core/error.h"
#include "core/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const op_name[BLK_OPS] = {"read", "write", "flush", "discard", "zeroes"};

static void take_finished(struct blk *b, struct blk_req **link)
{
    struct blk_req *req = *link;

    *link = req->next;
    if (!req->next)
        b->finished_end = link;
    b->in_flight--;
}

static void time_take(struct blk *b, const struct blk_req *req, uint64_t now)
{
    if (req->since && (unsigned)req->op < BLK_OPS) /* done may have submitted since now */
        times_add(&b->times[req->op], now + 1 > req->since ? now + 1 - req->since : 0);
}

static void deliver_one(struct blk *b, uint64_t now)
{
    struct blk_req *req = b->finished;

    take_finished(b, &b->finished);
    time_take(b, req, now);
    if (b->tap)
        b->tap->done(b, req);
    else
        req->done(req, req->err);
}

void blk_deliver(struct blk *b, struct blk_req *req)
{
    struct blk_req **link = &b->finished;

    while (*link && *link != req)
        link = &(*link)->next;
    if (!*link)
        return;
    take_finished(b, link);
    time_take(b, req, loop_now(b->loop));
    req->done(req, req->err);
}

/* Only what had finished when this began: done may submit more, and a fast backend finishes that at
 * once; the loop gets its turn in between. */
static void deliver(void *arg)
{
    struct blk *b = arg;
    uint64_t now = loop_now(b->loop);
    unsigned n = 0;

    for (const struct blk_req *r = b->finished; r; r = r->next)
        n++;
    while (n-- && b->finished) /* done may have drained */
        deliver_one(b, now);
    if (b->finished)
        loop_defer(b->loop, &b->deliver);
}

int blk_init(struct blk *b, const char *name, struct loop *loop, struct ledger *ledger)
{
    b->loop = loop;
    b->finished_end = &b->finished;
    b->deliver.run = deliver;
    b->deliver.arg = b;
    snprintf(b->name, sizeof(b->name), "%s", name ? name : "disk");
    for (unsigned i = 0; i < BLK_OPS; i++) {
        b->row[i] = ledger_row(ledger, LEDGER_BLK, b->name, op_name[i]);
        if (!b->row[i])
            return -ENOMEM;
    }
    return 0;
}

int blk_layer_init(struct blk *b, const struct blk_ops *ops, struct blk *inner,
                   struct ledger *ledger)
{
    *b = *inner;
    b->ops = ops;
    b->inner = inner;
    b->ended = NULL;
    b->finished = NULL;
    b->tap = NULL;
    return blk_init(b, inner->name, inner->loop, ledger);
}

static int iov_check(const struct blk_req *req)
{
    uint64_t left = req->sectors * BLK_SECTOR;

    if (!req->sectors || req->iovs < 1 || req->iovs > BLK_SEGS_MAX)
        return -EINVAL;
    for (int i = 0; i < req->iovs; i++) {
        if (req->iov[i].iov_len > left)
            return -EINVAL;
        left -= req->iov[i].iov_len;
    }
    return left ? -EINVAL : 0;
}

static int judge(const struct blk *b, const struct blk_req *req)
{
    if ((unsigned)req->op >= BLK_OPS)
        return -EOPNOTSUPP;
    if (req->op == BLK_FLUSH)
        return 0;
    if (!range_in(req->sector, req->sectors, 0, b->sectors))
        return -EINVAL;
    if (req->op != BLK_READ && b->readonly)
        return -EROFS;
    if (req->op == BLK_DISCARD)
        return b->can_discard ? 0 : -EOPNOTSUPP;
    if (req->op == BLK_ZEROES)
        return b->can_zeroes ? 0 : -EOPNOTSUPP;
    return iov_check(req);
}

/* Without a word to layers: for those that no layer has seen. */
static void finish(struct blk *b, struct blk_req *req, int err)
{
    req->err = err;
    req->next = NULL;
    if (err && (unsigned)req->op < BLK_OPS)
        ledger_refuse(b->row[req->op]);
    *b->finished_end = req;
    b->finished_end = &req->next;
    loop_defer(b->loop, &b->deliver);
}

void blk_submit(struct blk *b, struct blk_req *req)
{
    int err = judge(b, req);

    req->blk = b;
    req->err = 0;
    req->moved = 0;
    req->tries = 0;
    req->next = NULL;
    req->since = loop_now(b->loop) + 1; /* 0 is for those that come another way */
    b->in_flight++;
    if ((unsigned)req->op < BLK_OPS) {
        bool moves = !err && (req->op == BLK_READ || req->op == BLK_WRITE);
        uint64_t bytes = moves ? req->sectors * BLK_SECTOR : 0;

        ledger_add(b->row[req->op], req->op != BLK_READ, bytes);
        ledger_copy(b->row[req->op], bytes); /* image or its cached page to memory, or back */
    }
    if (b->tap)
        b->tap->submitted(b, req, err);
    if (err)
        finish(b, req, err);
    else
        b->ops->submit(b, req);
}

/* From the innermost layer, but not as deep as stop. Layers are stacked three deep at most. */
static void layers_tell(struct blk *b, const struct blk *stop, struct blk_req *req)
{
    if (b == stop)
        return;
    if (b->inner)
        layers_tell(b->inner, stop, req);
    if (b->ended)
        b->ended(b, req);
}

void blk_finish(struct blk_req *req, int err)
{
    layers_tell(req->blk, NULL, req);
    finish(req->blk, req, err);
}

void blk_finish_in(struct blk *layer, struct blk_req *req, int err)
{
    layers_tell(req->blk, layer, req);
    finish(req->blk, req, err);
}

void blk_drain(struct blk *b)
{
    /* Ends: a front end that drains starts no new work of its own. */
    while (b->in_flight) {
        b->ops->drain(b);
        if (!b->finished)
            break; /* the backend lost one: better a missing done than a hang */
        while (b->finished)
            deliver_one(b, loop_now(b->loop));
    }
    loop_work_cancel(b->loop, &b->deliver);
}

void blk_close(struct blk *b)
{
    if (!b)
        return;
    blk_drain(b);
    b->ops->close(b);
}

/* "64M" → bytes; 0 when it is no size. */
static uint64_t size_parse(const char *s)
{
    uint64_t v = 0, unit = 1;

    if (*s < '0' || *s > '9')
        return 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (v > (UINT64_MAX - 9) / 10)
            return 0;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    switch (*s) {
    case 'T': unit <<= 10; /* fall through */
    case 'G': unit <<= 10; /* fall through */
    case 'M': unit <<= 10; /* fall through */
    case 'K':
        unit <<= 10;
        s++;
        break;
    default: break;
    }
    if (*s || v > INT64_MAX / unit)
        return 0;
    return v * unit;
}

static int mem_open(struct blk **out, const struct blk_open_opts *o, struct loop *loop,
                    struct ledger *ledger, struct error *err)
{
    uint64_t bytes = size_parse(o->path + 4);
    int rc;

    if (!bytes)
        return error_set(err, -EINVAL, "--disk %s: not a size; write it as mem:64M", o->path);
    if (o->extent)
        return error_set(err, -EINVAL, "--disk %s,extent=%s: a RAM disk has no extents", o->path,
                         o->extent);
    if (o->direct)
        return error_set(err, -EINVAL, "--disk %s,direct: a RAM disk is in no page cache", o->path);
    rc = blk_mem_open(out, bytes, o->name, loop, ledger, err);
    if (!rc)
        (*out)->readonly = o->readonly;
    return rc;
}

int blk_open(struct blk **out, const struct blk_open_opts *o, struct loop *loop,
             struct ledger *ledger, struct error *err)
{
    struct blk *whole;
    uint64_t first, sectors;
    int rc;

    if (!strncmp(o->path, "mem:", 4))
        return mem_open(out, o, loop, ledger, err);
    rc = blk_raw_open(&whole, o, loop, ledger, err);
    if (rc)
        return rc;
    *out = whole;
    if (!o->extent)
        return 0;
    blk_raw_claim(whole, &first, &sectors);
    rc = blk_part_open(out, whole, first, sectors, ledger);
    if (rc) {
        blk_close(whole);
        error_set(err, rc, "--disk %s,extent=%s: %s", o->path, o->extent, strerror(-rc));
    }
    return rc;
}
