/* Deficit round robin; see drr.h. */
#include "share/drr.h"
#include <string.h>

void drr_init(struct drr *d, uint64_t quantum)
{
    memset(d, 0, sizeof(*d));
    d->list.next = d->list.prev = &d->list;
    d->quantum = quantum ? quantum : 1;
}

void drr_flow_init(struct drr_flow *f, unsigned weight)
{
    memset(f, 0, sizeof(*f));
    f->weight = weight < 1 ? 1 : weight > DRR_WEIGHT_MAX ? DRR_WEIGHT_MAX : weight;
}

static void link_last(struct drr *d, struct drr_flow *f)
{
    f->prev = d->list.prev;
    f->next = &d->list;
    f->prev->next = f;
    d->list.prev = f;
}

static void flow_unlink(struct drr_flow *f)
{
    f->prev->next = f->next;
    f->next->prev = f->prev;
    f->next = f->prev = NULL;
}

void drr_wake(struct drr *d, struct drr_flow *f, uint64_t cost)
{
    if (drr_is_awake(f))
        return;
    f->cost = cost;
    f->deficit = 0;
    f->in_turn = false;
    link_last(d, f);
    d->awake++;
}

void drr_sleep(struct drr *d, struct drr_flow *f)
{
    if (!drr_is_awake(f))
        return;
    flow_unlink(f);
    f->deficit = 0;
    f->in_turn = false;
    d->awake--;
}

static uint64_t turn(const struct drr *d, const struct drr_flow *f)
{
    return d->quantum * f->weight;
}

/* Nobody can pay for its first in this round: the rounds in which that stays so are left out. */
static void rounds_skip(struct drr *d)
{
    uint64_t least = UINT64_MAX;

    for (struct drr_flow *f = d->list.next; f != &d->list; f = f->next) { /* at most d->awake */
        uint64_t rounds = (f->cost - f->deficit - 1) / turn(d, f); /* before the one that pays */

        least = rounds < least ? rounds : least;
    }
    for (struct drr_flow *f = d->list.next; f != &d->list; f = f->next)
        f->deficit += least * turn(d, f);
}

/* One round: the first that can pay, or NULL. */
static struct drr_flow *round_find(struct drr *d)
{
    for (unsigned i = d->awake; i; i--) {
        struct drr_flow *f = d->list.next;

        if (!f->in_turn) {
            f->deficit += turn(d, f);
            f->in_turn = true;
        }
        if (f->deficit >= f->cost)
            return f;
        f->in_turn = false;
        flow_unlink(f);
        link_last(d, f);
    }
    return NULL;
}

struct drr_flow *drr_next(struct drr *d)
{
    struct drr_flow *f = round_find(d);

    if (f || !d->awake)
        return f;
    rounds_skip(d);
    return round_find(d);
}

/* Bound: who is awake. */
uint64_t drr_others(const struct drr *d, const struct drr_flow *f)
{
    uint64_t sum = 0;

    for (const struct drr_flow *o = d->list.next; o != &d->list; o = o->next)
        sum += o == f ? 0 : o->weight;
    return sum;
}

void drr_spend(struct drr *d, struct drr_flow *f, uint64_t cost, uint64_t next)
{
    f->deficit -= cost < f->deficit ? cost : f->deficit;
    f->cost = next;
    if (!next)
        drr_sleep(d, f);
}
