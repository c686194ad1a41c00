/*
 * --evil: draws and their log, kicks, configuration (VIRTIO 1.2, 2.1.2, 2.3, 2.5.2: what a device
 * must not do). Completions are in vq_evil.c.
 */
#include "virtio/vevil.h"
#include "bus/dev.h"
#include "core/ledger.h"
#include "virtio/vevil_impl.h"
#include "virtio/vwatch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATE = 100, LINES = 1000 };

static const char *const name[VEVIL_KINDS] = {
    [VEVIL_ID] = "id",         [VEVIL_LENGTH] = "length", [VEVIL_TWICE] = "twice",
    [VEVIL_LATE] = "late",     [VEVIL_LOST] = "lost",     [VEVIL_SHORT] = "short",
    [VEVIL_JUMP] = "jump",     [VEVIL_MUTE] = "mute",     [VEVIL_SPURIOUS] = "spurious",
    [VEVIL_CONFIG] = "config", [VEVIL_LIE] = "lie",       [VEVIL_DEAF] = "deaf",
    [VEVIL_RESET] = "reset",
};

const char *vevil_name(unsigned kind)
{
    return kind < VEVIL_KINDS ? name[kind] : NULL;
}

/* ---- draws ---- */

uint64_t vevil_random(struct vevil *e) /* splitmix64: any seed is a good one */
{
    uint64_t z = e->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

enum vevil_kind vevil_draw(struct vevil *e, uint32_t kinds)
{
    uint64_t r =
        vevil_random(e); /* drawn whether or not there is something to do: it is the time */
    uint32_t can = kinds & e->kinds;
    unsigned nth;

    e->chances++;
    if (!can || (r & UINT32_MAX) % e->rate)
        return VEVIL_KINDS;
    nth = (unsigned)(r >> 32) % (unsigned)__builtin_popcount(can);
    while (nth--) /* at most the kinds */
        can &= can - 1;
    return (enum vevil_kind)__builtin_ctz(can);
}

void vevil_tell(struct vevil *e, enum vevil_kind kind, const char *fmt, ...)
{
    char what[120];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    log_peer(&e->log, "evil: %s chance %llu: %s: %s", e->v->name, (unsigned long long)e->chances,
             name[kind], what);
    if (!e->row[kind])
        e->row[kind] = ledger_row(e->ledger, LEDGER_EVIL, e->v->name, name[kind]);
    if (e->row[kind])
        ledger_add(e->row[kind], true, 0);
}

/* ---- kicks, configuration ---- */

static void spurious(struct vevil *e, unsigned queue)
{
    vevil_tell(e, VEVIL_SPURIOUS, "queue %u: an interrupt for nothing", queue);
    e->v->out.queue_irq(e->v->out.transport, queue);
}

bool vevil_kick(struct vevil *e, unsigned queue)
{
    switch (vevil_draw(e, vevil_bit(VEVIL_SPURIOUS) | vevil_bit(VEVIL_CONFIG) |
                              vevil_bit(VEVIL_DEAF) | vevil_bit(VEVIL_RESET))) {
    case VEVIL_SPURIOUS: spurious(e, queue); return false;
    case VEVIL_CONFIG:
        vevil_tell(e, VEVIL_CONFIG, "a change of the configuration is announced");
        virtio_config_changed(e->v);
        return false;
    case VEVIL_DEAF: vevil_tell(e, VEVIL_DEAF, "queue %u: a kick not heard", queue); return true;
    case VEVIL_RESET:
        vevil_tell(e, VEVIL_RESET, "the device asks for a reset");
        virtio_ask_reset(e->v);
        return true;
    default: return false;
    }
}

uint32_t vevil_config(struct vevil *e, uint32_t off, unsigned size, uint32_t val)
{
    uint32_t lie;

    if (vevil_draw(e, vevil_bit(VEVIL_LIE)) != VEVIL_LIE)
        return val;
    lie = (uint32_t)vevil_random(e) & (UINT32_MAX >> (32 - 8 * size));
    vevil_tell(e, VEVIL_LIE, "configuration at %u: 0x%x instead of 0x%x", off, lie, val);
    return lie;
}

/* ---- life ---- */

static void timer_fire(void *arg)
{
    vevil_release(arg);
}

static uint64_t name_sum(const char *s)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a: each device has a sequence of its own */

    while (*s)
        sum = (sum ^ (uint8_t)*s++) * 0x100000001b3u;
    return sum;
}

struct vevil *vevil_open(struct virtio *v, const struct dev_env *env, const struct vevil_opts *o)
{
    struct vevil *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->v = v;
    e->ledger = env->ledger;
    e->rate = o->rate ? o->rate : RATE;
    e->kinds = o->kinds ? o->kinds : UINT32_MAX;
    e->random = o->seed ^ name_sum(env->name);
    e->log.left = env->vwatch->quiet ? 0 : LINES;
    loop_timer_init(&e->timer, env->loop, timer_fire, e);
    return e;
}

void vevil_close(struct vevil *e)
{
    if (e)
        loop_timer_stop(&e->timer);
    free(e);
}
