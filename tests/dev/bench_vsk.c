/* The host's side of a vsock, for scripts and fuzzers. */
#include "bench_vsk.h"
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct bench_stream *of(struct vsk_end *e)
{
    return container_of(e, struct bench_stream, end);
}

static struct bench_vsk *vsk_of(struct vsk *k)
{
    return container_of(k, struct bench_vsk, vsk);
}

static unsigned ready_for(const struct bench_stream *s)
{
    unsigned in = s->said_len || s->eof || s->gone || s->broken ? VSK_IN : 0;

    return s->watch & (in | (s->heard_len < s->room || s->broken ? VSK_OUT : 0));
}

/* As a level-triggered poll would tell, once a change. */
static void work_run(void *arg)
{
    struct bench_vsk *k = arg;

    for (unsigned i = 0; i < k->streams; i++) {
        struct bench_stream *s = k->stream[i];
        unsigned what = s->closed || s->pending ? 0 : ready_for(s);

        if (what && k->vsk.front.ready)
            k->vsk.front.ready(s->end.conn, what | (s->gone ? VSK_GONE : 0));
    }
}

static struct bench_stream *stream_new(struct bench_vsk *k)
{
    struct bench_stream *s = k->streams < BENCH_STREAMS ? calloc(1, sizeof(*s)) : NULL;

    if (!s)
        return NULL;
    *s = (struct bench_stream){.end.vsk = &k->vsk, .k = k, .room = BENCH_STREAM};
    s->heard = malloc(BENCH_STREAM);
    s->said = malloc(BENCH_STREAM);
    k->stream[k->streams++] = s;
    if (s->heard && s->said)
        return s;
    s->closed = true;
    return NULL;
}

/* ---- what the device calls ---- */

static int fake_connect(struct vsk *vsk, uint64_t cid, uint32_t port, struct vsk_end **out)
{
    struct bench_vsk *k = vsk_of(vsk);
    struct bench_stream *s;

    if (cid == VSK_CID_HOST ? port != k->listening : port != k->pending)
        return -ECONNREFUSED;
    s = stream_new(k);
    if (!s)
        return -ENOMEM;
    s->port = port;
    s->pending = cid != VSK_CID_HOST;
    *out = &s->end;
    return s->pending ? -EINPROGRESS : 0;
}

static ssize_t fake_read(struct vsk_end *e, const struct iovec *iov, int n)
{
    struct bench_stream *s = of(e);
    size_t at = 0;

    if (s->broken)
        return -ECONNRESET;
    for (int i = 0; i < n && at < s->said_len; i++) {
        size_t k = iov[i].iov_len < s->said_len - at ? iov[i].iov_len : s->said_len - at;

        memcpy(iov[i].iov_base, s->said + at, k);
        at += k;
    }
    memmove(s->said, s->said + at, s->said_len - at);
    s->said_len -= at;
    return at ? (ssize_t)at : s->eof || s->gone ? 0 : -EAGAIN;
}

static void say(struct bench_stream *s, const void *p, size_t len)
{
    if (len > BENCH_STREAM - s->said_len)
        len = BENCH_STREAM - s->said_len;
    memcpy(s->said + s->said_len, p, len);
    s->said_len += len;
    loop_defer(s->k->loop, &s->k->work);
}

static ssize_t fake_write(struct vsk_end *e, const struct iovec *iov, int n)
{
    struct bench_stream *s = of(e);
    size_t all = 0;

    if (s->gone || s->broken)
        return -EPIPE;
    for (int i = 0; i < n; i++) {
        size_t room = s->heard_len < s->room ? s->room - s->heard_len : 0;
        size_t k = iov[i].iov_len < room ? iov[i].iov_len : room;

        if (s->k->echo)
            say(s, iov[i].iov_base, k);
        else
            memcpy(s->heard + s->heard_len, iov[i].iov_base, k);
        s->heard_len += s->k->echo ? 0 : k;
        all += k;
    }
    return all ? (ssize_t)all : -EAGAIN;
}

