/*
 * A network behind a tap. What the NIC sends is compared; frames that arrive, the link, and whether
 * there was room are what comes from outside. Making, all goes on to the backend; playing, the file
 * is the backend.
 *
 * Some of it comes while the NIC itself calls (a frame that waited, when it says it has room
 * again): in the file those are lines of the event under way.
 */
#include "back/net_offload.h"
#include "record/rec_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE_MAX 4u /* calls of the NIC, and back, one inside of the other */

static struct rec_net *wrap_of(struct net *n)
{
    return container_of(n, struct rec_net, net);
}

static bool playing(const struct rec_net *w)
{
    return w->dev->rec->play;
}

static void say(struct rec_net *w, const char *what)
{
    rec_add(rec_new(w->dev), "net %s", what);
    rec_put(w->dev);
}

/* ---- frames as text ---- */

/* What is still to be done to it, if anything. */
static void add_todo(struct rec_text *t, const struct net_frame *f)
{
    if (f->todo)
        rec_add(t, " todo=%x,%x,%x,%x,%x", f->todo, f->csum_start, f->csum_offset, f->gso_size,
                f->hdr_len);
}

static size_t flatten(struct rec_net *w, const struct net_frame *f)
{
    size_t at = 0;

    for (int i = 0; i < f->iovs && f->iov[i].iov_len <= sizeof(w->buf) - at; i++) {
        memcpy(w->buf + at, f->iov[i].iov_base, f->iov[i].iov_len);
        at += f->iov[i].iov_len;
    }
    return at;
}

