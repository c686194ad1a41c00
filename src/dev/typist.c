/*
 * The queue before keyboards and mice. An action goes when the time asked for has passed and the
 * device has room for it: a key that begins something waits until the guest has read all before,
 * so that a held key never repeats because the queue behind it is slow; a packet of the mouse
 * waits for the one before it.
 */
#include "dev/typist.h"
#include "core/loop.h"
#include "dev/ps2_keys.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Text at 250 characters a second: kernels read any speed, but programs behind them have short
 * buffers of their own. */
#define STROKE_NS 4000000u
/* A PS/2 keyboard's wire takes about a millisecond a byte. Keys that come faster than any keyboard
 * sends them keep a guest in its interrupt handler, and programs with short buffers lose some. */
#define WIRE_NS 1000000u

#define RING (TYPIST_ROOM + TYPIST_SPARE)

enum { KEYBOARD, MOUSE, LANES };

struct lane {
    struct typist *typist;
    struct typist_act *ring; /* RING */
    unsigned head, count;
    uint64_t due; /* not before */
    struct loop_timer timer;
    struct loop_work work;
};

struct typist {
    struct loop *loop;
    struct typist_dev dev[TYPIST_DEVS];
    unsigned devs;
    uint8_t aim; /* as in struct typist_act */
    struct lane lane[LANES];
};

/* ---- who ---- */

static bool listens(const struct typist_dev *d)
{
    return !d->listens || d->listens(d->dev);
}

/* A wheel that turns alone is a button's affair: tablets have one. */
static unsigned need(const struct typist_act *a)
{
    return a->what == TYPIST_MOVE && !a->x && !a->y ? (unsigned)TYPIST_BUTTON : a->what;
}

static const struct typist_dev *who(const struct typist *t, const struct typist_act *a)
{
    for (unsigned i = t->devs; i--;) {
        const struct typist_dev *d = &t->dev[i];

        if (d->can & need(a) && listens(d) && (!a->dev || a->dev == i + 1))
            return d;
    }
    return NULL;
}

int typist_aim(struct typist *t, const char *name)
{
    t->aim = 0;
    for (unsigned i = 0; name && i < t->devs && !t->aim; i++)
        if (!strcmp(t->dev[i].name, name))
            t->aim = (uint8_t)(i + 1);
    return name && !t->aim ? -ENOENT : 0;
}

/* ---- doing ---- */

/* The oldest action; false: it has to wait. */
static bool lane_step(struct typist *t, struct lane *l)
{
    struct typist_act *a = &l->ring[l->head];
    const struct typist_dev *d = who(t, a);
    uint64_t now = loop_now(t->loop);

    if (now < l->due) {
        loop_timer_set(&l->timer, l->due);
        return false;
    }
    if (d && !d->fits(d->dev, a))
        return false; /* on_room comes back */
    if (d && !d->act(d->dev, a))
        return true;
    l->head = (l->head + 1) % RING; /* done; or its device's driver has gone */
    l->count--;
    l->due = now + (l == &t->lane[KEYBOARD] ? WIRE_NS : 0);
    if (l->count && now + l->ring[l->head].wait > l->due)
        l->due = now + l->ring[l->head].wait;
    return true;
}

/* At most what waits, and a packet for each step of TYPIST_FAR: the devices' buffers end it far
 * sooner, unless nobody listens; then all of it goes by at once. */
static void lane_run(void *lane)
{
    struct lane *l = lane;

    while (l->count && lane_step(l->typist, l))
        ;
}

/* The guest has read: what waits goes on, outside of its access. */
static void on_room(void *typist)
{
    struct typist *t = typist;

    for (unsigned i = 0; i < LANES; i++)
        if (t->lane[i].count)
            loop_defer(t->loop, &t->lane[i].work);
}

/* ---- asking ---- */

static unsigned room(const struct lane *l, unsigned most)
{
    return l->count < most ? most - l->count : 0;
}

static bool fits_in(const struct lane *l, const struct typist_act *a, unsigned n)
{
    bool up = n == 1 && !a->down && (a->what == TYPIST_KEY || a->what == TYPIST_BUTTON);

    return n <= room(l, up ? RING : TYPIST_ROOM);
}

static int push(struct typist *t, const struct typist_act *a, unsigned n)
{
    struct lane *l = &t->lane[a->what == TYPIST_KEY ? KEYBOARD : MOUSE];
    struct typist_act first = *a;

    first.dev = t->aim;
    if (!who(t, &first))
        return -ENODEV;
    if (!fits_in(l, a, n))
        return -ENOSPC;
    if (!l->count && a->wait && loop_now(t->loop) + a->wait > l->due)
        l->due = loop_now(t->loop) + a->wait;
    for (unsigned i = 0; i < n; i++) {
        struct typist_act *to = &l->ring[(l->head + l->count++) % RING];

        *to = a[i];
        to->dev = t->aim;
    }
    loop_defer(t->loop, &l->work);
    return 0;
}

int typist_key(struct typist *t, unsigned key, bool down)
{
    const struct typist_act a = {.what = TYPIST_KEY, .key = (uint8_t)key, .down = down};

    return push(t, &a, 1);
}

