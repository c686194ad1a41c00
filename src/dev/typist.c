/*
 * The queue before keyboard and mouse. An action goes when the time asked for has passed and the
 * device has room for it: a key that begins something waits until the guest has read all before,
 * so that a held key never repeats because the queue behind it is slow; a packet of the mouse
 * waits for the one before it.
 */
#include "dev/typist.h"
#include "core/loop.h"
#include "dev/i8042.h"
#include "dev/ps2_keys.h"
#include <errno.h>
#include <stdlib.h>

/* Text at 250 characters a second: kernels read any speed, but programs behind them have short
 * buffers of their own. */
#define STROKE_NS 4000000u
#define STEP      120 /* of one packet: below its nine bits even when the guest scales by two */
#define CLICK     7   /* of the wheel in one packet */

enum { KEYBOARD, MOUSE, LANES };

struct action {
    uint8_t what; /* a key, or buttons; 0 buttons: motion */
    bool down;
    bool first;    /* the keyboard is idle before it */
    uint64_t wait; /* ns after the action before it */
    int dx, dy, wheel;
};

struct lane {
    struct typist *typist;
    struct action *ring; /* TYPIST_ROOM */
    unsigned head, count;
    uint64_t due; /* not before */
    struct loop_timer timer;
    struct loop_work work;
};

struct typist {
    struct loop *loop;
    struct i8042 *at;
    struct lane lane[LANES];
};

/* ---- doing ---- */

static bool may(const struct typist *t, unsigned lane, const struct action *a)
{
    if (lane == MOUSE)
        return i8042_mouse_idle(t->at);
    return a->first ? i8042_kbd_idle(t->at) : i8042_key_fits(t->at, a->what, a->down);
}

static int piece(int *left, int most)
{
    int n = *left > most ? most : *left < -most ? -most : *left;

    *left -= n;
    return n;
}

/* true: the action is over; motion may take several packets. */
static bool act(struct typist *t, unsigned lane, struct action *a)
{
    if (lane == KEYBOARD) {
        i8042_key(t->at, a->what, a->down);
    } else if (a->what) {
        i8042_button(t->at, a->what, a->down);
    } else {
        int dx = piece(&a->dx, STEP), dy = piece(&a->dy, STEP), wheel = piece(&a->wheel, CLICK);

        i8042_move(t->at, dx, dy, wheel);
        return !a->dx && !a->dy && !a->wheel;
    }
    return true;
}

static void lane_run(void *lane)
{
    struct lane *l = lane;
    struct typist *t = l->typist;
    unsigned which = (unsigned)(l - t->lane);

    /* At most what waits, and a packet for each STEP of TYPIST_FAR: the devices' buffers end it
     * far sooner, unless nobody listens; then all of it goes by at once. */
    while (l->count) {
        struct action *a = &l->ring[l->head];
        uint64_t now = loop_now(t->loop);

        if (now < l->due) {
            loop_timer_set(&l->timer, l->due);
            return;
        }
        if (!may(t, which, a))
            return; /* on_room comes back */
        if (!act(t, which, a))
            continue;
        l->head = (l->head + 1) % TYPIST_ROOM;
        l->count--;
        l->due = l->count ? now + l->ring[l->head].wait : now;
    }
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

static int push(struct typist *t, unsigned lane, const struct action *a, unsigned n)
{
    struct lane *l = &t->lane[lane];

    if (n > TYPIST_ROOM - l->count)
        return -ENOSPC;
    if (!l->count && a->wait)
        l->due = loop_now(t->loop) + a->wait;
    for (unsigned i = 0; i < n; i++)
        l->ring[(l->head + l->count++) % TYPIST_ROOM] = a[i];
    loop_defer(t->loop, &l->work);
    return 0;
}

int typist_key(struct typist *t, unsigned key, bool down)
{
    const struct action a = {.what = (uint8_t)key, .down = down};

    return push(t, KEYBOARD, &a, 1);
}

int typist_chord(struct typist *t, const uint8_t *keys, size_t n, uint64_t hold_ns)
{
    struct action a[2 * TYPIST_CHORD];

    if (!n || n > TYPIST_CHORD)
        return -ENOSPC;
    for (size_t i = 0; i < n; i++) {
        a[i] = (struct action){.what = keys[i], .down = true, .first = !i};
        a[2 * n - 1 - i] = (struct action){.what = keys[i]};
    }
    a[n].wait = hold_ns;
    return push(t, KEYBOARD, a, (unsigned)(2 * n));
}

/* One character: shift around it if need be. */
static unsigned stroke(struct action a[4], char c)
{
    static const char name[] = "shift";
    uint8_t shift = (uint8_t)ps2_key_find(name, sizeof(name) - 1);
    unsigned n = 0;
    bool upper;
    uint8_t key = (uint8_t)ps2_key_char(c, &upper);

    if (key == PS2_KEY_NONE)
        return 0;
    if (upper)
        a[n++] = (struct action){.what = shift, .down = true};
    a[n++] = (struct action){.what = key, .down = true};
    a[n++] = (struct action){.what = key};
    if (upper)
        a[n++] = (struct action){.what = shift};
    a[0].first = true;
    a[0].wait = STROKE_NS;
    return n;
}

int typist_text(struct typist *t, const char *text, size_t len, size_t *bad)
{
    struct action a[4];
    unsigned n = 0;

    for (*bad = 0; *bad < len; ++*bad) {
        unsigned more = stroke(a, text[*bad]);

        if (!more)
            return -EINVAL;
        n += more;
        if (n > TYPIST_ROOM - t->lane[KEYBOARD].count)
            return -ENOSPC;
    }
    for (size_t i = 0; i < len; i++)
        push(t, KEYBOARD, a, stroke(a, text[i]));
    return 0;
}

static bool far(int n)
{
    return n > TYPIST_FAR || n < -TYPIST_FAR;
}

int typist_move(struct typist *t, int dx, int dy, int wheel)
{
    const struct action a = {.dx = dx, .dy = dy, .wheel = wheel};

    if (far(dx) || far(dy) || far(wheel))
        return -EINVAL;
    return dx || dy || wheel ? push(t, MOUSE, &a, 1) : 0;
}

int typist_button(struct typist *t, unsigned buttons, bool down)
{
    const struct action a = {.what = (uint8_t)buttons, .down = down};

    return buttons ? push(t, MOUSE, &a, 1) : 0;
}

unsigned typist_leds(const struct typist *t)
{
    return i8042_leds(t->at);
}

bool typist_idle(const struct typist *t)
{
    return !t->lane[KEYBOARD].count && !t->lane[MOUSE].count && i8042_kbd_idle(t->at) &&
           i8042_mouse_idle(t->at);
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
    i8042_on_room(t->at, NULL, NULL);
    typist_reset(t);
    for (unsigned i = 0; i < LANES; i++)
        free(t->lane[i].ring);
    free(t);
}

int typist_open(struct typist **out, struct loop *loop, struct i8042 *at)
{
    struct typist *t = calloc(1, sizeof(*t));
    bool full = t;

    if (!t)
        return -ENOMEM;
    t->loop = loop;
    t->at = at;
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &t->lane[i];

        l->typist = t;
        l->ring = calloc(TYPIST_ROOM, sizeof(*l->ring));
        full = full && l->ring;
        loop_timer_init(&l->timer, loop, lane_run, l);
        l->work = (struct loop_work){.run = lane_run, .arg = l};
    }
    if (!full) {
        typist_close(t);
        return -ENOMEM;
    }
    i8042_on_room(at, on_room, t);
    *out = t;
    return 0;
}
