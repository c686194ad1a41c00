/* The other ends of serial ports: what arrives there, what they take, who is there. */
#include "bench.h"
#include "virtio/vcon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bench_cable *cable_of(struct chr *c)
{
    return container_of(c, struct bench_cable, chr);
}

static void cable_send(struct chr *c, const uint8_t *buf, size_t len)
{
    struct bench_cable *cable = cable_of(c);

    if (len > BENCH_CABLE - cable->len)
        len = BENCH_CABLE - cable->len; /* nobody looked: the rest falls on the floor */
    memcpy(cable->sent + cable->len, buf, len);
    cable->len += len;
    cable->takes -= cable->limited && len < cable->takes ? len : cable->takes;
}

static size_t cable_space(struct chr *c)
{
    return cable_of(c)->limited ? cable_of(c)->takes : SIZE_MAX;
}

static bool cable_size(struct chr *c, uint16_t *cols, uint16_t *rows)
{
    *cols = cable_of(c)->cols;
    *rows = cable_of(c)->rows;
    return *cols != 0;
}

static void cable_nothing(struct chr *c)
{
    (void)c;
}

struct chr *bench_cable(struct bench *b, const char *name)
{
    static const struct chr_ops ops = {.send = cable_send,
                                       .flush = cable_nothing,
                                       .close = cable_nothing,
                                       .space = cable_space,
                                       .size = cable_size};
    struct bench_cable *cable;

    if (b->cables == BENCH_CABLES)
        return NULL;
    cable = &b->cable[b->cables++];
    snprintf(cable->name, sizeof(cable->name), "%s", name);
    cable->chr.ops = &ops;
    cable->chr.loop = b->loop;
    return &cable->chr;
}

static struct bench_cable *find(struct bench *b, const char *name)
{
    for (unsigned i = 0; i < b->cables; i++)
        if (!strcmp(b->cable[i].name, name))
            return &b->cable[i];
    return NULL;
}

/* ---- verbs ---- */

/* input CABLE BYTES… | room EXPECT: what arrives at the port; how many bytes may */
static int verb_input(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct bench_cable *c = find(b, argv[1]);
    bool ask = argc == 4 && !strcmp(argv[2], "room");
    uint8_t *buf = NULL;
    size_t len = 0, room;
    int e = 0;

    if (!c || !c->chr.recv)
        return error_set(err, -EINVAL, "%s: no such cable", argv[1]);
    if (!ask)
        e = script_bytes(s, argc - 2, argv + 2, &buf, &len, err);
    if (e)
        return e;
    pthread_mutex_lock(&b->lock);
    room = c->chr.room(c->chr.front);
    if (len && len <= room)
        c->chr.recv(c->chr.front, buf, len);
    loop_deferred_run(b->loop);
    pthread_mutex_unlock(&b->lock);
    free(buf);
    if (ask)
        return script_expect(s, argv[3], room, err);
    if (len > room)
        return error_set(err, -EPROTO, "the device has room for %zu bytes, not %zu", room, len);
    return 0;
}

/* output CABLE BYTES… | none: all that the device sent since the last look */
static int verb_output(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct bench_cable *c = find(b, argv[1]);
    uint8_t *want = NULL;
    size_t len = 0;
    int e = 0;

    if (!c)
        return error_set(err, -EINVAL, "output CABLE BYTES… | none");
    if (strcmp(argv[2], "none"))
        e = script_bytes(s, argc - 2, argv + 2, &want, &len, err);
    if (!e && len != c->len)
        e = error_set(err, -EPROTO, "expected %zu bytes, %zu were sent: %.*s", len, c->len,
                      (int)(c->len < 64 ? c->len : 64), (const char *)c->sent);
    if (!e)
        e = script_same(c->sent, want, len, err);
    if (!e)
        c->len = 0;
    free(want);
    return e;
}

static void take_more(struct bench_cable *c, bool limited, uint64_t n)
{
    c->limited = limited;
    c->takes = (size_t)n;
    if ((n || !limited) && c->chr.drained)
        c->chr.drained(c->chr.front);
}

/* cable NAME takes N | all; away | here; size COLS ROWS */
static int verb_cable(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct bench_cable *c = find(b, argv[1]);
    uint64_t v[2] = {0};
    bool all = argc == 4 && !strcmp(argv[3], "all"), away = !strcmp(argv[2], "away");
    int e = c ? 0 : error_set(err, -EINVAL, "%s: no such cable", argv[1]);

    for (int i = 3; i < argc && i < 5 && !e && !all; i++)
        e = script_number(s, argv[i], &v[i - 3], err);
    if (e)
        return e;
    pthread_mutex_lock(&b->lock);
    if (!strcmp(argv[2], "takes") && argc == 4) {
        take_more(c, !all, v[0]);
    } else if (!strcmp(argv[2], "size") && argc == 5) {
        c->cols = (uint16_t)v[0];
        c->rows = (uint16_t)v[1];
        chr_resized(&c->chr);
    } else if (away || !strcmp(argv[2], "here")) {
        c->chr.away = away;
        if (c->chr.link)
            c->chr.link(c->chr.front);
    } else {
        e = error_set(err, -EINVAL, "cable NAME takes N | all; away | here; size COLS ROWS");
    }
    loop_deferred_run(b->loop);
    pthread_mutex_unlock(&b->lock);
    return e;
}

/* plug NAME in | out: a port of the virtio console */
static int verb_plug(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    int e;

    (void)s;
    if (argc != 3 || !b->vcon || (strcmp(argv[2], "in") && strcmp(argv[2], "out")))
        return error_set(err, -EINVAL, "plug NAME in | out, with a virtio-console");
    pthread_mutex_lock(&b->lock);
    e = vcon_plug(b->vcon, argv[1], !strcmp(argv[2], "in"));
    loop_deferred_run(b->loop);
    pthread_mutex_unlock(&b->lock);
    return e ? error_set(err, e, "%s: no such port", argv[1]) : 0;
}

int bench_cable_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
    } verb[] = {
        {"input", verb_input}, {"output", verb_output}, {"cable", verb_cable}, {"plug", verb_plug}};

    for (size_t i = 0; i < ARRAY_LEN(verb); i++) {
        if (strcmp(argv[0], verb[i].name))
            continue;
        if (argc < 3)
            return error_set(err, -EINVAL, "%s: words are missing", argv[0]);
        return verb[i].run(b, s, argc, argv, err);
    }
    return -ENOENT;
}
