/* Network controllers of both boards: one PCI slot each, in the order they were asked for. */
#include "board/board.h"
#include "core/error.h"
#include "dev/e1000.h"
#include "irq/chip.h"
#include "record/record.h"
#include "virtio/vnet.h"
#include <errno.h>
#include <string.h>

static int e1000_add(struct board *b, const struct board_net *n, unsigned index,
                     const struct board_pci *pci)
{
    struct dev_env env = board_env(b, board_name(b, "nic", index));
    struct e1000_setup s = {.net = rec_net(env.tap, n->net)};
    struct dev d = {0};
    int code;

    memcpy(s.mac, n->mac, sizeof(s.mac));
    env.irq = rec_irq(env.tap, chip_gsi(b->chip, chip_pci_gsi(b->slot, 1, pci->first, pci->lines)));
    env.msi = rec_msi(env.tap, chip_msi(b->chip));
    env.pci = b->pci;
    env.devfn = (uint8_t)(b->slot++ << 3);
    code = e1000_create(&d, &env, &s);
    return board_keep_dev(b, code, &d);
}

static int virtio_add(struct board *b, const struct board_net *n, unsigned index,
                      const struct board_pci *pci)
{
    struct dev_env env = board_env(b, board_name(b, "nic", index));
    struct vnet_opts o = {
        .net = rec_net(env.tap, n->net), .pairs = n->queues, .packed = n->packed, .less = n->less};
    struct vnet *v = NULL;
    int code;

    if (n->vfront)
        return board_vfront(b, n->vfront, env.name, pci);
    code = board_virtio_place(b, &env, pci, &o.mmio);
    memcpy(o.mac, n->mac, sizeof(o.mac));
    if (!code)
        code = vnet_create(&v, &env, &o);
    return board_keep(b, code, &vnet_class, v, env.name);
}

static int nic_add(struct board *b, const struct board_net *n, unsigned index,
                   const struct board_pci *pci)
{
    switch (n->via) {
    case BOARD_E1000: return e1000_add(b, n, index, pci);
    case BOARD_VIRTIO_NET: return virtio_add(b, n, index, pci);
    case BOARD_VIRTIO_NET_MMIO: return virtio_add(b, n, index, NULL);
    case BOARD_HYPERCALL_NET: return 0; /* board_pv */
    default: return -EINVAL;
    }
}

int board_nics(struct board *b, const struct board_pci *pci, struct error *err)
{
    for (unsigned i = 0; i < b->setup->nets; i++) {
        int code = i < BOARD_NETS ? nic_add(b, &b->setup->net[i], i, pci) : -EINVAL;

        if (code)
            return error_set(err, code, "--net: its controller could not be made: %s",
                             strerror(-code));
    }
    return 0;
}
