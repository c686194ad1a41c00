/* Who of many machines hears the one keyboard and mouse: seat.h tells. */
#include "share/seat.h"
#include <string.h>

#define FOR_NOBODY 0xff /* is down, but was pressed for nobody, or let go there already */

void seat_init(struct seat *s, unsigned vms)
{
    memset(s, 0, sizeof(*s));
    s->vms = vms < SEAT_VMS ? vms : SEAT_VMS;
    s->focus = vms ? 0 : SEAT_NOBODY;
}

/* ---- lines ---- */

static void put(struct seat *s, unsigned vm, const struct seat_event *e)
{
    struct seat_vm *v = &s->vm[vm];

    v->line[(v->head + v->count++) % SEAT_LINE] = *e;
}

/* Each press that is taken leaves room for its release, whatever happens. */
static bool room(struct seat *s, unsigned more)
{
    struct seat_vm *v = &s->vm[s->focus];

    if (s->focus == SEAT_NOBODY)
        return false;
    if (v->there && v->count + s->held + more <= SEAT_LINE)
        return true;
    v->dropped++;
    return false;
}

const struct seat_event *seat_next(const struct seat *s, unsigned vm)
{
    const struct seat_vm *v = &s->vm[vm];

    return v->there && v->count ? &v->line[v->head] : NULL;
}

void seat_taken(struct seat *s, unsigned vm)
{
    struct seat_vm *v = &s->vm[vm];

    if (!v->count)
        return;
    v->head = (v->head + 1) % SEAT_LINE;
    v->count--;
}

/* ---- keys and buttons ---- */

static void press(struct seat *s, uint8_t *owner, const struct seat_event *e)
{
    if (*owner)
        return; /* a repeat: machines make their own */
    *owner = FOR_NOBODY;
    if (!room(s, 2))
        return;
    *owner = (uint8_t)(s->focus + 1);
    s->held++;
    put(s, s->focus, e);
}

static void release(struct seat *s, uint8_t *owner, const struct seat_event *e)
{
    unsigned vm = *owner - 1u;

    if (*owner && *owner != FOR_NOBODY) {
        s->held--;
        put(s, vm, e);
    }
    *owner = 0;
}

void seat_key(struct seat *s, unsigned key, bool down)
{
    const struct seat_event e = {.what = SEAT_KEY, .key = (uint8_t)key, .down = down};

    if (key < SEAT_KEYS)
        (down ? press : release)(s, &s->key[key], &e);
}

void seat_button(struct seat *s, unsigned button, bool down)
{
    const struct seat_event e = {.what = SEAT_BUTTON, .key = (uint8_t)button, .down = down};

    if (button < SEAT_BUTTONS)
        (down ? press : release)(s, &s->button[button], &e);
}

/* Motion that waits is one movement: its end counts, and the whole way. */
void seat_point(struct seat *s, const struct seat_event *to)
{
    struct seat_vm *v = &s->vm[s->focus];
    struct seat_event *last;

    if (s->focus == SEAT_NOBODY)
        return;
    last = &v->line[(v->head + v->count - 1) % SEAT_LINE];
    if (v->there && v->count > 1 && last->what == SEAT_POINT) { /* not the one being sent */
        last->x = to->x;
        last->y = to->y;
        last->dx += to->dx;
        last->dy += to->dy;
        last->wheel += to->wheel;
        return;
    }
    if (!room(s, 1))
        return;
    put(s, s->focus, to);
    v->line[(v->head + v->count - 1) % SEAT_LINE].what = SEAT_POINT;
}

/* ---- handing over ---- */

/* In the machine that has the seat, all comes up. after: what the keys are then. */
static void let_go(struct seat *s, uint8_t after)
{
    for (unsigned i = 0; i < SEAT_KEYS; i++)
        if (s->key[i]) {
            seat_key(s, i, false);
            s->key[i] = after;
        }
    for (unsigned i = 0; i < SEAT_BUTTONS; i++)
        if (s->button[i]) {
            seat_button(s, i, false);
            s->button[i] = after;
        }
}

bool seat_switch(struct seat *s, unsigned to)
{
    if (to >= s->vms)
        return false;
    if (to != s->focus)
        let_go(s, FOR_NOBODY);
    s->focus = to;
    return true;
}

void seat_leave(struct seat *s)
{
    let_go(s, 0);
}

void seat_vm_there(struct seat *s, unsigned vm, bool there)
{
    struct seat_vm *v = &s->vm[vm];

    if (vm >= s->vms || v->there == there)
        return;
    if (vm == s->focus)
        let_go(s, FOR_NOBODY);
    v->there = there;
    v->head = v->count = 0;
}

/* ---- hot keys ---- */

enum seat_hot seat_hot_byte(bool *armed, uint8_t byte, int *n)
{
    if (!*armed && byte == SEAT_PREFIX) {
        *armed = true;
        return SEAT_EATEN;
    }
    if (!*armed)
        return SEAT_PASS;
    *armed = false;
    *n = byte == 'p' ? -1 : byte >= '1' && byte <= '9' ? byte - '1' : 1;
    switch (byte) {
    case SEAT_PREFIX: return SEAT_PASS;
    case 'n':
    case 'p': return SEAT_STEP;
    case 'q': return SEAT_QUIT;
    default: return byte >= '1' && byte <= '9' ? SEAT_TO : SEAT_EATEN;
    }
}
