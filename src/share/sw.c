/* The switch: ports come and go, bursts begin and end, time passes; see sw.h. */
#include "share/sw.h"
#include "core/error.h"
#include "share/sw_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS         1000000000ull
#define SWEEP_NS   (10 * NS)
#define QUANTUM    1514u /* bytes: a long frame a turn for weight 1 */
#define QUEUE_TIME 20u   /* of a second's bytes: what waits for a slow link, in 1/20 s */
#define QUEUE_LOW  (128u << 10)

static void on_sweep(void *arg)
{
    struct sw *s = arg;

    l2_age(&s->l2, loop_now(s->loop));
    loop_timer_set(&s->sweep, loop_now(s->loop) + SWEEP_NS);
}

int sw_open(struct sw **out, const struct sw_opts *o, struct loop *loop, struct ledger *ledger)
{
    struct sw *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->loop = loop;
    s->ledger = ledger;
    snprintf(s->name, sizeof(s->name), "%s", o->name);
    l2_init(&s->l2, o->seed, o->age_ns);
    loop_timer_init(&s->sweep, loop, on_sweep, s);
    on_sweep(s);
    *out = s;
    return 0;
}

void sw_close(struct sw *s)
{
    if (!s)
        return;
    loop_timer_stop(&s->sweep);
    free(s);
}

const char *sw_name(const struct sw *s)
{
    return s->name;
}

unsigned sw_next(const struct sw *s)
{
    unsigned i = 0;

    while (i < SW_PORTS && s->port[i])
        i++;
    return i;
}

struct loop *sw_loop(const struct sw *s)
{
    return s->loop;
}

struct ledger *sw_ledger(const struct sw *s)
{
    return s->ledger;
}

uint64_t sw_now(struct sw *s)
{
    if (!s->busy)
        s->now = loop_now(s->loop);
    return s->now;
}

/* ---- ports ---- */

static void on_more(void *arg)
{
    struct sw_port *p = arg;

    p->s->now = loop_now(p->s->loop); /* also in the middle of a burst */
    sw_drain(p);
}

static void turn_begin(struct sw_port *p)
{
    p->turn = 0;
    p->turn_frames = 0;
}

static void on_go(void *arg)
{
    struct sw_port *p = arg;

    p->s->now = loop_now(p->s->loop);
    turn_begin(p);
    if (p->plug.go)
        p->plug.go(p->ctx);
}

static void limits_init(struct sw_port *p)
{
    const struct sw_policy *o = &p->policy;
    uint64_t now = loop_now(p->s->loop), wait = o->to_rate / QUEUE_TIME;

    bucket_init(&p->from, o->from_rate, o->burst, now);
    bucket_init(&p->to, o->to_rate, o->burst, now);
    bucket_init(&p->storm, o->storm, o->storm, now);
    wait = wait < QUEUE_LOW ? QUEUE_LOW : wait > SW_QUEUE ? SW_QUEUE : wait;
    p->limit = o->queue ? o->queue : o->to_rate ? wait : SW_QUEUE;
    drr_init(&p->drr, QUANTUM);
}

/* Flows into other ports have its weight; what an earlier port of this number left there stays. */
static void flows_init(struct sw_port *p)
{
    unsigned weight = p->policy.weight ? p->policy.weight : 1;

    for (unsigned i = 0; i < SW_PORTS; i++) {
        struct sw_port *q = p->s->port[i];

        if (q)
            q->flow[p->index].drr.weight = weight;
        drr_flow_init(&p->flow[i].drr, q && q->policy.weight ? q->policy.weight : 1);
    }
}

static bool vlans_wanted(const struct sw *s)
{
    for (unsigned i = 0; i < SW_PORTS; i++)
        if (s->port[i] && sw_policy_has_vlans(&s->port[i]->policy))
            return true;
    return false;
}

static int index_find(const struct sw *s, const struct sw_policy *o, struct error *err)
{
    int free = -1;

    for (int i = SW_PORTS - 1; i >= 0; i--) {
        if (!s->port[i])
            free = i;
        else if (o->has_mac && s->port[i]->pin == l2_mac(o->mac))
            return error_set(err, -EEXIST, "switch %s: two ports have one mac=", s->name);
    }
    return free < 0
               ? error_set(err, -ENOSPC, "switch %s: has %u ports, and no more", s->name, SW_PORTS)
               : free;
}