static void fake_watch(struct vsk_end *e, unsigned what)
{
    of(e)->watch = what;
    loop_defer(of(e)->k->loop, &of(e)->k->work);
}

static void fake_accepted(struct vsk_end *e, uint32_t port)
{
    of(e)->port = port;
}

static void fake_shut(struct vsk_end *e)
{
    of(e)->shut = true;
}

static void fake_close(struct vsk_end *e)
{
    of(e)->closed = true;
}

static void fake_free(struct vsk *vsk)
{
    struct bench_vsk *k = vsk_of(vsk);

    loop_work_cancel(k->loop, &k->work);
    for (unsigned i = 0; i < k->streams; i++) {
        free(k->stream[i]->heard);
        free(k->stream[i]->said);
        free(k->stream[i]);
    }
    free(k);
}

static const struct vsk_ops fake_ops = {
    .name = "bench",
    .connect = fake_connect,
    .read = fake_read,
    .write = fake_write,
    .watch = fake_watch,
    .accepted = fake_accepted,
    .shut = fake_shut,
    .close = fake_close,
    .free = fake_free,
};

struct bench_vsk *bench_vsk_open(struct bench *b)
{
    struct bench_vsk *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    *k = (struct bench_vsk){.vsk.ops = &fake_ops, .loop = b->loop, .work = {work_run, k, NULL, 0}};
    b->vsk = k;
    return k;
}

void bench_vsk_close(struct bench *b)
{
    if (b->vsk)
        vsk_free(&b->vsk->vsk);
    b->vsk = NULL;
}

/* ---- what the host does ---- */

/* Runs what it leads to, as the loop would. */
static void settle(struct bench *b)
{
    loop_defer(b->loop, &b->vsk->work);
    for (int i = 0; i < 16 && loop_deferred_pending(b->loop); i++)
        loop_deferred_run(b->loop);
}

static struct bench_stream *stream_of(struct bench *b, unsigned n)
{
    struct bench_stream *s = b->vsk && n < b->vsk->streams ? b->vsk->stream[n] : NULL;

    return s && !s->closed ? s : NULL;
}

bool bench_vsk_dial(struct bench *b, uint32_t port)
{
    struct bench_stream *s;
    bool took;

    pthread_mutex_lock(&b->lock);
    s = stream_new(b->vsk);
    took = s && b->vsk->vsk.front.incoming(b->vsk->vsk.front.front, &s->end, port);
    if (s && !took)
        s->closed = true;
    settle(b);
    pthread_mutex_unlock(&b->lock);
    return took;
}

void bench_vsk_say(struct bench *b, unsigned stream, const void *p, size_t len)
{
    struct bench_stream *s;

    pthread_mutex_lock(&b->lock);
    s = stream_of(b, stream);
    if (s)
        say(s, p, len);
    settle(b);
    pthread_mutex_unlock(&b->lock);
}

void bench_vsk_end(struct bench *b, unsigned stream, bool gone)
{
    struct bench_stream *s;

    pthread_mutex_lock(&b->lock);
    s = stream_of(b, stream);
    if (s) {
        s->eof = true;
        s->gone |= gone;
    }
    settle(b);
    pthread_mutex_unlock(&b->lock);
}

void bench_vsk_room(struct bench *b, unsigned stream, size_t room)
{
    struct bench_stream *s;

    pthread_mutex_lock(&b->lock);
    s = stream_of(b, stream);
    if (s)
        s->room = room < BENCH_STREAM ? room : BENCH_STREAM;
    settle(b);
    pthread_mutex_unlock(&b->lock);
}

void bench_vsk_answer(struct bench *b, unsigned stream, bool yes)
{
    struct bench_stream *s;

    pthread_mutex_lock(&b->lock);
    s = stream_of(b, stream);
    if (s && s->pending) {
        s->pending = false;
        b->vsk->vsk.front.ready(s->end.conn, yes ? VSK_OPEN : VSK_GONE);
    }
    settle(b);
    pthread_mutex_unlock(&b->lock);
}

/* ---- verbs ---- */

