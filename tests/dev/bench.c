/* The test bench: what is behind tests/dev/bench.h except the verbs of scripts. */
#include "bench.h"
#include "bench_net.h"
#include "bench_vsk.h"
#include "bus/pci.h"
#include "core/ledger.h"
#include "core/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VCPUS 2

static void world_state(void *ctx, struct state *st)
{
    bench_state(ctx, st);
}

static void world_reset(void *ctx)
{
    bench_reset(ctx);
}

struct bench *bench_open(uint64_t ram)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->ram.fd = -1;
    pthread_mutex_init(&b->lock, NULL);
    b->ledger = ledger_open();
    b->loop = loop_open(&b->lock, true);
    b->bus = bus_open(b->ledger);
    b->pci = b->bus ? pci_bus_open(b->bus) : NULL;
    if (!b->ledger || !b->loop || !b->bus || !b->pci || ram_open(&b->ram, ram) ||
        dispatch_init(&b->dispatch, b->bus, b->loop, &b->lock, b->ledger, VCPUS)) {
        bench_close(b);
        return NULL;
    }
    bench_pages(b);
    b->world = (struct script_world){.trap = dispatch_trap,
                                     .trap_ctx = &b->dispatch,
                                     .ram = &b->ram,
                                     .loop = b->loop,
                                     .ledger = b->ledger,
                                     .ctx = b,
                                     .state = world_state,
                                     .reset = world_reset,
                                     .verb = bench_verb};
    return b;
}

