/*
 * virtio-input: VIRTIO 1.2, section 5.8. Events go to the guest one a buffer, a whole frame (up to
 * its SYN_REPORT) or none of it; a frame that finds too few buffers is lost, and counted. Lights
 * come back on the status queue. The configuration is a window (5.8.4): the driver selects what it
 * wants to see there.
 *
 * Left out: what the status queue can say beyond lights (repeat rates, sounds) is read and
 * forgotten.
 */
#include "virtio/vinput.h"
#include "core/ledger.h"
#include "core/state.h"
#include "virtio/vport.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 0, STATUS = 1, QUEUES = 2, QUEUE_SIZE = 64 };
enum { EVENT_LEN = 8, STATUS_MOST = 64 };
enum { LEDS_MAX = 16, SYN_REPORT = 0 };

enum { /* 5.8.4, struct virtio_input_config */
       CFG_SELECT = 0,
       CFG_SUBSEL = 1,
       CFG_SIZE = 2,
       CFG_DATA = 8,
       CFG_DATA_LEN = 128,
       CFG_LEN = CFG_DATA + CFG_DATA_LEN,
};
enum { /* enum virtio_input_config_select */
       ID_NAME = 1,
       ID_SERIAL = 2,
       ID_DEVIDS = 3,
       PROP_BITS = 0x10,
       EV_BITS = 0x11,
       ABS_INFO = 0x12,
};
enum { BUS_VIRTUAL = 6, VENDOR = 0x1af4, VERSION = 1 };

struct vinput {
    struct vport port;
    struct virtio v;
    const struct vinput_kind *is;
    const char *serial;
    uint8_t select, subsel;
    uint16_t leds;
    uint16_t most; /* buffers that were there at once */
    struct ledger_row *row;
    void (*room)(void *ctx);
    void *ctx;
    struct vq_chain chain[VINPUT_FRAME + 1];
};

/* ---- configuration ---- */

bool vinput_can(const struct vinput *d, unsigned type, unsigned code)
{
    for (unsigned i = 0; i < d->is->runs; i++)
        if (d->is->codes[i].type == type && code >= d->is->codes[i].first &&
            code <= d->is->codes[i].last)
            return true;
    return false;
}

static uint8_t text(uint8_t *to, const char *s)
{
    size_t n = strnlen(s, CFG_DATA_LEN);

    memcpy(to, s, n);
    return (uint8_t)n;
}

static uint8_t ids(const struct vinput *d, uint8_t *to)
{
    le16_put(to, BUS_VIRTUAL);
    le16_put(to + 2, VENDOR);
    le16_put(to + 4, d->is->product);
    le16_put(to + 6, VERSION);
    return 8;
}

/* How many bytes tell. A type with no codes is there all the same: one byte of zeros. */
static uint8_t event_bits(const struct vinput *d, uint8_t *to)
{
    unsigned len = 0;

    for (unsigned i = 0; i < d->is->runs; i++) {
        const struct vinput_codes *c = &d->is->codes[i];

        if (c->type != d->subsel)
            continue;
        len = len ? len : 1;
        for (unsigned code = c->first; code <= c->last; code++) {
            to[code / 8 % CFG_DATA_LEN] |= (uint8_t)(1u << code % 8);
            len = code / 8 % CFG_DATA_LEN + 1 > len ? code / 8 % CFG_DATA_LEN + 1 : len;
        }
    }
    return (uint8_t)len;
}

/* min, max, fuzz, flat, resolution */
static uint8_t abs_info(const struct vinput *d, uint8_t *to)
{
    if (!vinput_can(d, VINPUT_ABS, d->subsel))
        return 0;
    le32_put(to + 4, VINPUT_ABS_MAX);
    return 20;
}

static uint8_t selected(const struct vinput *d, uint8_t *to)
{
    if (d->subsel && d->select != EV_BITS && d->select != ABS_INFO)
        return 0;
    switch (d->select) {
    case ID_NAME: return text(to, d->is->name);
    case ID_SERIAL: return text(to, d->serial);
    case ID_DEVIDS: return ids(d, to);
    case PROP_BITS: le32_put(to, d->is->properties); return d->is->properties ? 4 : 0;
    case EV_BITS: return event_bits(d, to);
    case ABS_INFO: return abs_info(d, to);
    default: return 0;
    }
}

