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

static int on_reset(void *ctx, const char *dev)
{
    struct machine *m = ctx;

    for (unsigned i = 0; i < m->board->devs; i++)
        if (!strcmp(m->board->dev[i].name, dev)) {
            rec_reset(m->rec, &m->board->dev[i]);
            return 0;
        }
    return -ENOENT;
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

        m->disk[i] = (struct board_disk){
            .blk = rec_disk(m->rec, i), .via = r->disk[i].via, .serial = serial};
        if (!m->disk[i].blk)
            return error_set(err, -ENOMEM, "%s: out of memory", m->p->path);
    }
    return 0;
}

static int nics_make(struct machine *m, struct error *err)
{
    const struct rec_machine *r = rec_machine(m->rec);

    for (unsigned i = 0; i < r->nics; i++) {
        m->nic[i] = (struct board_net){.net = rec_nic(m->rec, i), .via = r->nic[i].via};
        memcpy(m->nic[i].mac, r->nic[i].mac, sizeof(m->nic[i].mac));
        if (!m->nic[i].net)
            return error_set(err, -ENOMEM, "%s: out of memory", m->p->path);
    }
    return 0;
}

static int board_make(struct machine *m, struct error *err)
{
    const struct rec_machine *r = rec_machine(m->rec);
    const struct rec_player player = {m->bus, m->loop, m->ledger, on_reset, m};

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
