/* A console of the hypercall family: bytes out at once, typed ones kept until they are read. */
#include "back/chr.h"
#include "core/ledger.h"
#include "core/state.h"
#include "pv/impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEN_MAX = 4096, TYPED = 4096 };

struct pv_console {
    struct pv_dev dev;
    struct chr *chr;
    uint32_t count;
    uint8_t typed[TYPED];
};

static struct pv_console *console_of(struct pv_dev *d)
{
    return container_of(d, struct pv_console, dev);
}

static void show(struct pv_console *c, struct pv_req *r)
{
    if (dma_hold(&c->dev.dma, r->z, r->len, false, &r->iov, 1) != 1) {
        pv_end_now(r, PV_E_ADDRESS);
        return;
    }
    chr_send(c->chr, r->iov.iov_base, r->len);
    pv_end(r, 0, r->len);
}

/* As many bytes as there are and fit. */
static void give(struct pv_console *c, struct pv_req *r)
{
    uint32_t n = r->len < c->count ? r->len : c->count;

    if (dma_write(&c->dev.dma, r->z, c->typed, n)) {
        pv_end_now(r, PV_E_ADDRESS);
        return;
    }
    c->count -= n;
    memmove(c->typed, c->typed + n, c->count);
    pv_end(r, 0, n);
}

static bool console_fits(struct pv_dev *dev, struct pv_req *r)
{
    struct iovec iov;

    return r->len && r->len <= LEN_MAX &&
           dma_hold(&dev->dma, r->z, r->len, r->y == PV_READ, &iov, 1) == 1;
}

static void take(struct pv_console *c, struct pv_req *r)
{
    if (!console_fits(&c->dev, r)) {
        pv_end_now(r, PV_E_ADDRESS);
    } else if (c->count) {
        give(c, r);
        chr_ready(c->chr);
    } else if (r->form == PV_FORM_RING) {
        pv_wait(&c->dev.reads, r);
    } else {
        pv_end_now(r, PV_E_AGAIN);
    }
}

static void console_start(struct pv_dev *dev, struct pv_req *r)
{
    struct pv_console *c = console_of(dev);

    if ((r->cmd & ~(PV_CMD_WAIT | PV_CMD_INTR)) != PV_CMD_START || r->y > PV_WRITE)
        pv_end_now(r, PV_E_COMMAND);
    else if (!r->len || r->len > LEN_MAX)
        pv_end_now(r, PV_E_LENGTH);
    else if (r->y == PV_WRITE)
        show(c, r);
    else
        take(c, r);
}

/* ---- what is typed ---- */

static size_t console_room(void *front)
{
    const struct pv_console *c = front;

    return TYPED - c->count;
}

static void console_recv(void *front, const uint8_t *buf, size_t len)
{
    struct pv_console *c = front;
    struct pv_req *r;

    if (len > TYPED - c->count)
        len = TYPED - c->count;
    memcpy(c->typed + c->count, buf, len);
    c->count += (uint32_t)len;
    while (c->count && (r = pv_next(&c->dev.reads))) /* bound: the units in flight */
        give(c, r);
    pv_ring_show(c->dev.pv);
}

/* ---- the device ---- */

static void console_info(struct pv_dev *dev, struct pv_device *out)
{
    (void)dev;
    out->len_max = LEN_MAX;
}

static void console_reset(struct pv_dev *dev)
{
    struct pv_console *c = console_of(dev);

    c->count = 0;
    if (c->chr)
        chr_ready(c->chr);
}

static void console_state(struct pv_dev *dev, struct state *st)
{
    struct pv_console *c = console_of(dev);

    state_u32(st, &c->count);
    if (!state_check(st, c->count <= TYPED))
        c->count = 0;
    state_bytes(st, c->typed, c->count);
}

static void console_destroy(struct pv_dev *dev)
{
    struct pv_console *c = console_of(dev);

    if (c->chr->front == c) {
        c->chr->front = NULL;
        c->chr->room = NULL;
        c->chr->recv = NULL;
    }
    free(c);
}

static const struct pv_dev_ops console_ops = {
    .kind = PV_KIND_CONSOLE,
    .start = console_start,
    .fits = console_fits,
    .info = console_info,
    .state = console_state,
    .reset = console_reset,
    .destroy = console_destroy,
};

int pv_console_add(struct pv *p, const char *name, struct chr *chr)
{
    struct pv_console *c = calloc(1, sizeof(*c));
    int err = c ? pv_dev_init(p, &c->dev, &console_ops, name) : -ENOMEM;

    if (err) {
        free(c);
        return err;
    }
    c->chr = chr;
    chr->front = c;
    chr->room = console_room;
    chr->recv = console_recv;
    return 0;
}
