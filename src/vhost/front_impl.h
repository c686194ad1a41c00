/* Shared by the files of the front end: front.c (the back end comes and goes), front_ask.c (what it
 * is asked, one after the other), front_take.c (what it answers, judged), front_ring.c (queues to
 * rings and back), front_dev.c (the device), front_net.c (what is a card's own). */
#ifndef VHOST_FRONT_IMPL_H
#define VHOST_FRONT_IMPL_H

#include "core/log.h"
#include "core/loop.h"
#include "vhost/front.h"
#include "vhost/msg.h"
#include "vhost/shadow.h"
#include "virtio/virtio.h"
#include "virtio/vport.h"

struct error;
struct ledger_row;
struct ram;

#define FRONT_ASKS    256
#define FRONT_CFG_MAX 64 /* the largest configuration of a kind that is known here */

enum { /* what is asked beside messages: something to do when all before it is answered */
       ASK_PROBED = 0x100, /* the back end told all */
       ASK_LIVE,           /* this ring runs */
       ASK_STOPPED,        /* this ring does not */
       ASK_STARTED,        /* all of them run */
};

struct front_ask {
    uint16_t request; /* enum vu_request, or one of the above */
    uint8_t what;     /* which ring; which region */
};

struct front_ring {
    struct vfront *f;
    unsigned index;
    /* Nothing that a peer does to what it was given may make us wait, as clearing O_NONBLOCK of an
     * eventfd would that both have. So it is kicked by a pipe, whose other end is the peer's alone
     * (both ends are kept: with one gone, SIGPIPE), and called from by an eventfd, which is read
     * with RWF_NOWAIT. */
    int kick[2], call;
    struct shadow shadow; /* lent to the back end that is there */
    struct shadow kept;   /* of one that has gone: what was in flight */
    bool live;            /* the back end serves it */
    bool full;            /* requests wait for places in it */
    bool enabled;         /* to be served: cards have pairs that the driver does not use */
    bool enable_asked;
    struct loop_work more; /* used requests that one turn had no room for */
};

/* What is particular to a kind of device. */
struct front_kind {
    const char *name; /* of the virtio class */
    uint16_t id;
    uint32_t pci_class;
    uint16_t cfg_len;
    uint64_t features; /* the back end's affair: passed on */
    bool config;       /* the back end must have one */
    /* Judges and mends a configuration as it came. NULL, or what is wrong. */
    const char *(*cfg_judge)(struct vfront *f, uint8_t *cfg);
    /* What is so wrong with a request that no device can answer it; NULL: nothing. Told to the
     * driver here: a back end stops its ring at such a one, and has nobody to tell. */
    const char *(*judge)(unsigned queue, const struct vq_chain *c);
    /* A request that could not be posted is answered here: bytes written. */
    uint32_t (*refuse)(struct vfront *f, struct vq *q, const struct vq_chain *c);
};

struct vfront {
    struct vport port;
    struct virtio v;
    struct virtio_class cls; /* by kind, and what the back end has */
    const struct front_kind *kind;
    struct vfront_opts o;
    char name[32], path[108];
    struct ram *ram;
    struct loop *loop;
    bool attached; /* there is a device */

    /* ---- the back end ---- */
    int sock, back_sock; /* -1; back_sock: its own requests come here */
    int back_lent;       /* the other end of it, until it is sent: one that it closes is heard of */
    struct vu_in in, back_in;
    uint64_t features, protocol; /* its */
    uint64_t slots;              /* regions it can have */
    uint64_t rings_max;
    bool probed;   /* it told all of the above, and the configuration */
    bool wanted;   /* the driver is ready: rings shall run */
    bool started;  /* its rings were set up */
    bool mem_told; /* it has the guest's memory */
    const char *bad;
    uint8_t cfg[FRONT_CFG_MAX];
    bool cfg_asked, cfg_set_asked;
    bool cfg_stale;     /* it is another since it was asked for */
    uint64_t ring_bits; /* ring features in use: a back end that comes must have them too */

