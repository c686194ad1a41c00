/*
 * One vhost-user message over a Unix socket, with its descriptors. What comes in is collected
 * piece by piece, so that a peer that stops in the middle of a message blocks nobody.
 */
#ifndef VHOST_MSG_H
#define VHOST_MSG_H

#include "core/types.h"
#include "vhost/proto.h"

#define VU_FDS_MAX     8
#define VU_PAYLOAD_MAX 288 /* a table of eight regions takes 264, a configuration 268 */

struct vu_msg {
    uint32_t request, flags, size; /* size: of the payload, at most VU_PAYLOAD_MAX */
    unsigned fds;
    int fd[VU_FDS_MAX]; /* received ones are the receiver's: vu_fd_take, or vu_msg_drop */
    uint8_t payload[VU_PAYLOAD_MAX];
};

struct vu_in { /* what has come of the next message; all zero at first */
    size_t got;
    uint8_t hdr[VU_HDR_LEN];
    struct vu_msg msg;
};

/* Takes what there is, and waits only if the socket blocks. 1: in->msg is whole, until the next
 * call, which closes what is left of its descriptors; 0: some of it is still to come;
 * -ECONNRESET: the peer has gone; -EPROTO: no such message (version, size, too many descriptors);
 * or -errno. */
int vu_recv(struct vu_in *in, int sock);
void vu_in_drop(struct vu_in *in); /* descriptors of a message that was not taken are closed */

/* Sends all of m, and keeps its descriptors the caller's. 0; -EAGAIN: the peer does not read its
 * replies (a socket that does not block); or -errno. Never raises SIGPIPE. */
int vu_send(int sock, const struct vu_msg *m);

/* The i-th descriptor, which is the caller's from now on; -1 if there is none. */
int vu_fd_take(struct vu_msg *m, unsigned i);
void vu_msg_drop(struct vu_msg *m); /* closes those that nobody took */

const char *vu_request_name(uint32_t request); /* "SET_MEM_TABLE"; "?" */

#endif