static void vinput_cfg_read(void *dev, uint8_t *cfg)
{
    const struct vinput *d = dev;

    memset(cfg, 0, CFG_LEN);
    cfg[CFG_SELECT] = d->select;
    cfg[CFG_SUBSEL] = d->subsel;
    cfg[CFG_SIZE] = selected(d, cfg + CFG_DATA);
}

static void vinput_cfg_write(void *dev, uint32_t off, unsigned size, uint32_t val)
{
    struct vinput *d = dev;

    if (off == CFG_SELECT)
        d->select = (uint8_t)val;
    if (off == CFG_SUBSEL || (off == CFG_SELECT && size > 1))
        d->subsel = (uint8_t)(off == CFG_SUBSEL ? val : val >> 8);
}

/* ---- to the guest ---- */

static struct vq *events(struct vinput *d)
{
    return &d->v.queue[EVENTS].vq;
}

bool vinput_listens(const struct vinput *d)
{
    return virtio_running(&d->v) && d->v.queue[EVENTS].enabled;
}

/* n buffers, or none. Bound: VINPUT_FRAME + 1. */
static bool take(struct vinput *d, unsigned n)
{
    struct vq *q = events(d);
    unsigned got = 0;
    int code = 1;

    while (got < n && (code = vq_pop(q, &d->chain[got])) > 0)
        got++;
    if (got == n)
        return true;
    while (got)
        vq_unpop(q, &d->chain[--got]);
    if (code < 0)
        virtio_needs_reset(&d->v, q->broken);
    return false;
}

static void put(struct vinput *d, const struct vq_chain *c, const struct vinput_event *e)
{
    uint8_t buf[EVENT_LEN];
    bool fits;

    le16_put(buf, e->type);
    le16_put(buf + 2, e->code);
    le32_put(buf + 4, e->value);
    fits = !vq_put(events(d), c, 0, buf, sizeof(buf));
    vq_push(events(d), c->head, fits ? EVENT_LEN : 0);
    ledger_add(d->row, false, EVENT_LEN);
}

