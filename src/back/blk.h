/*
 * Block backends: one interface, many front ends. A request carries all it needs; done runs exactly
 * once, from the loop (or deferred work), never inside submit.
 */
#ifndef BACK_BLK_H
#define BACK_BLK_H

#include "core/loop.h"
#include "core/times.h"
#include "core/types.h"
#include <sys/uio.h>

#define BLK_SECTOR   512u
#define BLK_SEGS_MAX 256

struct blk;
struct ledger;
struct ledger_row;
struct error;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_ZEROES, BLK_OPS };

struct blk_req {
    enum blk_op op;
    uint64_t sector, sectors; /* 512-byte units; range is checked by blk_submit */
    struct iovec *iov;        /* READ, WRITE: sum of lengths == sectors * 512 */
    int iovs;
    void (*done)(struct blk_req *req, int err); /* 0 or -errno */
    void *owner;
    /* private to the backend */
    struct blk *blk;
    int err;
    size_t moved;
    unsigned tries;
    struct blk_req *next;
    uint64_t sent;  /* private to a layer: when it was handed on, ns of the loop */
    uint64_t since; /* private to blk.c: when it was given in; 0: it came another way */
    uint32_t id;    /* private to a tap */
};

/* A wire-tap on the requests between a front end and its backend. */
struct blk_tap {
    /* A request was given in; refused: 0, or how it will end without reaching the backend. */
    void (*submitted)(struct blk *b, struct blk_req *req, int refused);
    void (*done)(struct blk *b, struct blk_req *req); /* its time has come: calls req->done */
};

struct blk_ops {
    const char *name;
    void (*submit)(struct blk *b, struct blk_req *req);
    void (*drain)(struct blk *b); /* returns when blk_finish was called for all it was given */
    void (*close)(struct blk *b); /* nothing is in flight; frees what contains b */
};

struct blk {
    const struct blk_ops *ops;
    struct loop *loop;
    uint64_t sectors;
    bool readonly, can_discard, can_zeroes, volatile_cache;
    unsigned in_flight;              /* submitted, done not yet called */
    struct ledger_row *row[BLK_OPS]; /* by op */
    struct times times[BLK_OPS];     /* from submit to done, by op */
    /* a layer's: the backend that it stands around; and, or NULL, what is told of the end of each
     * request that came to its submit: innermost layer first, from inside blk_finish, which may be
     * inside that very submit */
    struct blk *inner;
    void (*ended)(struct blk *b, struct blk_req *req);
    char name[64];
    const struct blk_tap *tap; /* NULL: nobody listens */
    /* private to blk.c: finished requests whose done is still to be called, oldest first */
    struct blk_req *finished, **finished_end;
    struct loop_work deliver;
};

struct blk_open_opts {
    const char *path; /* what the user gave */
    bool readonly;
    const char *name;   /* ledger name: "disk0" */
    const char *extent; /* one extent of path is the whole disk (blk_part.c); NULL: all of it */
    bool direct;        /* past the host's page cache */
};

/* A raw image file or block device, through io_uring (or a worker thread where io_uring is not
 * allowed). Takes OFD locks (blk_lock.h); busy → -EBUSY with a clear error. size must be a multiple
 * of 512. With an extent it is still the whole image, of which only the extent's bytes are locked:
 * for blk_open to put blk_part around. */
int blk_raw_open(struct blk **out, const struct blk_open_opts *o, struct loop *loop,
                 struct ledger *ledger, struct error *err);
void blk_raw_claim(const struct blk *b, uint64_t *first, uint64_t *sectors); /* the extent's */
/* A RAM disk of that many bytes: "mem:64M". */
int blk_mem_open(struct blk **out, uint64_t bytes, const char *name, struct loop *loop,
                 struct ledger *ledger, struct error *err);
/* Those sectors of inner as a whole disk: the one place that keeps a disk in its bounds. Takes
 * inner over: closing this closes it. */
int blk_part_open(struct blk **out, struct blk *inner, uint64_t first, uint64_t sectors,
                  struct ledger *ledger);
/* Opens what a --disk FILE names: "mem:SIZE", a path, or an extent of a path. */
int blk_open(struct blk **out, const struct blk_open_opts *o, struct loop *loop,
             struct ledger *ledger, struct error *err);

/* Front ends call these. submit checks op, range, read-only; a refused request completes with
 * -EINVAL/-EROFS/-EOPNOTSUPP through done, deferred. */
void blk_submit(struct blk *b, struct blk_req *req);
/* Returns when nothing is in flight and all done calls have been made (from inside this call). */
void blk_drain(struct blk *b);
void blk_close(struct blk *b); /* drains first; NULL is fine */

/* Backends: the common part of an opened blk (after ops, sectors and flags are set); and the end of
 * a request. blk_finish may be called inside submit: done runs later, from deferred work. All with
 * the loop's lock held. */
int blk_init(struct blk *b, const char *name, struct loop *loop, struct ledger *ledger);
/* Taps: calls done of this finished request now, out of turn. */
void blk_deliver(struct blk *b, struct blk_req *req);
void blk_finish(struct blk_req *req, int err);
/* Layers: the same for a request that layer kept: those within are not told. */
void blk_finish_in(struct blk *layer, struct blk_req *req, int err);
/* Layers: b becomes one around inner, of the same size and traits. The layer hands requests on with
 * inner->ops->submit, req->blk staying the outermost, and drains inner when it is drained. */
int blk_layer_init(struct blk *b, const struct blk_ops *ops, struct blk *inner,
                   struct ledger *ledger);

#endif