/* "DATA [todo=…]" into w->frame and f. */
static bool frame_read(struct rec_net *w, const char *s, struct net_frame *f)
{
    size_t len = rec_data_len(s);
    const char *todo = strchr(s, ' ');
    unsigned v[5] = {0};
    int end = -1;

    if (len > sizeof(w->frame) || !rec_data(s, w->frame, len))
        return false;
    if (todo &&
        (sscanf(todo, " todo=%x,%x,%x,%x,%x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &end) != 5 ||
         end < 0 || todo[end]))
        return false;
    w->iov = (struct iovec){w->frame, len};
    *f = (struct net_frame){.iov = &w->iov,
                            .iovs = 1,
                            .len = len,
                            .todo = v[0],
                            .csum_start = (uint16_t)v[1],
                            .csum_offset = (uint16_t)v[2],
                            .gso_size = (uint16_t)v[3],
                            .hdr_len = (uint16_t)v[4]};
    return v[1] <= UINT16_MAX && v[2] <= UINT16_MAX && v[3] <= UINT16_MAX && v[4] <= UINT16_MAX;
}

/* ---- to the guest: what each thing from outside does ---- */

static bool hand_over(void *wrap, const struct net_frame *f)
{
    struct rec_net *w = wrap;
    bool ok = w->net.front.recv && w->net.front.recv(w->net.front.front, f);

    say(w, ok ? "taken" : "refused");
    return ok;
}

static void do_end(struct rec_net *w)
{
    if (w->net.front.recv_end)
        w->net.front.recv_end(w->net.front.front);
}

static void do_room(struct rec_net *w)
{
    if (w->net.front.room)
        w->net.front.room(w->net.front.front);
}

static void do_link(struct rec_net *w, bool up, unsigned takes)
{
    w->net.up = up;
    w->net.takes = takes;
    if (w->net.front.link)
        w->net.front.link(w->net.front.front, up);
}

/* ---- making: the backend calls ---- */

static bool on_recv(void *front, const struct net_frame *f)
{
    struct rec_net *w = front;
    struct rec_text *t;
    bool ok;

    rec_begin(w->dev);
    t = rec_new(w->dev);
    rec_add(t, "net recv ");
    rec_add_data(t, w->buf, flatten(w, f));
    add_todo(t, f);
    rec_head(w->dev);
    ok = hand_over(w, f);
    rec_end(w->dev);
    return ok;
}

static void on_recv_end(void *front)
{
    struct rec_net *w = front;

    rec_begin(w->dev);
    rec_add(rec_new(w->dev), "net end");
    rec_head(w->dev);
    do_end(w);
    rec_end(w->dev);
}

static void on_link(void *front, bool up)
{
    struct rec_net *w = front;

    rec_begin(w->dev);
    rec_add(rec_new(w->dev), "net link %u %x", up, w->inner->takes);
    rec_head(w->dev);
    do_link(w, up, w->inner->takes);
    rec_end(w->dev);
}

static void on_room(void *front)
{
    struct rec_net *w = front;

    rec_begin(w->dev);
    rec_add(rec_new(w->dev), "net room");
    rec_head(w->dev);
    do_room(w);
    rec_end(w->dev);
}

/* ---- playing: the file calls ---- */

static void play_recv(struct rec_net *w, const char *rest)
{
    struct net_frame f;

    if (!frame_read(w, rest, &f) ||
        net_finish(&f, w->net.front.takes, NULL, hand_over, w) == -EINVAL)
        rec_differ(w->dev->rec, "%s: not a frame that a network could deliver: %.60s", w->dev->name,
                   rest);
}

static void play_link(struct rec_net *w, const char *rest)
{
    uint64_t up, takes;

    if (rec_number(&rest, 10, &up) && rec_number(&rest, 16, &takes) && !*rest && up <= 1 &&
        takes <= UINT16_MAX)
        do_link(w, up, (unsigned)takes);
    else
        rec_differ(w->dev->rec, "%s: not a state of a link: %.40s", w->dev->name, rest);
}

/* False: it is nothing that comes from outside. */
static bool play_line(struct rec_net *w, const char *rest)
{
    if (!strncmp(rest, "recv ", 5))
        play_recv(w, rest + 5);
    else if (!strncmp(rest, "link ", 5))
        play_link(w, rest + 5);
    else if (!strcmp(rest, "end"))
        do_end(w);
    else if (!strcmp(rest, "room"))
        do_room(w);
    else
        return false;
    return true;
}

void rec_net_play(struct rec_dev *d, const char *rest)
{
    rec_begin(d);
    if (!d->net || !play_line(d->net, rest))
        rec_differ(d->rec, "%s: not what a network does: %.60s", d->name, rest);
    rec_end(d);
}

static bool outside(const char *rest)
{
    return !strncmp(rest, "recv ", 5) || !strncmp(rest, "link ", 5) || !strcmp(rest, "end") ||
           !strcmp(rest, "room");
}

/* While the NIC called: what came back before the call returned. Each round takes a line. */
static void play_inside(struct rec_net *w)
{
    struct rec *r = w->dev->rec;
    const char *line;

    if (++w->inside > INSIDE_MAX)
        rec_differ(r, "%s: calls nest deeper than a backend's", w->dev->name);
    while (!r->closed && (line = rec_peek(r, "net ")) && outside(line + 4)) {
        rec_skip(r);
        play_line(w, line + 4);
    }
    w->inside--;
}

/* ---- from the guest ---- */

static bool wrap_send(struct net *n, const struct net_frame *f)
{
    struct rec_net *w = wrap_of(n);
    struct rec_text *t = rec_new(w->dev);
    bool ok;

    rec_add(t, "net send ");
    rec_add_sum(t, w->buf, flatten(w, f));
    add_todo(t, f);
    rec_put(w->dev);
    if (!playing(w)) {
        ok = net_send(w->inner, f);
        if (!ok)
            say(w, "lost");
        return ok;
    }
    play_inside(w);
    ok = !rec_peek(w->dev->rec, "net lost");
    if (!ok)
        rec_skip(w->dev->rec);
    return ok;
}

static bool wrap_full(struct net *n)
{
    struct rec_net *w = wrap_of(n);
    const char *answer;
    bool full;

    rec_add(rec_new(w->dev), "net full");
    if (playing(w)) {
        answer = rec_take(w->dev);
        return answer && *answer == '1';
    }
    full = net_full(w->inner);
    rec_add(rec_new(w->dev), "net full %u", full);
    rec_put(w->dev);
    return full;
}

static void wrap_flush(struct net *n)
{
    struct rec_net *w = wrap_of(n);

    say(w, "flush");
    if (playing(w))
        play_inside(w);
    else
        net_flush(w->inner);
}

static void wrap_ready(struct net *n)
{
    struct rec_net *w = wrap_of(n);

    say(w, "ready");
    if (playing(w))
        play_inside(w);
    else
        net_ready(w->inner);
}

/* ---- life ---- */

static void wrap_attach(struct net *n)
{
    struct rec_net *w = wrap_of(n);
    const struct net_front front = {.recv = on_recv,
                                    .recv_end = on_recv_end,
                                    .link = on_link,
                                    .room = on_room,
                                    .front = w,
                                    .takes = n->front.takes};

    if (w->inner)
        net_attach(w->inner, n->front.recv ? &front : NULL);
    else
        play_inside(w);
}

static void wrap_close(struct net *n)
{
    free(wrap_of(n));
}

static const struct net_ops wrap_ops = {.name = "recorded",
                                        .send = wrap_send,
                                        .flush = wrap_flush,
                                        .ready = wrap_ready,
                                        .full = wrap_full,
                                        .attach = wrap_attach,
                                        .close = wrap_close};

struct net *rec_net(struct tap *t, struct net *net)
{
    struct rec_dev *d = t ? rec_dev_of(t) : NULL;
    struct rec_net *w;

    if (!d || !net)
        return net;
    w = d->net ? NULL : calloc(1, sizeof(*w));
    if (!w) {
        d->rec->short_of = true;
        return net;
    }
    w->net = (struct net){
        .ops = &wrap_ops, .loop = net->loop, .takes = net->takes, .up = net->up, .row = &w->row};
    snprintf(w->net.name, sizeof(w->net.name), "%s", net->name);
    w->inner = d->rec->play ? NULL : net;
    w->dev = d;
    d->net = w;
    return &w->net;
}

void rec_net_close(struct rec_net *w)
{
    free(w);
}

/* ---- networks of a replayed machine ---- */

static bool none_send(struct net *n, const struct net_frame *f)
{
    (void)n;
    (void)f;
    return false;
}

static void none_close(struct net *n)
{
    (void)n;
}

struct net *rec_nic(struct rec *r, unsigned n)
{
    static const struct net_ops ops = {.name = "none", .send = none_send, .close = none_close};
    struct net *net = &r->nic[n];

    *net = (struct net){.ops = &ops, .takes = r->m.nic[n].takes, .up = r->m.nic[n].up};
    if (net_init(net, r->m.nic[n].name, r->player.loop, r->ledger))
        return NULL;
    return net;
}
