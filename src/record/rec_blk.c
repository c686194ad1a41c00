/*
 * A disk behind a tap. Requests are what the device does, and compared; completions are what comes
 * from outside: when, with what result, and what was read. Making, requests go on to the backend;
 * playing, they wait until the file completes them, in the file's order.
 */
#include "record/rec_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_name[BLK_OPS] = {"read", "write", "flush", "discard", "zeroes"};

static struct rec_blk *wrap_of(struct blk *b)
{
    return container_of(b, struct rec_blk, blk);
}

static unsigned number_of(const struct rec_blk *w)
{
    unsigned n;

    for (n = 0; n < w->dev->blks && w->dev->blk[n] != w; n++)
        ;
    return n;
}

/* ---- what the device asks ---- */

static void add_sum(struct rec_text *t, const struct blk_req *req)
{
    uint32_t crc = 0;
    size_t len = 0;

    for (int i = 0; i < req->iovs; i++) {
        crc = rec_crc(crc, req->iov[i].iov_base, req->iov[i].iov_len);
        len += req->iov[i].iov_len;
    }
    rec_add(t, " ");
    rec_add_crc(t, crc, len);
}

static void on_submitted(struct blk *b, struct blk_req *req, int refused)
{
    struct rec_blk *w = wrap_of(b);
    struct rec_text *t = rec_new(w->dev);

    req->id = w->ids++;
    rec_add(t, "blk %u submit %u %s %llx+%llx", number_of(w), req->id,
            (unsigned)req->op < BLK_OPS ? op_name[req->op] : "?", (unsigned long long)req->sector,
            (unsigned long long)req->sectors);
    if (refused)
        rec_add(t, " refused");
    else if (req->op == BLK_WRITE)
        add_sum(t, req);
    rec_put(w->dev);
}

static void wrap_submit(struct blk *b, struct blk_req *req)
{
    struct rec_blk *w = wrap_of(b);

    if (w->inner) {
        w->inner->ops->submit(w->inner, req); /* req->blk stays this one: it is ours to finish */
        return;
    }
    req->next = w->pending;
    w->pending = req;
}

/* ---- completions ---- */

static bool has_data(const struct blk_req *req)
{
    return req->op == BLK_READ && req->err != -EINVAL;
}

static void add_data(struct rec_text *t, const struct blk_req *req)
{
    for (int i = 0; i < req->iovs; i++) {
        rec_add(t, " ");
        rec_add_data(t, req->iov[i].iov_base, req->iov[i].iov_len);
    }
}

static void on_done(struct blk *b, struct blk_req *req)
{
    struct rec_blk *w = wrap_of(b);
    struct rec_dev *d = w->dev;
    struct rec_text *t;

    if (d->rec->play) { /* left over in a drain: the file did not complete it */
        rec_differ(d->rec, "%s: expected request %u to be completed in the recording", d->name,
                   req->id);
        req->done(req, -EIO);
        return;
    }
    rec_begin(d);
    t = rec_new(d);
    rec_add(t, "blk %u done %u %d", number_of(w), req->id, req->err);
    if (has_data(req))
        add_data(t, req);
    rec_head(d);
    req->done(req, req->err);
    rec_end(d);
}

/* ---- playing ---- */

static struct blk_req *pending_take(struct rec_blk *w, uint64_t id)
{
    struct blk_req **link = &w->pending, *req;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    req = *link;
    if (req)
        *link = req->next;
    return req;
}

/* Refused requests have finished by themselves and wait for their turn. */
static struct blk_req *finished_find(struct rec_blk *w, uint64_t id)
{
    struct blk_req *req = w->blk.finished;

    while (req && req->id != id)
        req = req->next;
    return req;
}

/* The read data of a completion, a word for each piece of memory. */
static bool fill(const struct blk_req *req, const char *words)
{
    for (int i = 0; i < req->iovs; i++) {
        const char *blank = strchr(words, ' ');

        if (!rec_data(words, req->iov[i].iov_base, req->iov[i].iov_len))
            return false;
        words = blank ? blank + 1 : "";
    }
    return !*words;
}

