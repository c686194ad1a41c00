/*
 * A host disk with several disks on it: whose request goes next, and how much of them is there at a
 * time. Turns go by deficit round robin. A disk that is alone has all of it; as soon as two have
 * asked within SHARE_RECENT_NS the host disk is crowded: then a window bounds what is in flight,
 * and a turn of the loop hands on a bounded cost, also when the backend ends requests at once, so
 * that the loop can hear the others.
 *
 * How many requests keep a host disk busy is its own affair: one for a disk with one arm, dozens
 * for others. What is more than that only waits inside of the disk, where nobody's turn counts. So
 * the window is found by time: small reads that take a sixth longer than they do with one in
 * flight say that the disk has a queue, and the window shrinks; while they don't, it grows. How
 * long they take with one in flight is looked at once a second, for a moment; less often on a slow
 * disk, where a moment is long.
 *
 * Who asks for little, one request at a time, does not wait for the window of those who ask for a
 * lot: one of its requests goes past it, as often as its share lasts.
 */
#include "share/share_impl.h"

#include <errno.h>
#include <stdlib.h>

static void look(struct share_disk *d, uint64_t now)
{
    d->crowded = now < d->crowded_until;
}

static bool room(const struct share_disk *d)
{
    if (!d->crowded || !d->requests)
        return d->left || !d->crowded;
    return d->left && d->requests < (d->window.look ? 1 : d->window.room) && d->cost < SHARE_WINDOW;
}

static void serve(struct share_disk *d, struct share_blk *s)
{
    uint64_t cost;

    if (!share_ready(s)) {
        drr_sleep(&d->drr, &s->turn);
        return;
    }
    cost = share_next_cost(s);
    share_send(s);
    drr_spend(&d->drr, &s->turn, cost, share_next_cost(s));
}

/* Bound: each turn of it empties a queue's place, or sends a flow to sleep; and a crowded one ends
 * with what is left of the turn. */
static void pump(struct share_disk *d)
{
    struct drr_flow *f;

    if (d->pumping)
        return; /* a backend that ends requests at once: the loop below goes on */
    d->pumping = true;
    while (room(d) && (f = drr_next(&d->drr)))
        serve(d, container_of(f, struct share_blk, turn));
    d->pumping = false;
    if (!d->left && d->drr.awake)
        loop_defer(d->loop, &d->turn);
}

static void on_turn(void *arg)
{
    struct share_disk *d = arg;

    look(d, loop_now(d->loop));
    d->left = SHARE_TURN;
    pump(d);
}

/* One that has nothing in the host disk, and of whose last the others have had their shares since,
 * goes past a full window: who asks for little waits for nobody. */
static bool early(const struct share_disk *d, struct share_blk *s)
{
    uint64_t others = d->served - s->sent_at;

    return d->crowded && d->left && !s->flying && d->window.look == LOOK_NOT &&
           others >= share_next_cost(s) * drr_others(&d->drr, &s->turn) / s->turn.weight;
}

void share_flow_wake(struct share_blk *s)
{
    struct share_disk *d = s->disk;

    if (!d || s->draining)
        return;
    if (s->head && (!s->pieces || s->spare) && !drr_is_awake(&s->turn)) {
        drr_wake(&d->drr, &s->turn, share_next_cost(s));
        if (early(d, s))
            serve(d, s);
    }
    pump(d);
}

void share_flow_sleep(struct share_blk *s)
{
    drr_sleep(&s->disk->drr, &s->turn);
}

void share_disk_asked(struct share_disk *d, const struct share_blk *s)
{
    uint64_t now = loop_now(d->loop);

    if (d->last && d->last != s && now - d->last_at < SHARE_RECENT_NS)
        d->crowded_until = now + SHARE_RECENT_NS;
    d->last = s;
    d->last_at = now;
    look(d, now);
}

void share_disk_sent(struct share_blk *s, uint64_t cost)
{
    struct share_disk *d = s->disk;

    s->flying++;
    d->requests++;
    d->cost += cost;
    d->served += cost;
    s->sent_at = d->served;
    d->left -= cost < d->left ? cost : d->left;
}

/* What a look found says little, as it is one batch: less is believed sooner than more, for what
 * else happens on the host only makes it longer. */
static void looked(struct share_window *w, uint64_t usual, uint64_t now)
{
    uint64_t took = usual * SHARE_BATCH * SHARE_LOOK; /* one after the other */

    if (!w->least)
        w->least = usual;
    else if (usual < w->least)
        w->least = (w->least + usual) / 2;
    else
        w->least = (7 * w->least + usual) / 8;
    w->look = LOOK_NOT;
    w->look_at = now + (took > SHARE_LOOK_NS ? took : SHARE_LOOK_NS);
}

/* One batch's usual time. A look's first requests are those that were still sent into the old
 * window. */
static void batch(struct share_window *w, uint64_t usual, uint64_t now)
{
    if (w->look == LOOK_TAKE)
        looked(w, usual, now);
    else if (now >= w->look_at)
        w->look = LOOK_EMPTY;
    else if (usual > w->least + w->least / 6 && w->room > 1)
        w->room -= usual > 2 * w->least ? w->room / 2 : (w->room + 7) / 8;
    else if (usual < w->least + w->least / 12 && w->room < SHARE_REQUESTS)
        w->room++;
}

static void sample(struct share_window *w, uint64_t ns)
{
    unsigned at = w->samples++;

    for (; at && w->took[at - 1] > ns; at--)
        w->took[at] = w->took[at - 1];
    w->took[at] = ns;
}

/* The mean of the middle half. */
static uint64_t middle(const struct share_window *w)
{
    uint64_t sum = 0;

    for (unsigned i = SHARE_BATCH / 4; i < SHARE_BATCH - SHARE_BATCH / 4; i++)
        sum += w->took[i];
    return sum / (SHARE_BATCH - SHARE_BATCH / 4 * 2);
}

void share_disk_took(struct share_disk *d, uint64_t ns, uint64_t now)
{
    struct share_window *w = &d->window;

    if (w->look == LOOK_EMPTY) { /* until what went into the old window has left it */
        w->look = d->requests > 1 ? LOOK_EMPTY : LOOK_TAKE;
        return;
    }
    sample(w, ns);
    if (w->samples < SHARE_BATCH)
        return;
    w->samples = 0;
    batch(w, middle(w), now);
}

/* Later: this may be inside of a backend that reaps its results. */
void share_disk_ended(struct share_blk *s, uint64_t cost)
{
    struct share_disk *d = s->disk;

    s->flying--;
    d->requests--;
    d->cost -= cost;
    if (d->drr.awake && !d->pumping)
        loop_defer(d->loop, &d->turn);
}

void share_disk_forget(struct share_disk *d, struct share_blk *s)
{
    drr_sleep(&d->drr, &s->turn);
    if (d->last == s)
        d->last = NULL;
}

int share_disk_open(struct share_disk **out, struct loop *loop)
{
    struct share_disk *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->loop = loop;
    d->left = SHARE_TURN;
    d->window.room = SHARE_REQUESTS;
    d->turn.run = on_turn;
    d->turn.arg = d;
    drr_init(&d->drr, SHARE_QUANTUM);
    *out = d;
    return 0;
}

void share_disk_close(struct share_disk *d)
{
    if (!d)
        return;
    loop_work_cancel(d->loop, &d->turn);
    free(d);
}
