/*
 * Deficit round robin (M. Shreedhar and G. Varghese, "Efficient Fair Queuing using Deficit Round
 * Robin", SIGCOMM 1995): flows that have something to send take turns; at each turn a flow may send
 * quantum x weight units more, and what it does not spend it keeps while it has something to send.
 * Queues are the owner's; here are only whose turn it is and what the first of each queue costs.
 * There is no clock inside.
 *
 *     drr_wake(d, f, cost)            a queue that was empty has something, the first costs so much
 *     f = drr_next(d)                 whose first goes now; NULL: nobody has anything
 *     drr_spend(d, f, cost, next)     it went; next: what the one behind it costs, 0: none
 *     drr_sleep(d, f)                 what it has is gone, or must not go now
 */
#ifndef SHARE_DRR_H
#define SHARE_DRR_H

#include "core/types.h"

#define DRR_WEIGHT_MAX 1000u

struct drr_flow {
    struct drr_flow *next, *prev; /* NULL: it sleeps */
    unsigned weight;
    bool in_turn;
    uint64_t cost;    /* of the first of its queue */
    uint64_t deficit; /* what it may still spend */
};

struct drr {
    struct drr_flow list; /* list.next: whose turn it is */
    uint64_t quantum;     /* units a turn for weight 1 */
    unsigned awake;
};

/* quantum: about as much as one thing costs; shares are exact with any, turns are longer. */
void drr_init(struct drr *d, uint64_t quantum);
void drr_flow_init(struct drr_flow *f, unsigned weight); /* 1 to DRR_WEIGHT_MAX; it sleeps */
void drr_wake(struct drr *d, struct drr_flow *f,
              uint64_t cost);                      /* awake already: nothing happens */
void drr_sleep(struct drr *d, struct drr_flow *f); /* its deficit is forfeit */
struct drr_flow *drr_next(struct drr *d);          /* the same one until drr_spend or drr_sleep */
uint64_t drr_others(const struct drr *d,
                    const struct drr_flow *f); /* their weights; who is awake */
void drr_spend(struct drr *d, struct drr_flow *f, uint64_t cost, uint64_t next);

static inline bool drr_is_awake(const struct drr_flow *f)
{
    return f->next;
}

#endif
