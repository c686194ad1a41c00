/*
 * The machine of a replay: the board of the recording, with manual time, recorded backends and no
 * engine. Devices that were not recorded are there too, since a board is made as a whole; nobody
 * speaks to them.
 */
#include "vm/replay.h"
#include "board/board.h"
#include "bus/bus.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "dev/acpipm.h"
#include "dev/i8042.h"
#include "mem/ram.h"
#include "record/record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (1ull << 40)
#define MIB        (1ull << 20)
#define HZ         1000000000u

_Static_assert(REC_DISKS <= BOARD_DISKS && REC_NICS <= BOARD_NETS, "a board takes them all");

struct machine {
    struct replay *p;
    struct rec *rec;
    pthread_mutex_t lock;
    struct ram ram;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct board_disk disk[BOARD_DISKS];
    struct board_net nic[BOARD_NETS];
    struct board_setup setup;
    struct board *board;
};

/* ---- what a board calls back: nobody is there ---- */

static void on_leave(void *ctx, enum board_leave why, uint32_t value)
{
    (void)ctx;
    (void)why;
    (void)value;
}

static void on_kick(void *ctx, unsigned vcpu)
{
    (void)ctx;
    (void)vcpu;
}

static int on_patch(void *ctx, gpa_t base, uint64_t len)
{
    (void)ctx;
    (void)base;
    (void)len;
    return 0;
}

static uint64_t on_tsc(void *ctx, unsigned vcpu, uint64_t tsc)
{
    (void)ctx;
    (void)vcpu;
    return tsc;
}

static const struct dev *dev_named(const struct machine *m, const char *name)
{
    for (unsigned i = 0; i < m->board->devs; i++)
        if (!strcmp(m->board->dev[i].name, name))
            return &m->board->dev[i];
    return NULL;
}

static int on_reset(void *ctx, const char *name)
{
    struct machine *m = ctx;
    const struct dev *d = dev_named(m, name);

    if (d)
        rec_reset(m->rec, d);
    return d ? 0 : -ENOENT;
}

/* The user's hands: dev/typist.c, and whoever presses the power button in a run. */
static int on_input(void *ctx, const char *name, const char *what, const int v[3])
{
    const struct dev *d = dev_named(ctx, name);
    struct i8042 *k = d && d->cls == &i8042_class ? d->dev : NULL;
    struct acpipm *pm = d && d->cls == &acpipm_class ? d->dev : NULL;

    if (k && !strcmp(what, "key"))
        i8042_key(k, (unsigned)v[0], v[1] != 0);
    else if (k && !strcmp(what, "move"))
        i8042_move(k, v[0], v[1], v[2]);
    else if (k && !strcmp(what, "button"))
        i8042_button(k, (unsigned)v[0], v[1] != 0);
    else if (pm && !strcmp(what, "power"))
        acpipm_power_button(pm);
    else
        return -ENOENT;
    return 0;
}

/* ---- making ---- */

static int head_judge(const struct rec_machine *r, const struct replay *p, struct error *err)
{
    uint64_t max = p->memory ? p->memory : MEMORY_MAX;

    if (!board_find(r->board))
        return error_set(err, -EINVAL, "%s: there is no board %s", p->path, r->board);
    if (!r->memory || r->memory % MIB || r->memory > max)
        return error_set(err, -EINVAL, "%s: not a size of memory: %llu", p->path,
                         (unsigned long long)r->memory);
    return 0;
}

static int core_make(struct machine *m, struct error *err)
{
    int code = ram_open(&m->ram, rec_machine(m->rec)->memory);

    if (code)
        return error_set(err, code, "%s: its memory can't be had: %s", m->p->path, strerror(-code));
    m->ledger = ledger_open();
    m->loop = loop_open(&m->lock, true);
    m->bus = m->ledger ? bus_open(m->ledger) : NULL;
    return m->loop && m->bus ? 0 : error_set(err, -ENOMEM, "%s: out of memory", m->p->path);
}

