/* The other end of a NIC's cable, for scripts and fuzzers. */
#include "bench_net.h"
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bench_net *of(struct net *n)
{
    return container_of(n, struct bench_net, net);
}

static bool net_send_kept(struct net *net, const struct net_frame *f)
{
    struct bench_net *n = of(net);
    struct bench_frame *b = &n->frame[n->sent % BENCH_FRAMES];
    size_t at = 0;

    if (n->sent - n->seen == BENCH_FRAMES || !(b->data = malloc(f->len + 1)))
        return false;
    for (int i = 0; i < f->iovs; i++) {
        memcpy(b->data + at, f->iov[i].iov_base, f->iov[i].iov_len);
        at += f->iov[i].iov_len;
    }
    b->len = f->len;
    b->todo = f->todo;
    b->csum_start = f->csum_start;
    b->csum_offset = f->csum_offset;
    b->gso_size = f->gso_size;
    b->hdr_len = f->hdr_len;
    n->sent++;
    return at == f->len;
}

static void net_flushed(struct net *net)
{
    of(net)->flushes++;
}

static void net_readied(struct net *net)
{
    of(net)->readys++;
}

static bool net_is_full(struct net *net)
{
    return of(net)->full;
}

static void frame_drop(struct bench_net *n)
{
    free(n->frame[n->seen++ % BENCH_FRAMES].data);
}

static void net_closed(struct net *net)
{
    while (of(net)->seen != of(net)->sent)
        frame_drop(of(net));
    free(of(net));
}

static const struct net_ops bench_net_ops = {.name = "bench",
                                             .send = net_send_kept,
                                             .flush = net_flushed,
                                             .ready = net_readied,
                                             .full = net_is_full,
                                             .close = net_closed};

struct bench_net *bench_net(struct bench *b, const char *name)
{
    for (unsigned i = 0; name && i < b->nets; i++)
        if (!strcmp(b->net[i]->name, name))
            return b->net[i];
    return NULL;
}

struct bench_net *bench_net_open(struct bench *b, const char *name)
{
    struct bench_net *n = b->nets < BENCH_NETS ? calloc(1, sizeof(*n)) : NULL;

    if (!n)
        return NULL;
    snprintf(n->name, sizeof(n->name), "%s", name);
    n->net.ops = &bench_net_ops;
    n->net.up = true;
    if (net_init(&n->net, n->name, b->loop, b->ledger)) {
        free(n);
        return NULL;
    }
    b->net[b->nets++] = n;
    return n;
}

void bench_nets_close(struct bench *b)
{
    while (b->nets)
        net_close(&b->net[--b->nets]->net);
}

bool bench_net_recv(struct bench *b, struct bench_net *n, const uint8_t *p, size_t len, int pieces)
{
    struct iovec iov[NET_SEGS_MAX];
    struct net_frame f = {.iov = iov, .iovs = pieces, .len = len};
    size_t at = 0, step = len / (size_t)pieces;
    bool ok;

    for (int i = 0; i < pieces; i++, at += step)
        iov[i] = (struct iovec){(void *)(uintptr_t)(p + at), i + 1 < pieces ? step : len - at};
    pthread_mutex_lock(&b->lock);
    ok = net_recv(&n->net, &f);
    net_recv_end(&n->net);
    pthread_mutex_unlock(&b->lock);
    return ok;
}

/* ---- verbs ---- */

static int verb_recv(struct bench *b, struct bench_net *n, struct script *s, int argc, char **argv,
                     struct error *err)
{
    bool refused = argc && !strcmp(argv[0], "refused"), two = argc && !strcmp(argv[0], "pieces");
    int skip = refused || two;
    uint8_t *buf = NULL;
    size_t len = 0;
    bool took;
    int e = script_bytes(s, argc - skip, argv + skip, &buf, &len, err);

    if (e)
        return e;
    took = bench_net_recv(b, n, buf, len, two ? 3 : 1);
    free(buf);
    if (took == !refused)
        return 0;
    return error_set(err, -EPROTO, "the frame was %s", took ? "taken" : "refused");
}

static int frame_number(const struct bench_frame *f, const char *key, uint64_t *v)
{
    *v = !strcmp(key, "len")       ? f->len
         : !strcmp(key, "todo")    ? f->todo
         : !strcmp(key, "gso")     ? f->gso_size
         : !strcmp(key, "hdr")     ? f->hdr_len
         : !strcmp(key, "csum")    ? f->csum_start
         : !strcmp(key, "csum_at") ? f->csum_offset
                                   : UINT64_MAX;
    return *v == UINT64_MAX ? -EINVAL : 0;
}

