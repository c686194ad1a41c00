/*
 * Commands for keyboard and mouse: send-key and input-send-event as QEMU has them, and two of our
 * own: type-text, and query-leds for what the guest shows on the keyboard.
 */
#include "api/qmp_impl.h"
#include "dev/ps2_keys.h"
#include "dev/ps2kbd.h"
#include "dev/ps2mouse.h"
#include "dev/typist.h"
#include <errno.h>
#include <string.h>

#define EVENTS_MAX   64 /* of one input-send-event */
#define HOLD_DEFAULT 100
#define HOLD_MAX     60000
#define NS_PER_MS    1000000ull

static struct typist *typist(struct qmp_call *c)
{
    struct typist *t = c->q->ops->typist(c->q->vm);

    if (!t)
        qmp_fail(c, "DeviceNotFound", "this board has no keyboard and no mouse");
    return t;
}

/* The empty object, or what stood in the way. */
static cJSON *done(struct qmp_call *c, int err)
{
    if (err == -ENODEV)
        return qmp_fail(c, "DeviceNotFound", "no device that a driver listens at can do that");
    if (err == -ENOSPC)
        return qmp_fail(c, NULL, "too much waits already: the guest does not read it");
    if (err)
        return qmp_fail(c, NULL, "the numbers are too large");
    return qmp_nothing();
}

/* QEMU's KeyValue: {"type": "qcode", "data": "a"} or {"type": "number", "data": 30}. */
static unsigned key_value(struct qmp_call *c, const cJSON *value)
{
    const cJSON *type = qmp_string(c, value, "type"), *name;
    unsigned key = PS2_KEY_NONE;
    int number;

    if (!type)
        return key;
    if (!strcmp(type->valuestring, "number")) {
        if (!qmp_int(c, value, "data", 0, 0xffff, &number))
            return key;
        key = ps2_key_number((unsigned)number);
    } else {
        name = qmp_string(c, value, "data");
        if (!name)
            return key;
        key = ps2_key_find(name->valuestring, strlen(name->valuestring));
    }
    if (key == PS2_KEY_NONE)
        qmp_fail(c, NULL, "the keyboard has no such key");
    return key;
}

static cJSON *send_key(struct qmp_call *c)
{
    const cJSON *list = qmp_array(c, c->args, "keys"), *value;
    struct typist *t = list ? typist(c) : NULL;
    uint8_t key[TYPIST_CHORD];
    int hold = HOLD_DEFAULT;
    size_t n = 0;

    if (!t)
        return NULL;
    if (cJSON_HasObjectItem(c->args, "hold-time") &&
        !qmp_int(c, c->args, "hold-time", 0, HOLD_MAX, &hold))
        return NULL;
    cJSON_ArrayForEach(value, list)
    {
        unsigned k = key_value(c, value);

        if (k == PS2_KEY_NONE)
            return NULL;
        if (n == TYPIST_CHORD)
            break;
        key[n++] = (uint8_t)k;
    }
    if (!n || value)
        return qmp_fail(c, NULL, "a chord has from 1 to %u keys", TYPIST_CHORD);
    return done(c, typist_chord(t, key, n, (unsigned)hold * NS_PER_MS));
}

/* ---- input-send-event ---- */

struct event { /* one, judged; motion of a whole message is one movement */
    enum { KEY, BUTTON, MOTION, PLACE } what;
    unsigned key, button;
    bool down;
    int dx, dy, wheel;
    bool on_x, on_y; /* of a place, which dx and dy are then */
};

static bool button(struct qmp_call *c, const cJSON *data, struct event *e)
{
    static const struct {
        const char *name;
        unsigned mask;
        int wheel;
    } known[] = {{"left", PS2_LEFT, 0}, {"right", PS2_RIGHT, 0}, {"middle", PS2_MIDDLE, 0},
                 {"side", PS2_SIDE, 0}, {"extra", PS2_EXTRA, 0}, {"wheel-up", 0, 1},
                 {"wheel-down", 0, -1}};
    const cJSON *name = qmp_string(c, data, "button");

    if (!name || !qmp_bool(c, data, "down", &e->down))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(known[i].name, name->valuestring)) {
            e->what = known[i].mask ? BUTTON : MOTION;
            e->button = known[i].mask;
            e->wheel = e->down ? known[i].wheel : 0; /* a notch is its press */
            return true;
        }
    qmp_fail(c, NULL, "the mouse has no such button");
    return false;
}

static bool relative(struct qmp_call *c, const cJSON *data, struct event *e)
{
    const cJSON *axis = qmp_string(c, data, "axis");
    int value;

    if (!axis || !qmp_int(c, data, "value", -TYPIST_FAR, TYPIST_FAR, &value))
        return false;
    e->what = MOTION;
    if (!strcmp(axis->valuestring, "x"))
        e->dx = value;
    else if (!strcmp(axis->valuestring, "y"))
        e->dy = value;
    else if (!strcmp(axis->valuestring, "wheel")) /* ours */
        e->wheel = value;
    else
        qmp_fail(c, NULL, "the axes are x, y and wheel");
    return !c->err.text[0];
}

/* As QEMU's: both axes from 0 to 0x7fff, whatever the screen. */
static bool absolute(struct qmp_call *c, const cJSON *data, struct event *e)
{
    const cJSON *axis = qmp_string(c, data, "axis");
    int value;

    if (!axis || !qmp_int(c, data, "value", 0, TYPIST_FAR, &value))
        return false;
    e->what = PLACE;
    e->on_x = !strcmp(axis->valuestring, "x");
    e->on_y = !strcmp(axis->valuestring, "y");
    *(e->on_x ? &e->dx : &e->dy) = value;
    if (!e->on_x && !e->on_y)
        qmp_fail(c, NULL, "the axes of a place are x and y");
    return !c->err.text[0];
}

