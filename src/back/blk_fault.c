/* Fault injection by swapping one table of functions: requests that match the plan end in its
 * error, held ones stay in flight, the others go to the inner backend as they are. */
#include "back/blk_fault.h"

#include <errno.h>
#include <stdlib.h>

struct blk_fault {
    struct blk blk;
    struct blk *inner;
    struct blk_fault_plan plan;
    struct blk_req *held, **held_end;
};

static bool touches(const struct blk_fault_plan *p, const struct blk_req *req)
{
    if (!p->sectors || req->op == BLK_FLUSH)
        return true;
    return req->sector < p->sector + p->sectors && p->sector < req->sector + req->sectors;
}

static void pass(struct blk_fault *f, struct blk_req *req)
{
    struct blk_fault_plan *p = &f->plan;
    bool match = (p->ops & 1u << req->op) && touches(p, req);

    if (match && p->skip)
        p->skip--;
    else if (match) {
        blk_finish(req, p->err);
        return;
    }
    f->inner->ops->submit(f->inner, req); /* req->blk stays this one: it is ours to finish */
}

static void fault_submit(struct blk *b, struct blk_req *req)
{
    struct blk_fault *f = container_of(b, struct blk_fault, blk);

    if (!f->plan.hold) {
        pass(f, req);
        return;
    }
    req->next = NULL;
    *f->held_end = req;
    f->held_end = &req->next;
}

void blk_fault_release(struct blk *b)
{
    struct blk_fault *f = container_of(b, struct blk_fault, blk);
    struct blk_req *req = f->held, *next;

    f->held = NULL;
    f->held_end = &f->held;
    for (; req; req = next) {
        next = req->next;
        pass(f, req);
    }
}

static void fault_drain(struct blk *b)
{
    struct blk_fault *f = container_of(b, struct blk_fault, blk);

    blk_fault_release(b);
    f->inner->ops->drain(f->inner);
}

static void fault_close(struct blk *b)
{
    struct blk_fault *f = container_of(b, struct blk_fault, blk);

    blk_close(f->inner);
    free(f);
}

static const struct blk_ops fault_ops = {"fault", fault_submit, fault_drain, fault_close};

int blk_fault_open(struct blk **out, struct blk_fault_plan **plan, struct blk *inner,
                   struct ledger *ledger)
{
    struct blk_fault *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->inner = inner;
    f->held_end = &f->held;
    if (blk_layer_init(&f->blk, &fault_ops, inner, ledger)) {
        free(f);
        return -ENOMEM;
    }
    *out = &f->blk;
    *plan = &f->plan;
    return 0;
}
