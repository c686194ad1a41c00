/*
 * Frames on a stream socket, as passt and QEMU's "-netdev stream" put them there: a 32-bit
 * big-endian length, then the frame. Two viaducts say more to each other (docs/net.md has the
 * format): when both have said hello, bit 31 of the length says that a struct virtio_net_hdr stands
 * before the frame, so that checksums and segmentation can stay undone.
 *
 * This is the pure half: bytes in a buffer. Bytes are a peer's, and hostile.
 */
#ifndef BACK_NET_REC_H
#define BACK_NET_REC_H

#include "back/net.h"
#include "back/net_vnet.h"

#define NET_REC_HEAD 4u
#define NET_REC_MORE 0x80000000u
#define NET_REC_MAX  (NET_REC_HEAD + NET_VNET_LEN + NET_FRAME_MAX)
#define NET_IN_SIZE  (256u << 10) /* more than a socket holds with Linux' default limits */

/* What has been read and not yet looked at. */
struct net_in {
    uint8_t *buf;
    size_t size, at, end;
    bool extended; /* hellos were exchanged: NET_REC_MORE may come */
};

struct net_rec {
    const uint8_t *raw; /* all of it, as it came */
    size_t raw_len;
    struct iovec iov;   /* the frame in it */
    struct net_frame f; /* f.iov is &iov */
};

int net_in_open(struct net_in *in, size_t size); /* NET_IN_SIZE or more; 0 or -ENOMEM */
void net_in_close(struct net_in *in);
/* Where to read to, and how much: at least NET_REC_MAX - 1 when all whole records were taken. What
 * was got of net_in_next before is void. */
uint8_t *net_in_space(struct net_in *in, size_t *room);
/* The same without moving what is there, so that the last record stays good; *room may be 0. */
uint8_t *net_in_tail(struct net_in *in, size_t *room);
/* 1: *r is the next record; 0: it isn't whole yet; -EPROTO: the peer does not speak this. A record
 * whose header says what can't be has r->f.len 0. */
int net_in_next(struct net_in *in, struct net_rec *r);

/* The record's head for f: NET_REC_HEAD bytes, or NET_VNET_LEN more when f has something to do. */
size_t net_rec_head(uint8_t *h, const struct net_frame *f);

/* ---- hello ---- */

#define NET_HELLO_LEN (NET_REC_HEAD + 60u)

struct net_hello {
    uint64_t cookie; /* of the side that said hello first; the answer has the same */
    unsigned takes;  /* NET_* */
};

void net_hello_put(uint8_t *rec, const struct net_hello *h); /* NET_HELLO_LEN bytes */
bool net_hello_get(struct net_hello *h, const struct net_rec *r);

#endif
