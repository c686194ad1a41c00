/*
 * The host's side of a guest's vsock: byte streams between a port of the guest and somebody on the
 * host. One interface, so that the device knows no sockets (vsk_unix.c does). Every function here
 * is called with the loop's lock held, and nothing blocks.
 *
 * A stream (struct vsk_end) begins in one of two ways: the device connects, or the backend offers
 * one that somebody on the host wants (incoming). Either way the device closes it, once.
 */
#ifndef BACK_VSK_H
#define BACK_VSK_H

#include "core/types.h"
#include <sys/types.h>
#include <sys/uio.h>

struct error;
struct ledger;
struct loop;
struct vsk;

enum { /* what is watched for, and what a stream is ready for */
       VSK_IN = 1,
       VSK_OUT = 2,
       VSK_GONE = 4, /* told only: the other side has closed both ways */
       VSK_OPEN = 8, /* told only, once: a stream that was pending is there */
};

struct vsk_end { /* lives inside the backend's own */
    struct vsk *vsk;
    void *conn; /* the device's */
};

struct vsk_ops {
    const char *name;
    /* 0: *out is there. -EINPROGRESS: it is pending, VSK_OPEN or VSK_GONE will be told. -errno. */
    int (*connect)(struct vsk *k, uint64_t cid, uint32_t port, struct vsk_end **out);
    /* Bytes moved; read: 0 is the end. -EAGAIN, or -errno: the stream is broken. */
    ssize_t (*read)(struct vsk_end *e, const struct iovec *iov, int n);
    ssize_t (*write)(struct vsk_end *e, const struct iovec *iov, int n);
    void (*watch)(struct vsk_end *e, unsigned what);    /* what ready tells of, until changed */
    void (*accepted)(struct vsk_end *e, uint32_t port); /* the guest took what was incoming */
    void (*shut)(struct vsk_end *e);                    /* no more will be written */
    void (*close)(struct vsk_end *e);
    void (*free)(struct vsk *k); /* the device has closed every stream */
};

struct vsk_front { /* what the device gives */
    /* Somebody wants the guest's port. False: no; the backend ends it. */
    bool (*incoming)(void *front, struct vsk_end *e, uint32_t port);
    void (*ready)(void *conn, unsigned what);
    void *front;
};

struct vsk {
    const struct vsk_ops *ops;
    struct vsk_front front; /* ready and incoming are NULL while no device is there */
};

#define VSK_CID_HOST  2u /* VIRTIO 1.2, 5.10.4: 0, 1 and 2^32-1 are reserved too */
#define VSK_CID_FIRST 3u
#define VSK_PEERS     8
#define VSK_PATH      96 /* with _PORT behind it, it fits a socket's name */

struct vsk_opts {
    char path[VSK_PATH]; /* where the host's programs connect; path_PORT is where the guest's do */
    struct {
        uint32_t cid;
        char path[VSK_PATH]; /* of another machine: its path */
    } peer[VSK_PEERS];
    unsigned peers;
};

/* vsk_unix.c. The loop's lock is held. */
int vsk_unix_open(struct vsk **out, const struct vsk_opts *o, struct loop *loop, struct error *err);
void vsk_free(struct vsk *k); /* NULL is fine */

#endif
