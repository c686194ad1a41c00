/*
 * Commands of a seat (docs/seat.md), all ours: the screen, as a descriptor that comes with the
 * answer (SCM_RIGHTS), and who has the machine's keyboard and mouse to himself. One client at a
 * time; what it held down is let go when it ends, however it does.
 */
#include "api/qmp_impl.h"
#include "dev/typist.h"
#include <string.h>

static cJSON *query_screen(struct qmp_call *c)
{
    const struct qmp_ops *ops = c->q->ops;
    bool pass = false;
    struct qmp_screen s;
    cJSON *o;

    if (cJSON_HasObjectItem(c->args, "descriptor") && !qmp_bool(c, c->args, "descriptor", &pass))
        return NULL;
    if (!ops->screen || !ops->screen(c->q->vm, &s))
        return qmp_fail(c, "DeviceNotFound", "this machine has no screen: --screen gives it one");
    o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "width", s.width);
    cJSON_AddNumberToObject(o, "height", s.height);
    cJSON_AddNumberToObject(o, "stride", s.stride);
    cJSON_AddStringToObject(o, "format", "xrgb8888");
    if (o && pass)
        c->q->pass = s.fd;
    return o;
}

/* ---- the seat ---- */

static bool sits(const struct qmp *q)
{
    return q->seat && *q->seat == q;
}

static void bit_set(uint8_t *bits, unsigned n, bool on)
{
    if (n / 8 < QMP_HELD)
        bits[n / 8] = (uint8_t)((bits[n / 8] & ~(1u << n % 8)) | (unsigned)on << n % 8);
}

void qmp_hold(struct qmp *q, unsigned key, bool down)
{
    if (sits(q))
        bit_set(q->held, key, down);
}

void qmp_hold_buttons(struct qmp *q, unsigned buttons, bool down)
{
    if (sits(q))
        q->held_buttons = (uint8_t)(down ? q->held_buttons | buttons : q->held_buttons & ~buttons);
}

/* The queue keeps room for releases (dev/typist.h). */
static void let_go(struct qmp *q)
{
    struct typist *t = q->ops->typist(q->vm);

    for (unsigned key = 0; t && key < QMP_HELD * 8; key++)
        if (q->held[key / 8] >> key % 8 & 1)
            typist_key(t, key, false);
    if (t && q->held_buttons)
        typist_button(t, q->held_buttons, false);
    memset(q->held, 0, sizeof(q->held));
    q->held_buttons = 0;
}

void qmp_end(struct qmp *q)
{
    if (!sits(q))
        return;
    let_go(q);
    *q->seat = NULL;
}

static cJSON *claim(struct qmp_call *c)
{
    struct qmp *q = c->q;

    if (!q->seat)
        return qmp_fail(c, "DeviceNotFound", "this machine has no seat");
    if (*q->seat && *q->seat != q)
        return qmp_fail(c, NULL, "another seat has this machine");
    *q->seat = q;
    return qmp_nothing();
}

static cJSON *release(struct qmp_call *c)
{
    if (!sits(c->q))
        return qmp_fail(c, NULL, "the seat is not yours");
    qmp_end(c->q);
    return qmp_nothing();
}

const struct qmp_command qmp_seat[] = {
    {"query-screen", query_screen, {"descriptor"}},
    {"seat-claim", claim, {0}},
    {"seat-release", release, {0}},
    {0},
};
