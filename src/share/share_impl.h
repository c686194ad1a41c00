/* Private to share_blk.c (a disk, its queue and buckets) and share_disk.c (whose turn it is). */
#ifndef SHARE_SHARE_IMPL_H
#define SHARE_SHARE_IMPL_H

#include "back/blk.h"
#include "core/loop.h"
#include "share/bucket.h"
#include "share/drr.h"
#include "share/share_blk.h"

#define SHARE_PIECES (SHARE_WINDOW / SHARE_PIECE) /* in flight of one disk: of that may be all */
_Static_assert(SHARE_WINDOW % SHARE_PIECE == 0, "a window of whole pieces");
#define SHARE_SMALL   32u /* sectors of a read whose time says how long the host disk's queue is */
#define SHARE_BATCH   64u /* of those are looked at together */
#define SHARE_LOOK_NS 1000000000ull
#define SHARE_LOOK    64u /* looks take this part of the time at most */

struct share_blk;

struct share_piece {
    struct blk_req req; /* its owner: the whole */
    struct share_blk *flow;
    struct share_piece *next;
    struct iovec iov[BLK_SEGS_MAX];
};

struct share_blk {
    struct blk blk;
    struct blk *inner;
    struct share_disk *disk; /* or NULL */
    struct drr_flow turn;
    unsigned flying;  /* its requests in the host disk */
    uint64_t sent_at; /* what the host disk had served when it sent its last */
    struct bucket iops, bps;
    struct loop_timer timer; /* when the buckets let head in */
    struct blk_req *head, **end;
    /* of head: let in by the buckets; waited for them, and was counted; judged; in pieces */
    bool admitted, held, begun, pieces;
    uint64_t held_at; /* since when head waits for a bucket */
    uint64_t cut;     /* bytes of head that went */
    bool draining;
    const struct blk_req *sending; /* what is being handed on right now */
    struct share_piece *spare;
    struct share_piece piece[SHARE_PIECES];
    struct ledger_row *limited; /* requests that waited for a bucket */
};

struct share_disk {
    struct loop *loop;
    struct drr drr;
    struct loop_work turn;
    unsigned requests; /* in flight */
    uint64_t cost;     /* theirs */
    uint64_t served;   /* the cost of all that was ever sent */
    struct share_window {
        unsigned room;              /* requests in flight, 1 to SHARE_REQUESTS */
        uint64_t least;             /* ns: the usual time with one in flight */
        uint64_t took[SHARE_BATCH]; /* by length; those that stray are no queue */
        unsigned samples;
        enum { LOOK_NOT, LOOK_EMPTY, LOOK_TAKE } look; /* with one in flight */
        uint64_t look_at;
    } window;
    uint64_t left; /* of what this turn of the loop may hand on */
    bool pumping, crowded;
    const struct share_blk *last; /* who asked last, and when */
    uint64_t last_at, crowded_until;
};

/* share_blk.c. What the head of the queue costs next; 0: there is none. */
uint64_t share_next_cost(struct share_blk *s);
/* May it go now? If not, somebody will wake the flow. */
bool share_ready(struct share_blk *s);
void share_send(struct share_blk *s);

/* share_disk.c */
void share_flow_wake(struct share_blk *s); /* it has something, perhaps; serves who is next */
void share_flow_sleep(struct share_blk *s);
void share_disk_asked(struct share_disk *d, const struct share_blk *s);
void share_disk_sent(struct share_blk *s, uint64_t cost);
void share_disk_ended(struct share_blk *s, uint64_t cost);
/* How long a small read took that came from the host disk itself. */
void share_disk_took(struct share_disk *d, uint64_t ns, uint64_t now);
void share_disk_forget(struct share_disk *d, struct share_blk *s);

#endif