bool vinput_send(struct vinput *d, const struct vinput_event *e, unsigned n)
{
    static const struct vinput_event report = {VINPUT_SYN, SYN_REPORT, 0};

    if (n > VINPUT_FRAME || !vinput_listens(d) || !take(d, n + 1)) {
        ledger_refuse(d->row);
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        put(d, &d->chain[i], &e[i]);
    put(d, &d->chain[n], &report);
    virtio_done(&d->v, EVENTS);
    return true;
}

/* Pops all there is, asks to be told of more, and puts it back the other way round. Bound: the
 * ring, and one look more for what came before the asking. */
unsigned vinput_room(struct vinput *d)
{
    struct vq *q = events(d);
    uint16_t head[QUEUE_SIZE];
    unsigned n = 0;
    int code = 1;

    if (!vinput_listens(d))
        return 0;
    for (unsigned looks = 0; n < QUEUE_SIZE && looks < 2;) {
        code = vq_pop(q, &d->chain[0]);
        if (code > 0)
            head[n++] = d->chain[0].head;
        else if (code < 0 || !vq_listen(q))
            break;
        else
            looks++;
    }
    for (unsigned i = n; i--;) {
        d->chain[0].head = head[i];
        vq_unpop(q, &d->chain[0]);
    }
    if (code < 0)
        virtio_needs_reset(&d->v, q->broken);
    d->most = (uint16_t)(n > d->most ? n : d->most);
    return n;
}

bool vinput_idle(struct vinput *d)
{
    return !vinput_listens(d) || vinput_room(d) >= d->most;
}

void vinput_on_room(struct vinput *d, void (*room)(void *ctx), void *ctx)
{
    d->room = room;
    d->ctx = ctx;
}

/* ---- from the guest ---- */

static void status_take(struct vinput *d, const uint8_t *e)
{
    unsigned code = le16_get(e + 2);

    ledger_add(d->row, true, EVENT_LEN);
    if (le16_get(e) != VINPUT_LED || code >= LEDS_MAX || !vinput_can(d, VINPUT_LED, code))
        return;
    if (le32_get(e + 4))
        d->leds |= (uint16_t)(1u << code);
    else
        d->leds &= (uint16_t) ~(1u << code);
}

/* Bound: STATUS_MOST events a chain, one ring's worth of chains a kick. */
static void status_walk(struct vinput *d)
{
    struct vq *q = &d->v.queue[STATUS].vq;
    struct vq_chain *c = &d->chain[0];
    uint8_t e[EVENT_LEN];
    int got = 0;

    vq_quiet(q);
    for (unsigned n = 0; n < q->conf.size; n++) {
        got = vq_pop(q, c);
        if (got <= 0)
            break;
        for (unsigned i = 0; i < STATUS_MOST; i++) {
            if (vq_get(q, c, (uint64_t)EVENT_LEN * i, e, EVENT_LEN))
                break;
            status_take(d, e);
        }
        vq_push(q, c->head, 0);
        virtio_done(&d->v, STATUS);
    }
    if (got < 0)
        virtio_needs_reset(&d->v, q->broken);
    else if (vq_listen(q))
        virtio_again(&d->v, STATUS);
}

static void vinput_notify(void *dev, unsigned queue)
{
    struct vinput *d = dev;

    if (queue == STATUS)
        status_walk(d);
    else
        vq_quiet(events(d)); /* until somebody asks for room */
    if (queue == EVENTS && d->room)
        d->room(d->ctx);
}

unsigned vinput_leds(const struct vinput *d)
{
    return d->leds;
}

/* ---- life ---- */

static void vinput_stop(void *dev)
{
    struct vinput *d = dev;

    d->leds = d->most = 0;
    d->select = d->subsel = 0;
    if (d->room) /* nobody takes what waits: it need not wait any longer */
        d->room(d->ctx);
}

static void vinput_state(void *dev, struct state *st)
{
    struct vinput *d = dev;

    state_section(st, "virtio-input", 1);
    vport_state(&d->port, st);
    state_u8(st, &d->select);
    state_u8(st, &d->subsel);
    state_u16(st, &d->leds);
}

static void vinput_reset(void *dev)
{
    struct vinput *d = dev;

    vport_reset(&d->port);
}

static void vinput_destroy(void *dev)
{
    struct vinput *d = dev;

    d->room = NULL;
    vport_detach(&d->port);
    free(d);
}

static const struct virtio_class vinput_virtio = {
    .name = "virtio-input",
    .id = 18,
    .pci_class = 0x098000, /* input device, other */
    .queues = QUEUES,
    .queue_max = QUEUE_SIZE,
    .cfg_len = CFG_LEN,
    .cfg_read = vinput_cfg_read,
    .cfg_write = vinput_cfg_write,
    .notify = vinput_notify,
    .reset = vinput_stop,
};

int vinput_create(struct vinput **out, const struct dev_env *env, const struct vinput_opts *o)
{
    struct vinput *d = calloc(1, sizeof(*d));
    int err = -ENOMEM;

    if (!d)
        return -ENOMEM;
    d->is = o->kind;
    d->serial = o->serial;
    d->row = ledger_row(env->ledger, LEDGER_INPUT, env->name, "events");
    if (!d->row)
        goto out;
    virtio_init(&d->v, &vinput_virtio, d, o->packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0, 0);
    err = vport_attach(&d->port, &d->v, env, o->mmio);
    if (err)
        goto out;
    *out = d;
    return 0;
out:
    free(d);
    return err;
}

const struct dev_class vinput_class = {
    .name = "virtio-input",
    .summary = "keyboard or tablet (VIRTIO 1.2)",
    .reset = vinput_reset,
    .state = vinput_state,
    .destroy = vinput_destroy,
};