static int heard(struct bench_stream *st, struct script *s, int argc, char **argv,
                 struct error *err)
{
    uint8_t *want = NULL;
    size_t len = 0;
    int e = 0;

    if (strcmp(argv[0], "none"))
        e = script_bytes(s, argc, argv, &want, &len, err);
    if (!e && len != st->heard_len)
        e = error_set(err, -EPROTO, "expected %zu bytes, %zu were heard", len, st->heard_len);
    if (!e && len)
        e = script_same(st->heard, want, len, err);
    st->heard_len = 0; /* there is room again */
    free(want);
    return e;
}

static const char *how(const struct bench_stream *s)
{
    return s->closed ? "closed" : s->shut ? "shut" : s->pending ? "pending" : "open";
}

static int says(struct bench *b, unsigned n, struct script *s, int argc, char **argv,
                struct error *err)
{
    uint8_t *p = NULL;
    size_t len = 0;
    int e = script_bytes(s, argc, argv, &p, &len, err);

    if (!e)
        bench_vsk_say(b, n, p, len);
    free(p);
    return e;
}

/* With a stream's number: say BYTES | heard BYTES | room N | eof | gone | answer yes | is WORD |
 * port N */
static int of_stream(struct bench *b, unsigned n, struct script *s, int argc, char **argv,
                     struct error *err)
{
    const char *w = argv[0], *arg = argc > 1 ? argv[1] : "";
    struct bench_stream *st = n < b->vsk->streams ? b->vsk->stream[n] : NULL;
    uint64_t v = 0;
    int e = 0;

    if (!st)
        return error_set(err, -EINVAL, "there is no stream %u", n);
    if (!strcmp(w, "say") && argc > 1)
        return says(b, n, s, argc - 1, argv + 1, err);
    if (!strcmp(w, "port") && argc > 1)
        return script_expect(s, arg, st->port, err);
    if (!strcmp(w, "is"))
        return strcmp(how(st), arg) ? error_set(err, -EPROTO, "the stream is %s", how(st)) : 0;
    if (!strcmp(w, "heard") && argc > 1) {
        e = heard(st, s, argc - 1, argv + 1, err);
        bench_vsk_room(b, n, st->room);
        return e;
    }
    if (!strcmp(w, "eof") || !strcmp(w, "gone"))
        bench_vsk_end(b, n, *w == 'g');
    else if (!strcmp(w, "answer"))
        bench_vsk_answer(b, n, !strcmp(arg, "yes"));
    else if (!strcmp(w, "room") && !(e = script_number(s, arg, &v, err)))
        bench_vsk_room(b, n, v);
    else if (!e)
        e = error_set(err, -EINVAL, "%s: no such word of vsk", w);
    return e;
}

/* vsk open | echo | listen PORT | peer PORT | dial PORT | dial refused PORT | streams N | N … */
int bench_vsk_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    const char *w = argv[1];
    uint64_t v = 0;
    int e;

    if (!strcmp(w, "open"))
        return !b->vsk && bench_vsk_open(b) ? 0 : error_set(err, -EINVAL, "there is one");
    if (!b->vsk)
        return error_set(err, -EINVAL, "vsk open comes first");
    if (!strcmp(w, "echo")) {
        b->vsk->echo = true;
        return 0;
    }
    if (!strcmp(w, "streams") && argc == 3)
        return script_expect(s, argv[2], b->vsk->streams, err);
    e = script_number(s, argc > 2 && *w >= 'a' ? argv[argc - 1] : w, &v, err);
    if (e)
        return e;
    if (!strcmp(w, "listen"))
        b->vsk->listening = (uint32_t)v;
    else if (!strcmp(w, "peer"))
        b->vsk->pending = (uint32_t)v;
    else if (!strcmp(w, "dial"))
        return bench_vsk_dial(b, (uint32_t)v) == (argc == 3)
                   ? 0
                   : error_set(err, -EPROTO, "it was %s", argc == 3 ? "refused" : "taken");
    else if (argc > 2)
        return of_stream(b, (unsigned)v, s, argc - 2, argv + 2, err);
    return 0;
}
