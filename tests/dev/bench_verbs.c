/* The verbs that the bench adds to register scripts; docs/script.md tells what they do. */
#include "bench.h"
#include "bench_net.h"
#include "bench_vsk.h"
#include "core/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int verb_device(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    return bench_device(b, s, argc - 1, argv + 1, err);
}

/* irq NAME high|low|edges N */
static int verb_irq(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct bench_line *line = bench_line(b, argv[1]).chip;
    uint64_t edges;

    if (!line)
        return error_set(err, -EINVAL, "too many lines");
    if (argc == 4 && !strcmp(argv[2], "edges")) {
        edges = line->edges;
        line->edges = 0;
        return script_expect(s, argv[3], edges, err);
    }
    if (argc != 3 || (strcmp(argv[2], "high") && strcmp(argv[2], "low")))
        return error_set(err, -EINVAL, "irq NAME high | low | edges N");
    if (line->level == !strcmp(argv[2], "high"))
        return 0;
    return error_set(err, -EPROTO, "expected %s, the line is %s", argv[2],
                     line->level ? "high" : "low");
}

/* msi none; msi any; msi ADDR DATA: the next message that was sent */
static int verb_msi(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    bool sent = b->msi_seen < b->msi_sent;
    unsigned at = b->msi_seen % BENCH_MSIS;
    int e;

    if (argc == 2 && !strcmp(argv[1], "none"))
        return sent ? error_set(err, -EPROTO, "expected none, 0x%" PRIx64 " 0x%" PRIx32 " was sent",
                                b->msi[at].addr, b->msi[at].data)
                    : 0;
    if (!sent)
        return error_set(err, -EPROTO, "no message was sent");
    if (argc == 2 && !strcmp(argv[1], "any")) {
        b->msi_seen++;
        return 0;
    }
    if (argc != 3)
        return error_set(err, -EINVAL, "msi none | any | ADDR DATA");
    e = script_expect(s, argv[1], b->msi[at].addr, err);
    if (!e)
        e = script_expect(s, argv[2], b->msi[at].data, err);
    if (!e)
        b->msi_seen++;
    return e;
}

/* event none; event NAME: the next thing a device asked of the machine */
static int verb_event(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    const char *next =
        b->event_seen < b->event_sent ? b->event[b->event_seen % BENCH_EVENTS] : "none";

    (void)s;
    if (argc != 2)
        return error_set(err, -EINVAL, "event none | NAME");
    if (strcmp(argv[1], next))
        return error_set(err, -EPROTO, "expected %s, got %s", argv[1], next);
    if (strcmp(next, "none"))
        b->event_seen++;
    return 0;
}

/* pin CHIP N high|low|pulse: drive an input of an interrupt controller */
static int verb_pin(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    const struct bench_pins *p;
    uint64_t n = 0;
    bool pulse;

    for (p = b->pins; p < b->pins + b->pin_sets && strcmp(p->name, argv[1]); p++)
        ;
    if (p == b->pins + b->pin_sets || argc != 4)
        return error_set(err, -EINVAL, "pin CHIP NUMBER high | low | pulse");
    if (script_number(s, argv[2], &n, err))
        return -EINVAL;
    pulse = !strcmp(argv[3], "pulse");
    if (!pulse && strcmp(argv[3], "high") && strcmp(argv[3], "low"))
        return error_set(err, -EINVAL, "%s: high, low or pulse", argv[3]);
    pthread_mutex_lock(&b->lock);
    p->set(p->chip, (unsigned)n, pulse || !strcmp(argv[3], "high"));
    if (pulse)
        p->set(p->chip, (unsigned)n, false);
    pthread_mutex_unlock(&b->lock);
    return 0;
}

/* intr eoi CPU VECTOR: an engine with local APICs of its own tells of an EOI */
static int intr_eoi(struct bench *b, struct script *s, char **argv, struct error *err)
{
    uint64_t cpu = 0, vector = 0;
    int e = script_number(s, argv[2], &cpu, err);

    if (!e)
        e = script_number(s, argv[3], &vector, err);
    if (!e)
        b->intr->eoi(b->intr_ctl, (unsigned)cpu, (uint8_t)vector);
    return e;
}

/* intr pending|ack|nmi|tpr CPU VALUE|none: what the CPU would see of its interrupt controllers */
static int verb_intr(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t cpu = 0;
    int got;

    if (!b->intr || argc != 4 || script_number(s, argv[2], &cpu, err))
        return error_set(err, -EINVAL, "intr pending | ack | nmi | tpr CPU VALUE | none");
    if (!strcmp(argv[1], "eoi") && b->intr->eoi)
        return intr_eoi(b, s, argv, err);
    if (!strcmp(argv[1], "pending"))
        got = b->intr->pending(b->intr_ctl, (unsigned)cpu);
    else if (!strcmp(argv[1], "ack"))
        got = b->intr->ack(b->intr_ctl, (unsigned)cpu);
    else if (!b->intr->nmi)
        return error_set(err, -EINVAL, "this chip knows pending, ack and eoi");
    else if (!strcmp(argv[1], "nmi"))
        got = b->intr->nmi(b->intr_ctl, (unsigned)cpu);
    else
        got = (int)b->intr->tpr(b->intr_ctl, (unsigned)cpu);
    if (strcmp(argv[3], "none"))
        return script_expect(s, argv[3], (uint64_t)(int64_t)got, err);
    return got < 0 ? 0 : error_set(err, -EPROTO, "expected none, got 0x%x", (unsigned)got);
}

