/*
 * Shared by the files of pv/. A unit of I/O, whatever its form, becomes a struct pv_req that
 * carries all it needs; its device ends it once, then or later, and pv_end answers in its form.
 *
 *   call.c  calls and what they say     unit.c  from unit to request to answer
 *   ring.c  the ring's words            disk.c nic.c console.c  what units do
 */
#ifndef PV_IMPL_H
#define PV_IMPL_H

#include "back/blk.h"
#include "bus/bus.h"
#include "bus/dev.h"
#include "core/loop.h"
#include "mem/dma.h"
#include "pv/abi.h"
#include "pv/pv.h"

struct ledger_row;
struct pv_dev;

enum pv_form { PV_FORM_CALL, PV_FORM_BATCH, PV_FORM_RING, PV_FORMS };

enum {
    PV_REQS = 4096,      /* units in flight in all */
    PV_DEPTH = 1024,     /* and of one device */
    PV_UNIT_LEN = 32,    /* sizeof(struct pv_unit) */
    PV_UNIT_STATUS = 24, /* where its status is; moved follows */
    PV_END_LEN = 8,
};

struct pv_req {
    struct blk_req blk;
    struct iovec iov;
    struct pv_dev *dev;
    struct pv_req *next; /* free, or waiting at its device */
    uint64_t x, z;
    uint32_t len;
    uint8_t cmd, y;
    uint8_t ring;
    uint16_t slot; /* of the ring, or of the table */
    enum pv_form form;
    bool inside; /* the call it came with has not ended: who made it looks at ended */
    bool ended, held;
    uint32_t moved;
    int32_t status;
    gpa_t at; /* batch: its unit */
};

struct pv_dev_ops {
    uint32_t kind;
    /* Judges and begins: calls pv_end, now or later. */
    void (*start)(struct pv_dev *d, struct pv_req *r);
    /* Of a saved request that waits: could it have come to wait? NULL: none does. */
    bool (*fits)(struct pv_dev *d, struct pv_req *r);
    void (*info)(struct pv_dev *d, struct pv_device *out);
    void (*drain)(struct pv_dev *d); /* what can end ends, what only waits is left; or NULL */
    void (*after)(struct pv_dev *d); /* the end of a call; or NULL */
    void (*state)(struct pv_dev *d, struct state *st); /* what it keeps beside requests; or NULL */
    void (*reset)(struct pv_dev *d);                   /* or NULL */
    void (*destroy)(struct pv_dev *d);
};

struct pv_queue { /* requests that wait for something, oldest first */
    struct pv_req *first, **end;
};

struct pv_dev { /* the first member of each device */
    const struct pv_dev_ops *ops;
    struct pv *pv;
    const char *name;
    struct dma dma;
    struct ledger_row *row[PV_FORMS];
    unsigned in_flight;
    struct pv_queue reads, writes; /* of rings: until there is something, or room */
};

struct pv_ring_at { /* our half of a ring; the guest's is in its memory */
    uint8_t *at;    /* NULL: no ring */
    gpa_t gpa;
    uint32_t entries, next, used, unshown;
    bool poll, broken;
    unsigned idle; /* looks that found nothing since the last that did */
    uint8_t busy[PV_RING_MAX / 8];
};

struct pv {
    struct dev_env env;
    struct io_region region;
    struct dma dma; /* blocks, arrays, the table, rings */
    struct pv_dev *dev[PV_DEVS_MAX];
    unsigned devs;
    struct pv_ring_at ring[PV_RINGS];
    gpa_t table;
    uint32_t tags;
    int32_t last; /* PV_PORT_LAST */
    bool line;
    struct ledger_row *calls[PV_CALLS + 1];
    struct pv_req *reqs, *spare;
    uint8_t *batch; /* PV_BATCH_MAX units, copied */
    struct loop_work show, again;
    struct loop_timer look;
    unsigned again_rings, unshown_rings; /* a bit each */
    bool serving;                        /* a call: its end shows what ended */
    bool sent;                           /* frames, since the last flush */
};

/* call.c */
int64_t pv_call(struct pv *p, const uint64_t *a);
void pv_drop_all(struct pv *p); /* waits for what is in flight, forgets rings and table */

/* unit.c */
struct pv_req *pv_req_get(struct pv *p, unsigned devid, int32_t *why); /* NULL: why */
void pv_req_put(struct pv_req *r);
void pv_end(struct pv_req *r, int32_t status, uint32_t moved); /* status: 0 or PV_E_* */
void pv_end_now(struct pv_req *r, int32_t status);
void pv_wait(struct pv_queue *q, struct pv_req *r);
struct pv_req *pv_next(struct pv_queue *q); /* NULL: none waits */
void pv_drain(struct pv *p);
void pv_after(struct pv *p); /* the end of a call: frames leave, rings show what ended */
void pv_irq(struct pv *p);
/* These two answer -PV_E_* or the result. */
int64_t pv_io(struct pv *p, const uint64_t *a);
int64_t pv_batch(struct pv *p, uint64_t gpa, uint64_t n, uint64_t flags);
int pv_dev_init(struct pv *p, struct pv_dev *d, const struct pv_dev_ops *ops, const char *name);

/* ring.c */
int32_t pv_ring_set(struct pv *p, uint64_t ring, const uint64_t *a); /* 0 or PV_E_* */
int32_t pv_ring_kick(struct pv *p, uint64_t ring);
void pv_ring_end(struct pv *p, const struct pv_req *r); /* into its ring; not shown yet */
void pv_ring_show(struct pv *p);
void pv_ring_drop(struct pv *p, unsigned ring); /* nothing of it is in flight but what waits */
void pv_ring_again(void *pv);                   /* loop work */
void pv_ring_look(void *pv);                    /* timer */
/* Judges a place for a ring, which gets nothing in flight: 0 or PV_E_*. */
int32_t pv_ring_make(struct pv *p, struct pv_ring_at *r, gpa_t gpa, uint64_t entries);
void pv_ring_wake(struct pv *p, unsigned ring); /* looks at it soon */

/* state.c */
void pv_state(void *pv, struct state *st);

#endif
