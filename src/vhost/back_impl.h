/* Shared by the files of the serving side: back.c (the peer comes and goes, messages are taken),
 * back_msg.c (what each asks), back_mem.c (its memory), back_ring.c (its rings), back_flight.c (the
 * record of what is in flight). */
#ifndef VHOST_BACK_IMPL_H
#define VHOST_BACK_IMPL_H

#include "back/listen.h"
#include "core/log.h"
#include "mem/dma.h"
#include "mem/lent.h"
#include "vhost/back.h"
#include "vhost/call.h"
#include "vhost/msg.h"
#include "virtio/virtio.h"
#include "virtio/vq_flight.h"
#include "virtio/vport.h"

struct ledger_row;

struct vhost_ring {
    struct vhost_back *b;
    unsigned index;
    int kick, err; /* the peer's eventfds, ours to close; -1 */
    struct vhost_call call;
    uint16_t num;               /* 0: not told yet */
    uint64_t desc, avail, used; /* where the peer has them */
    bool addressed, enabled;
    struct vq_place at; /* while it does not run: where it will go on */
    bool runs;
    struct vq_flight flight;
};

struct vhost_user_region {
    uint64_t gpa, len, user; /* user: where the peer has it */
    unsigned times;          /* lent and not taken back */
};

struct vhost_back {
    struct bearer bearer;
    struct virtio *v;
    struct vhost_back_opts o;
    struct loop *loop;
    struct listen_place place;
    struct loop_work look;
    struct loop_poll poll;
    struct loop_timer retry; /* a peer could not be let in just now */
    int sock;                /* the peer; -1: none */
    int back_sock;           /* our own requests go here; -1 */
    struct vu_in in;
    struct lent lent;
    struct dma dma;
    struct vhost_user_region region[RAM_SLOTS_MAX];
    unsigned regions;
    struct vhost_ring ring[VIRTIO_QUEUES_MAX];
    struct vhost_call tell; /* for the rings' err descriptors, one after the other */
    struct {                /* the record of what is in flight; at NULL: the peer keeps none */
        uint8_t *at;
        uint64_t len;
        uint16_t queues, size; /* size: entries a queue */
    } record;
    uint64_t features, protocol; /* as the peer set them */
    bool featured;               /* it did */
    const char *bad;             /* why this peer must go */
    struct log_budget log;
    struct ledger_row *msgs[VU_REQUESTS], *kicks, *calls, *again, *peers;
};

/* Answers to a message. */
enum vhost_answer {
    VHOST_OK,     /* obeyed: an acknowledgement, if one was asked for */
    VHOST_REPLY,  /* the message itself is the reply */
    VHOST_FAILED, /* could not: said so if asked, else the peer goes */
    VHOST_LIED,   /* b->bad says why: the peer goes */
};

/* back.c */
enum vhost_answer vhost_lied(struct vhost_back *b, const char *why);
static inline bool vhost_agreed(const struct vhost_back *b, unsigned protocol_feature)
{
    return b->protocol >> protocol_feature & 1;
}

/* Something may have gone wrong where no message is at hand: looked at soon. */
void vhost_look(struct vhost_back *b);

/* back_msg.c */
enum vhost_answer vhost_obey(struct vhost_back *b, struct vu_msg *m);

/* back_mem.c */
enum vhost_answer vhost_mem_table(struct vhost_back *b, struct vu_msg *m);
enum vhost_answer vhost_mem_add(struct vhost_back *b, struct vu_msg *m);
enum vhost_answer vhost_mem_remove(struct vhost_back *b, struct vu_msg *m);
enum vhost_answer vhost_mem_log(struct vhost_back *b, struct vu_msg *m);
/* The dirty log is on and has a bit for each page, or is off. False: b->bad is set. */
bool vhost_mem_logged(struct vhost_back *b);
/* The guest's address of len bytes that the peer has at user; false: it lent no such thing. */
bool vhost_mem_gpa(const struct vhost_back *b, uint64_t user, uint64_t len, gpa_t *gpa);

/* back_flight.c */
enum vhost_answer vhost_flight_get(struct vhost_back *b, struct vu_msg *m);
enum vhost_answer vhost_flight_set(struct vhost_back *b, struct vu_msg *m);
/* The ring, just started, goes on where its record says. False: b->bad says why not. */
bool vhost_flight_start(struct vhost_back *b, struct vhost_ring *r);

/* back_poll.c: the rings are looked at while the loop is awake. */
void vhost_poll_init(struct vhost_back *b);

/* back_ring.c */
enum vhost_answer vhost_ring_num(struct vhost_back *b, const struct vu_msg *m);
enum vhost_answer vhost_ring_addr(struct vhost_back *b, const struct vu_msg *m);
enum vhost_answer vhost_ring_base(struct vhost_back *b, const struct vu_msg *m);
enum vhost_answer vhost_ring_base_get(struct vhost_back *b, struct vu_msg *m);
enum vhost_answer vhost_ring_enable(struct vhost_back *b, const struct vu_msg *m);
enum vhost_answer vhost_ring_fd(struct vhost_back *b, struct vu_msg *m);
/* What is in flight ends and is shown; then the rings rest, each where it is. */
void vhost_rings_rest(struct vhost_back *b);
void vhost_rings_go(struct vhost_back *b); /* those that may run and don't: from where they were */
void vhost_rings_drop(struct vhost_back *b); /* for good: descriptors closed, all forgotten */
void vhost_ring_clear(struct vhost_back *b, unsigned index); /* as never heard of */
void vhost_rings_make(struct vhost_back *b);                 /* what calls need, if not there yet */
void vhost_rings_unmake(struct vhost_back *b);
bool vhost_rings_run(const struct vhost_back *b);
void vhost_ring_call(struct vhost_back *b, unsigned queue);
void vhost_rings_err(struct vhost_back *b); /* the driver broke the rules */

#endif
