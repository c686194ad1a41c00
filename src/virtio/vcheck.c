/*
 * --check virtio: what is reported and how, and the rules of status and features (VIRTIO 1.2, 2.1,
 * 2.2, 3.1). The rules of queues are in vq_check_setup.c, of registers in vcheck_regs.c, of rings
 * in vq_check*.c; all are listed in vcheck_rules.c.
 */
#include "bus/dev.h"
#include "virtio/vcheck_impl.h"
#include "virtio/vwatch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINES = 16 }; /* a device's; later ones follow from the first as often as not */
enum {
    DRIVER_BITS =
        VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED
};

/* ---- reports ---- */

static void say(struct vcheck *c, int queue, enum vrule rule, const char *values)
{
    const struct vrule_text *t = &vrule_text[rule];
    struct log_budget one = {.left = 2}; /* ours is counted here: no "no more of this kind" */
    char where[24] = "";

    if (!c->lines || c->watch->quiet)
        return;
    c->lines--;
    if (queue >= 0)
        snprintf(where, sizeof(where), " queue %d", queue);
    log_guest(&one, "check: %s%s: %s, VIRTIO 1.2 %s: %s (%s)", c->v->name, where, t->name,
              t->section, t->text, values);
}

void vcheck_broken(struct vcheck *c, int queue, enum vrule rule, const char *fmt, ...)
{
    char values[160];
    va_list ap;

    c->watch->broken++;
    c->watch->last = rule;
    if (!c->row[rule]) {
        va_start(ap, fmt);
        vsnprintf(values, sizeof(values), fmt, ap);
        va_end(ap);
        say(c, queue, rule, values);
        c->row[rule] = ledger_row(c->ledger, LEDGER_CHECK, c->v->name, vrule_text[rule].name);
    }
    if (c->row[rule]) {
        ledger_add(c->row[rule], true, 0);
        ledger_refuse(c->row[rule]);
    }
}

/* ---- features ---- */

/* Chapter 5: a feature that is nothing without another. Those of chapter 6 require none. */
struct needs {
    uint16_t device;
    uint8_t feature;
    uint64_t any; /* one of these */
};

#define BIT(n) (1ull << (n))
static const struct needs needs[] = {
    {1, 7, BIT(1)},   {1, 8, BIT(1)},   {1, 9, BIT(7) | BIT(8)},    {1, 10, BIT(1)}, /* 5.1.3.1 */
    {1, 11, BIT(0)},  {1, 12, BIT(0)},  {1, 13, BIT(11) | BIT(12)}, {1, 14, BIT(0)},
    {1, 18, BIT(17)}, {1, 19, BIT(17)}, {1, 21, BIT(17)},           {1, 22, BIT(17)},
    {1, 23, BIT(17)},
};

static void features_judge(struct vcheck *c)
{
    const struct virtio *v = c->v;
    uint64_t odd = v->taken & ~v->offered;

    if (odd)
        vcheck_broken(c, -1, VRULE_FEATURE_UNOFFERED, "feature %d, offered 0x%llx",
                      __builtin_ctzll(odd), (unsigned long long)v->offered);
    if (!virtio_has(v, VIRTIO_F_VERSION_1))
        vcheck_broken(c, -1, VRULE_FEATURE_VERSION_1, "accepted 0x%llx",
                      (unsigned long long)v->taken);
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (needs[i].device == v->cls->id && virtio_has(v, needs[i].feature) &&
            !(v->taken & needs[i].any))
            vcheck_broken(c, -1, VRULE_FEATURE_REQUIRES, "feature %u without feature %d",
                          needs[i].feature, __builtin_ctzll(needs[i].any));
}

void vcheck_take(struct vcheck *c, uint32_t select, uint32_t bits)
{
    const struct virtio *v = c->v;

    if (v->status & VIRTIO_FEATURES_OK)
        vcheck_broken(c, -1, VRULE_FEATURE_LATE, "word %u = 0x%x, status 0x%02x", select, bits,
                      v->status);
    else if (!(v->status & VIRTIO_DRIVER))
        vcheck_broken(c, -1, VRULE_FEATURE_EARLY, "word %u = 0x%x, status 0x%02x", select, bits,
                      v->status);
    if (select >= 2 && bits)
        vcheck_broken(c, -1, VRULE_FEATURE_UNOFFERED, "word %u = 0x%x", select, bits);
}

/* ---- status ---- */

static void status_reset(struct vcheck *c)
{
    c->status_seen = c->features_asked = false;
    c->stopped = c->was_on = 0;
    c->generation_seen = c->half_read = false;
}

static void driver_ok(struct vcheck *c, uint8_t val)
{
    const struct virtio *v = c->v;

    if (v->status & VIRTIO_FEATURES_OK && !c->status_seen)
        vcheck_broken(c, -1, VRULE_FEATURES_UNREAD, "wrote 0x%02x", val);
    else if (!(v->status & VIRTIO_FEATURES_OK))
        vcheck_broken(c, -1, c->features_asked ? VRULE_FEATURES_REFUSED : VRULE_STATUS_ORDER,
                      "wrote 0x%02x, status 0x%02x", val, v->status);
}

static void status_bits(struct vcheck *c, uint8_t val, uint8_t fresh)
{
    const struct virtio *v = c->v;
    uint8_t odd = fresh & (uint8_t)~DRIVER_BITS;

    if (v->status & ~val & DRIVER_BITS)
        vcheck_broken(c, -1, VRULE_STATUS_CLEAR, "wrote 0x%02x over 0x%02x", val, v->status);
    if (odd)
        vcheck_broken(c, -1, VRULE_STATUS_UNKNOWN, "wrote 0x%02x over 0x%02x", val, v->status);
    if (v->status & VIRTIO_FAILED && fresh)
        vcheck_broken(c, -1, VRULE_STATUS_FAILED, "wrote 0x%02x over 0x%02x", val, v->status);
}

void vcheck_status(struct vcheck *c, uint8_t val)
{
    const struct virtio *v = c->v;
    uint8_t fresh = val & (uint8_t)~v->status;
    bool order;

    if (!val) {
        status_reset(c);
        return;
    }
    status_bits(c, val, fresh);
    order = (!(fresh & VIRTIO_DRIVER) || val & VIRTIO_ACKNOWLEDGE) &&
            (!(fresh & VIRTIO_FEATURES_OK) || v->status & VIRTIO_DRIVER);
    if (!order)
        vcheck_broken(c, -1, VRULE_STATUS_ORDER, "wrote 0x%02x over 0x%02x", val, v->status);
    if (fresh & VIRTIO_DRIVER_OK)
        driver_ok(c, val);
    if (fresh & VIRTIO_FEATURES_OK) {
        c->features_asked = true;
        c->status_seen = false;
        features_judge(c);
    }
}

void vcheck_loaded(struct vcheck *c)
{
    status_reset(c);
    c->status_seen = c->features_asked = true;
}

/* ---- life ---- */

struct vcheck *vcheck_open(struct virtio *v, const struct dev_env *env, bool mmio)
{
    struct vcheck *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->v = v;
    c->watch = env->vwatch;
    c->mmio = mmio;
    c->ledger = env->ledger;
    c->lines = LINES;
    return c;
}

void vcheck_close(struct vcheck *c)
{
    free(c);
}