/* look KEY=EXPECT …: of the oldest frame, which stays */
static int verb_look(const struct bench_frame *f, struct script *s, int argc, char **argv,
                     struct error *err)
{
    for (int i = 0; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        uint64_t v = 0;
        int e;

        if (eq)
            *eq = 0;
        if (!eq || frame_number(f, argv[i], &v))
            return error_set(err, -EINVAL, "look: len todo gso hdr csum csum_at, each =EXPECT");
        e = script_expect(s, eq + 1, v, err);
        if (e)
            return e;
    }
    return 0;
}

/* sent BYTES: the oldest frame is exactly so, and goes; part OFFSET BYTES: some of it, it stays */
static int verb_sent(struct bench_net *n, struct script *s, int argc, char **argv, bool part,
                     struct error *err)
{
    struct bench_frame *f = &n->frame[n->seen % BENCH_FRAMES];
    uint64_t at = 0;
    uint8_t *want = NULL;
    size_t len = 0;
    int e = part ? script_number(s, argv[0], &at, err) : 0;

    if (!e)
        e = script_bytes(s, argc - part, argv + part, &want, &len, err);
    if (!e && (part ? !range_in(at, len, 0, f->len) : len != f->len))
        e = error_set(err, -EPROTO, "expected %zu bytes, the frame has %zu", len, f->len);
    if (!e)
        e = script_same(f->data + at, want, len, err);
    free(want);
    if (!e && !part)
        frame_drop(n);
    return e;
}

static int verb_frames(struct bench_net *n, struct script *s, int argc, char **argv,
                       struct error *err)
{
    if (!strcmp(argv[2], "sent") && argc == 4 && !strcmp(argv[3], "none"))
        return n->sent == n->seen ? 0 : error_set(err, -EPROTO, "%u frames", n->sent - n->seen);
    if (!strcmp(argv[2], "frames") && argc == 4)
        return script_expect(s, argv[3], n->sent - n->seen, err);
    if (n->sent == n->seen)
        return error_set(err, -EPROTO, "no frame was sent");
    if (!strcmp(argv[2], "drop")) {
        frame_drop(n);
        return 0;
    }
    if (!strcmp(argv[2], "look"))
        return verb_look(&n->frame[n->seen % BENCH_FRAMES], s, argc - 3, argv + 3, err);
    return verb_sent(n, s, argc - 3, argv + 3, !strcmp(argv[2], "part"), err);
}

static int counted(struct script *s, const char *word, unsigned *count, struct error *err)
{
    unsigned was = *count;

    *count = 0;
    return script_expect(s, word, was, err);
}

static void switch_set(struct bench *b, struct bench_net *n, const char *word, bool on)
{
    pthread_mutex_lock(&b->lock);
    if (!strcmp(word, "link")) {
        net_link(&n->net, on);
    } else {
        n->full = on;
        if (!on)
            net_room(&n->net);
    }
    pthread_mutex_unlock(&b->lock);
}

/* net NAME open | recv … | sent … | part … | look … | drop | frames N | link on|off | full on|off |
 * takes N | flushes N | readys N */
int bench_net_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct bench_net *n = bench_net(b, argv[1]);
    const char *w = argv[2];
    uint64_t v = 0;

    if (!strcmp(w, "open"))
        return !n && bench_net_open(b, argv[1]) ? 0 : error_set(err, -EINVAL, "no more nets");
    if (!n || argc < 4 - !strcmp(w, "drop"))
        return error_set(err, -EINVAL, "no such net, or words are missing");
    if (!strcmp(w, "recv"))
        return verb_recv(b, n, s, argc - 3, argv + 3, err);
    if (!strcmp(w, "link") || !strcmp(w, "full")) {
        switch_set(b, n, w, !strcmp(argv[3], "on"));
        return 0;
    }
    if (!strcmp(w, "flushes") || !strcmp(w, "readys"))
        return counted(s, argv[3], *w == 'f' ? &n->flushes : &n->readys, err);
    if (!strcmp(w, "takes")) {
        int e = script_number(s, argv[3], &v, err);

        n->net.takes = (unsigned)v;
        return e;
    }
    if (!strcmp(w, "sent") || !strcmp(w, "part") || !strcmp(w, "look") || !strcmp(w, "drop") ||
        !strcmp(w, "frames"))
        return verb_frames(n, s, argc, argv, err);
    return error_set(err, -EINVAL, "%s: no such word of net", w);
}
