/*
 * Looking instead of sleeping: loop.h tells for whom. A loop that has just had something to do
 * looks around for a while before it sleeps, since a sleep, a wake-up and a look at the descriptors
 * cost more than most of what it is woken for; and whoever would wake it is told not to.
 *
 * For how long is learnt: a look-around that found nothing halves the time of the next, down to
 * none; a sleep that was over sooner than a look-around might have been doubles it. So an idle loop
 * sleeps, and so does one whose work comes seldom. Descriptors get their turn in between.
 */
#include "core/loop_impl.h"

enum { WINDOW_MIN_NS = 4000, TURN_NS = 20000, ROUNDS = 8 };

void loop_poll_add(struct loop *l, struct loop_poll *p)
{
    p->next = l->polls;
    l->polls = p;
}

void loop_poll_drop(struct loop *l, struct loop_poll *p)
{
    for (struct loop_poll **at = &l->polls; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            return;
        }
}

void loop_poll_for(struct loop *l, uint64_t ns)
{
    l->window_max = ns;
}

static bool look(struct loop *l)
{
    bool found = false;

    for (struct loop_poll *p = l->polls, *next; p; p = next) {
        next = p->next; /* who looks may leave */
        found |= p->look(p->arg);
    }
    for (unsigned i = 0; i < ROUNDS && loop_deferred_pending(l); i++) {
        loop_deferred_run(l);
        found = true;
    }
    return found;
}

/* About to sleep: those who would wake us are told to. */
static bool rest(struct loop *l)
{
    bool found = false;

    for (struct loop_poll *p = l->polls; p; p = p->next)
        found |= p->rest(p->arg);
    return found;
}

/* Timers don't wait for the end of a look-around: whose turn was over may go on by one. */
static void timers(struct loop *l, uint64_t now)
{
    uint64_t due = loop_next_due(l);

    if (due && due <= now)
        loop_timers_run(l, now);
}

/* A turn of it. True: not yet to sleep. */
static bool look_around(struct loop *l)
{
    uint64_t begin = loop_now(l), now = begin;

    if (!l->looking) {
        l->looking = true;
        l->look_until = begin + l->window;
        l->found = false;
    }
    while (now < l->look_until && now - begin < TURN_NS) {
        bool found = look(l);

        now = loop_now(l);
        timers(l, now);
        if (found) {
            l->found = true;
            l->look_until = now + l->window;
        } else {
            __builtin_ia32_pause();
        }
    }
    return now < l->look_until;
}

bool loop_look(struct loop *l)
{
    struct loop *outer = loop_collector;
    bool more;

    if (!l->window)
        return false;
    loop_lock(l);
    loop_collector = l;
    more = look_around(l);
    if (!more) {
        if (!l->found)
            l->window = l->window / 2 < WINDOW_MIN_NS ? 0 : l->window / 2;
        l->looking = false;
        more = rest(l);
    }
    loop_collector = outer;
    loop_unlock(l);
    return more;
}

void loop_slept(struct loop *l, uint64_t ns)
{
    uint64_t window = l->window ? l->window * 2 : 2 * WINDOW_MIN_NS;

    if (ns < l->window_max)
        l->window = window < l->window_max ? window : l->window_max;
}
