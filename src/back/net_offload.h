/*
 * Unfinished work on frames, in software: Internet checksums (RFC 1071) and TCP segmentation over
 * IPv4 and IPv6, for a side that does not do it itself. Frames are hostile: headers are copied once
 * and judged, payload is only ever summed and passed on.
 */
#ifndef BACK_NET_OFFLOAD_H
#define BACK_NET_OFFLOAD_H

#include "back/net.h"

#define NET_HEAD_MAX                                                                               \
    256u                  /* headers of a TCP frame; Ethernet, VLANs, IPv6 with a few extensions   \
                           */
#define NET_GSO_MAX 2048u /* segments of a frame; 65536 bytes at the smallest MSS there is, 48 */

/* Beyond NET_*, for takes: TCP frames may come whole, as on a network with large frames, up to so
 * many bytes of payload. For peers that look at the stream of bytes and not at its packets. */
#define NET_JUMBO     0x100u
#define NET_JUMBO_MAX 32000u

/* True when it has been passed on, false when there is no room. */
typedef bool net_emit(void *ctx, const struct net_frame *f);

/*
 * Passes f on through emit, after doing all of f->todo that takes does not name: as one frame or as
 * several. *skip segments are left out, as they were passed on by an earlier call that ended with
 * -EAGAIN; it is kept up to date. 0, -EAGAIN when emit said no, -EINVAL when f is malformed.
 */
int net_finish(const struct net_frame *f, unsigned takes, unsigned *skip, net_emit *emit,
               void *ctx);

/* Where the headers of a TCP frame are, from the frame itself. */
struct net_tcp {
    unsigned l3, l4, payload; /* offsets */
    bool v6;
};
/* head: the first have bytes of a frame of len bytes. 0 or -EINVAL. */
int net_tcp_find(struct net_tcp *t, const uint8_t *head, size_t have, size_t len);

/* The sum of bytes [at, at + len) of an iovec list, folded to 16 bits, not inverted, big-endian. */
uint16_t net_sum(const struct iovec *iov, int iovs, size_t at, size_t len);
/* The frame's first n bytes, or as many as there are. */
size_t net_head(const struct net_frame *f, uint8_t *buf, size_t n);
/* The part [at, at + len) of a list as a list; how many iovecs, or -EINVAL when out has no room. */
int net_slice(struct iovec *out, int room, const struct net_frame *f, size_t at, size_t len);
/* Lengths add up, and there is an Ethernet header. */
bool net_frame_ok(const struct net_frame *f);

#endif
