/* A device that the domain serves: its backend, the device file that also runs inside a VM, and the
 * vhost-user socket that carries it. Made in this order, and unmade in the other. */
#include "back/blk.h"
#include "back/net.h"
#include "back/net_pcap.h"
#include "bus/dev.h"
#include "cli/domain.h"
#include "cli/domain_switch.h"
#include "core/error.h"
#include "vhost/back.h"
#include "virtio/vblk.h"
#include "virtio/virtio.h"
#include "virtio/vnet.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Registers of the front end's transport, which this one does not see. */
#define NOT_OURS (VIRTIO_BIT(VIRTIO_F_RING_RESET) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA))
/* VIRTIO 1.2, 5.1.3: the control queue and what goes over it or is told by the configuration, bits
 * 2 (CTRL_GUEST_OFFLOADS), 5 (MAC), 16 to 21 (STATUS, CTRL_*, GUEST_ANNOUNCE), 23 (CTRL_MAC_ADDR).
 */
#define FRONT_NET (1ull << 2 | 1ull << 5 | 0x3full << 16 | 1ull << 23)

/* A front end asks for this before it chooses its rings, and not all have indirect tables: QEMU's
 * have 128 entries, of which header and status take two. */
enum { SEG_MAX = 126 };

static int disk_create(struct domain_device *d, const struct dev_env *env)
{
    struct vblk_opts o = {.serial = d->disk.serial,
                          .queues = d->disk.queues,
                          .seg_max = SEG_MAX,
                          .packed = d->disk.packed};

    return vblk_create(&d->vblk, env, d->blk, &o);
}

/* The card's address, filters and control queue are the front end's business. */
static int net_create(struct domain_device *d, const struct dev_env *env)
{
    struct vnet_opts o = {
        .net = d->cable, .pairs = d->net.queues, .packed = d->net.packed, .all = true};

    return vnet_create(&d->vnet, env, &o);
}

/* A port of a switch inside the domain, named as the card if it has no name of its own. */
static int port_open(struct domain_device *d, struct domain_switches *switches, struct error *err)
{
    struct sw *sw = domain_switch_find(switches, d->net.on, "--net port=", err);
    int code;

    if (!*d->net.policy.name)
        snprintf(d->net.policy.name, sizeof(d->net.policy.name), "%s", d->name);
    code = sw ? sw_card_open(&d->cable, sw, &d->net.policy, d->name, err) : -ENOENT;
    if (code || !d->net.pcap)
        return code;
    return error_lead(err, net_pcap_open(&d->cable->pcap, d->net.pcap, 0, err), "--net ");
}

/* A domain that was killed may still be going, and a busy host takes its time: each try waits 0.4 s
 * for the image's lock. */
enum { LOCK_TRIES = 12 };

static int disk_open(struct domain_device *d, struct loop *loop, struct ledger *ledger,
                     struct error *err)
{
    struct blk_open_opts file = {.path = d->disk.file,
                                 .readonly = d->disk.readonly,
                                 .name = d->name,
                                 .extent = d->disk.policy.extent,
                                 .direct = d->disk.policy.direct};
    int code = -EBUSY;

    for (unsigned i = 0; code == -EBUSY && i < LOCK_TRIES; i++)
        code = blk_open(&d->blk, &file, loop, ledger, err);
    if (code)
        return code;
    code = domain_disk_share(d, ledger);
    return code ? error_set(err, code, "%s: %s", d->name, strerror(-code)) : 0;
}

static int backend_open(struct domain_device *d, struct loop *loop, struct ledger *ledger,
                        struct error *err)
{
    struct net_open_opts cable = {.spec = d->net.spec, .pcap = d->net.pcap, .name = d->name};

    return d->is_net ? net_open(&d->cable, &cable, loop, ledger, err)
                     : disk_open(d, loop, ledger, err);
}

int domain_device_open(struct domain_device *d, struct domain_switches *switches, struct loop *loop,
                       struct ledger *ledger, struct error *err)
{
    struct vhost_back_opts back = {.name = d->name,
                                   .path = domain_socket(d),
                                   .queues = d->is_net ? d->net.queues : d->disk.queues,
                                   .lends = d->is_net ? d->net.queues : 1,
                                   .withheld = d->is_net ? NOT_OURS | FRONT_NET : NOT_OURS,
                                   .config = !d->is_net};
    struct dev_env env = {.name = d->name, .loop = loop, .ledger = ledger};
    int code;

    if (d->is_net ? d->net.in_order : d->disk.in_order)
        back.offered = VIRTIO_BIT(VIRTIO_F_IN_ORDER);
    code =
        d->is_net && d->net.on ? port_open(d, switches, err) : backend_open(d, loop, ledger, err);
    if (!code)
        code = vhost_back_open(&d->back, &back, loop, ledger, err);
    if (code)
        return code;
    env.bearer = vhost_back_bearer(d->back);
    code = d->is_net ? net_create(d, &env) : disk_create(d, &env);
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
    if (d->vnet)
        vnet_class.destroy(d->vnet);
    vhost_back_close(d->back);
    blk_close(d->blk);
    net_close(d->cable);
}