    /* ---- what it is asked ---- */
    struct front_ask ask[FRONT_ASKS];
    unsigned ask_first, asks;
    bool waiting;               /* for the answer to the first */
    struct loop_timer patience; /* ... for so long */

    /* ---- it goes and comes ---- */
    struct loop_timer again;
    struct loop_work hang_up;
    uint64_t backoff, gone_at;
    bool gone_told;
    const char *gone_why;
    unsigned moved; /* requests posted again */
    struct log_budget log;

    /* ---- memory lent beside the guest's ---- */
    int mem_fd;
    uint8_t *mem;
    size_t mem_len;

    struct front_ring ring[VIRTIO_QUEUES_MAX];
    unsigned rings; /* without a card's control queue */
    unsigned pairs_used;
    struct vq_chain chain;
    struct ledger_row *msgs[VU_REQUESTS], *kicks, *calls, *again_row;
};

/* front.c */
/* The back end is not to be trusted any more: it is left as soon as nothing is at hand. */
void front_lied(struct vfront *f, const char *why);
/* At once. Its requests stay, if a driver still waits for them. */
void front_leave(struct vfront *f, const char *why);
/* It serves again, or would: said, if it was said that it had gone. */
void front_back(struct vfront *f);
/* Waits until it has answered all, or is gone: 10 seconds at most. */
void front_drain(struct vfront *f);
int front_mem_make(struct vfront *f);     /* a new one; 0 or -errno */
int front_back_channel(struct vfront *f); /* for its own requests; 0 or -errno */
gpa_t front_mem_gpa(void);

/* front_ask.c */
void front_ask(struct vfront *f, unsigned request, unsigned what);
void front_ask_start(struct vfront *f, unsigned ring);
void front_ask_stop(struct vfront *f, unsigned ring);
void front_ask_enable(struct vfront *f, unsigned ring);
void front_ask_probe(struct vfront *f);
void front_config_ask(struct vfront *f); /* once more, since it changed */
void front_ask_run(struct vfront *f);    /* features, memory, all rings */
void front_asks_go(struct vfront *f);    /* the next ones, until an answer is waited for */
void front_asks_drop(struct vfront *f);
static inline bool front_agreed(const struct vfront *f, unsigned protocol_feature)
{
    return f->protocol >> protocol_feature & 1;
}

/* front_take.c */
const char *front_take(struct vfront *f, const struct front_ask *a, const struct vu_msg *m);
void front_probed(struct vfront *f); /* all was told: can such a one be used? */

/* front_ring.c */
int front_ring_make(struct front_ring *r);   /* its descriptors; 0 or -errno */
void front_ring_renew(struct front_ring *r); /* an empty ring for who is there; NULL slots: none */
void front_ring_live(struct front_ring *r);
void front_ring_keep(struct front_ring *r);   /* what it has in flight, for the next one */
void front_ring_forget(struct front_ring *r); /* both; pages that may be written are told of */
void front_kept_forget(struct front_ring *r);
void front_ring_gone(struct front_ring *r); /* with the back end: closed, kept stays */
void front_relay(struct vfront *f, unsigned queue);
unsigned front_in_flight(const struct vfront *f);

/* front_dev.c */
void front_config_came(struct vfront *f, const uint8_t *cfg);
void front_mode_tell(struct vfront *f); /* a back end that starts, of the driver's cache mode */
uint64_t front_ring_features(const struct vfront *f);
extern const struct front_kind front_blk;
/* front_net.c */
extern const struct front_kind front_net;
/* features: the back end's; what a card of this machine has besides. */
uint64_t front_net_offer(const struct vfront *f, uint64_t features);
void front_net_config(const struct vfront *f, uint8_t *cfg);
void front_net_command(struct vfront *f);
unsigned front_net_ctrl(const struct vfront *f); /* the control queue; VIRTIO_QUEUES_MAX: none */

#endif
