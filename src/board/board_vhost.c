/* Disks and cards of both boards that another process serves over vhost-user. */
#include "board/board.h"
#include "vhost/front.h"

int board_vfront(struct board *b, struct vfront *f, const char *name, const struct board_pci *pci)
{
    struct dev_env env = board_env(b, name);
    uint64_t mmio;
    int err = board_virtio_place(b, &env, pci, &mmio);

    if (!err)
        err = vfront_create(f, &env, mmio);
    return board_keep(b, err, &vfront_class, f, name);
}