int typist_chord(struct typist *t, const uint8_t *keys, size_t n, uint64_t hold_ns)
{
    struct typist_act a[2 * TYPIST_CHORD];

    if (!n || n > TYPIST_CHORD)
        return -ENOSPC;
    for (size_t i = 0; i < n; i++) {
        a[i] = (struct typist_act){.what = TYPIST_KEY, .key = keys[i], .down = true, .first = !i};
        a[2 * n - 1 - i] = (struct typist_act){.what = TYPIST_KEY, .key = keys[i]};
    }
    a[n].wait = hold_ns;
    return push(t, a, (unsigned)(2 * n));
}

/* One character: shift around it if need be. */
static unsigned stroke(struct typist_act a[4], char c)
{
    static const char name[] = "shift";
    uint8_t shift = (uint8_t)ps2_key_find(name, sizeof(name) - 1);
    unsigned n = 0;
    bool upper;
    uint8_t key = (uint8_t)ps2_key_char(c, &upper);

    if (key == PS2_KEY_NONE)
        return 0;
    if (upper)
        a[n++] = (struct typist_act){.what = TYPIST_KEY, .key = shift, .down = true};
    a[n++] = (struct typist_act){.what = TYPIST_KEY, .key = key, .down = true};
    a[n++] = (struct typist_act){.what = TYPIST_KEY, .key = key};
    if (upper)
        a[n++] = (struct typist_act){.what = TYPIST_KEY, .key = shift};
    a[0].first = true;
    a[0].wait = STROKE_NS;
    return n;
}

int typist_text(struct typist *t, const char *text, size_t len, size_t *bad)
{
    struct typist_act a[4];
    unsigned n = 0;

    for (*bad = 0; *bad < len; ++*bad) {
        unsigned more = stroke(a, text[*bad]);

        if (!more)
            return -EINVAL;
        n += more;
        if (n > room(&t->lane[KEYBOARD], TYPIST_ROOM))
            return -ENOSPC;
    }
    for (size_t i = 0; i < len; i++) {
        int err = push(t, a, stroke(a, text[i]));

        if (err) /* the first: then none of them */
            return err;
    }
    return 0;
}

static bool far(int n)
{
    return n > TYPIST_FAR || n < -TYPIST_FAR;
}

int typist_move(struct typist *t, int dx, int dy, int wheel)
{
    const struct typist_act a = {.what = TYPIST_MOVE, .x = dx, .y = dy, .wheel = wheel};

    if (far(dx) || far(dy) || far(wheel))
        return -EINVAL;
    return dx || dy || wheel ? push(t, &a, 1) : 0;
}

static bool placed(const int *n)
{
    return !n || (*n >= 0 && *n <= TYPIST_FAR);
}

int typist_place(struct typist *t, const int *x, const int *y)
{
    const struct typist_act a = {
        .what = TYPIST_PLACE, .on_x = x, .on_y = y, .x = x ? *x : 0, .y = y ? *y : 0};

    if (!placed(x) || !placed(y))
        return -EINVAL;
    return x || y ? push(t, &a, 1) : 0;
}

int typist_button(struct typist *t, unsigned buttons, bool down)
{
    const struct typist_act a = {.what = TYPIST_BUTTON, .key = (uint8_t)buttons, .down = down};

    return buttons ? push(t, &a, 1) : 0;
}

unsigned typist_leds(const struct typist *t)
{
    const struct typist_act key = {.what = TYPIST_KEY};
    const struct typist_dev *d = who(t, &key);

    return d && d->leds ? d->leds(d->dev) : 0;
}

bool typist_idle(const struct typist *t)
{
    for (unsigned i = 0; i < t->devs; i++)
        if (listens(&t->dev[i]) && !t->dev[i].idle(t->dev[i].dev, ~0u))
            return false;
    return !t->lane[KEYBOARD].count && !t->lane[MOUSE].count;
}

/* ---- life ---- */

void typist_reset(struct typist *t)
{
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &t->lane[i];

        l->head = l->count = 0;
        l->due = 0;
        loop_timer_stop(&l->timer);
        loop_work_cancel(t->loop, &l->work);
    }
}

void typist_close(struct typist *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->devs; i++)
        t->dev[i].on_room(t->dev[i].dev, NULL, NULL);
    typist_reset(t);
    for (unsigned i = 0; i < LANES; i++)
        free(t->lane[i].ring);
    free(t);
}

int typist_add(struct typist *t, const struct typist_dev *d)
{
    if (t->devs == TYPIST_DEVS)
        return -ENOSPC;
    t->dev[t->devs++] = *d;
    d->on_room(d->dev, on_room, t);
    return 0;
}

int typist_open(struct typist **out, struct loop *loop, struct i8042 *at)
{
    struct typist *t = calloc(1, sizeof(*t));
    struct typist_dev ps2;
    bool full = t;

    if (!t)
        return -ENOMEM;
    t->loop = loop;
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &t->lane[i];

        l->typist = t;
        l->ring = calloc(RING, sizeof(*l->ring));
        full = full && l->ring;
        loop_timer_init(&l->timer, loop, lane_run, l);
        l->work = (struct loop_work){.run = lane_run, .arg = l};
    }
    if (!full) {
        typist_close(t);
        return -ENOMEM;
    }
    if (at) {
        typist_ps2(&ps2, at);
        typist_add(t, &ps2);
    }
    *out = t;
    return 0;
}