/* msr CPU NUMBER [EXPECT | = VALUE | gp]: an MSR of the interrupt controllers; gp: it must fault */
static int verb_msr(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    bool write = argc == 5 && !strcmp(argv[3], "="), fault = argc == 4 && !strcmp(argv[3], "gp");
    uint64_t cpu = 0, msr = 0, val = 0;
    int e = script_number(s, argv[1], &cpu, err);

    if (!e)
        e = script_number(s, argv[2], &msr, err);
    if (!e && write)
        e = script_number(s, argv[4], &val, err);
    if (e || !b->intr || !b->intr->msr_read || argc > 4 + write)
        return e ? e : error_set(err, -EINVAL, "msr CPU NUMBER [EXPECT | = VALUE | gp]");
    e = write ? b->intr->msr_write(b->intr_ctl, (unsigned)cpu, (uint32_t)msr, val)
              : b->intr->msr_read(b->intr_ctl, (unsigned)cpu, (uint32_t)msr, &val);
    if ((e != 0) != fault)
        return error_set(err, -EPROTO, "the access %s", e ? "faulted" : "did not fault");
    return write || fault || argc == 3 ? 0 : script_expect(s, argv[3], val, err);
}

/* Disks. */

struct transfer {
    struct blk_req req;
    struct iovec iov;
    int err;
    bool done;
};

static void transfer_done(struct blk_req *req, int err)
{
    struct transfer *t = req->owner;

    t->err = err;
    t->done = true;
}

static int transfer(struct bench *b, struct blk *blk, enum blk_op op, uint64_t sector, uint8_t *buf,
                    size_t len)
{
    struct transfer t = {.iov = {.iov_base = buf, .iov_len = len}};

    t.req = (struct blk_req){.op = op,
                             .sector = sector,
                             .sectors = len / BLK_SECTOR,
                             .iov = &t.iov,
                             .iovs = 1,
                             .done = transfer_done,
                             .owner = &t};
    pthread_mutex_lock(&b->lock);
    blk_submit(blk, &t.req);
    blk_drain(blk);
    pthread_mutex_unlock(&b->lock);
    return t.done ? t.err : -EIO;
}

static int disk_open(struct bench *b, const char *name, const char *path, bool readonly,
                     struct error *err)
{
    struct bench_disk *d = &b->disk[b->disks];
    struct blk_open_opts o = {.path = path, .readonly = readonly, .name = d->name};
    int e;

    if (b->disks == BENCH_DISKS)
        return error_set(err, -EINVAL, "at most %d disks", BENCH_DISKS);
    snprintf(d->name, sizeof(d->name), "%s", name);
    pthread_mutex_lock(&b->lock);
    e = blk_open(&d->blk, &o, b->loop, b->ledger, err);
    pthread_mutex_unlock(&b->lock);
    if (!e)
        b->disks++;
    return e;
}

static int disk_move(struct bench *b, struct script *s, struct blk *blk, int argc, char **argv,
                     struct error *err)
{
    bool put = !strcmp(argv[2], "put");
    uint8_t *want = NULL, *got;
    uint64_t sector = 0;
    size_t len = 0;
    int e;

    e = script_number(s, argv[3], &sector, err);
    if (!e)
        e = script_bytes(s, argc - 4, argv + 4, &want, &len, err);
    if (e)
        return e;
    got = calloc(1, len);
    if (len % BLK_SECTOR || !got)
        e = error_set(err, -EINVAL, "%zu bytes are not whole sectors", len);
    if (!e)
        e = transfer(b, blk, put ? BLK_WRITE : BLK_READ, sector, put ? want : got, len);
    if (e && err && !err->text[0])
        error_set(err, e, "the disk says: %s", strerror(-e));
    if (!e && !put)
        e = script_same(got, want, len, err);
    free(got);
    free(want);
    return e;
}

/* disk NAME open PATH|mem:SIZE [readonly]; disk NAME put|check SECTOR BYTES… */
static int verb_disk(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct blk *blk = bench_disk(b, argv[1]);

    if (argc >= 4 && argc <= 5 && !strcmp(argv[2], "open") && !blk)
        return disk_open(b, argv[1], argv[3], argc == 5 && !strcmp(argv[4], "readonly"), err);
    if (argc >= 5 && blk && (!strcmp(argv[2], "put") || !strcmp(argv[2], "check")))
        return disk_move(b, s, blk, argc, argv, err);
    return error_set(err, -EINVAL,
                     "disk NAME open PATH [readonly], then disk NAME put | check SECTOR BYTES…");
}

int bench_verb(void *bench, struct script *s, int argc, char **argv, struct error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
        int min;
    } verb[] = {
        {"device", verb_device, 2},   {"irq", verb_irq, 3},       {"msi", verb_msi, 2},
        {"event", verb_event, 2},     {"pin", verb_pin, 4},       {"intr", verb_intr, 4},
        {"disk", verb_disk, 4},       {"msr", verb_msr, 3},       {"net", bench_net_verb, 3},
        {"page", bench_page_verb, 4}, {"vsk", bench_vsk_verb, 2},
    };
    size_t i;
    int e;

    for (i = 0; i < ARRAY_LEN(verb); i++) {
        if (strcmp(argv[0], verb[i].name))
            continue;
        if (argc < verb[i].min)
            return error_set(err, -EINVAL, "%s: words are missing", argv[0]);
        return verb[i].run(bench, s, argc, argv, err);
    }
    e = bench_cable_verb(bench, s, argc, argv, err);
    return e == -ENOENT ? bench_input_verb(bench, s, argc, argv, err) : e;
}
