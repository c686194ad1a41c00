/*
 * A device whose queues another process serves: the front end of vhost-user, in a machine of ours.
 *
 * The driver sees a virtio device like any other, over PCI or MMIO: status, features, queues are
 * struct virtio's. What it puts into a queue is posted again in a ring of ours (shadow.h) which the
 * back end serves, with the guest's buffers where they are. So the back end sees chains that were
 * judged, the translator hears what is written behind its back, and what is in flight is known
 * here: when the back end goes, whatever it was, it is posted again to the one that comes.
 *
 * What this needs after start-up, in its process: socket, connect, sendmsg, recvmsg, poll,
 * memfd_create, ftruncate, fcntl (seals), mmap, munmap, pipe2, eventfd2, preadv2, write, to the one
 * path of opts.
 */
#ifndef VHOST_FRONT_H
#define VHOST_FRONT_H

#include "core/types.h"

struct dev_class;
struct dev_env;
struct error;
struct ledger;
struct loop;
struct ram;
struct vfront;
struct virtio;

#define VFRONT_QUEUES_MAX 8 /* of a disk; pairs of a card */

enum vfront_kind { VFRONT_BLK, VFRONT_NET };

struct vfront_opts {
    enum vfront_kind kind;
    const char *name; /* instance: "disk0" */
    const char *path; /* of the back end's socket; tests: NULL, see vfront_adopt */
    unsigned queues;  /* of a disk, pairs of a card; 0 is 1 */
    bool packed;      /* rings are packed where the other side can */
    bool wait;        /* for a back end that is not there yet */
    uint8_t mac[6];   /* of a card */
    /* Tests whose back end lives on this thread: called when something is waited for. */
    void (*meanwhile)(void *arg);
    void *arg;
};

/* Speaks to the back end until all is known that a driver may ask: before the machine runs. 0, or
 * -errno with err filled. */
int vfront_open(struct vfront **out, const struct vfront_opts *o, struct ram *ram,
                struct loop *loop, struct ledger *ledger, struct error *err);
void vfront_close(struct vfront *f); /* after its device is destroyed */

/* The device: its class is vfront_class. mmio: as vport_attach. 0 or -errno. */
int vfront_create(struct vfront *f, const struct dev_env *env, uint64_t mmio);
extern const struct dev_class vfront_class;

/* For tests: sock, now the front end's, leads to a back end; the old one has gone. 0 or -errno. */
int vfront_adopt(struct vfront *f, int sock);
void vfront_settle(struct vfront *f);     /* waits until all is answered; 10 seconds at most */
bool vfront_sane(const struct vfront *f); /* what must hold between any two calls */
bool vfront_up(const struct vfront *f);   /* a back end is there, and has told all */

#endif
