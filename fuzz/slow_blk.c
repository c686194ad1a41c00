/*
 * A backend for fuzzing: a RAM disk whose requests wait until slow_blk_finish or a drain. It also
 * holds the front ends to the contract of back/blk.h: iovecs that add up, requests in range.
 */
#include "slow_blk.h"
#include "input.h"
#include <errno.h>
#include <stdlib.h>

struct slow {
    struct blk blk;
    struct blk_req *list;
    uint8_t *data;
};

static struct slow *slow_of(struct blk *b)
{
    return container_of(b, struct slow, blk);
}

static void slow_submit(struct blk *b, struct blk_req *req)
{
    struct slow *s = slow_of(b);

    req->next = s->list;
    s->list = req;
}

static void move(struct slow *s, struct blk_req *req)
{
    uint8_t *at = s->data + req->sector * BLK_SECTOR;
    uint64_t left = req->sectors * BLK_SECTOR;

    for (int i = 0; i < req->iovs; i++) {
        const struct iovec *v = &req->iov[i];

        PROMISE(v->iov_len <= left);
        if (req->op == BLK_READ)
            memcpy(v->iov_base, at, v->iov_len);
        else
            memcpy(at, v->iov_base, v->iov_len);
        at += v->iov_len;
        left -= v->iov_len;
    }
    PROMISE(!left);
}

static void end(struct slow *s, struct blk_req **link, int err)
{
    struct blk_req *req = *link;

    *link = req->next;
    if (!err && (req->op == BLK_READ || req->op == BLK_WRITE))
        move(s, req);
    else if (!err && req->op != BLK_FLUSH)
        memset(s->data + req->sector * BLK_SECTOR, 0, req->sectors * BLK_SECTOR);
    blk_finish(req, err);
}

static void slow_drain(struct blk *b)
{
    struct slow *s = slow_of(b);

    while (s->list)
        end(s, &s->list, 0);
}

static void slow_close(struct blk *b)
{
    struct slow *s = slow_of(b);

    free(s->data);
    free(s);
}

void slow_blk_finish(struct blk *b, unsigned n, int err)
{
    struct slow *s = slow_of(b);
    struct blk_req **link = &s->list;

    while (*link && n--)
        link = &(*link)->next;
    if (*link)
        end(s, link, err);
}

struct blk *slow_blk_open(uint64_t sectors, const char *name, struct loop *loop,
                          struct ledger *ledger)
{
    static const struct blk_ops ops = {"slow", slow_submit, slow_drain, slow_close};
    struct slow *s = calloc(1, sizeof(*s));

    PROMISE(s && !blk_init(&s->blk, name, loop, ledger));
    s->data = calloc(sectors, BLK_SECTOR);
    s->blk.ops = &ops;
    s->blk.sectors = sectors;
    s->blk.can_discard = s->blk.can_zeroes = s->blk.volatile_cache = true;
    return &s->blk;
}
