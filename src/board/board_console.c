/* The virtio console and its ports, if the machine has them. */
#include "board/board.h"
#include "virtio/vcon.h"
#include <errno.h>

int board_console(struct board *b, const struct board_pci *pci)
{
    const struct board_console *c = b->setup->vconsole;
    struct vcon_opts o = {.ports = c ? c->ports : 0};
    struct dev_env env;
    int err;

    if (!c)
        return 0;
    if (c->ports > VCON_NAMED)
        return -EINVAL;
    o.console = c->console;
    o.packed = c->packed;
    for (unsigned i = 0; i < c->ports; i++)
        o.port[i] = (struct vcon_port_opts){.name = c->port[i].name, .chr = c->port[i].chr};
    env = board_env(b, "console0");
    err = board_virtio_place(b, &env, c->mmio ? NULL : pci, &o.mmio);
    if (!err)
        err = vcon_create(&b->vcon, &env, &o);
    return board_keep(b, err, &vcon_class, b->vcon, "console0");
}