static int disks_make(struct machine *m, struct error *err)
{
    const struct rec_machine *r = rec_machine(m->rec);

    for (unsigned i = 0; i < r->disks; i++) {
        const char *serial = r->disk[i].has_serial ? r->disk[i].serial : NULL;

        m->disk[i] = (struct board_disk){.blk = rec_disk(m->rec, i),
                                         .via = r->disk[i].via,
                                         .serial = serial,
                                         .queues = r->disk[i].queues,
                                         .packed = r->disk[i].packed};
        if (!m->disk[i].blk)
            return error_set(err, -ENOMEM, "%s: out of memory", m->p->path);
    }
    return 0;
}

static int nics_make(struct machine *m, struct error *err)
{
    const struct rec_machine *r = rec_machine(m->rec);

    for (unsigned i = 0; i < r->nics; i++) {
        m->nic[i] = (struct board_net){.net = rec_nic(m->rec, i),
                                       .via = r->nic[i].via,
                                       .queues = r->nic[i].queues,
                                       .packed = r->nic[i].packed,
                                       .less = r->nic[i].less};
        memcpy(m->nic[i].mac, r->nic[i].mac, sizeof(m->nic[i].mac));
        if (!m->nic[i].net)
            return error_set(err, -ENOMEM, "%s: out of memory", m->p->path);
    }
    return 0;
}

static int board_make(struct machine *m, struct error *err)
{
    const struct rec_machine *r = rec_machine(m->rec);
    const struct rec_player player = {.bus = m->bus,
                                      .loop = m->loop,
                                      .ledger = m->ledger,
                                      .reset = on_reset,
                                      .input = on_input,
                                      .ctx = m};

    rec_player(m->rec, &player);
    if (disks_make(m, err) || nics_make(m, err))
        return -ENOMEM;
    m->setup = (struct board_setup){
        .vcpus = 1,
        .bus = m->bus,
        .ram = &m->ram,
        .loop = m->loop,
        .lock = &m->lock,
        .ledger = m->ledger,
        .console = rec_console(m->rec),
        .disk = m->disk,
        .disks = r->disks,
        .net = m->nic,
        .nets = r->nics,
        .debug_exit = r->debug_exit,
        .patch = on_patch,
        .rec = m->rec,
        .tsc_hz = HZ,
        .tsc_to_ns = on_tsc,
        .kick = on_kick,
        .leave = on_leave,
        .ctx = m,
    };
    return board_open(&m->board, board_find(r->board), &m->setup, err);
}

static void made_tell(const struct machine *m)
{
    for (unsigned i = 0; m->p->made && i < m->board->devs; i++)
        m->p->made(m->p->ctx, m->board->dev[i].name, m->board->dev[i].dev);
}

static void machine_close(struct machine *m)
{
    pthread_mutex_lock(&m->lock);
    board_close(m->board);
    rec_close(m->rec);
    pthread_mutex_unlock(&m->lock);
    bus_close(m->bus);
    loop_close(m->loop);
    ram_close(&m->ram);
    ledger_close(m->ledger);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static int machine_make(struct machine *m, struct error *err)
{
    int code = head_judge(rec_machine(m->rec), m->p, err);

    if (!code)
        code = core_make(m, err);
    if (!code)
        code = board_make(m, err);
    return code ? code : rec_ready(m->rec, err);
}

int replay_run(struct replay *p, struct error *err)
{
    struct machine *m = calloc(1, sizeof(*m));
    int code;

    if (!m)
        return error_set(err, -ENOMEM, "%s: out of memory", p->path);
    m->p = p;
    m->ram.fd = -1;
    pthread_mutex_init(&m->lock, NULL);
    code = p->text ? rec_open_text(&m->rec, p->path, p->text, p->len, p->edited, err)
                   : rec_open(&m->rec, p->path, p->edited, err);
    if (!code)
        code = machine_make(m, err);
    if (!code) {
        made_tell(m);
        code = rec_play(m->rec, err);
        p->events = rec_events(m->rec);
    }
    machine_close(m);
    return code;
}
