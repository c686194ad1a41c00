/* A serial port's other end behind a tap: what is sent is compared, what arrives is an event. */
#include "record/rec_impl.h"
#include <stdlib.h>

#define RECV_MAX 4096u /* bytes handed over at once; ports have room for 16 */

static struct rec_chr *wrap_of(struct chr *c)
{
    return container_of(c, struct rec_chr, chr);
}

static void wrap_send(struct chr *c, const uint8_t *buf, size_t len)
{
    struct rec_chr *w = wrap_of(c);
    struct rec_text *t = rec_new(w->dev);

    rec_add(t, "chr send ");
    rec_add_data(t, buf, len);
    rec_put(w->dev);
    if (w->inner)
        chr_send(w->inner, buf, len);
}

static void wrap_flush(struct chr *c)
{
    struct rec_chr *w = wrap_of(c);

    if (w->inner)
        w->inner->ops->flush(w->inner);
}

static void wrap_ready(struct chr *c)
{
    struct rec_chr *w = wrap_of(c);

    if (w->inner)
        chr_ready(w->inner);
}

static size_t room(void *front)
{
    const struct rec_chr *w = front;

    return w->chr.room ? w->chr.room(w->chr.front) : 0;
}

static void arrived(struct rec_chr *w, const uint8_t *buf, size_t len)
{
    rec_begin(w->dev);
    rec_add(rec_new(w->dev), "chr recv ");
    rec_add_data(&w->dev->rec->tmp, buf, len);
    rec_head(w->dev);
    if (w->chr.recv)
        w->chr.recv(w->chr.front, buf, len);
    rec_end(w->dev);
}

static void recv(void *front, const uint8_t *buf, size_t len)
{
    arrived(front, buf, len);
}

void rec_chr_play(struct rec_dev *d, const char *rest)
{
    size_t len = rec_data_len(rest);
    uint8_t buf[RECV_MAX];

    if (len > sizeof(buf) || !rec_data(rest, buf, len))
        rec_differ(d->rec, "not bytes that a port could receive: %.60s", rest);
    else if (!d->chr || len > room(d->chr))
        rec_differ(d->rec, "%s: expected room for %zu bytes, got room for %zu", d->name, len,
                   d->chr ? room(d->chr) : 0);
    else
        arrived(d->chr, buf, len);
}

static void wrap_close(struct chr *c)
{
    free(wrap_of(c));
}

static const struct chr_ops wrap_ops = {
    .send = wrap_send, .flush = wrap_flush, .ready = wrap_ready, .close = wrap_close};

struct chr *rec_chr(struct tap *t, struct chr *chr)
{
    struct rec_dev *d = t ? rec_dev_of(t) : NULL;
    struct rec_chr *w;

    if (!d || !chr)
        return chr;
    w = d->chr ? NULL : calloc(1, sizeof(*w));
    if (!w) {
        d->rec->short_of = true;
        return chr;
    }
    w->chr = (struct chr){.ops = &wrap_ops, .loop = chr->loop};
    w->dev = d;
    d->chr = w;
    if (d->rec->play)
        return &w->chr;
    w->inner = chr;
    chr->front = w;
    chr->room = room;
    chr->recv = recv;
    return &w->chr;
}

void rec_chr_close(struct rec_chr *w)
{
    if (w->inner) {
        w->inner->front = NULL;
        w->inner->room = NULL;
        w->inner->recv = NULL;
    }
    free(w);
}

/* ---- the console of a replayed machine ---- */

static void none_send(struct chr *c, const uint8_t *buf, size_t len)
{
    (void)c;
    (void)buf;
    (void)len;
}

static void none(struct chr *c)
{
    (void)c;
}

struct chr *rec_console(struct rec *r)
{
    static const struct chr_ops ops = {.send = none_send, .flush = none, .close = none};

    r->console.ops = &ops;
    return &r->console;
}