int sw_port_open(struct sw_port **out, struct sw *s, const struct sw_policy *policy,
                 const struct sw_plug *plug, void *ctx, struct error *err)
{
    int index = index_find(s, policy, err);
    struct sw_port *p = index < 0 ? NULL : calloc(1, sizeof(*p));

    if (index < 0)
        return index;
    if (!p)
        return error_set(err, -ENOMEM, "switch %s: not enough memory", s->name);
    p->s = s;
    p->index = (unsigned)index;
    p->policy = *policy;
    p->plug = *plug;
    p->ctx = ctx;
    if (*policy->name)
        snprintf(p->name, sizeof(p->name), "%s.%s", s->name, policy->name);
    else
        snprintf(p->name, sizeof(p->name), "%s.%d", s->name, index);
    if (sw_rows_open(p)) {
        free(p);
        return error_set(err, -ENOMEM, "switch %s: not enough memory", s->name);
    }
    p->guarded = policy->has_mac || policy->ips;
    p->pin = policy->has_mac ? l2_mac(policy->mac) : 0;
    limits_init(p);
    flows_init(p);
    loop_timer_init(&p->go, s->loop, on_go, p);
    loop_timer_init(&p->more, s->loop, on_more, p);
    s->port[index] = p;
    s->pins += p->pin != 0;
    if (p->pin) /* it may have been somebody's */
        l2_drop(&s->l2, p->pin);
    s->vlans = vlans_wanted(s);
    *out = p;
    return 0;
}

void sw_port_forget(struct sw_port *p)
{
    sw_queue_drop(p);
    p->blocked = false;
    l2_forget(&p->s->l2, p->index);
}

void sw_port_close(struct sw_port *p)
{
    if (!p)
        return;
    sw_port_forget(p);
    loop_timer_stop(&p->go);
    loop_timer_stop(&p->more);
    p->s->port[p->index] = NULL;
    p->s->pins -= p->pin != 0;
    free(p);
}

const char *sw_port_name(const struct sw_port *p)
{
    return p->name;
}

const struct sw_count *sw_port_count(const struct sw_port *p)
{
    return &p->count;
}

/* ---- bursts and turns ---- */

void sw_heard(struct sw_port *p, unsigned frames, size_t len)
{
    uint64_t now = p->s->now;

    if (now >= p->flood_until)
        p->quiet_until = now + SW_FLOOD_NS;
    p->turn += len + frames * SW_TURN_FRAME;
    p->turn_frames += frames;
    if (p->turn >= SW_TURN) {
        p->flood_until = now + SW_FLOOD_NS;
        p->quiet_until = 0;
    }
    bucket_charge(&p->from, now, len);
}

/* Has somebody else said something who says little? Bound: the ports. */
static bool neighbours(const struct sw_port *p)
{
    const struct sw *s = p->s;

    for (unsigned i = 0; i < SW_PORTS; i++)
        if (s->port[i] && s->port[i] != p && s->now < s->port[i]->quiet_until)
            return true;
    return false;
}

static bool turn_over(const struct sw_port *p)
{
    return p->turn >= SW_TURN && (p->turn >= SW_TURN_LONG || neighbours(p));
}

bool sw_port_may(struct sw_port *p)
{
    bool over = turn_over(p);
    uint64_t now = p->from.rate || over ? sw_now(p->s) : 0, when = now;

    if (p->from.rate)
        when = bucket_when(&p->from, now, 1);
    if (when <= now && !over)
        return true;
    if (when > now)
        when = bucket_when(&p->from, now, p->from.burst / 8); /* not a timer a frame */
    else if (p->turn_frames >= SW_REST_FRAMES && neighbours(p))
        when = now + SW_REST_NS;
    if (!p->go.due)
        loop_timer_set(&p->go, when);
    return false;
}

/* What is left of the turn: the frame that goes beyond it is the last, as when all come alone. */
size_t sw_port_quota(const struct sw_port *p)
{
    size_t turn = p->turn < SW_TURN ? SW_TURN : SW_TURN_LONG;

    return p->from.rate || p->turn >= turn ? 1 : turn - p->turn;
}

void sw_port_from_end(struct sw_port *p)
{
    struct sw *s = p->s;

    for (unsigned i = 0; i < SW_PORTS; i++) {
        struct sw_port *q = s->port[i];

        if (!q || !q->touched)
            continue;
        q->touched = false;
        q->plug.end(q->ctx);
    }
    if (!turn_over(p)) /* else it is over until go */
        turn_begin(p);
    s->busy = false;
}

void sw_port_room(struct sw_port *p)
{
    p->blocked = false;
    if (p->drr.awake)
        sw_drain(p);
}