void bench_close(struct bench *b)
{
    unsigned i;

    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    for (i = b->devs; i-- > 0;)
        b->dev[i].cls->destroy(b->dev[i].dev);
    for (i = 0; i < b->disks; i++)
        blk_close(b->disk[i].blk);
    bench_nets_close(b);
    bench_vsk_close(b);
    pthread_mutex_unlock(&b->lock);
    dispatch_free(&b->dispatch);
    if (b->pci)
        pci_bus_close(b->pci);
    bus_close(b->bus);
    loop_close(b->loop);
    ram_close(&b->ram);
    ledger_close(b->ledger);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void bench_reset(struct bench *b)
{
    unsigned i;

    pthread_mutex_lock(&b->lock);
    for (i = 0; i < b->devs; i++)
        b->dev[i].cls->reset(b->dev[i].dev);
    pthread_mutex_unlock(&b->lock);
}

void bench_state(struct bench *b, struct state *st)
{
    unsigned i;

    pthread_mutex_lock(&b->lock);
    for (i = 0; i < b->devs; i++)
        b->dev[i].cls->state(b->dev[i].dev, st);
    pthread_mutex_unlock(&b->lock);
}

/* Interrupt lines, messages, events. */

static void line_set(void *line, unsigned pin, bool level)
{
    struct bench_line *l = line;

    (void)pin;
    l->edges += level && !l->level;
    l->level = level;
}

struct irq bench_line(struct bench *b, const char *name)
{
    struct bench_line *l;
    unsigned i;

    for (i = 0; i < b->lines; i++)
        if (!strcmp(b->line[i].name, name))
            return (struct irq){.set = line_set, .chip = &b->line[i]};
    if (b->lines == BENCH_LINES)
        return (struct irq){0};
    l = &b->line[b->lines++];
    snprintf(l->name, sizeof(l->name), "%s", name);
    return (struct irq){.set = line_set, .chip = l};
}

static void msi_send(void *bench, uint64_t addr, uint32_t data)
{
    struct bench *b = bench;

    b->msi[b->msi_sent % BENCH_MSIS].addr = addr;
    b->msi[b->msi_sent % BENCH_MSIS].data = data;
    b->msi_sent++;
}

void bench_event(struct bench *b, const char *name)
{
    snprintf(b->event[b->event_sent++ % BENCH_EVENTS], BENCH_NAME, "%s", name);
}

void bench_pins(struct bench *b, const char *name, void (*set)(void *, unsigned, bool), void *chip)
{
    struct bench_pins *p;

    if (b->pin_sets == BENCH_PINS)
        return;
    p = &b->pins[b->pin_sets++];
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->set = set;
    p->chip = chip;
}

/* Disks. */

struct blk *bench_disk(struct bench *b, const char *name)
{
    unsigned i;

    for (i = 0; name && i < b->disks; i++)
        if (!strcmp(b->disk[i].name, name))
            return b->disk[i].blk;
    return NULL;
}

/* Devices. */

static const char *arg_find(struct bench_args *a, const char *key)
{
    size_t n = strlen(key);
    int i;

    for (i = 0; i < a->words; i++) {
        if (strncmp(a->word[i], key, n) || a->word[i][n] != '=')
            continue;
        a->used[i] = true;
        return a->word[i] + n + 1;
    }
    return NULL;
}

const char *bench_arg_text(struct bench_args *a, const char *key, const char *otherwise)
{
    const char *text = arg_find(a, key);

    return text ? text : otherwise;
}

uint64_t bench_arg(struct bench_args *a, const char *key, uint64_t otherwise)
{
    const char *text = arg_find(a, key);
    uint64_t v = otherwise;
    char *end;

    if (text && a->script) {
        if (script_number(a->script, text, &v, a->bad ? NULL : a->err))
            a->bad = true;
    } else if (text) {
        v = strtoull(text, &end, 0);
        a->bad |= *end != '\0';
    }
    return v;
}

static int args_end(const struct bench_args *a)
{
    int i;

    if (a->bad)
        return -EINVAL;
    for (i = 0; i < a->words; i++)
        if (!a->used[i])
            return error_set(a->err, -EINVAL, "%s: the device has no such option", a->word[i]);
    return 0;
}

static const struct fixture *fixture_find(const char *name)
{
    const struct fixture *const *f;

    for (f = fixtures; *f; f++)
        if (!strcmp((*f)->name, name))
            return *f;
    return NULL;
}

static int device_make(struct bench *b, const struct fixture *f, const char *name,
                       struct bench_args *a, struct error *err)
{
    struct dev *dev = &b->dev[b->devs];
    struct dev_env env = {.name = b->dev_name[b->devs],
                          .bus = b->bus,
                          .ram = &b->ram,
                          .loop = b->loop,
                          .lock = &b->lock,
                          .ledger = b->ledger,
                          .irq = bench_line(b, name),
                          .msi = {.send = msi_send, .chip = b},
                          .pci = b->pci,
                          .vwatch = &b->watch};
    int e;

    snprintf(b->dev_name[b->devs], BENCH_NAME, "%s", name);
    env.devfn = (uint8_t)bench_arg(a, "devfn", b->devs * 8);
    b->watch.check |= bench_arg(a, "check", 0) != 0;
    b->watch.offer = bench_arg(a, "offer", 0);
    b->evil = (struct vevil_opts){.seed = bench_arg(a, "evil", 0), .rate = 4};
    b->watch.evil = b->evil.seed ? &b->evil : NULL;
    dev->cls = f->cls;
    dev->name = env.name;
    pthread_mutex_lock(&b->lock);
    e = f->make(b, &env, a, dev, err);
    pthread_mutex_unlock(&b->lock);
    if (e)
        return err && !err->text[0] ? error_set(err, e, "%s: %s", name, strerror(-e)) : e;
    b->devs++;
    return args_end(a);
}

int bench_device(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    bool named = argc > 2 && !strcmp(argv[1], "as");
    int skip = named ? 3 : 1;
    const struct fixture *f = argc > 0 ? fixture_find(argv[0]) : NULL;
    struct bench_args a = {.script = s, .err = err};

    if (!f)
        return error_set(err, -EINVAL, "no device %s", argc > 0 ? argv[0] : "named");
    if (b->devs == BENCH_DEVS || argc - skip > (int)ARRAY_LEN(a.used))
        return error_set(err, -EINVAL, "too many devices or options");
    a.word = argv + skip;
    a.words = argc - skip;
    return device_make(b, f, named ? argv[2] : argv[0], &a, err);
}
