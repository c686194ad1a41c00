/* The address table of a learning switch; see l2.h. */
#include "share/l2.h"
#include <string.h>

void l2_init(struct l2 *t, uint64_t seed, uint64_t age_ns)
{
    memset(t, 0, sizeof(*t));
    t->seed = seed | 1; /* odd, so that multiplication loses nothing */
    t->age = age_ns;
}

static bool is_old(const struct l2 *t, const struct l2_entry *e, uint64_t now)
{
    return now - e->seen > t->age && now > e->seen;
}

static struct l2_entry *set_of(const struct l2 *t, uint64_t mac)
{
    uint64_t hash = mac * t->seed;

    hash ^= hash >> 29;
    hash *= t->seed;
    return (struct l2_entry *)(uintptr_t)t->set[(hash >> 40) & (L2_SETS - 1)];
}

static struct l2_entry *entry_find(const struct l2 *t, uint64_t mac)
{
    struct l2_entry *e = set_of(t, mac);

    for (unsigned i = 0; i < L2_WAYS; i++)
        if (e[i].mac == mac)
            return &e[i];
    return NULL;
}

static void entry_free(struct l2 *t, struct l2_entry *e)
{
    if (e->mac)
        t->count[e->port]--;
    e->mac = 0;
}

/* A free or old place; else the longest silent of the port's own; else of all. */
static struct l2_entry *place_find(struct l2 *t, uint64_t mac, unsigned port, uint64_t now)
{
    struct l2_entry *e = set_of(t, mac), *own = NULL, *any = e;

    for (unsigned i = 0; i < L2_WAYS; i++) {
        if (!e[i].mac || is_old(t, &e[i], now))
            return &e[i];
        if (e[i].port == port && (!own || e[i].seen < own->seen))
            own = &e[i];
        if (e[i].seen < any->seen)
            any = &e[i];
    }
    return own ? own : any;
}

enum l2_learnt l2_learn(struct l2 *t, uint64_t mac, unsigned port, unsigned quota, uint64_t now)
{
    struct l2_entry *e = entry_find(t, mac);

    if (e && e->port != port && !is_old(t, e, now))
        return L2_FOREIGN;
    if (e && e->port == port) {
        e->seen = now;
        return L2_KNOWN;
    }
    if (t->count[port] >= quota)
        return L2_MANY;
    if (!e)
        e = place_find(t, mac, port, now);
    entry_free(t, e);
    *e = (struct l2_entry){mac, now, port};
    t->count[port]++;
    return L2_NEW;
}

void l2_drop(struct l2 *t, uint64_t mac)
{
    for (unsigned s = 0; s < L2_SETS; s++)
        for (unsigned i = 0; i < L2_WAYS; i++)
            if (t->set[s][i].mac << 16 == mac << 16)
                entry_free(t, &t->set[s][i]);
}

int l2_find(const struct l2 *t, uint64_t mac, uint64_t now)
{
    const struct l2_entry *e = entry_find(t, mac);

    return e && !is_old(t, e, now) ? (int)e->port : -1;
}

static void sweep(struct l2 *t, uint64_t now, int port)
{
    for (unsigned s = 0; s < L2_SETS; s++)
        for (unsigned i = 0; i < L2_WAYS; i++) {
            struct l2_entry *e = &t->set[s][i];

            if (e->mac && (port < 0 ? is_old(t, e, now) : e->port == (unsigned)port))
                entry_free(t, e);
        }
}

void l2_forget(struct l2 *t, unsigned port)
{
    sweep(t, 0, (int)port);
}

void l2_age(struct l2 *t, uint64_t now)
{
    sweep(t, now, -1);
}
