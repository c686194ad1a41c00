/*
 * The control protocol: a client's bytes, cut and answered, with a real keyboard, mouse and queue
 * behind the commands. A byte 0x01 between messages lets time go on, 0x02 lets the guest read.
 */
#include "api/json_split.h"
#include "api/metrics.h"
#include "api/qmp.h"
#include "bench.h"
#include "bus/bus.h"
#include "core/loop.h"
#include "dev/typist.h"
#include "input.h"

#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAM_SIZE = 1 << 20, STEP_MS = 5, READS = 64 };

struct machine {
    struct bench *b;
    struct typist *typist;
    bool paused;
};

static bool paused(void *vm)
{
    return ((struct machine *)vm)->paused;
}

static void set_paused(void *vm, bool on)
{
    ((struct machine *)vm)->paused = on;
}

static int button(void *vm)
{
    (void)vm;
    return -ENODEV;
}

static void quit(void *vm)
{
    (void)vm;
}

static struct typist *typist(void *vm)
{
    return ((struct machine *)vm)->typist;
}

static unsigned one(void *vm)
{
    (void)vm;
    return 1;
}

static void disk(void *vm, unsigned n, struct qmp_disk *out)
{
    (void)vm, (void)n;
    *out = (struct qmp_disk){.path = "disk.img", .bytes = 1 << 20};
}

static bool screen(void *vm, struct qmp_screen *out)
{
    (void)vm;
    *out = (struct qmp_screen){640, 480, 2560, 1 << 20};
    return true;
}

static bool metrics(void *vm, struct metrics_source *out)
{
    *out = (struct metrics_source){.ledger = ((struct machine *)vm)->b->ledger, .vcpus = 1};
    return true;
}

static void event(void *ctx, const char *name, struct cJSON *data)
{
    char *line = qmp_event(name, data);

    (void)ctx;
    PROMISE(line);
    free(line);
}

static const struct qmp_ops ops = {.paused = paused,
                                   .pause = set_paused,
                                   .button = button,
                                   .quit = quit,
                                   .typist = typist,
                                   .vcpus = one,
                                   .disks = one,
                                   .disk = disk,
                                   .screen = screen,
                                   .metrics = metrics};

/* A domain: no machine. */
static const struct qmp_ops service_ops = {
    .service = true, .quit = quit, .disks = one, .disk = disk, .metrics = metrics};

/* One line, and JSON again, with exactly one of return and error. */
static void check(char *line)
{
    size_t n;
    cJSON *o;

    PROMISE(line);
    n = strlen(line);
    PROMISE(n > 4 && strchr(line, '\n') == line + n - 1);
    o = cJSON_Parse(line);
    PROMISE(o);
    PROMISE(cJSON_HasObjectItem(o, "return") != cJSON_HasObjectItem(o, "error"));
    cJSON_Delete(o);
    free(line);
}

static void guest_reads(struct machine *m)
{
    for (unsigned i = 0; i < READS && bus_read(m->b->bus, BUS_PIO, 0x64, 1) & 1; i++) {
        bus_read(m->b->bus, BUS_PIO, 0x60, 1);
        loop_step(m->b->loop, 0);
    }
}

static void client(struct machine *m, struct qmp *q, struct input *in)
{
    struct json_split s = {0};

    while (in->len) {
        uint8_t c = take_u8(in);

        if (!s.depth && c == 1)
            loop_advance(m->b->loop, STEP_MS * 1000000ull);
        if (!s.depth && c == 2)
            guest_reads(m);
        if (json_split_byte(&s, (char)c) != JSON_MESSAGE)
            continue;
        PROMISE(s.len <= JSON_MESSAGE_MAX && strlen(s.buf) <= s.len);
        pthread_mutex_lock(&m->b->lock);
        check(qmp_answer(q, s.buf, s.len));
        pthread_mutex_unlock(&m->b->lock);
        loop_step(m->b->loop, 0);
    }
    json_split_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct machine m = {.b = bench_open(RAM_SIZE)};
    struct qmp *seat = NULL;
    struct qmp q = {.ops = &ops, .vm = &m, .event = event, .ready = true, .seat = &seat};
    struct input in = {data, len};
    struct error err = {{0}};
    uint8_t first;

    PROMISE(m.b && !script_play_text("ctl", "device i8042\n", &m.b->world, &err));
    PROMISE(!typist_open(&m.typist, m.b->loop, m.b->kbd));
    first = take_u8(&in);
    q.ready = !(first & 1);
    if (first & 0x80)
        q.ops = &service_ops;
    client(&m, &q, &in);
    pthread_mutex_lock(&m.b->lock);
    qmp_end(&q);
    PROMISE(!seat && !q.held_buttons);
    for (unsigned i = 0; i < QMP_HELD; i++)
        PROMISE(!q.held[i]);
    typist_close(m.typist);
    pthread_mutex_unlock(&m.b->lock);
    bench_close(m.b);
    return 0;
}
