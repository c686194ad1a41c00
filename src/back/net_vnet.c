/* struct virtio_net_hdr, virtio 1.2, 5.1.6: little-endian. UDP segmentation is not among what we
 * offer to take, so a peer that sends it lies. */
#include "back/net_vnet.h"
#include <errno.h>

#define F_NEEDS_CSUM 1
#define GSO_TCPV4    1
#define GSO_TCPV6    4
#define GSO_ECN      0x80

enum { FLAGS = 0, GSO_TYPE = 1, HDR_LEN = 2, GSO_SIZE = 4, CSUM_START = 6, CSUM_OFFSET = 8 };

void net_vnet_put(uint8_t *h, const struct net_frame *f)
{
    h[FLAGS] = f->todo ? F_NEEDS_CSUM : 0;
    h[GSO_TYPE] = f->todo & NET_TSO4 ? GSO_TCPV4 : f->todo & NET_TSO6 ? GSO_TCPV6 : 0;
    le16_put(h + HDR_LEN, f->hdr_len);
    le16_put(h + GSO_SIZE, f->gso_size);
    le16_put(h + CSUM_START, f->csum_start);
    le16_put(h + CSUM_OFFSET, f->csum_offset);
}

int net_vnet_get(struct net_frame *f, const uint8_t *h)
{
    unsigned type = h[GSO_TYPE] & ~(unsigned)GSO_ECN;

    f->todo = h[FLAGS] & F_NEEDS_CSUM ? NET_CSUM : 0;
    f->hdr_len = le16_get(h + HDR_LEN);
    f->gso_size = le16_get(h + GSO_SIZE);
    f->csum_start = le16_get(h + CSUM_START);
    f->csum_offset = le16_get(h + CSUM_OFFSET);
    if (type && (!f->todo || !f->gso_size))
        return -EINVAL;
    if (type == GSO_TCPV4)
        f->todo |= NET_TSO4;
    else if (type == GSO_TCPV6)
        f->todo |= NET_TSO6;
    else if (type)
        return -EINVAL;
    if (f->todo && !range_in((size_t)f->csum_start + f->csum_offset, 2, 0, f->len))
        return -EINVAL;
    return 0;
}
