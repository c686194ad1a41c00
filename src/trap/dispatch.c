/*
 * A trap reaches the bus, the hypercall handler, or nothing but its counter. Counts: each trap is
 * one exit of its vCPU; its bytes are the exit's bytes too, so that the bytes of all PIO and MMIO
 * exits equal the bytes of all PIO and MMIO rows (a patched instruction's count with the latter).
 * An element of a string access is one crossing of its region's row, whatever number of exits the
 * engine took for it.
 */
#include "trap/dispatch.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "trap/patch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCESS_MAX 8u

static const char *const exit_name[TRAP_KINDS] = {
    [TRAP_PIO] = "pio",     [TRAP_MMIO] = "mmio",   [TRAP_HCALL] = "hcall",
    [TRAP_HALT] = "halt",   [TRAP_KICK] = "kick",   [TRAP_SHUTDOWN] = "shutdown",
    [TRAP_FAIL] = "fail",   [TRAP_PATCH] = "patch", [TRAP_CALL] = "call",
    [TRAP_FAULT] = "fault",
};

static int exit_rows(struct dispatch *d, struct ledger *ledger)
{
    unsigned cpu, kind;
    char dev[16];

    for (cpu = 0; cpu < d->vcpus; cpu++) {
        snprintf(dev, sizeof(dev), "cpu%u", cpu);
        for (kind = 0; kind < TRAP_KINDS; kind++) {
            d->exits[cpu * TRAP_KINDS + kind] =
                ledger_row(ledger, LEDGER_EXIT, dev, exit_name[kind]);
            if (!d->exits[cpu * TRAP_KINDS + kind])
                return -ENOMEM;
        }
    }
    d->hcall_unknown = ledger_row(ledger, LEDGER_HCALL, "hcall", "unknown");
    return d->hcall_unknown ? 0 : -ENOMEM;
}

int dispatch_init(struct dispatch *d, struct bus *bus, struct loop *loop, pthread_mutex_t *lock,
                  struct ledger *ledger, unsigned vcpus)
{
    int err;

    memset(d, 0, sizeof(*d));
    d->bus = bus;
    d->loop = loop;
    d->lock = lock;
    d->vcpus = vcpus;
    d->local = calloc(vcpus, sizeof(*d->local));
    d->exits = calloc((size_t)vcpus * TRAP_KINDS, sizeof(*d->exits));
    err = d->local && d->exits ? exit_rows(d, ledger) : -ENOMEM;
    if (err)
        dispatch_free(d);
    return err;
}

void dispatch_free(struct dispatch *d)
{
    free(d->local);
    free(d->exits);
    memset(d, 0, sizeof(*d));
}

static void count_exit(struct dispatch *d, unsigned vcpu, const struct trap *t)
{
    struct ledger_row *row = d->exits[vcpu * TRAP_KINDS + t->kind];
    uint64_t bytes = t->data ? (uint64_t)t->size * t->count : t->size;

    row->writes++;
    if (t->kind != TRAP_PIO && t->kind != TRAP_MMIO && t->kind != TRAP_PATCH)
        return;
    if (t->write)
        row->write_bytes += bytes;
    else
        row->read_bytes += bytes;
}

static void trap_pio(struct dispatch *d, struct trap *t)
{
    if (t->data && t->write)
        bus_outs(d->bus, t->addr, t->size, t->data, t->count);
    else if (t->data)
        bus_ins(d->bus, t->addr, t->size, t->data, t->count);
    else if (t->write)
        bus_write(d->bus, BUS_PIO, t->addr, t->size, t->value);
    else
        t->value = bus_read(d->bus, BUS_PIO, t->addr, t->size);
}

static void trap_mmio(struct dispatch *d, unsigned vcpu, struct trap *t)
{
    struct io_region *local = d->local[vcpu];

    if (local && range_in(t->addr, t->size, local->base, local->len)) {
        if (t->write)
            bus_region_write(d->bus, local, t->addr - local->base, t->size, t->value);
        else
            t->value = bus_region_read(d->bus, local, t->addr - local->base, t->size);
    } else if (t->write) {
        bus_write(d->bus, BUS_MMIO, t->addr, t->size, t->value);
    } else {
        t->value = bus_read(d->bus, BUS_MMIO, t->addr, t->size);
    }
}

static void trap_hcall(struct dispatch *d, unsigned vcpu, struct trap *t)
{
    pthread_mutex_lock(d->lock);
    if (d->hcall) {
        d->hcall(d->hcall_ctx, vcpu, t->hcall);
    } else {
        ledger_add(d->hcall_unknown, true, 0);
        ledger_refuse(d->hcall_unknown);
        t->hcall[0] = (uint64_t)-ENOSYS;
    }
    pthread_mutex_unlock(d->lock);
}

/* Engines decode sizes; this is the line no wrong one crosses. */
static bool trap_sane(const struct trap *t)
{
    bool memory = t->kind == TRAP_MMIO;

    if (t->kind != TRAP_PIO && !memory)
        return true;
    return t->size >= 1 && t->size <= ACCESS_MAX && !(memory && t->data);
}

static void trap_complete(struct dispatch *d, unsigned vcpu, struct trap *t)
{
    count_exit(d, vcpu, t);
    switch (t->kind) {
    case TRAP_PIO: trap_pio(d, t); break;
    case TRAP_MMIO: trap_mmio(d, vcpu, t); break;
    case TRAP_HCALL: trap_hcall(d, vcpu, t); break;
    default: break;
    }
}

void dispatch_trap(void *dispatch, unsigned vcpu, struct trap *t)
{
    struct dispatch *d = dispatch;

    if (vcpu >= d->vcpus || (unsigned)t->kind >= TRAP_KINDS || !trap_sane(t))
        return;
    loop_collect_begin(d->loop);
    if (__builtin_expect(d->patch && t->kind == TRAP_PIO && patch_take(d->patch, vcpu, t), 0))
        count_exit(d, vcpu, t);
    else
        trap_complete(d, vcpu, t);
    loop_collect_end(d->loop);
    if (d->patch && t->kind == TRAP_MMIO && patch_covers(d->patch, t->addr))
        patch_learn(d->patch, vcpu, t);
}