/* "ID ERR [DATA…]" of disk w. The line has been taken. */
static void complete(struct rec_blk *w, const char *rest)
{
    struct rec *r = w->dev->rec;
    bool bad = false;
    struct blk_req *req;
    uint64_t id, err;

    bad = !rec_number(&rest, 10, &id);
    bad = bad || (*rest == '-' ? (rest++, false) : *rest != '0');
    bad = bad || !rec_number(&rest, 10, &err) || err > 4095;
    if (bad) {
        rec_differ(r, "not a completion of a request");
        return;
    }
    req = pending_take(w, id);
    if (!req) {
        req = finished_find(w, id);
        if (!req || req->err != -(int)err)
            rec_differ(r, "%s: expected request %llu to end with -%llu, got no such request",
                       w->dev->name, (unsigned long long)id, (unsigned long long)err);
        else
            blk_deliver(&w->blk, req);
        return;
    }
    req->err = -(int)err;
    if (has_data(req) ? !fill(req, rest) : *rest != 0)
        rec_differ(r, "%s: not the data of request %llu", w->dev->name, (unsigned long long)id);
    blk_finish(req, -(int)err);
    blk_deliver(&w->blk, req);
}

/* "N done …", as an event of its own or inside of one. */
static void play_line(struct rec_dev *d, const char *rest)
{
    uint64_t n;

    if (!rec_number(&rest, 10, &n) || n >= d->blks || strncmp(rest, "done ", 5))
        rec_differ(d->rec, "%s: not a completion of one of its disks", d->name);
    else
        complete(d->blk[n], rest + 5);
}

void rec_blk_play(struct rec_dev *d, const char *rest)
{
    rec_begin(d);
    play_line(d, rest);
    rec_end(d);
}

/* All that is in flight ends now, as the file says; what it leaves out ends all the same. */
static void wrap_drain(struct blk *b)
{
    struct rec_blk *w = wrap_of(b);
    const char *line;

    if (w->inner) {
        w->inner->ops->drain(w->inner);
        return;
    }
    while (!w->dev->rec->closed && (line = rec_peek(w->dev->rec, "blk "))) {
        uint64_t n;
        const char *rest = line + 4;

        if (!rec_number(&rest, 10, &n) || strncmp(rest, "done ", 5))
            break;
        rec_skip(w->dev->rec);
        play_line(w->dev, line + 4);
    }
    while (w->pending)
        blk_finish(pending_take(w, w->pending->id), -EIO);
}

/* ---- life ---- */

static void wrap_close(struct blk *b)
{
    free(wrap_of(b));
}

static const struct blk_ops wrap_ops = {"recorded", wrap_submit, wrap_drain, wrap_close};
static const struct blk_tap wrap_tap = {on_submitted, on_done};

struct blk *rec_blk(struct tap *t, struct blk *blk)
{
    struct rec_dev *d = t ? rec_dev_of(t) : NULL;
    struct rec_blk *w;

    if (!d || !blk)
        return blk;
    w = d->blks < REC_BLKS ? calloc(1, sizeof(*w)) : NULL;
    if (!w) {
        d->rec->short_of = true;
        return blk;
    }
    w->blk = *blk;
    w->blk.ops = &wrap_ops;
    w->blk.tap = &wrap_tap;
    w->blk.finished = NULL;
    w->blk.in_flight = 0;
    w->inner = w->blk.inner = d->rec->play ? NULL : blk;
    w->blk.ended = NULL;
    w->dev = d;
    memset(&w->blk.deliver, 0, sizeof(w->blk.deliver));
    d->blk[d->blks++] = w;
    /* The same name, so the same rows: what passes is not counted again by the backend. */
    if (blk_init(&w->blk, blk->name, blk->loop, d->rec->ledger))
        d->rec->short_of = true;
    return &w->blk;
}

void rec_blk_close(struct rec_blk *w)
{
    blk_close(&w->blk);
}

/* ---- disks of a replayed machine: seen by devices, used by none ---- */

static void none_submit(struct blk *b, struct blk_req *req)
{
    (void)b;
    blk_finish(req, -EIO);
}

static void none_drain(struct blk *b)
{
    (void)b;
}

static void none_close(struct blk *b)
{
    free(b);
}

struct blk *rec_disk(struct rec *r, unsigned n)
{
    static const struct blk_ops ops = {"none", none_submit, none_drain, none_close};
    const struct rec_disk *m = &r->m.disk[n];
    struct blk *b = r->disk[n] ? NULL : calloc(1, sizeof(*b));

    if (!b)
        return r->disk[n];
    b->ops = &ops;
    b->sectors = m->sectors;
    b->readonly = m->readonly;
    b->can_discard = m->discard;
    b->can_zeroes = m->zeroes;
    b->volatile_cache = m->cache;
    if (blk_init(b, m->name, r->player.loop, r->ledger)) {
        free(b);
        return NULL;
    }
    r->disk[n] = b;
    return b;
}
