/* Shared by the files of record/: one recording, one device of it, lines of text. */
#ifndef RECORD_REC_IMPL_H
#define RECORD_REC_IMPL_H

#include "back/blk.h"
#include "back/chr.h"
#include "back/net.h"
#include "core/ledger.h"
#include "core/error.h"
#include "core/loop.h"
#include "core/tap.h"
#include "record/record.h"
#include "record/rec_text.h"

#define REC_VERSION 1
#define REC_DEVS    REC_PICKS
#define REC_REGIONS 16
#define REC_TIMERS  32 /* timers, and pieces of deferred work, of one device */
#define REC_LINES   16
#define REC_BLKS    8

struct rec_region {
    struct io_region *region;
    char label[REC_NAME + 8]; /* its ledger row's name; "#2" after it where two have one name */
};

struct rec_timer {
    struct rec_dev *dev;
    struct loop_timer *timer; /* the device's */
    struct loop_timer real;   /* recording: on the VM's loop, in its place */
};

struct rec_work {
    struct rec_dev *dev;
    struct loop_work *work;
    struct loop_work real;
};

struct rec_line { /* an interrupt line that the device drives */
    struct rec_dev *dev;
    struct irq to;
    unsigned number;
    bool level;
    void (*look)(void *dev); /* struct irq's watch */
    void *look_dev;
};

struct rec_blk { /* stands between the device and a disk */
    struct blk blk;
    struct blk *inner;
    struct rec_dev *dev;
    uint32_t ids;
    struct blk_req *pending; /* playing: in flight, in no order */
};

struct rec_chr {
    struct chr chr;
    struct chr *inner;
    struct rec_dev *dev;
};

struct rec_net { /* stands between the device and a network */
    struct net net;
    struct net *inner;
    struct rec_dev *dev;
    struct ledger_row row; /* its own: what passes is counted by the backend */
    unsigned inside;
    struct iovec iov;
    uint8_t buf[NET_FRAME_MAX];   /* a frame that passes, in one piece */
    uint8_t frame[NET_FRAME_MAX]; /* playing: the one that arrives */
};

struct rec_dev {
    struct tap tap;
    struct rec *rec;
    char name[REC_NAME];
    struct loop *view; /* its loop */
    struct pci_func *func;
    struct rec_region region[REC_REGIONS];
    unsigned regions;
    struct rec_timer *timer[REC_TIMERS];
    unsigned timers;
    struct rec_work *work[REC_TIMERS];
    unsigned works;
    struct rec_line *line[REC_LINES];
    unsigned lines;
    struct msi_sink msi;
    struct rec_blk *blk[REC_BLKS];
    unsigned blks;
    struct rec_chr *chr;
    struct rec_net *net;
};

struct rec {
    bool play;
    bool building; /* until rec_ready: what devices do by themselves is not written */
    bool closed;   /* nothing is written or compared any more */
    bool short_of; /* memory or one of the tables above; said by rec_ready or rec_finish */
    struct rec_machine m;
    uint64_t now; /* VM time, as devices see it: stands still while an event runs */
    struct rec_dev *dev[REC_DEVS];
    unsigned devs;
    char refused[REC_NAME]; /* a picked device that can't be recorded */
    /* the event under way: what came from outside, and all it led to before it returned */
    struct rec_dev *cur;
    unsigned depth;
    struct rec_text head, nested, tmp; /* tmp: the line being put together */
    uint64_t events;
    struct ledger *ledger;
    struct loop *loop; /* making: the VM's */
    struct rec_out out;
    uint64_t limit;
    bool begun;
    /* playing */
    struct rec_player player;
    struct rec_in in;
    const char *event; /* the line under way, from its verb on */
    unsigned event_line;
    bool differs;
    struct error why;
    struct blk *disk[REC_DISKS];
    struct net nic[REC_NICS];
    struct chr console;
};

static inline struct rec_dev *rec_dev_of(struct tap *t)
{
    return container_of(t, struct rec_dev, tap);
}

/* rec.c: events and their lines. A line is put together in r->tmp, which rec_new empties. */
struct rec_text *rec_new(struct rec_dev *d);
void rec_begin(struct rec_dev *d);
void rec_head(
    struct rec_dev *d); /* tmp is what the event was; inside another event: a line of it */
void rec_end(struct rec_dev *d);
void rec_end_quiet(struct rec_dev *d); /* making: an event that led to nothing is not written */
void rec_put(struct rec_dev *d);       /* tmp is something the device did */
/* Playing: tmp, then a blank, is how the next line begins; the rest of that line. NULL: it is not,
 * or there was a difference before. */
const char *rec_take(struct rec_dev *d);
/* Playing: the next line of this event if it begins so, without consuming it; else NULL. */
const char *rec_peek(const struct rec *r, const char *begin);
void rec_skip(struct rec *r);
/* The first one counts. */
void rec_differ(struct rec *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rec_write(struct rec *r, const struct rec_text *t); /* making: a line outside any event */

/* rec_head.c: the lines before the first event */
void rec_head_write(struct rec *r);
int rec_head_read(struct rec *r, struct error *err);
/* rec_sum.c: the ledger's rows of the devices */
void rec_sum_write(struct rec *r);
void rec_sum_check(struct rec *r, char *words);
/* rec_dev.c */
void rec_irq_play(struct rec_dev *d, const char *rest);
struct rec_region *rec_region_find(struct rec_dev *d, const char *label);
const char *rec_region_label(struct rec_dev *d, struct rec_region *m);
/* rec_time.c */
int rec_time_open(struct rec_dev *d);
void rec_time_close(struct rec_dev *d);
void rec_time_play(struct rec_dev *d, bool timer, const char *rest);
/* rec_blk.c, rec_chr.c, rec_net.c: an input of the backend's, as the line tells it */
void rec_blk_play(struct rec_dev *d, const char *rest);
void rec_blk_close(struct rec_blk *w);
void rec_chr_play(struct rec_dev *d, const char *rest);
void rec_chr_close(struct rec_chr *w);
void rec_net_play(struct rec_dev *d, const char *rest);
void rec_net_close(struct rec_net *w);

#endif
