/* Host directories of both boards: a virtio device each, in the order they were asked for. */
#include "board/board.h"
#include "core/error.h"
#include "virtio/v9p.h"
#include <string.h>

static int share_add(struct board *b, const struct board_share *s, unsigned index,
                     const struct board_pci *pci)
{
    const char *name = board_name(b, "9p", index);
    struct dev_env env = board_env(b, name);
    struct v9p_opts o = {.tag = s->tag, .packed = s->packed};
    struct v9p *v = NULL;
    int code = board_virtio_place(b, &env, s->mmio ? NULL : pci, &o.mmio);

    if (!code)
        code = v9p_create(&v, &env, s->p9, &o);
    return board_keep(b, code, &v9p_class, v, name);
}

int board_shares(struct board *b, const struct board_pci *pci, struct error *err)
{
    for (unsigned i = 0; i < b->setup->shares; i++) {
        int code = share_add(b, &b->setup->share[i], i, pci);

        if (code)
            return error_set(err, code, "--share: its device could not be made: %s",
                             strerror(-code));
    }
    return 0;
}
