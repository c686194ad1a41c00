/* A ring of copies: net_hold.h. */
#include "back/net_hold.h"
#include "back/net_offload.h"
#include <stdlib.h>

bool net_hold_put(struct net_hold *h, const struct net_frame *f, size_t len)
{
    void *copy = h->n < NET_HOLD_MAX ? malloc(len) : NULL;

    if (!copy)
        return false;
    net_head(f, copy, len);
    h->frame[(h->first + h->n++) % NET_HOLD_MAX] = (struct iovec){copy, len};
    return true;
}

const struct iovec *net_hold_first(const struct net_hold *h)
{
    return h->n ? &h->frame[h->first] : NULL;
}

void net_hold_drop(struct net_hold *h)
{
    free(h->frame[h->first].iov_base);
    h->first = (h->first + 1) % NET_HOLD_MAX;
    h->n--;
}

void net_hold_clear(struct net_hold *h)
{
    while (h->n)
        net_hold_drop(h);
}
