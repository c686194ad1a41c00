/* A device that the domain serves: its backend, the device file that also runs inside a VM, and the
 * vhost-user socket that carries it. Made in this order, and unmade in the other. */
#include "back/blk.h"
#include "bus/dev.h"
#include "cli/domain.h"
#include "core/error.h"
#include "vhost/back.h"
#include "virtio/vblk.h"
#include "virtio/virtio.h"
#include <errno.h>
#include <string.h>

/* Registers of the front end's transport, which this one does not see. */
#define NOT_OURS (VIRTIO_BIT(VIRTIO_F_RING_RESET) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA))

static int disk_create(struct domain_device *d, struct loop *loop, struct ledger *ledger)
{
    struct dev_env env = {
        .name = d->name, .loop = loop, .ledger = ledger, .bearer = vhost_back_bearer(d->back)};
    struct vblk_opts o = {
        .serial = d->disk.serial, .queues = d->disk.queues, .packed = d->disk.packed};

    return vblk_create(&d->vblk, &env, d->blk, &o);
}

int domain_device_open(struct domain_device *d, struct loop *loop, struct ledger *ledger,
                       struct error *err)
{
    struct vhost_back_opts back = {.name = d->name,
                                   .path = d->disk.socket,
                                   .queues = d->disk.queues,
                                   .withheld = NOT_OURS,
                                   .config = true,
                                   .fixed = true};
    struct blk_open_opts file = {d->disk.file, d->disk.readonly, d->name};
    int code;

    if (d->disk.in_order)
        back.offered = VIRTIO_BIT(VIRTIO_F_IN_ORDER);
    code = blk_open(&d->blk, &file, loop, ledger, err);
    if (!code)
        code = vhost_back_open(&d->back, &back, loop, ledger, err);
    if (code)
        return code;
    code = disk_create(d, loop, ledger);
    if (!code)
        code = vhost_back_start(d->back);
    return code ? error_set(err, code, "%s: %s", d->name, strerror(-code)) : 0;
}

void domain_device_close(struct domain_device *d)
{
    if (d->back)
        vhost_back_stop(d->back);
    if (d->vblk)
        vblk_class.destroy(d->vblk);
    vhost_back_close(d->back);
    blk_close(d->blk);
}
