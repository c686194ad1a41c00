/* Disks and cards of a machine that other processes serve over vhost-user: docs/vhost-user.md. */
#include "vhost/front.h"
#include "vm/vm_impl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int open_one(struct vm *vm, const struct vfront_opts *o, struct vfront **out,
                    struct error *err)
{
    int code;

    if (vm->setup->record)
        return error_set(err, -EINVAL,
                         "%s vhost-user=%s: what another process does to the guest's memory can't "
                         "be recorded; leave out --record",
                         o->kind == VFRONT_BLK ? "--disk" : "--net", o->path);
    code = vfront_open(out, o, &vm->ram, vm->loop, vm->ledger, err);
    if (!code)
        vm->vfront[vm->vfronts++] = *out;
    return code;
}

int vfront_disk_make(struct vm *vm, unsigned disk, struct error *err)
{
    const struct vm_disk *d = &vm->setup->disk[disk];
    struct board_disk *out = &vm->disk[disk];
    char name[16];
    struct vfront_opts o = {.kind = VFRONT_BLK,
                            .name = name,
                            .path = d->path,
                            .queues = d->queues,
                            .packed = d->packed,
                            .wait = d->wait};

    snprintf(name, sizeof(name), "disk%u", disk);
    *out = (struct board_disk){.via = d->via};
    return open_one(vm, &o, &out->vfront, err);
}

int vfront_net_make(struct vm *vm, unsigned net, struct error *err)
{
    const struct vm_net *n = &vm->setup->net[net];
    struct board_net *out = &vm->nic[net];
    char name[16];
    struct vfront_opts o = {.kind = VFRONT_NET,
                            .name = name,
                            .path = n->vhost,
                            .queues = n->queues,
                            .packed = n->packed,
                            .wait = n->wait};

    snprintf(name, sizeof(name), "net%u", net);
    memcpy(o.mac, n->mac, sizeof(o.mac));
    *out = (struct board_net){.via = n->via};
    return open_one(vm, &o, &out->vfront, err);
}

void vfronts_close(struct vm *vm)
{
    while (vm->vfronts)
        vfront_close(vm->vfront[--vm->vfronts]);
}