static bool event_take(struct qmp_call *c, const cJSON *from, struct event *e)
{
    const cJSON *type = qmp_string(c, from, "type"), *data = qmp_object(c, from, "data"), *key;

    *e = (struct event){0};
    if (!type || !data)
        return false;
    if (!strcmp(type->valuestring, "btn"))
        return button(c, data, e);
    if (!strcmp(type->valuestring, "rel"))
        return relative(c, data, e);
    if (!strcmp(type->valuestring, "abs"))
        return absolute(c, data, e);
    if (strcmp(type->valuestring, "key")) {
        qmp_fail(c, NULL, "an event is a key, btn, rel or abs");
        return false;
    }
    key = qmp_object(c, data, "key");
    if (!key || !qmp_bool(c, data, "down", &e->down))
        return false;
    e->what = KEY;
    e->key = key_value(c, key);
    return e->key != PS2_KEY_NONE;
}

static int event_do(struct qmp *q, struct typist *t, const struct event *e)
{
    int err;

    switch (e->what) {
    case KEY:
        err = typist_key(t, e->key, e->down);
        if (!err)
            qmp_hold(q, e->key, e->down);
        return err;
    case BUTTON:
        err = typist_button(t, e->button, e->down);
        if (!err)
            qmp_hold_buttons(q, e->button, e->down);
        return err;
    case PLACE: return typist_place(t, e->on_x ? &e->dx : NULL, e->on_y ? &e->dy : NULL);
    default: return typist_move(t, e->dx, e->dy, e->wheel);
    }
}

static bool place_joined(struct event *into, const struct event *e)
{
    if ((into->on_x && e->on_x) || (into->on_y && e->on_y))
        return false;
    into->dx = e->on_x ? e->dx : into->dx;
    into->dy = e->on_y ? e->dy : into->dy;
    into->on_x = into->on_y = true;
    return true;
}

/* Movements that follow each other are one: x and y of a diagonal come in one packet. */
static bool joined(struct event *into, const struct event *e)
{
    int dx = into->dx + e->dx, dy = into->dy + e->dy, wheel = into->wheel + e->wheel;

    if (into->what == PLACE && e->what == PLACE)
        return place_joined(into, e);
    if (into->what != MOTION || e->what != MOTION || dx > TYPIST_FAR || dx < -TYPIST_FAR ||
        dy > TYPIST_FAR || dy < -TYPIST_FAR || wheel > TYPIST_FAR || wheel < -TYPIST_FAR)
        return false;
    into->dx = dx;
    into->dy = dy;
    into->wheel = wheel;
    return true;
}

/* Where the events go: to the device that fits, or to the named one. */
static bool aimed(struct qmp_call *c, struct typist *t)
{
    const cJSON *name = NULL;

    if (cJSON_HasObjectItem(c->args, "device") && !(name = qmp_string(c, c->args, "device")))
        return false;
    if (!typist_aim(t, name ? name->valuestring : NULL))
        return true;
    qmp_fail(c, "DeviceNotFound", "there is no input device %.40s", name->valuestring);
    return false;
}

static cJSON *send_event(struct qmp_call *c)
{
    const cJSON *list = qmp_array(c, c->args, "events"), *from;
    struct typist *t = list ? typist(c) : NULL;
    struct event event[EVENTS_MAX];
    unsigned n = 0;
    int err = 0;

    if (!t)
        return NULL;
    cJSON_ArrayForEach(from, list)
    {
        if (n == EVENTS_MAX)
            return qmp_fail(c, NULL, "at most %d events at once", EVENTS_MAX);
        if (!event_take(c, from, &event[n]))
            return NULL;
        if (!n || !joined(&event[n - 1], &event[n]))
            n++;
    }
    if (!aimed(c, t))
        return NULL;
    for (unsigned i = 0; i < n && !err; i++)
        err = event_do(c->q, t, &event[i]);
    typist_aim(t, NULL);
    return done(c, err);
}

/* ---- ours ---- */

static cJSON *type_text(struct qmp_call *c)
{
    const cJSON *text = qmp_string(c, c->args, "text");
    struct typist *t = text ? typist(c) : NULL;
    size_t bad;
    int err;

    if (!t)
        return NULL;
    err = typist_text(t, text->valuestring, strlen(text->valuestring), &bad);
    if (err == -EINVAL)
        return qmp_fail(c, NULL, "a US keyboard can't type byte 0x%02x, at %zu",
                        (unsigned char)text->valuestring[bad], bad);
    return done(c, err);
}

static cJSON *query_leds(struct qmp_call *c)
{
    struct typist *t = typist(c);
    unsigned leds = t ? typist_leds(t) : 0;
    cJSON *o = t ? cJSON_CreateObject() : NULL;

    if (!o)
        return NULL;
    cJSON_AddBoolToObject(o, "scroll-lock", leds & PS2_LED_SCROLL);
    cJSON_AddBoolToObject(o, "num-lock", leds & PS2_LED_NUM);
    cJSON_AddBoolToObject(o, "caps-lock", leds & PS2_LED_CAPS);
    cJSON_AddBoolToObject(o, "idle", typist_idle(t));
    return o;
}

const struct qmp_command qmp_input[] = {
    {"send-key", send_key, {"keys", "hold-time"}},
    {"input-send-event", send_event, {"device", "head", "events"}},
    {"type-text", type_text, {"text"}},
    {"query-leds", query_leds, {0}},
    {0},
};
