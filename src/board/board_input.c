/* Virtio keyboards and tablets, and the typist's hands on them. */
#include "board/board.h"
#include "dev/ps2_keys.h"
#include "dev/ps2kbd.h"
#include "dev/ps2mouse.h"
#include "dev/typist.h"
#include "virtio/vinput.h"
#include <errno.h>

enum { LED_NUML = 0, LED_CAPSL = 1, LED_SCROLLL = 2 };
enum { ABS_X = 0, ABS_Y = 1, REL_WHEEL = 8 };
enum {
    BTN_LEFT = 0x110,
    BTN_RIGHT = 0x111,
    BTN_MIDDLE = 0x112,
    BTN_SIDE = 0x113,
    BTN_EXTRA = 0x114
};
/* Room that an action must find: a frame's, and for what begins something half a ring, so that it
 * ends soon after. */
enum { ROOM = VINPUT_FRAME + 1, ROOM_FIRST = 32 };

static bool listens(void *dev)
{
    return vinput_listens(dev);
}

static bool fits(void *dev, const struct typist_act *a)
{
    return vinput_room(dev) >= (a->first ? ROOM_FIRST : ROOM);
}

static unsigned buttons(struct vinput_event *e, const struct typist_act *a)
{
    static const struct {
        uint8_t mask;
        uint16_t code;
    } known[] = {{PS2_LEFT, BTN_LEFT},
                 {PS2_RIGHT, BTN_RIGHT},
                 {PS2_MIDDLE, BTN_MIDDLE},
                 {PS2_SIDE, BTN_SIDE},
                 {PS2_EXTRA, BTN_EXTRA}};
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (a->key & known[i].mask)
            e[n++] = (struct vinput_event){VINPUT_KEY, known[i].code, a->down};
    return n;
}

static unsigned frame(struct vinput_event *e, const struct typist_act *a)
{
    unsigned n = 0;

    switch (a->what) {
    case TYPIST_KEY:
        e[n++] = (struct vinput_event){VINPUT_KEY, ps2_keys[a->key].code, a->down};
        break;
    case TYPIST_BUTTON: n = buttons(e, a); break;
    case TYPIST_MOVE:
        e[n++] = (struct vinput_event){VINPUT_REL, REL_WHEEL, (uint32_t)a->wheel};
        break;
    default:
        if (a->on_x)
            e[n++] = (struct vinput_event){VINPUT_ABS, ABS_X, (uint32_t)a->x};
        if (a->on_y)
            e[n++] = (struct vinput_event){VINPUT_ABS, ABS_Y, (uint32_t)a->y};
        break;
    }
    return n;
}

static bool act(void *dev, struct typist_act *a)
{
    struct vinput_event e[VINPUT_FRAME];

    if (a->what != TYPIST_KEY || a->key < ps2_keys_count())
        vinput_send(dev, e, frame(e, a)); /* lost only if the driver took buffers back: counted */
    return true;
}

static bool idle(void *dev, unsigned what)
{
    (void)what;
    return vinput_idle(dev);
}

static unsigned leds(void *dev)
{
    unsigned on = vinput_leds(dev);

    return (on >> LED_NUML & 1 ? PS2_LED_NUM : 0) | (on >> LED_CAPSL & 1 ? PS2_LED_CAPS : 0) |
           (on >> LED_SCROLLL & 1 ? PS2_LED_SCROLL : 0);
}

static void on_room(void *dev, void (*room)(void *ctx), void *ctx)
{
    vinput_on_room(dev, room, ctx);
}

/* The typist knows it by its name. */
static int hands_on(struct board *b, struct vinput *v, const char *name, bool tablet)
{
    const struct typist_dev d = {
        .name = name,
        .can = tablet ? TYPIST_PLACE | TYPIST_BUTTON : TYPIST_KEY,
        .listens = listens,
        .fits = fits,
        .act = act,
        .idle = idle,
        .leds = tablet ? NULL : leds,
        .on_room = on_room,
        .dev = v,
    };
    int err = b->typist ? 0 : typist_open(&b->typist, b->setup->loop, NULL);

    return err ? err : typist_add(b->typist, &d);
}

static int input_add(struct board *b, const struct board_input *in, unsigned n,
                     const struct board_pci *pci)
{
    const char *name = board_name(b, in->tablet ? "tablet" : "keyboard", n);
    struct dev_env env = board_env(b, name);
    struct vinput_opts o = {.kind = in->tablet ? &vinput_tablet : &vinput_keyboard,
                            .serial = name,
                            .packed = in->packed};
    struct vinput *v = NULL;
    int err = board_virtio_place(b, &env, in->mmio ? NULL : pci, &o.mmio);

    if (!err)
        err = vinput_create(&v, &env, &o);
    err = board_keep(b, err, &vinput_class, v, name);
    return err ? err : hands_on(b, v, name, in->tablet);
}

int board_inputs(struct board *b, const struct board_pci *pci)
{
    unsigned count[2] = {0};
    int err = 0;

    for (unsigned i = 0; i < b->setup->inputs && !err; i++)
        err = input_add(b, &b->setup->input[i], count[b->setup->input[i].tablet]++, pci);
    return err;
}
