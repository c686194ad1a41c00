/*
 * vhost-user, the side that serves: a listening socket whose peer (a virtual machine monitor, or
 * whoever speaks for a guest) gets the rings of one virtio device served. It is a transport: the
 * device is created with a dev_env whose bearer is this, and is the same that runs inside a VM.
 * One peer at a time; when it goes, the device is reset, and the next may come.
 *
 * Everything happens on the loop's thread.
 */
#ifndef VHOST_BACK_H
#define VHOST_BACK_H

#include "core/types.h"

struct bearer;
struct error;
struct ledger;
struct loop;
struct vhost_back;

struct vhost_back_opts {
    const char *name;  /* of the device: "disk0" */
    const char *path;  /* of the socket */
    unsigned queues;   /* what GET_QUEUE_NUM answers: disks' queues, network cards' pairs */
    unsigned lends;    /* how often the same region may be lent; 0 is 1. See back_mem.c */
    uint64_t withheld; /* features of the device that are not for this transport */
    uint64_t offered;  /* more features: IN_ORDER */
    bool config;       /* it has a configuration to read */
};

/* Makes the socket; nobody is let in before vhost_back_start. 0 or -errno with err filled. */
int vhost_back_open(struct vhost_back **out, const struct vhost_back_opts *o, struct loop *loop,
                    struct ledger *ledger, struct error *err);
struct bearer *vhost_back_bearer(struct vhost_back *b);
int vhost_back_start(struct vhost_back *b); /* its device was created. 0 or -errno */
void vhost_back_stop(struct vhost_back *b); /* lets the peer go, before the device is destroyed */
void vhost_back_close(struct vhost_back *b);

/* For fuzzers and tests: a peer that has no listening socket. The descriptor is b's now. */
int vhost_back_adopt(struct vhost_back *b, int sock);
bool vhost_back_busy(const struct vhost_back *b); /* there is a peer */
bool vhost_back_sane(const struct vhost_back *b); /* what holds between any two events */

#endif
