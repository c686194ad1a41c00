/*
 * What all network backends share: the frames pass here, are counted and written down, and what a
 * side does not take unfinished is finished (net_offload.h).
 */
#include "back/net.h"
#include "back/net_offload.h"
#include "back/net_pcap.h"
#include "core/error.h"
#include "core/ledger.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int net_init(struct net *n, const char *name, struct loop *loop, struct ledger *ledger)
{
    n->loop = loop;
    snprintf(n->name, sizeof(n->name), "%s", name ? name : "net");
    n->row = ledger_row(ledger, LEDGER_NET, n->name, n->ops->name);
    return n->row ? 0 : -ENOMEM;
}

int net_open(struct net **out, const struct net_open_opts *o, struct loop *loop,
             struct ledger *ledger, struct error *err)
{
    static const struct {
        const char *word;
        net_opener *open;
    } known[] = {{"user", net_user_open},
                 {"tap", net_tap_open},
                 {"switch", net_switch_open},
                 {"null", net_null_open}};
    size_t len = strcspn(o->spec, "=,");
    int code;

    *out = NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i].word) != len || memcmp(known[i].word, o->spec, len))
            continue;
        code = known[i].open(out, o->spec + len + (o->spec[len] != 0), o, loop, ledger, err);
        if (!code && o->pcap)
            code =
                error_lead(err, net_pcap_open(&(*out)->pcap, o->pcap, o->snaplen, err), "--net ");
        if (code && *out) {
            net_close(*out);
            *out = NULL;
        }
        return code;
    }
    return error_set(err, -EINVAL, "--net %s: must be user, tap=NAME, switch=PATH or null",
                     o->spec);
}

void net_close(struct net *n)
{
    struct net_pcap *pcap;

    if (!n)
        return;
    pcap = n->pcap;
    n->ops->close(n);
    net_pcap_close(pcap);
}

void net_attach(struct net *n, const struct net_front *front)
{
    n->front = front ? *front : (struct net_front){0};
    n->recv_all = NULL;
    n->resume = 0;
    if (n->ops->attach)
        n->ops->attach(n);
}

void net_attach_burst(struct net *n, net_recv_burst *recv_all)
{
    n->recv_all = recv_all;
}

/* ---- from the guest ---- */

static bool to_backend(void *ctx, const struct net_frame *f)
{
    struct net *n = ctx;

    if (!n->ops->send(n, f))
        return false;
    if (n->pcap)
        net_pcap_frame(n->pcap, f);
    return true;
}

bool net_send(struct net *n, const struct net_frame *f)
{
    bool ok = n->up && !net_finish(f, n->takes, NULL, to_backend, n);

    ledger_add(n->row, true, f->len);
    if (!ok)
        ledger_refuse(n->row);
    return ok;
}

/* Nothing is left to be done, and it is a frame: it passes as it is. Most are one or two pieces. */
static bool plain(const struct net_frame *f)
{
    if (f->todo)
        return false;
    if (f->iovs != 1 && (f->iovs != 2 || f->iov[1].iov_len > f->len))
        return net_frame_ok(f);
    return f->iov->iov_len == f->len - (f->iovs == 2 ? f->iov[1].iov_len : 0) &&
           f->len >= NET_FRAME_MIN && f->len <= NET_FRAME_MAX;
}

static unsigned plain_run(const struct net_frame *f, unsigned frames, size_t *bytes)
{
    unsigned n = 0;

    for (*bytes = 0; n < frames && plain(&f[n]); n++)
        *bytes += f[n].len;
    return n;
}

void net_send_all(struct net *n, const struct net_frame *f, unsigned frames)
{
    bool together = n->burst && n->up && !n->pcap;

    while (frames) { /* each round takes one at least */
        size_t bytes;
        unsigned run = together ? plain_run(f, frames, &bytes) : 0;

        if (run) {
            n->burst->send(n, f, run);
            ledger_add_all(n->row, true, run, bytes);
        } else {
            net_send(n, f);
            run = 1;
        }
        f += run;
        frames -= run;
    }
}

void net_flush(struct net *n)
{
    if (n->ops->flush)
        n->ops->flush(n);
    if (n->pcap)
        net_pcap_flush(n->pcap);
}

bool net_full(struct net *n)
{
    return n->up && n->ops->full && n->ops->full(n);
}

size_t net_quota(struct net *n)
{
    if (net_full(n))
        return 0;
    return n->up && n->burst ? n->burst->quota(n) : 1;
}

/* ---- to the guest ---- */

static bool to_front(void *ctx, const struct net_frame *f)
{
    struct net *n = ctx;

    if (!n->front.recv(n->front.front, f))
        return false;
    ledger_add(n->row, false, f->len);
    if (n->pcap)
        net_pcap_frame(n->pcap, f);
    return true;
}

void net_recv_drop(struct net *n, const struct net_frame *f)
{
    ledger_add(n->row, false, f->len);
    ledger_refuse(n->row);
    n->resume = 0;
}

bool net_recv(struct net *n, const struct net_frame *f)
{
    int err = n->front.recv ? net_finish(f, n->front.takes, &n->resume, to_front, n) : -ENODEV;

    if (err == -EAGAIN)
        return false;
    if (err)
        net_recv_drop(n, f);
    n->resume = 0;
    return true;
}

unsigned net_recv_all(struct net *n, const struct net_frame *f, unsigned frames)
{
    bool together = n->recv_all && !n->resume && !n->pcap;
    unsigned done = 0;

    while (done < frames) { /* each round takes one at least, or is the last */
        size_t bytes;
        unsigned run = together ? plain_run(f + done, frames - done, &bytes) : 0, got;

        if (!run && !net_recv(n, f + done))
            return done;
        got = run ? n->recv_all(n->front.front, f + done, run) : 1;
        if (run) {
            if (got < run) /* what it took of them */
                plain_run(f + done, got, &bytes);
            ledger_add_all(n->row, false, got, bytes);
        }
        done += got;
        if (got < run)
            return done;
    }
    return done;
}

void net_recv_end(struct net *n)
{
    if (n->front.recv_end)
        n->front.recv_end(n->front.front);
    if (n->pcap)
        net_pcap_flush(n->pcap);
}

void net_ready(struct net *n)
{
    if (n->ops->ready)
        n->ops->ready(n);
}

void net_room(struct net *n)
{
    if (n->front.room)
        n->front.room(n->front.front);
}

void net_link(struct net *n, bool up)
{
    if (n->up == up)
        return;
    n->up = up;
    if (n->front.link)
        n->front.link(n->front.front, up);
    if (!up)
        net_room(n); /* nothing is held back for a peer that isn't there */
}
