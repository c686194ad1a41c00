/*
 * The sending half of a stream of frames. What is to go is referred to (net_out_ref) or copied
 * (net_out_frame), and put on the socket in one call by net_out_flush; what the socket does not
 * take is kept in chunks until it does. Owners bound what is kept: they ask net_out_kept before
 * they add, and a flush adds at most one burst.
 */
#ifndef BACK_NET_OUT_H
#define BACK_NET_OUT_H

#include "back/net.h"

#define NET_OUT_REFS  256
#define NET_OUT_COPY  (128u << 10) /* bytes of copied frames in a burst */
#define NET_OUT_BURST (512u << 10) /* bytes of a burst */
/* Linux queues this much in one piece or not at all (unix_stream_sendmsg, UNIX_SKB_FRAGS_SZ). */
#define NET_OUT_WHOLE (32u << 10)

struct net_chunk;

struct net_out {
    int fd;
    struct iovec ref[NET_OUT_REFS];
    int refs;
    size_t ref_bytes;
    /* Bytes put on the socket in one call, a longer record alone: NET_OUT_BURST, or less by the
     * owner for a peer that is to see whole records only (NET_OUT_WHOLE). */
    size_t burst;
    uint8_t *copy; /* NET_OUT_COPY */
    size_t copied;
    struct net_chunk *first, *last;
    size_t kept;   /* bytes in chunks, what they cost included */
    size_t *share; /* or NULL: bytes in chunks by source; the owner's array */
    uint64_t
        moved; /* bytes that a CPU copied: here, and to the socket; the owner may set it to 0 */
};

int net_out_open(struct net_out *o, int fd, size_t *share); /* 0 or -ENOMEM */
void net_out_close(struct net_out *o);                      /* not the socket */

/* Whole records, borrowed until the flush. False: the burst is full, flush first. */
bool net_out_ref(struct net_out *o, const void *bytes, size_t len);
/* A frame as a record. Short ones are copied; a long one is borrowed when last is true, and the
 * caller flushes before it gives its memory back. False: as above. */
bool net_out_frame(struct net_out *o, const struct net_frame *f);
bool net_out_frame_last(struct net_out *o, const struct net_frame *f);
/* 0, or -errno: the peer is gone. Afterwards nothing is borrowed. source: whose burst it was. */
int net_out_flush(struct net_out *o, unsigned source);
/* The socket takes more. 0, or -errno as above. Done when nothing is kept. */
int net_out_more(struct net_out *o);

static inline size_t net_out_kept(const struct net_out *o)
{
    return o->kept;
}

#endif
