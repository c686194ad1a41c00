/* A cable with nothing at its end: the link is up, frames are counted and gone. */
#include "back/net.h"
#include "core/error.h"
#include <errno.h>
#include <stdlib.h>

static bool null_send(struct net *n, const struct net_frame *f)
{
    (void)n;
    (void)f;
    return true;
}

static void null_close(struct net *n)
{
    free(n);
}

static const struct net_ops null_ops = {.name = "null", .send = null_send, .close = null_close};

int net_null_open(struct net **out, const char *args, const struct net_open_opts *o,
                  struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct net *n;

    if (*args)
        return error_set(err, -EINVAL, "--net null: \"%s\" is no option of it", args);
    n = calloc(1, sizeof(*n));
    if (!n)
        return error_set(err, -ENOMEM, "--net null: not enough memory");
    n->ops = &null_ops;
    n->takes = NET_CSUM | NET_TSO4 | NET_TSO6;
    n->up = true;
    *out = n;
    return net_init(n, o->name, loop, ledger);
}
