/*
 * What has to wait for a port: no room at its plug, or its rate. Each port it came from has a queue
 * of its own, and they take turns by bytes and weight. A sender may have as much of what a port
 * keeps as is still free, so there is room for another one, however many flood.
 */
#include "share/sw_impl.h"
#include <stdlib.h>
#include <string.h>

#define DRAIN_MAX 256 /* frames at once: others have their turn */

static bool rate_ok(struct sw_port *q)
{
    return !q->to.rate || bucket_when(&q->to, sw_now(q->s), 1) <= q->s->now;
}

static void timer_set(struct sw_port *q)
{
    if (!q->more.due) /* a few at a time: not a timer a frame */
        loop_timer_set(&q->more, bucket_when(&q->to, sw_now(q->s), q->to.burst / 8));
}

/* ---- in ---- */

static bool has_room(const struct sw_port *q, const struct sw_flow *fl, size_t cost)
{
    return q->kept < q->limit && fl->kept + cost <= q->limit - q->kept;
}

static struct sw_item *item_new(struct sw *s, const struct net_frame *f)
{
    struct sw_item *it = malloc(sizeof(*it) + f->len);
    size_t at = 0;

    if (!it)
        return NULL;
    for (int i = 0; i < f->iovs; i++) {
        memcpy(it->data + at, f->iov[i].iov_base, f->iov[i].iov_len);
        at += f->iov[i].iov_len;
    }
    it->next = NULL;
    it->since = sw_now(s);
    it->cost = sizeof(*it) + f->len;
    it->f = *f;
    it->iov = (struct iovec){it->data, f->len};
    it->f.iov = &it->iov;
    it->f.iovs = 1;
    return it;
}

static bool keep(struct sw_port *q, struct sw_port *from, const struct net_frame *f)
{
    struct sw_flow *fl = &q->flow[from->index];
    bool first = !q->drr.awake;
    struct sw_item *it = has_room(q, fl, sizeof(*it) + f->len) ? item_new(q->s, f) : NULL;

    if (!it) {
        sw_refuse(q, SW_TO, &q->count.dropped);
        return false;
    }
    if (fl->last)
        fl->last->next = it;
    else
        fl->first = it;
    fl->last = it;
    fl->kept += it->cost;
    q->kept += it->cost;
    q->waiting++;
    q->count.queued++;
    drr_wake(&q->drr, &fl->drr, f->len);
    if (first)
        drr_next(&q->drr); /* half of it may be there already: the next turn is its own */
    return true;
}

/* ---- out ---- */

static bool give(struct sw_port *q, const struct net_frame *f)
{
    if (!q->plug.give(q->ctx, f)) {
        q->blocked = true;
        return false;
    }
    q->touched = true;
    bucket_charge(&q->to, sw_now(q->s), f->len);
    return true;
}

void sw_to(struct sw_port *q, struct sw_port *from, const struct net_frame *f)
{
    bool now = !q->blocked && !q->drr.awake && rate_ok(q);

    if (now && give(q, f)) {
        sw_count_to(q, from, f, false);
        return;
    }
    if (!keep(q, from, f) && now && q->plug.drop)
        q->plug.drop(q->ctx);
    if (!q->blocked && q->drr.awake)
        timer_set(q);
}

/* Whom it may have at once gets them so; the rest one by one, as far as there is room. */
void sw_to_all(struct sw_port *q, struct sw_port *from, const struct net_frame *f, unsigned frames)
{
    bool now = q->plug.give_all && !q->blocked && !q->drr.awake && !q->to.rate;
    unsigned done = now ? q->plug.give_all(q->ctx, f, frames) : 0;
    size_t bytes = 0;

    for (unsigned i = 0; i < done; i++)
        bytes += f[i].len;
    if (done) {
        q->touched = true;
        sw_count_all(q, from, done, bytes);
    }
    for (; done < frames; done++)
        sw_to(q, from, &f[done]);
}

static struct sw_item *item_take(struct sw_port *q, struct sw_flow *fl)
{
    struct sw_item *it = fl->first;

    fl->first = it->next;
    if (!fl->first)
        fl->last = NULL;
    fl->kept -= it->cost;
    q->kept -= it->cost;
    q->waiting--;
    return it;
}

/* Its room may come back while it is given something: once is enough. */
void sw_drain(struct sw_port *q)
{
    struct drr_flow *d;

    if (q->draining)
        return;
    q->draining = true;
    for (unsigned i = 0; i < DRAIN_MAX && !q->blocked && rate_ok(q) && (d = drr_next(&q->drr));
         i++) {
        struct sw_flow *fl = container_of(d, struct sw_flow, drr);
        struct sw_item *it = fl->first;

        if (!give(q, &it->f))
            break;
        item_take(q, fl);
        drr_spend(&q->drr, d, it->f.len, fl->first ? fl->first->f.len : 0);
        sw_count_to(q, q->s->port[fl - q->flow], &it->f, true);
        sw_count_waited(q, it);
        free(it);
    }
    q->draining = false;
    if (q->touched && !q->s->busy) { /* else the burst's end does it */
        q->touched = false;
        q->plug.end(q->ctx);
    }
    if (!q->blocked && q->drr.awake)
        timer_set(q);
}

void sw_queue_drop(struct sw_port *q)
{
    for (unsigned i = 0; i < SW_PORTS; i++) {
        struct sw_flow *fl = &q->flow[i];

        while (fl->first)
            free(item_take(q, fl));
        drr_sleep(&q->drr, &fl->drr);
    }
}
