/* Shared by the files of the switch: sw.c (life, bursts, time), sw_forward.c (the way of a frame),
 * sw_queue.c (what has to wait), sw_count.c (rows). */
#ifndef SHARE_SW_IMPL_H
#define SHARE_SW_IMPL_H

#include "share/bucket.h"
#include "share/drr.h"
#include "share/sw.h"
#include "share/sw_guard.h"

/* What may come from one port in one go: bytes, and a frame is so many more. A port that fills its
 * turn is a flood for SW_FLOOD_NS. While another that is none has said something within that time,
 * turns are short and a flood rests after each: who says little waits for a short turn at most. One
 * of SW_REST_FRAMES and more: segments of 64 KiB come as often as TCP's windows allow. */
#define SW_TURN        (16u << 10)
#define SW_TURN_LONG   (256u << 10)
#define SW_TURN_FRAME  NET_COST
#define SW_REST_NS     10000u
#define SW_REST_FRAMES 4u
#define SW_FLOOD_NS    10000000u
#define SW_NAME        48
#define SW_RUN_IOVS    4 /* of a frame with more pieces nobody makes a run */

struct ledger_row;

struct sw_item { /* a frame that waits */
    struct sw_item *next;
    struct net_frame f; /* f.iov is iov */
    struct iovec iov;
    size_t cost;    /* bytes of memory */
    uint64_t since; /* when it was kept */
    uint8_t data[];
};

struct sw_flow { /* what waits for one port and came from another */
    struct drr_flow drr;
    struct sw_item *first, *last;
    size_t kept;
};

enum sw_row { /* in the ledger; sw_count.c says what each counts */
              SW_FROM,
              SW_TO,
              SW_COPIES,
              SW_WHOLE,
              SW_CUT,
              SW_FLOOD,
              SW_WAITED,
              SW_BAD,
              SW_SPOOFED,
              SW_CROWDED,
              SW_VLAN,
              SW_STORM,
              SW_ISOLATED,
              SW_ROWS
};

struct sw_port {
    struct sw *s;
    unsigned index;
    struct sw_policy policy;
    struct sw_plug plug;
    void *ctx;
    char name[SW_NAME];
    bool guarded, touched, blocked, draining;
    uint64_t pin; /* its owner's address; 0: not known */
    /* from it */
    struct bucket from, storm;
    size_t turn;          /* bytes in this round of the loop, */
    unsigned turn_frames; /* in so many */
    uint64_t flood_until; /* it has filled a turn */
    uint64_t quiet_until; /* it has said something, and was no flood */
    struct loop_timer go;
    /* to it */
    struct bucket to;
    struct drr drr;
    struct sw_flow flow[SW_PORTS];
    size_t kept, limit;
    unsigned waiting; /* frames kept */
    struct loop_timer more;
    struct sw_count count;
    struct ledger_row *row[SW_ROWS];
};

/* A frame as it leaves: with a tag, without, as it came; made when the first port wants it. */
enum sw_shape { SHAPE_SAME, SHAPE_BARE, SHAPE_TAGGED, SHAPES };

struct sw_made {
    struct net_frame f;
    struct iovec iov[NET_IOVS_MAX];
    uint8_t head[L2_HEAD + L2_TAG];
};

/* Frames on their way from one port to the one other, each as it came but for its head, which is
 * the copy that was judged. */
struct sw_run {
    struct sw_port *to;
    unsigned frames;
    struct net_frame f[NET_BURST];
    struct iovec iov[NET_BURST][SW_RUN_IOVS];
    uint8_t head[NET_BURST][SW_GUARD_HEAD];
};

/* What the last frame of a burst taught: the next is mostly from and to the same. Good until
 * something else is learnt. */
struct sw_memo {
    uint64_t from, to; /* keys of the address table; from 0: nothing is remembered */
    bool found;        /* to, at port; -1: at all */
    int port;
};

struct sw {
    struct loop *loop;
    struct ledger *ledger;
    char name[SW_NAME / 2];
    struct l2 l2;
    struct loop_timer sweep;
    struct sw_port *port[SW_PORTS];
    unsigned ports;
    unsigned pins; /* ports with a mac= */
    bool vlans;    /* somebody's policy speaks of them */
    bool busy;     /* within a burst: now is true */
    uint64_t now;
    /* the frame at hand */
    const struct net_frame *f;
    struct l2_tag tag;
    unsigned vid; /* 0: VLANs are not kept apart */
    struct sw_made made[SHAPES];
    unsigned done; /* shapes that are made, a bit each */
    uint8_t *head; /* of the run's next frame */
    size_t have;   /* bytes in head */
    struct sw_memo memo;
    struct sw_run run;
};

/* sw.c */
void sw_heard(struct sw_port *p, unsigned frames, size_t len);
uint64_t sw_now(struct sw *s);
/* sw_queue.c */
void sw_to(struct sw_port *q, struct sw_port *from, const struct net_frame *f);
void sw_to_all(struct sw_port *q, struct sw_port *from, const struct net_frame *f, unsigned frames);
void sw_drain(struct sw_port *q);
void sw_queue_drop(struct sw_port *q); /* all that waits for q */
/* sw_count.c */
int sw_rows_open(struct sw_port *p);
void sw_refuse(struct sw_port *p, enum sw_row why, uint64_t *count);
void sw_count_from(struct sw_port *p, unsigned frames, size_t len);
void sw_count_to(struct sw_port *q, const struct sw_port *from, const struct net_frame *f,
                 bool waited);
void sw_count_waited(struct sw_port *q, const struct sw_item *it);
/* Frames that have nothing left to be done, and had not to wait. */
void sw_count_all(struct sw_port *q, const struct sw_port *from, unsigned frames, size_t bytes);

#endif
