/* viaduct run --record: what the recording must know of this machine, and its beginning and end. */
#include "back/blk.h"
#include "back/net.h"
#include "core/log.h"
#include "record/record.h"
#include "vm/vm_impl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void disk_tell(struct rec_disk *k, const struct board_disk *d)
{
    const struct blk *b = d->blk;

    snprintf(k->name, sizeof(k->name), "%.31s", b->name);
    k->via = d->via;
    k->sectors = b->sectors;
    k->readonly = b->readonly;
    k->discard = b->can_discard;
    k->zeroes = b->can_zeroes;
    k->cache = b->volatile_cache;
    k->queues = d->queues;
    k->packed = d->packed;
    k->has_serial = d->serial;
    snprintf(k->serial, sizeof(k->serial), "%s", d->serial ? d->serial : "");
}

static void nic_tell(struct rec_nic *k, const struct board_net *n)
{
    snprintf(k->name, sizeof(k->name), "%.31s", n->net->name);
    k->via = n->via;
    memcpy(k->mac, n->mac, sizeof(k->mac));
    k->queues = n->queues;
    k->packed = n->packed;
    k->less = n->less;
    k->takes = n->net->takes;
    k->up = n->net->up;
}

/* "ide0+com1" */
static int picks(struct rec_machine *m, const char *names, struct error *err)
{
    while (*names) {
        size_t n = strcspn(names, "+");

        if (!n || n >= REC_NAME || m->picks == REC_PICKS)
            return error_set(err, -EINVAL,
                             "--record dev=: names of devices, joined by +, at most %d", REC_PICKS);
        snprintf(m->pick[m->picks++], REC_NAME, "%.*s", (int)n, names);
        names += n + (names[n] == '+');
    }
    return 0;
}

int record_make(struct vm *vm, struct error *err)
{
    const struct vm_setup *s = vm->setup;
    struct rec_machine m = {.memory = s->memory, .debug_exit = s->debug_exit, .split = s->split};

    if (!s->record)
        return 0;
    if (s->record_devs && picks(&m, s->record_devs, err))
        return -EINVAL;
    snprintf(m.board, sizeof(m.board), "%s", s->board->name);
    for (unsigned i = 0; i < s->disks; i++)
        disk_tell(&m.disk[m.disks++], &vm->disk[i]);
    for (unsigned i = 0; i < s->nets; i++)
        nic_tell(&m.nic[m.nics++], &vm->nic[i]);
    return rec_create(&vm->rec, s->record, &m, vm->loop, vm->ledger, err);
}

int record_ready(struct vm *vm, struct error *err)
{
    return vm->rec ? rec_ready(vm->rec, err) : 0;
}

int record_end(struct vm *vm)
{
    struct error err;
    int code = vm->rec ? rec_finish(vm->rec, &err) : 0;

    if (code)
        log_error("%s", err.text);
    return code;
}

void record_close(struct vm *vm)
{
    rec_close(vm->rec);
    vm->rec = NULL;
}
