/* struct virtio_net_hdr in bytes (virtio 1.2, 5.1.6, without num_buffers): how a frame's unfinished
 * work is told to the tap driver, and by one viaduct to another. */
#ifndef BACK_NET_VNET_H
#define BACK_NET_VNET_H

#include "back/net.h"

#define NET_VNET_LEN 10u

void net_vnet_put(uint8_t *h, const struct net_frame *f);
/* Fills what f has to do; f->len is set already. -EINVAL: says something that can't be. */
int net_vnet_get(struct net_frame *f, const uint8_t *h);

#endif
